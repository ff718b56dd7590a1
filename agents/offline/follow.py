"""How a short sentence goes on with the question before: what it replaces, what is carried over, what cannot be. Called by
understand.py and model.py.

`and ETH?`, `and the week before`, `1.5 atr` replace slots of the question before; `only the shorts`, `slippage on them?` take its
window, sleeve and side. What the other tool cannot take is named and asked back about: its default would be another question.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dateutil.relativedelta import relativedelta

from agents.offline import slots as reading
from agents.offline.account import free, lost_of, tokens_of, words_left
from agents.offline.changes import times_of
from agents.offline.choose import SPOKEN_RUN, Chosen, entry_of
from agents.offline.date_points import time_of
from agents.offline.dates import TimeSpan
from agents.offline.drafts import asks_back
from agents.offline.entries import AskedEntry
from agents.offline.parts import Part
from agents.offline.slots import Slots, read_slots
from agents.offline.steps import CallResult, PastTurn
from agents.offline.tables import AT_A_LOSS, ranks
from agents.offline.words import FIGURE_WORDS, PATTERNS, Words, says
from tools.common.contract import Effect

_EARLIER, _LEAD = PATTERNS["follow.earlier"], PATTERNS["follow.lead"]
_BACK_AT, _EXPLETIVE = PATTERNS["follow.back_at"], PATTERNS["follow.expletive"]
SEARCHES = ("sweep", "walkforward")
_UP, _DOWN = re.compile(r"\b(?:up|rises?|rall(?:y|ies)|gains?|jumps?)\b"), re.compile(r"\b(?:down|falls?|drops?|crash\w*)\b")


def leads(slots: Slots) -> bool:
    """Whether a sentence begins as one that goes on: `and`, `only`, `what about`."""
    return bool(_LEAD.match(slots.text))


def points_back(slots: Slots) -> bool:
    """Whether a word of the sentence is something that stands above: `it`, `them`, `that day`, `of the two`."""
    return bool(_BACK_AT.search(_EXPLETIVE.sub("", slots.text)))


def of_it(slots: Slots) -> bool:
    """Whether a sentence speaks of one thing as a whole: `break it down by weekday` is the run, not its stopped trades."""
    return bool(re.search(r"\bits?\b", slots.text))


def bound(slots: Slots) -> bool:
    """Whether a sentence can only be read with the one before it."""
    return leads(slots) or points_back(slots)


def looks_back(slots: Slots) -> bool:
    """Whether a sentence of its own may speak of what stands before it: `show them`, `which one tripped then`, `fees?`."""
    short = len(tokens_of(slots)) <= 3 and not re.search(r"\b(?:desk|we|our|all|any|every\w*|positions?)\b", slots.text)
    return short or bound(slots) or clock_alone(slots)


def clock_alone(slots: Slots) -> bool:
    """Whether a sentence names times of a day and no day: `why no entry at 03:30`, of the day above."""
    said = [slots.text[slice(*place)] for place in slots.places.get("span", ())]
    return bool(said) and all(PATTERNS["follow.clock_alone"].fullmatch(one) for one in said)


RUNS = ("backtest", "compare", "run", "round_trip", "leaks", "sweep", "walkforward", "judge", "trials")
_FAMILIES = {"figures": ("pnl", "performance", "trips", "attribution", "excursions"), "runs": RUNS}


def family(tool: str) -> str:
    """The kind of answer that a tool gives: figures of the desk, runs, or a kind of its own."""
    return next((name for name, tools in _FAMILIES.items() if tool in tools), tool)


def shifted(slots: Slots, older: Slots, words: Words) -> Slots:
    """`older`'s slots with those that the new sentence replaces; `the week before` moves its window back."""
    merged = _with_number(slots, older, words).over(older)
    found = _EARLIER.search(slots.text)
    if found and words.desk_ms is not None:
        unit = next((g for g in found.groups() if g), None)
        merged = replace(merged, span=_moved(unit, older.span, words.desk_ms, later=bool(says("follow.later", slots.text))))
    if older.percent and not slots.percent and (_UP.search(slots.text) or _DOWN.search(slots.text)):
        merged = replace(merged, percent=abs(older.percent) * (1 if _UP.search(slots.text) else -1))
    ends = older.which in ("best", "worst") and not older.by
    if ends and slots.outcome in ("winners", "losers"):  # `the three best of ETH`, `losers`
        merged = replace(merged, which="worst" if slots.outcome == "losers" else "best", outcome=None)
        slots = replace(slots, which=merged.which)
    if slots.by:  # a split instead of the worst, or the worst instead of a split
        merged = replace(merged, which=slots.which, count=slots.count)
    else:
        split = merged.by if not slots.which or ranks(older.text) else ()  # `which coin made the most`, `and the least?`
        merged = replace(merged, which=slots.which or older.which, by=split)
    text, bound = older.text, PATTERNS["slots.beyond"]
    if (old := bound.search(text)) and (slots.symbols or bound.search(slots.text)):  # `below 80000`, `and sol below 120`
        new = bound.search(slots.text)  # another instrument has no level until one is named
        level = re.sub(r"\d[\d.,]*k?\b", slots.unclear[0], old[0]) if len(slots.unclear) == 1 else ""  # `sol too, 120`
        text = text.replace(old[0], new[0] if new else level)
    number = says("follow.number", text) if slots.unclear and not bound.search(slots.text) else None
    if number and len(slots.unclear) == 1:  # `same for 28k`, after a level
        text = text.replace(number[0], _in_thousands(slots.unclear[0], number[0]))
    exits = [of.closed.get("exit") for of in (slots, older)]
    if all(exits) and exits[0] != exits[1]:  # `vs the stops`, after the trails: both, beside each other
        text = f"{older.text.rstrip('?.! ')} and {slots.text}"
    turned = slots.unclear and says("slots.turned", slots.text) and says("slots.watches", older.text)
    if slots.by and ranks(slots.text) and slots.which not in ("worst", "best"):  # `which sleeve pays the most`, after fees
        said = re.findall(
            r"[a-z&]+", f"{slots.text} " if AT_A_LOSS.search(slots.text) else f"{slots.text} | {text}".partition("|")[2]
        )
        text = f"{slots.text} {' '.join(word for word in said if word in FIGURE_WORDS)}"
    if turned or (slots.by and slots.which in ("worst", "best")):  # `and if it loses 2600`, `the worst hour for it`, after costs
        text = slots.text
    return replace(merged, text=text, places={**older.places})


def _in_thousands(new: str, old: str) -> str:
    """`make that 82`, after 80000: thousands, as the level before."""
    number = float(new) if re.fullmatch(r"\d+(?:\.\d+)?", new) else 0.0
    return f"{number * 1000:.10g}" if number * 200 < float(old) <= number * 5000 else new


def with_percent(slots: Slots, before: float | None) -> Slots:
    """`and 20` after a move of a price: the number is a move in the same direction."""
    times = says("moves.times", slots.text) if slots.move == "sized" and "size" not in slots.text else None
    if before and times and not slots.percent:  # `double that`
        size = before * times_of(times)
        return replace(slots, percent=size, move=None, places={**slots.places, "percent": ((0, 0),)})
    number = re.fullmatch(r"\d+(?:\.\d+)?(?: ?%)?", slots.unclear[0]) if len(slots.unclear) == 1 else None
    if number is None or slots.percent or not before:
        return slots
    places = {name: found for name, found in slots.places.items() if name != "unclear"} | {"percent": slots.places["unclear"]}
    move = float(number[0].rstrip("% ")) / 100
    rises = before > 0 if not _DOWN.search(slots.text) else False
    return replace(slots, percent=move if rises or _UP.search(slots.text) else -move, unclear=(), places=places)


def in_window_above(slots: Slots, older: Slots) -> Slots:
    """`and the second half`, `and q3`, after a window of another year: of that year; a half of a shorter window is its half;
    times alone after a day or a night are of that."""
    found, first, end = says("follow.of_year", slots.text), time_of(older.span.start or older.span.at), time_of(older.span.end)
    start, stop = time_of(slots.span.start), time_of(slots.span.end)
    if first and (end or first) - first <= timedelta(days=1) and clock_alone(slots):
        moved = [f"{_within(at, first):%Y-%m-%dT%H:%M}" if (at := time_of(text)) else None for text in slots.span[:3]]
        return replace(slots, span=TimeSpan(moved[0], moved[1], moved[2]))
    of_hours = first and end and end - first < timedelta(days=1) and {f"{first:%H:%M}", f"{end:%H:%M}"} != {"00:00"}
    if (
        first
        and end
        and of_hours
        and start
        and stop
        and stop - start == timedelta(days=1)
        and {*words_left(slots)} <= {"same", "hours", "hour", "time"}
        and not says("follow.of_all_day", slots.text)
    ):
        moved_by = start - first.replace(hour=0, minute=0)  # `sunday too`, after some hours of saturday
        return replace(slots, span=TimeSpan(f"{first + moved_by:%Y-%m-%dT%H:%M}", f"{end + moved_by:%Y-%m-%dT%H:%M}"))
    if not (found and first and end and start and stop and bound(slots)) or re.search(r"\b(?:19|20)\d\d\b", slots.text):
        return slots
    if found["half"] and end - first < timedelta(days=170):
        middle = first + timedelta(days=(end - first).days // 2)
        start, stop = (first, middle) if found["half"] == "first" else (middle, end)
    elif (end - timedelta(minutes=1)).year == first.year:
        by = first.year - start.year
        start, stop = start.replace(year=start.year + by), stop.replace(year=stop.year + by)
    return replace(slots, span=TimeSpan(f"{start:%Y-%m-%d}", f"{stop:%Y-%m-%d}"))


def _within(at: datetime, first: datetime) -> datetime:
    """A time of the day as the first one from there on: 03:30 of a night that begins at 22:00."""
    moved = datetime.combine(first.date(), at.time(), first.tzinfo)
    return moved if moved >= first else moved + timedelta(days=1)


def moves_back(slots: Slots) -> bool:
    """`and the night before`, `the week after`."""
    return bool(_EARLIER.search(slots.text))


def moved_back(slots: Slots, span: TimeSpan) -> TimeSpan:
    """A window as far back as a sentence says: `a year earlier`, on the same days of the year."""
    found, start, end = _EARLIER.search(slots.text), time_of(span.start), time_of(span.end)
    unit = next((group for group in found.groups() if group), "") if found else ""
    by = relativedelta(months={"month": 1, "quarter": 3, "year": 12}.get(unit, 0))
    return TimeSpan(f"{start - by:%Y-%m-%d}", f"{end - by:%Y-%m-%d}") if start and end else span


_SIZES = {"hour": 1 / 24, "day": 1, "night": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}


def _moved(unit: str | None, span: TimeSpan, desk_ms: int, *, later: bool) -> TimeSpan:
    """The window before or after: as long as the unit says, or moved by it where it is shorter; without one as long as it was."""
    now = datetime.fromtimestamp(desk_ms / 1000, UTC)
    start, end = time_of(span.start or span.at) or now, time_of(span.end) or (now if unit in ("night", "hour") else None)
    size = timedelta(days=_SIZES[unit]) if unit else (end - start) if end else timedelta(days=7)
    shorter = end is not None and end - start < size
    if later:
        first = start + size if shorter or end is None else end
        last = end + size if shorter and end is not None else first + size
        return TimeSpan(first.strftime("%Y-%m-%dT%H:%M"), last.strftime("%Y-%m-%dT%H:%M"))
    until = end - size if shorter and end is not None else start
    return TimeSpan((start - size).strftime("%Y-%m-%dT%H:%M"), until.strftime("%Y-%m-%dT%H:%M"))


def _alone(slots: Slots) -> tuple[int | float | None, str]:
    """The one number whose parameter a sentence leaves open, with what was typed; None where there is none, or several."""
    said = slots.unclear[0] if len(slots.unclear) == 1 else ""
    found = re.match(r"[-+]?\d+(?:\.\d+)?", said)
    return (None if found is None else float(found[0]) if "." in found[0] else int(found[0])), said


def _with_number(slots: Slots, older: Slots, words: Words) -> Slots:
    """A number alone takes the parameter of the question before: the only one with its unit, or the one its words name."""
    number, typed = _alone(slots)
    if number is None or says("follow.of_an_exit", slots.text):
        return slots
    said = next((unit for unit in ("atr", "bar", "%", "percent") if unit in typed), "")
    unit = {"atr": "_atr", "bar": "_bars", "%": "_frac", "percent": "_frac"}.get(said, "")
    number = round(float(number) / 100, 12) if unit == "_frac" else number
    keys = {key for variant in (older.common, *older.variants) for key in variant if key.endswith(unit)}
    if len(keys) == 1:
        return replace(slots, common={keys.pop(): number}, unclear=())
    both = read_slots(f"{older.text.rstrip('.?! ')} to {typed}", words)
    return replace(slots, common=both.common, unclear=()) if both.common and not both.unclear else slots


NAMED = ("strategies", "symbols", "sleeves", "span", "side", "outcome", "by", "count")


def kept(slots: Slots, own: Slots, older: Slots | None = None) -> tuple[str, ...]:
    """What a sentence is narrowed to and does not name itself, as a person reads it; of `older`, what is still the same."""
    names = [n for n in NAMED if reading.given(getattr(slots, n)) and not reading.given(getattr(own, n))]
    names = [n for n in names if older is None or getattr(older, n) == getattr(slots, n)]
    names = [n for n in names if n not in ("strategies", "symbols") or "sleeves" not in names]
    return tuple(dict.fromkeys(reading.words_of(name, getattr(slots, name)) for name in names))


_AS_CALLED = {"side": ["side"], "outcome": ["outcome"]}
CARRIED: Mapping[str, Sequence[str]] = {"span": ("since", "start", "at", "unit"), "sleeves": ["sleeve"], **_AS_CALLED}


def carried(read: Slots, old: Slots, of: AskedEntry, chosen: Chosen) -> tuple[Slots, tuple[str, ...]]:
    """The slots with what the question before was narrowed to, where they name nothing in its place; and what cannot be taken."""
    entry, of_run = chosen.entry, of.tool.name in RUNS
    if of_run and any(map(entry.takes, ("subject", "run_id", "hypothesis"))) and not read.sleeves:
        return read, ()
    if of_run and not any(map(entry.takes, ("strategy", "changes", "evidence", "word", "about", "query"))):
        return read, ("the run above",) if points_back(read) else ()
    more: dict[str, Any] = {}
    lost: list[str] = []
    for name, fields in CARRIED.items():
        if of.proposes and not entry.proposes and not (name == "sleeves" and entry.takes("sleeve")):
            continue  # the window of its evidence, the end of a pause, the coin of one watch
        value, own = getattr(old, name), reading.given(getattr(read, name))
        if own or not reading.given(value) or (name == "sleeves" and (read.symbols or read.everything)):
            continue
        if name == "span" and says("follow.now", read.text):
            continue  # what is asked of the present has no window that is over
        hours = name == "span" and entry.tool.name == "pnl" and any("T" in (t or "") and "T00:00" not in t for t in value[:3])
        by_row = name == "sleeves" and entry.tool.name in ("attribution", "joint_risk")
        if by_row or (any(map(entry.takes, fields)) and not hours):
            more[name] = value
        elif name == "sleeves" and old.symbols and entry.takes("symbol"):
            more["symbols"] = old.symbols
        elif entry.tool.effect is Effect.READ and not free(entry.tool.name):
            lost += [reading.words_of(name, value)] if name in ("span", "sleeves") or bound(read) else []
    if of.tool is entry.tool and entry.tool.name == "trips" and bound(read):  # `how many were shorts`, after `above 2R`
        more |= {name: getattr(old, name) for name in ("filters", "out") if getattr(old, name) and not getattr(read, name)}
    if of.tool is entry.tool and entry.takes("venue") and old.symbols and not (read.symbols or read.everything):
        more |= {"symbols": old.symbols, "venues": read.venues or old.venues}  # `gaps?`, of the bars of one coin
    if of.tool is entry.tool and entry.takes("by") and old.by and not read.by and not read.which:
        more["by"] = old.by
    splits = bool(old.by) or of.asked.kind == "sleeves"
    near = family(entry.tool.name) == "figures" or leads(read)
    if splits and near and entry.tool.effect is Effect.READ and not entry.takes("by") and entry.asked.kind != "sleeves":
        lost.append(f"by {' and '.join(old.by or ('sleeve',))}")
    return replace(read, **more), tuple(lost)


def changes(read: Slots, older: Slots) -> bool:
    """Whether a short sentence changes anything in the question before."""
    named = read.places.keys() - {"place", "ever"}
    closed = {name: value for name, value in read.closed.items() if older.closed.get(name) != value}
    moves = ((_UP, _DOWN) if older.percent else ()) + (PATTERNS["follow.moves"],)
    turned = moves_back(read) or any(pattern.search(read.text) for pattern in moves)
    return bool(named or closed or turned)


def _window_of_run(shown: CallResult | None, past: Sequence[PastTurn]) -> TimeSpan:
    """The window of the run above, so that another one over the same days is meant first."""
    run = shown and str(shown.args.get("subject") or shown.args.get("run_id"))
    rows = [row for turn in past for r in turn.results if r.name == "run" for row in r.rows() if "first" in row]
    mine = next((row for row in rows if row.get("run") == run), None)
    return TimeSpan(mine["first"][:10], mine["last"][:10]) if mine else TimeSpan()


def going_on(text: str, read: Slots, older: Part, words: Words, past: Sequence[PastTurn]) -> Part:
    """The question before with what a short sentence changes; asked back where it says what without saying to which value."""
    before = older.slots
    traded = tuple(s.strategy for s in words.sleeves if s.symbol in read.symbols)
    if traded and not read.strategies and older.slots.strategies and SPOKEN_RUN.search(older.slots.text):
        mine = older.slots.strategies if {*traded} & {*older.slots.strategies} else traded  # `and for sol`: what trades it
        older = older._replace(slots=replace(older.slots, strategies=mine, strategy=mine[0] if len(mine) == 1 else None))
    assert older.chosen is not None  # noqa: S101 - asked before
    tool = older.chosen.entry.tool.name
    shown = next((r for turn in reversed(past) for r in reversed(turn.results) if r.name != "calc"), None)
    of_run = shown is not None and str(shown.args.get("subject") or shown.args.get("run_id") or "").startswith("r-")
    other_run = SPOKEN_RUN.search(read.text) or (of_run and says("follow.the_one", read.text))
    if (read.symbols or read.strategies) and other_run and any(map(older.chosen.entry.takes, ("subject", "run_id"))):
        span = read.span if reading.given(read.span) else _window_of_run(shown, past)
        own = replace(older.slots, text=f"{older.slots.text.rstrip('?.! ')} of the stored run", sleeves=(), span=span)
        own = replace(own, symbols=read.symbols, strategy=read.strategy, strategies=read.strategies)
        chosen = entry_of("run") if older.ask == "run list" else older.chosen
        return older._replace(text=text, slots=own, own=read, chosen=chosen, left=(), maybe=())  # `and the same for the sol run`
    if says("follow.other", read.text) and len(older.slots.sleeves) == 1:
        return Part(text, read, call=asks_back("Which other one? Name the sleeve."))
    if tool == "propose_watch" and says("follow.and_one_more", read.text):
        return Part(text, read, call=asks_back("One watch at a time: say what each is to watch in a sentence of its own."))
    if tool in SEARCHES and not read.axes:  # `and stop 1 to 5`
        read = replace(read_slots(text, words, searching=True), closed=read.closed)
    lost = lost_of(older.chosen.entry, read)
    chosen = older.chosen
    of_fills = tool == "journal_search" and not read.outcome
    other = entry_of("counts" if of_fills else "trips")
    split = read.by and not chosen.entry.splits(read.by) and other.entry.splits(read.by)
    part_of_it = bool(lost) and tool in ("run", "backtest") and not lost_of(other.entry, read)
    part_of_it |= tool == "journal_search" and read.outcome is not None
    if part_of_it or (split and family(tool) in ("figures", "runs", "journal_search")):
        chosen, lost = other, lost_of(other.entry, read)  # a part of it, not its figures
    merged = shifted(read, older.slots, words)
    merged = replace(merged, text=read.text) if tool == "alerts" else merged  # its window is read from the words
    if chosen is other and tool in RUNS and not read.sleeves:  # of the run, not of the desk's sleeve
        merged = replace(read, which=read.which or older.slots.which)
        there = any(r.name in RUNS and r.status == "ok" for t in past[-3:] for r in t.results)
        lost = lost if there else (*lost, "the run above, which was not made")
    if past and not past[-1].results and older.slots.unclear and not (read.common or read.variants):
        merged = replace(merged, unclear=older.slots.unclear)  # a number that was asked back about is not settled by another coin
    waited = older.lost if past and not past[-1].results else ()  # asked back about until it is dropped by a word
    split = read.out is not None and merged.by and read.out[0] not in ("side", "outcome", *merged.by)
    lost = (*waited, *lost, *((reading.words_of("by", merged.by),) if split and not read.by else ()))
    goes_on = older._replace(text=text, slots=merged, chosen=chosen, own=read, lost=lost, left=(), maybe=())
    return goes_on._replace(frame=older if lost else None, kept=kept(merged, read, before))
