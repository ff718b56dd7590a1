"""A month of made-up bars, a planner of requests on them, and an empty ledger."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.control.desk_setup import DeskSetup, desk_setup
from engine.sim import resolve
from engine.sim.request import Plan
from engine.store.db import migrate, open_db
from tests.fakes import recordings

Planner = Callable[[Mapping[str, Any]], Plan]


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of recordings: BTC and ETH, 3,500 bars of 15 minutes."""
    return recordings.record(tmp_path_factory.mktemp("research-bars"), 3_500)


@pytest.fixture
def desk(tmp_path: Path, bars: Path) -> DeskSetup:
    """The setup of a home that does not exist yet, with the recordings."""
    return desk_setup(tmp_path / "home", {"NIGHTDESK_DATA": str(bars)})


@pytest.fixture
def make(desk: DeskSetup) -> Planner:
    """Arguments of a backtest -> its plan."""

    def planned(args: Mapping[str, Any]) -> Plan:
        return resolve.planned(desk, desk.catalog(), args)

    return planned


@pytest.fixture
def ledger(tmp_path: Path) -> Engine:
    """An empty database."""
    engine = open_db(f"sqlite:///{tmp_path / 'ledger.db'}")
    migrate(engine)
    return engine
