"""Manifests: every feature by its text, the same column; JSON and back; what changed is named; the code behind each is hashed."""

import inspect
import json
import linecache
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from engine.data import sources
from engine.errors import BadInput, DataError
from engine.features import frame as frame_module
from engine.features import volatility
from engine.features.calls import FeatureCall, call_of, calls_of, column_of, matrix_of
from engine.features.catalog import BY_NAME
from engine.features.code_hash import code_sha256_of, digest_of
from engine.features.manifest import FeatureManifest, from_json, manifest_of, require_same
from tests.engine.features.feature_calls import CALLS, bars, bits, value

TEXTS = ["realised_vol(96)", "4h.ema(50)", "XRP-USDT.4h.rsi(14)", "zscored(rsi(14),96)", "funding_zscore", "beta(24)"]
JANUARY_MS = 1_735_689_600_000


def test_every_feature_is_read_by_the_text_that_journals_have() -> None:
    """The label of each call, parsed, is that call: the same bits, also of another instrument and a higher timeframe."""
    frame = bars(51, 300, 0.01)
    for name, args in CALLS:
        reader = frame.reader()
        expected = value(reader, name, args)
        (text,) = reader.used
        assert bits(column_of(frame, call_of(text))) == bits(expected)
        assert call_of(text).text == text
    assert bits(column_of(frame, call_of("XRP-USDT.4h.rsi(5)"))) == bits(frame.of("XRP-USDT").at("4h").rsi(5))
    assert bits(column_of(frame, call_of("4h.minmaxed(rsi(5),9)"))) == bits(frame.at("4h").minmaxed("rsi", 5, over=9))
    matrix = matrix_of(frame, calls_of(TEXTS[:3]))
    assert matrix.shape == (300, 3)
    assert np.array_equal(matrix[:, 1], frame.at("4h").ema(50), equal_nan=True)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("rsii(14)", "no feature 'rsii' - available: sma"),
        ("rsi", "missing a required argument: 'bars' - it is called rsi"),
        ("rsi(0)", "is outside 0 to 100,000"),
        ("rsi(1e99)", "is outside 0 to 100,000"),
        ("rsi(2.5)", "is not a whole number of bars"),
        ("macd(26,12)", "is not shorter than slow"),
        ("zscored(rsi(14),1)", "over = 1 is outside 2 to 100,000"),
        ("zscored(zscored(rsi(14),9),9)", "is not a feature"),
        ("rsi(14) ", "is not a feature - write realised_vol"),
        ("__import__('os')", "is not a feature"),
        ("a" * 10_000, "is not a feature"),
        (14, "14 is not a feature"),
        (None, "None is not a feature"),
    ],
)
def test_a_text_that_is_no_feature_is_one_short_line(text: Any, words: str) -> None:
    """What it was, and what to write."""
    with pytest.raises(BadInput, match=words) as caught:
        call_of(text)
    assert "\n" not in str(caught.value)
    assert len(caught.value.what) < 500


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "0 features"),
        ("rsi(14)", "0 features"),
        (["hour"] * 501, "501 features"),
        (["vol", "vol(3)"], r"vol\(3\) is listed twice"),
        (["15m.rsi(14)", "7m.rsi(14)"], "7m is lower than the bars"),
    ],
)
def test_a_list_that_cannot_be_a_manifest_is_refused(texts: Any, words: str) -> None:
    """None, too many, one twice by its default, a timeframe that the bars do not have."""
    with pytest.raises(BadInput, match=words):
        manifest_of(texts, "15m", JANUARY_MS)


def test_a_manifest_names_all_that_a_value_depends_on() -> None:
    """Arguments with defaults, inputs, unit, warm-up and anchor, through JSON and back, of one hash."""
    made = manifest_of(TEXTS, "15m", JANUARY_MS)
    stored = from_json(json.loads(json.dumps(made.as_json())))
    assert stored == made
    assert stored.sha256 == made.sha256
    assert stored.calls == calls_of(TEXTS)
    require_same(stored)
    by_call = {entry.call: entry for entry in made.features}
    funding, normal = by_call["funding_zscore(30)"], by_call["zscored(rsi(14),96)"]
    assert (funding.arguments, funding.inputs) == ({"days": 30.0}, ("series.funding", "timeframe_ms"))
    assert (normal.arguments, normal.unit, normal.warm_up_bars) == ({"bars": 14, "over": 96}, "deviations", 14 + 95)
    assert {entry.anchor_ms for entry in made.features} == {1_727_740_800_000}  # the first of October
    assert manifest_of(["4h.ema(600)"], "15m", JANUARY_MS).features[0].anchor_ms == 1_719_792_000_000  # 100 days: July


def spoiled(change: Callable[[dict[str, Any]], Any]) -> dict[str, Any]:
    """A stored manifest with something changed."""
    data: dict[str, Any] = json.loads(json.dumps(manifest_of(TEXTS, "15m", JANUARY_MS).as_json()))
    change(data)
    return data


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d.pop("anchor"), "manifest: 'anchor' is missing"),
        (lambda d: d.update(more=1), "manifest: 'more' is unknown"),
        (lambda d: d.update(version=2), "manifest of version 2, this desk reads 1"),
        (lambda d: d.update(version=True), "manifest: version is 'True', not int"),
        (lambda d: d.update(features=[]), "manifest with 0 features"),
        (lambda d: d["features"][1].pop("unit"), "feature 2 of the manifest: 'unit' is missing"),
        (lambda d: d["features"][0].update(warm_up_bars="96"), "feature 1 of the manifest: warm_up_bars is '96', not int"),
        (lambda d: d["features"].append(3), "feature 7 of the manifest is not a table"),
    ],
)
def test_a_stored_manifest_that_is_broken_names_the_field(change: Callable[[dict[str, Any]], Any], words: str) -> None:
    """Nothing is read by default."""
    with pytest.raises(DataError, match=words):
        from_json(spoiled(change))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["features"][0].update(call="gone(96)"), "cannot be computed: 'gone\\(96\\)': no feature 'gone'"),
        (lambda d: d["features"][0].update(warm_up_bars=95), r"realised_vol\(96\): warm_up_bars was 95, is 96"),
        (lambda d: d["features"][1].update(code_sha256="0"), r"4h.ema\(50\): its code has changed since - train the model anew"),
        (lambda d: d["features"][3].update(anchor_ms=0), r"zscored.*: anchor_ms was 1970-01-01 00:00Z, is 2024-10-01 00:00Z"),
        (lambda d: d.update(anchor="first bar of the file"), "features began at the first bar of the file; now at the"),
    ],
)
def test_a_feature_that_would_be_another_today_is_named(change: Callable[[dict[str, Any]], Any], words: str) -> None:
    """The feature, and what differs."""
    with pytest.raises(DataError, match=words):
        require_same(from_json(spoiled(change)))


def rewritten(module: ModuleType, name: str, old: str, new: str) -> Any:
    """A function of a module with a part of its text replaced, as an editor would."""
    text, file = inspect.getsource(getattr(module, name)), f"<changed {name}>"
    assert old in text
    text = text.replace(old, new)
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    made: dict[str, Any] = {}
    exec(compile(text, file, "exec"), module.__dict__, made)  # noqa: S102 - the edit under test
    return made[name]


@pytest.mark.parametrize(
    ("module", "name", "old", "new", "others"),
    [
        (volatility, "_annual", "365.0", "252.0", {"rsi(14)", "funding_rate"}),
        (sources, "asof", 'side="right"', 'side="left"', {"rsi(14)", "realised_vol(96)", "vol_index(96)", "garman_klass(96)"}),
        (frame_module, "by_run", "count > first", "count >= first", set()),
    ],
)
def test_a_changed_function_changes_the_hash_of_all_that_use_it(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str, old: str, new: str, others: set[str]
) -> None:
    """However far behind the feature it is; those that do not use it keep theirs, and a better docstring changes none."""
    calls = [call_of(text) for text in ("rsi(14)", "realised_vol(96)", "vol_index(96)", "garman_klass(96)", "funding_rate")]

    def hashes() -> dict[str, str]:
        digest_of.cache_clear()
        return {call.text: code_sha256_of(call) for call in calls}

    before = hashes()
    docstring = inspect.getdoc(getattr(module, name)) or ""
    with monkeypatch.context() as patched:
        patched.setattr(module, name, rewritten(module, name, docstring.splitlines()[0], "In other words."))
        assert hashes() == before
        patched.setattr(module, name, rewritten(module, name, old, new))
        patched.setattr("engine.features.code_hash." + name, getattr(module, name), raising=False)
        after = hashes()
    assert {text for text, found in after.items() if found == before[text]} == others
    assert hashes() == before


def test_a_changed_constant_changes_the_hash(monkeypatch: pytest.MonkeyPatch) -> None:
    """The weight of Garman and Klass is theirs alone."""
    calls = [FeatureCall("garman_klass", (96,)), FeatureCall("realised_vol", (96,))]
    before = [code_sha256_of(call) for call in calls]
    monkeypatch.setattr(volatility, "BODY_WEIGHT", 0.4)
    digest_of.cache_clear()
    assert [code_sha256_of(call) == was for call, was in zip(calls, before, strict=True)] == [False, True]
    monkeypatch.undo()
    digest_of.cache_clear()


def test_no_two_features_have_one_hash() -> None:
    """What the digest is made of is found for every feature, plain or not."""
    calls = [FeatureCall(name) for name in BY_NAME] + [FeatureCall("rsi", (14,), timeframe="4h")]
    calls += [FeatureCall("rsi", (14,), form=form, over=9) for form in ("zscored", "minmaxed")]
    assert len({code_sha256_of(call) for call in calls}) == len(calls)


def test_the_manifest_is_a_function_of_its_list_alone() -> None:
    """Made twice, the same; in another order, another one: columns have an order."""
    one: FeatureManifest = manifest_of(TEXTS, "15m", JANUARY_MS)
    assert manifest_of(TEXTS, "15m", JANUARY_MS).sha256 == one.sha256
    assert manifest_of(TEXTS[::-1], "15m", JANUARY_MS).sha256 != one.sha256
