"""The desk's time: the close of the last bar the worker has journaled. Called by whoever answers a question about the desk."""

from pathlib import Path

from engine.store.journal import tail

LOOK_BACK = 400  # events: more than one bar of a desk of many sleeves
NOT_A_BAR = ("halt", "config", "incident")  # kinds that a person's act, not a bar, may have timed


def desk_ms(home: Path) -> int | None:
    """Desk time of a home in UTC ms; None when no bar was ever decided on."""
    path = home / "journal" / "desk.jsonl"
    times = [event.t_event_ms for event in tail(path, LOOK_BACK) if event.kind not in NOT_A_BAR]
    return max(times, default=None)
