"""The account that a desk trades, as one page shows it: gate, health, streams and polls, latency, probes; and a halt's progress.

Called by app/api/account.py. What the worker alone knows comes by its heartbeat, all else from the journal; nothing here asks a
venue or holds a key.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.home.home import Home
from app.people.stages import last_probe
from engine.making.under_halt import as_json, makers_under_halt
from engine.watch.account_state import first_causes, gate_seen, halt_steps, latencies, spells
from engine.watch.halt_left import halt_state
from engine.watch.heartbeat import heartbeat_of
from engine.watch.order_lives import recent_lives
from engine.watch.window import start_of

LIVES_MAX = 500
ROWS_MAX = 20  # of streams, polls and instruments
PULSE_KEYS = {
    "streams": ("name", "open_ms", "alive_ms", "connections"),
    "polls": ("instrument", "read_ms", "failures", "waiting"),
}


def account_of(home: Home) -> dict[str, Any]:
    """Everything about the account but its orders (recent_lives has those); on paper only that there is none."""
    path, entry = home.desk_journal, home.desk.traded
    beat = heartbeat_of(home.path)
    found: dict[str, Any] = {"name": None, "mode": home.desk.mode, "beat_ms": _number(beat.get("wall_ms")), "pulse": _pulse(beat)}
    if entry is None:
        return found | {"venue": None, "instruments": [], "gate": None, "spells": [], "latency": [], "probes": []}
    instruments = [str(name) for name in start_of(path).get("instruments") or ()][:ROWS_MAX]
    gate = gate_seen(path)
    return found | {
        "name": home.desk.account,
        "venue": entry.venue,
        "margin": entry.margin,
        "leverage": entry.leverage,
        "instruments": instruments,
        "gate": None
        if gate is None
        else {"open": gate.body["open"], "t_ms": gate.t_recv_ms, "rows": gate.body["rows"]} | {"event": gate.id},
        "spells": _spells(path),
        "latency": [one._asdict() for one in latencies(recent_lives(path, limit=LIVES_MAX))],
        "probes": [probe for name in instruments if (probe := _probe(home, name)) is not None],
    }


def _spells(path: Path) -> list[dict[str, Any]]:
    """What is not well and what was, without what only follows from another."""
    found = spells(path)
    own = first_causes({spell.what: spell.why for spell in found if spell.over_ms is None})
    return [spell._asdict() for spell in found if spell.over_ms is not None or spell.what in own]


def halt_progress(home: Home, since_ms: int) -> dict[str, Any]:
    """How far the halt that was latched at `since_ms` has come: state, what is left, what it cancelled and closed, the makers."""
    path = home.desk_journal
    state = halt_state(path, since_ms)
    steps = halt_steps(recent_lives(path, limit=LIVES_MAX), since_ms)
    tries = {"tries_until_ms": state.tries_until_ms, "tried": state.tried}
    makers = as_json(makers_under_halt(home.path, since_ms))
    shown = [step._asdict() for step in steps[-LIVES_MAX:]]
    return {"state": state.state, "left": state.left, **tries, "steps": shown, "makers": makers}


def _pulse(beat: Mapping[str, Any]) -> dict[str, Any] | None:
    """Streams and polls as the worker last said them; None where it says nothing of them. A file: only what is known is taken."""
    said = beat.get("account")
    if not isinstance(said, Mapping) or not said:
        return None
    rows = {name: [_row(row, keys) for row in _rows(said.get(name))] for name, keys in PULSE_KEYS.items()}
    return {**rows, "compared_ms": _number(said.get("compared_ms")), "clock_offset_ms": _number(said.get("clock_offset_ms"))}


def _rows(found: Any) -> list[Any]:
    return found[:ROWS_MAX] if isinstance(found, list) else []


def _row(row: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    of: Mapping[str, Any] = row if isinstance(row, Mapping) else {}
    first, *numbers = keys
    return {first: str(of.get(first) or "")[:80], **{key: _number(of.get(key)) for key in numbers}}


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, int) and not isinstance(value, bool) else None


def _probe(home: Home, instrument: str) -> dict[str, Any] | None:
    """The last probe of an instrument that ended, with its legs."""
    event = last_probe(home.path, instrument)
    if event is None:
        return None
    kept = {key: event.body.get(key) for key in ("instrument", "kind", "ok", "cost")}
    left = [str(line)[:200] for line in event.body.get("left") or ()]
    return {**kept, "legs": list(event.body.get("legs") or ()), "left": left, "t_ms": event.t_recv_ms, "event": event.id}
