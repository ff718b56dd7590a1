"""Opening a home: made once, by whoever comes first, and every obstacle is one clear line."""

import sqlite3
import subprocess
import sys
import tomllib
from pathlib import Path

import polars as pl
import pytest
from pydantic import TypeAdapter

from app.cli.desk import home_checks
from app.home import desk_template
from app.home.home import Home, open_home, sentence
from app.home.settings import DeskToml, line_of, read_desk_toml, read_settings
from app.home.synthetic import ensure_market
from engine.control.config import active, ensure_first, file_differences, first_of, versions
from engine.control.limits import HardLimits
from engine.errors import BadInput
from engine.live import config_event
from tests.fakes import recordings
from tests.fakes.waiting import WAIT_S

NOW = 1_699_999_200_000


def _bars(folder: Path, venue: str = "binance", symbols: tuple[str, ...] = ("BTC", "ETH", "SOL")) -> None:
    """Two bars of each symbol."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame({"ts": [NOW, NOW + 900_000], **{k: [1.0, 1.0] for k in ("open", "high", "low", "close", "volume")}})
    for symbol in symbols:
        frame.write_parquet(folder / f"{venue}_{symbol}-USDT_perp_15m.parquet")


def test_a_version_that_is_gone_is_one_bad_line_of_the_doctor(own_home: Path) -> None:
    """Home, database and agreement are judged all the same; a start goes on to the worker, which stays on its journal's."""
    home = open_home(NOW)
    ensure_first(home.engine, home.path, NOW, "test")
    with sqlite3.connect(home.path / "desk.db") as other:
        other.execute("UPDATE active SET version = 7")
    other.close()
    found = {check.name: (check.state, check.text) for check in home_checks(home)}
    assert found["configuration"] == ("bad", "no configuration version 7 - the latest is 1")
    assert {"home", "database", "agreement"} <= set(found)
    with pytest.raises(BadInput, match="no configuration version 7"):
        ensure_market(home)
    home.desk_journal.touch()
    assert not ensure_market(home)


def test_a_first_start_makes_everything(own_home: Path) -> None:
    """Folders, desk.toml, database; version 1, three sleeves with all parameters spelled out, holds and is not yet written."""
    home = open_home(NOW)
    version, config = active(home.engine, home.path)[:2]
    assert (version, versions(home.engine)) == (1, [])
    assert [(s.name, s.strategy, s.symbol, s.venue, s.cash) for s in config.sleeves] == [
        ("btc-trend", "trend", "BTC-USDT", "synthetic", 10_000.0),
        ("eth-trend", "trend", "ETH-USDT", "synthetic", 10_000.0),
        ("sol-reversion", "reversion", "SOL-USDT", "synthetic", 10_000.0),
    ]
    assert config.sleeves[0].params["stop_atr"] == 2.0
    assert home.path == own_home
    assert home.feed["source"] == "synthetic"
    assert "SYNTHETIC" in home.settings.desk_toml.read_text()
    assert all(p.is_dir() for p in (home.journal, home.runs, home.memory, home.strategies))


def test_data_that_lacks_an_instrument_of_a_new_desk_is_said(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The desk is synthetic, the recorded bars are not forgotten: which are missing, in the file and by the command."""
    folder = recordings.record(tmp_path / "bars", 200)
    (folder / "binance_BTC-USDT_perp_15m.parquet").unlink()
    monkeypatch.setenv("NIGHTDESK_DATA", str(folder))
    home = open_home(NOW)
    said = "The recorded data has no binance 15m bars of BTC-USDT, SOL-USDT: this desk trades a SYNTHETIC market."
    assert said in home.settings.desk_toml.read_text()
    assert sentence(home.feed).startswith(said)


def edited(home: Home) -> Home:
    """The home, opened again after a person has halved the cash of its sleeves in desk.toml."""
    toml = home.settings.desk_toml
    toml.write_text(toml.read_text().replace("cash = 10000.0", "cash = 5000.0"))
    return open_home(NOW + 1)


def test_coming_back_keeps_an_edited_desk_toml_which_still_counts(own_home: Path) -> None:
    """Before the worker's first start and the first approval nothing is written: the file is what holds, edits included."""
    home = edited(open_home(NOW))
    assert "cash = 5000.0" in home.settings.desk_toml.read_text()
    assert versions(home.engine) == []
    assert active(home.engine, home.path).config.sleeves[0].cash == 5_000.0
    assert file_differences(home.path, active(home.engine, home.path)) == ""


def test_once_version_1_is_written_an_edit_of_desk_toml_changes_nothing(own_home: Path) -> None:
    """The version in force stays, and the difference is one line that names sleeve, key and both values."""
    home = open_home(NOW)
    assert ensure_first(home.engine, home.path, NOW, "desk.toml at the first start")
    home = edited(home)
    assert not ensure_first(home.engine, home.path, NOW + 1, "again")
    now = active(home.engine, home.path)
    assert (now.version, len(versions(home.engine)), now.config.sleeves[0].cash) == (1, 1, 10_000.0)
    line = file_differences(home.path, now)
    assert line.startswith(
        "desk.toml differs from version 1, which stays in force: btc-trend.cash = 5000.0 (10000.0 is in force)"
    )
    assert "\n" not in line


def test_a_file_with_other_sleeves_or_a_fault_is_said_in_one_line(own_home: Path) -> None:
    """A sleeve more, a sleeve less, a parameter that is out of bounds: the version in force goes on."""
    home = open_home(NOW)
    ensure_first(home.engine, home.path, NOW, "desk.toml at the first start")
    toml, now = home.settings.desk_toml, active(home.engine, home.path)
    text = toml.read_text()
    toml.write_text(text.replace('name = "eth-trend"', 'name = "eth-slow"'))
    found = file_differences(home.path, now)
    assert "sleeve eth-slow is new, sleeve eth-trend is missing" in found
    toml.write_text(text.replace("params = {}", "params = { stop_atr = 99 }", 1))
    found = file_differences(home.path, now)
    assert "stop_atr = 99" in found
    assert found.endswith("; version 1 is in force")


@pytest.mark.parametrize("stage", ["shadow", "live_small", "live"])
def test_a_stage_that_needs_a_live_venue_is_refused_in_desk_toml(own_home: Path, stage: str) -> None:
    """One clear line before anything starts; draft is taken."""
    own_home.mkdir()
    text = desk_template.text_of("synthetic", "x")
    (own_home / "desk.toml").write_text(text.replace("params = {}", f'params = {{}}\nstage = "{stage}"', 1))
    with pytest.raises(BadInput, match=f"sleeve btc-trend: stage {stage} is reached by an approval, not by desk.toml"):
        open_home(NOW)
    (own_home / "desk.toml").write_text(text.replace("params = {}", 'params = {}\nstage = "draft"', 1))
    home = open_home(NOW)
    assert [s.stage for s in active(home.engine, home.path).config.sleeves] == ["draft", "paper", "paper"]


def test_recorded_bars_are_found_and_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With bars of all three instruments the desk trades on them, and says where they were found."""
    _bars(tmp_path / "data" / "deep")
    monkeypatch.setenv("NIGHTDESK_DATA", str(tmp_path / "data"))
    home = open_home(NOW)
    assert {s.venue for s in active(home.engine, home.path)[1].sleeves} == {"binance"}
    assert home.feed == {"venue": "binance", "source": "recorded", "folder": str(tmp_path / "data" / "deep")}
    assert open_home(NOW).feed == home.feed


def test_pulled_bars_in_the_home_count_too(own_home: Path) -> None:
    """Data pulled into a home that has no desk.toml yet is used, and called pulled."""
    _bars(own_home / "data")
    assert open_home(NOW).feed["venue"] == "binance"


def test_bars_of_two_instruments_are_not_enough(own_home: Path) -> None:
    """No desk half recorded, half invented."""
    _bars(own_home / "data", symbols=("BTC", "ETH"))
    assert open_home(NOW).feed["venue"] == "synthetic"


@pytest.mark.slow
def test_three_processes_that_come_first_at_once_make_one_home(own_home: Path) -> None:
    """The lock lets one of them make it; nobody fails, and version 1 is written once whoever asks for it."""
    program = f"from app.home.home import open_home; print(flush=True); input(); open_home({NOW})"
    piped = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    openers = [subprocess.Popen([sys.executable, "-c", program], **piped) for _ in range(3)]
    assert [opener.stdout.readline() for opener in openers] == ["\n"] * 3
    for opener in openers:
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        opener.communicate(timeout=WAIT_S)
    assert [opener.returncode for opener in openers] == [0, 0, 0]
    home = open_home(NOW)
    assert [ensure_first(home.engine, home.path, NOW, "first") for _ in range(2)] == [True, False]
    assert len(versions(home.engine)) == 1


def test_a_first_start_that_broke_off_is_completed(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables without a home's id (the process died between) are completed by the next opening; version 1 is read as before."""
    with monkeypatch.context() as patch:
        patch.setattr("app.home.home.keep", lambda *_args: None)
        open_home(NOW)
    home = open_home(NOW)
    assert active(home.engine, home.path).version == 1
    assert home.id == open_home(NOW).id


def test_a_data_folder_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped NIGHTDESK_DATA does not turn into a synthetic desk."""
    monkeypatch.setenv("NIGHTDESK_DATA", "/nowhere/at/all")
    with pytest.raises(BadInput, match="NIGHTDESK_DATA=/nowhere/at/all is not a folder"):
        open_home(NOW)


def test_empty_variables_are_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """`NIGHTDESK_DATA=` in a shell means nothing was given."""
    monkeypatch.setenv("NIGHTDESK_DATA", "")
    monkeypatch.setenv("NIGHTDESK_DATABASE_URL", "")
    assert read_settings().data is None
    assert read_settings().database().startswith("sqlite:///")


def test_the_written_desk_toml_says_the_defaults(own_home: Path) -> None:
    """What the file spells out is what the code would take anyway: D19, and every commented example is valid."""
    desk = open_home(NOW).desk
    assert desk.limits == HardLimits()
    assert (desk.limits.drawdown_frac_max, desk.limits.day_loss_frac_max, desk.limits.streak_max) == (0.15, 0.03, 3)
    assert (desk.limits.gross_frac_max, desk.limits.instrument_frac_max, desk.limits.leverage_max) == (3.0, 1.8, 10.0)
    assert (desk.limits.risk_frac_max, desk.limits.day_entries_max, desk.limits.orders_minute_max) == (0.02, 20, 10)
    text = desk_template.text_of("binance", "x")
    examples = [line[2:] if line.startswith("# ") and ("=" in line or "[" in line) else "" for line in text.splitlines()]
    beginnings = (
        "[",
        "taker",
        "chat =",
        "url =",
        "source",
        "base_url",
        "model",
        "api_format",
        "key_env",
        "channel",
        "venue =",
        "mode =",
    )
    wanted = [line for line in examples if line.startswith((*beginnings, "secret_env", "passphrase_env", "margin", "leverage ="))]
    found = TypeAdapter(DeskToml).validate_python({**tomllib.loads("\n".join(wanted)), "sleeves": desk.sleeves})
    assert found.models["local"].api_format == "json"
    assert found.accounts["main"].source == "environment OKX_KEY, OKX_SECRET, OKX_PASSPHRASE"
    assert found.overrides() == {"binance:BTC-USDT:perp": {"taker_frac": 0.0004, "source": "my fee tier"}}


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("streak_max = 3", "streak_max = three", "Invalid value"),
        ("streak_max = 3", 'streak_max = "three"', "limits.streak_max"),
        ("leverage_max = 10.0", "leverage_max = 1000.0", "limits.leverage_max: 1000.0"),
        ("leverage_max = 10.0", "leverage_max = nan", "limits.leverage_max"),
        ("leverage_max = 10.0", "leverge_max = 10.0", "limits.leverge_max: unknown key"),
        ('symbol = "SOL-USDT"', 'symbol = "SOLUSDT"', "sleeves.2.symbol: 'SOLUSDT'"),
        ('symbol = "SOL-USDT"', "", "sleeves.2.symbol: Field required"),
        ('name = "eth-trend"', 'name = "btc-trend"', "two sleeves are called btc-trend"),
        ("bars_per_second = 1.0", "bars_per_second = 0", "worker.bars_per_second: 0"),
        ('funding = "recorded"', 'funding = "assume=lots"', "worker.funding: 'assume=lots'"),
    ],
)
def test_a_fault_in_desk_toml_is_told_with_line_and_key(own_home: Path, old: str, new: str, words: str) -> None:
    """One line: file, line, key, what is wrong."""
    open_home(NOW)
    toml = own_home / "desk.toml"
    text = toml.read_text()
    assert old in text
    at = text[: text.rindex(old)].count("\n") + 1
    toml.write_text(text.replace(old, new) if "name" in old else new.join(text.rsplit(old, 1)))
    with pytest.raises(BadInput) as caught:
        open_home(NOW)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    if new and "name" not in old:
        assert f"desk.toml line {at}:" in str(caught.value)


def test_a_desk_toml_of_an_earlier_version_is_read_with_a_note(own_home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`wire` is read as `api_format`; one line, written once, says what to write instead. Both keys together are a fault."""
    open_home(NOW)
    path = own_home / "desk.toml"
    text = path.read_text() + '\n[models.mine]\nbase_url = "http://127.0.0.1:9/v1"\nwire = "json"\n'
    path.write_text(text)
    assert [read_desk_toml(path).models["mine"].api_format for _ in range(2)] == ["json", "json"]
    line = text.splitlines().index('wire = "json"') + 1
    noted = capsys.readouterr().err
    assert noted == f'{path} line {line}: models.mine.wire is now api_format: write api_format = "json"\n'
    path.write_text(text + 'api_format = "chat"\n')
    with pytest.raises(BadInput, match=r"models\.mine\.wire: unknown key"):
        read_desk_toml(path)


def test_an_unknown_strategy_or_parameter_in_desk_toml_names_file_and_sleeve(own_home: Path) -> None:
    """Before the first version is stored, not after."""
    own_home.mkdir()
    text = desk_template.text_of("synthetic", "x")
    for old, new, words in [
        ('strategy = "reversion"', 'strategy = "astrology"', "sleeve sol-reversion: unknown strategy 'astrology'"),
        ("params = {}", "params = { stop_atr = 99 }", "sleeve btc-trend: trend: stop_atr = 99"),
        ("params = {}", "params = { stop = 2 }", "sleeve btc-trend: trend has no parameter 'stop'"),
    ]:
        (own_home / "desk.toml").write_text(text.replace(old, new, 1))
        with pytest.raises(BadInput, match=r"desk\.toml") as caught:
            open_home(NOW)
        assert words in str(caught.value)


def test_a_broken_file_is_told_whatever_broke_it(tmp_path: Path) -> None:
    """Other encodings, folders and cut files are a person's line, not a traceback."""
    path = tmp_path / "desk.toml"
    for data in (b"\xff\xfe", b"[[sleeves]\n", b'name = "', b"sleeves = 3\n", b""):
        path.write_bytes(data)
        with pytest.raises(BadInput, match=r"desk\.toml"):
            read_desk_toml(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(BadInput, match="cannot be read"):
        read_desk_toml(path)


def test_lines_are_found_in_arrays_and_nested_tables() -> None:
    """The nth [[sleeves]], a table below it, quoted names."""
    text = '[[sleeves]]\na = 1\n[[sleeves]]\na = 2\n[sleeves.params]\nx = 3\n[instruments."b:C:p"]\nlot_size = 1\n'
    assert line_of(text, ("sleeves", 1, "a")) == 4
    assert line_of(text, ("sleeves", 1, "params", "x")) == 6
    assert line_of(text, ("sleeves", 0, "missing")) == 1
    assert line_of(text, ("instruments", "b:C:p", "lot_size")) == 8


def test_a_least_order_of_desk_toml_reaches_the_desks_rules(own_home: Path) -> None:
    """What a person writes under [instruments] is what the worker's configuration event tells the core."""
    home = open_home(NOW)
    text = (own_home / "desk.toml").read_text()
    (own_home / "desk.toml").write_text(
        text + '\n[instruments."synthetic:BTC-USDT:perp"]\nleast_qty = 0.004\nleast_notional = 350\n'
    )
    home = open_home(NOW)
    body = config_event.body_of(
        first_of(active(home.engine, home.path).config), home.desk.limits, home.desk.overrides(), home.strategies
    )
    rules = {s["name"]: s["rules"] for s in body["sleeves"]}
    assert (rules["btc-trend"]["least_lots"], rules["btc-trend"]["least_notional"]) == (4, 350.0)
    assert (rules["eth-trend"]["least_lots"], rules["eth-trend"]["least_notional"]) == (1, 20.0)


def test_a_home_that_others_could_read_is_made_private(own_home: Path) -> None:
    """A folder that existed with 0755 holds sessions and the database from now on: 0700; one that is private stays as it is."""
    own_home.mkdir(mode=0o755)
    own_home.chmod(0o755)
    open_home(NOW)
    assert own_home.stat().st_mode & 0o777 == 0o700
    own_home.chmod(0o500 | 0o200)
    open_home(NOW)
    assert own_home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("ui", "variable", "own", "wanted"),
    [
        ("", "", "", "http://127.0.0.1:8421/"),
        ("[ui]\nport = 9001\n", "", "", "http://127.0.0.1:9001/"),
        ("[ui]\nport = 9001\n", "9002", "", "http://127.0.0.1:9002/"),
        ("[ui]\nport = 9001\n", "9002", 'page_url = "https://desk.example/"\n', "https://desk.example/"),
    ],
)
def test_messages_link_to_the_page_where_it_listens(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, ui: str, variable: str, own: str, wanted: str
) -> None:
    """They linked to port 8421 whatever [ui] or the environment said; an address of one's own stays."""
    open_home().engine.dispose()
    with (own_home / "desk.toml").open("a") as file:
        file.write(f'\n{ui}[telegram]\nchat = "-100123"\n{own}[discord]\n{own}[slack]\nchannel = "C0123ABCD"\n{own}')
    if variable:
        monkeypatch.setenv("NIGHTDESK_UI_PORT", variable)
    desk = open_home().desk
    assert desk.telegram is not None
    assert desk.discord is not None
    assert desk.slack is not None
    assert [one.page_url for one in (desk.telegram, desk.discord, desk.slack)] == [wanted] * 3
