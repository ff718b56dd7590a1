"""Budgets of real models: the most a call can cost is reserved before it is sent, then settled by what was reported.

Called by agents/caller.py. The sums are stored in the turns' rows, so all processes share them and a restart forgets nothing.
A reservation that was never settled, because its process died, counts as spent.
"""

import json
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import Session, col, or_, select

from agents.model import OverBudget
from engine.clock import DAY_MS
from engine.store import db
from engine.store.tables import Thread, Turn


class SpendLimits(NamedTuple):
    """The most that a turn, a person's day and everybody's day (UTC) may use, in tokens and US dollars."""

    turn_tokens: int = 400_000
    person_tokens: int = 4_000_000
    day_tokens: int = 10_000_000
    turn_usd: float = 1.0
    person_usd: float = 10.0
    day_usd: float = 25.0


class Spend(NamedTuple):
    """What a turn has used and reserved. Dollars count when a price is configured; `priced` is false when it was not."""

    tokens: int = 0
    usd: float = 0.0
    held_tokens: int = 0
    held_usd: float = 0.0
    calls: int = 0
    priced: bool = True


def reserve(engine: Engine, turn: str, limits: SpendLimits, tokens: int, usd: float | None, now_ms: int) -> None:
    """Reserve `tokens` and `usd` (None: unknown, only tokens count) for one call of `turn`. OverBudget names the limit."""
    with db.write(engine) as session:
        row = session.get(Turn, turn)
        if row is None:
            raise OverBudget(f"unknown turn {turn}")
        thread = session.get(Thread, row.thread)
        rows = _today(session, turn, now_ms)
        mine = [spend for _, person, spend in rows if thread is not None and person == thread.person]
        own = spend_of(row.body)
        for name, spends, most_tokens, most_usd in (
            ("a turn", [own], limits.turn_tokens, limits.turn_usd),
            ("a person's day", mine, limits.person_tokens, limits.person_usd),
            ("the desk's day", [spend for _, _, spend in rows], limits.day_tokens, limits.day_usd),
        ):
            if sum(s.tokens + s.held_tokens for s in spends) + tokens > most_tokens:
                raise OverBudget(f"the budget of {name} ({most_tokens:,} tokens) is used up")
            if usd is not None and sum(s.usd + s.held_usd for s in spends) + usd > most_usd:
                raise OverBudget(f"the budget of {name} ({most_usd:,.2f} USD) is used up")
        held = own._replace(held_tokens=own.held_tokens + tokens, held_usd=own.held_usd + (usd or 0.0), calls=own.calls + 1)
        _write(session, row, held._replace(priced=own.priced and usd is not None))


def settle(engine: Engine, turn: str, held: tuple[int, float | None], used: tuple[int, float | None]) -> None:
    """Replace a call's reservation by what it used."""
    with db.write(engine) as session:
        row = session.get(Turn, turn)
        if row is None:
            return
        own = spend_of(row.body)
        spend = own._replace(
            tokens=own.tokens + used[0],
            usd=own.usd + (used[1] or 0.0),
            held_tokens=max(0, own.held_tokens - held[0]),
            held_usd=max(0.0, own.held_usd - (held[1] or 0.0)),
        )
        _write(session, row, spend)


def spend_of(body: str) -> Spend:
    """The spending stored in a turn's row; zero when no real model was called."""
    said = json.loads(body).get("spend", {})
    return Spend(**{key: said[key] for key in Spend._fields if key in said})


def of_turn(engine: Engine, turn: str) -> Spend:
    """What a turn has used."""
    with db.read(engine) as session:
        body = session.exec(select(Turn.body).where(Turn.id == turn)).first()
    return spend_of(body) if body else Spend()


def _today(session: Session, turn: str, now_ms: int) -> list[tuple[str, str, Spend]]:
    """Turn, person and spend of every turn that began on this UTC day, and of `turn` itself."""
    began = now_ms - now_ms % DAY_MS
    rows: Any = session.exec(
        select(Turn.id, Thread.person, Turn.body)
        .join(Thread, col(Thread.id) == col(Turn.thread))
        .where(or_(col(Turn.created_ms) >= began, col(Turn.id) == turn), col(Turn.body).contains('"spend"'))
    ).all()
    return [(identity, person, spend_of(body)) for identity, person, body in rows]


def _write(session: Session, row: Turn, spend: Spend) -> None:
    row.body = json.dumps({**json.loads(row.body), "spend": spend._asdict()}, ensure_ascii=False, default=str)
    session.add(row)
