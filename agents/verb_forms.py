"""The past, participle and -ing forms of verbs. Called by agents/deeds.py."""

import re

_IRREGULAR = """
    buy bought, sell sold, take took taken, write wrote written, put put, set set, cut cut, send sent, shut shut, go went
    gone, undo undid undone, unwind unwound, wind wound, withdraw withdrew withdrawn, freeze froze frozen, unfreeze unfroze
    unfrozen, override overrode overridden, overturn overturned, rewrite rewrote rewritten, rebuild rebuilt, reset reset,
    run ran run, rerun reran rerun, make made, leave left, keep kept, bring brought, throw threw thrown, get got gotten,
    tell told, give gave given, pay paid, hit hit, spin spun, do did done, have had, sweep swept, lay laid, draw drew drawn,
    build built, wipe wiped, pull pulled, ring rang rung, light lit lighted, let let, lock locked, strike struck, stick
    stuck, swap swapped, hold held, sign signed, steer steered, break broke broken, drive drove driven, hand handed, slide
    slid, split split, rid rid, lend lent, spend spent, begin began begun, fly flew flown, bend bent,
    fall fell fallen, dial dialled dialed, relaunch relaunched, rise rose risen, lose lost, win won, grow grew grown,
    know knew known, think thought, see saw seen, find found, feel felt, say said, mean meant, meet met, read read, lead led,
    stand stood, sit sat, sleep slept, speak spoke spoken, forget forgot forgotten, choose chose chosen, catch caught, seek
    sought, shoot shot, swing swung, wake woke woken, creep crept, sink sank sunk, shrink shrank shrunk, come came,
    become became, understand understood, misunderstand misunderstood, misread misread, hear heard, cost cost, lie lay lain,
    dig dug, deal dealt, teach taught, bid bid, shed shed, fight fought, slip slipped, stop stopped, plot plotted,
    drop dropped, trim trimmed, flip flipped, bleed bled, be been
"""
IRREGULAR = {verb: forms for verb, *forms in (part.split() for part in _IRREGULAR.split(","))}
_DOUBLES = re.compile(r"[^aeiou]*u?[aeiou][bdgmnprt]|.*[^aeiou]el|(?:un|re)?(?:submit|commit|plug|pin|set|format)")


def _doubles(verb: str) -> bool:
    """Is its last letter doubled: of one syllable, or stressed on the last?"""
    return _DOUBLES.fullmatch(verb) is not None


def past_forms(verb: str) -> list[str]:
    """Past and participle of a verb."""
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("e"):
        return [verb + "d"]
    if verb.endswith("y") and verb[-2] not in "aeiou":
        return [verb[:-1] + "ied"]
    doubled = [verb + verb[-1] + "ed"] if _doubles(verb) else []
    return [*doubled, verb + "ed"] if not doubled or verb.endswith("el") else doubled


def ing_forms(verb: str) -> list[str]:
    """The -ing forms of a verb."""
    if verb.endswith("e") and not verb.endswith("ee"):
        return [verb[:-1] + "ing"]
    doubles = _doubles(verb)
    return [verb + verb[-1] + "ing"] * doubles + [verb + "ing"] * (not doubles or verb.endswith("el"))
