"""What a question wants, part by part: a way, something of what stands above, the question before changed, or an entry.

Called by model.py. A question is split into sentences and clauses; each is read into slots, and the first that fits answers it.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from agents.offline import focus, follow, slots, unused
from agents.offline.choose import LEAST, Chosen, rank
from agents.offline.entries import entries
from agents.offline.fill import DESKWARD
from agents.offline.splitting import by_period, clauses_of, with_bare
from agents.offline.steps import PastTurn, PlannedAnswer, PlannedCall, asks_back
from agents.offline.tables import Facts
from agents.offline.ways import Way, bare, way_of
from agents.offline.words import PATTERNS, WANTS, Words
from tools.common.contract import Effect

_SENTENCE, _NOD, _MINE = (PATTERNS[f"understand.{name}"] for name in ("sentence", "nod", "mine"))
_WITHOUT_VALUE = re.compile(r"\b(?:tighter|wider|looser|smaller|bigger|larger|higher|lower|faster|slower|more|less|closer)\b")
_WAS_OPEN = re.compile(r"\b(?:positions?|trades?) (?:were|was) (?:still )?open\b")
_NOTED = PATTERNS["plans.noted"]
_TERM, _IT = PATTERNS["understand.term"], re.compile(r"\b(?:it|they)\b")
SEARCHES = ("sweep", "walkforward")
PAST_MAX = 8  # turns before that a question is read against
ALIKE = {"propose_config": "propose_tightening", "propose_tightening": "propose_config"}  # one wish, a tool for each role


UNBOUND = (
    "I cannot tell what this goes on with: nothing was looked up for the question before. "
    "Name what it is about, such as a run by its id, a sleeve, an alert, and the window."
)


class ThreadSoFar(NamedTuple):
    """What a sentence is read against: the desk's words, the turns before, their facts, the role's tools (None: all)."""

    words: Words
    past: Sequence[PastTurn] = ()
    facts: Facts = MappingProxyType({})
    tools: frozenset[str] | None = None
    read: "dict[int, Part | None] | None" = None  # by number of turns: what was read of them, shared while one question is read

    @property
    def older(self) -> "Part | None":
        """The newest question before that an entry answered: what a short sentence goes on with. Each turn is read once: reading
        one asks for those before it, which would double with every turn of a thread."""
        read = {} if self.read is None else self.read
        if len(self.past) not in read:
            read[len(self.past)] = self._older(read)
        return read[len(self.past)]

    def _older(self, read: "dict[int, Part | None]") -> "Part | None":
        for n in range(len(self.past) - 1, max(-1, len(self.past) - 5), -1):
            if not self.past[n].asked:
                continue
            part = understand(self.past[n].asked, self.words, self.past[:n], self.facts, self.tools, read)[-1]
            if part.way is not None and part.way.then:
                return Part("", slots.Slots(), chosen=entry_of(part.way.then))
            if part.chosen is not None and not part.aside and not part.lost:
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
    left: tuple[str, ...] = ()  # clauses beside it that nothing answers
    frame: "Part | None" = None  # the question before, where it could not be gone on with
    lost: tuple[str, ...] = ()  # what would be left out of that, or of the sentence: asked back about
    carries: bool = False  # it goes on with a call of its own tool, with what that was narrowed to

    @property
    def term(self) -> str:
        """The word whose meaning it asks for; empty for anything else."""
        found = _TERM.search(self.slots.text) if self.chosen and self.chosen.entry.tool.name == "define" else None
        return found[1] if found else ""

    @property
    def empty(self) -> bool:
        """Whether nothing in it was understood."""
        return self.chosen is None and self.way is None and self.call is None


def understand(
    question: str,
    words: Words,
    past: Sequence[PastTurn] = (),
    facts: Facts = MappingProxyType({}),
    tools: frozenset[str] | None = None,
    read: dict[int, Part | None] | None = None,
) -> list[Part]:
    """The parts of a question; one part that is not understood when nothing is. `tools`: those of the role; None: all."""
    if read is None:
        past, read = past[-PAST_MAX:], {}
    thread = ThreadSoFar(words, past, facts, tools, read)
    texts = [text for sentence in _SENTENCE.split(question) for text in clauses_of(sentence, words) if text.strip(" ,;.?!")]
    texts = with_bare([text for text in texts if not _NOD.match(text)] or texts, words)
    parts: list[Part] = []
    left: list[str] = []
    for said in by_period(texts or [question], words):
        term = parts[-1].term if parts else ""  # `what is a breaker and when did it last trip`
        text = _IT.sub(term, said, count=1) if term else said
        part = part_of(text, thread, [p for p in parts if not p.empty])
        if part.empty:
            left.append(text.strip(" ,;.?!"))
        if parts and _swallowed(parts[-1], part):
            parts[-1] = _swallow(parts[-1], part)
        else:
            parts.append(part)
    if len(texts) > 1 and (one := _one_wish(question, texts, thread, parts)) is not None:
        return [one]
    answered = [p for p in parts if not p.empty]
    if not answered:
        return [part_of(question, thread)] if len(parts) > 1 else parts
    return _by_sleeve([*answered[:-1], answered[-1]._replace(left=tuple(left))])


def _by_sleeve(parts: Sequence[Part]) -> list[Part]:
    """A question about two or three sleeves by name is asked of each, where the tool reads one at a time."""
    split: list[Part] = []
    for part in parts:
        entry, named = part.chosen.entry if part.chosen else None, part.slots.sleeves
        each = entry is not None and entry.takes("sleeve") and not entry.takes("symbol") and entry.tool.effect is Effect.READ
        if each and 1 < len(named) <= 3 and len(set(part.slots.symbols)) + len(part.slots.places.get("sleeves", ())) > 1:
            split += [part._replace(slots=replace(part.slots, sleeves=(name,), symbols=())) for name in named]
        else:
            split.append(part)
    return split


def _one_wish(question: str, texts: Sequence[str], thread: ThreadSoFar, parts: Sequence[Part]) -> Part | None:
    """The question as one part, where it reads far better as a whole than any of its clauses, or a clause alone has a number that
    only the whole explains."""
    one = part_of(question, thread)
    if one.chosen is None or one.own is not None or any(part.way or part.call or part.term for part in parts):
        return None
    if any(slots.read_slots(text, thread.words).unclear for text in texts) and not one.slots.unclear:
        return one
    if one.chosen.entry.proposes and not any(part.chosen and part.chosen.entry.proposes for part in parts):
        return one
    return one if one.chosen.score > 1.4 * max((part.chosen.score for part in parts if part.chosen), default=0.0) else None


def part_of(text: str, thread: ThreadSoFar, earlier: Sequence[Part] = ()) -> Part:
    """What one sentence or clause wants: a way, something of what stands above, the question before changed, or an entry."""
    words, past = thread.words, thread.past
    read = slots.read_slots(text, words)
    noting = _NOTED.match(text)  # what is to be noted may be about anything
    about = focus.about_of(past) or ("desk" if past else "")
    way = (
        None if noting else way_of(bare(text), about) or way_of(read.text, about)
    )  # as typed first: no correction bends what has a way
    if way is not None:
        return Part(text, read, way)
    if past and not earlier and (part := _of_above(text, read, thread)):
        return part
    if focus.picks_row(read):
        return Part(text, read, call=focus.row_of(read.place or 0, past, thread.facts))
    older = earlier[-1] if earlier else thread.older if past else None
    if past and not earlier and older is None and follow.goes_on(read) and (way := way_of(bare(past[-1].asked))):
        return Part(text, read, way)  # `ping me below 80k`, `and sol below 120`
    ranked = rank(read, about or None)
    frame = older if older is not None and older.chosen is not None else None
    if frame is not None:
        read = follow.with_percent(read, frame.slots.percent)
        if (part := _going_on(text, read, thread, frame, ranked)) is not None:
            return part
    fragment = read.sleeves and not unused.words_left(read)
    if (not ranked or ranked[0].score < LEAST) and read.sleeves and not unused.words_left(read):  # `sol`, `eth today`
        ranked = (entry_of("journal_search" if read.span.start or read.span.at else "sleeves"),)
    if (
        past
        and past[-1].asked
        and frame is None
        and not earlier
        and not past[-1].results
        and (follow.points_back(read) or fragment)
    ):
        return Part(text, read, call=asks_back(UNBOUND))
    if (not ranked or ranked[0].score < LEAST) and (only := _only_reading(ranked, read)):
        ranked = (only,)
    if not ranked or ranked[0].score < LEAST:
        near = ranked[:2]
        return Part(text, read, near=near) if frame is None or earlier else _unread(text, read, frame, near)
    chosen = _fitting(_of_role(_by_use(ranked, read), thread.tools), read, ranked, thread.tools or frozenset())
    if frame is not None and (earlier or follow.looks_back(read)):
        chosen = _of_frame(frame, chosen, ranked, within=bool(earlier))
    of_one = chosen.entry.tool.name == "run" and not read.ids and not read.handles and not earlier and follow.looks_back(read)
    if of_one and frame is not None and frame.chosen and frame.chosen.entry.tool.name == "compare":
        return frame._replace(text=text, own=slots.Slots(), aside=True)  # the figures of all that was compared, not of one
    near = (chosen, *(other for other in ranked[:3] if other is not chosen))
    left = unused.unused_of(chosen, read)
    if left.unknown and not (chosen.noun and chosen.telling) and not left.turns:  # what many things do, of something unknown
        return Part(text, read, near=near) if frame is None or earlier else _unread(text, read, frame, near)
    part = Part(text, read, chosen=chosen, near=near, frame=frame)
    if frame is not None and follow.points_back(read) and (span := focus.row_span(frame.slots, past, thread.facts)):
        part = part._replace(slots=replace(read, span=span), frame=None)  # `which sleeve was that from`, after the best day
        return part if any(map(chosen.entry.takes, follow.CARRIED["span"][:3])) else part._replace(frame=frame, lost=("that",))
    return part if frame is None else _on_frame(part, frame, within=bool(earlier))


def _only_reading(ranked: Sequence[Chosen], read: slots.Slots) -> Chosen | None:
    """The one entry that knows every word of a sentence whose words are too common to say what it is about."""
    if not read.places.keys() - {"everything", "which", "side"}:
        return None
    whole = [c for c in ranked if not unused.free(c.entry.tool.name) and not any(unused.unused_of(c, read)[:2])]
    return replace(whole[0], score=LEAST, noun=True, evidence=True) if len(whole) == 1 and not whole[0].entry.proposes else None


def _of_frame(frame: Part, chosen: Chosen, ranked: Sequence[Chosen], *, within: bool) -> Chosen:
    """The frame's tool where it fits nearly as well: `vs gross`, after fees."""
    assert frame.chosen is not None  # noqa: S101 - asked before
    close = chosen.score - (2.5 if within else 0.9)
    same = (c for c in ranked if c.entry.tool is frame.chosen.entry.tool and (c.noun or within))
    return next((c for c in same if c.score > close), chosen)


def _unread(text: str, read: slots.Slots, frame: Part, near: tuple[Chosen, ...]) -> Part:
    """A sentence that names nothing of its own, on what stands above: asked back, with what it was read as going on with."""
    return Part(text, read, chosen=frame.chosen, near=near, frame=frame, lost=tuple(unused.words_left(read)) or (text,))


def _on_frame(part: Part, frame: Part, *, within: bool) -> Part:
    """A sentence with a subject of its own that looks back: with the window, the sleeve and the side of the question before.
    What cannot be carried over, and what of it is not used, is asked back about: the tool's default is another question."""
    assert part.chosen is not None  # noqa: S101 - asked before
    assert frame.chosen is not None  # noqa: S101 - asked before
    tools = (part.chosen.entry.tool.name, frame.chosen.entry.tool.name)
    if not within and not follow.looks_back(part.slots):
        return part
    carried, lost = follow.carried(part.slots, frame.slots, frame.chosen.entry, part.chosen)
    if within:
        unbound = lost and follow.points_back(part.slots)
        return part._replace(lost=lost) if unbound else part._replace(slots=carried)
    if not follow.bound(part.slots) and follow.family(tools[0]) != follow.family(tools[1]):
        return part._replace(slots=carried)  # `alerts?`, after P&L by month: what it cannot take is of no weight
    left = unused.unused_of(part.chosen, part.slots)
    if lost or left.turns or (left.pieces and follow.bound(part.slots)):
        return part._replace(lost=(*lost, *left.turns, *left.pieces))
    return part._replace(slots=carried, carries=tools[0] == tools[1] and not follow.of_it(part.slots))


def _of_above(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part | None:
    """A question about what was just shown: the last event, comparison, word, thing or table."""
    past = thread.past
    if focus.asks_why(read) and not past[-1].results and past[-1].asked:
        return Part(
            text,
            read,
            call=asks_back("Why what? Nothing was looked up for the last answer: name the day, the trade or the event."),
        )
    if focus.asks_why(read) and (why := focus.why_call(past)):
        return Part(text, read, call=why)
    if focus.judges_comparison(read, past):
        return Part(text, read, chosen=entry_of("compare"), own=slots.Slots(), aside=True)
    if (word := thread.defined()) and _MINE.search(read.text):
        return part_of(f"what is our {word}", thread._replace(past=()))
    if again := focus.same_again(read, past):
        return Part(text, read, call=again)
    if thread.defined() and follow.leads(read) and unused.words_left(read):  # `and a layer`
        return Part(text, read, chosen=entry_of("define"))
    call = focus.thing_call(read, past) or focus.read_from_table(read, past, thread.facts)
    return Part(text, read, call=call) if call else None


def _going_on(text: str, read: slots.Slots, thread: ThreadSoFar, older: Part, ranked: Sequence[Chosen]) -> Part | None:
    """The question before with what a short sentence changes; asked back where it says what without saying to which value."""
    assert older.chosen is not None  # noqa: S101 - asked before
    tool = older.chosen.entry.tool.name
    if others := follow.the_other(read, older.slots, thread.words):
        if len(others) > 1:
            return Part(text, read, call=asks_back(f"Which other one: {' or '.join(others)}?"))
        return older._replace(text=text, slots=replace(older.slots, sleeves=tuple(others), symbols=(), strategies=()), own=read)
    if tool == "alerts" and follow.moves_back(read):
        return Part(text, read, call=asks_back("Since when, and until when? Alerts are in wall time: `alerts since 24h`."))
    if tool in SEARCHES and not read.axes:  # `and stop 1 to 5`
        read = slots.read_slots(text, thread.words, searching=True)
    waits = tool in (*SEARCHES, "judge") and not thread.past[-1].results
    without_value = not read.common and not read.variants and _WITHOUT_VALUE.search(read.text)
    if tool in ("backtest", "compare") and follow.leads(read) and without_value:
        return Part(text, read, call=asks_back("With which value? Write it as key=value, such as `and with stop_atr=1.5`."))
    open_still = older.own is None and bool(unused.unused_of(older.chosen, older.slots).turns)
    alone = bool(ranked) and ranked[0].evidence and ranked[0].score >= LEAST and not follow.bound(read)
    alone = alone and (open_still or bool(unused.words_left(read)) or not read.places.keys() <= follow.NAMES)
    if not follow.goes_on(read, older.slots, asked_back=waits) or (
        alone and (open_still or unused.narrowing_of(older.chosen, read).turns)
    ):
        return None
    if re.search(r"\bboth\b", read.text) and not read.symbols:
        read = replace(read, symbols=_symbols_so_far(thread, older))
    return _continued(text, read, older, thread.words)


def _fitting(chosen: Chosen, read: slots.Slots, ranked: Sequence[Chosen], tools: frozenset[str]) -> Chosen:
    """The entry that does what the sentence names where the best one cannot: a comparison of values, a run, a split."""
    name, by_tool = chosen.entry.tool.name, {c.entry.tool.name: c for c in reversed(ranked)}
    if name == "journal_search" and _WAS_OPEN.search(read.text):
        return by_tool.get("sleeves", chosen)  # what was open then is no event: asked back
    if read.axes and name in ("backtest", "compare", "propose_config", "propose_tightening"):
        return entry_of("sweep")
    several = name == "backtest" or (name == "propose_config" and not WANTS["change"].search(read.text))
    if several and len(read.variants) > 1:
        return by_tool.get("compare", chosen)
    spelled = bool(read.strategies and read.symbols) and not read.places.get("sleeves")
    if name == "compare" and spelled and read.common and len(read.variants) < 2 and not WANTS["compare"].search(read.text):
        return entry_of("backtest")  # one setting on a strategy and a symbol is a run
    named = read.sleeves or read.strategies if name in ("run", "performance") else spelled and not DESKWARD.search(read.text)
    if name in ("run", "performance", "trips", "pnl") and named and read.span.start and "backtest" in tools:
        return entry_of("backtest")  # `the Sharpe of btc-trend in 2024`: a run that is still to be made
    if read.by and not chosen.entry.splits(read.by) and name in ("attribution", "pnl", "performance", "desk"):
        return by_tool.get("trips", chosen)
    if name == "run" and (read.by or read.side or read.which in ("worst", "best", "both")):
        return entry_of("trips")  # a part of a run, not its figures
    return chosen


def entry_of(name: str) -> Chosen:
    """A tool's first entry, chosen for what the sentence names alone."""
    return next(Chosen(entry, LEAST, frozenset()) for entry in entries() if entry.tool.name == name)


def _by_use(ranked: Sequence[Chosen], read: slots.Slots) -> list[tuple[float, Chosen]]:
    """The best entries again, each with less for what it would have to leave out; beside one with a noun no verb alone."""
    best = [c for c in ranked[:6] if c.noun or not ranked[0].noun]
    cost = {id(c): 1.4 * len(unused.unused_of(c, read).turns) for c in best}
    return sorted(((c.score - cost[id(c)], c) for c in best), key=lambda pair: -pair[0])


def _of_role(ranked: Sequence[tuple[float, Chosen]], tools: frozenset[str] | None) -> Chosen:
    """The best entry; one of this role where it fits nearly as well."""
    most, best = ranked[0]
    if tools is None or best.entry.tool.name in tools or ALIKE.get(best.entry.tool.name) in tools:
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
    return older._replace(text=text, slots=follow.shifted(read, older.slots, words), chosen=chosen, own=read)


def _symbols_so_far(thread: ThreadSoFar, older: Part) -> tuple[str, ...]:
    """The symbols that the same tool was asked about in this thread: `both`."""
    read = [part for part in (thread.read or {}).values() if part and part.chosen and older.chosen]
    same = [part for part in read if part.chosen and older.chosen and part.chosen.entry.tool is older.chosen.entry.tool]
    return tuple(dict.fromkeys(symbol for part in same for symbol in part.slots.symbols))


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
    if first.slots.span != second.slots.span and first.slots.span.start and second.slots.span.start:
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
