"""The trial ledger's rows: kept once, numbered by hypothesis, never removed.

Called by engine/research/ledger.py. A trial that is run again is the same row; when data or code have changed since, its figures
are replaced, its number stays.
"""

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sqlalchemy import Engine, func
from sqlmodel import col, select

from engine.errors import BadInput
from engine.store.db import read, write
from engine.store.tables import CodeFamily, Run, Trial

FIGURES = (
    "cache_key", "sharpe", "total_return_frac", "max_drawdown_frac", "trips", "days", "daily_from_ms", "daily", "body",
)  # fmt: skip  # what a rerun on other data replaces
IDS_AT_ONCE = 500  # in one query


class HypothesisCount(NamedTuple):
    """One hypothesis of the ledger."""

    name: str
    trials: int
    last_ms: int


def packed(returns: npt.ArrayLike) -> str:
    """Daily returns as a row keeps them."""
    return b64encode(np.asarray(returns, "<f4").tobytes()).decode()


def daily_of(row: Trial) -> npt.NDArray[np.float64]:
    """A trial's daily returns, (days,)."""
    return np.frombuffer(b64decode(row.daily), "<f4").astype(np.float64)


def params_of(row: Trial) -> dict[str, Any]:
    """A trial's parameters; of several sleeves by sleeve."""
    found: dict[str, Any] = json.loads(row.params)
    return found


def family_of(engine: Engine, fingerprint: str, strategy: str, now_ms: int) -> str:
    """The family of a strategy's code, noted when it is new: that of equal code, else that of this name, else its own name."""
    with write(engine) as session:
        alike = list(session.exec(select(CodeFamily).where(CodeFamily.fingerprint == fingerprint)))
        named = list(session.exec(select(CodeFamily).where(CodeFamily.strategy == strategy)))
        first = min(alike or named, key=lambda row: row.created_ms, default=None)
        family = first.family if first else strategy
        if not any(row.strategy == strategy for row in alike):
            session.add(CodeFamily(fingerprint=fingerprint, strategy=strategy, family=family, created_ms=now_ms))
    return family


def keep(engine: Engine, rows: Sequence[Trial]) -> dict[str, int]:
    """Keep trials, their `number` still open; id -> number of each. All of them, or none."""
    numbers: dict[str, int] = {}
    if not rows:
        return numbers
    with write(engine) as session:
        there = {row.id: row for part in _parts([row.id for row in rows]) for row in session.exec(_by_id(part))}
        last: dict[str, int] = {}
        for row in rows:
            old = there.get(row.id)
            if old is None:
                name = row.hypothesis
                if name not in last:
                    newest = select(func.max(Trial.number)).where(Trial.hypothesis == name)
                    last[name] = session.exec(newest).one() or 0
                last[name] += 1
                row.number = last[name]
                there[row.id] = row
                session.add(row)
            else:
                _renew(old, row)
            numbers[row.id] = there[row.id].number
    return numbers


def _renew(old: Trial, row: Trial) -> None:
    """The figures of what was run again, where data or code have changed; a stored run's id is never forgotten."""
    if old.cache_key != row.cache_key:
        for name in FIGURES:
            setattr(old, name, getattr(row, name))
        old.run_id = row.run_id
    elif row.run_id is not None:
        old.run_id = row.run_id


class OtherTrial(NamedTuple):
    """What a trial's place among the others depends on."""

    hypothesis: str
    number: int
    setting: str
    params: str
    sharpe: float | None


def others_of(engine: Engine, names: Sequence[str]) -> list[OtherTrial]:
    """Every trial of these hypotheses without its daily returns."""
    fields: Any = (Trial.hypothesis, Trial.number, Trial.setting, Trial.params, Trial.sharpe)
    columns = select(*fields)
    with read(engine) as session:
        return [
            OtherTrial(*row) for part in _parts(names) for row in session.exec(columns.where(col(Trial.hypothesis).in_(part)))
        ]


def names_of(engine: Engine) -> list[str]:
    """Every hypothesis by name."""
    with read(engine) as session:
        return list(session.exec(select(Trial.hypothesis).distinct()))


def with_results_of(engine: Engine, rows: Sequence[Trial]) -> list[Trial]:
    """Trials of other hypotheses whose daily returns are those of one of the rows, bit for bit."""
    totals = list({row.total_return_frac for row in rows})
    seen = {(row.daily_from_ms, row.daily) for row in rows}
    own = {row.hypothesis for row in rows}
    with read(engine) as session:
        found = [
            row
            for part in _parts(totals)
            for row in session.exec(select(Trial).where(col(Trial.total_return_frac).in_(part)).order_by(col(Trial.created_ms)))
        ]
    return [row for row in found if (row.daily_from_ms, row.daily) in seen and row.hypothesis not in own]


def join_families(engine: Engine, family: str, into: str, names: Mapping[str, str]) -> None:
    """All code of a family, and its trials, become another's. names: hypothesis -> what it is called then; its trials are
    numbered behind those that are there.
    """
    with write(engine) as session:
        for code in session.exec(select(CodeFamily).where(CodeFamily.family == family)):
            code.family = into
        for old, new in names.items():
            last = session.exec(select(func.max(Trial.number)).where(Trial.hypothesis == new)).one() or 0
            moved = session.exec(select(Trial).where(Trial.hypothesis == old).order_by(col(Trial.number))).all()
            for n, row in enumerate(moved):
                row.hypothesis, row.number = new, last + n + 1


def older_of(engine: Engine, one: str, other: str) -> str:
    """The family whose code was noted first."""
    with read(engine) as session:
        first = {
            name: session.exec(select(func.min(CodeFamily.created_ms)).where(CodeFamily.family == name)).one()
            for name in (one, other)
        }
    return min((one, other), key=lambda name: (first[name] is None, first[name] or 0))


def of_hypothesis(engine: Engine, name: str) -> list[Trial]:
    """Every trial of a hypothesis, in the order in which they were first run."""
    with read(engine) as session:
        return list(session.exec(select(Trial).where(Trial.hypothesis == name).order_by(col(Trial.number))))


def of_setting(engine: Engine, setting: str) -> list[Trial]:
    """The trials that differ in their parameters alone."""
    with read(engine) as session:
        return list(session.exec(select(Trial).where(Trial.setting == setting).order_by(col(Trial.number))))


def set_run(engine: Engine, trial_id: str, run_id: str) -> None:
    """Which stored run a trial's figures are of; the run's own row notes the trial, for when a later run replaces them."""
    with write(engine) as session:
        row, run = session.get(Trial, trial_id), session.get(Run, run_id)
        if row is not None:
            row.run_id = run_id
        if row is not None and run is not None:
            run.body = json.dumps({**json.loads(run.body), "trial": trial_id})


def of_run(engine: Engine, run_id: str) -> Trial | None:
    """The trial that a stored run is, also when its figures are those of a later run by now."""
    with read(engine) as session:
        run = session.get(Run, run_id)
        noted = json.loads(run.body).get("trial") if run is not None else None
        if noted is not None:
            return session.get(Trial, noted)
        return session.exec(select(Trial).where(Trial.run_id == run_id)).first()


def by_id(engine: Engine, trial_id: str) -> Trial | None:
    """One trial."""
    with read(engine) as session:
        return session.get(Trial, trial_id)


def hypotheses(engine: Engine, limit: int = 500) -> list[HypothesisCount]:
    """All hypotheses with the number of their trials, last tried first."""
    last = func.max(Trial.created_ms)
    query = select(Trial.hypothesis, func.count(), last).group_by(Trial.hypothesis).order_by(last.desc()).limit(limit)
    with read(engine) as session:
        return [HypothesisCount(name, count, int(last_ms)) for name, count, last_ms in session.exec(query)]


def hypothesis_named(engine: Engine, text: str) -> str:
    """The one hypothesis whose name contains the text; BadInput with what there is."""
    names = [found.name for found in hypotheses(engine)]
    fitting = [name for name in names if name == text] or [name for name in names if text.lower() in name.lower()]
    if len(fitting) == 1:
        return fitting[0]
    if not names:
        raise BadInput("the trial ledger is empty", "run a backtest or a sweep first")
    several = f"{len(fitting)} hypotheses contain" if fitting else "no hypothesis contains"
    raise BadInput(f"{several} {text[:80]!r}", f"name one: {'; '.join((fitting or names)[:8])}")


def _parts(ids: Sequence[Any]) -> list[Sequence[Any]]:
    """The ids in parts that one query can take."""
    return [ids[k : k + IDS_AT_ONCE] for k in range(0, len(ids), IDS_AT_ONCE)]


def _by_id(ids: Sequence[str]) -> Any:
    return select(Trial).where(col(Trial.id).in_(ids))
