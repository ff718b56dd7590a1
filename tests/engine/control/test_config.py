"""The desk's configuration: what desk.toml may say, what a stored version must be, and how file and version in force differ."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import Engine

from engine.control.config import (
    DeskConfig,
    SleeveConfig,
    active,
    active_version,
    canonical_json,
    configured,
    desk_text,
    ensure_first,
    fields_apart,
    file_differences,
    first_of,
    is_written,
    sha256_of_text,
    sleeve_text,
    stored,
    validated,
    version_of,
    versions,
    write_first,
)
from engine.control.limits import RETIRED, HardLimits, limits_of
from engine.errors import BadInput, DataError
from engine.store import db as database
from engine.store.tables import ConfigVersion, SleeveVersion

NOW = 1_700_000_000_000
BTC = """
[[sleeves]]
name = "btc"
strategy = "trend"
venue = "synthetic"
symbol = "BTC-USDT"
"""
SOL = BTC.replace('"btc"', '"sol"').replace("BTC-", "SOL-").replace("trend", "reversion")


def toml(home: Path, *parts: str) -> Path:
    """A home with this desk.toml."""
    (home / "desk.toml").write_text("\n".join(parts))
    return home


def a_sleeve(**changed: Any) -> SleeveConfig:
    """A sleeve, some fields changed."""
    return SleeveConfig(**{"name": "btc", "strategy": "trend", "venue": "synthetic", "symbol": "BTC-USDT", **changed})


@pytest.mark.parametrize(
    ("field", "value", "fine"),
    [
        ("name", "a", True),
        ("name", "0-9", True),
        ("name", "a" * 40, True),
        ("name", "a" * 41, False),
        ("name", "", False),
        ("name", "-a", False),
        ("name", "Btc", False),
        ("name", "btc trend", False),
        ("name", "btc\n", False),
        ("name", "btc.x", False),  # a diff writes btc.stop_atr
        ("name", "btc, sol", False),  # a proposal of two sleeves writes that
        ("name", "*", False),  # a rollback of the desk writes that
        ("symbol", "BTC-USDT", True),
        ("symbol", "1000PEPE-USDT", True),
        ("symbol", "btc-usdt", False),
        ("symbol", "BTCUSDT", False),
        ("symbol", "BTC-USDT-PERP", False),
        ("symbol", "A" * 16 + "-USDT", False),
        ("venue", "binance", True),
        ("venue", "../x", False),
        ("cash", 0.01, True),
        ("cash", 0.0, False),
        ("cash", -1.0, False),
        ("cash", 1e12, True),
        ("cash", 1.0000001e12, False),
        ("cash", float("nan"), False),
        ("cash", float("inf"), False),
        ("market", "spot", True),
        ("market", "future", False),
        ("side", "long", True),
        ("side", "Long", False),
        ("timeframe", "1h", True),
        ("timeframe", "7m", False),
        ("timeframe", "", False),
        ("stage", "retired", True),
        ("stage", "gone", False),
        ("leverage", 3, False),
    ],
)
def test_a_field_of_a_sleeve_is_taken_up_to_its_bound(field: str, value: Any, fine: bool) -> None:
    """At the bound, one past it, and words that would be read as something else elsewhere."""
    try:
        made = a_sleeve(**{field: value})
    except ValidationError:
        assert not fine
    else:
        assert fine
        assert getattr(made, field) == value


@pytest.mark.parametrize(
    ("one", "other", "fine"),
    [
        ({"side": "long"}, {"side": "short"}, False),
        ({"side": "short"}, {"side": "long"}, False),
        ({"side": "long"}, {"side": "long"}, True),
        ({"side": "both"}, {"side": "short"}, True),
        ({"side": "long"}, {"side": "short", "venue": "okx"}, True),
        ({"side": "long"}, {"side": "short", "market": "spot"}, True),
        ({"side": "long"}, {"side": "short", "timeframe": "1h"}, False),
    ],
)
def test_opposite_sides_of_one_instrument_are_refused_and_nothing_else_is(one: Any, other: Any, fine: bool) -> None:
    """A venue that nets would truncate their stops; another venue or market is another instrument, a timeframe is not."""
    pair = (a_sleeve(**one), a_sleeve(name="two", **other))
    if fine:
        assert len(DeskConfig(sleeves=pair).sleeves) == 2
    else:
        with pytest.raises(ValidationError, match="btc and two take opposite sides of synthetic:BTC-USDT:perp"):
            DeskConfig(sleeves=pair)


@pytest.mark.parametrize(("count", "fine"), [(0, False), (1, True), (300, True), (301, False)])
def test_a_desk_has_one_to_three_hundred_sleeves(count: int, fine: bool) -> None:
    """Each with a name of its own."""
    sleeves = tuple(a_sleeve(name=f"s{n}") for n in range(count))
    if fine:
        assert len(DeskConfig(sleeves=sleeves).sleeves) == count
    else:
        with pytest.raises(ValidationError):
            DeskConfig(sleeves=sleeves)


def test_two_sleeves_of_one_name_are_named() -> None:
    """The error says which."""
    with pytest.raises(ValidationError, match="two sleeves are called btc"):
        DeskConfig(sleeves=(a_sleeve(), a_sleeve(symbol="SOL-USDT")))


# ---- desk.toml ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the sleeves in .* cannot be read"),
        ("[[sleeves]]\nname =", "the sleeves in .* cannot be read"),
        ("sleeves = 3", "the sleeves in .* cannot be read"),
        (BTC + BTC, "the sleeves in .* cannot be read"),
        (BTC + "[sleeves.params]\nstop_atr = 99", "desk.toml: sleeve btc: .*out of bounds"),
        (BTC + "[sleeves.params]\nstop = 2", "desk.toml: sleeve btc: .*has no parameter 'stop'"),
        (BTC.replace("trend", "trnd"), "desk.toml: sleeve btc: unknown strategy 'trnd'"),
        (BTC + 'stage = "live"', "desk.toml: sleeve btc: stage live is reached by an approval"),
        (BTC + 'stage = "shadow"', "desk.toml: sleeve btc: stage shadow is reached by an approval"),
    ],
)
def test_a_desk_toml_that_cannot_run_says_which_file_and_sleeve(tmp_path: Path, text: str, words: str) -> None:
    """Syntax, shape, bounds, names, and a stage that this version does not reach."""
    with pytest.raises(BadInput, match=words):
        configured(toml(tmp_path, text))


def test_a_missing_desk_toml_is_said_with_its_path(tmp_path: Path) -> None:
    """Not a traceback."""
    with pytest.raises(BadInput, match=r"desk\.toml cannot be read"):
        configured(tmp_path)


def test_a_file_that_is_no_text_is_said_too(tmp_path: Path) -> None:
    """A copy gone wrong."""
    (tmp_path / "desk.toml").write_bytes(b"\xff\xfe\x00[")
    with pytest.raises(BadInput, match="cannot be read"):
        configured(tmp_path)
    with pytest.raises(BadInput, match="hard limits in"):
        limits_of(tmp_path)


def test_every_parameter_is_spelled_out_in_the_order_of_the_file(tmp_path: Path) -> None:
    """A default of today is stored, so that a default of tomorrow changes no running desk."""
    config = configured(toml(tmp_path, SOL, BTC, "[sleeves.params]", "stop_atr = 3"))
    assert [s.name for s in config.sleeves] == ["sol", "btc"]
    btc = config.sleeve("btc")
    assert (btc.params["stop_atr"], btc.params["leverage_max"]) == (3.0, 3.0)
    assert isinstance(btc.params["stop_atr"], float)
    assert validated(config) == config


# ---- versions -------------------------------------------------------------------------------------------------------------


def test_before_version_1_is_written_the_file_holds(sqlite: Engine, tmp_path: Path) -> None:
    """Read anew each time; once written the file changes nothing, and a second writing is none."""
    toml(tmp_path, BTC)
    assert (is_written(sqlite), active_version(sqlite), versions(sqlite)) == (False, 1, [])
    assert active(sqlite, tmp_path).config.sleeve("btc").cash == 10_000.0
    toml(tmp_path, BTC, "cash = 500.0")
    before = active(sqlite, tmp_path)
    assert before.config.sleeve("btc").cash == 500.0
    assert version_of(sqlite, 1, tmp_path) == before
    assert ensure_first(sqlite, tmp_path, NOW, "start")
    assert active(sqlite, tmp_path) == before
    toml(tmp_path, BTC, "cash = 7.0")
    assert not ensure_first(sqlite, tmp_path, NOW, "start")
    assert active(sqlite, tmp_path) == before


def test_a_second_first_version_is_not_written(db: Engine, two_sleeves: DeskConfig, tmp_path: Path) -> None:
    """Whoever comes second finds the first one's, untouched."""
    assert write_first(db, two_sleeves, NOW, "one")
    other = two_sleeves.with_sleeve(two_sleeves.sleeve("btc").model_copy(update={"cash": 1.0}))
    assert not write_first(db, other, NOW, "two")
    assert active(db, tmp_path).config == two_sleeves
    assert [row.reason for row in versions(db)] == ["one"]


def test_ensuring_a_first_version_reads_no_file_when_there_is_one(
    sqlite: Engine, two_sleeves: DeskConfig, tmp_path: Path
) -> None:
    """A running desk does not fall over a desk.toml that somebody is editing."""
    write_first(sqlite, two_sleeves, NOW, "one")
    toml(tmp_path, "[[sleeves")
    assert not ensure_first(sqlite, tmp_path, NOW, "start")


EDITS = {
    "the text of a sleeve": "UPDATE sleeve_versions SET body = replace(body, '10000.0', '90000.0')",
    "the digest": "UPDATE config_versions SET sha256 = 'x'",
    "the order of the sleeves": 'UPDATE config_versions SET sleeves = \'[["sol",1],["btc",1]]\'',
    "a sleeve left out": "UPDATE config_versions SET sleeves = '[[\"btc\",1]]'",
    "a version of a sleeve that is not there": 'UPDATE config_versions SET sleeves = \'[["btc",1],["sol",2]]\'',
}


@pytest.mark.parametrize("edit", EDITS)
def test_a_version_that_was_edited_is_never_followed(sqlite: Engine, two_sleeves: DeskConfig, tmp_path: Path, edit: str) -> None:
    """Whatever was touched: text, digest, order, members."""
    write_first(sqlite, two_sleeves, NOW, "test")
    with sqlite.begin() as connection:
        connection.exec_driver_sql(EDITS[edit])
    with pytest.raises(DataError, match="configuration version 1 was changed in the database"):
        active(sqlite, tmp_path)


def test_the_digest_is_of_what_is_stored(sqlite: Engine, two_sleeves: DeskConfig) -> None:
    """Anyone can recompute it: the sleeves' texts in their order, joined as JSON."""
    write_first(sqlite, two_sleeves, NOW, "test")
    with database.read(sqlite) as session:
        desk, row = stored(session, 1), session.get_one(ConfigVersion, 1)
        bodies = [session.get_one(SleeveVersion, (name, 1)).body for name in ("btc", "sol")]
    assert desk.sha256 == row.sha256 == sha256_of_text('{"sleeves":[' + ",".join(bodies) + "]}")
    assert desk.digest("sol") == sha256_of_text(bodies[1])
    assert desk == first_of(two_sleeves)
    assert bodies[0] == sleeve_text(two_sleeves.sleeve("btc"))
    assert desk_text(desk.sleeves, desk.bodies) == canonical_json(two_sleeves.model_dump(mode="json", exclude_none=True))


@pytest.mark.parametrize("version", [0, -1, 2, 10**9])
def test_an_unknown_version_names_the_latest(sqlite: Engine, two_sleeves: DeskConfig, tmp_path: Path, version: int) -> None:
    """Nothing is made up for a number that was never written."""
    write_first(sqlite, two_sleeves, NOW, "test")
    with pytest.raises(BadInput, match=f"no configuration version {version}") as caught:
        version_of(sqlite, version, tmp_path)
    assert caught.value.hint == "the latest is 1"


# ---- file against version in force ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "found"),
    [
        ([BTC, SOL], ""),
        ([SOL, BTC], ""),  # the order in which they decide is that of the version
        ([BTC, "[sleeves.params]", "stop_atr = 3.0", SOL], "btc.stop_atr = 3.0 (2.0 is in force)"),
        ([BTC, "cash = 1.0", SOL], "btc.cash = 1.0 (10000.0 is in force)"),
        ([BTC, "paused = true", SOL], "btc.paused = True (False is in force)"),
        ([BTC], "sleeve sol is missing"),
        ([BTC, SOL, BTC.replace('"btc"', '"new"')], "sleeve new is new"),
    ],
)
def test_how_the_file_differs_from_the_version_in_force(
    sqlite: Engine, two_sleeves: DeskConfig, tmp_path: Path, parts: list[str], found: str
) -> None:
    """One line that says what the file says and what holds; nothing when they agree."""
    write_first(sqlite, two_sleeves, NOW, "test")
    line = file_differences(toml(tmp_path, *parts), active(sqlite, tmp_path))
    assert line == (f"desk.toml differs from version 1, which stays in force: {found}" if found else "")


def test_many_differences_are_counted_and_a_broken_file_is_said(sqlite: Engine, two_sleeves: DeskConfig, tmp_path: Path) -> None:
    """Six are listed; a file that cannot be read leaves the version in force."""
    write_first(sqlite, two_sleeves, NOW, "test")
    desk = active(sqlite, tmp_path)
    new = [BTC.replace('"btc"', f'"n{n}"') for n in range(8)]
    line = file_differences(toml(tmp_path, BTC, SOL, *new), desk)
    assert line.endswith("sleeve n5 is new and 2 more")
    assert "version 1 is in force" in file_differences(toml(tmp_path, "[[sleeves"), desk)


def test_fields_apart_names_each_once() -> None:
    """Own fields first, parameters by name; a parameter that only one has is None on the other side."""
    old = a_sleeve(params={"a": 1, "b": 2.0})
    new = a_sleeve(cash=5.0, params={"b": 2.0, "c": "x", "a": 3})
    assert fields_apart(old, new) == [("cash", 10_000.0, 5.0), ("a", 1, 3), ("c", None, "x")]
    assert fields_apart(old, old) == []


# ---- hard limits ------------------------------------------------------------------------------------------------------------


BOUNDS: dict[str, tuple[float | None, float]] = {  # limit -> (least, most); None: anything above zero
    "drawdown_frac_max": (None, 0.9),
    "gross_frac_max": (None, 10),
    "instrument_frac_max": (None, 10),
    "orders_minute_max": (1, 1_000),
    "day_loss_frac_max": (None, 0.5),
    "streak_max": (1, 100),
    "pause_hours": (1, 720),
    "day_entries_max": (1, 1_000),
    "risk_frac_max": (None, 0.05),
    "leverage_max": (None, 20),
    "rejections_row_max": (1, 100),
    "spread_frac_max": (None, 0.1),
    "range_times_max": (1.001, 1_000),
    "volume_times_max": (1.001, 1e5),
    "volume_times_min": (0, 0.99),
    "positions_max": (1, 300),
    "family_frac_max": (None, 10),
    "correlated_frac_max": (None, 10),
    "no_entry_funding_minutes": (0, 240),
}


@pytest.mark.parametrize("name", [name for name in HardLimits.model_fields if name != "no_entry"])
def test_a_hard_limit_is_taken_up_to_its_bounds(tmp_path: Path, name: str) -> None:
    """At each bound; past it, zero, negative, NaN, infinite or a word never: a slip switches no limit off."""
    low, high = BOUNDS[name]
    for value in (v for v in (low, high) if v is not None):
        assert getattr(limits_of(toml(tmp_path, "[limits]", f"{name} = {value}")), name) == value
    nothing = () if low == 0 else (0,)
    for past in (*nothing, -1, "nan", "inf", '"much"', "[]", "{}", high * 1.02, *([low - 1] if low is not None else [])):
        with pytest.raises(BadInput, match="hard limits in"):
            limits_of(toml(tmp_path, "[limits]", f"{name} = {past}"))


def test_the_cores_limits_are_those_of_the_file(tmp_path: Path) -> None:
    """Field by field, for the desk and for a sleeve; a retired key beside them changes nothing."""
    text = ["[limits]", "drawdown_frac_max = 0.2", "gross_frac_max = 2", "instrument_frac_max = 1.5", "orders_minute_max = 4",
            "streak_max = 7", f"{next(iter(RETIRED))} = 1"]  # fmt: skip
    found = limits_of(toml(tmp_path, *text))
    desk = found.desk()._asdict()
    assert found.desk()[:4] == (0.2, 2.0, 1.5, 4)
    assert all(getattr(found, key) == value for key, value in desk.items() if key not in ("no_entry", "funding_quiet_ms"))
    sleeve = found.sleeve()._asdict()
    assert sleeve["streak_max"] == 7
    assert all(getattr(found, key) == value for key, value in sleeve.items())
