"""The composition root of whoever talks to agents: an opened home becomes the Office that agents.turns asks in.

Called by app/cli/chat.py (and by the API). Here the model is chosen, the vocabulary read, tool contexts and the people journal
made. No key of a venue and no private venue is reachable from here.
"""

import os
import time
from collections.abc import Mapping
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.offline.model import OfflineModel
from agents.offline.words import Param, SleeveName, Words
from agents.spending import SpendLimits
from app.home.home import Home
from app.people.identity import Actor, os_user
from engine.control import halt
from engine.errors import DeskError
from engine.watch import window

if TYPE_CHECKING:
    from agents.endpoints import Endpoint
    from agents.model import Model
    from engine.store.journal import Journal
    from tools.common.contract import ToolContext


WAIT_S = 20.0  # what takes longer is told to have started, and posted when it ends


class Wiring:
    """The Office of one process. `wait_s`: how long a COMPUTE call waits for its job; None where a person watches it.

    `model`: who answers; None for the one that environment or desk.toml name.
    """

    def __init__(
        self, home: Home, person: str, channel: str, wait_s: float | None = WAIT_S, model: "Model | None" = None
    ) -> None:
        self._home, self.person, self.channel, self.wait_s = home, person, channel, wait_s
        self.engine, self.home = home.engine, home.path
        self.model: Model = model or model_of(home)
        self.limits = SpendLimits(**home.desk.budgets.model_dump())

    @cached_property
    def source(self) -> str:
        """What kind of bars the desk walks: as its journal says, else as the home was opened with."""
        source = window.beginning(window.journal_of(self.home)).get("source") or self._home.feed.get("source")
        return str(source or "no")

    @property
    def stamp(self) -> str:
        """PAPER, or REPLAYED and PAPER while the desk replays."""
        mark = window.mark_at(window.journal_of(self.home))
        said = str(mark.body.get("stamp") or "") if mark is not None else ""
        return "PAPER" if said in ("", "PAPER") else f"{said} \u00b7 PAPER"

    @property
    def endpoint(self) -> "Endpoint | None":
        """Where questions are sent; None while nothing leaves this machine."""
        return getattr(self.model, "endpoint", None)

    def now_ms(self) -> int:
        """The machine's time."""
        return time.time_ns() // 1_000_000

    def desk_ms(self) -> int | None:
        """The desk's time: the close of the last bar it decided on."""
        return window.desk_ms(self.home)

    def words(self, desk_ms: int | None) -> Words:
        """Which strategies, parameters, sleeves and symbols a question may name."""
        sleeves = self._sleeves()
        series = [
            s for s in self._home.catalog.series() if s.market == "perp" and not s.tag and s.series in ("1m", "5m", "15m", "1h")
        ]
        symbols = dict.fromkeys([*(s.symbol for s in sleeves), *sorted({s.symbol for s in series})])
        venues = dict.fromkeys([*(s.venue for s in sleeves), *sorted({s.venue for s in series})])
        return Words(self._strategies(), sleeves, tuple(symbols), tuple(venues), desk_ms)

    def _strategies(self) -> dict[str, tuple[Param, ...]]:
        """Shipped strategies with their parameters; a person's own by name alone, as their files are not run here."""
        from engine.strategies.base import own_names

        found = dict(_shipped())
        return found | {name: () for name in own_names(self._home.strategies) if name not in found}

    def _sleeves(self) -> tuple[SleeveName, ...]:
        """The sleeves of the configuration in force."""
        from engine.control.config import active

        try:
            _, desk = active(self.engine)
        except DeskError:
            return ()
        return tuple(SleeveName(s.name, s.strategy, s.symbol, s.timeframe, s.venue, s.params) for s in desk.sleeves)

    def context(self, **of_the_turn: Any) -> "ToolContext":
        """A tool context for one turn."""
        from app.jobs.queue import Jobs
        from memory.shelf import Shelf
        from tools.common.contract import ToolContext

        Shelf(self._home.memory).stock()
        return ToolContext(
            engine=self.engine,
            home=self.home,
            catalog=self._home.catalog,
            jobs=Jobs(self._home, self.person),
            record=self.record,
            wait_s=self.wait_s,
            **of_the_turn,
        )

    @cached_property
    def _people(self) -> "Journal":
        from engine.store.journal import Journal

        return Journal(self._home.people_journal, self.channel)

    def close(self) -> None:
        """Let go of the journal, if it was opened; for a process that makes an office a turn."""
        if "_people" in vars(self):
            self._people.close()

    def record(self, kind: str, body: Mapping[str, Any]) -> str:
        """Append to the people journal, durably; the id of the event."""
        from engine.store.anchors import note_head
        from engine.store.journal import Event

        head = self._people.append([Event(kind, self.now_ms(), dict(body))])[0]
        if kind == "answer":  # once a turn is often enough for the anchor
            note_head(self.engine, "people", head, self.now_ms())
        return head.id

    def halt(self, reason: str, person: str) -> str:
        """Latch the halt, file first, then the database and the journal; what to tell the person. DataError: not latched."""
        by = Actor(person, "claimed", os_user(), self.channel).as_json()
        latch = halt.read(self.home)
        if latch.halted and latch.reason == reason:  # the command line has written the file before it opened anything
            halt.set_row(self.engine, reason, by, self.now_ms())
        else:
            latch = halt.set(self.home, reason, by, self.now_ms(), self.engine)
        self.record("halt", {"reason": reason, "actor": by})
        return told(latch)


@cache
def _shipped() -> "Mapping[str, tuple[Param, ...]]":
    """Shipped strategies with their parameters: they change with the code alone."""
    from engine.strategies.base import SHIPPED, load_strategy, params_table

    found: dict[str, tuple[Param, ...]] = {}
    for name in SHIPPED:
        rows = params_table(load_strategy(name, None))
        found[name] = tuple(Param(r["key"], r["unit"] or "", r["default"], r["low"], r["high"]) for r in rows)
    return found


def model_of(home: Home, environ: Mapping[str, str] = os.environ) -> "Model":
    """The model that environment or desk.toml name, else the offline one. What is off is told by its answers."""
    from agents.endpoints import choose, key_of
    from agents.formats.model import NoModel

    try:
        endpoint = choose({name: entry.model_dump() for name, entry in home.desk.models.items()}, environ)
        return OfflineModel() if endpoint is None else _wire_model(endpoint, key_of(endpoint, environ))
    except DeskError as error:
        return NoModel(environ.get("NIGHTDESK_MODEL", "").strip() or "of this desk", "none", str(error))


@lru_cache(maxsize=8)
def _wire_model(endpoint: "Endpoint", key: str) -> "Model":
    """One model an endpoint and process: its connections and what it learned outlive the office of a turn."""
    from agents.formats.model import EndpointModel

    return EndpointModel(endpoint, key)


def halt_first(home: Path, reason: str, person: str, channel: str) -> halt.Latch | None:
    """Write the halt's file before anything else is opened or loaded; None where there is no desk yet."""
    if not home.is_dir():
        return None
    by = Actor(person, "claimed", os_user(), channel).as_json()
    return halt.set(home, reason, by, time.time_ns() // 1_000_000)


def told(latch: halt.Latch) -> str:
    """What a person reads after a halt."""
    return (
        f"**HALTED** by {latch.by or 'unknown'}: {latch.reason}. No model was asked. The worker cancels entries and flattens at "
        'the next open; nothing enters until a person releases it: `nightdesk release --reason "..." --as NAME`.'
    )
