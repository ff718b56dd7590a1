"""What every test stands on: a home of its own, no inherited settings, and the folder of recorded market data if there is one."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# no test asserts a time: a busy machine draws slowly, and that is no fault of what is drawn
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh NIGHTDESK_HOME; nothing of the user's settings, data or keys reaches a test."""
    for name in list(os.environ):
        if name.startswith(("NIGHTDESK_", "OPENAI_", "SLACK_", "LANGSMITH_", "LANGCHAIN_")) and name != "NIGHTDESK_DATA":
            monkeypatch.delenv(name)
    home = tmp_path / "home"
    monkeypatch.setenv("NIGHTDESK_HOME", str(home))
    return home


RECORDED = os.environ.get("NIGHTDESK_DATA")


@pytest.fixture(autouse=True)
def no_inherited_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that wants recorded data asks for `market_data`; the product's own setting starts empty."""
    monkeypatch.delenv("NIGHTDESK_DATA", raising=False)


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of recorded market data; the test is skipped, with the reason, where there is none."""
    folder = Path(RECORDED) if RECORDED else REPOSITORY.parent / "shared" / "data"
    if not (folder / "ohlcv").is_dir():
        pytest.skip(f"no recorded market data: set NIGHTDESK_DATA (looked in {folder})")
    return folder
