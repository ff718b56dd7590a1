"""What a question wants: a way, something of what stands above, the question before changed, or an entry. Called by model.py.

A question is read as one; two clauses that ask for different things, each surely, are two. What an answer would leave out of it
is `lost`, and what is not sure is `maybe`: both are asked back about.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import NamedTuple

from agents.offline import above, above_kinds, account, follow, measured, rules, slots, subject, table_answers, table_sums, wider
from agents.offline.choose import SHOWN, by_itself, chosen_of, entry_of, likely, refined, sure, with_label
from agents.offline.drafts import asks_back
from agents.offline.frames import on_frame
from agents.offline.labels import FOLLOWS, MORE, PICK, REPEAT, WHICH, AskLabel
from agents.offline.learned import Guess
from agents.offline.parts import ALIKE, CLAUSE_SURE, Part, bare_reading, beside, by_sleeve, picked_of, with_first
from agents.offline.read_back import PlannedCall
from agents.offline.steps import PastTurn, PlannedAnswer
from agents.offline.tables import Facts
from agents.offline.turn_above import Kind, Rest, TurnAbove
from agents.offline.ways import SAY, Way, way_of, ways
from agents.offline.words import PATTERNS, Words, says

PAST_MAX = 8  # turns before that a question is read against
SURE_WITH_ODD = 0.55  # of a sentence with a word that no sentence of its label has
CLAUSE_LIKELY = 0.45  # of a sentence that the answer above does not answer
_CLAUSE, _HALVES = PATTERNS["understand.clause"], PATTERNS["understand.halves"]
POINTED_SURE = 0.35  # of a sentence that names the thing above by itself now
COMPARED = Guess(AskLabel("compare", {}), 1.0)
NOTHING_WAITS = "Nothing here waits for a yes, and a chat applies nothing. Say what you want to see."
NOTHING_DONE = "Nothing was done. What was filed stays until a person decides or it expires: `which proposals are pending?`"


class ThreadSoFar(NamedTuple):
    """What a sentence is read against: the desk's words, the turns before, their facts, the role's tools (None: all)."""

    words: Words
    past: Sequence[PastTurn] = ()
    facts: Facts = MappingProxyType({})
    tools: frozenset[str] | None = None
    read: dict[int, Part] | None = None  # by number of turns: what was read of them, shared while one question is read

    def turn(self, n: int) -> Part:
        """What was read of an earlier turn. Each is read once: reading one asks for those before it."""
        read = {} if self.read is None else self.read
        if n not in read:
            read[n] = understand(self.past[n].asked, self.words, self.past[:n], self.facts, self.tools, read)[-1]
        return read[n]

    @property
    def older(self) -> Part | None:
        """The newest question before that an entry answers: what a short sentence goes on with."""
        for n in range(len(self.past) - 1, max(-1, len(self.past) - 7), -1):
            if not self.past[n].asked:
                continue
            part = self.turn(n)
            if part.way is not None and part.way.then:
                return Part("", slots.Slots(), chosen=entry_of(part.way.then), ask=part.way.then)
            if part.chosen is not None and not part.aside and (n == len(self.past) - 1 or not part.lost or self.past[n].results):
                return part
        return None

    @property
    def newest(self) -> Part | None:
        """What was read of the turn before; None before the first."""
        return self.turn(len(self.past) - 1) if self.past and self.past[-1].asked else None

    @property
    def before(self) -> str:
        """What the turn before asked, as a label; empty before the first turn."""
        if not self.past:
            return ""
        newest, older = self.newest, self.older
        last = newest.ask if newest is not None and newest.ask not in FOLLOWS else ""
        return last or (older.ask if older is not None else "") or "desk"

    def asked_back(self) -> Part | None:
        """The last question, where it waits for a word on what would be left out of it, or on what was meant."""
        if not self.past or self.past[-1].results or not self.past[-1].asked:
            return None
        part = self.turn(len(self.past) - 1)
        return part if part.lost or part.maybe else None


def understand(
    question: str,
    words: Words,
    past: Sequence[PastTurn] = (),
    facts: Facts = MappingProxyType({}),
    tools: frozenset[str] | None = None,
    read: dict[int, Part] | None = None,
) -> list[Part]:
    """The parts of a question; one part that is not understood when nothing is. `tools`: those of the role; None: all."""
    if read is None:
        past, read = past[-PAST_MAX:], {}
    thread, question = ThreadSoFar(words, past, facts, tools, read), wider.without_statement(question, words)
    left = PATTERNS["understand.aside"].match(question.lower()) if past else None
    if left is not None and not any(r.name.startswith("propose_") for r in past[-1].results):  # `forget it. what did sol do`
        rest = question[left.end() :]
        last = re.split(r"[.;!?] +", rest)[-1]  # `drop it, that is too little. what did we pay`
        tried = (last, rest) if len(last.split()) > 3 else (rest,)
        fresh = [understand(text, words, (), facts, tools) for text in tried]
        return next((of for of in fresh if not any(part.empty or part.lost or part.maybe for part in of)), fresh[-1])
    texts = [text for text in _CLAUSE.split(question) if text.strip(" ,;.?!")]
    texts = [*texts[:1], *(with_first(text, texts[0], words) for text in texts[1:])]
    halves = _HALVES.split(question) if len(texts) == 1 else []
    if len(texts) > 1 and (several := _several(texts, thread)) is not None:
        return by_sleeve(several)
    between = len(halves) == 2 and re.search(r"(?i)\bbetween\b|\d$|^(?:do|does|did|is|are|was|were) \S+$", halves[0])
    if len(halves) == 2 and not between and (several := _several(halves, thread)) is not None and all(map(bare_reading, several)):
        return by_sleeve(several)  # `show positions and open alerts`
    one = part_of(question, thread)
    noted = PATTERNS["plans.noted"].match(question)
    if len(texts) > 1 and one.ask == "note" and noted and texts[-1].rstrip().endswith("?"):
        asks = part_of(texts[-1].strip(), thread)  # `remember that X. have we broken it yet?`: no part of the note
        understood = asks.chosen is not None and not (asks.lost or asks.maybe or asks.chosen.entry.proposes)
        return [one._replace(text=" ".join(texts[:-1])), *[asks] * understood]
    if len(texts) > 1 and one.ask == "note" and not noted:
        parts: list[Part] = []  # `show X, and note that Y`: X is no part of the note, however surely it is read
        for text in texts:
            parts.append(part_of(text, thread, parts))
        return by_sleeve(parts)
    if one.slots.periods and (entry := one.chosen.entry if one.chosen is not None else None) is not None and not entry.proposes:
        runs = entry.tool.name in ("backtest", "pnl", "trips")[: 3 if len(one.slots.periods) == 2 else 2] or (
            entry.tool.name == "compare" and not (one.slots.variants or one.slots.common)
        )
        each = [] if runs or not any(map(entry.takes, ("since", "start"))) else one.slots.periods  # a plan of runs makes each
        return by_sleeve([one._replace(slots=replace(one.slots, span=of, periods=())) for of in each] or [one])
    if one.slots.periods and one.maybe and (one.slots.strategies or not one.slots.common):  # years that the desk has not lived
        ask = "backtest" if (one.slots.sleeves or one.slots.strategies) and re.search(r"\b20\d\d\b", one.slots.text) else "pnl"
        return by_sleeve([Part(question, slots.read_slots(question, words), chosen=entry_of(ask), ask=ask)])
    one = wider.widened(one)
    doubtful = one.maybe or one.lost or (one.unsure and one.beyond)
    if doubtful and len(texts) > 1 and (alone := beside([part_of(t, thread) for t in texts])) is not None:
        return by_sleeve([alone])
    return by_sleeve([one])


def _several(texts: Sequence[str], thread: ThreadSoFar) -> list[Part] | None:
    """The clauses as questions of their own, where each surely is one and no two ask the same."""
    parts: list[Part] = []
    for text in texts:
        part = part_of(text, thread, parts)
        if parts and parts[0].ask in rules.ASKS and rules.GOES_ON.search(text) and part.ask not in rules.ASKS:
            return None  # `which models are there and how good are they`, `which version does it read and since when`
        certain = part.chosen.probability if part.chosen else 1.0 if part.way else 0.0
        bare_value = len(text.split()) < 3 and bool(part.slots.common)  # `leverage 2`
        if part.empty or part.unsure or certain < CLAUSE_SURE or len(text.split()) < 2 or bare_value:
            return None
        if parts and not (account.words_left(part.slots) or part.slots.keys):  # `handover. from midnight`: of the one before
            return None
        parts.append(part)
    if any(part.chosen for part in parts):  # `dumb question, what is R`: what stands beside a question is none
        beside_it = ("way own_words", "way thanks", "way help")
        parts = [part for part in parts if part.ask not in beside_it and (part.chosen or len(part.text.split()) > 2)]
    files = any(part.chosen is not None and part.chosen.entry.proposes for part in parts)
    if any(part.lost for part in parts) and not files:
        return None
    names = [part.chosen.entry.tool.name if part.chosen else part.ask for part in parts]
    asked = [min(name, ALIKE.get(name, name)) for name in names]
    if set(asked) == {"backtest", "compare"}:  # `backtest it, and compare a 2 ATR with a 3 ATR stop`: one wish
        return [_as_read(" and ".join(texts), slots.read_slots(" and ".join(texts), thread.words), COMPARED, thread, ())]
    return None if len(set(asked)) < len(asked) else parts


def part_of(text: str, thread: ThreadSoFar, earlier: Sequence[Part] = ()) -> Part:
    """What one sentence or clause wants."""
    read = slots.read_slots(text, thread.words)
    waits = thread.asked_back() if thread.past and not earlier else None
    if waits is not None and (meant := picked_of(read, waits)) is not None:
        return _as_read(waits.text, waits.slots, meant, thread._replace(past=thread.past[:-1], read={}), earlier)
    older = thread.older if thread.past and not earlier else None
    if isinstance(windowed := _in_window(read, older, thread), Part):
        return windowed._replace(text=text)
    read = windowed if older is None else follow.in_window_above(windowed, older.slots)
    if older is not None and read.common and not read.symbols and re.search(r"\bboth\b", read.text):
        return Part(text, read, call=asks_back("Which two? Name both."))
    goes_on = bool(thread.past) and not earlier
    if goes_on and (early := _from_above(text, read, thread, above_kinds.EARLY)) is not None:
        return early
    if goes_on and (pointed := _pointed(text, read, thread)) is not None:
        return pointed
    if goes_on and (plan := table_sums.worked_out(read, thread.past, thread.facts, thread.words)) is not None:
        return Part(text, read, call=plan, ask=WHICH)
    if goes_on and (going := _from_above(text, read, thread)) is not None:
        return going
    if goes_on and not PATTERNS["talk.whether"].match(read.text) and _completes(read, thread):
        return _more(text, read, thread)._replace(ask=_frame_ask(thread))
    if goes_on and (call := table_answers.answer_of(read, thread.past, thread.facts, thread.words)) is not None:
        return Part(text, read, call=call, ask=WHICH)
    before = "" if earlier else thread.before
    listed = likely(read, before)
    best = listed[0]
    doubtful = best.label.ask == "note" and PATTERNS["understand.asks"].match(read.text) is not None  # `so will the bots stop`
    # a fixed text claims no figure: a name that nothing knows alone makes it doubtful
    odd = account.foreign(read, best.label.ask)
    alone = _named_alone(read, thread) if not earlier else None
    if doubtful or (odd and best.probability < SURE_WITH_ODD) or not sure(listed) or (alone and best.label.ask == "way quote"):
        if alone is None and before and (fresh := by_itself(read, CLAUSE_SURE)) is not None:
            return _as_read(text, read, fresh, thread, earlier)
        for meant in () if alone or doubtful else wider.likely_meant(listed):
            guessed = wider.widened(_as_read(text, read, meant, thread, earlier))
            if (unsure := wider.not_sure(guessed, meant, listed)) is not None:
                return unsure
        return alone or Part(text, with_label(read, best.label), maybe=listed[:SHOWN], ask=best.label.ask)
    part = _as_read(text, read, best, thread, earlier)
    if part.call == asks_back(wider.UNCHANGED):
        fresh = None if any(map(account.weighs, account.words_left(read))) else by_itself(read, CLAUSE_LIKELY)
        if fresh is not None:
            return _as_read(text, read, fresh, thread, earlier)
        said = above.in_text(read, thread.past) if thread.older is not None else part.call
        return part._replace(call=said or wider.not_narrowed(read, thread.older))
    return part


def _in_window(read: slots.Slots, older: Part | None, thread: ThreadSoFar) -> "slots.Slots | Part":
    """A sentence with a window that is named beside the one above; asked back where there is none."""
    above = older.slots if older else slots.Slots()
    found = slots.in_window_above(read, above, thread.words.desk_ms)
    return Part("", read, call=asks_back(SAY["before_what"])) if found is None else found


def _from_above(text: str, read: slots.Slots, thread: ThreadSoFar, kinds: Sequence[Kind] = above_kinds.KINDS) -> Part | None:
    """A sentence about what the turn above was about, or one that corrects it; None for any other."""
    found = above_kinds.first(read, TurnAbove(thread.past, thread.facts, thread.words, thread.older, thread.newest), kinds)
    if isinstance(found, str):  # names its subject itself now
        part = wider.widened(part_of(found, thread._replace(past=(), read={})))
        return None if part.empty or part.lost or part.maybe else part._replace(text=text)
    if isinstance(found, Rest):
        return _more(text, slots.read_slots(found.text, thread.words), thread)._replace(ask=_frame_ask(thread))
    if isinstance(found, Part):
        return found
    if isinstance(found, Way):
        return Part(text, read, found, ask=f"way {found.key}")
    return None if found is None else Part(text, read, call=found, ask=REPEAT)


def _pointed(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part | None:
    """A sentence about one thing above: read from its row, or asked with its name. Nothing goes on with it."""
    said = subject.about(read, thread.past, thread.facts, thread.words)
    if not isinstance(said, str):
        return None if said is None else Part(text, read, call=said, ask=PICK, aside=True)
    asked = slots.read_slots(said, thread.words)
    listed = likely(asked)
    goes_on = likely(read, thread.before)[0]
    if goes_on.label.ask == MORE and goes_on.probability > listed[0].probability:
        part = _more(text, with_label(asked, goes_on.label), thread)
        return None if part.lost or part.chosen is None else part._replace(ask=_frame_ask(thread))
    entry = None if listed[0].label.ask in FOLLOWS else chosen_of(listed[0], asked)
    on = thread.past[-1].results and listed[0].label.ask == thread.past[-1].results[-1].name  # the tool above, once more
    other = next((guess.probability for guess in listed[1:] if guess.label.ask != listed[0].label.ask), 0.0)
    least = max(POINTED_SURE, (1.0 if on else 1.5) * other)
    if entry is None or listed[0].probability < least or entry.entry.proposes or entry.left:
        row = above.row(read, thread.past, thread.facts) if read.place is not None and len(read.text.split()) > 4 else None
        return row and Part(text, read, call=row, ask=PICK, aside=True)  # all of the row: nothing else is of it alone
    part = _as_read(said, asked, listed[0], thread._replace(past=(), read={}), ())
    return None if part.empty or part.lost or part.chosen is None else part._replace(aside=True)


def _completes(read: slots.Slots, thread: ThreadSoFar) -> bool:
    """Whether a sentence names things and nothing else: what was missing in a question back, or one more (`and sol too`)."""
    named = read.places.keys() - {"place", "ever", "without"}
    waits = not thread.past[-1].results or says("understand.too", read.text) is not None
    return waits and thread.older is not None and bool(named) and not account.words_left(read)


def _as_read(text: str, read: slots.Slots, guess: Guess, thread: ThreadSoFar, earlier: Sequence[Part]) -> Part:
    """The sentence as what it most probably asks."""
    guess = refined(guess, read, thread.tools)
    ask = guess.label.ask
    read = with_label(read, guess.label)
    if (way := way_of(ask)) is not None:
        filed = [i for turn in thread.past for r in turn.results for i in r.ids("prop-")] if way.key == "expiry" else []
        card = PlannedCall("proposals", {"proposal_id": filed[-1]}) if filed else None  # its own time, not how long one waits
        return Part(text, read, None if card else way, call=card, ask=ask)
    if ask in FOLLOWS:
        return _GOES_ON[ask](text, read, thread)._replace(ask=_frame_ask(thread) if ask == MORE else ask)
    chosen = chosen_of(guess, read)
    assert chosen is not None  # noqa: S101 - neither a way nor going on
    older = earlier[-1] if earlier else thread.older if thread.past else None
    frame = older if older is not None and older.chosen is not None else None
    part = Part(text, read, chosen=chosen, frame=frame, lost=chosen.left, ask=ask)
    return part if frame is None else on_frame(part, frame, thread.past, within=bool(earlier))


def _frame_ask(thread: ThreadSoFar) -> str:
    return thread.older.ask if thread.older is not None else MORE


def _named_alone(read: slots.Slots, thread: ThreadSoFar) -> Part | None:
    """`sol`, `eth today`: a sleeve and nothing else, as a question about it."""
    if not read.sleeves or account.words_left(read):
        return None
    if thread.past:
        return _more(read.text, read, thread)
    ask = "journal_search" if read.span.start or read.span.at else "sleeves"
    return Part(read.text, read, chosen=entry_of(ask), ask=ask)


def _more(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part:
    """The question before with what a short sentence changes."""
    older = thread.older
    if older is None or older.chosen is None:
        if (newest := thread.newest) is not None and newest.way is not None:
            return Part(text, read, newest.way)
        return Part(text, read, call=asks_back(SAY["unbound"]))
    if isinstance(windowed := _in_window(read, older, thread), Part):
        return windowed._replace(text=text)
    read = windowed
    if read.percent and not older.chosen.entry.takes("move_frac") and older.chosen.entry.tool.name in ("joint_risk", "exposure"):
        return Part(text, with_label(read, AskLabel("what_if", {})), chosen=entry_of("what_if"), ask="what_if")
    read = follow.with_percent(read, older.slots.percent)
    if older.chosen.entry.tool.name == "define" and account.words_left(read):  # `and a layer?`
        return Part(text, read, chosen=older.chosen, ask=older.ask)
    if not follow.changes(read, older.slots):
        return Part(text, read, call=asks_back(wider.UNCHANGED))
    other = read.closed.get("metric") not in (None, older.slots.closed.get("metric"))
    if older.chosen.entry.tool.name == "propose_watch" and other:
        return Part(text, read, chosen=older.chosen)  # `also if we lose more than 200 in a day`, after a price: another watch
    return follow.going_on(text, read, older, thread.words, thread.past)


def _which(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part:
    call = above.figure(read, thread.past, thread.facts)
    return Part(text, read, call=call) if call is not None else _more(text, read, thread)


def _better(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part:
    """How good that is: of several runs which made more, the verdict of a search or comparison, a performance beside chance."""
    more, one = slots.read_slots("which of these made more", thread.words), len(above.of_last(thread.past)) < 2
    runs = (
        table_answers.answer_of(more, thread.past, thread.facts, thread.words) if one and above.made_runs(thread.past) else None
    )
    return Part(text, read, call=runs or measured.judged(read, thread.past, thread.facts))


def _repeat(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part:
    """What the answer above has of it; where it has nothing, what the sentence surely asks by itself: one more lookup."""
    call = above.again(read, thread.past, thread.facts)
    listed = likely(read)
    fresh = listed[0] if call is None and above.newest(thread.past) is not None and account.words_left(read) else None
    if fresh is not None and fresh.label.ask not in FOLLOWS and fresh.probability >= CLAUSE_LIKELY:
        older = thread.older
        if older is not None and older.ask == fresh.label.ask:  # of the same, in other words
            read = replace(read.over(older.slots), text=read.text)
        part = _as_read(text, read, fresh, thread, ())
        if part.chosen is not None and not (part.chosen.entry.proposes or part.lost):
            return part
    return Part(text, read, call=call or above.nothing_more(read, thread.past))


def _go_ahead(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part:
    """Yes: to what was asked back about without what would be left out, or as it was most probably meant; `how then` is how."""
    waits = thread.asked_back()
    if waits is not None and waits.chosen and waits.lost:
        return waits._replace(lost=(), frame=None, left=waits.lost)
    return Part(text, read, call=PlannedAnswer(NOTHING_WAITS))


def _no(text: str, read: slots.Slots, thread: ThreadSoFar) -> Part:
    newest = above.newest(thread.past)
    if newest is not None and newest.name.startswith("propose_"):  # `forget it`: what was filed waits all the same
        key = "confirm" if newest.name == "propose_watch" else "decide"
        return Part(text, read, ways()[key], ask=f"way {key}")
    return Part(text, read, call=PlannedAnswer(NOTHING_DONE))


def _from_answer(find: Callable[[slots.Slots, ThreadSoFar], above.FromAbove]) -> Callable[[str, slots.Slots, ThreadSoFar], Part]:
    """What is found in the answer above, as a part."""
    return lambda text, read, thread: Part(text, read, call=find(read, thread))


_pick = _from_answer(lambda read, on: above.row(read, on.past, on.facts))
_why = _from_answer(lambda read, on: above.why(read, on.older, on.newest, on.past, on.facts))
_OF_FOLLOW = (_more, _pick, _why, _which, _better, _repeat, _go_ahead, _no)
_GOES_ON: Mapping[str, Callable[[str, slots.Slots, ThreadSoFar], Part]] = dict(zip(FOLLOWS, _OF_FOLLOW, strict=True))
