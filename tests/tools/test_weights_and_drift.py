"""The tools `weights` and `model_drift`: facts with receipts, a table, and what they say when there is nothing."""

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from engine.models import artifact
from engine.watch import sleeve_weights, window
from engine.watch.sleeve_weights import SleeveWeight, WeighedSleeves
from tests.tools.conftest import NOW_MS
from tools.catalog import call
from tools.common.contract import JobView, ToolContext

ROWS = (SleeveWeight("calm", 0.5, 0.8, 0.7, 0.9, 1.0, 90), SleeveWeight("wild", 0.5, 0.2, 0.1, 0.3, 0.25, 90))


@pytest.fixture
def ctx(make_ctx: Callable[..., ToolContext], monkeypatch: pytest.MonkeyPatch) -> ToolContext:
    """An operator of a desk with a bar, and one stored model."""
    monkeypatch.setattr(window, "mark_at", lambda _path: SimpleNamespace(id="d-9"))
    monkeypatch.setattr(artifact, "versions", lambda _root, name: ["1.0.0", "1.1.0"] if name == "vol" else [])
    return make_ctx("operator", now_ms=NOW_MS)


def test_weights_are_facts_and_a_table(ctx: ToolContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Share, weight, interval and factor of each sleeve; which are outside, and who was left out."""
    found = WeighedSleeves(ROWS, {"new": "made or lost something on 3 of 90 days"}, NOW_MS, NOW_MS, 90, 500)
    monkeypatch.setattr(sleeve_weights, "weighed", lambda *_args, **_named: found)
    result = call(ctx, "weights", {"days": None})
    assert result.text.startswith("Over 90 days, ")
    assert "outside its interval for calm, wild." in result.text
    assert result.text.endswith("Left out: new (made or lost something on 3 of 90 days).")
    assert [fact.value for fact in result.facts if fact.metric == "weight"] == [0.8, 0.2]
    assert result.table is not None
    assert {cell.strip("{}") for row in result.table.rows for cell in row[1:]} == {fact.ref for fact in result.facts}
    inside = found._replace(rows=tuple(row._replace(low=0.0, high=1.0) for row in ROWS))
    monkeypatch.setattr(sleeve_weights, "weighed", lambda *_args, **_named: inside)
    assert "other weights would be no better" in call(ctx, "weights", {"days": None}).text


def column(name: str, state: str, psi: float | None) -> dict[str, Any]:
    """A column as the job gives it."""
    return {"name": name, "state": state, "psi": psi, "effective_now": 96.4, "missing_now": 0.0}


def test_drift_is_a_job_whose_features_are_named(ctx: ToolContext) -> None:
    """The last version where none is named; most moved first; a column without a figure is a dash."""
    features = [column("a", "steady", 0.01), column("b", "moved", 0.4), column("c", "too_little", None)]
    result = {"name": "vol", "version": "1.1.0", "verdict": "1 of 3 features has moved", "features": features}
    result |= {"predictions": column("predictions", "steady", 0.02), "notes": [], "moved": ["b"]}
    result |= {"from_ms": NOW_MS - 1, "to_ms": NOW_MS}
    ctx.jobs.ends = lambda job, _args: JobView(job, "done", 1.0, None, None, result)  # type: ignore[attr-defined]
    found = call(ctx, "model_drift", {"model": "vol", "days": None})
    assert ctx.jobs.asked == [("drift", {"model": "vol@1.1.0"})]  # type: ignore[attr-defined]
    assert found.table is not None
    assert [row[0] for row in found.table.rows] == ["predictions", "b", "a", "c"]
    assert found.table.rows[3][2] == "-"
    assert "of its features moved (b)" in found.text
    assert found.text.count("its predictions: steady") == 1


def test_a_model_that_is_not_stored_starts_no_job(ctx: ToolContext) -> None:
    """Nothing is queued, and a job that is not done is started."""
    for named in ("other", "vol@9.9.9", "../vol"):
        assert call(ctx, "model_drift", {"model": named, "days": None}).status == "no_data"
    assert ctx.jobs.asked == []  # type: ignore[attr-defined]
    assert call(ctx, "model_drift", {"model": "vol@1.0.0", "days": 7}).status == "started"


def test_a_stored_model_is_trained_again_as_a_job(ctx: ToolContext) -> None:
    """By the version that is named, else the newest; what is not stored queues nothing."""
    ctx = dataclasses.replace(ctx, role="developer")
    assert call(ctx, "train_model", {"model": "other"}).status == "no_data"
    assert call(ctx, "train_model", {"model": "vol"}).status == "started"
    assert ctx.jobs.asked == [("train", {"model": "vol@1.1.0"})]  # type: ignore[attr-defined]
