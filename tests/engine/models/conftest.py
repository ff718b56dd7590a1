"""A training file, bars to train on and folders of the test's own."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.data.catalog import Catalog
from engine.models.train import TrainingPlace
from tests.fakes import recordings

CONFIG = """
name = "vol-btc"
symbols = ["BTC-USDT"]
timeframes = ["15m"]
targets = ["log_vol_4"]
features = ["returns(1)", "realised_vol(16)", "hour_sin()"]
[folds]
train_days = 20
[learners.small]
rounds = 8
"""
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """The file with lines changed: `write(("old", "new"))`."""

    def written(*changes: tuple[str, str]) -> Path:
        text = CONFIG
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "train.toml"
        path.write_text(text)
        return path

    return written


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """BTC and ETH, 36 days of 15m bars."""
    return recordings.record(tmp_path_factory.mktemp("train-bars"), 3_456)


@pytest.fixture
def place(tmp_path: Path, data: Path) -> TrainingPlace:
    """One process, folders of the test's own."""
    return TrainingPlace(Catalog([(data, "test")]), {}, tmp_path / "models", tmp_path / "work")
