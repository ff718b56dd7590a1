"""Numbers and texts that no desk can have: one short line each, with key and bounds, and nothing starts."""

from pathlib import Path

import pytest

from app.home import desk_template
from app.home.accounts import AccountEntry
from app.home.home import open_home
from app.home.settings import (
    AlertsEntry,
    ApiEntry,
    BudgetEntry,
    ModelEntry,
    UiEntry,
    WorkerEntry,
    read_desk_toml,
)
from app.people.identity import add_person, read_people
from engine.control.desk_setup import InstrumentEntry
from engine.control.limits import HardLimits
from engine.errors import BadInput
from engine.venues.instruments import instrument_of

INSTRUMENT = 'instruments."binance:BTC-USDT:perp"'
TABLES = {"limits": HardLimits, "budgets": BudgetEntry, INSTRUMENT: InstrumentEntry, "models.mine": ModelEntry,
          "accounts.mine": AccountEntry,
          "worker": WorkerEntry, "alerts": AlertsEntry, "api": ApiEntry, "ui": UiEntry}  # fmt: skip
NUMBERS = [(table, name) for table, model in TABLES.items() for name, field in model.model_fields.items()
           if name not in ("names", "tiers") and any(kind in str(field.annotation) for kind in ("int", "float"))]  # fmt: skip
NEEDED = {"models.mine": 'base_url = "http://127.0.0.1:1/v1"\n', "accounts.mine": 'venue = "okx"\n'}
IMPOSSIBLE = ("nan", "inf", "-inf", "1e309", "-1e309", "-1", "1e300", "1" + "0" * 400, f'"{"9" * 100_000}"', "[]", "{}")
SLEEVE = '[[sleeves]]\nname = "x"\nstrategy = "trend"\nvenue = "synthetic"\nsymbol = "BTC-USDT"\n'


def refused(path: Path, text: str) -> str:
    """The one line that a desk.toml becomes."""
    path.write_text(text)
    with pytest.raises(BadInput) as caught:
        read_desk_toml(path)
    line = str(caught.value)
    assert "\n" not in line
    assert len(line) < 1_000 + len(str(path))
    return line


@pytest.mark.parametrize(("table", "name"), NUMBERS, ids=lambda value: str(value).replace(INSTRUMENT, "instruments"))
def test_a_number_that_none_can_be_is_one_line_with_key_and_bounds(tmp_path: Path, table: str, name: str) -> None:
    """NaN, infinities, negative, beyond every float or digit, a long text, a list: the key, and what would do."""
    base = NEEDED.get(table, "")
    for value in IMPOSSIBLE:
        if value == "-1" and name == "maker_frac":
            continue  # a rebate
        line = refused(tmp_path / "desk.toml", f"{SLEEVE}[{table}]\n{base}{name} = {value}\n")
        assert name in line, value
        if value not in ("[]", "{}"):
            assert "at most" in line or "below" in line, line


@pytest.mark.parametrize("value", ["nan", "1e309", "-1", "1e300", "true", '"x"', "[]", "0"])
def test_a_margin_tier_is_two_numbers_that_rise(tmp_path: Path, value: str) -> None:
    """An impossible cap or rate in a list of tiers is refused before anything is simulated."""
    for tiers in (f"[[{value}, 0.004]]", f"[[50000, {value}]]", f"[{value}]", f"[[50000, 0.004], [600000, {value}]]"):
        path = tmp_path / "desk.toml"
        path.write_text(f"{SLEEVE}[{INSTRUMENT}]\ntiers = {tiers}\n")
        with pytest.raises(BadInput) as caught:
            instrument_of("binance", "BTC-USDT", "perp", read_desk_toml(path).overrides())
        assert "tiers" in str(caught.value)


def test_zero_is_refused_where_it_would_switch_something_off(tmp_path: Path) -> None:
    """No limit, pace, lot or cash of nothing; the line says from where on."""
    for text, key, words in (
        (f"{SLEEVE}[limits]\ndrawdown_frac_max = 0\n", "limits.drawdown_frac_max", "above 0, at most 0.9"),
        (f"{SLEEVE}[limits]\norders_minute_max = 0\n", "limits.orders_minute_max", "at least 1, at most 1000"),
        (f"{SLEEVE}[worker]\nbars_per_second = 0\n", "worker.bars_per_second", "above 0, at most 100000"),
        (f"{SLEEVE}cash = 0\n", "sleeves.0.cash", "above 0, at most 1000000000000"),
        (f"{SLEEVE}cash = 1e309\n", "sleeves.0.cash", "above 0, at most 1000000000000"),
        (f"{SLEEVE}[{INSTRUMENT}]\ntick = 0.0\n", "binance:BTC-USDT:perp.tick", "above 0"),
        (f"{SLEEVE}[api]\nport = 0\n", "api.port", "at least 1, at most 65535"),
    ):
        line = refused(tmp_path / "desk.toml", text)
        assert f"{key}: " in line
        assert words in line


def test_true_is_no_number(tmp_path: Path) -> None:
    """`leverage_max = true` would be a limit of 1; where a switch belongs, true is one."""
    for table, name in NUMBERS:
        base = NEEDED.get(table, "")
        line = refused(tmp_path / "desk.toml", f"{SLEEVE}[{table}]\n{base}{name} = true\n")
        assert f"{name}: True: true and false are no numbers" in line
    assert "sleeves.0.cash" in refused(tmp_path / "desk.toml", f"{SLEEVE}cash = false\n")
    (tmp_path / "desk.toml").write_text(f"{SLEEVE}paused = true\n")
    assert read_desk_toml(tmp_path / "desk.toml").sleeves[0].paused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"[{INSTRUMENT}]\nfunding_hours = true\n", "funding_hours: True: true and false are no numbers -"),
        (
            f"{SLEEVE}params = {{ stop_atr = nan }}\n",
            "params.stop_atr: nan: a parameter is a finite number, true or false, or text",
        ),
        (f"{SLEEVE}params = {{ stop_atr = [1] }}\n", "params.stop_atr: a parameter is a finite number, true or false, or text"),
        ('[limits]\nno_entry = "Sat"\n', "limits.no_entry: 'Sat': Input should be a valid tuple (at most 50 entries)"),
        ("[limits]\nno_entry = [1]\n", "limits.no_entry.0: 1: Input should be a valid string -"),
    ],
)
def test_a_fault_is_named_by_what_the_key_is(tmp_path: Path, text: str, said: str) -> None:
    """One of several numbers, a parameter of any kind, a list: not by the first kind that was tried, nor in characters."""
    assert said in refused(tmp_path / "desk.toml", text if text.startswith("[[") else f"{SLEEVE}{text}")


@pytest.mark.parametrize(
    "text",
    [
        SLEEVE.replace('"x"', f'"{"x" * 100_000}"'),
        SLEEVE.replace("BTC-USDT", "B" * 200),
        SLEEVE.replace('"trend"', f'"{"t" * 100_000}"'),
        f"{SLEEVE}{'k' * 100_000} = 1\n",
        f'{SLEEVE}[models.m]\nbase_url = "{"u" * 100_000}"\n',
        f'{SLEEVE}[{INSTRUMENT}]\nsource = "{"s" * 100_000}"\n',
        f'{SLEEVE}params = {{ stop_atr = "{"s" * 100_000}" }}\n',
        f"{SLEEVE}cash = {'9' * 5_000}\n",
        f"{SLEEVE}params = {'[' * 2_000}{']' * 2_000}\n",
        f"{SLEEVE}# {'c' * 1_100_000}\n",
        f"{SLEEVE}[a.{'.'.join('b' * 2_000)}]\n",
    ],
    ids=["name", "symbol", "strategy", "key", "address", "source", "parameter", "digits", "depth", "size", "tables"],
)
def test_what_is_far_too_long_is_one_short_line(own_home: Path, text: str) -> None:
    """A text, key, number or nesting of thousands of characters is neither repeated nor a failure of ours."""
    own_home.mkdir()
    (own_home / "desk.toml").write_text(text)
    with pytest.raises(BadInput) as caught:
        open_home(1_700_000_000_000)
    assert len(str(caught.value)) < 1_000 + len(str(own_home))
    assert "\n" not in str(caught.value)


def test_the_written_file_is_far_below_the_bounds(tmp_path: Path) -> None:
    """What a new desk gets is read, of course."""
    (tmp_path / "desk.toml").write_text(desk_template.text_of("synthetic", "x"))
    assert len(read_desk_toml(tmp_path / "desk.toml").sleeves) == 3


@pytest.mark.parametrize(
    ("plan", "words"), [("25 % for 10 trips", ""), ("none", ""), ("all of it", "is not a canary"), ("99% for 10 trips", "bounds")]
)
def test_a_canary_that_is_none_is_refused_at_the_start(tmp_path: Path, plan: str, words: str) -> None:
    """[canary] is read as a proposal's own canary is, before anything is proposed."""
    path, text = tmp_path / "desk.toml", f'{SLEEVE}[canary]\nplan = "{plan}"\n'
    path.write_text(text)
    assert words in refused(path, text) if words else read_desk_toml(path).canary.plan == plan


def test_files_of_a_windows_editor_are_read(own_home: Path) -> None:
    """A byte order mark before the first line, and its line ends: the same settings, the same people."""
    home = open_home()
    path, before = home.path / "desk.toml", home.desk
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_desk_toml(path) == before
    add_person(home.path, "ann", "a long passphrase")
    people = home.path / "people.toml"
    known = read_people(home.path)
    people.write_bytes(b"\xef\xbb\xbf" + people.read_bytes().replace(b"\n", b"\r\n"))
    assert read_people(home.path) == known
    assert list(known) == ["ann"]
