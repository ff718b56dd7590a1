"""A stored model comes back to the bit, is written once, and is refused for one byte, one file or one feature that differs."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput, DataError
from engine.features import manifest
from engine.models import artifact
from engine.models.artifact import Artifact, ModelDraft, ModelFit
from engine.models.regime import RegimeModel, model_of
from engine.models.trees import predict, read_trees

DAY = 86_400_000
STATES = RegimeModel(
    (0.0,), (1.0,), (0.2, 0.3, 0.5), ((0.9, 0.1, 0.0),) * 3, ((-1.0,), (0.0,), (1.0,)), (((1.0,),),) * 3, (0.0,) * 3, 24, True
)  # fmt: skip


def tree(low: float, high: float) -> dict[str, Any]:
    """A dump of one split of its second column."""
    split = {"split_feature": 1, "threshold": 0.5, "decision_type": "<=", "default_left": True, "missing_type": "NaN"}
    node = split | {"left_child": {"leaf_value": low}, "right_child": {"leaf_value": high}}
    top = {"objective": "regression", "max_feature_idx": 1, "num_class": 1, "num_tree_per_iteration": 1, "average_output": False}
    return top | {"tree_info": [{"num_cat": 0, "tree_structure": node}]}


def draft(**changed: Any) -> ModelDraft:
    """Two fits on two features."""
    own = {
        "label": {"name": "log_volatility", "ahead": 4, "unit": "log of a fraction a bar"},
        "timeframe": "15m",
        "instrument": "binance:BTC-USDT:perp",
        "learner": {"name": "lightgbm", "rounds": 1},
        "features": manifest.manifest_of(["returns(4)", "realised_vol(16)"], "15m", 20_000 * DAY),
        "fits": [ModelFit(10 * DAY, 11 * DAY, tree(0.1 + 0.2, 1.0), STATES), ModelFit(15 * DAY, 16 * DAY, tree(-1.0, 2.0))],
        "config": {"train_days": 60},
        "data": {"btc.parquet": "0" * 64},
        "metrics": {"r2": 0.43, "har": 0.428},
        "text": "tree\n",
    }
    return ModelDraft(**{**own, **changed})


@pytest.fixture
def stored(tmp_path: Path) -> Artifact:
    """One that is written."""
    return artifact.write(tmp_path, "vol-btc", "1.0.0", draft())


def test_it_comes_back_to_the_bit(tmp_path: Path, stored: Artifact) -> None:
    """Trees, regime, features, metrics; a second reading is the same, down to its digest."""
    again = artifact.load(tmp_path, "vol-btc", "1.0.0")
    rows = np.array([[0.0, 0.4], [0.0, 0.6], [0.0, np.nan]])
    assert predict(again.fits[0].trees, rows).tobytes() == predict(read_trees(tree(0.1 + 0.2, 1.0)), rows).tobytes()
    assert (again.fits[0].regime, again.fits[1].regime) == (
        model_of({**STATES._asdict(), "states": ["bear", "sideways", "bull"]}),
        None,
    )
    assert again.features == draft().features
    assert (again.metrics, again.sha256) == ({"r2": 0.43, "har": 0.428}, stored.sha256)
    assert again.text == f"vol-btc@1.0.0 ({stored.sha256[:12]})"
    assert (artifact.names(tmp_path), artifact.versions(tmp_path, "vol-btc")) == (["vol-btc"], ["1.0.0"])


@pytest.mark.parametrize(("close", "fit"), [(0, -1), (10, -1), (11, 0), (15, 0), (16, 1), (9_000, 1)])
def test_no_fit_answers_for_what_it_was_trained_on(stored: Artifact, close: int, fit: int) -> None:
    """Between the end of its training and its own first close the fit before it answers."""
    assert stored.fit_at(close * DAY) == fit


def test_it_is_written_once(tmp_path: Path, stored: Artifact) -> None:
    """Whatever would be written now; the next version is another folder, and versions are in the order of numbers."""
    with pytest.raises(BadInput, match=r"vol-btc 1\.0\.0 exists - a stored model is never changed"):
        artifact.write(tmp_path, "vol-btc", "1.0.0", draft(text="other"))
    for version in ("1.10.0", "1.9.0"):
        assert artifact.write(tmp_path, "vol-btc", version, draft(config={"v": version})).sha256 != stored.sha256
    assert artifact.versions(tmp_path, "vol-btc") == ["1.0.0", "1.9.0", "1.10.0"]
    assert not any(path.stat().st_mode & 0o222 for path in (tmp_path / "vol-btc" / "1.0.0").rglob("*.*"))


def test_the_same_draft_has_the_same_digest(tmp_path: Path, stored: Artifact) -> None:
    """Nothing of the clock or the machine is in it."""
    assert artifact.write(tmp_path / "other", "vol-btc", "1.0.0", draft()).sha256 == stored.sha256


def place_of(root: Path) -> Path:
    """Its folder."""
    return root / "vol-btc" / "1.0.0"


def flipped(path: Path) -> None:
    """One bit in the middle."""
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("path", ["manifest.json", "metrics.json", "model.txt", "fits/0001.json", "fits/0002.json", "SHA256"])
def test_a_changed_byte_refuses(tmp_path: Path, stored: Artifact, path: str) -> None:
    """Of any file, the text for people and the digests included."""
    flipped(place_of(tmp_path) / path)
    with pytest.raises(DataError, match=r"the model vol-btc 1\.0\.0: .* - train it anew, or restore the folder from a copy"):
        artifact.load(tmp_path, "vol-btc", "1.0.0")


def lacks(place: Path) -> None:
    """A file is gone."""
    (place / "fits" / "0002.json").unlink()


def has_more(place: Path) -> None:
    """A file came in."""
    (place / "fits" / "0003.json").write_text("{}")


def has_a_folder(place: Path) -> None:
    """A folder came in."""
    (place / "more").mkdir()


def is_linked(place: Path) -> None:
    """A file is a link to one of the same content."""
    own = place / "metrics.json"
    own.rename(place.parent / "elsewhere.json")
    os.symlink(place.parent / "elsewhere.json", own)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (lacks, r"fits/0002\.json is missing"),
        (has_more, r"fits/0003\.json does not belong to it"),
        (has_a_folder, "more does not belong to it"),
        (is_linked, r"metrics\.json is missing"),
    ],
)
def test_a_file_too_many_or_too_few_refuses(tmp_path: Path, stored: Artifact, fault: Callable[[Path], None], words: str) -> None:
    """Named in one line."""
    fault(place_of(tmp_path))
    with pytest.raises(DataError, match=words):
        artifact.load(tmp_path, "vol-btc", "1.0.0")


def resealed(place: Path, path: str, value: Any) -> None:
    """A file of another content whose digest is right: what a newer or another program may have made."""
    for file in (place / path, place / "SHA256"):
        file.chmod(0o644)
    (place / path).write_text(json.dumps(value))
    sums = [
        f"{artifact.hashlib.sha256((place / p).read_bytes()).hexdigest()}  {p}\n" for p in artifact._paths(place) if p != "SHA256"
    ]
    (place / "SHA256").write_text("".join(sums))


def newer(about: dict[str, Any]) -> None:
    """Of a program that comes later."""
    about["format"] = 2


def other_code(about: dict[str, Any]) -> None:
    """A feature whose code was another."""
    about["features"]["features"][0]["code_sha256"] = "0" * 64


def more_features(about: dict[str, Any]) -> None:
    """A column that the trees do not know."""
    about["features"]["features"].append({**about["features"]["features"][0], "call": "returns(8)"})


def trained_on_it(about: dict[str, Any]) -> None:
    """A fit that answers for a close before the end of its training."""
    about["fits"][1]["from_ms"] = about["fits"][1]["train_end_ms"]


def backwards(about: dict[str, Any]) -> None:
    """Fits that do not ascend."""
    about["fits"].reverse()


def elsewhere(about: dict[str, Any]) -> None:
    """A file that is not one of its own."""
    about["fits"][0]["file"] = "../../secret.json"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (newer, "has the format 2, this program reads 1 - use the version of the desk that made it"),
        (other_code, r"feature returns\(4\): its code has changed since - train the model anew"),
        (more_features, "reads 2 columns, the manifest has 3 features"),
        (trained_on_it, "fit 2 answers for closes that it was trained on"),
        (backwards, "fit 2 answers for closes that it was trained on, or is out of order"),
        (elsewhere, "fit 1 has no file"),
        (lambda about: about.pop("label"), "'label' is missing"),
        (lambda about: about.update(code="x"), "'code' is unknown"),
    ],
)
def test_what_another_program_made_is_refused_by_name(
    tmp_path: Path, stored: Artifact, change: Callable[[dict[str, Any]], Any], words: str
) -> None:
    """Whole to its digests, and still not what this desk may use."""
    place = place_of(tmp_path)
    about = json.loads((place / "manifest.json").read_text())
    change(about)
    resealed(place, "manifest.json", about)
    with pytest.raises(DataError, match=words):
        artifact.load(tmp_path, "vol-btc", "1.0.0")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"metrics": {"r2": float("nan")}}, "cannot be stored"),
        ({"config": {"made": object()}}, "cannot be stored"),
        ({"fits": []}, "no list of 1 to"),
        ({"fits": [ModelFit(5, 5, tree(1.0, 2.0))]}, "answers for closes that it was trained on"),
        ({"fits": [ModelFit(5, 6, {"objective": "regression"})]}, "averaged trees are not supported"),
    ],
)
def test_a_draft_that_cannot_be_read_again_leaves_nothing(tmp_path: Path, changed: dict[str, Any], words: str) -> None:
    """It is refused when it is made, and no half of it is there."""
    with pytest.raises(DataError, match=words):
        artifact.write(tmp_path, "vol-btc", "1.0.0", draft(**changed))
    assert not list(tmp_path.glob("vol-btc/*")), "not even a hidden folder"
    assert artifact.write(tmp_path, "vol-btc", "1.0.0", draft()).version == "1.0.0"


@pytest.mark.parametrize(
    ("name", "version", "words"),
    [
        ("../x", "1.0.0", "is not a model's name"),
        ("Vol", "1.0.0", "is not a model's name"),
        ("vol-btc", "1.0", "is not a version"),
        ("vol-btc", "1.0.0/..", "is not a version"),
        ("vol-btc", "2.0.0", r"the model vol-btc 2\.0\.0 is not stored - versions of vol-btc: 1\.0\.0"),
        ("vol-eth", "1.0.0", "versions of vol-eth: none"),
    ],
)
def test_a_name_that_is_none_is_one_clear_line(tmp_path: Path, stored: Artifact, name: str, version: str, words: str) -> None:
    """No path leads out of the folder of models."""
    with pytest.raises(BadInput, match=words):
        artifact.load(tmp_path, name, version)
