"""`nightdesk making` as typed: verdict first, JSON, refusals in one line, and a recorded tape that keeps makers simulated."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.cli import making
from app.home.home import open_home
from app.home.written import alone_in
from engine.control import halt
from tests.engine.l2.test_book import recorded_tape
from tests.engine.making.test_simulation import busy_market
from tests.fakes.commands import Typed, typed_in

SMALL = ("--size", "0.3", "--inventory", "0.9", "--inventory-max", "5", "--loss-max", "1e6")


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run `nightdesk making ARGS` in this process, without a home: exit code, stdout, stderr."""
    return typed_in(making, tmp_path / "home", monkeypatch, capsys)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A sound tape of 40 s with trades."""
    return busy_market(tmp_path).tape.path


def body(result: tuple[int, str, str], code: int = 0) -> dict[str, Any]:
    """The JSON of a command that ended with this code."""
    assert result[0] == code, result
    found: dict[str, Any] = json.loads(result[1])
    return found


@pytest.mark.parametrize("quoter", ["symmetric", "as"])
def test_backtest_says_its_verdict_first(typed: Typed, tape: Path, quoter: str) -> None:
    """As text and as JSON; what was set is in the answer."""
    found = body(typed("backtest", str(tape), "--quoter", quoter, *SMALL, "--json"))
    assert next(iter(found)) == "verdict"
    assert found["options"]["quoter"] == quoter
    assert found["fees_bps"]["maker"] > 0.0
    assert found["activity"]["orders"] > 0
    code, text, _ = typed("backtest", str(tape), "--quoter", quoter, *SMALL)
    assert code == 0
    assert text.startswith(found["verdict"].upper())


def test_a_halt_is_said(typed: Typed, tape: Path) -> None:
    """Which guardrail, and when."""
    found = body(typed("backtest", str(tape), *SMALL[:-1], "0.001", "--half-spread-bps", "0", "--json"))
    assert found["activity"]["halt"]["rule"] == "loss_max"
    assert "HALTED after" in typed("backtest", str(tape), *SMALL[:-1], "0.001", "--half-spread-bps", "0")[1]


def test_fills_are_written_where_named(typed: Typed, tape: Path, tmp_path: Path) -> None:
    """As many rows as fills; a file that exists is left alone."""
    path = tmp_path / "fills.parquet"
    found = body(typed("backtest", str(tape), *SMALL, "--out", str(path), "--json"))
    rows = pl.read_parquet(path)
    assert rows.height == found["activity"]["fills"]
    assert set(rows["by"].unique()) <= {"queue", "through", "book"}
    code, _, error = typed("backtest", str(tape), *SMALL, "--out", str(path))
    assert code != 0
    assert "exists" in error


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--quoter", "magic"), "quoter 'magic'"),
        (("--size", "0.0001"), "size 0.0001"),
        (("--maker-bps", "200"), "--maker-bps 200"),
        (("--rebate-bps", "-1"), "--rebate-bps -1"),
        (("--loss-max", "nan"), "loss_max nan"),
    ],
)
def test_bad_terms_are_one_line(typed: Typed, tape: Path, args: tuple[str, ...], named: str) -> None:
    """What, and what instead."""
    code, printed, error = typed("backtest", str(tape), *args)
    assert code != 0
    assert printed == ""
    assert named in error
    assert len(error.strip().splitlines()) == 1


def test_without_trades_nothing_is_simulated(typed: Typed, tape: Path) -> None:
    """A book alone fills nobody."""
    tape.with_name(tape.name.replace("_l2.", "_trades.")).unlink()
    code, _, error = typed("backtest", str(tape))
    assert code != 0
    assert "no trades beside it" in error


def test_a_tape_with_an_error_is_refused(typed: Typed, tape: Path) -> None:
    """Swapped sides: no figure from a book that is not the venue's."""
    rows = pl.read_parquet(tape)
    rows.with_columns(pl.col("side").replace({"a": "b", "b": "a"})).write_parquet(tape)
    code, printed, error = typed("backtest", str(tape))
    assert code != 0
    assert printed == ""
    assert "inverted" in error


def test_the_recorded_tape_has_no_edge_and_keeps_a_maker_in_simulation(typed: Typed, market_data: Path) -> None:
    """345 s are not seven days, no window is above the fees: refused with every reason; and each quoter says no."""
    path = str(recorded_tape(market_data, "perp"))
    for quoter in ("symmetric", "as"):
        assert body(typed("backtest", path, "--quoter", quoter, "--json"))["verdict"] == "No edge after costs"
    found = body(typed("stage", path, "--json"), code=1)
    assert found["may_leave"] is False
    assert len(found["refusals"]) == 3
    code, text, _ = typed("stage", path)
    assert code == 1
    for reason in ("making stays in simulation", "recorded days; at least 7", "in 4 of 5 windows", "feasibility says no"):
        assert reason in text


def test_the_tier_of_desk_toml_is_what_both_sides_cost(typed: Typed, tmp_path: Path) -> None:
    """The stage's floor, its least and the fees of a backtest, with its source; without one the venue's."""
    home, tape = tmp_path / "home", busy_market(tmp_path, count=2_500).tape.path
    assert body(typed("stage", str(tape), "--json"), code=1)["floor_bps"] == 4.0
    home.mkdir()
    tier = (
        '[instruments."okx:ETH-USDT:perp"]\nmaker_frac = 0.00012\nsource = "VIP 3, the account\'s page"\ndated = "2026-11-01"\n'
    )
    (home / "desk.toml").write_text(tier)
    found = body(typed("stage", str(tape), "--json"), code=1)
    assert found["floor_bps"] == pytest.approx(2.4)
    assert found["floor_source"] == "two maker fees; desk.toml; VIP 3, the account's page; 2026-11-01"
    assert "judged against 2.3 bps, and both sides cost 2.4" in typed("stage", str(tape), "--floor-bps", "2.3")[1]
    assert body(typed("backtest", str(tape), *SMALL, "--json"))["fees_bps"]["maker"] == pytest.approx(1.2)


def test_copies_and_a_floor_of_ones_own_let_no_maker_go(typed: Typed, tmp_path: Path) -> None:
    """One tape three times with the clock of other days, judged against a thousandth of the fees: named, and refused."""
    tape = busy_market(tmp_path, count=2_500).tape.path
    frame = pl.read_parquet(tape)
    for day in range(1, 3):
        later = frame.with_columns(pl.col("recv_ns") + day * 86_400 * 10**9, pl.col("ts_exch_ms") + day * 86_400_000)
        later.with_columns(pl.col("^.*_id$") + day * 10**7).write_parquet(tape.with_name(tape.name.replace("made", f"next{day}")))
    found = body(typed("stage", str(tape.parent), "--floor-bps", "0.004", "--json"), code=1)
    text = "; ".join(found["refusals"])
    assert "judged against 0.004 bps, and both sides cost 4" in text
    assert "2 tapes repeat what was recorded before them" in text
    assert "repeat" not in "; ".join(body(typed("stage", str(tape), "--json"), code=1)["refusals"])


def test_a_maker_on_paper_is_the_backtest_and_goes_on(typed: Typed, tape: Path, tmp_path: Path) -> None:
    """Its figures are the simulation's; it is listed, shown, its journal is whole; again it has everything already."""
    args = (str(tape), *SMALL, "--json")
    simulated = body(typed("backtest", *args[:-1], "--keep", "sim", "--json"))
    found = body(typed("paper", *args[:-1], "--name", "m1", "--speed", "0", "--json"))
    for key in ("verdict", "why", "pnl", "after_fills", "inventory", "activity", "windows_net"):
        assert found[key] == simulated[key]
    assert (found["kind"], found["state"]) == ("paper on a recorded tape", "over")
    assert found["picture"]["points"] == json.loads(Path(simulated["kept"]).read_text())["picture"]["points"]
    shown = body(typed("show", "m1", "--json"))
    assert shown["journal"]["ok"]
    assert shown["journal"]["events"] > found["activity"]["orders"]
    again = body(typed("paper", *args[:-1], "--name", "m1", "--speed", "0", "--json"))
    assert {**again, "written_ms": 0} == {**found, "written_ms": 0}
    assert body(typed("show", "m1", "--json"))["journal"] == shown["journal"]
    assert [(m["name"], m["kind"]) for m in body(typed("list", "--json"))["items"]] == [
        ("m1", "paper on a recorded tape"),
        ("sim", "simulation on a recorded tape"),
    ]


def test_a_halted_desk_starts_no_maker(typed: Typed, tape: Path, tmp_path: Path) -> None:
    """Its reason, and nothing is journaled."""
    open_home()
    halt.set(tmp_path / "home", "because of the storm", {"name": "ann"}, 1)
    code, printed, error = typed("paper", str(tape), *SMALL, "--name", "m1", "--speed", "0")
    assert code != 0
    assert printed == ""
    assert "because of the storm" in error
    assert not (tmp_path / "home" / "making" / "m1" / "making.jsonl").exists()


@pytest.mark.parametrize(
    ("args", "named"),
    [
        (("--name", "../x"), "the name '../x'"),
        (("--speed", "-1"), "--speed -1"),
        (("--speed", "nan"), "--speed nan"),
        (("--quoter", "magic"), "quoter 'magic'"),
    ],
)
def test_bad_terms_of_a_maker_on_paper_are_one_line(typed: Typed, tape: Path, args: tuple[str, ...], named: str) -> None:
    """What, and what instead; nothing is written."""
    code, printed, error = typed("paper", str(tape), *SMALL, *args)
    assert (code != 0, printed) == (True, "")
    assert named in error
    assert len(error.strip().splitlines()) == 1


def test_other_terms_under_one_name_are_refused(typed: Typed, tape: Path, tmp_path: Path) -> None:
    """A journal is of one maker."""
    args = (str(tape), *SMALL, "--name", "m1", "--speed", "0")
    assert typed("paper", *args)[0] == 0
    code, _, error = typed("paper", *args, "--half-spread-bps", "3")
    assert code != 0
    assert "begun with another options" in error
    journal = tmp_path / "home" / "making" / "m1" / "making.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b'"side":"sell"', b'"side":"buy" ', 1))
    code, text, _ = typed("show", "m1")
    assert code == 1
    assert "it was changed" in text
    assert "no maker 'm2'" in typed("show", "m2")[2]


def test_one_process_runs_a_maker(typed: Typed, tape: Path, tmp_path: Path) -> None:
    """A second one under the same name is refused in one line."""
    with alone_in(tmp_path / "home" / "making" / "m1", ".lock", "held by a test"):
        code, printed, error = typed("paper", str(tape), *SMALL, "--name", "m1", "--speed", "0")
    assert (code != 0, printed) == (True, "")
    assert "the maker 'm1' is running" in error
