"""One resolver of configuration: which home, which data folders, which limits, and what instruments cost on this desk.

Called by app/home (which every command, job, tool and the worker opens) and by sim/backtest.py for a notebook. Turns the
environment and a home's desk.toml into a DeskSetup, so that a request means the same through every door. It only reads: a home
that does not exist yet has the defaults, and is not made.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from engine.control.limits import HardLimits
from engine.control.started import STARTED_FILE, started_of, words_of
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.venues.instruments import Overrides
from engine.venues.tiers import TIERS_MAX

TEXT_MAX = 500  # characters of a text in desk.toml
FEED_FILE = "feed.json"  # the data found at the first start


def _day(value: Any) -> str:
    """An ISO day, written as TOML's date or as text. Raises ValueError."""
    return date.fromisoformat(str(value)).isoformat()


Day = Annotated[str, BeforeValidator(_day)]


class InstrumentEntry(BaseModel):
    """Overrides of the shipped instrument table: [instruments."venue:SYMBOL:market"]."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False, str_max_length=TEXT_MAX)

    lot_size: float | None = Field(None, gt=0, le=1e12)
    tick: float | None = Field(None, gt=0, le=1e12)
    least_qty: float | None = Field(None, ge=0, le=1e12)
    least_notional: float | None = Field(None, ge=0, le=1e12)
    maintenance_frac: float | None = Field(None, ge=0, lt=1)
    funding_hours: Literal[1, 2, 4, 8] | None = None
    contract_size: float | None = Field(None, gt=0, le=1e12)
    fee_tier: str | None = None
    liquidation_fee_frac: float | None = Field(None, ge=0, lt=1)
    tiers: tuple[tuple[float, float], ...] | None = Field(None, max_length=TIERS_MAX)
    maker_frac: float | None = Field(None, ge=-0.01, le=0.05)
    taker_frac: float | None = Field(None, ge=0, le=0.05)
    half_spread_frac: float | None = Field(None, ge=0, le=0.05)
    impact_y: float | None = Field(None, ge=0, le=10)
    source: str | None = None
    dated: str | None = None
    listed: Day | None = None  # the first day of trading
    delisted: Day | None = None


class SimulatedTables(BaseModel):
    """The tables of desk.toml that decide a figure; app.home.settings adds the others."""

    model_config = ConfigDict(extra="ignore")

    limits: HardLimits = HardLimits.model_validate({})
    instruments: dict[str, InstrumentEntry] = Field(default_factory=dict)

    def overrides(self) -> dict[str, dict[str, Any]]:
        """Instrument overrides as engine.venues.instruments takes them."""
        return {key: figures.model_dump(exclude_none=True) for key, figures in self.instruments.items()}


class DeskSetup(NamedTuple):
    """What a request is resolved against. Nothing in it needs the home to exist."""

    home: Path  # absolute
    data: Path | None  # NIGHTDESK_DATA, absolute
    limits: HardLimits
    overrides: Overrides
    venue: str  # of the data found at the first start; "" before it

    @property
    def strategies(self) -> Path:
        """Folder of people's own strategies."""
        return self.home / "strategies"

    @property
    def checks(self) -> Path | None:
        """Folder of look-ahead checks that were made before; None while the home does not exist."""
        return self.home / "checks" if (self.home / "desk.toml").exists() else None

    def catalog(self) -> Catalog:
        """The market data that this desk sees, read anew."""
        return Catalog(data_roots(self.home, self.data))


def desk_setup(home: Path | str | None = None, environ: Mapping[str, str] = os.environ) -> DeskSetup:
    """The setup of `home`, by default that of NIGHTDESK_HOME. Raises BadInput for a faulty desk.toml or data folder."""
    path = home_path(home if home is not None else environ.get("NIGHTDESK_HOME"))
    tables = read_tables(path / "desk.toml")
    data = data_path(environ.get("NIGHTDESK_DATA"), path)
    venue = feed_of(path).get("venue", "")
    return DeskSetup(path, data, tables.limits, tables.overrides(), venue)


def home_path(given: Path | str | None) -> Path:
    """The home folder, absolute; ./var when none is given."""
    return Path(given or "var").expanduser().absolute()


def data_path(given: Path | str | None, home: Path) -> Path | None:
    """The folder of recorded data, absolute: the one given, else that of the home's last start; None when neither names one.

    Raises BadInput when it is not a folder.
    """
    named = f"NIGHTDESK_DATA={given}" if given else ""
    if not given and (given := started_of(home).get("data")):
        named = f"the data folder {given} of this home's last start"
    if not given:
        return None
    path = Path(given).expanduser().absolute()
    if not path.is_dir():
        raise BadInput(f"{named} is not a folder", f"set NIGHTDESK_DATA to your recorded data, or remove {home / STARTED_FILE}")
    return path


def data_roots(home: Path, data: Path | None) -> list[tuple[Path, str]]:
    """Folders that may hold market data, with the source of their files; the home's own is last and wins where both have one."""
    return [*([(data, "recorded")] if data else []), (home / "data", "pulled")]


def feed_of(home: Path) -> dict[str, str]:
    """The data found at the first start: venue, source, folder; empty when the user wrote desk.toml first."""
    return words_of(home / FEED_FILE)


def read_tables(path: Path) -> SimulatedTables:
    """Limits and instruments of a desk.toml; the defaults without a file. Raises BadInput naming the key of the first fault."""
    if not path.exists():
        return SimulatedTables()
    try:
        return SimulatedTables.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key, reason = ".".join(str(part) for part in first["loc"]), re.sub("^Value error, ", "", first["msg"])
        raise BadInput(f"{path}: {key}: {reason}", "`nightdesk doctor` names the line") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"{path} cannot be read: {error}", "`nightdesk doctor` names the line") from error
