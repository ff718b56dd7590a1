"""What a question wants, part by part: a way, something of what stands above, the question before changed, or an entry.

Called by model.py. A question is split into sentences and clauses; each is read into slots, and the first that fits answers it.
What an answer would leave out of it is `lost`: it is asked back about.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from agents.offline import account, focus, follow, slots
from agents.offline.choose import Chosen, entry_of, fits, fitting
from agents.offline.entries import declared
from agents.offline.parts import Part, by_sleeve, swallow, swallowed
from agents.offline.read_back import PlannedCall
from agents.offline.splitting import by_period, clauses_of, with_bare, without_preface
from agents.offline.steps import PastTurn, asks_back, window
from agents.offline.tables import Facts
from agents.offline.ways import bare, way_of
from agents.offline.words import PATTERNS, Words, stem

_SENTENCE, _NOD, _MINE = (PATTERNS[f"understand.{name}"] for name in ("sentence", "nod", "mine"))
_WITHOUT_VALUE = re.compile(r"\b(?:tighter|wider|looser|smaller|bigger|larger|higher|lower|faster|slower|more|less|closer)\b")
_GO_AHEAD, _HOW_IT_DOES = PATTERNS["understand.go_ahead"], PATTERNS["understand.how_it_does"]
_NOTED = PATTERNS["plans.noted"]
_IT = re.compile(r"\b(?:it|they)\b")
_STATES = re.compile(r"^(?:i|my|we|our|it|he|she|they|cannot|can not|still) (?!want|would like|need)")
SEARCHES = ("sweep", "walkforward")
PAST_MAX = 8  # turns before that a question is read against

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
            waits = n == len(self.past) - 1 and part.frame is None
            if part.chosen is not None and not part.aside and (waits or not part.lost):
                return part
        return None

    def asked_back(self) -> "Part | None":
        """The last question, where it waits for a word on what would be left out of it."""
        if not self.past or self.past[-1].results or not self.past[-1].asked:
            return None
        part = understand(self.past[-1].asked, self.words, self.past[:-1], self.facts, self.tools, self.read or {})[-1]
        return part if part.lost else None

    def defined(self) -> str:
        """The word that the last answer explained; empty when it explained none."""
        last = next((turn.results[-1] for turn in reversed(self.past) if turn.results), None)
        return str(last.args.get("word", "")) if last is not None and last.name == "define" else ""


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
        part = _without_preface(text, thread, [p for p in parts if not p.empty])
        idle = len(texts) > 1 and part.lost and not any(stem(word) in declared() for word in account.words_left(part.slots))
        aside = len(texts) > 1 and part.lost and _STATES.match(part.slots.text)  # `i cannot sleep. is anything wrong?`
        if part.empty or idle or aside:
            left.append(text.strip(" ,;.?!"))
            part = part._replace(chosen=None, lost=())
        if parts and swallowed(parts[-1], part):
            parts[-1] = swallow(parts[-1], part)
        else:
            parts.append(part)
    if len(texts) > 1 and (one := _one_wish(question, texts, thread, parts)) is not None:
        return [one]
    answered = [p for p in parts if not p.empty]
    if not answered:
        return [part_of(question, thread)] if len(parts) > 1 else parts
    return by_sleeve([*answered[:-1], answered[-1]._replace(left=(*answered[-1].left, *left))])


def _without_preface(text: str, thread: ThreadSoFar, earlier: Sequence[Part]) -> Part:
    """The part; where a word of it is left over, without a clause that says nothing of the desk (`cannot sleep, ...`)."""
    part = part_of(text, thread, earlier)
    if part.complete:
        return part
    for said, rest in without_preface(text, thread.words):
        shorter = part_of(rest, thread, earlier)
        if shorter.complete:
            return shorter._replace(left=(said,))
    return part


def _one_wish(question: str, texts: Sequence[str], thread: ThreadSoFar, parts: Sequence[Part]) -> Part | None:
    """The question as one part, where every word of it is used as a whole and not in its clauses."""
    one = part_of(question, thread)
    if one.chosen is None or one.own is not None or account.free(one.chosen.entry.tool.name):
        return None
    if any(part.way or part.call or part.term for part in parts):
        return None
    if any(slots.read_slots(text, thread.words).unclear for text in texts) and not one.slots.unclear:
        return one
    if one.chosen.entry.proposes and not any(part.chosen and part.chosen.entry.proposes for part in parts):
        return one
    return one if one.complete and not all(part.complete for part in parts) else None


def part_of(text: str, thread: ThreadSoFar, earlier: Sequence[Part] = ()) -> Part:
    """What one sentence or clause wants: a way, something of what stands above, the question before changed, or an entry."""
    words, past = thread.words, thread.past
    read = slots.read_slots(text, words)
    noting = _NOTED.match(text)  # what is to be noted may be about anything
    about = focus.about_of(past) or ("desk" if past else "")
    way = None if noting else way_of(bare(text), about) or way_of(read.text, about)  # as typed first: no correction bends it
    if way is not None:
        return Part(text, read, way)
    if past and not earlier and (part := _of_above(text, read, thread)):
        return part
    if focus.picks_row(read):
        return Part(text, read, call=focus.row_of(read.place or 0, past, thread.facts))
    older = earlier[-1] if earlier else thread.older if past else None
    if past and not earlier and older is None and follow.goes_on(read) and (way := way_of(bare(past[-1].asked))):
        return Part(text, read, way)  # `ping me below 80k`, `and sol below 120`
    ranked = fits(read, about or None, thread.tools)
    frame = older if older is not None and older.chosen is not None else None
    fragment = bool(read.sleeves) and not account.words_left(read)
    if fragment and not read.strategies and _HOW_IT_DOES.match(read.text):  # `how is eth doing today`
        return _of_entry(text, read, [entry_of("pnl")], thread, frame, earlier)
    if frame is not None:
        read = follow.with_unit(text, read, frame.slots, words)
        read = follow.with_percent(read, frame.slots.percent)
        if (part := _going_on(text, read, thread, frame, ranked)) is not None:
            return part
    looked_up = not past or past[-1].results or frame is not None or earlier
    if not looked_up and past[-1].asked and (follow.points_back(read) or fragment):
        return Part(text, read, call=asks_back(UNBOUND))
    if fragment and not (ranked and ranked[0].sure):  # `sol`, `eth today`
        ranked = (entry_of("journal_search" if read.span.start or read.span.at else "sleeves"),)
    if ranked and not ranked[0].sure:  # what is about something leaves more out: asked back about
        ranked = tuple(sorted(ranked, key=lambda chosen: not chosen.sure))
    if not ranked or not ranked[0].sure:
        return Part(text, read) if frame is None or earlier or len(account.words_left(read)) > 4 else _unread(text, read, frame)
    return _of_entry(text, read, ranked, thread, frame, earlier)


def _of_entry(
    text: str, read: slots.Slots, ranked: Sequence[Chosen], thread: ThreadSoFar, frame: Part | None, earlier: Sequence[Part]
) -> Part:
    """The sentence read by an entry of its own; in a thread with what it looks back at."""
    chosen = fitting(ranked[0], read, ranked, thread.tools or frozenset())
    if frame is not None and (earlier or follow.looks_back(read)):
        chosen = _of_frame(frame, chosen, ranked)
    of_one = chosen.entry.tool.name == "run" and not read.ids and not read.handles and not earlier and follow.looks_back(read)
    if of_one and frame is not None and frame.chosen and frame.chosen.entry.tool.name == "compare":
        return frame._replace(text=text, own=slots.Slots(), aside=True)  # the figures of all that was compared, not of one
    strange = account.strange_words(read)
    if not account.free(chosen.entry.tool.name) and len(strange) > max(1, len(chosen.account.used)):
        return Part(text, read, frame=frame)
    lost = chosen.left if any(chosen is c for c in ranked) else account.narrowing_of(chosen.entry, read)
    part = Part(text, read, chosen=chosen, frame=frame, lost=lost)
    if frame is not None and follow.points_back(read) and (span := focus.row_span(frame.slots, thread.past, thread.facts)):
        part = part._replace(slots=replace(read, span=span), frame=None)  # `which sleeve was that from`, after the best day
        return part if any(map(chosen.entry.takes, follow.CARRIED["span"][:3])) else part._replace(frame=frame, lost=("that",))
    return part if frame is None else _on_frame(part, frame, within=bool(earlier))


def _of_frame(frame: Part, chosen: Chosen, ranked: Sequence[Chosen]) -> Chosen:
    """The frame's tool where it leaves out no more: `vs gross`, after fees."""
    assert frame.chosen is not None  # noqa: S101 - asked before
    same = (c for c in ranked if c.entry.tool is frame.chosen.entry.tool and (c.sure or c.account.longest))
    return next((c for c in same if len(c.left) <= len(chosen.left)), chosen)


def _unread(text: str, read: slots.Slots, frame: Part) -> Part:
    """A sentence that names nothing of its own, on what stands above: asked back, with what it was read as going on with."""
    return Part(text, read, chosen=frame.chosen, frame=frame, lost=tuple(account.words_left(read)) or (text,))


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
        return part._replace(lost=(*part.lost, *lost)) if unbound else part._replace(slots=carried)
    if not follow.bound(part.slots) and follow.family(tools[0]) != follow.family(tools[1]):
        return part._replace(slots=carried)  # `alerts?`, after P&L by month: what it cannot take is of no weight
    if not lost and (pronoun := follow.unbound(part.slots, carried, part.chosen.entry, same=tools[0] == tools[1])):
        lost = (pronoun,)
    if lost or part.lost:
        return part._replace(lost=(*lost, *part.lost))
    carries = tools[0] == tools[1] and not follow.of_it(part.slots)
    return part._replace(slots=carried, kept=follow.kept(carried, part.slots), carries=carries)


def _of_above(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part | None:
    """A question about what was just shown: the last event, comparison, word, thing or table."""
    past = thread.past
    if _GO_AHEAD.match(read.text) and (waits := thread.asked_back()) is not None and waits.chosen:
        return waits._replace(text=waits.text, lost=(), frame=None, left=waits.lost)
    if focus.asks_why(read) and not past[-1].results and past[-1].asked:
        return Part(
            text,
            read,
            call=asks_back("Why what? Nothing was looked up for the last answer: name the day, the trade or the event."),
        )
    if focus.asks_why(read) and (why := focus.why_call(past)):
        span = thread.older and (focus.row_span(thread.older.slots, past, thread.facts) or thread.older.slots.span)
        args = window(span) if span else {}  # of the worst day, not of all days
        return Part(text, read, call=why._replace(args={**why.args, **args}) if isinstance(why, PlannedCall) and args else why)
    if focus.judges_comparison(read, past):
        return Part(text, read, chosen=entry_of("compare"), own=slots.Slots(), aside=True)
    if (word := thread.defined()) and _MINE.search(read.text):
        return part_of(f"what is our {word}", thread._replace(past=()))
    if again := focus.same_again(read, past):
        return Part(text, read, call=again)
    if thread.defined() and follow.leads(read) and account.words_left(read):  # `and a layer`
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
    waits = tool in (*SEARCHES, "judge") and bool(thread.past) and not thread.past[-1].results
    without_value = not read.common and not read.variants and _WITHOUT_VALUE.search(read.text)
    if tool in ("backtest", "compare") and follow.leads(read) and without_value:
        return Part(text, read, call=asks_back("With which value? Write it as key=value, such as `and with stop_atr=1.5`."))
    alone = bool(ranked) and ranked[0].sure and not ranked[0].left and not follow.bound(read)
    alone = alone and (bool(account.words_left(read)) or not read.places.keys() <= follow.NAMES | {"by"})
    alone = alone or (bool(older.lost) and bool(ranked) and ranked[0].sure and not ranked[0].left and not follow.bound(read))
    lost = account.narrowing_of(older.chosen.entry, read)
    level = tool == "propose_watch" and bool(read.filters or read.unclear)  # `and if it goes over 120k`
    if not (level or follow.goes_on(read, older.slots, asked_back=waits)) or (alone and (lost or older.lost)):
        return None
    if re.search(r"\bboth\b", read.text) and not read.symbols:
        read = replace(read, symbols=_symbols_so_far(thread, older))
    return _continued(text, read, older, thread.words, lost)


def _continued(text: str, read: slots.Slots, older: Part, words: Words, lost: tuple[str, ...]) -> Part:
    """The question before with what the short sentence names put in its place; what its tool cannot take is lost."""
    assert older.chosen is not None  # noqa: S101 - asked before
    chosen = older.chosen
    other = entry_of("counts" if chosen.entry.tool.name == "journal_search" else "trips")
    split = read.by and not chosen.entry.splits(read.by) and other.entry.splits(read.by)
    whole = bool(lost) and chosen.entry.tool.name == "run" and not account.narrowing_of(other.entry, read)
    if whole or (split and follow.family(chosen.entry.tool.name) in ("figures", "runs", "journal_search")):
        chosen, lost = other, account.narrowing_of(other.entry, read)  # a part of it, not its figures
    merged = follow.shifted(read, older.slots, words)
    lost = (*older.lost, *lost)  # what was asked back about stays so until it is dropped by a word
    return older._replace(
        text=text,
        slots=merged,
        chosen=chosen,
        own=read,
        lost=lost,
        frame=older if lost else None,
        kept=follow.kept(merged, read, older.slots),
    )


def _symbols_so_far(thread: ThreadSoFar, older: Part) -> tuple[str, ...]:
    """The symbols that the same tool was asked about in this thread: `both`."""
    read = [part for part in (thread.read or {}).values() if part and part.chosen and older.chosen]
    same = [part for part in read if part.chosen and older.chosen and part.chosen.entry.tool is older.chosen.entry.tool]
    return tuple(dict.fromkeys(symbol for part in same for symbol in part.slots.symbols))
