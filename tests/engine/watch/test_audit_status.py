"""The kept audit: one alert that names what began to fail, which lasts until an audit finds it holding again."""

from pathlib import Path
from typing import Any

from engine.watch.audit_status import audited, keep_audit, last_audit
from tests.engine.watch.test_detectors import NOW, desk


def report(ms: int, **states: str) -> dict[str, Any]:
    """An audit of one sleeve with these points."""
    lines = [{"sleeve": "btc-trend", "name": name, "state": state} for name, state in states.items()]
    counts = {"fails": sum(s == "fails" for s in states.values()), "cannot_say": 0}
    return {"wall_ms": ms, "counts": counts, "points": lines}


def alerts(home: Path) -> list[str]:
    """What the watch says of the kept audit."""
    return [finding.what for finding in audited(desk(audit=last_audit(home)))]


def test_one_alert_names_what_began_to_fail(tmp_path: Path) -> None:
    """What failed before is not named again; the alert keeps its beginning, and is over when it holds."""
    assert alerts(tmp_path) == []
    keep_audit(tmp_path, report(NOW, order="holds", gaps="holds"))
    assert alerts(tmp_path) == []
    keep_audit(tmp_path, report(NOW + 1, order="fails", gaps="holds"))
    assert alerts(tmp_path) == ["The audit's points that began to fail: order of btc-trend"]
    keep_audit(tmp_path, report(NOW + 2, order="fails", gaps="holds"))
    assert [f.since_ms for f in audited(desk(audit=last_audit(tmp_path)))] == [NOW + 1]
    keep_audit(tmp_path, report(NOW + 3, order="fails", gaps="fails"))
    assert alerts(tmp_path) == ["The audit's points that began to fail: gaps of btc-trend"]
    keep_audit(tmp_path, report(NOW + 4, order="holds", gaps="holds"))
    assert alerts(tmp_path) == []


def test_what_a_first_audit_finds_is_a_note(tmp_path: Path) -> None:
    """A new desk was warned in its first minute of what "began to fail": that none of its sleeves has a stored backtest."""
    keep_audit(tmp_path, report(NOW, there="fails", gaps="fails"))
    found = list(audited(desk(audit=last_audit(tmp_path))))
    text = "Points that fail since the first audit: gaps of btc-trend, there of btc-trend"
    assert [(f.severity, f.what, f.since_ms) for f in found] == [("note", text, NOW)]
    keep_audit(tmp_path, report(NOW + 1, there="holds", gaps="fails"))
    found = list(audited(desk(audit=last_audit(tmp_path))))
    text = "Points that fail since the first audit: gaps of btc-trend"
    assert [(f.severity, f.what, f.since_ms) for f in found] == [("note", text, NOW)]
    keep_audit(tmp_path, report(NOW + 2, there="fails", gaps="fails"))  # from here on something did begin
    found = list(audited(desk(audit=last_audit(tmp_path))))
    text = "The audit's points that began to fail: there of btc-trend"
    assert [(f.severity, f.what, f.since_ms) for f in found] == [("warn", text, NOW + 2)]
    keep_audit(tmp_path, report(NOW + 3, there="holds", gaps="holds"))
    assert alerts(tmp_path) == []
    keep_audit(tmp_path, report(NOW + 4, there="fails", gaps="holds"))
    assert [f.severity for f in audited(desk(audit=last_audit(tmp_path)))] == ["warn"]


def test_the_alert_is_about_its_sleeve_where_it_is_of_one(tmp_path: Path) -> None:
    """So that the runbook's step that pauses it can be decided by its check; of several it is the desk's."""
    keep_audit(tmp_path, report(NOW, order="holds"))
    keep_audit(tmp_path, report(NOW + 1, order="fails", gaps="fails"))
    assert [f.place for f in audited(desk(audit=last_audit(tmp_path)))] == ["btc-trend"]
    both = report(NOW + 2, order="fails", gaps="fails", there="fails")
    both["points"][2]["sleeve"] = "eth-trend"
    both["points"].append({"sleeve": "btc-trend", "name": "there", "state": "fails"})
    keep_audit(tmp_path, both)
    assert [f.place for f in audited(desk(audit=last_audit(tmp_path)))] == ["desk"]


def test_what_cannot_be_read_claims_nothing(tmp_path: Path) -> None:
    """A torn file is no audit."""
    keep_audit(tmp_path, report(NOW, order="fails"))
    (tmp_path / "cache" / "audit.json").write_text("{")
    assert last_audit(tmp_path) == {}
