"""Whether a fact of the thread proves or contradicts a clause with a figure. Called by agents/proofs.py.

A clause is proven by a fact when its words are those of the fact's metric and subject, and its figure is the fact's value,
rounded as typed. It is contradicted when the words are those of exactly one fact, named by its subject, and its
figure is another.
"""

from collections.abc import Sequence

from agents.atoms import COINS, Atom, Clause, When, meanings, number_of
from agents.claims import NumberClaim
from agents.support import FactRecord, Ground, fact_record
from agents.verdicts import OPEN, PROVEN, Topic, Verdict, against
from tools.common import render
from tools.common.contract import Fact

_ABOUT = frozenset({"about", "around", "roughly", "approximately", "nearly", "almost"})
_OF_DESK = frozenset({"we", "you", "our", "your", "currently", "now", "us"})
_UNSIGNED = frozenset({"costs", "fees", "drawdown", "slippage", "=mae"})  # figures that people say without their sign
_SETTLED = frozenset({"funding"})  # paid or received
_PAID = frozenset({"costs", "fees"})
DISTINCT = 3  # digits of a figure that is like no other: where nothing is named, it may be of any that fits
NEAR = 0.02  # of a value that is said `about`


def fact_proof(clause: Clause, ground: Ground, topic: Topic, marks_of: Sequence[Fact]) -> Verdict:
    """Is the clause a figure of a fact? `marks_of`: the facts of the answer's references."""
    marks, numbers = clause.of("mark"), clause.of("number")
    if not marks and not numbers:
        return PROVEN if _is_desk_time(clause, ground) else OPEN
    if marks and not numbers:
        return PROVEN if _marks_fit(clause, marks_of) else OPEN
    if marks or len(numbers) != 1:
        return OPEN
    named = frozenset(atom.text for atom in clause.of("name"))
    said = meanings(clause)
    means = frozenset[str]().union(*said)
    of_desk = any(atom.text in _OF_DESK for atom in clause.of("word"))
    of_run = not of_desk and (not named or bool(named - set(COINS.values())) or bool(means & {"run", "variant"}))
    of = named or (frozenset() if of_desk or "desk" in means else topic.about or topic.context)
    all_fitting = [
        record
        for record in ground.figures.of(means, named)
        if _covers(record, said) and _same_time(clause, ground, record) and (record.fact.evidence.kind != "run" or of_run)
    ]
    fitting = [record for record in all_fitting if of <= record.about] if of else _unnamed(all_fitting)
    own = [record for record in fitting if record.names & means]
    fitting = own or fitting
    claim = number_of(numbers[0])
    if not said and named and claim.dimension == "usd":
        fitting = ground.figures.of(frozenset({"equity"}), named)
    fitting = [record for record in fitting if _unit_fits(claim, record)]
    if claim.dimension in ("both", "neither", "none of", "all", "place", "times"):
        return OPEN
    hedged = numbers[0].before in _ABOUT
    judged = [equals(claim, record, means, hedged=hedged) for record in _closest(fitting, means)]
    if judged and (all(judged) or (not of and not of_desk and claim.digits >= DISTINCT and any(judged))):
        return PROVEN
    elsewhere = not named and any(equals(claim, record, means, hedged=True) for record in all_fitting)
    if elsewhere or not (named or _is_desk(fitting)):
        return OPEN
    return _contradicted(claim, fitting, clause)


def _closest(fitting: list[FactRecord], means: frozenset[str]) -> list[FactRecord]:
    """Those that the sentence names best, where it names any whole: `the drawdown` is neither its limit nor a breaker's, the net
    of round trips not that of those that a stop ended. Of such, those with the most words of their metric and none of
    their subject beside another's."""
    by_metric = [record for record in fitting if record.names <= means]
    most = max((len(record.names) for record in by_metric), default=0)
    closest = [record for record in by_metric if len(record.names) == most] or fitting
    if not any(record.of & means for record in closest):  # of what is left open
        return closest
    unsaid = {record.of - means for record in closest}
    return [record for record in closest if not any(less < record.of - means for less in unsaid)]


def _is_desk_time(clause: Clause, ground: Ground) -> bool:
    """`The desk time is 05:15Z`, `it is 05:15Z on the desk`."""
    times = [atom.value for atom in clause.of("time")]
    if len(times) != 1 or not isinstance(times[0], When) or clause.of("name") or not set(clause.words) <= {"desk", "time", "now"}:
        return False
    said = "time" in clause.words or clause.text.startswith("it is")
    day = times[0].days <= {ground.figures.desk_day(0)} and times[0].month_day is None
    return said and day and times[0].role == "" and bool(times[0].minutes & {minute % 1440 for minute in ground.figures.desk_ms})


def _marks_fit(clause: Clause, marks_of: Sequence[Fact]) -> bool:
    """Do the words before each reference, and behind the last, belong to its fact, and the names to each?"""
    named = frozenset(atom.text for atom in clause.of("name"))
    words: list[Atom] = []
    record = None
    for atom in clause.atoms:
        words += [atom] if atom.kind == "word" else []
        if atom.kind == "mark":
            record = fact_record(marks_of[int(str(atom.value))])
            said = meanings(Clause(tuple(words), ""))
            if not named <= record.about or not _covers(record, said) or not _direction_fits(record, said):
                return False
            words = []
    behind = meanings(Clause(tuple(words), ""))
    fits = record is not None and _covers(record, behind) and _direction_fits(record, behind)
    return fits and not clause.of("time")


def _direction_fits(record: FactRecord, said: list[frozenset[str]]) -> bool:
    """Is what is called a loss one, and what is called a gain? Beside a reference code writes the sign, a model the verb."""
    means = frozenset[str]().union(*said)
    if ("loss" in means) == ("gain" in means):
        return True
    if record.names & _PAID:
        return "gain" not in means
    return not record.losing or (record.value <= 0 if "loss" in means else record.value >= 0)


def _covers(record: FactRecord, said: list[frozenset[str]]) -> bool:
    """Has every word a meaning that the fact's metric or subject has?"""
    return all(words & record.means for words in said)


def _unnamed(fitting: list[FactRecord]) -> list[FactRecord]:
    """Where nothing is named: what is the desk's, else all that fit."""
    return [record for record in fitting if record.subject in ("desk", "whole desk")] or fitting


def _is_desk(fitting: list[FactRecord]) -> bool:
    return bool(fitting) and all(record.subject in ("desk", "whole desk") for record in fitting)


def _same_time(clause: Clause, ground: Ground, record: FactRecord) -> bool:
    """A fact has no time of its own; one of the desk is of the desk's time."""
    for atom in clause.of("time"):
        assert isinstance(atom.value, When)  # noqa: S101 - its kind says so
        of_day = {minute % 1440 for minute in ground.figures.desk_ms}
        if record.fact.evidence.kind == "run" or atom.value.role or atom.value.days or not atom.value.minutes & of_day:
            return False
    return True


def equals(claim: NumberClaim, record: FactRecord, means: frozenset[str], *, hedged: bool = False) -> bool:
    """Is the typed number the fact's value, in its unit and with its sign, rounded to the digits typed?"""
    if not _unit_fits(claim, record):
        return False
    factor = claim.factor if claim.dimension else record_factor(record)
    typed, step, value = claim.value * factor, claim.step * factor, record.value
    if "loss" in means and record.losing and "gain" not in means:
        typed = -abs(typed)
    elif record.names & _UNSIGNED or (record.names & _SETTLED and value < 0 and means & {"paid", "costs"}):
        typed, value = abs(typed), abs(value)
    slack = max(step / 2 + 1e-9 * abs(value), NEAR * abs(value) if hedged and claim.digits <= 3 else 0.0)
    if claim.digits < 2 and not hedged:
        slack = 1e-9 * max(abs(value), 1.0) if claim.step >= 1 else slack
    return abs(typed - value) <= slack


def record_factor(record: FactRecord) -> float:
    """The factor of a number without a unit: that of the fact's own."""
    return 1e-4 if record.fact.unit == "bps" else 86_400_000.0 if record.fact.unit == "days" else 1.0


def _unit_fits(claim: NumberClaim, record: FactRecord) -> bool:
    if not claim.dimension:
        of_share = record.dimension != "frac" or abs(claim.value) <= 1
        return of_share and (record.dimension != "time" or record.fact.unit == "days")
    if claim.dimension == "count" and record.fact.unit in ("count", "bars"):
        return record.fact.unit == "bars"
    if claim.dimension == "base" and record.fact.unit != "base":
        return False
    return claim.dimension == record.dimension


def _contradicted(claim: NumberClaim, fitting: list[FactRecord], clause: Clause) -> Verdict:
    """All that fit are of one metric and one subject, and none has this value with either sign."""
    if len({(record.fact.metric, record.subject) for record in fitting}) != 1 or clause.of("time"):
        return OPEN
    if not claim.dimension and claim.digits < 3 and not all(record.fact.unit in ("count", "ratio") for record in fitting):
        return OPEN
    for record in fitting:
        typed = abs(claim.value) * (claim.factor if claim.dimension else record_factor(record))
        if abs(typed - abs(record.value)) <= max(
            0.03 * abs(record.value), claim.step * (claim.factor if claim.dimension else 1.0)
        ):
            return OPEN  # rounded otherwise, or of the other sign
        if (
            not claim.dimension
            and record.dimension == "frac"
            and abs(claim.value / 100 - abs(record.value)) <= 0.03 * abs(record.value)
        ):
            return OPEN  # a percentage without its sign
    first = fitting[0].fact
    return against(f"{first.metric.replace('_', ' ')} of {first.subject} is {render.value_text(first)} here")
