"""The state of a stored model is read from its folder and from the history of the configuration."""

import pytest

from app.home.home import Home
from engine.control.config import active, validated
from engine.control.model_registry import registered, registered_one
from engine.errors import BadInput
from engine.models import artifact
from tests.fakes.own_strategies import SLEEVE, with_own
from tests.fakes.papers import WALL_MS
from tests.fakes.stored_models import metrics_of, store
from tests.fakes.versions import put_in_force

READS = 'direction = np.where(f.model("vol-btc") > 0, 1, -1)'
LATER_MS = WALL_MS + 60_000


def moved_to(home: Home, version: str) -> None:
    """The sleeve reads another version, in ann's name."""
    config = active(home.engine, home.path).config
    sleeve = config.sleeve(SLEEVE).model_copy(update={"models": f"vol-btc={version}"})
    put_in_force(home.engine, home.path, validated(config.with_sleeve(sleeve), home.strategies), LATER_MS)


def test_each_state_is_read_from_what_is_there(home: Home) -> None:
    """Champion, retired by whom and when, draft, refused; the newest first."""
    root = home.path / "models"
    store(root)
    with_own(home, READS, 'MODELS = ("vol-btc",)')
    store(root, version="1.0.1")
    moved_to(home, "1.0.1")
    store(root, version="1.0.2")
    store(root, version="1.0.3", metrics=metrics_of("gap", "leaks"))
    found = {one.version: one for one in registered(home.engine, home.path)}
    assert list(found) == ["1.0.3", "1.0.2", "1.0.1", "1.0.0"]
    assert {version: one.state for version, one in found.items()} == {
        "1.0.3": "refused",
        "1.0.2": "draft",
        "1.0.1": "champion",
        "1.0.0": "retired",
    }
    assert found["1.0.3"].gates == "failed: gap, leaks"
    assert (found["1.0.2"].sleeves, found["1.0.2"].since_ms, found["1.0.2"].gates) == ((), None, "every gate passed")
    assert (found["1.0.1"].sleeves, found["1.0.1"].since_ms) == ((SLEEVE,), LATER_MS)
    assert (found["1.0.0"].sleeves, found["1.0.0"].since_ms, found["1.0.0"].by) == ((), LATER_MS, "ann")
    one = found["1.0.0"]
    assert (one.target, one.figure, one.value, one.baseline, one.rows) == ("log_vol_4", "R2", 0.45, "HAR", 2_880)


def test_a_version_gone_back_to_is_champion_again(home: Home) -> None:
    """It was retired in between."""
    store(home.path / "models")
    with_own(home, READS, 'MODELS = ("vol-btc",)')
    store(home.path / "models", version="1.0.1")
    moved_to(home, "1.0.1")
    moved_to(home, "1.0.0")
    assert {one.version: one.state for one in registered(home.engine, home.path)} == {"1.0.1": "retired", "1.0.0": "champion"}


def test_a_gate_that_was_not_judged_has_not_passed(home: Home) -> None:
    """Whatever else the metrics say of themselves."""
    worth = metrics_of()
    worth["gates"] = [one for one in worth["gates"] if one["name"] != "leaks"]
    store(home.path / "models", metrics=worth)
    store(home.path / "models", version="1.0.1", metrics={})
    (last, first) = registered(home.engine, home.path)
    assert (first.state, first.gates, first.promotable) == ("refused", "failed: leaks", False)
    assert (last.state, last.gates) == ("refused", "failed: gap, baseline, too_good, and 2 more")


def test_no_tree_is_read_for_a_list(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Manifest and metrics alone; one of which a byte changed is named, and so is a file too many."""
    root = home.path / "models"
    for version in ("1.0.0", "1.0.1", "1.0.2"):
        store(root, version=version)
    path = root / "vol-btc" / "1.0.1" / "metrics.json"
    path.chmod(0o644)
    path.write_text(path.read_text().replace("0.45", "0.95"))
    (root / "vol-btc" / "1.0.2" / "extra.json").write_text("{}")
    read, bytes_of = list[str](), artifact._bytes

    def noted(place: object, file: str, *rest: object) -> bytes:
        read.append(file)
        return bytes_of(place, file, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(artifact, "_bytes", noted)
    found = {one.version: one for one in registered(home.engine, home.path)}
    assert set(read) == {"SHA256", "manifest.json", "metrics.json"}
    assert found["1.0.0"].state == "draft"
    assert found["1.0.1"].state == found["1.0.2"].state == "damaged"
    assert "metrics.json was changed since it was trained" in found["1.0.1"].error
    assert "extra.json does not belong to it" in found["1.0.2"].error


def test_one_by_name_is_the_latest(home: Home) -> None:
    """And an unknown one names what is stored."""
    store(home.path / "models")
    store(home.path / "models", version="1.0.1")
    assert registered_one(home.engine, home.path, "vol-btc")[0].text == "vol-btc@1.0.1"
    assert registered_one(home.engine, home.path, "vol-btc", "1.0.0")[1].fits == 4
    with pytest.raises(BadInput, match=r"the model 'calm' is not stored - stored: vol-btc"):
        registered_one(home.engine, home.path, "calm")
