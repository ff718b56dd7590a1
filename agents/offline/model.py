"""The offline model: the Model port answered by fixed intents and plans, without any key. Called by agents/nodes.py.

It reads the question (slots.py), finds its intents (intents.py), runs the plan of each part and repeats what it
understood before any number. It is stateless: the same messages give the same reply. It is not a language model, and says so.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agents.model import ALONE, Call, Caller, Message, Reply, Usage, tokens_of
from agents.offline import advisor, developer, operator, questions, slots, watch
from agents.offline.dates import NO_SPAN
from agents.offline.intents import BY_NAME, INTENTS, LEAST, Intent, nearest, scores
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedCall, PlanOf, Question
from agents.offline.words import Words
from agents.render import one_line
from tools.catalog import roles_of
from tools.common.contract import Tool

PLANS: Mapping[str, PlanOf] = {
    "backtest": developer.backtest,
    "compare": developer.compare,
    "leaks": developer.leaks,
    "propose_better": developer.propose_better,
    "propose_change": developer.propose_change,
    "show_run": developer.show_run,
    "list_runs": developer.list_runs,
    "round_trip": developer.round_trip,
    "strategies": developer.strategies,
    "data": developer.data,
    "tighten": operator.tighten,
    "pause": operator.pause,
    "why_not": operator.why_not,
    "explain": operator.explain,
    "happened": operator.happened,
    "wrong": operator.wrong,
    "refused": operator.refused,
    "alerts": watch.alerts,
    "runbook": watch.runbook,
    "positions": operator.positions,
    "proposals": operator.proposals,
    "halt_help": operator.halt_help,
    "halted": operator.halted,
    "configuration": operator.configuration,
    "changes": operator.changes,
    "probe": operator.probe,
    "memory": operator.memory,
    "note": operator.note,
    "person_only": operator.person_only,
    "attribution": advisor.attribution,
    "costs": advisor.costs,
    "funding": advisor.funding,
    "by_sleeve": advisor.by_sleeve,
    "compare_sleeves": advisor.compare_sleeves,
    "limits": advisor.limits,
    "exposure": advisor.exposure,
    "look_at": advisor.look_at,
    "desk": advisor.desk,
}
# tools a role may use instead of an intent's own
_INSTEAD: Mapping[str, tuple[str, ...]] = {"tighten": ("propose_config",), "propose_change": ("propose_tightening",)}
_FILES = ("propose_change", "tighten", "pause")  # intents that end in a proposal; a question files none
# pairs of parts where the first intent covers both
_SWALLOWS = {
    ("compare", "backtest"),
    ("propose_change", "tighten"),
    ("propose_better", "propose_change"),
    ("tighten", "propose_change"),
}
# an elliptic question of these intents takes instrument and window from the one before
_CONTINUES = ("backtest", "compare", "leaks", "propose_change", "tighten", "pause", "why_not", "explain")
_SENTENCE = re.compile(r"(?<=[?!;])\s+|(?<=[a-z0-9%)]\.)\s+(?=[A-Z])|\n+")
_CLAUSE = re.compile(
    r"\s*,?\s+(?:and|then|and then|and also|plus)\s+(?=(?:then\s+|also\s+)?(?:compare|propose|suggest|check|show|tell|explain|"
    r"list|run|backtest|pause|tighten|is|are|was|were|what|why|which|how|who|note|set|raise|lower|does|do)\b)",
    re.IGNORECASE,
)
_FOLLOWS = re.compile(r"^(?:and|what about|how about|same|now|also|again|with|for|on|then|or|but|the|make it|try)\b")


@dataclass(frozen=True)
class OfflineContext:
    """What code passes to the offline model with the system message: the desk's vocabulary and the thread so far."""

    role: str
    words: Words = field(default_factory=Words)
    past: Sequence[PastTurn] = ()
    handles: Mapping[str, str] = field(default_factory=dict)  # `r:ID` -> r1, alive during the turn
    read: dict[str, list["Part"]] = field(default_factory=dict, repr=False, compare=False)  # questions already understood


class Part(NamedTuple):
    """One thing a question wants."""

    intent: Intent
    text: str
    slots: slots.Slots


class OfflineModel:
    """The Model port without a language model: deterministic and fast."""

    name = "offline"
    api_format = "none"
    offline = True

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:  # noqa: ARG002 - the port's
        """The next calls of the plan, or its answer when their results are all among `messages`."""
        context = next((m.data for m in messages if isinstance(m.data, OfflineContext)), None) or OfflineContext("developer")
        at = max(i for i, m in enumerate(messages) if m.role == "user")
        question = messages[at].text
        results = [m.data for m in messages[at:] if m.role == "tool" and isinstance(m.data, CallResult)]
        reply = replay(plan_of(question, context, frozenset(t.name for t in tools), results), results)
        if reply.calls and not results:  # said before the first tool runs; the answer repeats it with its slots
            reply = reply._replace(text="; ".join(part.intent.about for part in understand(question, context)))
        usage = Usage(sum(tokens_of(m.text) for m in messages), tokens_of(reply.text))
        return reply._replace(usage=usage)


def replay(plan: Plan, results: Sequence[CallResult]) -> Reply:
    """Feed a plan its results so far; returns its next calls, or its answer."""
    used = 0
    try:
        asks = next(plan)
        while used + len(asks) <= len(results):
            given = list(results[used : used + len(asks)])
            used += len(asks)
            asks = plan.send(given)
    except StopIteration as done:
        return Reply(str(done.value))
    calls = tuple(Call(f"c{used + i + 1}", ask.name, ask.args) for i, ask in enumerate(asks))
    return Reply("", calls)


def plan_of(question: str, context: OfflineContext, tools: frozenset[str], results: Sequence[CallResult]) -> Plan:
    """The plan of a whole question: its parts one after the other, their answers joined."""
    parts = understand(question, context)
    if not parts:
        return (yield from not_understood(question, tools))
    answers: list[str] = []
    used = 0
    for part in parts:
        q = Question(
            part.text, part.slots, context.words, context.role, tools, context.past, results[:used], _by_handle(context.handles)
        )
        plan = _plan_of(part, q)
        try:
            asks = next(plan)
            while True:
                given = yield asks
                used += len(asks)
                asks = plan.send(given)
        except StopIteration as done:
            answers.append(str(done.value))
    said = [re.sub(r"\n\nNext: .*$", "", text) for text in answers[:-1]] + answers[-1:]
    return "\n\n".join(dict.fromkeys(said))


def _by_handle(handles: Mapping[str, str]) -> dict[str, str]:
    return {handle: key.split(":", 1)[1] for key, handle in handles.items() if key.startswith("r:")}


def _plan_of(part: Part, q: Question) -> Plan:
    """The plan of one part, or the sentence that names the role it belongs to."""
    name = part.intent.name
    if name == "help":
        return _nothing(help_text(q.role, q.tools))
    needed = set(part.intent.tools)
    instead = set(_INSTEAD.get(name, ()))
    if needed <= q.tools or (instead and instead <= q.tools):
        if name == "propose_better" and not questions.asks_for_proposal(q):
            return questions.which_did_best(q)
        if name in _FILES and questions.QUESTION.match(q.slots.text):
            return questions.only_asked(q)
        return PLANS[name](q)
    return _nothing(owner_sentence(part, q))


def _nothing(text: str) -> Plan:
    yield from ()
    return text


def owner_sentence(part: Part, q: Question) -> str:
    """One sentence: which role the request belongs to, and the command to ask it."""
    missing = next((tool for tool in part.intent.tools if tool not in q.tools), "")
    owners = roles_of(missing)
    if not owners:
        return f"You asked for {part.intent.about}: no role can do that yet."
    said = re.sub(r"[`$\"\\]", "'", one_line(part.text, 300))
    return (
        f"You asked for {part.intent.about}, which belongs to the {owners[0]}, not to the {q.role}; ask there: "
        f'`nightdesk chat --role {owners[0]} "{said}"`'
    )


def help_text(role: str, tools: frozenset[str]) -> str:
    """Who answers here and what can be asked, one example an intent."""
    may = [i for i in INTENTS if i.examples and set(i.tools) <= tools and i.name != "help"]
    lines = "\n".join(f"- {intent.examples[0]}" for intent in may)
    return (
        f"I am the {role}, played by the offline model: a planner with fixed intents, not a language model. I can read, compute "
        f"and propose; only a named person applies anything. Try:\n\n{lines}"
    )


def not_understood(question: str, tools: frozenset[str]) -> Plan:
    """Not understood: the three closest examples of what this role answers."""
    yield from ()
    examples = nearest(question, [intent for intent in INTENTS if _may(intent, tools)])
    lines = "\n".join(f"- {example}" for example in examples)
    return (
        "I did not understand that: the offline model knows fixed intents and is not a language model. "
        f"The closest I can do:\n\n{lines}"
    )


def _may(intent: Intent, tools: frozenset[str]) -> bool:
    instead = set(_INSTEAD.get(intent.name, ()))
    return set(intent.tools) <= tools or bool(instead and instead <= tools)


# --------------------------------------------------------------------------- what a question wants


def understand(question: str, context: OfflineContext) -> list[Part]:
    """The parts of a question with their intents and slots; empty when nothing is understood."""
    if question in context.read:
        return context.read[question]
    before: list[Part] = []
    for past in context.past[-6:]:
        parts = parts_of(past.asked, context.words, before)
        proposed = any(r.name.startswith("propose") and r.status == "ok" for r in past.results)
        before = parts if parts and not proposed else before  # "and for ETH?" goes on with what was looked at
    context.read[question] = parts_of(question, context.words, before)
    return context.read[question]


def parts_of(question: str, words: Words, before: Sequence[Part] = ()) -> list[Part]:
    """One question's parts; `before` are those of the question before it in the thread."""
    parts: list[Part] = []
    for text in _segments(question, words):
        own = slots.read_slots(text, words)
        parts.append(Part(scores(own)[0].intent, text, own.over(parts[-1].slots) if parts else own))
    if not parts or (len(parts) == 1 and scores(parts[0].slots)[0].score < LEAST):
        return _elliptic(question, words, before)
    return [_continue_part(part, before) if i == 0 else part for i, part in enumerate(_merge_parts(parts, words))]


def _segments(question: str, words: Words) -> Iterator[str]:
    """Sentences and clauses that want something of their own; one that does not stays with the one before it."""
    held = ""
    for sentence in (part.strip() for part in _SENTENCE.split(question) if part.strip()):
        for clause in _clauses(sentence, words):
            if (
                held
                and scores(slots.read_slots(clause, words))[0].score >= LEAST
                and scores(slots.read_slots(held, words))[0].score >= LEAST
            ):
                yield held
                held = clause
            else:
                held = f"{held} {clause}".strip()
    if held:
        yield held


def _clauses(sentence: str, words: Words) -> list[str]:
    """A sentence cut at `and check ...`, where both sides want different things."""
    clauses: list[str] = []
    for piece in _CLAUSE.split(sentence):
        here = scores(slots.read_slots(piece, words))[0]
        if clauses:
            there = scores(slots.read_slots(clauses[-1], words))[0]
            if here.score < LEAST or there.score < LEAST or here.intent.name == there.intent.name:
                clauses[-1] = f"{clauses[-1]} and {piece}"
                continue
        clauses.append(piece)
    return clauses


def _merge_parts(parts: Sequence[Part], words: Words) -> list[Part]:
    """Parts that say one thing together become one: `backtest ..., and compare ...` is a comparison."""
    kept: list[Part] = []
    for part in parts:
        last = kept[-1] if kept else None
        if last and last.intent.name == part.intent.name:
            kept[-1] = Part(last.intent, f"{last.text} {part.text}", slots.read_slots(f"{last.text} {part.text}", words))
        elif last and (part.intent.name, last.intent.name) in _SWALLOWS:
            kept[-1] = Part(part.intent, f"{last.text} and {part.text}", slots.read_slots(f"{last.text} and {part.text}", words))
        elif last and (last.intent.name, part.intent.name) in _SWALLOWS:
            kept[-1] = Part(last.intent, f"{last.text} and {part.text}", slots.read_slots(f"{last.text} and {part.text}", words))
        else:
            kept.append(part)
    return kept


def _continue_part(part: Part, before: Sequence[Part]) -> Part:
    """A question that names no instrument goes on with that of the one before it."""
    s = part.slots
    if part.intent.name not in _CONTINUES or not before or s.strategies or s.symbols or s.sleeves or s.ids:
        return part
    older = before[-1].slots
    context = slots.Slots(
        strategy=older.strategy,
        strategies=older.strategies,
        symbols=older.symbols,
        timeframe=older.timeframe,
        venue=older.venue,
        span=older.span if part.intent.name in ("backtest", "compare") else NO_SPAN,
        sleeves=older.sleeves,
    )
    return part._replace(slots=s.over(context))


def _elliptic(question: str, words: Words, before: Sequence[Part]) -> list[Part]:
    """`And for ETH?`, `what about 2024`, or the answer to a question of ours: the last question with new slots."""
    read = slots.read_slots(question, words)
    names = bool(read.strategies or read.symbols or read.sleeves or read.common or read.variants or read.unclear)
    times = read.span != NO_SPAN or read.timeframe is not None
    short = len(read.text.split()) <= 8
    if not before or not (names or times) or not (short or _FOLLOWS.match(read.text)):
        return []
    last = before[-1]
    read = _keyed_by_last(read, last, words)
    return [Part(last.intent, f"{last.text} ({question})", read.over(last.slots))]


def _keyed_by_last(read: slots.Slots, last: Part, words: Words) -> slots.Slots:
    """`and 4 ATR?`: a number without a name takes the one parameter that the last question was about."""
    if not read.unclear or read.common or read.variants:
        return read
    together = slots.read_slots(f"{last.text} {read.text}", words)  # "tighten the ETH stop" + "1.5 ATR"
    keys = {key for variant in last.slots.variants for key in variant} or set(last.slots.common)
    if not keys and not together.unclear:
        return replace(read, common=together.common, variants=together.variants, unclear=())
    found = [re.match(r"[-+]?\d+(?:\.\d+)?", text) for text in read.unclear]
    values = [int(v) if (v := float(number[0])).is_integer() else v for number in found if number]
    if len(keys) != 1 or not values:
        return read
    (key,) = keys
    if len(values) == 1:
        return replace(read, common={key: values[0]}, unclear=())
    return replace(read, variants=tuple({key: value} for value in values), unclear=())


__all__ = ["BY_NAME", "OfflineContext", "OfflineModel", "Part", "PlannedCall", "not_understood", "plan_of", "understand"]
