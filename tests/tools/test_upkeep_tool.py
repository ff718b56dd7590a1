"""What a chat says of the last backup and of what the home's files take; files of a home are read as a stranger's."""

import json
from typing import Any

import pytest

from tools.catalog import call
from tools.upkeep import NO_BACKUP, NO_LOOK


def kept(ctx: Any, name: str, body: Any) -> None:
    """What backup or retention keep in the home."""
    folder = ctx.home / "cache"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(body))


def test_nothing_kept_is_said(make_ctx: Any) -> None:
    """No backup, no look: both are named, with the command."""
    result = call(make_ctx("operator"), "upkeep", {})
    assert (result.status, result.text, result.table) == ("ok", f"{NO_BACKUP}. {NO_LOOK}.", None)


def test_the_last_backup_has_its_age_and_size(make_ctx: Any) -> None:
    """When, how large, where; and what each kind of files took."""
    ctx = make_ctx("advisor")
    kept(
        ctx,
        "backup.json",
        {"schema": 1, "file": "/x/desk.tar", "made_ms": ctx.now_ms - 7_200_000, "files": 3, "bytes": 4_000_000},
    )
    taken = [{"kind": "journals", "files": 2, "bytes": 9_500_000}]
    kept(ctx, "retention.json", {"schema": 1, "wall_ms": ctx.now_ms, "removed": 0, "freed": 0, "taken": taken})
    result = call(ctx, "upkeep", {})
    facts = {fact.metric: fact.value for fact in result.facts}
    assert result.text.startswith("The last backup was made 2 h ago")
    assert (facts["made"], facts["files"]) == (ctx.now_ms - 7_200_000, 2)
    assert {f.value for f in result.facts if f.metric == "megabytes"} == {4.0, 9.5}
    assert result.table is not None
    assert [row[0] for row in result.table.rows] == ["journals"]


@pytest.mark.parametrize(
    "body",
    [
        [],
        {"schema": 2, "made_ms": 1},
        {"schema": 1, "made_ms": "yesterday", "file": 7},
        {"schema": 1, "made_ms": -5},
        {"schema": 1, "made_ms": True},
        {"schema": 1, "made_ms": 10**30},
        {"schema": 1},
    ],
)
def test_a_file_of_another_shape_is_no_backup(make_ctx: Any, body: Any) -> None:
    """Nothing of it is believed."""
    ctx = make_ctx("operator")
    kept(ctx, "backup.json", body)
    kept(
        ctx,
        "retention.json",
        {"schema": 1, "wall_ms": 5, "taken": [7, {"kind": "journals"}, {"kind": "x", "files": 1, "bytes": 1}]},
    )
    result = call(ctx, "upkeep", {})
    assert result.text == f"{NO_BACKUP}. {NO_LOOK}."


def test_a_name_with_signs_is_shown_clean(make_ctx: Any) -> None:
    """A file may be called anything."""
    ctx = make_ctx("operator")
    kept(ctx, "backup.json", {"schema": 1, "file": "/x/\u202e" + "y" * 500, "made_ms": 1, "bytes": 1})
    text = call(ctx, "upkeep", {}).text
    assert "\u202e" not in text
    assert "y" * 201 not in text
