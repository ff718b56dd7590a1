"""A short sentence that changes one slot of the turn above, or adds another value: `no wait, 9`, `eth too`, `vs 6`. Called by
above_kinds.py.

What was filed before a correction stays until a person decides; the answer says so.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from agents.offline.account import tokens_of, words_left
from agents.offline.choose import entry_of
from agents.offline.parts import Part
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots, read_slots
from agents.offline.steps import CallResult, Plan, PlannedAnswer, PlanOf, Question, asks_back, drafted
from agents.offline.turn_above import OWN_NAMES, TurnAbove, run_of
from agents.offline.words import LIGHT, STOP
from tools.common.contract import Effect

_CORRECTS = re.compile(
    r"^(?:(?:oh|oops|no|nope|nah|sorry|wait|hold on|hang on|actually|hm+|rather|correction|my bad|my mistake|"
    r"i (?:mean|meant)|let us say|say|"
    r"scratch that|i said|better|not that)\b[ ,.:;!-]*)+"
)
_AFTER = re.compile(r"(?:[ ,]+(?:i (?:mean|meant)|instead|rather|please|sorry|of course|not that|that is))+[?.! ]*$")
_MAKE = re.compile(
    r"^(?:(?:and|so|then|please|ok) )*(?:make|do|set|change|have|take|use) (?:it|that|this)(?: to| at| for|"
    r" on)? |^change to |^(?:for|over|with) (?=\d)"
)
_TOO = re.compile(
    r"(?:[ ,]+(?:too|as well|also))+[?.! ]*$|^(?:and )?(?:also|same (?:for|with|on)|the same (?:for|with|on)|"
    r"likewise(?: for)?) "
)
_CLOCK = re.compile(
    r"^(?:until |till |til |to |at |by )?(tomorrow(?: at)? )?(\d{1,2})(?::(\d\d))? ?(am|pm|o'?clock|h|utc|"
    r"z)?[?.! ]*$"
)
_NUMBER = re.compile(r"^(?:to |at |below |under |above |over )?\$?(\d[\d,]*(?:\.\d+)?) ?(k)?[?.! ]*$")
_SPAN = re.compile(r"^(?:the )?(?:last |past )?(\d{1,3} (?:hours?|days?|weeks?|months?)|week|month|day)[?.! ]*$")


class Rest(NamedTuple):
    """A sentence without the words that correct: it goes on with the question before."""

    text: str


Corrected = Rest | Part | str | PlannedCall | PlannedAnswer | PlanOf


def _stripped(text: str) -> str:
    """A sentence without the words that correct."""
    return _MAKE.sub("", _AFTER.sub("", _CORRECTS.sub("", text))).strip(" ,")


def _refiled(read: Slots, above: TurnAbove) -> Corrected | None:
    """`no wait, 9`, `eth too`, after a pause or a watch was asked for: asked for anew, and what was filed before is named."""
    filed = above.filed()
    if above.last is None or not filed or filed[-1][0] is not above.last:
        return None
    last, identity = filed[-1]
    rest = _stripped(read.text)
    if last.name == "propose_pause":
        if (ends := _clock(rest)) is not None:
            return _anew(last, identity, {"ends": f"until {ends}"}, replaces=True)
        named = [name for name in read.sleeves if name != last.args.get("sleeve")]
        bare = not read.places.keys() & {"span", "lasting"} and _only_names(read)
        if len(named) == 1 and bare:
            return _anew(last, identity, {"sleeve": named[0]}, replaces=rest != read.text and not _TOO.search(read.text))
    if (
        last.name == "propose_watch"
        and last.args.get("metric") == "price"
        and len(read.symbols) == 1
        and (at := _AT_LEVEL.match(read.text))
    ):
        level = float(at[1].replace(",", "")) * (1000 if at[2] else 1)
        return _anew(last, identity, {"subject": read.symbols[0], "level": level}, replaces=False)
    number = _NUMBER.match(rest) if last.name == "propose_watch" and not read.symbols else None
    if number:
        level = float(number[1].replace(",", "")) * (1000 if number[2] else 1)
        old = float(last.args.get("level", 0))
        level = level * 1000 if level * 200 < abs(old) <= level * 5000 else level  # `make that 82`, after 80000
        return _anew(last, identity, {"level": -abs(level) if old < 0 else level}, replaces=True)
    return None


_AT_LEVEL = re.compile(
    r"^(?:and )?(?:the )?same (?:for|with|on) \w+ (?:at|below|under|above|"
    r"over) \$?(\d[\d,]*(?:\.\d+)?) ?(k)?[?.! ]*$"
)


def _only_names(read: Slots) -> bool:
    """Whether a sentence names a sleeve and says nothing else."""
    light = {"too", "also", "well", "same", "one", "mean", "meant", "likewise", "sorry", "instead", "rather", "wait"}
    return not [word for word in words_left(read) if word not in light]


def _clock(text: str) -> str | None:
    """`9`, `21:30`, `9pm` as a time of the day."""
    found = _CLOCK.match(text)
    if found is None:
        return None
    hour = int(found[2]) + (12 if found[4] == "pm" and int(found[2]) < 12 else 0)
    day = "tomorrow " if found[1] else ""
    return f"{day}{hour:02d}:{found[3] or '00'}" if hour < 24 else None


def _anew(last: CallResult, identity: str, args: Mapping[str, Any], *, replaces: bool) -> PlanOf:
    """The call above with other arguments, and what becomes of the one before."""

    def plan(q: Question) -> Plan:
        call = PlannedCall(last.name, {**last.args, **args, **_reason(q, last)})
        (result,) = yield [call]
        ends = (
            f"nightdesk watches remove {identity}"
            if identity.startswith("w-")
            else f"nightdesk proposals reject {identity} --as NAME"
        )
        before = f"{identity} was asked for before and still waits; a person withdraws it: `{ends}`" if replaces else ""
        return drafted([call], [result], before)

    return plan


def _reason(q: Question, last: CallResult) -> dict[str, str]:
    return {"rationale": f"Asked by a person: {q.raw[:200]!r}."} if "rationale" in last.args else {}


_VERSUS = re.compile(
    r"^(?:and )?(?:vs\.?|versus|against|compared? (?:it |that )?(?:to|with|against)|how (?:does|about) (?:it|"
    r"that) (?:compare )?(?:against|to|with|vs)) "
    r"(?:an? |the )?(-?\d+(?:\.\d+)?)\b"
)


def _against(read: Slots, above: TurnAbove) -> Corrected | None:
    """`vs 6`, after a run with one value changed: both values compared."""
    found, last = _VERSUS.match(read.text), above.last
    older = above.older
    if found is None or last is None or last.name != "backtest" or older is None or len(older.slots.common) != 1:
        return None
    if read.places.keys() & OWN_NAMES:
        return None
    ((key, old),) = older.slots.common.items()
    number = float(found[1])
    new = int(number) if number.is_integer() and "." not in found[1] else number
    slots = replace(
        older.slots, common={}, variants=({key: old}, {key: new}), unclear=(), places={**older.slots.places, **read.places}
    )
    slots = replace(slots, text=f"compare {key}={old} with {key}={new}")
    return older._replace(
        text=f"{read.text}", slots=slots, chosen=entry_of("compare"), own=read, ask="compare", lost=(), left=(), maybe=()
    )


_JOINS = re.compile(
    r"^(?:and |also |add |plus )*(?:an? |the )?(-?\d+(?:\.\d+)?)(?: atr)?(?:,? (?:too|also|as well))[?.! ]*$|"
    r"^(?:add|also|plus) (?:an? )?(-?\d+(?:\.\d+)?)(?: atr)?[?.! ]*$"
)


def _joins(read: Slots, above: TurnAbove) -> Corrected | None:
    """`and 4 too`, after values of one parameter were compared: compared with them."""
    found, last, older = _JOINS.match(read.text), above.last, above.older
    if found is None or last is None or last.name != "compare" or older is None or not older.slots.variants:
        return None
    keys = {key for variant in older.slots.variants for key in variant}
    if len(keys) != 1 or any(len(variant) != 1 for variant in older.slots.variants):
        return None
    number = float(found[1] or found[2])
    new = {keys.pop(): int(number) if number.is_integer() else number}
    slots = replace(older.slots, variants=(*older.slots.variants, new), unclear=())
    return older._replace(text=read.text, slots=slots, own=read, lost=(), left=(), maybe=(), frame=None)


def _of_another_run(read: Slots, above: TurnAbove) -> Corrected | None:
    """`and on eth`, after the trips of a run of BTC: that run has none of ETH, and the desk's are another question."""
    last, runs = above.last, above.runs()
    if (
        last is None
        or last.name not in ("trips", "performance")
        or not str(last.args.get("subject", "")).startswith("r-")
        or not runs
    ):
        return None
    run = next((run for run in runs if run_of(run) == last.args["subject"]), None)
    other = [symbol for symbol in read.symbols if run is not None and symbol != run.args.get("symbol")]
    if run is None or len(other) != 1 or len(words_left(read)) > 1 or read.places.keys() & {"span", "ids", "strategies"}:
        return None
    a = run.args
    window = f" from {a['start']} to {a['end']}" if a.get("start") and a.get("end") else ""
    return asks_back(
        f"{last.args['subject']} is a run of {a.get('symbol')} alone, so it has nothing of {other[0]}. Run that first: "
        f"`backtest {a.get('strategy')} on {other[0]} {a.get('timeframe', '')}{window}`, or name the desk to ask of its trades."
    )


_LATE = re.compile(
    r"\b(?:(\d{1,2}|a|one|two|three|four|five) (?:bars?|candles?) (?:late|later|delay\w*)|"
    r"delay\w* (?:by )?(\d{1,2}|a|one|two|three) (?:bars?|candles?))\b"
)
_WORDS = {"a": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5}


def _late(read: Slots, above: TurnAbove) -> Corrected | None:
    """`every signal 2 bars late`, after a run: no call of a chat sets a delay, the command does."""
    found, last = _LATE.search(read.text), above.last
    if found is None or last is None or last.name not in ("backtest", "compare") or not last.args.get("strategy"):
        return None
    bars = found[1] or found[2]
    a = last.args
    window = "".join(f" --{flag} {a[name]}" for flag, name in (("from", "start"), ("to", "end")) if a.get(name))
    sets = "".join(f" --set {c['key']}={c['value']}" for c in a.get("changes") or ())
    frame = a.get("timeframe", "15m")
    command = f"nightdesk backtest {a['strategy']} --symbol {a.get('symbol', '')} --timeframe {frame}{window}{sets}"
    return PlannedAnswer(
        f"No call of a chat delays signals, so nothing was run. A person runs it with the rest unchanged: "
        f"`{command} --delay-bars {_WORDS.get(bars, bars)}`. It is a stress, and never evidence."
    )


_OTHERS = re.compile(  # several: `the other one` of two is asked back about
    r"\b(?:(?:two|both|three) others?|other (?:two|three|ones|sleeves|bots|coins)|others|the rest|the remaining(?: \w+)?)\b"
)
_OTHER_WORDS = "others other two three both well rest remaining sleeves bots coins same too as also"
_LIGHT_OTHERS = frozenset((*LIGHT, *STOP, *_OTHER_WORDS.split()))


def _others(read: Slots, above: TurnAbove) -> Corrected | None:
    """`and of the two others`, after a question about one sleeve: the same of each other one."""
    older = above.older
    if (
        older is None
        or older.chosen is None
        or not _OTHERS.search(read.text)
        or read.places.keys() & (OWN_NAMES - {"everything"})
    ):
        return None
    entry, named = older.chosen.entry, older.slots.sleeves
    if entry.tool.effect is not Effect.READ or not entry.takes("sleeve") or len(named) != 1:
        return None
    if any(token.word not in _LIGHT_OTHERS for token in tokens_of(read)):
        return None
    others = [sleeve for sleeve in above.words.sleeves if sleeve.name not in named]
    if not 1 < len(others) <= 3:
        return None
    slots = replace(older.slots, sleeves=tuple(s.name for s in others), symbols=tuple(s.symbol for s in others), strategies=())
    return older._replace(text=read.text, slots=slots, own=read, lost=(), left=(), maybe=(), frame=None)


def _window(read: Slots, above: TurnAbove) -> Corrected | None:
    """`make it 30 days`: the window of the question before."""
    rest, older = _stripped(read.text), above.older
    found = _SPAN.match(rest)
    bare = rest == read.text and not (found and found[1][0].isdigit())  # `30 days` changes a window, `week` alone may not
    if found is None or bare or older is None or older.chosen is None or older.chosen.entry.proposes:
        return None
    return Rest(f"last {found[1]}") if any(map(older.chosen.entry.takes, ("since", "start"))) else None


_STATE = ("desk", "exposure", "sleeves", "health", "pauses")


def _of_a_state(read: Slots, above: TurnAbove) -> Corrected | None:
    """`and since midnight?`, after what is now: the P&L of that time, as the present has no past."""
    last = above.last
    window = read.span.start or read.span.at
    if (
        last is None
        or last.name not in _STATE
        or not window
        or words_left(read)
        or read.places.keys() - {"span", "place", "ever"}
    ):
        return None
    when = re.sub(r"^(?:(?:and|so|what about|how about|but) )+", "", read.text).rstrip("?.! ")
    return f"how much did we make {when}" if re.match(r"since|today|this|last|yesterday|overnight", when) else None


_HOURLY = (("hourly", "1h"), ("daily", "1d"), ("4-hourly", "4h"))


def _without_its_words(read: Slots, above: TurnAbove) -> Corrected | None:
    """`i meant sol`, `same but hourly`: the rest, where it names things alone."""
    rest = _AFTER.sub("", _CORRECTS.sub("", read.text)).strip(" ,")
    last = above.last
    if last is not None and last.name in ("backtest", "compare"):
        for word, frame in _HOURLY:
            rest = re.sub(rf"\b{word}\b(?: bars| candles)?", frame, rest)
    rest = re.sub(r"^(?:the )?same(?: thing| again)?(?: but| and| only| just)? (?:on |for |with |as )?(?=\S)", "", rest)
    if not rest or rest == read.text or above.older is None:
        return None
    named = read_slots(rest, above.words)
    things = named.places.keys() - {"place", "ever", "without"}
    return Rest(rest) if things and not words_left(named) else None


_OTHER_SIDE = re.compile(r"\b(?:the )?other (?:side|direction|way(?: round)?)\b|\bthe opposite(?: side)?\b")
_COUNT = re.compile(r"^(?:the )?(?:last |first |top |worst |best |newest )?(\d{1,2})(?: (?:of them|please))?[?.! ]*$")
_COUNTED_BY = ("limit", "n", "last", "worst", "best")


def _other_side(read: Slots, above: TurnAbove) -> Corrected | None:
    """`and the other side?`, after longs alone: shorts alone."""
    older = above.older
    if older is None or older.slots.side not in ("long", "short") or not _OTHER_SIDE.search(read.text):
        return None
    if read.places.keys() & OWN_NAMES or len(tokens_of(read)) > 7:
        return None
    return Rest("only the shorts" if older.slots.side == "long" else "only the longs")


def _other_count(read: Slots, above: TurnAbove) -> Corrected | None:
    """`make it 10`, after the last five: as many."""
    older, found = above.older, _COUNT.match(_stripped(read.text))
    if older is None or older.chosen is None or found is None or older.slots.count is None or not 0 < int(found[1]) <= 20:
        return None
    if older.chosen.entry.proposes or not any(map(older.chosen.entry.takes, _COUNTED_BY)):
        return None
    slots = replace(older.slots, count=int(found[1]))
    return older._replace(text=read.text, slots=slots, own=read, lost=(), left=(), maybe=(), frame=None)


_OTHER_END = re.compile(
    r"^(?:(?:and|what about|how about|so|now|ok)[ ,]+)*(?:the )?(?:worst|best)(?: (?:one|day|week|month|hour|"
    r"weekday|sleeve|trade|trip))?[?.! ]*$"
)


def _other_end(read: Slots, above: TurnAbove) -> Corrected | None:
    """`and the worst?`, after the best day, whatever was asked of that day since: the worst day."""
    older = above.older
    if older is None or older.chosen is None or not _OTHER_END.match(read.text) or read.which not in ("worst", "best"):
        return None
    if older.slots.which not in ("worst", "best") or older.slots.which == read.which:
        return None
    slots = replace(
        older.slots,
        which=read.which,
        closed={**older.slots.closed, **({"which": read.which} if "which" in older.slots.closed else {})},
    )
    slots = replace(slots, text=older.slots.text.replace(str(older.slots.which), str(read.which)))
    return older._replace(text=read.text, slots=slots, own=read, lost=(), left=(), maybe=(), frame=None)


KINDS = (
    _of_another_run,
    _joins,
    _other_end,
    _other_side,
    _other_count,
    _refiled,
    _against,
    _late,
    _others,
    _window,
    _of_a_state,
    _without_its_words,
)
