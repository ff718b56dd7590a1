"""Whether a count of things is right: `two of the three sleeves are flat`, `no alerts are open`, `both`. Called by
agents/proofs.py.

Things are counted in the records of this turn: sleeves and positions in the desk's table, proposals and alerts in their lists.
"""

import re

from agents.atoms import Clause, meanings, number_of
from agents.claims import NumberClaim
from agents.support import Ground
from agents.verdicts import OPEN, PROVEN, Verdict, against

_KINDS = ("position", "sleeve", "proposal", "alert")
_STATES = {
    "position": frozenset({"long", "short", "open", "protective"}),
    "sleeve": frozenset({"long", "short", "flat", "paused", "allowed", "holding"}),
    "proposal": frozenset({"pending", "applied", "rejected", "expired", "superseded", "approved"}),
    "alert": frozenset({"open", "resolved", "acknowledged", "unacknowledged", "unresolved", "page", "warning"}),
}
_NONE = frozenset({"no", "zero", "neither", "none"})
_EXTRA = frozenset({"no", "none", "only", "just", "any"})
_HEAD = re.compile(r"alerts: (\d+) open \((\d+) unacknowledged\), (\d+) resolved")
_NO_PROPOSALS = re.compile(r"(?:^|\n)no proposals\b", re.IGNORECASE)


def count_of(clause: Clause, ground: Ground) -> Verdict:
    """Is it a count of things of one kind in one state, and right?"""
    if clause.of("time") or clause.of("mark") or clause.of("name"):
        return OPEN
    words = [atom.text for atom in clause.of("word")]
    said = [said for word, said in zip(clause.words, meanings(clause), strict=True) if word not in _EXTRA]
    means = frozenset[str]().union(*said)
    kinds = [kind for kind in _KINDS if kind in means]
    if means & {"page", "warning"} and not kinds:
        kinds = ["alert"]
    numbers = [number_of(atom) for atom in clause.of("number")]
    none = bool(set(words) & _NONE)
    if (len(kinds) != 1 and kinds != ["position", "sleeve"]) or len(numbers) > 2 or (numbers and none) or "not" in words:
        return OPEN
    kind = "sleeve" if len(kinds) == 2 else kinds[0]
    states = (means & _STATES[kind]) - {kind}
    if not all(words & (_STATES[kind] | {kind, "position", "desk"} & means) for words in said):
        return OPEN
    things = _things(kind, ground)
    states = states - {"open"} if kind == "position" else states
    if things is None:
        return _of_heads(kind, states, numbers, ground, none=none)
    inside = sum(all(state in thing for state in states) for thing in things)
    if kind == "sleeve" and len(kinds) == 2 and not states:
        inside = sum(bool(thing & {"long", "short"}) for thing in things)
    return _judged(clause, numbers, inside, len(things), kind, stated=bool(states) or len(kinds) == 2, none=none)


def _judged(
    clause: Clause, numbers: list[NumberClaim], inside: int, total: int, kind: str, *, stated: bool, none: bool
) -> Verdict:
    """The number said against the number there."""
    here = against(f"{inside} of {total} {kind}s here") if kind in ("position", "sleeve") else OPEN
    if none:
        return PROVEN if inside == 0 else here
    if not numbers:
        return OPEN
    first = numbers[0]
    if first.dimension in ("both", "all", "neither", "none of"):
        if (
            (len(numbers) == 2 and (first.dimension != "all" or numbers[1].value != total))
            or (first.dimension in ("both", "neither") and total != 2)
            or not stated
            or not total
        ):
            return OPEN
        wanted = 0 if first.dimension in ("neither", "none of") else total
        return PROVEN if inside == wanted else here
    if first.dimension or first.value != int(first.value):
        return OPEN
    if len(numbers) == 2:
        if not re.search(r"\bof (?:the |our |your |all )?\w+", clause.text) or numbers[1].dimension:
            return OPEN
        if numbers[1].value != total:
            return here
    if first.value == inside:
        return PROVEN
    return OPEN if first.value == 1 and inside > 1 else here


def _things(kind: str, ground: Ground) -> list[frozenset[str]] | None:
    """The states of each thing of a kind; None where none was shown."""
    if kind in ("sleeve", "position"):
        sleeves: dict[frozenset[str], frozenset[str]] = {}
        for line in ground.lines.all:
            if line.kind == "cell" and line.text.startswith(("position:", "entries:", "protective")):
                level = frozenset({"protective"}) if "(stop)" in line.text else frozenset[str]()
                key = frozenset(name for name in line.about if "-" in name)
                sleeves[key] = sleeves.get(key, frozenset()) | line.core | level
        held = [states for states in sleeves.values() if kind == "sleeve" or states & {"long", "short"}]
        return held if sleeves else None
    shown: dict[str, frozenset[str]] = {}
    for line in ground.lines.all:
        if line.kind == kind:
            shown[re.search(r"(?:prop|al)-\d+", line.text)[0]] = line.core | ({"open"} if "unresolved" in line.means else set())  # type: ignore[index]
    return list(shown.values()) or None


def _of_heads(kind: str, states: frozenset[str], numbers: list[NumberClaim], ground: Ground, *, none: bool) -> Verdict:
    """Counts that a tool states at the head of its list."""
    for text in ground.quotes:
        if kind == "alert" and (found := _HEAD.search(text.lower())):
            total = {"open": int(found[1]), "unacknowledged": int(found[2]), "resolved": int(found[3])}
            states = states or (frozenset({"open"}) if none else states)
            count = total.get(next(iter(states)), -1) if len(states) == 1 else -1
            said = 0 if none else int(numbers[0].value) if numbers and not numbers[0].dimension else None
            if count < 0 or said is None:
                return OPEN
            return PROVEN if said == count else against(f"{count} here")
        if kind == "proposal" and _NO_PROPOSALS.search(text) and (none or (numbers and numbers[0].value == 0)):
            return PROVEN
    return OPEN
