"""The composition root for agents: turns an opened home into the AgentRuntime that agents.turns needs.

Called by app/cli/chat.py and the API. Adds to app/tool_wiring.py what a turn needs beyond tools: the model, the vocabulary,
the limits of spending, a halt. No venue key and no private venue can be reached from here.
"""

import os
import time
from collections.abc import Mapping
from functools import cache, lru_cache
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.offline.model import OfflineModel
from agents.offline.words import Param, SleeveName, Words
from agents.spending import SpendLimits
from app.home.home import Home
from app.people.identity import Actor, os_user
from app.tool_wiring import WAIT_S, ToolWiring
from engine.clock import TIMEFRAMES
from engine.control import halt
from engine.errors import DeskError
from tools.catalog import TOOLS
from tools.common.contract import Effect

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agents.endpoints import Endpoint
    from agents.model import Model


class Wiring(ToolWiring):
    """The AgentRuntime of one process. `wait_s`: how long a COMPUTE call waits for its job; None waits until it ends.

    `model`: the model to ask; None takes the one that the environment or desk.toml names.
    """

    def __init__(
        self, home: Home, person: str, channel: str, wait_s: float | None = WAIT_S, model: "Model | None" = None
    ) -> None:
        super().__init__(home, person, channel, wait_s)
        self.model: Model = model or model_of(home)
        self.limits = SpendLimits(**home.desk.budgets.model_dump())

    def record(self, kind: str, body: Mapping[str, Any]) -> str:
        """Append to the people journal, durably; what an offline turn asks and reads goes to the disk with its answer."""
        reads = kind == "tool" and body["tool"] in TOOLS and TOOLS[body["tool"]].effect is Effect.READ
        return self.append(kind, body, sync=not (self.model.offline and (kind == "ask" or reads)))

    def anchor(self, rows: "Connection") -> None:
        """Note in a transaction how far the people journal has come; once a turn, with its end, is enough."""
        from engine.store.anchors import note_head_in

        if self._synced is not None:
            note_head_in(rows, "people", self._synced, self.now_ms())

    @property
    def endpoint(self) -> "Endpoint | None":
        """Where questions are sent; None while nothing leaves this machine."""
        return getattr(self.model, "endpoint", None)

    def words(self, desk_ms: int | None) -> Words:
        """Which strategies, parameters, sleeves and symbols a question may name."""
        from engine.strategies.base import BASKETS

        sleeves = self._sleeves()
        names = [name for name in self._home.catalog.names if name[2] == "perp" and not name[4] and name[3] in TIMEFRAMES]
        symbols = dict.fromkeys([*(s.symbol for s in sleeves), *sorted({symbol for _, symbol, *_ in names})])
        venues = dict.fromkeys([*(s.venue for s in sleeves), *sorted({venue for venue, *_ in names})])
        made = Words(self._strategies(), sleeves, tuple(symbols), tuple(venues), desk_ms, self._models(), _params_of(BASKETS))
        if _VALUES(kept := _WORDS.get(self.home, made)) == _VALUES(made):
            made = kept
        _WORDS[self.home] = made
        return made

    def _strategies(self) -> dict[str, tuple[Param, ...]]:
        """Shipped strategies with their parameters; a person's own by name only, because their files are never executed here."""
        from engine.strategies.base import own_names

        found = dict(_shipped())
        return found | {name: () for name in own_names(self._home.strategies) if name not in found}

    def _sleeves(self) -> tuple[SleeveName, ...]:
        """The sleeves of the configuration in force."""
        from engine.control.config import active
        from engine.strategies.stored_models import pins_of

        try:
            desk = active(self.engine, self._home.path).config
            return tuple(
                SleeveName(s.name, s.strategy, s.symbol, s.timeframe, s.venue, s.params, pins_of(s.models or ""))
                for s in desk.sleeves
            )
        except DeskError:
            return ()

    def _models(self) -> dict[str, tuple[str, ...]]:
        """The stored models with their versions, by the folders' names alone."""
        from engine.models import artifact

        root = self._home.path / "models"
        return {name: tuple(artifact.versions(root, name)) for name in artifact.names(root)}

    def halt(self, reason: str, person: str) -> str:
        """Latch the halt: file, then database, then journal. Returns the text for the person; DataError means not latched."""
        by = Actor(person, "claimed", os_user(), self.channel).as_json()
        latch = halt.read(self.home)
        if latch.halted and latch.reason == reason:  # the command line wrote the file before it opened anything
            halt.set_row(self.engine, reason, by, self.now_ms())
        else:
            latch = halt.set(self.home, reason, by, self.now_ms(), self.engine)
        self.record("halt", {"reason": reason, "actor": by})
        return halt_answer(self.home, latch)


_VALUES = attrgetter("strategies", "sleeves", "symbols", "venues", "desk_ms", "models")
_WORDS: dict[Path, Words] = {}  # of a home, as its last question had it: the same object while nothing in it has changed


@cache
def _shipped() -> "Mapping[str, tuple[Param, ...]]":
    """Shipped strategies with their parameters; they change only with the code."""
    from engine.strategies.base import BASKETS, OURS

    return _params_of(tuple(name for name in OURS if name not in BASKETS))  # "pairs" is a word of its own


@cache
def _params_of(names: tuple[str, ...]) -> "Mapping[str, tuple[Param, ...]]":
    """Strategies of ours with their parameters."""
    from engine.strategies.base import load_strategy, params_table

    found: dict[str, tuple[Param, ...]] = {}
    for name in names:
        rows = params_table(load_strategy(name, None))
        found[name] = tuple(Param(r["key"], r["unit"] or "", r["default"], r["low"], r["high"], r["choices"]) for r in rows)
    return found


def model_of(home: Home, environ: Mapping[str, str] = os.environ) -> "Model":
    """The model that the environment or desk.toml names, else the offline one. A fault in its configuration is its answer."""
    from agents.endpoints import choose, key_of
    from agents.formats.model import NoModel

    try:
        endpoint = choose({name: entry.model_dump() for name, entry in home.desk.models.items()}, environ)
        return OfflineModel() if endpoint is None else _wire_model(endpoint, key_of(endpoint, environ))
    except DeskError as error:
        return NoModel(environ.get("NIGHTDESK_MODEL", "").strip() or "of this desk", "none", str(error))


@lru_cache(maxsize=8)
def _wire_model(endpoint: "Endpoint", key: str) -> "Model":
    """One model per endpoint and process: its connections and what it learned outlive a turn."""
    from agents.formats.model import EndpointModel

    return EndpointModel(endpoint, key)


def halt_first(home: Path, reason: str, person: str, channel: str) -> halt.Latch | None:
    """Write the halt file before anything else is opened or loaded; None where no desk exists yet."""
    if not halt.has_desk(home):
        return None
    by = Actor(person, "claimed", os_user(), channel).as_json()
    return halt.set(home, reason, by, time.time_ns() // 1_000_000)


def halt_answer(home: Path, latch: halt.Latch) -> str:
    """The chat's answer to a halt."""
    from engine.watch.following import HALT, carried_out

    follows = carried_out(home, time.time_ns() // 1_000_000, HALT)
    return (
        f"**HALTED** by {latch.by or 'unknown'}: {latch.reason}. No model was asked. {follows} "
        'No new entries until a person releases the halt: `nightdesk release --reason "..." --as NAME`.'
    )
