"""Another version of a stored model becomes the champion by a proposal with its gates on the card, and by no other way."""

import json
import shutil
from typing import Any

import pytest

from app.home.home import Home
from app.views.proposal_card import card
from engine.control import proposals, rollbacks
from engine.control.apply import apply
from engine.control.config import active
from engine.control.model_registry import registered
from engine.errors import Refused
from engine.store.tables import Proposal
from tests.fakes.own_strategies import SLEEVE, with_own
from tests.fakes.papers import WALL_MS
from tests.fakes.stored_models import FEATURES, metrics_of, store

READS = 'direction = np.where(f.model("vol-btc") > 0, 1, -1)'
WHO = {"role": "developer", "thread": "", "person": "ann"}
ANN = {"name": "ann"}
NEXT = "vol-btc=1.0.1"


@pytest.fixture(autouse=True)
def no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their evidence has tests of its own."""
    monkeypatch.setattr(proposals, "check_evidence", lambda *_args: None)


@pytest.fixture
def modelled(home: Home) -> Home:
    """A sleeve that reads vol-btc 1.0.0."""
    store(home.path / "models")
    return with_own(home, READS, 'MODELS = ("vol-btc",)')


def proposed(home: Home, models: str = NEXT, now_ms: int = WALL_MS) -> Proposal:
    """A stored proposal that the sleeve reads this."""
    more: dict[str, Any] = {"rationale": "better", "evidence": [], "requester": WHO, "now_ms": now_ms}
    return proposals.create(home.engine, home.path, sleeve=SLEEVE, changes={"models": models}, **more)


def applied(home: Home, row: Proposal) -> None:
    """Ann approves what she was shown."""
    apply(home.engine, home.path, row.id, row.diff_sha256, ANN, WALL_MS + 1_000)


def states(home: Home) -> dict[str, str]:
    """Version -> state."""
    return {one.version: one.state for one in registered(home.engine, home.path)}


def again(home: Home, **metrics: Any) -> None:
    """The same version anew: its folder was deleted by hand and another model stored in its place."""
    shutil.rmtree(home.path / "models" / "vol-btc" / "1.0.1")
    store(home.path / "models", version="1.0.1", **metrics)


def test_a_version_whose_gates_are_red_is_refused_by_name(modelled: Home) -> None:
    """When it is proposed; nothing is stored. A gate that is missing is red, too."""
    store(modelled.path / "models", version="1.0.1", metrics=metrics_of("gap", "baseline"))
    store(modelled.path / "models", version="1.0.2", metrics={"promotable": True})
    with pytest.raises(Refused, match=r"vol-btc@1\.0\.1 is stopped by its gates: gap: gap by hand; baseline: baseline by hand"):
        proposed(modelled)
    with pytest.raises(Refused, match=r"vol-btc@1\.0\.2 is stopped by its gates: gap: it was not judged"):
        proposed(modelled, "vol-btc=1.0.2")
    assert proposals.list_proposals(modelled.engine, WALL_MS) == []


def test_the_gates_are_looked_at_again_when_a_person_applies(modelled: Home) -> None:
    """A version that another hand replaced meanwhile, whole and with red gates, is refused, and the proposal is stale."""
    store(modelled.path / "models", version="1.0.1")
    row = proposed(modelled)
    again(modelled, metrics=metrics_of("leaks"))
    with pytest.raises(Refused, match=r"is stale: it is no longer valid: vol-btc@1\.0\.1 is stopped by its gates: leaks"):
        applied(modelled, row)
    assert proposals.get(modelled.engine, row.id).state == "stale"
    assert active(modelled.engine, modelled.path).config.sleeve(SLEEVE).models == "vol-btc=1.0.0"


def test_another_model_than_the_one_on_the_card_is_not_applied(modelled: Home) -> None:
    """With gates that pass: the card names the digest of every byte, and so does the diff that a person approves."""
    store(modelled.path / "models", version="1.0.1")
    row = proposed(modelled)
    again(modelled, days=(20, 34))
    with pytest.raises(Refused, match="a model that it names is not the one that was shown"):
        applied(modelled, row)


def test_the_champion_changes_and_a_rollback_restores_it(modelled: Home) -> None:
    """Also where the gates of the one before would be red today: going back is never refused by them."""
    store(modelled.path / "models", "vol-btc", "1.0.1")
    assert states(modelled) == {"1.0.1": "draft", "1.0.0": "champion"}
    row = proposed(modelled)
    assert states(modelled) == {"1.0.1": "draft", "1.0.0": "champion"}
    before = active(modelled.engine, modelled.path)
    applied(modelled, row)
    assert states(modelled) == {"1.0.1": "champion", "1.0.0": "retired"}
    shutil.rmtree(modelled.path / "models" / "vol-btc" / "1.0.0")
    store(modelled.path / "models", metrics=metrics_of("gap"))
    back = rollbacks.create_rollback(modelled.engine, modelled.path, before.version, requester=WHO, now_ms=WALL_MS)
    applied(modelled, back)
    assert states(modelled) == {"1.0.1": "retired", "1.0.0": "champion"}
    assert active(modelled.engine, modelled.path).sha256 == before.sha256


def test_a_rollback_leads_away_from_a_damaged_version(modelled: Home) -> None:
    """The way out that the page names: the version before is put in force though the one that is read now cannot be opened."""
    before = active(modelled.engine, modelled.path)
    store(modelled.path / "models", "vol-btc", "1.0.1")
    applied(modelled, proposed(modelled))
    (modelled.path / "models" / "vol-btc" / "1.0.1" / "metrics.json").write_text("{}")
    assert states(modelled) == {"1.0.1": "damaged", "1.0.0": "retired"}
    applied(modelled, rollbacks.create_rollback(modelled.engine, modelled.path, before.version, requester=WHO, now_ms=WALL_MS))
    assert active(modelled.engine, modelled.path).config.sleeve(SLEEVE).models == "vol-btc=1.0.0"


def test_the_card_sets_both_versions_side_by_side(modelled: Home) -> None:
    """Gates, figures with interval, spread of the folds, baselines, rows and data, and what differs, in the trainer's numbers."""
    worth = metrics_of(value=0.47)
    worth["folds"]["rows"].append([3, "2024-12-01 00:00", "2024-12-06 00:00", 1_900, 480, 0.52, 0.47, 0.45])
    store(modelled.path / "models", version="1.0.1", metrics=worth, features=(FEATURES[0], "realised_vol(32)"), workers=2)
    row = proposed(modelled)
    value = card(modelled, row, WALL_MS)
    table = {r["label"]: tuple(r["cells"]) for r in value["rows"] if r["kind"] == "model"}
    assert table["vol-btc"] == ("1.0.0 (now)", "1.0.1 (proposed)")
    assert table["R2"] == ("0.450 (0.420 to 0.480)", "0.470 (0.440 to 0.500)")
    assert table["folds: worst, median, best"] == ("0.100, 0.420, 0.700", "0.100, 0.440, 0.700")
    assert table["on its training rows"] == ("0.500", "0.520")
    assert table["baseline HAR"][1] == "0.450 (0.440 to 0.500); better by 0.020 (0.010 to 0.030)"
    assert table["judged on"][0] == "2,880 rows, 2024-11-21 00:00 to 2024-12-01 00:00"
    assert table["artifact"][1] == next(one.sha256[:12] for one in registered(modelled.engine, modelled.path))
    findings = [r["cells"][0] for r in value["rows"] if r["kind"] == "finding" and r["label"] == "vol-btc"]
    assert findings == [
        "the two were judged on different rows: their figures cannot be set against each other",
        "features more: realised_vol(32)",
        "features fewer: realised_vol(16)",
        "training: workers none -> 2",
    ]
    (gates,) = (r["cells"][0] for r in value["rows"] if r["label"] == "gates of vol-btc@1.0.1")
    assert gates == "every gate passed"
    digests = json.loads(row.diff)["models"][SLEEVE]
    assert list(digests) == ["vol-btc@1.0.1"]
    assert digests["vol-btc@1.0.1"].startswith(table["artifact"][1])


def test_a_champion_that_is_gone_is_said(modelled: Home) -> None:
    """The card has the challenger alone, and says why."""
    store(modelled.path / "models", version="1.0.1")
    shutil.rmtree(modelled.path / "models" / "vol-btc" / "1.0.0")
    value = card(modelled, proposed(modelled), WALL_MS)
    (head,) = (r["cells"] for r in value["rows"] if r["label"] == "vol-btc" and r["kind"] == "model")
    assert tuple(head) == ("1.0.1 (proposed)",)
    assert "vol-btc@1.0.0, which is read now, cannot be read any more" in [r["cells"][0] for r in value["rows"]]
