"""Which stored models a strategy reads: names and versions, and what is wrong with one, said at the door in one line."""

import hashlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.errors import BadInput, DataError, StrategyError
from engine.models.artifact import MANIFEST, SUMS
from engine.strategies import stored_models as door
from tests.fakes.stored_models import BTC, store

READS = SimpleNamespace(NAME="own", MODELS=("vol-{symbol}", "calm"))


@pytest.mark.parametrize(
    ("models", "what"),
    [("vol", "not a tuple"), (("Vol!",), "which no model is called"), (("a",) * 9, "at most 8"), ((3,), "not a tuple")],
)
def test_a_declaration_that_names_no_model_is_refused(models: object, what: str) -> None:
    """When the file is loaded."""
    with pytest.raises(StrategyError, match=what):
        door.check_models(SimpleNamespace(MODELS=models), "own.py")


def test_a_name_may_be_of_the_sleeves_own_symbol(tmp_path: Path) -> None:
    """One strategy, a model for each coin; of a name without a version the latest."""
    for name, version in (("vol-eth-usdt", "1.0.0"), ("vol-eth-usdt", "1.10.0"), ("vol-eth-usdt", "1.9.0"), ("calm", "2.0.0")):
        store(tmp_path, name, version)
    found = door.pinned(READS, "ETH-USDT", {"calm": "1.5.0"}, tmp_path)
    assert found == (("vol-{symbol}", "vol-eth-usdt", "1.10.0"), ("calm", "calm", "1.5.0"))
    with pytest.raises(BadInput, match=r"own reads the model vol-sol-usdt, of which no version is stored - .*stored here: calm"):
        door.pinned(READS, "SOL-USDT", {}, tmp_path)


@pytest.mark.parametrize("text", ["vol-btc", "vol-btc=1.2", "=1.2.0", "vol-btc=1.2.0, vol-btc=1.2.1", "vol=1.0.0," * 80])
def test_versions_that_are_none(text: str) -> None:
    """One line."""
    with pytest.raises(BadInput):
        door.pins_of(text)


def test_versions_as_text() -> None:
    """There and back, in one order."""
    assert door.pins_of(" vol-btc = 1.2.0,calm=1.0.0 ,") == {"vol-btc": "1.2.0", "calm": "1.0.0"}
    assert door.pins_text(door.pins_of("vol-btc=1.2.0, calm=1.0.0")) == "calm=1.0.0, vol-btc=1.2.0"


def read(root: Path, **changed: str) -> None:
    """Read vol-btc as a sleeve on BTC 15m does."""
    place = {"instrument": BTC, "timeframe": "15m"} | changed
    door.read_models((door.PinnedModel("vol-btc", "vol-btc", "1.0.0"),), **place, root=root)


def rewritten(root: Path, change: object) -> None:
    """The stored manifest with a change, its digest made to fit: what only the meaning of the file can show."""
    place = root / "vol-btc" / "1.0.0"
    about = json.loads((place / MANIFEST).read_text())
    change(about)
    text = json.dumps(about)
    old = hashlib.sha256((place / MANIFEST).read_bytes()).hexdigest()
    for path in (MANIFEST, SUMS):
        (place / path).chmod(0o644)
    (place / MANIFEST).write_text(text)
    sums = (place / SUMS).read_text().replace(old, hashlib.sha256(text.encode()).hexdigest())
    (place / SUMS).write_text(sums)


def of_other_code(about: dict) -> None:
    """A fault."""
    about["features"]["features"][0]["code_sha256"] = "0" * 64


def of_a_newer_program(about: dict) -> None:
    """A fault."""
    about["format"] = 2


def without_its_series(about: dict) -> None:
    """A fault."""
    about["config"] = {"reads": ["binance:ETH-USDT:perp"]}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (of_other_code, r"feature returns\(4\): its code has changed since - train the model anew"),
        (of_a_newer_program, "has the format 2, this program reads 1"),
        (without_its_series, "does not say which series its features read - train it anew"),
    ],
)
def test_a_model_that_this_desk_cannot_compute_is_refused(tmp_path: Path, change: object, what: str) -> None:
    """In one line that names it."""
    store(tmp_path)
    read(tmp_path)
    rewritten(tmp_path, change)
    with pytest.raises(DataError, match=rf"the model vol-btc 1\.0\.0.*{what}") as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_model_of_another_place_is_refused(tmp_path: Path) -> None:
    """Another timeframe, another instrument: with both."""
    store(tmp_path)
    with pytest.raises(BadInput, match=r"the model vol-btc 1\.0\.0 is of 15m, the sleeve of 1h - versions of vol-btc: 1\.0\.0"):
        read(tmp_path, timeframe="1h")
    with pytest.raises(BadInput, match="is of synthetic:BTC-USDT:perp, the sleeve of synthetic:ETH-USDT:perp"):
        read(tmp_path, instrument="synthetic:ETH-USDT:perp")


def test_a_byte_that_changes_is_seen_at_the_next_reading(tmp_path: Path) -> None:
    """Though what was read before is kept."""
    store(tmp_path)
    assert door.loaded(tmp_path, "vol-btc", "1.0.0") is door.loaded(tmp_path, "vol-btc", "1.0.0")
    path = tmp_path / "vol-btc" / "1.0.0" / "model.txt"
    path.chmod(0o644)
    path.write_text("by hand!\n")
    with pytest.raises(DataError, match=r"model\.txt was changed since it was trained"):
        door.loaded(tmp_path, "vol-btc", "1.0.0")
