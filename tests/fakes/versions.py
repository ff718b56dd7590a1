"""A version of the desk put in force by hand, past proposals and approvals: for tests of those who follow it."""

from pathlib import Path

from sqlalchemy import Engine
from sqlmodel import update

from engine.control.config import DeskConfig, active, desk_row, desk_version, ensure_first, sleeve_row, sleeve_text
from engine.store import db
from engine.store.tables import Active, ActiveSleeve

ANN = {"name": "ann"}


def put_in_force(engine: Engine, home: Path, config: DeskConfig, now_ms: int) -> int:
    """The desk's next version: what differs from the one in force is its sleeve's next version. Its number."""
    ensure_first(engine, home, now_ms, "a test")
    now = active(engine, home)
    bodies = {s.name: sleeve_text(s) for s in config.sleeves}
    moved = {name: now.sleeves[name] + 1 for name, body in bodies.items() if now.bodies[name] != body}
    desk = desk_version(now.version + 1, {**now.sleeves, **moved}, bodies)
    with db.write(engine) as session:
        session.add_all([sleeve_row(name, number, bodies[name], now_ms, ANN, "a test") for name, number in moved.items()])
        session.add(desk_row(desk, now_ms, ANN, "a test"))
        session.flush()
        for name, number in moved.items():
            session.exec(update(ActiveSleeve).where(ActiveSleeve.sleeve == name).values(version=number))
        session.exec(update(Active).values(version=desk.version, changed_ms=now_ms))
    return desk.version
