"""One journal event with its causes and consequences. Called by `journal explain`, `journal tail` and the API."""

from pathlib import Path
from typing import Any

from engine.core.state import ACTIONS, EXIT, EXIT_SLOT, REFUSED, SLOTS

LIFE_MAX = 8  # events of the order behind a fill
CAUSES_MAX = 20
FOLLOWED_MAX = 500  # later events searched for consequences
LOOK_BACK_MS = 3 * 86_400_000  # how far back to search for the decision before an exit


def event_json(event: Any) -> dict[str, Any]:
    """An event without its hash-chain fields."""
    shown = ("seq", "id", "kind", "t_event_ms", "body", "run_id", "config_version", "cause_id", "writer")
    return {name: getattr(event, name) for name in shown}


def story(path: Path, event: Any) -> dict[str, Any]:
    """The event, what led to it (causes; for a fill, decision and order; oldest first), and what followed."""
    from engine.store.journal import find

    before: dict[int, Any] = {}
    cause = event
    while cause is not None and cause.cause_id and len(before) < CAUSES_MAX:
        cause = find(path, cause.cause_id)
        if cause is None or cause.seq in before:
            break
        before[cause.seq] = cause
    before |= {e.seq: e for e in decided_by(path, event) if e.seq < event.seq}
    before.pop(event.seq, None)
    followed = [event_json(e) for e in next_events(path, event) if e.cause_id == event.id]
    found = {"event": event_json(event), "before": [event_json(before[n]) for n in sorted(before)], "followed": followed}
    found |= {"parent": parent} if (parent := _parent(path, event)) else {}
    return found | ({"order": life._asdict()} if (life := _life(path, event)) else {})


def _life(path: Path, event: Any) -> Any:
    """The life of the order that an event is about; None for any other."""
    if event.kind not in {"fill", "order", "intent", "amend"} or not isinstance(event.body.get("order"), str):
        return None
    from engine.watch.order_lives import life_of

    return life_of(path, event.body["order"], event.t_event_ms)


def _parent(path: Path, event: Any) -> dict[str, Any] | None:
    """The parent of an entry order that is one of its slices, with its cost against arrival as far as it had come."""
    if event.kind not in {"fill", "order", "intent"} or not event.body.get("sleeve"):
        return None
    from engine.watch.desk_parents import parent_of

    return parent_of(path, event)


def decided_by(path: Path, event: Any) -> list[Any]:
    """The decision and the order's life behind a fill or an order; for an exit the last decision before it."""
    from engine.watch.window import between

    sleeve, decided_ms = event.body.get("sleeve"), event.body.get("decided_ms")
    if event.kind not in {"fill", "order"} or not sleeve:
        return []
    since_ms = event.t_event_ms - LOOK_BACK_MS if decided_ms is None else decided_ms - 1
    earlier = [
        e for e in between(path, since_ms, event.t_event_ms, {"decision", "intent", "order", "amend"}) if e.seq < event.seq
    ]
    life = [e for e in earlier if e.kind != "decision" and _is_of(e, event)]
    if event.body.get("basket"):
        return [*_of_pairs(path, event), *life[:1], *life[1:][-LIFE_MAX:]]
    decisions = [e for e in earlier if e.kind == "decision" and e.body.get("sleeve") == sleeve]
    if decided_ms is not None:
        decisions = [e for e in decisions if e.t_event_ms == decided_ms]
    elif event.body.get("slot") == SLOTS[EXIT_SLOT]:  # a reversal has ordered its entry since
        decisions = [e for e in decisions if e.body["action"] == ACTIONS[EXIT]]
    return [*decisions[-1:], *life[:1], *life[1:][-LIFE_MAX:]]


def _of_pairs(path: Path, event: Any) -> list[Any]:
    """The last decision before an execution of a basket's leg about each pair that has a part of it: its spread, and why."""
    from engine.watch.window import between

    wanted, found = {part["pair"] for part in event.body.get("parts", ())}, dict[str, Any]()
    for one in between(path, event.t_event_ms - LOOK_BACK_MS, event.t_event_ms, {"decision"}):
        if one.seq < event.seq and one.body.get("pair") in wanted and one.body["action"] != ACTIONS[REFUSED]:
            found[one.body["pair"]] = one
    return sorted(found.values(), key=lambda one: one.seq)


def _is_of(earlier: Any, event: Any) -> bool:
    """Whether an earlier event is of the same order, or the intent of an earlier slice of its parent."""
    one, other = str(earlier.body.get("order", "")), str(event.body.get("order", ""))
    return one == other or ("slice" in earlier.body and one[:-2] == other[:-2])


def next_events(path: Path, event: Any) -> list[Any]:
    """The next FOLLOWED_MAX events after this one."""
    from itertools import islice

    from engine.store.journal import read

    return list(islice(read(path, after=event.seq), FOLLOWED_MAX))
