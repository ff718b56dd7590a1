"""Numbers and words of a question that set parameters. Called by slots.py: tidy text in, one dict of values a variant out.

`stop_atr=3`, `stop_atr 2 vs 3`, `a 2 ATR with a 3 ATR stop`, `fast 20 slow 100 against fast 40 slow 200`, `risk 0.5 %`,
`entry=limit`, `entry to limit`, `market against limit entries`. A number takes the key whose words are next to it and whose unit
it carries; one without words takes the key of its neighbour in the list. Keys that come once are common to all variants, keys
that come n times make n variants.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from typing import Any, NamedTuple

from agents.offline.words import LISTS, PATTERNS, Param, says

# other ways to say a word of a key; keys with a phrase of their own, of some with a unit only: `good for` is everyday English
_ALSO, _PHRASES = ({key: tuple(forms.split("|")) for key, forms in LISTS[name].items()} for name in ("key_words", "key_phrases"))
_TYPED = ("good_for_bars",)
_UNIT_SAID: Mapping[str, str] = LISTS["unit_said"]
# a number that is not part of a word, a clock or a version; its sign only where no number stands before it
_NUMBER = re.compile(
    r"(?<![\w.:])(?:(?<![\d)] )(?<![\d)])[-+])?\d+(?:\.\d+)?(?![\w:]*\d)(?=$|[^\w.]|\.(?!\d)|x\b|%|(?:atr|bars?|bps?|pct)\b)"
)
_LINK = re.compile(
    r"(?:[\s,;/\u00b7-]|\b(?:with|versus|vs\.?|against|and|or|then|than|compared|a|an|the|for|on|in|of|to|one|at)\b)*"
)
_OR = r"(?:\s*[,/]\s*|\s+(?:versus|vs\.?|against|with|and|or|than|instead of|rather than)\s+)(?:an?\s+|the\s+)?"
_COUNTED = r"(?!\s+(?:to|per|a|each|at)\b)"  # `limit entries to 5 a day` names no order type


class ParamNumber(NamedTuple):
    """A number of the text with the unit typed beside it and the key it was given, if any; or a word that is a choice."""

    start: int
    stop: int
    value: Any
    unit: str
    key: str | None


class ParamReading(NamedTuple):
    """The numbers read: values common to all, variants, and numbers whose key is ambiguous."""

    common: dict[str, Any]
    variants: list[dict[str, Any]]
    unclear: tuple[str, ...]
    places: tuple[tuple[int, int], ...] = ()  # of the numbers that were given a key, and of the words that name parameters
    unplaced: tuple[tuple[int, int], ...] = ()  # of the numbers without one
    numbers: tuple[ParamNumber, ...] = ()  # those with a key, in their order


def read_params(text: str, params: Mapping[str, Param]) -> ParamReading:
    """Parameters of a tidy text from which dates, ids and names have been blanked out."""
    whole = text
    chosen, text = _choices(text, params)
    params = {key: param for key, param in params.items() if not param.choices}
    assigned, rest = _assignments(text, params)
    numbers = _inherit(rest, _old_values(rest, _with_keys(rest, _numbers_in(rest), params)), params)
    led = {n.start: a.key for n in numbers for a in assigned if a.start < n.start and _LINK.fullmatch(rest[a.stop : n.start])}
    numbers = [n if n.key or n.unit else n._replace(key=led.get(n.start)) for n in numbers]  # `stop_atr=2 or 3`
    keyed = sorted((*chosen, *assigned, *(n for n in numbers if n.key)), key=lambda n: n.start)
    unclear = tuple(rest[n.start : n.stop] for n in numbers if not n.key)
    common, variants = _group_variants(keyed)
    named = {form for n in keyed for part in str(n.key).split("_") for form in _ALSO.get(part, (part, part + "s"))}
    forms = "|".join(sorted(map(re.escape, named | {str(n.key) for n in keyed}), key=len, reverse=True))
    said = [m.span() for m in re.finditer(rf"(?<![a-z_])(?:{forms})(?![a-z_])", whole)] if keyed else []
    places = [(n.start, n.stop) for n in (*numbers, *chosen, *assigned) if n.key]
    unplaced = tuple((n.start, n.stop) for n in numbers if not n.key)
    return ParamReading(common, variants, unclear, tuple(places + said), unplaced, tuple(keyed))


def keys_named(text: str, params: Mapping[str, Param]) -> dict[str, list[tuple[int, int]]]:
    """Parameters whose own words stand in a text, whether or not a value stands beside them, and where they stand. A name that is
    a part of another one's there (`stop` of `trailing stop`) names that one alone."""
    found: dict[str, tuple[float, _Places]] = {}
    for key, param in params.items():
        at: tuple[tuple[int, int], tuple[int, int]] = ((0, len(text)), (len(text), len(text)))
        if key in _PHRASES:  # `the entry threshold`; one word of them is everyday English
            near = _nearest([form for form in _PHRASES[key] if " " in form], text, *at, set())
            found |= {key: (9.0, {near[1]})} if near else {}
            continue
        score, places = _score(key, param, "", text, *at, set())
        found |= {key: (score, places)} if score > 0 else {}
    taken = {
        place: max(len(places) for _, places in found.values() if place in places) for _, own in found.values() for place in own
    }
    return {key: sorted(places) for key, (_, places) in found.items() if all(len(places) == taken[place] for place in places)}


def value_text(value: Any) -> str:
    """A value as the tools take it: `0.005`, never `5e-03`."""
    return (
        f"{Decimal(str(value)).normalize():f}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    )


def _value(text: str, percent: bool, key: str) -> float | int | bool:
    if text in ("true", "false"):
        return text == "true"
    number = float(text) / 100 if percent and not key.endswith(("_bps", "_pct")) else float(text)
    return int(number) if number.is_integer() and "." not in text else round(number, 12)


def _choices(text: str, params: Mapping[str, Param]) -> tuple[list[ParamNumber], str]:
    """Words that a parameter may be, beside its name; and the text with them blanked."""
    chosen: list[ParamNumber] = []
    for key, param in params.items():
        for pattern in _choice_patterns(key, param.choices):
            for found in pattern.finditer(text):
                words = _words_chosen(found, text)
                chosen += [ParamNumber(found.start("words") + n, found.end(), word, "", key) for n, word in enumerate(words)]
                if words:
                    text = text[: found.start()] + " " * len(found[0]) + text[found.end() :]
    return chosen, text


def _choice_patterns(key: str, choices: Sequence[str]) -> list[re.Pattern[str]]:
    """`limit entries`; `entry to limit`, `entry limit`; `entry=` and any word, which the tool then refuses with the choices."""
    if not choices:
        return []
    name, word = "|".join(_ALSO.get(key, (key, key + "s"))), "|".join(map(re.escape, choices))
    words = rf"(?P<words>(?:{word})(?:{_OR}(?:{word}))*)(?![\w-])"
    set_to = r"\s*(?:=|:=|:)\s*|\s+(?:(?!\d)\S+\s+){0,6}?(?:to|by|as|at|with|is|be|using)\s+(?:an?\s+|the\s+)?"
    return [
        re.compile(rf"(?<![\w-]){words}\s+(?:orders?\s+)?(?:{name})\b{_COUNTED}"),
        re.compile(rf"(?<![\w-])(?:{name})(?:{set_to}|(?P<bare>\s+)){words}"),
        re.compile(rf"(?<![\w-]){key}\s*(?:=|:=)\s*(?P<words>[a-z_]+)(?![\w-])"),
    ]


def _words_chosen(found: re.Match[str], text: str) -> list[str]:
    """The words of a match, without those that are to be replaced; none when it counts entries (`the entry limit`)."""
    if PATTERNS["params.old_next"].search(text, 0, found.start()):
        return []
    words = re.split(_OR, PATTERNS["params.old"].split(found["words"])[0].strip())
    bare = found.groupdict().get("bare") and len(words) == 1
    return [] if bare and not PATTERNS["params.asked"].search(text, 0, found.start()) else words


def _assignments(text: str, params: Mapping[str, Param]) -> tuple[list[ParamNumber], str]:
    """`k=v` pairs, and the text with the pairs blanked."""
    found_all = []
    for found in PATTERNS["params.assign"].finditer(text):
        name, size = found[1].replace("_", " "), len(found[1])  # `fast=20` is fast_bars where only one can be meant
        key = found[1] if found[1] in params else _best(name, (0, size), (size, size), "", params, set())[0] or found[1]
        found_all.append(ParamNumber(*found.span(), _value(found[2], bool(found[3]), key), "", key))
    return found_all, PATTERNS["params.assign"].sub(lambda found: " " * len(found[0]), text)


def _numbers_in(text: str) -> list[ParamNumber]:
    """Every number with the unit typed beside it."""
    listed = []
    for found in _NUMBER.finditer(text):
        if PATTERNS["params.clock"].match(text, found.end()):
            continue
        unit, stop = "", found.end()
        for name, pattern in _UNIT_SAID.items():
            said = re.compile(r"\s*" + pattern).match(text, found.end())
            if said:
                unit, stop = name, said.end()
                break
        listed.append(ParamNumber(found.start(), stop, _value(found[0], unit == "frac", ""), unit, None))
    return listed


def _with_keys(text: str, numbers: Sequence[ParamNumber], params: Mapping[str, Param]) -> list[ParamNumber]:
    """Each number with the key whose words stand beside it, from left to right; a word serves one number only."""
    used: set[tuple[int, int]] = set()
    done, led = [], None
    for i, number in enumerate(numbers):
        before = _reach(text, numbers[i - 1].stop if i else 0, number.start, last=True)
        after = _reach(text, number.stop, numbers[i + 1].start if i + 1 < len(numbers) else len(text), last=False)
        key, places = _best(text, before, after, number.unit, params, used)
        goes_on = not text[numbers[i - 1].stop if i else 0 : number.start].strip(" ,;/") and not number.unit
        if led and goes_on and (not places or re.match(r"\s*\d", text[max(places)[1] :])):
            key, places = led, set()  # `fast 20 30 40 slow 100`: the list goes on, the word after it is that of the next number
        else:
            led = key if places and max(places)[1] <= number.start else None
        used.update(places)
        done.append(number._replace(key=key))
    return done


def _reach(text: str, start: int, stop: int, *, last: bool) -> tuple[int, int]:
    """The part of text[start:stop] that belongs to the number beside it: up to the joining word."""
    joins = list(PATTERNS["params.join"].finditer(text, start, stop))
    if not joins:
        return start, stop
    return (joins[-1].end(), stop) if last else (start, joins[0].start())


_Places = set[tuple[int, int]]


def _best(
    text: str, before: tuple[int, int], after: tuple[int, int], unit: str, params: Mapping[str, Param], used: _Places
) -> tuple[str | None, _Places]:
    """The one best key for a number and the words that named it; None when nothing, or more than one, fits best."""
    scored = []
    for key, param in params.items():
        score, places = _score(key, param, unit, text, before, after, used)
        if score > 0:
            scored.append((round(score, 6), key, places))
    scored.sort(key=lambda entry: -entry[0])
    if not scored or (len(scored) > 1 and scored[0][0] == scored[1][0]):
        return None, set()
    return scored[0][1], scored[0][2]


def unit_of(key: str, param: Param | None) -> str:
    """The unit a number for `key` would carry: atr, bars, frac, days, bps; empty when it is a plain number."""
    last = key.rsplit("_", 1)[-1]
    declared = "frac" if param is not None and param.unit.startswith(("frac", "of ", "a year")) else ""
    return last if last in _UNIT_SAID else declared


def _score(
    key: str, param: Param, unit: str, text: str, before: tuple[int, int], after: tuple[int, int], used: _Places
) -> tuple[float, _Places]:
    """How well a key fits: its words beside the number, its unit typed; 0 when a word of it is missing."""
    own = unit_of(key, param)
    if unit and own != unit:
        return 0.0, set()
    literal = _nearest((key, key.replace("_", " ")), text, before, after, used)
    if literal:
        return 20.0 + literal[0], {literal[1]}
    if key in _PHRASES:
        near = _nearest(_PHRASES[key], text, before, after, used) if unit or key not in _TYPED else None
        return (5.0 + near[0], {near[1]}) if near else (0.0, set())
    words = [word for word in key.split("_") if word not in _UNIT_SAID] or [key.split("_", maxsplit=1)[0]]
    score, places = 0.0, set()
    for word in words:
        near = _nearest(_ALSO.get(word, (word, word + "s")), text, before, after, used)
        if near is not None:
            score += 3.0 + near[0]
            places.add(near[1])
        elif word == "max" and places and words[0] != "risk":
            score -= 1.0  # "leverage 3" may mean leverage_max when nothing fits better
        else:
            return 0.0, set()
    score += 2.0 if unit else {"atr": 0.5, "bars": 0.5}.get(own, 0.0)
    return score - 0.01 * len(words), places


def _nearest(
    forms: Sequence[str], text: str, before: tuple[int, int], after: tuple[int, int], used: _Places
) -> tuple[float, tuple[int, int]] | None:
    """(0..1, nearer is more; its place) of the nearest form; a longer phrase counts more. None: no form is there."""
    best: tuple[float, tuple[int, int]] | None = None
    for said in forms:
        pattern = re.compile(rf"(?<![a-z_]){re.escape(said)}(?![a-z_])")
        for bonus, (start, stop) in ((0.05, before), (0.0, after)):
            for found in pattern.finditer(text, start, stop):
                if found.span() in used or (said in ("stop", "stops") and re.search(r"trailing[ -]$", text[: found.start()])):
                    continue
                gap = stop - found.end() if bonus else found.start() - start
                score = max(0.0, 1.0 - gap / 40) + 0.1 * said.count(" ") + bonus
                if best is None or score > best[0]:
                    best = (score, found.span())
    return best


def _old_values(text: str, numbers: Sequence[ParamNumber]) -> list[ParamNumber]:
    """`from 2 to 3 ATR` and `3 instead of 2 ATR` name an old value beside the new one: the old one is dropped."""
    kept = list(numbers)
    for a, b in pairwise(numbers):
        between = text[a.stop : b.start]
        if re.search(r"\b(?:instead of|rather than|not|down from|up from|currently|now)\s+(?:an?\s+|the\s+)?$", between):
            old, new = b, a
        elif re.search(r"\bfrom\s+(?:an?\s+|the\s+|its\s+)?(?:\w+\s+)?$", text[: a.start]) and re.search(
            r"^\s*(?:to|up to|down to)\s+(?:an?\s+)?$", between
        ):
            old, new = a, b
        else:
            continue
        if old in kept and new in kept:
            kept.remove(old)
            kept[kept.index(new)] = new._replace(key=new.key or old.key)
    return kept


def _inherit(text: str, numbers: Sequence[ParamNumber], params: Mapping[str, Param]) -> list[ParamNumber]:
    """In a list (`2, 2.5 and 3 ATR stops`) a number without a key takes its right neighbour's, else its left one's."""
    done = list(numbers)
    for order in (range(len(done) - 2, -1, -1), range(1, len(done))):
        step = 1 if order.step < 0 else -1
        for i in order:
            here, other = done[i], done[i + step]
            low, high = (here, other) if step > 0 else (other, here)
            between = text[low.stop : high.start]
            if here.key is None and other.key and (_LINK.fullmatch(between) or (step < 0 and says("params.than", between))):
                done[i] = _adopt(here, other, unit_of(other.key, params.get(other.key)))
    named = {n.key for n in done if n.key}
    if len(done) == 1 and done[0].unit and not named and says("moves.bare", text):  # `a tighter stop on all sleeves, 1.5 atr`
        fits = [key for key in keys_named(text, params) if unit_of(key, params[key]) == done[0].unit]
        done = [done[0]._replace(key=fits[0])] if len(fits) == 1 else done
    for i, here in enumerate(done):  # `slow_bars 200 is short. does 600 look any different`
        if here.key is None and len(named) == 1 and says("params.tried", text[: here.start]):
            done[i] = _adopt(here, next(n for n in done if n.key), "")
    return done


def _adopt(number: ParamNumber, other: ParamNumber, own: str) -> ParamNumber:
    """Take the neighbour's key when the unit allows it; `risk 1 or 2 %` makes percents of both."""
    if number.unit not in ("", own):
        return number
    percent = other.unit == "frac" and not number.unit
    value = round(float(number.value) / 100, 12) if percent else number.value
    return number._replace(key=other.key, value=value, unit=other.unit)


def _group_variants(keyed: Sequence[ParamNumber]) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """(common, variants): keys said once are common; those said n times, in order, make n variants."""
    by_key: dict[str, list[Any]] = {}
    for number in keyed:
        by_key.setdefault(str(number.key), []).append(number.value)
    many = {key: values for key, values in by_key.items() if len(values) > 1}
    common = {key: values[0] for key, values in by_key.items() if len(values) == 1}
    if not many:
        return common, []
    size = max(len(values) for values in many.values())
    variants = [{key: values[min(i, len(values) - 1)] for key, values in many.items()} for i in range(size)]
    return common, [dict(v) for v in variants]
