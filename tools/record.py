"""How a call gets into the people journal: an open journal -> the `record` of a ToolContext. Used by app/wiring.py."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.store.journal import Journal


def recorder(journal: "Journal", clock_ms: Callable[[], int]) -> Callable[[str, Mapping[str, Any]], str]:
    """A function (kind, body) -> id of the event it appended; `clock_ms` is the machine's time, the people journal's."""

    def record(kind: str, body: Mapping[str, Any]) -> str:
        from engine.store.chain import Event

        return journal.append([Event(kind=kind, t_event_ms=clock_ms(), body=body)])[0].id

    return record
