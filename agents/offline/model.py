"""The planner without a model: the Model port answered by what the tools declare about themselves. Called by agents/nodes.py.

A question is split into what it wants, each part is read into slots (slots.py) and answered by the first that fits: a way
(what no role does, or only a person), the thread's focus (focus.py), the best entry (choose.py). What the entry would leave out
is named, or asked back when it changes the question (unused.py). It is stateless: the same messages give the same reply. It is
not a language model, and says so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agents.model import ALONE, Call, Caller, Message, Reply, Usage, tokens_of
from agents.offline import focus, slots, unused
from agents.offline.changes import BETTER, QUESTION, only_asked
from agents.offline.choose import LEAST, Chosen, rank
from agents.offline.entries import entries
from agents.offline.plans import made, plan_of
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, PlannedCall, Question, nothing
from agents.offline.ways import Way, way_of
from agents.offline.words import Words, tidy
from tools.common.contract import Tool
from tools.common.render import one_line

_SENTENCE = re.compile(r"(?<=[?!;])\s+|(?<=[a-z0-9%)]\.)\s+(?=[A-Z])|\n+")
_VERBS = (
    "compare|propose|suggest|check|show|tell|explain|list|run|backtest|pause|tighten|is|are|was|were|what|why|which|how|who|note|set|raise|lower|"
    "does|do|submit"
)
_CLAUSE = re.compile(rf"\s*,?\s+(?:and|then|and then|and also|plus)\s+(?=(?:then\s+|also\s+)?(?:{_VERBS})\b)", re.IGNORECASE)
_NOD = re.compile(
    r"^\W*(?:good|great|ok|okay|fine|thanks|thank you|perfect|cool|nice|yes|no|sounds good|alright|well)\W*$", re.IGNORECASE
)
_ALIKE = {"propose_config": "propose_tightening", "propose_tightening": "propose_config"}  # one wish, a tool for each role


@dataclass(frozen=True)
class OfflineContext:
    """What code passes to the planner with the system message: the desk's vocabulary and the thread so far."""

    role: str
    words: Words = field(default_factory=Words)
    past: Sequence[PastTurn] = ()
    handles: Mapping[str, str] = field(default_factory=dict)  # `r:ID` -> r1, alive during the turn


class Part(NamedTuple):
    """One thing a question wants: a way, or an entry with its slots, or nothing that is understood."""

    text: str
    slots: slots.Slots
    way: Way | None = None
    chosen: Chosen | None = None
    continued: bool = False
    call: PlannedCall | str | None = None  # a line of the last table, or a sentence about it


class OfflineModel:
    """The Model port without a language model: deterministic and fast."""

    name = "offline"
    api_format = "none"
    offline = True

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:  # noqa: ARG002 - the port's
        """The next calls of the plan, or its answer when their results are all among `messages`."""
        context = next((m.data for m in messages if isinstance(m.data, OfflineContext)), None) or OfflineContext("developer")
        at = max(i for i, m in enumerate(messages) if m.role == "user")
        results = [m.data for m in messages[at:] if m.role == "tool" and isinstance(m.data, CallResult)]
        reply = replay(plan_for(messages[at].text, context, frozenset(t.name for t in tools), results), results)
        if reply.calls and not results:  # shown before the first tool runs
            reply = reply._replace(text="; ".join(dict.fromkeys(call.name.replace("_", " ") for call in reply.calls)))
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
        draft: PlannedAnswer = done.value
        return Reply(draft.text, unused=draft.unused, asked_back=draft.asked_back)
    return Reply("", tuple(Call(f"c{used + i + 1}", ask.name, ask.args) for i, ask in enumerate(asks)))


def plan_for(question: str, context: OfflineContext, tools: frozenset[str], results: Sequence[CallResult]) -> Plan:
    """The plan of a whole question: its parts one after the other, their answers joined."""
    drafts: list[PlannedAnswer] = []
    used = 0
    for part in understand(question, context.words, context.past):
        entry = part.chosen.entry if part.chosen else None
        handles = {handle: key.split(":", 1)[1] for key, handle in context.handles.items() if key.startswith("r:")}
        q = Question(part.text, part.slots, context.words, context.role, tools, entry, context.past, results[:used], handles)
        plan = plan_of_part(part, q)
        try:
            asks = next(plan)
            while True:
                given = yield asks
                used += len(asks)
                asks = plan.send(given)
        except StopIteration as done:
            drafts.append(done.value)
    return joined(drafts)


def joined(drafts: Sequence[PlannedAnswer]) -> PlannedAnswer:
    """The answers of all parts, the next step of the last one only; then how they were read and what was not used."""
    texts = [re.sub(r"\n\nNext: .*$", "", draft.text) for draft in drafts[:-1]] + [draft.text for draft in drafts[-1:]]
    read = "; then ".join(draft.read_as for draft in drafts if draft.read_as)
    left = tuple(dict.fromkeys(piece for draft in drafts for piece in draft.unused))
    notes = [f"*Read as: {read}.*"] if read else []
    quoted = ", ".join(f'"{piece}"' for piece in left)
    notes += [f"I did not use: {quoted}."] if left else []
    return PlannedAnswer("\n\n".join(dict.fromkeys([*texts, *notes])), any(draft.asked_back for draft in drafts), read, left)


def plan_of_part(part: Part, q: Question) -> Plan:
    """The plan of one part, or the sentence that says why it has none."""
    if part.way is not None:
        return nothing(help_text(q.role, q.tools) if part.way.text == "HELP" else part.way.text)
    if isinstance(part.call, str):
        return nothing(part.call, asked_back=True)
    if part.call is not None:
        return made([part.call])
    if part.chosen is None:
        return nothing(not_understood(part.text, q.tools), asked_back=True)
    entry = part.chosen.entry
    if entry.proposes and entry.tool.name != "note" and QUESTION.match(q.slots.text):
        return nothing(only_asked(q).text, asked_back=True)
    other = _ALIKE.get(entry.tool.name) if q.slots.common or q.slots.factor or not BETTER.search(q.slots.text) else None
    if entry.tool.name not in q.tools and other not in q.tools:
        return nothing(owner_sentence(part, q))
    left = unused.Unused((), (), 0, 1) if part.continued else unused.unused_of(part.chosen, part.slots)
    if left.unknown >= 2 and left.unknown * 2 >= left.content:
        return nothing(not_understood(part.text, q.tools), asked_back=True)
    if left.turns:
        return nothing(cannot_use(part, left), asked_back=True)
    return _with_unused(plan_of(q), left.pieces)


def _with_unused(plan: Plan, pieces: tuple[str, ...]) -> Plan:
    draft = yield from plan
    return draft._replace(unused=draft.unused + pieces)


def cannot_use(part: Part, left: unused.Unused) -> str:
    """A question back: what the answer would leave out, and the sentence without it."""
    assert part.chosen is not None  # noqa: S101 - asked before
    bare = part.slots.text
    for piece in left.turns:
        bare = bare.replace(piece, " ")
    bare = re.sub(
        r"\s+(?:by|per|in|on|for|of|with|and|or|the|than|to|from|at|a|an)?\s*(?=[?.!]*$)", "", re.sub(r"\s+", " ", bare)
    ).strip(" ,?.")
    pieces = ", ".join(f'"{piece}"' for piece in left.turns)
    name, example = part.chosen.entry.tool.name.replace("_", " "), part.chosen.entry.asked.examples[0]
    return (
        f"I did not answer, because I would have to leave out {pieces}, which changes what you ask. "
        f"The closest I have is {name}, which answers `{one_line(bare, 120) or example}`, or for example `{example}`."
    )


def owner_sentence(part: Part, q: Question) -> str:
    """One sentence: which role the request belongs to, and the command to ask it."""
    assert part.chosen is not None  # noqa: S101 - asked before
    entry = part.chosen.entry
    said = re.sub(r"[`$\"\\]", "'", one_line(part.text, 300))
    return (
        f"You asked for {entry.tool.name.replace('_', ' ')}, which belongs to the {entry.roles[0]}, not to the {q.role}; "
        f'ask there: `nightdesk chat --role {entry.roles[0]} "{said}"`'
    )


def help_text(role: str, tools: frozenset[str]) -> str:
    """Who answers here and what can be asked, one example an entry."""
    lines = "\n".join(f"- {e.asked.examples[0]}" for e in entries() if e.tool.name in tools and e.asked.examples)
    return (
        f"I am the {role}, played by the offline model: a planner that knows what its tools declare, not a language model. "
        f"I can read, compute and propose; only a named person applies anything. Try:\n\n{lines}"
    )


def not_understood(text: str, tools: frozenset[str]) -> str:
    """Not understood: the three closest examples of what this role answers."""
    from rapidfuzz import fuzz, process

    examples = [example for e in entries() if e.tool.name in tools for example in e.asked.examples]
    near = process.extract(text.lower(), examples, scorer=fuzz.token_set_ratio, limit=3)
    lines = "\n".join(f"- {found[0]}" for found in near)
    return f"I did not understand that: the offline model is a planner, not a language model. The closest I can do:\n\n{lines}"


# --------------------------------------------------------------------------- what a question wants


def understand(question: str, words: Words, past: Sequence[PastTurn] = ()) -> list[Part]:
    """The parts of a question; one part that is not understood when nothing is."""
    texts = [text for sentence in _SENTENCE.split(question) for text in clauses_of(sentence, words) if text.strip(" ,;.?!")]
    texts = [text for text in texts if not _NOD.match(text)] or texts
    parts: list[Part] = []
    for text in texts or [question]:
        part = part_of(text, words, past, parts)
        if part.chosen is None and part.way is None and part.call is None and parts:
            continue  # a clause that adds nothing readable belongs to the one before it
        if parts and _swallowed(parts[-1], part):
            parts[-1] = _swallow(parts[-1], part)
        else:
            parts.append(part)
    if len(parts) > 1 and (one := _one_wish(question, words, past, parts)) is not None:
        return [one]
    if len(parts) > 1:
        parts = [p for p in parts if p.chosen or p.way or p.call] or parts[:1]
    return parts


def _one_wish(question: str, words: Words, past: Sequence[PastTurn], parts: Sequence[Part]) -> Part | None:
    """The question as one part, where it reads far better as a whole than any of its clauses."""
    whole = part_of(question, words, past)
    best = max((part.chosen.score for part in parts if part.chosen), default=0.0)
    better = not any(part.way or part.call for part in parts) and whole.chosen is not None and whole.chosen.score > 1.4 * best
    return whole if better and not whole.continued else None


def clauses_of(sentence: str, words: Words) -> list[str]:
    """A sentence's clauses; it stays whole where only the whole names what no role does."""
    clauses = _CLAUSE.split(sentence)
    if len(clauses) > 1 and way_of(tidy(sentence, words)) and not any(way_of(tidy(clause, words)) for clause in clauses):
        return [sentence]
    return clauses


def part_of(text: str, words: Words, past: Sequence[PastTurn], earlier: Sequence[Part] = ()) -> Part:
    """What one sentence or clause wants."""
    read = slots.read_slots(text, words)
    way = way_of(read.text)
    if way is not None:
        return Part(text, read, way)
    if past and focus.asks_why(read):
        return Part(text, read, call=focus.why_call(past))
    if focus.picks_row(read):
        call = focus.row_call(read.place or 0, past)
        return Part(
            text, read, call=call or "Nothing is listed in this thread, so I cannot tell which one you mean. Name it by its id."
        )
    if (past or earlier) and focus.goes_on(read) and (older := _older(words, past, earlier)) is not None:
        if older.chosen and older.chosen.entry.proposes and unused.unused_of(older.chosen, older.slots).turns:
            return older  # it was asked back about: no proposal is made of the rest of it
        return older._replace(text=text, slots=focus.shifted(read, older.slots, words), continued=True)
    ranked = rank(read, focus.about_of(past))
    if not ranked or ranked[0].score < LEAST:
        return Part(text, read)
    chosen = ranked[0]
    if chosen.entry.tool.name == "backtest" and len(read.variants) > 1:  # several values of one parameter are a comparison
        chosen = next((other for other in ranked if other.entry.tool.name == "compare"), chosen)
    if not read.sleeves and earlier and earlier[-1].slots.sleeves and chosen.entry.takes("sleeve"):
        read = replace(read, sleeves=earlier[-1].slots.sleeves)
    return Part(text, read, chosen=chosen)


def _older(words: Words, past: Sequence[PastTurn], earlier: Sequence[Part]) -> Part | None:
    """The part that a short sentence goes on with: of this question, else the last of the question before."""
    if earlier:
        return earlier[-1] if earlier[-1].chosen else None
    asked = next((n for n in range(len(past) - 1, -1, -1) if past[n].asked), None)
    if asked is None:
        return None
    older = understand(past[asked].asked, words, past[:asked])[-1]
    return older if older.chosen else None


_SWALLOWS = (
    ("compare", "backtest"),
    ("backtest", "compare"),
    ("propose_config", "propose_tightening"),
    ("propose_tightening", "propose_config"),
)


def _swallowed(first: Part, second: Part) -> bool:
    """Whether two clauses want one thing: a backtest and a comparison of the same."""
    if not (first.chosen and second.chosen):
        return False
    pair = (first.chosen.entry.tool.name, second.chosen.entry.tool.name)
    return pair in _SWALLOWS or (pair[0] == pair[1] and pair[0] in ("compare", "backtest", "list_strategies", "propose_config"))


def _swallow(first: Part, second: Part) -> Part:
    """Both as one part, the comparison's entry with the slots of both."""
    name = second.chosen.entry.tool.name if second.chosen else ""
    chosen = second.chosen if name == "compare" else first.chosen
    text = f"{first.slots.text} and {second.slots.text}"
    merged = replace(second.slots.over(first.slots), text=text, places={})
    return Part(f"{first.text} and {second.text}", merged, chosen=chosen, continued=True)
