"""What every trading process reads before it trades: the journal, the columns of its bars, the body of its configuration.

Called by app.processes.worker and app.processes.live_start.
"""

from typing import Any

from app.processes.chain_check import held_against_anchor
from app.processes.keeping import now_ms
from engine.clock import timeframe_text
from engine.errors import JournalBroken


def opened_journal(home: Any, log: Any) -> Any:
    """The desk's journal, packed as far as is due and held against its anchor; version 1 is written where there is none.

    Raises JournalBroken and Busy.

    A journal without a bar where a worker had walked some is refused before anything is written: with the database gone too, the
    heartbeat is the last that knows what was open, and a desk that begins anew would write over it.
    """
    from app.upkeep.journals import pack_due
    from engine.control.config import ensure_first
    from engine.store.journal import Journal
    from engine.watch.halt_left import lost_and_open
    from engine.watch.window import mark_at

    pack_due(home, now_ms(), log)
    if mark_at(home.desk_journal) is None and (lost := lost_and_open(home.path)):
        hint = "restore the journal from a copy of the home; to begin anew, set NIGHTDESK_HOME to a new folder"
        raise JournalBroken(lost, hint)
    journal = Journal(home.desk_journal, "worker")
    held_against_anchor(journal, home.engine)
    ensure_first(home.engine, home.path, now_ms(), "desk.toml at the first start")
    return journal


def config_body(home: Any, desk: Any, clock: str, first_ms: int, catalog: Any) -> dict[str, Any]:
    """The body of a version's config event; `first_ms`: where the home's first traded bar opens, 0 for one that begins."""
    from engine.live import config_event

    walk = config_event.Walk(clock, first_ms)
    return config_event.body_of(desk, home.desk.limits, home.desk.overrides(), home.strategies, catalog, walk)


def walked(home: Any) -> tuple[str, list[str]]:
    """(the clock, columns of a bar) of the desk: as its journal began, whatever the database says; else as in force."""
    from engine.book.replay import require_format
    from engine.control.config import active
    from engine.live import config_event
    from engine.store.journal import read

    began = next(read(home.desk_journal, {"config"}), None)
    if began is not None:
        require_format(start := began.body["start"], home.desk_journal)
        return timeframe_text(int(start["timeframe_ms"])), [*start["instruments"], *start["own_bars"]]
    config = active(home.engine, home.path).config
    return config.clock, config_event.columns(config)


def funding_text(policy: Any) -> str:
    """The funding policy as it is stamped."""
    return policy if isinstance(policy, str) else f"assume={policy[1]:g}"
