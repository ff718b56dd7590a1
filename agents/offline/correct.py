"""A short sentence that changes one slot of the turn above: `no wait, 9`, `eth too`, `same but hourly`. Called by above_kinds.py.

What was filed before a correction stays until a person decides; the answer says so.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from agents.offline.account import tokens_of, words_left
from agents.offline.drafts import drafted
from agents.offline.parts import Part
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots, read_slots
from agents.offline.steps import CallResult, Plan, PlanOf, Question
from agents.offline.turn_above import OWN_NAMES, Kinds, Rest, ShortSentence
from agents.offline.words import LIGHT, PATTERNS, STOP, says

KINDS = Kinds()

_LEVEL = r"\$?(\d[\d,]*(?:\.\d+)?) ?(k)?[?.! ]*$"


def _stripped(text: str) -> str:
    """A sentence without the words that correct."""
    for name in ("corrects", "after", "make"):
        text = PATTERNS[f"correct.{name}"].sub("", text)
    return text.strip(" ,")


def _level(found: re.Match[str]) -> float:
    return float(found[1].replace(",", "")) * (1000 if found[2] else 1)


def _again(older: Part, read: Slots, slots: Slots, **more: Any) -> Part:
    """The question before with other slots, asked by this sentence."""
    return older._replace(text=read.text, slots=slots, own=read, lost=(), left=(), maybe=(), **more)


_NUMBER = re.compile(rf"^(?:to |at |below |under |above |over )?{_LEVEL}")
_AT_LEVEL = re.compile(rf"^(?:and )?(?:the )?same (?:for|with|on) \w+ (?:at|below|under|above|over) {_LEVEL}")
_BESIDE_WORDS = "too also well same one mean meant likewise sorry instead rather wait"


@KINDS(of=("propose_pause", "propose_watch"), ok=False)
def refiled(heard: ShortSentence) -> PlanOf | None:
    """`no wait, 9`, `eth too`, after a pause or a watch was asked for: asked for anew, and what was filed before is named."""
    read, filed, last, rest = heard.read, heard.above.filed(), heard.last, _stripped(heard.text)
    if not filed or filed[-1][0] is not last:
        return None
    anew = partial(_anew, last, filed[-1][1])
    if last.name == "propose_pause":
        if lasts := re.fullmatch(r"(?:only |just |for )*(\d{1,3}|an?) ?(minutes?|hours?|h|days?|d)[?.! ]*", rest):
            return partial(anew, {"ends": f"{lasts[1]} {lasts[2]}"}, True)
        length = re.fullmatch(r"(?:\d+|an?) ?(\w+)", str(last.args.get("ends", "")))
        if length and rest.rstrip("?.! ").isdigit():  # `make it 12`, after 6 hours
            return partial(anew, {"ends": f"{rest.rstrip('?.! ')} {length[1]}"}, True)
        if (ends := _clock(rest)) is not None:
            clock, day = (re.search(form, str(last.args.get("ends", ""))) for form in (r"\d\d:\d\d", r"[a-z]+(?:day|morrow)"))
            ends = f"{ends} {clock[0]}" if clock and ":" not in ends else ends  # `make it friday`: at the time of before
            ends = f"{day[0]} {ends}" if day and ends[0].isdigit() else ends
            return partial(anew, {"ends": f"until {ends}"}, True)
        named = [name for name in read.sleeves if name != last.args.get("sleeve")]
        alone = not read.places.keys() & {"span", "lasting"} and not set(words_left(read)) - {*_BESIDE_WORDS.split()}
        replaces = rest != read.text and not says("correct.too", read.text)
        return partial(anew, {"sleeve": named[0]}, replaces) if len(named) == 1 and alone else None
    if last.args.get("metric") == "price" and len(read.symbols) == 1 and (at := _AT_LEVEL.match(read.text)):
        return partial(anew, {"subject": read.symbols[0], "level": _level(at)}, False)
    if read.symbols or (found := _NUMBER.match(rest)) is None:
        return None
    level, share, old = _level(found), last.args.get("move_frac"), float(last.args.get("level", 0))
    if share:  # `make it 5`, after 4 % below
        moved = {"move_frac": level / 100 * (-1 if share < 0 else 1)} if level < 100 else {"move_frac": 0.0, "level": level}
        return partial(anew, moved, True)
    level = level * 1000 if level * 200 < abs(old) <= level * 5000 else level  # `make that 82`, after 80000
    return partial(anew, {"level": -abs(level) if old < 0 else level}, True)


@KINDS(of=("note",))
def renoted(heard: ShortSentence) -> PlanOf | None:
    """`no wait, the 20th`, `the 12th, not the 15th`, after a note: noted anew with that, and the one before is named."""
    old, rest = str(heard.last.args.get("text", "")), _stripped(heard.text).rstrip(" .!?")
    if (swapped := PATTERNS["correct.not_that"].fullmatch(rest)) and re.search(rf"(?i)\b{re.escape(swapped[2])}\b", old):
        text = re.sub(rf"(?i)\b{re.escape(swapped[2])}\b", lambda _: swapped[1], old)
    elif PATTERNS["correct.date"].fullmatch(rest) and len(PATTERNS["correct.date"].findall(old.lower())) == 1:
        day = re.fullmatch(r"(?:on )?(?:the )?(\d{1,2})(?:st|nd|rd|th)?", rest)
        of_month = PATTERNS["correct.day_of_month"].search(old.lower()) if day else None
        at = of_month or PATTERNS["correct.date"].search(old.lower())
        text = f"{old[: at.start()]}{day[1] if day and of_month else rest}{old[at.end() :]}" if at else old
    else:
        return None
    return partial(_anew, heard.last, "", {"text": text}, True)


def _clock(text: str) -> str | None:
    """`9`, `21:30`, `9pm`, `sunday 20:00` as a time ahead."""
    found = PATTERNS["correct.clock"].match(text)
    if found is None or not (found["day"] or found["hour"]):
        return None
    if found["hour"] is None:
        return str(found["day"])
    hour = int(found["hour"]) + (12 if found["half"] == "pm" and int(found["hour"]) < 12 else 0)
    return f"{found['day'] or ''} {hour:02d}:{found['minute'] or '00'}".strip() if hour < 24 else None


def _anew(last: CallResult, identity: str, args: Mapping[str, Any], replaces: bool, q: Question) -> Plan:
    """The call above with other arguments, and what becomes of the one before."""
    reason = {"rationale": f"Asked by a person: {q.raw[:200]!r}."} if "rationale" in last.args else {}
    call = PlannedCall(last.name, {**last.args, **args, **reason})
    (result,) = yield [call]
    if last.name == "note":
        return drafted(
            [call], [result], f"Noted anew: {call.args['text']!r}. The note before stays until `nightdesk notes drop`."
        )
    before = f"{identity} was asked for before and still waits; a person withdraws it: `{ended_by(identity)}`"
    if last.args.get("sleeve") and last.args.get("sleeve") == call.args.get("sleeve") and result.status == "ok":
        before = f"{identity} was asked for before and is superseded by it."  # one change waits for a sleeve, the newest
    return drafted([call], [result], before if replaces else "")


def ended_by(identity: str) -> str:
    """The command by which a person ends what was filed."""
    watch = identity.startswith("w-")
    return f"nightdesk watches remove {identity}" if watch else f"nightdesk proposals reject {identity} --as NAME"


_LIGHT_OTHERS = frozenset((*LIGHT, *STOP, "all", "both", "each", "of", "others", "other", "rest", "two", "three", "remaining"))


@KINDS()
def others(heard: ShortSentence) -> Part | None:
    """`and of the two others`, after a question about one sleeve: the same of each other one."""
    read, older = heard.read, heard.above.older
    if older is None or older.chosen is None or read.places.keys() & (OWN_NAMES - {"everything"}):
        return None
    entry, named = older.chosen.entry, older.slots.sleeves
    each = entry.takes("sleeve") or entry.tool.name == "attribution"  # its rows are sleeves
    if entry.proposes or not each or len(named) != 1:
        return None
    rest = [sleeve for sleeve in heard.above.words.sleeves if sleeve.name not in named]
    if not 1 < len(rest) <= 3 or any(token.word not in _LIGHT_OTHERS for token in tokens_of(read)):
        return None
    slots = replace(older.slots, sleeves=tuple(s.name for s in rest), symbols=tuple(s.symbol for s in rest), strategies=())
    return _again(older, read, slots, frame=None)


@KINDS()
def other_window(heard: ShortSentence) -> Rest | None:
    """`make it 30 days`: the window of the question before."""
    rest, older = _stripped(heard.text), heard.above.older
    found = PATTERNS["correct.span"].match(rest)
    bare = rest == heard.text and not (found and found[1][0].isdigit())  # `30 days` changes a window, `week` alone may not
    if found is None or bare or older is None or older.chosen is None or older.chosen.entry.proposes:
        return None
    return Rest(f"last {found[1]}") if any(map(older.chosen.entry.takes, ("since", "start"))) else None


_HOURLY = (("hourly", "1h"), ("daily", "1d"), ("4-hourly", "4h"))


@KINDS()
def without_its_words(heard: ShortSentence) -> Rest | str | None:
    """`i meant sol`, `same but hourly`: the rest, where it names things alone."""
    rest, last = PATTERNS["correct.after"].sub("", PATTERNS["correct.corrects"].sub("", heard.text)).strip(" ,"), heard.above.last
    if last is not None and last.name in ("backtest", "compare"):
        for word, frame in _HOURLY:
            rest = re.sub(rf"\b{word}\b(?: bars| candles)?", frame, rest)
    rest = re.sub(r"^(?:the )?same(?: thing| again)?(?: but| and| only| just)? (?:on |for |with |as )?(?=\S)", "", rest)
    swapped = says("correct.swap", heard.text)
    rest = next((said for said in swapped.groups() if said), rest) if swapped else rest
    if not rest or rest == heard.text or heard.above.older is None:
        return None
    named = read_slots(rest, heard.above.words)
    return Rest(rest) if named.places.keys() - {"place", "ever", "without"} and not words_left(named) else None
