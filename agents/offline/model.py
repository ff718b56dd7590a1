"""The planner without a model: the Model port answered by what the tools declare about themselves. Called by agents/nodes.py.

A question is split into what it wants, each part is read into slots (slots.py) and answered by the first that fits: a way
(what no role does, or only a person), the thread's focus (focus.py), the best entry (choose.py). What the entry would leave out
is named, or asked back when it changes the question (unused.py). It is stateless: the same messages give the same reply. It is
not a language model, and says so.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, NamedTuple

from agents.model import ALONE, Call, Caller, Message, Reply, Usage, tokens_of
from agents.offline import focus, slots, unused
from agents.offline.changes import BETTER, only_asked
from agents.offline.choose import LEAST, QUESTION, Chosen, rank
from agents.offline.entries import entries
from agents.offline.plans import made, plan_of
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, PlannedCall, Question, answered, nothing
from agents.offline.tables import Facts
from agents.offline.ways import Way, bare, way_of
from agents.offline.words import PATTERNS, WANTS, Words, tidy
from tools.common.contract import Tool
from tools.common.render import one_line

_SENTENCE = PATTERNS["model.sentence"]
_VERBS = (
    "compare|propose|suggest|check|show|tell|explain|list|run|backtest|pause|tighten|is|are|was|were|what|why|which|how|who|note|set|raise|lower|"
    "does|do|submit"
)
_CLAUSE = PATTERNS["model.clause"]
_NOD = PATTERNS["model.nod"]
_MINE = PATTERNS["model.mine"]
_ALIKE = {"propose_config": "propose_tightening", "propose_tightening": "propose_config"}  # one wish, a tool for each role


@dataclass(frozen=True)
class OfflineContext:
    """What code passes to the planner with the system message: the desk's vocabulary and the thread so far."""

    role: str
    words: Words = field(default_factory=Words)
    past: Sequence[PastTurn] = ()
    handles: Mapping[str, str] = field(default_factory=dict)  # `r:ID` -> r1, alive during the turn
    facts: Mapping[str, Any] = field(default_factory=dict)  # every fact of the thread by its reference, likewise


class Thread(NamedTuple):
    """What a sentence is read against: the desk's words, the turns before, their facts, the role's tools (None: all)."""

    words: Words
    past: Sequence[PastTurn] = ()
    facts: Facts = MappingProxyType({})
    tools: frozenset[str] | None = None

    @property
    def older(self) -> "Part | None":
        """The newest question before that an entry answered: what a short sentence goes on with."""
        for n in range(len(self.past) - 1, max(-1, len(self.past) - 5), -1):
            if not self.past[n].asked:
                continue
            part = understand(self.past[n].asked, self.words, self.past[:n], self.facts, self.tools)[-1]
            if part.way is not None and part.way.then:
                return Part("", slots.Slots(), chosen=entry_of(part.way.then))
            if part.chosen is not None and not part.aside:
                return part
        return None

    def defined(self) -> str:
        """The word that the last answer explained; empty when it explained none."""
        last = next((turn.results[-1] for turn in reversed(self.past) if turn.results), None)
        return str(last.args.get("word", "")) if last is not None and last.name == "define" else ""


class Part(NamedTuple):
    """One thing a question wants: a way, or an entry with its slots, or nothing that is understood."""

    text: str
    slots: slots.Slots
    way: Way | None = None
    chosen: Chosen | None = None
    own: slots.Slots | None = None  # of a sentence that goes on: what it names itself
    aside: bool = False  # a question about what stands above: nothing goes on with it
    call: PlannedCall | PlannedAnswer | None = None  # of something that stands above, or what is read from it
    near: tuple[Chosen, ...] = ()  # the entries that fit best, the chosen one first

    @property
    def empty(self) -> bool:
        """Whether nothing in it was understood."""
        return self.chosen is None and self.way is None and self.call is None


class OfflineModel:
    """The Model port without a language model: deterministic and fast."""

    name = "offline"
    api_format = "none"
    offline = True

    def complete(self, messages: Sequence[Message], tools: Sequence[Tool], caller: Caller = ALONE) -> Reply:  # noqa: ARG002 - the port's
        """The next calls of the plan, or its answer when their results are all among `messages`."""
        context = next((m.data for m in messages if isinstance(m.data, OfflineContext)), OfflineContext("developer"))
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
    for part in understand(question, context.words, context.past, context.facts, tools):
        entry = part.chosen.entry if part.chosen else None
        handles = {handle: key.split(":", 1)[1] for key, handle in context.handles.items() if key.startswith("r:")}
        q = Question(
            part.text, part.slots, context.words, context.role, tools, entry, context.past, results[:used], handles, context.facts
        )
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
    """What was not used, since the answer may be wider for it; the answers of all parts, the next step of the last one only; then
    how they were read."""
    texts = [re.sub(r"\n\nNext: .*$", "", draft.text) for draft in drafts[:-1]] + [draft.text for draft in drafts[-1:]]
    read = "; then ".join(draft.read_as for draft in drafts if draft.read_as)
    left = tuple(dict.fromkeys(piece for draft in drafts for piece in draft.unused))
    quoted = ", ".join(f'"{piece}"' for piece in left)
    notes = [f"I did not use: {quoted}."] if left else []
    notes += [*texts, *([f"*Read as: {read}.*"] if read else [])]
    return PlannedAnswer("\n\n".join(dict.fromkeys(notes)), any(draft.asked_back for draft in drafts), read, left)


def plan_of_part(part: Part, q: Question) -> Plan:
    """The plan of one part, or the sentence that says why it has none."""
    if part.way is not None:
        return nothing(help_text(q.role, q.tools) if part.way.text == "HELP" else part.way.text)
    if isinstance(part.call, PlannedAnswer):
        return answered(part.call)
    if part.call is not None:
        return made([_in_role(part.call, q)], q)
    if part.chosen is None:
        return nothing(not_understood(part, q.tools), asked_back=True)
    entry = part.chosen.entry
    if entry.proposes and entry.tool.name != "note" and QUESTION.match(q.slots.text):
        return answered(only_asked(q))
    other = _ALIKE.get(entry.tool.name) if q.slots.common or q.slots.factor or not BETTER.search(q.slots.text) else None
    if entry.tool.name not in q.tools and other not in q.tools:
        return nothing(owner_sentence(part, q))
    left = unused.unused_of(part.chosen, part.slots) if part.own is None else unused.narrowing_of(part.chosen, part.own)
    idle = WANTS["change"].match(q.slots.text) and entry.asked.want not in ("change", "compute", "compare")
    if idle and not re.match(r"i want|leave|alert", q.slots.text):  # something was to be done, and this only looks
        return nothing(not_understood(part, q.tools), asked_back=True)
    if (left.unknown >= 2 and left.unknown * 2 > left.content) or (left.unknown and not part.chosen.noun):
        return nothing(not_understood(part, q.tools), asked_back=True)
    if left.turns:
        return nothing(cannot_use(part, left, q.tools), asked_back=True)
    return _with_unused(plan_of(q), left.pieces)


def _in_role(call: PlannedCall, q: Question) -> PlannedCall:
    """A call of this role: where the P&L comes from is split by sleeve for a role that has no attribution."""
    return call if call.name in q.tools or call.name != "attribution" else PlannedCall("trips", {**call.args, "by": "sleeve"})


def _with_unused(plan: Plan, pieces: tuple[str, ...]) -> Plan:
    draft = yield from plan
    return draft._replace(unused=draft.unused + pieces)


def cannot_use(part: Part, left: unused.Unused, tools: frozenset[str]) -> str:
    """A question back: what the answer would leave out, and what comes closest."""
    assert part.chosen is not None  # noqa: S101 - asked before
    pieces = ", ".join(f'"{piece}"' for piece in left.turns)
    name = part.chosen.entry.tool.name.replace("_", " ")
    return (
        f"I did not answer, because I would have to leave out {pieces}, which changes what you ask: {name} cannot take it. "
        f"Ask it without, or one of these:\n\n{_examples(part, tools)}"
    )


def _examples(part: Part, tools: frozenset[str]) -> str:
    """The examples of the closest entries of this role, those that read most alike first."""
    from rapidfuzz import fuzz, process

    close = [c.entry for c in part.near if c.entry.tool.name in tools][:2]
    examples = [e for entry in (close or entries()) if entry.tool.name in tools for e in entry.asked.examples]
    found = process.extract(part.text.lower(), examples, scorer=fuzz.token_set_ratio, limit=3)
    return "\n".join(f"- {one[0]}" for one in found)


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


def not_understood(part: Part, tools: frozenset[str]) -> str:
    """Not understood: the three closest examples of what this role answers."""
    return (
        "I did not understand that: the offline model is a planner, not a language model. The closest I can do:\n\n"
        f"{_examples(part, tools)}"
    )


# --------------------------------------------------------------------------- what a question wants


def understand(
    question: str,
    words: Words,
    past: Sequence[PastTurn] = (),
    facts: Facts = MappingProxyType({}),
    tools: frozenset[str] | None = None,
) -> list[Part]:
    """The parts of a question; one part that is not understood when nothing is. `tools`: those of the role; None: all."""
    thread = Thread(words, past, facts, tools)
    texts = [text for sentence in _SENTENCE.split(question) for text in clauses_of(sentence, words) if text.strip(" ,;.?!")]
    texts = [text for text in texts if not _NOD.match(text)] or texts
    parts: list[Part] = []
    for text in texts or [question]:
        part = part_of(text, thread, parts)
        if part.empty and parts:
            continue  # a clause that adds nothing readable belongs to the one before it
        if parts and _swallowed(parts[-1], part):
            parts[-1] = _swallow(parts[-1], part)
        else:
            parts.append(part)
    if len(texts) > 1 and (one := _one_wish(question, texts, thread, parts)) is not None:
        return [one]
    return [p for p in parts if not p.empty] or parts[:1]


def _one_wish(question: str, texts: Sequence[str], thread: Thread, parts: Sequence[Part]) -> Part | None:
    """The question as one part, where it reads far better as a whole than any of its clauses, or a clause alone has a number that
    only the whole explains."""
    one = part_of(question, thread)
    if one.chosen is None or one.own is not None or any(part.way or part.call for part in parts):
        return None
    if any(slots.read_slots(text, thread.words).unclear for text in texts) and not one.slots.unclear:
        return one
    return one if one.chosen.score > 1.4 * max((part.chosen.score for part in parts if part.chosen), default=0.0) else None


def clauses_of(sentence: str, words: Words) -> list[str]:
    """A sentence's clauses; it stays whole where only the whole names what no role does."""
    clauses = _CLAUSE.split(sentence)
    if len(clauses) > 1 and way_of(tidy(sentence, words)) and not any(way_of(tidy(clause, words)) for clause in clauses):
        return [sentence]
    return clauses


def part_of(text: str, thread: Thread, earlier: Sequence[Part] = ()) -> Part:
    """What one sentence or clause wants: a way, something of what stands above, the question before changed, or an entry."""
    words, past = thread.words, thread.past
    read = slots.read_slots(text, words)
    way = way_of(bare(text)) or way_of(read.text)  # as typed first: no correction bends what has a way
    if way is not None:
        return Part(text, read, way)
    if past and not earlier:
        if focus.asks_why(read) and (why := focus.why_call(past)):
            return Part(text, read, call=why)
        if focus.judges_comparison(read, past):
            return Part(text, read, chosen=entry_of("compare"), own=slots.Slots(), aside=True)
        if (word := thread.defined()) and _MINE.search(read.text):
            return part_of(f"what is our {word}", thread._replace(past=()))
        if thread.defined() and focus.leads(read) and unused.words_left(read):  # `and a layer`
            return Part(text, read, chosen=entry_of("define"))
        if (
            call := focus.times_above(read, past)
            or focus.thing_call(read, past)
            or focus.read_from_table(read, past, thread.facts)
        ):
            return Part(text, read, call=call)
    if focus.picks_row(read):
        return Part(text, read, call=focus.row_of(read.place or 0, past, thread.facts))
    older = earlier[-1] if earlier else thread.older
    if past and not earlier and older is None and focus.goes_on(read) and (way := way_of(bare(past[-1].asked))):
        return Part(text, read, way)  # `ping me below 80k`, `and sol below 120`
    ranked = rank(read, focus.about_of(past))
    if older is not None and older.chosen is not None and focus.goes_on(read, older.slots):
        return _continued(text, read, older, words)
    if (
        (not ranked or ranked[0].score < LEAST) and read.sleeves and not unused.words_left(read)
    ):  # `sol`, `how is btc-trend doing`
        ranked = [entry_of("sleeves")]
    least = LEAST - 0.5 if past and focus.leads(read) else LEAST
    if not ranked or ranked[0].score < least:
        return Part(text, read, near=tuple(ranked[:2]))
    chosen = _of_role(_by_use(ranked, read), thread.tools)
    if older is not None and older.chosen is not None and focus.looks_back(read):  # `vs gross`, after fees
        same = next(
            (c for c in ranked if c.entry.tool is older.chosen.entry.tool and c.noun and c.score > chosen.score - 0.9), None
        )
        chosen = same or chosen
    if chosen.entry.tool.name == "backtest" and len(read.variants) > 1:  # several values of one parameter are a comparison
        chosen = next((other for other in ranked if other.entry.tool.name == "compare"), chosen)
    named_run = read.sleeves or read.strategies
    if chosen.entry.tool.name in ("run", "performance") and named_run and read.span.start and "backtest" in (thread.tools or ()):
        chosen = entry_of("backtest")  # `the Sharpe of btc-trend in 2024`: a run that is still to be made
    if chosen.entry.tool.name == "run" and (read.by or read.side or read.which in ("worst", "best", "both")):
        chosen = entry_of("trips")  # a part of a run, not its figures
    near = (chosen, *(other for other in ranked[:3] if other is not chosen))
    if older is not None and older.chosen is not None and (earlier or focus.looks_back(read)):
        read = _carried(read, older.slots, chosen)
    return Part(text, read, chosen=chosen, near=near)


def entry_of(name: str) -> Chosen:
    """A tool's first entry, chosen for what the sentence names alone."""
    return next(Chosen(entry, LEAST, frozenset()) for entry in entries() if entry.tool.name == name)


def _by_use(ranked: Sequence[Chosen], read: slots.Slots) -> list[tuple[float, Chosen]]:
    """The best entries again, each with less for what it would have to leave out."""
    cost = {id(c): 1.4 * len(unused.unused_of(c, read).turns) for c in ranked[:6]}
    return sorted(((c.score - cost[id(c)], c) for c in ranked[:6]), key=lambda pair: -pair[0])


def _of_role(ranked: Sequence[tuple[float, Chosen]], tools: frozenset[str] | None) -> Chosen:
    """The best entry; one of this role where it fits nearly as well."""
    most, best = ranked[0]
    if tools is None or best.entry.tool.name in tools or _ALIKE.get(best.entry.tool.name) in tools:
        return best
    return next((c for score, c in ranked if c.entry.tool.name in tools and c.evidence and score >= 0.62 * most), best)


def _continued(text: str, read: slots.Slots, older: Part, words: Words) -> Part:
    """The question before with what the short sentence names put in its place; asked back about again where it was."""
    assert older.chosen is not None  # noqa: S101 - asked before
    left = unused.unused_of(older.chosen, older.slots) if older.own is None else unused.narrowing_of(older.chosen, older.own)
    if left.turns:
        return older
    chosen = older.chosen
    if read.by and not chosen.entry.splits(read.by):
        chosen = entry_of("trips")
    return older._replace(text=text, slots=focus.shifted(read, older.slots, words), chosen=chosen, own=read)


def _carried(read: slots.Slots, older: slots.Slots, chosen: Chosen) -> slots.Slots:
    """A sentence of its own that looks back, with the window, the sleeve and the side of the one before where it names none."""
    entry, more = chosen.entry, {}
    if not read.span.start and not read.span.at and (entry.takes("since") or entry.takes("start")):
        more["span"] = older.span
    if not read.sleeves and not read.symbols and entry.takes("sleeve"):
        more["sleeves"] = older.sleeves
    if not read.side and entry.takes("side"):
        more["side"] = older.side
    return replace(read, **more)  # type: ignore[arg-type]  # each by its name


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
    return Part(f"{first.text} and {second.text}", merged, chosen=chosen, own=slots.Slots())
