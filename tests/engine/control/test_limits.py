"""Hard limits: each one in desk.toml is read by a guard, an old desk.toml is still read, and a note says what is ignored."""

import ast
from pathlib import Path

import pytest

from app.home import desk_template
from engine.control.limits import RETIRED, HardLimits, limits_of, retired_in
from engine.errors import BadInput

ENGINE = Path(__file__).resolve().parents[3] / "engine"
HOLDERS = {"limits", "hard", "rules"}  # what a guard calls the limits: core Limits, HardLimits, and Rules of a sleeve


def fields_read() -> set[str]:
    """Names read as `limits.NAME`, `hard.NAME`, `rules.NAME` or `x.limits.NAME` anywhere in the engine but in limits.py."""
    found = set()
    for path in ENGINE.rglob("*.py"):
        if path == ENGINE / "control" / "limits.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                holder = node.value
                name = holder.id if isinstance(holder, ast.Name) else holder.attr if isinstance(holder, ast.Attribute) else ""
                if name in HOLDERS:
                    found.add(node.attr)
    return found


def test_every_hard_limit_is_read_by_a_guard() -> None:
    """A limit that desk.toml promises and no line of code reads would be a promise the desk does not keep."""
    read = fields_read()
    unread = set(HardLimits.model_fields) - read - ({"no_entry_funding_minutes"} if "funding_quiet_ms" in read else set())
    assert not unread, f"no guard reads {', '.join(sorted(unread))}: enforce it, or move it to RETIRED"


def test_the_written_desk_toml_names_the_enforced_limits_alone() -> None:
    """Each enforced limit with its sentence, and none that was retired."""
    text = desk_template.text_of("binance", "x")
    for name, field in HardLimits.model_fields.items():
        assert f"{name} = {[] if field.default == () else field.default}" in text
        assert field.description in text
    assert not [name for name in RETIRED if name in text]


def test_an_old_desk_toml_is_read_and_its_retired_limits_are_named(tmp_path: Path) -> None:
    """The keys of an earlier version change nothing; a note says so, and what holds instead."""
    (tmp_path / "desk.toml").write_text("[limits]\nstale_bars_max = 3.0\nnull_features_max = 9\nstreak_max = 4\n")
    assert limits_of(tmp_path) == HardLimits(streak_max=4)
    notes = retired_in(tmp_path)
    assert [note.split()[0] for note in notes] == ["stale_bars_max", "null_features_max"]
    assert all("is ignored: " in note for note in notes)


def test_a_home_without_retired_limits_gets_no_note(tmp_path: Path) -> None:
    """Neither without a desk.toml nor with a new one."""
    assert retired_in(tmp_path) == []
    (tmp_path / "desk.toml").write_text(desk_template.text_of("binance", "x"))
    assert retired_in(tmp_path) == []
    assert limits_of(tmp_path) == HardLimits()


@pytest.mark.parametrize("text", ["limits = 3", "[limits]\nstreak_max = 0", "[limits]\nmade_up = 1", "[limits"])
def test_faulty_limits_are_refused(tmp_path: Path, text: str) -> None:
    """Dropping retired keys lets no unknown or impossible one through."""
    (tmp_path / "desk.toml").write_text(text)
    with pytest.raises(BadInput, match="hard limits in"):
        limits_of(tmp_path)
