"""`nightdesk l2` as typed: verdicts, exit codes, JSON, one line for what is wrong, and nothing written but what was named."""

import json
from functools import partial
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from app.cli import l2
from engine.l2 import heads
from tests.engine.l2.test_book import recorded_tape
from tests.fakes.alien_tapes import shallow_tape
from tests.fakes.book_tapes import STEP_NS, Maker, made, write_quotes, write_tape, write_trades
from tests.fakes.commands import Typed, typed_in


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run `nightdesk l2 ARGS` in this process, without a home: exit code, stdout, stderr."""
    return typed_in(l2, tmp_path / "home", monkeypatch, capsys)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    """A sound tape of 90 seconds with quotes and trades."""
    messages = made(Maker(21), 900)
    path = write_tape(tmp_path, messages)
    write_quotes(tmp_path, messages)
    sales = [(k * STEP_NS + 5, messages[k].best[0] - 0.1 * (k % 2), 0.5, True) for k in range(20, 899)]
    write_trades(tmp_path, sales)
    return path


def body(result: tuple[int, str, str], code: int = 0) -> dict[str, Any]:
    """The JSON of a command that ended with this code."""
    assert result[0] == code, result
    found: dict[str, Any] = json.loads(result[1])
    return found


def test_check_says_whether_the_book_is_the_venues(typed: Typed, tape: Path) -> None:
    """A sound tape exits 0, with its counts; by its name and as text, too."""
    found = body(typed("check", str(tape), "--json"))
    (item,) = found["items"]
    assert (found["errors"], item["errors"], item["venue"], item["symbol"], item["market"]) == (0, 0, "okx", "ETH-USDT", "perp")
    assert item["shared_ids"] == item["equal"] > 890
    assert item["deltas"]["applied"] + item["deltas"]["old"] == 899
    code, text, _ = typed("check", str(tape))
    assert code == 0
    assert "sound, 900 messages" in text


def test_one_bad_file_of_a_folder_hides_no_other(typed: Typed, tape: Path) -> None:
    """A damaged file and a tape with a gap exit 1, each named; the sound one is judged all the same."""
    (tape.parent / "okx_ETH-USDT_perp_torn_l2.parquet").write_bytes(b"PAR1")
    messages = made(Maker(3), 60)
    del messages[30]
    write_tape(tape.parent, messages, "okx_ETH-USDT_perp_gap_l2.parquet")
    found = body(typed("check", str(tape.parent), "--json"), 1)
    by_name = {Path(item["file"]).name.split("_")[3]: item for item in found["items"]}
    assert "cannot be read" in by_name["torn"]["error"]
    assert [f["rule"] for f in by_name["gap"]["findings"]] == ["gap"]
    assert by_name["made"]["errors"] == 0
    assert found["errors"] == 2


def test_replay_gives_speed_and_both_books(typed: Typed, tape: Path) -> None:
    """Microseconds a message, and the ten best levels of the first and the last book, best first."""
    found = body(typed("replay", str(tape), "--json"))
    assert found["messages"] == 900
    assert found["us_a_message"] == pytest.approx(1e6 / found["messages_a_second"])
    last = found["last"]
    assert len(last["bids"]) == len(last["asks"]) == 10
    assert last["bids"] == sorted(last["bids"], reverse=True)
    assert last["asks"] == sorted(last["asks"])
    assert last["bids"][0][0] < last["asks"][0][0]
    assert "us of CPU a message" in typed("replay", str(tape))[1]


def test_features_are_listed_and_written_once(typed: Typed, tape: Path) -> None:
    """Rows with null for what is missing, into a new file alone."""
    path = tape.parent / "rows.parquet"
    found = body(typed("features", str(tape), "--out", str(path), "--json"))
    frame = pl.read_parquet(path)
    assert frame.height == found["rows"]
    assert {item["name"] for item in found["items"]} == set(frame.columns) - {"ts", "when_ns"}
    assert frame["momentum(5000)"].null_count() > 0
    assert not frame["momentum(5000)"].is_nan().any()
    before = path.read_bytes()
    code, _, err = typed("features", str(tape), "--out", str(path))
    assert code == 1
    assert "exists" in err
    assert path.read_bytes() == before
    assert body(typed("features", str(tape), "--events", "--json"))["every_ms"] is None
    assert "imbalance" in typed("features", str(tape))[1]


def test_labels_need_trades(typed: Typed, tape: Path) -> None:
    """Filled shares, by fill speed; without trades beside the tape one line that says so."""
    path = tape.parent / "labels.parquet"
    found = body(typed("labels", str(tape), "--life", "20", "--horizon", "1", "--horizon", "2.5", "--out", str(path), "--json"))
    assert 0 < found["filled_frac"] <= 1
    assert [one["horizon_s"] for one in found["by_speed"]] == [1, 2.5]
    assert {"filled", "time_to_fill_ms", "move_2.5s_bps", "mfe_1s_bps", "mae_1s_bps"} <= set(pl.read_parquet(path).columns)
    assert "filled within 20 s" in typed("labels", str(tape), "--life", "20")[1]
    (tape.parent / tape.name.replace("_l2", "_trades")).unlink()
    code, _, err = typed("labels", str(tape))
    assert code == 1
    assert "no trades beside it" in err


def test_feasibility_of_a_random_tape_is_no(typed: Typed, tape: Path) -> None:
    """The word, the floor with its source, every cell; no is an answer, so the exit code is 0."""
    found = body(typed("feasibility", str(tape), "--horizon", "1", "--horizon", "2", "--floor-bps", "40", "--json"))
    assert (found["verdict"], found["floor_bps"], found["floor_source"]) == ("no", 40, "--floor-bps")
    assert {cell["horizon_s"] for cell in found["cells"]} == {1, 2}
    assert all(len(cell["folds"]) == 5 for cell in found["cells"])
    assert len(found["chance_bps"]) == 9
    text = typed("feasibility", str(tape), "--horizon", "1")[1]
    assert "two maker fees" in text


@pytest.mark.slow
def test_feasibility_as_a_page(typed: Typed, tape: Path) -> None:
    """The verdict and every cell, in a page that loads and runs nothing; it is never written over."""
    page = tape.parent / "answer.html"
    found = body(typed("feasibility", str(tape), "--horizon", "1", "--floor-bps", "40", "--page", str(page), "--json"))
    text = page.read_text()
    assert "<b>No.</b>" in text
    assert text.count("<td>1 s</td>") == len(found["cells"]) + 2
    assert "<script" not in text
    assert "default-src 'none'" in text.replace("&#39;", "'")
    code, _, err = typed("feasibility", str(tape), "--horizon", "1", "--page", str(page))
    assert (code, "exists" in err) == (1, True)
    assert page.read_text() == text
    assert "cannot be written" in typed("feasibility", str(tape), "--horizon", "1", "--page", str(tape / "x.html"))[2]


def test_a_folder_of_days_is_judged_as_one(typed: Typed, tape: Path) -> None:
    """Tapes that follow each other; tapes of the same time, or of two instruments, are refused."""
    other = tape.with_name("okx_ETH-USDT_perp_next_l2.parquet")
    frame = pl.read_parquet(tape)
    frame.with_columns(pl.col("recv_ns") + 600 * 10**9).write_parquet(other)
    found = body(typed("feasibility", str(tape.parent), "--horizon", "1", "--json"))
    assert [Path(item["file"]).name for item in found["substrate"]["tapes"]] == [tape.name, other.name]
    assert found["substrate"]["rows"] == 1794  # three messages of each wait for their snapshot
    frame.write_parquet(other)
    assert "two tapes of the same time" in typed("feasibility", str(tape.parent))[2]
    other.rename(tape.with_name("okx_SOL-USDT_perp_made_l2.parquet"))
    assert "name one instrument's folder" in typed("feasibility", str(tape.parent))[2]


def test_a_tape_with_an_error_is_computed_from_by_nobody(typed: Typed, tmp_path: Path) -> None:
    """Features, labels and feasibility refuse it and name the first error; an unknown venue's fee is asked for."""
    messages = made(Maker(3), 60)
    del messages[30]
    path = write_tape(tmp_path, messages)
    for command in ("features", "labels", "feasibility"):
        code, text, err = typed(command, str(path), "--json")
        assert code == 1
        assert "update ids are missing" in json.loads(text)["error"]["what"]
        assert "l2 check" in err
    other = write_tape(tmp_path, made(Maker(3), 60), "kraken_ETH-USDT_perp_made_l2.parquet")
    code, _, err = typed("feasibility", str(other))
    assert (code, "--floor-bps" in err) == (1, True)
    assert typed("check", str(tmp_path / "nothing"))[0] == 1
    (tmp_path / "empty").mkdir()
    assert "no tape in this folder" in typed("check", str(tmp_path / "empty"))[2]


@pytest.mark.parametrize(
    ("args", "text"),
    [
        (["--venue", "okx", "--symbol", "BTC-USDT", "--mirror", "http://127.0.0.1:9"], "okx did not answer for its instruments"),
        (["--venue", "kraken", "--symbol", "BTC-USDT"], "unknown venue 'kraken'"),
        (["--symbol", "BTC-USDT", "--market", "margin"], "unknown market 'margin'"),
        (["--symbol", "BTC-USDT", "--bars", "7s"], "unknown timeframe '7s'"),
        (["--symbol", "BTC-USDT", "--symbol", "BTC-USDT"], "2 instruments to record"),
    ],
)
def test_a_recording_that_cannot_begin_says_why(typed: Typed, tmp_path: Path, args: list[str], text: str) -> None:
    """One line, exit code 1, and nothing of a tape."""
    code, _, err = typed("record", *args)
    assert code == 1
    assert text in err
    assert not list(tmp_path.rglob("*.parquet"))


def test_bars_go_into_the_home_once(typed: Typed, tape: Path) -> None:
    """A series that the catalog lists, with when each row was known; the same tape again adds nothing."""
    found = body(typed("bars", str(tape), "--timeframe", "1m", "--json"))
    (item,) = found["items"]
    path = tape.parent / "home" / "data" / "okx_ETH-USDT_perp_book_1m.parquet"
    assert (item["path"], item["tapes"], item["bars"], item["new"]) == (str(path), 1, 0, 0)
    rows = pl.read_parquet(tape).with_columns(pl.col("recv_ns") - 29 * 10**9)  # a whole minute is in it now
    rows.write_parquet(tape)
    body(typed("bars", str(tape), "--json"))
    frame = pl.read_parquet(path)
    assert frame.height == 1
    assert (frame["available_ms"] >= frame["ts"].dt.epoch("ms") + 60_000).all()
    assert {"imbalance_close", "depth_mean", "spread_mean", "taker_flow"} <= set(frame.columns)
    before = path.read_bytes()
    assert body(typed("bars", str(tape), "--json"))["items"][0]["new"] == 0
    assert path.read_bytes() == before
    assert "1 bars, 0 of them with a gap, 0 new" in typed("bars", str(tape))[1]
    assert typed("bars", str(tape), "--timeframe", "7m")[0] == 1


def test_the_recorded_answer_is_no(typed: Typed, market_data: Path) -> None:
    """As published: 0 of 60 cells clear two maker fees of the recorded perpetual."""
    found = body(typed("feasibility", str(recorded_tape(market_data, "perp")), "--json"))
    assert found["verdict"] == "no"
    assert found["why"].startswith("0 of 60 cells")
    assert found["floor_bps"] == 4.0


@pytest.mark.slow
def test_heads_are_judged_counted_and_kept_as_a_card(typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A random tape: no, feasibility first; the same training again is the same trial, other terms the next; the card has all."""
    monkeypatch.setattr(heads, "SETTINGS", {**heads.SETTINGS, "rounds": 6, "learning_rate": 0.4})
    monkeypatch.setattr(heads, "judge", partial(heads.judge, ablate=False))
    path, _ = shallow_tape(tmp_path)
    args = ("train", str(path), "--floor-bps", "4", "--life", "2", "--horizon", "1")
    card = tmp_path / "card.json"
    found = body(typed(*args, "--card", str(card), "--json"))
    assert found["verdict"] in ("no", "not enough tape")
    assert found["why"].startswith("feasibility: ")
    assert found["leak_check"]["clean"]
    assert [head["name"] for head in found["heads"]] == ["filled", "adverse", "edge"]
    assert all(len(head["folds"]) == 5 for head in found["heads"])
    assert json.loads(card.read_text()) == found
    assert (found["trial"], body(typed(*args, "--json"))["trial"]) == (1, 1)
    monkeypatch.setattr(heads, "HEADS", {"filled": heads.HEADS["filled"], "edge": heads.HEADS["edge"]})
    code, text, err = typed(*args[:-1], "1.5")
    assert (code, err) == (0, "")
    assert text.startswith(("NO: ", "NOT ENOUGH TAPE: "))
    assert "the 2nd training on it" in text
    assert typed(*args, "--card", str(card))[0] == 1


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--life", "30"], "too short for their labels"),
        (["--fill", "hope"], "fill 'hope'"),
        (["--life", "nan"], "a life of nan s"),
        (["--horizon", "-1"], "horizons -1"),
        (["--floor-bps", "0"], "a floor of 0 bps"),
        (["--horizon", "1.05"], "a horizon of 1.05 s"),
    ],
)
def test_a_training_that_cannot_be_says_why(typed: Typed, tmp_path: Path, more: list[str], words: str) -> None:
    """One line, exit code 1."""
    path, _ = shallow_tape(tmp_path)
    code, _, err = typed("train", str(path), "--floor-bps", "4", "--life", "2", *more)
    assert code == 1
    assert words in err
