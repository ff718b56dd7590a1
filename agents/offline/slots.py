"""What a sentence names: strategy, symbol, window, parameters, sleeves, ids, and whatever else narrows it. Called by model.py.

`read_slots` turns a question into typed Slots, each with its places in the text. A word that belongs to a slot is used by that
slot or by nothing: no tool may take `below 120` for a word of its own.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from agents.offline import dates, names, params, ranges
from agents.offline.leftout import BEFORE_COSTS, left_out
from agents.offline.names import BLANK, Places, Sentence, mentions
from agents.offline.words import BY, PATTERNS, Words, says, tidy, vocabulary


@dataclass(frozen=True, eq=False)
class Slots:
    """The typed content of one question; what is not named is None or empty. Shared between turns: nothing changes it."""

    text: str = ""  # tidy
    strategy: str | None = None
    strategies: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    timeframe: str | None = None
    timeframes: tuple[str, ...] = ()  # `15m and 1h`: all that are named
    venue: str | None = None
    venues: tuple[str, ...] = ()  # `okx against binance`: all that are named
    span: dates.TimeSpan = dates.NO_SPAN
    periods: tuple[dates.TimeSpan, ...] = ()  # `2023 vs 2024`: windows that are set beside each other
    lasting: str | None = None  # `for 24 hours`: how long, not when
    common: dict[str, Any] = field(default_factory=dict)
    variants: tuple[dict[str, Any], ...] = ()
    unclear: tuple[str, ...] = ()  # numbers whose parameter cannot be told
    move: str | None = None  # of a setting, by an amount: `sized` (halve, 5 lower), `bare` (tighter)
    sleeves: tuple[str, ...] = ()  # more than one: ambiguous
    ids: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()  # r1, r2: runs of this thread
    number: int | None = None  # of a round trip
    version: int | None = None  # of a sleeve or the desk
    count: int | None = None  # the worst 5, the last 10
    place: int | None = None  # the second one, row 3: counted from 0, the last one -1
    by: tuple[str, ...] = ()  # exit, side, day ...
    percent: float | None = None  # a 10 % drop
    which: str | None = None  # worst | best | last
    side: str | None = None
    filters: tuple[str, ...] = ()  # `below 120`, `longer than 6 hours`: what a figure is to be
    without: tuple[str, ...] = ()  # `except sol`: what is to be left out
    out: tuple[str, tuple[str, ...]] | None = None  # the same by the split that sets it apart: (sleeve, (sol-reversion,))
    unit: str | None = None  # `in R`: what the figures are to be in
    everything: bool = False  # all sleeves, the whole desk
    keys: tuple[str, ...] = ()  # parameters named without a value
    axes: Mapping[str, str] = field(default_factory=dict)  # of a search: key -> its values as text
    stepped: tuple[str, ...] = ()  # of those, ranges whose step nobody named
    outcome: str | None = None  # winners | losers | both: trips that are to be left out otherwise
    folds: Mapping[str, str] = field(default_factory=dict)  # `30d train`: train, test -> how long
    fills: str | None = None
    funding: str | None = None
    models: tuple[str, ...] = ()  # stored ones by name
    model_versions: tuple[str, ...] = ()  # `1.2.0`
    closed: Mapping[str, str] = field(default_factory=dict)  # arguments with closed values, as the sentence was learned to mean
    places: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)  # slot -> where it stands in the text

    @property
    def symbol(self) -> str | None:
        """The first symbol named."""
        return self.symbols[0] if self.symbols else None

    def over(self, older: "Slots") -> "Slots":
        """These slots, with what they leave open taken from an older question of the same thread."""
        own = (_OWN + " sleeves symbols" * self.everything).split()  # `now everything`, after one coin
        left = [name for name in self.__dataclass_fields__ if name not in own and not given(getattr(self, name))]
        taken = {name: getattr(older, name) for name in left if given(getattr(older, name))}
        if self.variants or self.common:  # new numbers replace the old ones together
            taken.pop("variants", None)
            taken["common"] = {k: v for k, v in older.common.items() if k not in _keys(self)} | self.common
        gone = says("slots.dropped", self.text) if self.unclear and (older.axes or older.variants) else None
        if gone is not None:  # `drop the 35`: of the values above
            gone_values = set(re.findall(r"\d+(?:\.\d+)?", gone["gone"] or gone["gone2"]))
            kept = {key: ",".join(v for v in values.split(",") if v not in gone_values) for key, values in older.axes.items()}
            variants = tuple(v for v in older.variants if not {params.value_text(value) for value in v.values()} & gone_values)
            taken |= {"axes": kept, "variants": variants, "unclear": ()}
        if self.axes:
            taken["axes"] = {k: v for k, v in older.axes.items() if k not in _keys(self)} | dict(self.axes)
        if self.symbols or self.strategy or self.sleeves:  # `now only btc`, after `without eth`
            taken.pop("out", None)
            taken.pop("without", None)
        if self.symbols or self.strategy:
            taken.pop("sleeves", None)
        if given(self.span):
            taken.pop("periods", None)
        taken["closed"] = {**older.closed, **self.closed}
        return replace(self, **taken)


_OWN = "text closed unclear places place which move everything"  # of a sentence itself: nothing older stands in for them


def given(value: object) -> bool:
    """Whether a slot holds anything."""
    return bool(value) and value != dates.NO_SPAN


def words_of(name: str, value: Any) -> str:
    """What a slot holds, as a person reads it."""
    if name == "by":
        return f"by {' and '.join(value)}"
    if name != "span":
        return " and ".join(value) if isinstance(value, tuple) else str(value)
    window = (("at", value.at), ("from" if value.end else "since", value.start), ("up to", value.end))
    return " ".join(f"{word} {time.replace('T00:00', '').replace('T', ' ')}" for word, time in window if time)


def _weekday(s: Sentence) -> tuple[str, ...]:
    """The split that `mondays`, or `weekends vs weekdays`, asks for: noted as one."""
    if not s.every("weekday"):
        return ()
    s.note("by", s.places.pop("weekday"))
    return ("weekend",) if all(kind in s.text for kind in ("weekend", "weekday")) else ("weekday",)


def _keys(slots: Slots) -> set[str]:
    return {key for variant in slots.variants for key in variant} | set(slots.common) | set(slots.axes)


@lru_cache(maxsize=1024)  # a turn reads the questions before it, too
def read_slots(question: str, words: Words, *, searching: bool = False) -> Slots:
    """The slots of a question. `searching`: it goes on with a search, so that `1 to 3` is a range in it."""
    s = Sentence(tidy(question, words, vocabulary()))
    stored, stored_versions = names.models_of(s, words)  # before a number is read from a version
    searching = searching or says("ranges.searches", s.text) is not None
    written = ranges.written(s.rest, words.params) if searching else {}  # before a clock is read from it
    s.take("params", [place for _, place in written.values()])
    folds, off = (_folds(s), dict[str, int]()) if searching else ({}, _off(s, words))
    without, ids, *_ = s.every("without"), names.ids_of(s, words), s.every("two_ends"), s.every("nth")
    out = _out(s, without, words) if not off else None
    s.take("reason", [m.span(1) for m in PATTERNS["slots.reason"].finditer(s.rest)])
    versions, (place, count, number) = s.every("version"), (s.first(name) for name in ("place", "count", "number"))
    past = ("over the weekend" in s.rest or says("slots.begun", s.rest)) and not says("slots.rests", s.rest)  # no length
    funding, lasting, unit, weekday = names.funding_of(s), None if past else s.first("lasting"), s.first("unit"), _weekday(s)
    s.take("by", nights := [m.span() for m in PATTERNS["slots.nights"].finditer(s.rest)][:1])
    (periods, beside), (span, used) = dates.periods(s.rest, words.desk_ms), dates.read_span(s.rest, words.desk_ms)
    s.take("span", used + beside)
    s.every("ever")
    timeframes, named, by, _ = names.timeframes_of(s), names.sleeves_named(s, words), _by(s), _noted(s, "rule")
    by = (*(one for one in by if one not in ("hour", "day")), "daypart") if nights else (*dict.fromkeys((*by, *weekday)),)
    symbols, handles, strategies = names.symbols_of(s, words), s.every("handles"), names.strategies_of(s, words)
    span = _length(s, words) if span == dates.NO_SPAN and strategies and not (searching or lasting) else span
    venues, percent, move = _venues(s, words), _percent(s), names.move_of(s)
    of = strategies or tuple(dict.fromkeys(sleeve.strategy for sleeve in words.sleeves if sleeve.name in named))
    reading, wanted = _values(s, words, of, written if searching else None)
    filters, unclear = ((), wanted.unclear) if searching else _filters(s, reading)
    return Slots(
        text=s.text,
        strategy=strategies[0] if strategies else None,
        strategies=strategies,
        symbols=symbols,
        timeframe=next(iter(timeframes), None),
        timeframes=timeframes,
        venue=next(iter(venues), None),
        venues=venues,
        span=span,
        periods=tuple(periods),
        lasting=lasting,
        common=reading.common | off,
        variants=() if wanted.axes else tuple(reading.variants),
        unclear=unclear,
        move=move,
        sleeves=named or names.sleeves_meant(words, strategies, symbols, next(iter(timeframes), None)),
        ids=ids,
        handles=tuple(dict.fromkeys(handles)),
        number=None if number is None else int(number),
        version=max(map(int, versions), default=None),
        count=None if count is None else _counted(count),
        place=_place(place),
        by=by,
        percent=percent,
        which=_which(s),
        side=_side(s, out),
        filters=filters,
        without=without,
        out=out,
        unit=unit,
        everything=_noted(s, "everything") is not None,
        keys=wanted.named if searching else _keys_named(s, words, reading),
        axes=wanted.axes,
        stepped=wanted.stepped,
        outcome=_outcome(s),
        folds=folds,
        fills=(_noted(s, "fills") or "").split(" ")[0] or None,
        funding=funding,
        models=stored,
        model_versions=stored_versions,
        places={name: tuple(found) for name, found in s.places.items() if found},
    )


def _off(s: Sentence, words: Words) -> dict[str, int]:
    """`btc trend, no stop`, `turn off the target`: the settings that a run is to be without."""
    names_here = (*words.strategies, *(name for of in words.sleeves for name in (of.name, of.symbol.split("-")[0])))
    found = list(PATTERNS["slots.off"].finditer(s.text)) if any(mentions(name, s.text) for name in names_here) else []
    s.take("params", [m.span() for m in found])
    return {f"{m[m.lastindex or 0]}_atr": 0 for m in found}


def _values(s: Sentence, words: Words, of: tuple[str, ...], written: Any) -> tuple[params.ParamReading, ranges.Wanted]:
    """Values that are set, and those that a search varies; more than stand beside each other are searched: `stop 1 2 3 4`."""
    own = {**words.params_of(of), **{key: param for key, param in words.params.items() if "_" in key and mentions(key, s.rest)}}
    if written is not None:
        wanted = ranges.read_wanted(s.rest, own, {k: v for k, (v, _) in written.items()})
        reading = params.ParamReading(dict(wanted.fixed), [], (), wanted.places)
    else:
        lengths = PATTERNS["slots.of_hours"].sub(lambda m: BLANK * len(m[0]), s.rest)  # `under 30 minutes` sets no parameter
        reading = params.read_params(lengths, own)
        keys = dict.fromkeys(key for of in reading.variants for key in of) if len(reading.variants) > 3 else {}
        axes = {key: ",".join(dict.fromkeys(params.value_text(of[key]) for of in reading.variants)) for key in keys}
        wanted = ranges.Wanted(axes, {}, (), (), (), ())
    s.note("params", reading.places)
    return reading, wanted


def _length(s: Sentence, words: Words) -> dates.TimeSpan:
    """`1 year btc trend`: as long as the run is to be, up to now."""
    bare = says("slots.bare_span", s.rest)
    s.take("span", [bare.span()] if bare else [])
    return dates.read_span(f"last {bare[0]}", words.desk_ms)[0] if bare else dates.NO_SPAN


def in_window_above(read: Slots, older: Slots, desk_ms: int | None) -> Slots | None:
    """`the 30 days before that` as the window it is. None: before what?"""
    found = dates.ahead_of(read.span, older.span, desk_ms) if read.span.ahead else read.span
    return None if found is None else replace(read, span=found)


def _place(said: str | None) -> int | None:
    """Which of a list is meant, from 0 on; -1 is the last."""
    return None if said is None else ORDINALS[said] if said in ORDINALS else _counted(said) - 1


ORDINALS = {"first": 0, "1st": 0, "former": 0, "second": 1, "2nd": 1, "third": 2, "3rd": 2, "fourth": 3, "4th": 3, "fifth": 4}
ORDINALS |= {"middle": 1}  # of the three that are compared
ORDINALS |= {"5th": 4, "top": 0, "last": -1, "latter": -1}
COUNTED = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}


def _counted(word: str) -> int:
    return int(word) if word.isdigit() else COUNTED[word]


def _noted(s: Sentence, name: str) -> str | None:
    """What the slot's pattern finds first in the rest; all its places noted."""
    found = list(PATTERNS[f"slots.{name}"].finditer(s.rest))
    s.note(name, [m.span() for m in found])
    return found[0][0] if found else None


def _venues(s: Sentence, words: Words) -> tuple[str, ...]:
    """The venues that are named, in the order of the desk's."""
    found = {venue: mentions(venue, s.rest) for venue in dict.fromkeys((*words.venues, "binance", "okx", "bybit", "synthetic"))}
    s.note("venue", [m.span() for listed in found.values() for m in listed])
    return tuple(venue for venue, listed in found.items() if listed)


def _out(s: Sentence, without: tuple[str, ...], words: Words) -> tuple[str, tuple[str, ...]] | None:
    """What is left out, by the split that sets it apart; what denies it and what it is counted from are noted."""
    found = left_out(s.text, without, words)
    s.note("never", [m.span() for pattern in (PATTERNS["slots.never"], BEFORE_COSTS) for m in pattern.finditer(s.rest)])
    s.take("since_event", [m.span() for m in PATTERNS["slots.since_event"].finditer(s.rest)])
    return found


_RANKED = ("exit", "side", "hour", "weekday", "day", "week", "month", "symbol", "sleeve")
_EVERY = {"day": "daily", "week": "weekly", "month": "monthly"}


def _by(s: Sentence) -> tuple[str, ...]:
    """`by exit`, `per day`, `each month`, `longs or shorts`, `which hour ... most`: what a split is asked by."""
    found_all: list[str] = []
    for name, forms in BY.items():
        said = "|".join(sorted(map(re.escape, forms), key=len, reverse=True))
        patterns = [rf"\b(?:(?<!side )by|per|for each|each|every|broken down by) (?:the |its )?(?:{said})\b(?! of \w+ing)"]
        patterns += [rf"\b(?:{'|'.join(f for f in forms if ' ' in f)})\b"] if name == "side" else []
        patterns += [rf"^(?:(?:and|so|but|on|in|from|by|of|for) )*(?:which|what) (?:{said})(?=[?.! ]*$)"]
        single = (
            rf"(?:(?<=\bbest )|(?<=\bworst ))(?:{said})\b|(?:(?<=\bbiggest )|(?<=\bsingle ))(?:{said})(?= (?:loss|gain|profit))"
        )
        patterns += [rf"{single}|\brank (?:the |our |my |all )*(?:{said})\b"] if name in _RANKED else []
        patterns += [rf"\b(?:which|what) (?:{said})\b"] if name in _RANKED and says("slots.ranks", s.rest) else []
        patterns += [rf"\b{_EVERY[name]}\b(?! loss| limit)"] if name in _EVERY and "correlat" not in s.rest else []
        if found := next((m for pattern in patterns if (m := re.search(pattern, s.rest))), None):
            found_all.append(name)
            s.take("by", [found.span()])
    for name in BY if found_all else ():  # `by side and weekday`
        said = "|".join(sorted(map(re.escape, BY[name]), key=len, reverse=True))
        more = re.search(rf"(?<={BLANK}) ?(?:,|and|then|x) (?:(?:then|by|per|the|also) )*(?:{said})\b", s.rest)
        if name not in found_all and more is not None and s.text[: more.start()].endswith(tuple(BY[found_all[0]])):
            found_all.append(name)
            s.take("by", [more.span()])
    both = [m for side in ("long", "short") if (m := re.search(rf"\b{side}s?\b", s.rest))]
    if len(both) == 2 and not found_all and re.search(r"\b(?:better|worse|more|less|than|against|compared?)\b", s.rest):
        s.take("by", [m.span() for m in both])
        return ("side",)
    return tuple(found_all)


def _percent(s: Sentence) -> float | None:
    """A move of a price in percent, signed; a percent of a parameter is left to the parameters."""
    if re.search(r"\b(?:risk|leverage)\b.*\bto \d", s.rest):  # `lower btc risk to 0.25%`
        return None
    found = says("slots.percent", s.rest)
    near = [m for m in PATTERNS["slots.move"].finditer(s.rest) if found and abs(found.start() - m.start()) <= 24]
    if not found or not (near or (found[1][0] in "+-" and s.rest[: found.start()].rstrip().endswith(BLANK))):  # `sol -25 %`
        return None
    value = float(found[1]) / 100
    s.take("percent", [found.span(), *(m.span() for m in near[:1])])
    return -abs(value) if near and says("slots.down", s.text) else value


def _filters(s: Sentence, read: params.ParamReading) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`below 120`, `above 2R`: bounds of a figure, of numbers that set no parameter; and the numbers that say nothing."""
    found = [
        m.span() for m in PATTERNS["slots.beyond"].finditer(s.rest) if BLANK not in m[0] and not _meet([m.span()], read.places)
    ]
    left = [place for place in read.unplaced if not _meet([place], found)]
    s.note("filters", found)
    s.note("unclear", left)
    return tuple(s.rest[a:b] for a, b in found), tuple(s.rest[a:b] for a, b in left)


def _meet(some: Places, others: Places) -> bool:
    return any(a < d and c < b for a, b in some for c, d in others)


_WHICH = {which: PATTERNS[f"slots.{which}"] for which in ("worst", "best", "last")}


def _which(s: Sentence) -> str | None:
    """Which of several: the worst, the best, both ends, the last."""
    when = s.places.get("span", [])  # the `last` of `last week` is a window's
    found = {which: [at for m in of.finditer(s.text) if not _meet([at := m.span()], when)] for which, of in _WHICH.items()}
    s.note("which", found["worst"] + found["best"])
    named = [which for which, places in found.items() if places]
    return "both" if named[:2] == ["worst", "best"] else named[0] if named else None


def _outcome(s: Sentence) -> str | None:
    """Winners or losers alone, or both beside each other, where no `biggest` makes a ranking of them."""
    found = [m for m in PATTERNS["slots.outcome"].finditer(s.text) if not _meet([m.span()], s.places.get("which", []))]
    s.note("outcome", [m.span() for m in found])
    kinds = list(dict.fromkeys("winners" if re.search("win|good|green", m[0]) else "losers" for m in found))
    return "both" if len(kinds) > 1 or (kinds and says("slots.ends", s.text)) else kinds[0] if kinds else None


_FOLD = {"fit": "train", "learn": "train", "in": "train", "trade": "test", "out": "test"}
_DAYS = {"m": 30, "y": 365}  # of what no fold is given in


def _folds(s: Sentence) -> dict[str, str]:
    """`30d train and 5d test`, `three months in, one out`: how long each fold learns and trades."""
    found = list(PATTERNS["slots.folds"].finditer(s.rest))
    unit = next((u[0] for m in found if (u := m["u1"] or m["u2"])), "")
    s.take("folds", [m.span() for m in found if unit])
    sized = [(m["p1"] or m["p2"], _counted(m["n1"] or m["n2"]), (m["u1"] or m["u2"] or unit)[0]) for m in found if unit]
    parts = [(next(to for of, to in _FOLD.items() if part.startswith((of, to))), n, u) for part, n, u in sized]
    return {part: f"{n * _DAYS[u]}d" if u in _DAYS else f"{n}{u}" for part, n, u in parts}


def _side(s: Sentence, out: tuple[str, tuple[str, ...]] | None) -> str | None:
    """The one side that is named, or that is left where the other is not wanted; both are a split or no narrowing."""
    if out is not None and out[0] == "side" and s.places.get("strategies"):
        return next(iter({"long", "short"} - set(out[1])), None)
    lasts = re.search(r"\b(?:how|as|too|so|very|that) long\b", s.rest)
    found = {side: [m.span() for m in re.finditer(rf"\b{side}s?\b", s.rest)] for side in ("long", "short")}
    named = [side for side, places in found.items() if places and not (side == "long" and lasts)]
    s.note("side", found[named[0]] if len(named) == 1 else [])
    return named[0] if len(named) == 1 else None


def _keys_named(s: Sentence, words: Words, read: params.ParamReading) -> tuple[str, ...]:
    """Parameters that are named without a value: by key, or by their words where a question is about a setting of a sleeve."""
    set_here = {*read.common, *(key for variant in read.variants for key in variant)}
    found = {key: [m.span() for m in mentions(key, s.rest)] for key in words.params if "_" in key and key not in set_here}
    found = {key: places for key, places in found.items() if places}
    setting = None if found or set_here else says("slots.setting_of", s.text)
    spoken = [m.span() for sleeve in words.sleeves for m in mentions(sleeve.name.replace("-", " "), s.text)] if setting else []
    s.note("sleeves", spoken)
    if setting is not None and (spoken or any(mentions(sleeve.name, s.text) for sleeve in words.sleeves)):
        named = params.keys_named(s.rest, {key: param for key, param in words.params.items() if not param.choices})
        units = {unit for unit, said in _UNITS_OF_SETTINGS.items() if said.search(s.text)}
        found = {key: [*places, setting.span()] for key, places in named.items() if not units or key.endswith(tuple(units))}
    s.note("keys", [place for places in found.values() for place in places])
    return tuple(found)


# what a question about a setting says beside the parameter's own words; where a level is asked for, or what happened, it is none
_UNITS_OF_SETTINGS = {"atr": re.compile(r"\batrs?\b"), "bars": re.compile(r"\bbars?\b"), "frac": re.compile(r"%|\bper ?cent\b")}
