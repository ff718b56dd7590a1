"""What a person decides about differences and incident windows, on its way to the worker: rows of the database. The worker
alone writes the journal.

`ask` is called by app.people.adoptions and app.people.windows, for a named person who has seen what it will do; `pending` and
`answer` by engine.live.controls. No agent, tool or API reaches this module (an import contract holds it).
"""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from sqlalchemy import Engine
from sqlmodel import col, select, update

from engine.errors import DataError, Refused
from engine.store import db
from engine.store.tables import DifferenceAdoption

PENDING, ADOPTED, REFUSED = "pending", "adopted", "refused"
EVENT, ADOPT, WINDOW = "event", "adopt", "window"  # what kind of event a row becomes, where it is not an adoption


class AdoptionRequest(NamedTuple):
    """One that waits for the worker."""

    id: int
    body: dict[str, Any]  # of the event that it becomes
    kind: str = ADOPT


class AdoptionAnswer(NamedTuple):
    """What became of one."""

    state: str
    why: str


def ask_window(engine: Engine, body: Mapping[str, Any], by: Mapping[str, Any], now_ms: int) -> int:
    """Hand a `window` event to the worker; its number. Raises Refused while another one of that window waits."""
    about = f"window {body.get('window') or 'opened by ' + str(body['by'])}"
    return ask(engine, {EVENT: WINDOW, "difference": about, "reason": body["cause"], **body}, by, now_ms)


def ask(engine: Engine, body: Mapping[str, Any], by: Mapping[str, Any], now_ms: int) -> int:
    """Hand an adoption to the worker; its number. Raises Refused while another one of that difference waits."""
    text = json.dumps(dict(body), sort_keys=True, allow_nan=False)
    with db.write(engine) as session:
        same = DifferenceAdoption.difference == body["difference"]
        waits = select(DifferenceAdoption).where(same, DifferenceAdoption.state == PENDING)
        if session.exec(waits).first() is not None:
            raise Refused(f"a decision about {body['difference']} waits for the worker already", "start the worker: nightdesk up")
        row = DifferenceAdoption(
            difference=body["difference"], body=text, reason=body["reason"], asked_ms=now_ms, asked_by=json.dumps(dict(by))
        )
        session.add(row)
        session.flush()
        assert row.id is not None  # noqa: S101 - the database numbers it
        return row.id


def pending(engine: Engine) -> tuple[AdoptionRequest, ...]:
    """Those that wait, oldest first."""
    with db.read(engine) as session:
        waiting = select(DifferenceAdoption).where(DifferenceAdoption.state == PENDING)
        rows = session.exec(waiting.order_by(col(DifferenceAdoption.id))).all()
        return tuple(_request(row.id or 0, json.loads(row.body)) for row in rows)


def _request(id_: int, body: dict[str, Any]) -> AdoptionRequest:
    """A row as the event that it becomes; of a kind that is not known it is an adoption, which the book refuses."""
    if body.pop(EVENT, ADOPT) != WINDOW:
        return AdoptionRequest(id_, {**body, "request": id_})
    kept = {key: value for key, value in body.items() if key not in ("difference", "reason")}
    return AdoptionRequest(id_, {**kept, "request": id_}, WINDOW)


def answer(engine: Engine, id_: int, adopted: bool, why: str, now_ms: int) -> None:
    """Write down what became of one; an answer is never changed."""
    values = {"state": ADOPTED if adopted else REFUSED, "outcome": why, "answered_ms": now_ms}
    with db.write(engine) as session:
        unanswered = col(DifferenceAdoption.id) == id_, col(DifferenceAdoption.state) == PENDING
        session.exec(update(DifferenceAdoption).where(*unanswered).values(**values))


def answer_of(engine: Engine, id_: int) -> AdoptionAnswer:
    """What became of one so far. Raises DataError for a number that the database does not hold."""
    with db.read(engine) as session:
        row = session.get(DifferenceAdoption, id_)
        if row is None:
            raise DataError(f"the database holds no adoption {id_}", "was it replaced? ask again")
        return AdoptionAnswer(row.state, row.outcome)
