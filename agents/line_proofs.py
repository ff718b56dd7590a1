"""Whether a line of a tool, the latch or a state of a thing proves or contradicts a clause. Called by agents/proofs.py.

A clause is proven by a record when the record has all that the clause has: its names, its words, its figures each in its role
(sold quantity, price, result), its times, and the person who did it.
"""

import re

from agents.atoms import Atom, Clause, When, meanings, number_of
from agents.concepts import EXCLUSIVE
from agents.records import ACTS, Record, meanings_of
from agents.support import Ground
from agents.verdicts import OPEN, PROVEN, Topic, Verdict, against

_PAST = re.compile(r"\b(?:was|were|had|did)\b")
_SAID = re.compile(r"\w:\s|\b(?:is|are|has|have|stays|remains|now|still|been)\b")
_KINDS = frozenset({"position", "sleeve", "proposal", "alert", "page", "warning", "desk"})
_LATCH = {"halt": True, "release": False, "running": False, "trading": False}
_TRADED = frozenset({"buy", "sell", "bought", "sold", "buys", "sells", "long", "short", "hold", "holds", "of", "the"})
# what says that something took place, of an event whose time is given
_TOOK_PLACE = frozenset(
    """
    happened occurred set recorded logged dated dates booked executed done took place hit triggered fired reported journal event
    shows began started came placed
    """.split()  # noqa: SIM905 - words
)
_LASTING = re.compile(r"\b(?:remains?|stays?|stands?|still|holds?|got|gets?|goes|went|now|currently|have|has|had)\b")
_DAYS = {"today": 0, "yesterday": 1}
_BEGAN = frozenset({"stale", "=late", "=full", "warning", "alert", "page"})  # an alert is of the time since when it is so
_SIDES = frozenset({"long", "short"})


def line_proof(clause: Clause, ground: Ground, topic: Topic) -> Verdict:
    """Does one record have all that the clause has?"""
    if clause.of("mark"):
        return OPEN
    named = frozenset(atom.text for atom in clause.of("name"))
    people = frozenset(word for word in clause.words if word in ground.people)
    days = [ground.figures.desk_day(_DAYS[word]) for word in clause.words if word in _DAYS]
    lots = len(clause.of("number")) == 2 and "lots" in clause.text
    free = people | set(_DAYS) | (_TOOK_PLACE if clause.of("time") else set()) | ({"only", "just"} if lots else set())
    said = [words for word, words in zip(clause.words, meanings(clause), strict=True) if word not in free]
    anchored = lots or bool(
        named or topic.about or people or clause.of("time") or any(number_of(n).digits >= 3 for n in clause.of("number"))
    )
    if not anchored or (not said and not clause.of("number")):
        return OPEN
    for record in ground.lines.about(named or topic.about):
        if not (named or topic.about) and topic.context and not _may_be(record, topic.context):
            continue
        if _has_all(record, clause, said, people, ground) and all(day in record.days for day in days):
            return PROVEN
    return OPEN


def _may_be(record: Record, context: frozenset[str]) -> bool:
    """May a sentence that names nothing be about this record: one of what the answer speaks of, or of the whole desk?"""
    return bool(record.about & context) or not any(re.fullmatch(r"[a-z]{2,}(?:-[a-z0-9]+)+", name) for name in record.about)


def _has_all(record: Record, clause: Clause, said: list[frozenset[str]], people: frozenset[str], ground: Ground) -> bool:
    """Names are looked up already: words, core, person, times, figures, and that a state is still so."""
    means = frozenset[str]().union(*said)
    if not all(words & record.means for words in said):
        return False
    figures = _roles_match(record, clause, means)
    changed = {"before", "after"} <= set(figures or ()) and "applied" in record.core
    own_id = (
        record.kind != "proposal"
        and _LASTING.search(clause.text) is None
        and any(atom.text == record.text.split(" ")[0] for atom in clause.of("name"))
    )
    if figures is None or not (own_id or means & record.core or changed or (record.kind == "cell" and figures)):
        return False
    if record.kind == "order" and "fill" in means and " 0 of " in record.text and "part" not in figures:
        return False
    if people and not _by(record, means, people):
        return False
    if not all(_at(record, atom, means, ground) for atom in clause.of("time")):
        return False
    return _still_so(record, clause, means, ground)


def _by(record: Record, means: frozenset[str], people: frozenset[str]) -> bool:
    """Did each person do what the clause says, and nothing else that it says?"""
    done = {act for act, who in record.persons if who in people}
    return len(people) == 1 and bool(done & means) and means & ACTS <= done | {"halt"} & {record.kind}


def _at(record: Record, atom: Atom, means: frozenset[str], ground: Ground) -> bool:
    """Is the time one that the record has in that role?"""
    when = atom.value
    assert isinstance(when, When)  # noqa: S101 - its kind says so
    of_alert = record.kind == "alert" and not when.role and means & _BEGAN and not means & ACTS - {"open"} and not record.minutes
    if of_alert or (when.role == "since" and record.kind == "config"):
        when = when._replace(role="since" if of_alert else "")
    if when.role == "since" and ((record.kind == "fill" and "enter" in record.means) or record.kind == "breaker"):
        when = when._replace(role="")
    minutes = {"since": record.since, "until": record.until}.get(when.role, record.minutes)
    if when.role == "since" and record.kind == "halt" and ground.receipts and ground.receipts.halted:
        minutes = record.minutes if record is _last_halt(ground) else minutes
    if when.minutes and not when.minutes & minutes:
        return False
    if when.days and not when.days & record.days:
        return False
    if when.month_day and not any((day.month, day.day) == when.month_day for day in record.days):
        return False
    return bool(when.minutes or when.days or when.month_day)


def _last_halt(ground: Ground) -> Record | None:
    """The latest line of a halt."""
    halts = [line for line in ground.lines.all if line.kind == "halt" and line.days and line.minutes]
    return max(halts, key=lambda line: (max(line.days), max(line.minutes)), default=None)


def _still_so(record: Record, clause: Clause, means: frozenset[str], ground: Ground) -> bool:
    """What is said as of now must be so now: the latch, the side of a sleeve."""
    since = any(isinstance(atom.value, When) and atom.value.role == "since" for atom in clause.of("time"))
    past = not since and (_PAST.search(clause.text) is not None or bool(clause.of("time")))
    halted = ground.receipts.halted if ground.receipts else None
    if record.kind == "halt" and not past and re.search(r"\b(?:is|are|has|have|stays|remains|still|now)\b", clause.text):
        return halted is ("release" not in means)
    if record.kind == "breaker" and since:
        return any("paused" in line.core for line in ground.lines.about(record.about) if line.kind == "cell")
    if record.kind == "cell":
        return not _PAST.search(clause.text)
    if record.kind == "fill" and "enter" in record.means and means & _SIDES and not past:
        sides = means & {"long", "short"}
        cells = [line for line in ground.lines.about(record.about - {record.text.split(" ")[0]}) if line.kind == "cell"]
        return any(line.core & (sides or {"long", "short"}) for line in cells)
    return True


def _roles_match(record: Record, clause: Clause, means: frozenset[str]) -> list[str] | None:
    """The role of each figure of the clause in the record; None when one is not there."""
    roles: list[str] = []
    numbers = clause.of("number")
    for atom in numbers:
        claim = number_of(atom)
        if claim.dimension in ("frac", "time", "times", "both", "neither", "none of", "all", "place"):
            return None
        wanted = _roles_of(atom, numbers, means)
        role = next(
            (
                figure.role
                for figure in record.figures
                if (figure.role in wanted or (record.kind == "cell" and _column_said(figure.role, means)))
                and _same(claim.value, claim.step, figure.value, figure.role, means)
                and figure.role not in roles
            ),
            None,
        )
        if role is None:
            return None
        roles.append(role)
    return roles


def _column_said(role: str, means: frozenset[str]) -> bool:
    """Does the clause name the column that the figure is in?"""
    return (
        role not in ("quantity", "level", "mark") and bool(meanings_of(role)) and meanings_of(role) <= means | {"trip", "trades"}
    )


def _same(typed: float, step: float, value: float, role: str, means: frozenset[str]) -> bool:
    if role == "pnl":
        typed = -abs(typed) if "loss" in means and "gain" not in means else typed
        if means & {"gain"} and "loss" not in means and value < 0:
            return False
    return abs(typed - value) <= (step / 2 + 1e-9 if role in ("price", "level", "pnl") and step <= 1 else 1e-9)


def _roles_of(atom: Atom, numbers: list[Atom], means: frozenset[str]) -> frozenset[str]:
    """What the words beside a figure say that it is."""
    claim = number_of(atom)
    lots = any(number.after in ("lots", "lot") or number.text.endswith(("lots", "lot")) for number in numbers)
    if lots:
        first = atom is numbers[0]
        return (
            frozenset({"part"}) if len(numbers) == 2 and first else frozenset({"lots", "part"} if len(numbers) == 1 else {"lots"})
        )
    if claim.dimension == "base" or atom.before in _TRADED - {"of", "the"}:
        return frozenset({"quantity"})
    if atom.before == "from" or (atom.after == "to" and atom.before != "to"):
        return frozenset({"before", "price"} if atom.after != "to" else {"before"})
    if atom.before == "to":
        return frozenset({"after"})
    if atom.before == "version":
        return frozenset({"version"})
    if (atom.before in ("at", "for") or "price" in means) and claim.dimension in ("", "usd"):
        return frozenset({"price", "level"} if "loss" not in means and "gain" not in means else {"pnl"})
    if claim.dimension in ("", "usd"):
        result = means & {"loss", "gain", "trip", "pnl"}
        return frozenset({"pnl"} if result else {"level"} if "stop" in means or "protective" in means else ())
    return frozenset()


def state_of(clause: Clause, ground: Ground, about: frozenset[str]) -> Verdict:
    """A state said of the desk or of one thing as of now: held against the latch or the record of the thing."""
    if clause.of("number") or clause.of("time") or clause.of("mark"):
        return OPEN
    words = clause.words
    denied = words.count("not")
    left_out = ("not", "yet") if denied else ("not",)
    words = [word for word in words if word not in left_out]
    said = meanings(clause._replace(atoms=tuple(atom for atom in clause.atoms if atom.text not in left_out)))
    if not words or denied > 1 or any(word in ground.people for word in words):
        return OPEN
    named = frozenset(atom.text for atom in clause.of("name"))
    means = frozenset[str]().union(*said)
    if not named and all(words & (set(_LATCH) | {"desk"}) for words in said):
        return _of_latch(means, clause, ground, denied=bool(denied), past=_PAST.search(clause.text) is not None)
    return _of_thing(named or about, said, means, clause, ground, denied=bool(denied))


def _of_latch(means: frozenset[str], clause: Clause, ground: Ground, *, denied: bool, past: bool) -> Verdict:
    """`The desk is halted`, `the halt is released`, `trading`."""
    halted = ground.receipts.halted if ground.receipts else None
    if halted is None or past or not means & set(_LATCH) or not _SAID.search(clause.text):
        return OPEN
    says = "release" not in means and "halt" in means
    if "halt" in means and means & {"running", "trading"}:
        return OPEN
    if (says is not denied) is halted:
        released = "release" in means and not any("release" in line.means for line in ground.lines.all)
        return OPEN if released and not denied else PROVEN
    return against(f"the desk is {'halted' if halted else 'not halted'}")


def _of_thing(
    named: frozenset[str], said: list[frozenset[str]], means: frozenset[str], clause: Clause, ground: Ground, *, denied: bool
) -> Verdict:
    """`eth-trend is long`, `prop-3 is not applied`: one state of a group of which a thing has one."""
    if not named:
        return OPEN
    for group in EXCLUSIVE:
        states = means & group
        if "approved" in means and "pending" in group:
            states = states | {"applied"}
        if "trades" in means or len(states) != 1 or not all(words & (group | _KINDS | {"approved"}) for words in said):
            continue
        if "open" in states and not any(name.startswith("al-") for name in named):
            continue
        past = _PAST.search(clause.text) is not None and "pending" not in group
        lines = [line for line in ground.lines.about(named) if line.kind in ("cell", "proposal", "alert")]
        kinds = {"pending": "proposal", "open": "alert", "acknowledged": "alert"}
        wanted = next((kind for state, kind in kinds.items() if state in group), "cell")
        shown = {frozenset(line.core & group) for line in lines if line.kind == wanted and line.core & group}
        if len(shown) != 1 or past or len(next(iter(shown))) != 1:
            return OPEN
        (now,) = next(iter(shown))
        if (now in states) is not denied:
            return PROVEN
        own = any("-" in atom.text for atom in clause.of("name"))
        return against(f"{', '.join(sorted(named))}: {now} here") if own and _SAID.search(clause.text) else OPEN
    return OPEN
