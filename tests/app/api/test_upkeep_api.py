"""What looks after the desk by itself over HTTP: silences, the monitor, backup and retention; what a file claims is bounded."""

import json
from pathlib import Path
from typing import Any

import pytest

from app.home.home import Home
from app.notify.monitor_notes import keep_monitor
from app.upkeep.backup import make_backup
from app.upkeep.retention import apply_retention
from app.views.upkeep import SILENCES_MAX
from engine.watch.last_upkeep import BACKUP, LOOK, last_upkeep
from engine.watch.silence import status

NOW = 1_760_000_000_000
FIVES = (
    '{"schema": 1, "wall_ms": -1, "made_ms": 1.5, "taken": 5, "items": 5, "notes": [5, {"at_ms": 1, "left_out": "x"}], "why": 5}'
)
SILENCE = {"kind": "exit", "place": "btc-trend", "name": "trail", "text": "btc-trend: trail: 0 in 40", "why": ""}


def test_before_anything_was_looked_at_nothing_is_claimed(api: Any) -> None:
    """No zero stands for what nobody counted."""
    assert api.get("/api/silences").json()["wall_ms"] is None
    found = api.get("/api/monitor").json()
    assert (found["every_minutes"], found["last_ms"], found["items"]) == (0, None, [])
    found = api.get("/api/upkeep").json()
    assert (found["backup"], found["looked_ms"], found["freed"]) == (None, None, None)
    assert {one["bytes"] for one in found["items"]} == {None}
    assert {one["kind"]: one["days"] for one in found["items"]}["logs"] == 30.0


def test_a_backup_is_remembered_with_its_place_and_is_of_this_home_alone(api: Any, home: Home, tmp_path: Path) -> None:
    """The file, when, how large; what remembers it is in no backup, so a restored home claims none."""
    file = tmp_path / "desk.tar.zst"
    made = make_backup(home, file, NOW)
    found = api.get("/api/upkeep").json()["backup"]
    assert found == {"file": str(file), "made_ms": NOW, "files": made["files"], "bytes": file.stat().st_size}
    from app.upkeep.restore import check_backup

    assert BACKUP not in check_backup(file)["files"]


def test_a_backup_that_failed_is_not_remembered(home: Home, tmp_path: Path) -> None:
    """Only a whole file counts."""
    (tmp_path / "desk.tar.zst").write_text("there already")
    with pytest.raises(Exception, match="exists already"):
        make_backup(home, tmp_path / "desk.tar.zst", NOW)
    assert last_upkeep(home.path)["backup"] is None


def test_a_look_of_retention_keeps_what_everything_takes(api: Any, home: Home, tmp_path: Path) -> None:
    """Each kind with its files and bytes; what was removed is counted; a link is not followed out of the home."""
    (home.path / "turns" / "u-1").mkdir(parents=True)
    (home.path / "turns" / "u-1" / "1.json.gz").write_bytes(b"x" * 700)
    (home.path / "logs").mkdir(exist_ok=True)
    (tmp_path / "big").write_bytes(b"x" * 2_000_000)
    for name, outside in (("big", tmp_path / "big"), ("folder", tmp_path)):
        (home.path / "logs" / name).symlink_to(outside)
    apply_retention(home, NOW)
    found = api.get("/api/upkeep").json()
    taken = {one["kind"]: one for one in found["items"]}
    assert (found["looked_ms"], found["removed"]) == (NOW, 0)
    assert (taken["requests to models"]["files"], taken["requests to models"]["bytes"]) == (1, 700)
    assert taken["database"]["bytes"] > 0
    assert taken["logs"]["bytes"] < 1_000_000


def test_a_look_says_what_went(api: Any, home: Home) -> None:
    """An old log goes, and its bytes are counted as freed."""
    import os

    log = home.path / "logs" / "j-old.log"
    log.parent.mkdir(exist_ok=True)
    log.write_bytes(b"x" * 300)
    os.utime(log, (NOW / 1000 - 40 * 86_400,) * 2)
    apply_retention(home, NOW)
    found = api.get("/api/upkeep").json()
    assert (found["removed"], found["freed"]) == (1, 300)


@pytest.mark.sample(2)
@pytest.mark.parametrize(
    "odd", ["[1]", "{", '{"schema": 9}', '{"schema": 1, "made_ms": "soon", "taken": [7, {"kind": []}]}', FIVES]
)
def test_a_damaged_file_is_as_if_nothing_was_kept(api: Any, home: Home, odd: str) -> None:
    """No 500, and no figure out of it."""
    (home.path / "cache").mkdir(exist_ok=True)
    for name in (BACKUP, LOOK, status.FILE, "cache/monitor.json"):
        (home.path / name).write_text(odd)
    for name in ("silences", "monitor", "upkeep"):
        assert api.get(f"/api/{name}").status_code == 200, name
    assert api.get("/api/upkeep").json()["backup"] is None


def test_silences_come_first_and_are_bounded(api: Any, home: Home) -> None:
    """What is as expected is counted, not listed; a file of any length makes no longer answer than SILENCES_MAX."""
    items = [SILENCE | {"state": state} for state in ("cannot tell", "as expected", "silent", "odd") for _ in range(50)]
    (home.path / "cache").mkdir(exist_ok=True)
    (home.path / status.FILE).write_text(json.dumps({"schema": 1, "wall_ms": NOW, "counts": {}, "items": items}))
    found = api.get("/api/silences").json()
    assert found["counts"] == {"silent": 50, "cannot_tell": 50, "as_expected": 50}
    assert len(found["items"]) == SILENCES_MAX
    assert [one["state"] for one in found["items"][:51]] == ["silent"] * 50 + ["cannot tell"]


def test_the_monitors_notes_are_those_of_the_command(api: Any, home: Home) -> None:
    """Newest first, with how much was left out; nothing that is kept beside them."""
    note = {"turn": "u-9", "at_ms": NOW, "text": "ETH pauses.", "model": "gpt", "left_out": 1, "tokens": 40, "changes": ["x"]}
    keep_monitor(home.path, {"seen": 1}, NOW, "", note)
    (found,) = api.get("/api/monitor").json()["items"]
    assert found == {key: note[key] for key in ("turn", "at_ms", "text", "model", "left_out", "tokens")}
