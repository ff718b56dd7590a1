"""A desk of two sleeves in a fresh home, and evidence runs as the run store keeps them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from engine.control.config import DeskConfig, SleeveConfig, validated, write_first

NOW = 1_700_000_000_000


@pytest.fixture
def two_sleeves() -> DeskConfig:
    """A trend and a reversion sleeve with default parameters."""
    return validated(
        DeskConfig(
            sleeves=(
                SleeveConfig(name="btc", strategy="trend", venue="synthetic", symbol="BTC-USDT"),
                SleeveConfig(name="sol", strategy="reversion", venue="synthetic", symbol="SOL-USDT"),
            )
        )
    )


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty home folder."""
    folder = tmp_path / "desk"
    folder.mkdir()
    return folder


@pytest.fixture
def desk(db: Engine, two_sleeves: DeskConfig) -> Engine:
    """A database with version 1 in force; each test runs on both databases."""
    write_first(db, two_sleeves, NOW, "test")
    return db


@pytest.fixture
def evidence(home: Path, two_sleeves: DeskConfig) -> Callable[..., list[dict[str, Any]]]:
    """Writes the two runs of a change of sleeve `btc`, and returns the evidence that names them."""

    def write(changes: dict[str, Any], **changed: Any) -> list[dict[str, Any]]:
        sleeve = two_sleeves.sleeve("btc")
        found = []
        for n, (role, params) in enumerate((("base", {}), ("changed", changes))):
            run_id = f"r-20231114-0000000{n}"
            folder = home / "runs" / run_id
            folder.mkdir(parents=True, exist_ok=True)
            ran = {"name": "btc", "strategy": "trend", "symbol": "BTC-USDT", "params": {**sleeve.params, **params}}
            run = {"run_id": run_id, "sleeves": [ran], "data": {"sha256": "d"}, "code_hash": "c", "metrics": {"sharpe": n}}
            run |= changed if role == "changed" else {}
            (folder / "run.json").write_text(json.dumps(run))
            found.append({"role": role, "run_id": run_id})
        return found

    return write
