"""What the audit reads of one sleeve: configuration, journal, market data, stored run, models, last comparison and drill.

Made by audit.py, read by the queries. Each part is read once, by the function that the desk itself reads it with.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from app.home.home import Home
from engine.clock import timeframe_text
from engine.control.agreement import version_of
from engine.control.config import DeskVersion, SleeveConfig
from engine.errors import DeskError
from engine.live import config_event
from engine.store.chain import Event
from engine.store.runs import Runs
from engine.watch.deadguards import RateComparison, compared
from engine.watch.drift_status import last_drift
from engine.watch.drill_status import last_drill
from engine.watch.parity_result import last_result
from engine.watch.window import journal_of, mark_at, start_of

if TYPE_CHECKING:
    from engine.data.issues import DataIssue

RUNS_MAX = 50  # newest stored runs that are looked through


@dataclass
class AuditedSleeve:
    """A sleeve of the version in force; `now_ms`: wall time."""

    home: Home
    desk: DeskVersion
    config: SleeveConfig
    now_ms: int

    @property
    def name(self) -> str:
        """Its name."""
        return self.config.name

    @property
    def version(self) -> int:
        """The version of the sleeve in force."""
        return self.desk.sleeves[self.config.leg_of or self.name]

    @cached_property
    def mark(self) -> Event | None:
        """The desk's last mark; None before its first bar."""
        return mark_at(journal_of(self.home.path))

    @cached_property
    def followed(self) -> Event | None:
        """The newest `config` event: what the worker has read."""
        return version_of(journal_of(self.home.path))

    @cached_property
    def source(self) -> Mapping[str, Any]:
        """The sleeve in that event; empty where it has none."""
        sleeves = self.followed.body["sleeves"] if self.followed else ()
        return next((one for one in sleeves if one["name"] == self.name), {})

    @cached_property
    def today(self) -> Mapping[str, Any]:
        """The `config` event that a worker would write now, of code, desk.toml and data as they are. Raises DeskError."""
        start, home = start_of(journal_of(self.home.path)), self.home
        walk = config_event.Walk(timeframe_text(int(start["timeframe_ms"])), int(start["first_ms"])) if start else None
        return config_event.body_of(self.desk, home.desk.limits, home.desk.overrides(), home.strategies, home.catalog, walk)

    @cached_property
    def source_today(self) -> Mapping[str, Any]:
        """The sleeve in `today`."""
        return next(one for one in self.today["sleeves"] if one["name"] == self.name)

    @cached_property
    def series(self) -> Any:
        """The catalog's file of its bars. Raises DeskError without one."""
        own = self.config
        return self.home.catalog.find(own.venue, own.symbol, own.timeframe, own.market)

    @cached_property
    def issues(self) -> list["DataIssue"]:
        """What `nightdesk data check` finds in that file. Raises DeskError."""
        return _issues(self.series.path)

    @cached_property
    def funding_issues(self) -> list["DataIssue"]:
        """The same of its settlements."""
        return _issues(self.home.catalog.find(self.config.venue, self.config.symbol, "funding").path)

    @cached_property
    def run(self) -> Mapping[str, Any] | None:
        """The newest stored run of this strategy, instrument and timeframe with the parameters in force; else the newest with
        others; None without any."""
        runs, other = Runs(self.home.runs, self.home.engine), None
        for row in runs.latest(RUNS_MAX):
            try:
                found = runs.load(row["id"])
            except DeskError:
                continue
            mine = self.in_run(found)
            if mine is not None and mine["params"] == self.params:
                return found
            other = other or (found if mine is not None else None)
        return other

    def in_run(self, run: Mapping[str, Any]) -> Mapping[str, Any] | None:
        """What of a run is this sleeve's; None of another strategy, instrument or timeframe."""
        own = self.config
        place = {"strategy": own.strategy, "symbol": own.symbol, "venue": own.venue, "market": own.market}
        place |= {"timeframe": own.timeframe}
        sleeves = [one for one in run["sleeves"] if all(one.get(key) == value for key, value in place.items())]
        return next((one for one in sleeves if one["params"] == self.params), sleeves[0] if sleeves else None)

    @cached_property
    def params(self) -> Mapping[str, Any]:
        """The parameters in force, spelled out."""
        from engine.strategies.base import parse_params
        from engine.strategies.isolated.described import read_strategy

        params = parse_params(read_strategy(self.config.strategy, self.home.strategies), self.config.params)
        return dict(params.model_dump())

    @cached_property
    def parity(self) -> Mapping[str, Any]:
        """The last comparison with the backtest."""
        return last_result(self.home.path)

    @cached_property
    def drilled(self) -> Mapping[str, Any]:
        """The last drill."""
        return last_drill(self.home.path)

    @cached_property
    def rates(self) -> RateComparison | None:
        """Firing rates beside the backtest's. Raises DeskError."""
        return compared(self.home.path, self.home.desk.limits)

    @cached_property
    def pins(self) -> Mapping[str, str]:
        """Model -> version that its configuration names."""
        from engine.strategies.stored_models import pins_of

        return pins_of(self.config.models or "")

    @cached_property
    def drift(self) -> Mapping[str, Any]:
        """The last look at the inputs of models in use."""
        return last_drift(self.home.path)


def _issues(path: Any) -> list["DataIssue"]:
    from app.market_data.judging import judge
    from engine.data.files import read_any

    return judge(read_any(path))
