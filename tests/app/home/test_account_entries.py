"""[accounts] in desk.toml: a venue, where its keys are, a line for whatever is wrong; a pasted key is not repeated."""

from pathlib import Path

import pytest

from app.home.settings import DeskToml, read_desk_toml
from engine.control.config import sleeve_text
from engine.errors import BadInput

SLEEVE = '[[sleeves]]\nname = "x"\nstrategy = "trend"\nvenue = "okx"\nsymbol = "BTC-USDT"\n'
OKX = '[accounts.main]\nvenue = "okx"\nmode = "live"\nkey_env = "OK_KEY"\nsecret_env = "OK_SECRET"\npassphrase_env = "OK_PASS"\n'
BYBIT = '[accounts.main]\nvenue = "bybit"\nmode = "testnet"\nkey_env = "BY_KEY"\nsecret_env = "BY_SECRET"\n'
PASTED = ("Zq3TfR7xWm1LsK9vBn5YcD2hGj8PaU4eXo6i", "AB582BD0CFF14C41EDBF1AB985062860", "zq3tfr7xwm1lsk9v")


def read(path: Path, text: str) -> DeskToml:
    """desk.toml with that text."""
    (path / "desk.toml").write_text(text)
    return read_desk_toml(path / "desk.toml")


def refusal(path: Path, text: str) -> str:
    """The one line that a desk.toml becomes."""
    with pytest.raises(BadInput) as caught:
        read(path, text)
    line = str(caught.value)
    assert "\n" not in line
    return line


def test_an_account_is_named_by_where_its_keys_are(tmp_path: Path) -> None:
    """From the environment, the keyring or a file; on paper none is needed, and a desk without accounts has none."""
    account = read(tmp_path, f'{SLEEVE}account = "main"\n{OKX}leverage = 5\n').accounts["main"]
    assert (account.mode, account.margin, account.leverage) == ("live", "isolated", 5)
    assert account.source == "environment OK_KEY, OK_SECRET, OK_PASS"
    local = 'rest_url = "http://127.0.0.1:9000/"\nws_url = "ws://[::1]:9000/ws"\n'
    assert read(tmp_path, f"{SLEEVE}{OKX}{local}").accounts["main"].rest_url == "http://127.0.0.1:9000"
    for line, source in (('keyring = "ok"', "keyring ok"), ('key_file = "/k/ok.toml"', "file /k/ok.toml")):
        text = f'{SLEEVE}[accounts.main]\nvenue = "okx"\nmode = "live"\n{line}\n'
        assert read(tmp_path, text).accounts["main"].source == source
    assert read(tmp_path, f'{SLEEVE}[accounts.main]\nvenue = "okx"\n').accounts["main"].source == "none: on paper"
    desk = read(tmp_path, SLEEVE)
    assert desk.accounts == {}
    assert "account" not in sleeve_text(desk.sleeves[0])  # versions of desks without accounts are as they were


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        (OKX.replace("okx", "kraken"), "accounts.main.venue", "'kraken': Input should be 'okx', 'binance' or 'bybit'"),
        (OKX.replace('"live"', '"real"'), "accounts.main.mode", "'real'"),
        (f'{OKX}margin = "cross"\n', "accounts.main.margin", "'cross': Input should be 'isolated'"),
        (f"{OKX}leverage = 0\n", "accounts.main.leverage", "at least 1, at most 125"),
        (f"{OKX}leverage = 126\n", "accounts.main.leverage", "at least 1, at most 125"),
        (f"{OKX}leverage = true\n", "accounts.main.leverage", "true and false are no numbers"),
        (f'{OKX}secret = "x"\n', "accounts.main.secret", "unknown key"),
        (f'{OKX}rest_url = "https://www.okx.com"\n', "accounts.main.rest_url", "only one of this machine"),
        (f'{OKX}rest_url = "http://127.0.0.1.evil.test"\n', "accounts.main.rest_url", "only one of this machine"),
        (f'{OKX}rest_url = "http://127.0.0.1@evil.test"\n', "accounts.main.rest_url", "only one of this machine"),
        (f'{OKX}rest_url = "http://me:pass@127.0.0.1:80"\n', "accounts.main.rest_url", "only one of this machine"),
        (f'{OKX}ws_url = "ws://10.0.0.1:80"\n', "accounts.main.ws_url", "only one of this machine"),
        (f'{OKX}rest_url = "http://127.0.0.1:80"\n', "accounts.main", "belong together"),
        (OKX.replace('key_env = "OK_KEY"\n', ""), "accounts.main", "key_env missing: the variables that hold the keys of okx"),
        (OKX.replace('passphrase_env = "OK_PASS"\n', ""), "accounts.main", "passphrase_env missing"),
        (f'{BYBIT}passphrase_env = "BY_PASS"\n', "accounts.main", "passphrase_env is for OKX alone"),
        (f'{OKX}keyring = "main"\n', "accounts.main", "from one place"),
        ('[accounts.main]\nvenue = "okx"\nmode = "testnet"\n', "accounts.main", "from one place"),
        (BYBIT.replace("BY_SECRET", "BY_KEY"), "accounts.main", "name one variable twice"),
        (BYBIT.replace("BY_KEY", "OPENAI_API_KEY"), "accounts.main.key_env", "others than the worker see it"),
        (BYBIT.replace("BY_KEY", "NIGHTDESK_DATABASE_URL"), "accounts.main.key_env", "others than the worker see it"),
        (f'{BYBIT}[models.m]\nbase_url = "http://x/"\nkey_env = "BY_KEY"\n', "accounts.main.key_env", "belongs to [models.m]"),
        (f'{BYBIT}[slack]\nchannel = "C01"\nbot_token_env = "BY_KEY"\n', "accounts.main.key_env", "belongs to [slack]"),
        ('[accounts."Main one"]\nvenue = "okx"\n', "accounts.Main one", "pattern"),
    ],
)
def test_what_is_wrong_is_one_line_with_its_key(tmp_path: Path, text: str, key: str, words: str) -> None:
    """Venue, mode, sources of keys, addresses that are not this machine's, variables that others see."""
    line = refusal(tmp_path, f"{SLEEVE}{text}")
    assert f"{key}: " in line or f"{key}.[key]: " in line, line
    assert words in line, line


@pytest.mark.parametrize(
    ("sleeve", "accounts", "words"),
    [
        ('account = "other"\n', OKX, "sleeves.0.account: no [accounts.other]; available: main"),
        ('account = "main"\n', BYBIT, "main is at bybit, the sleeve trades okx:BTC-USDT:perp"),
        ('account = "main"\nmarket = "spot"\n', OKX, "main trades perpetuals, the sleeve okx:BTC-USDT:spot"),
        (
            'account = "main"\n[[sleeves]]\nname = "y"\nstrategy = "trend"\nvenue = "okx"\nsymbol = "ETH-USDT"\naccount = "b"\n',
            OKX + '[accounts.b]\nvenue = "okx"\n',
            "sleeves.1.account: b is a second account beside main: one home trades one account",
        ),
    ],
)
def test_a_sleeve_names_an_account_that_can_trade_it(tmp_path: Path, sleeve: str, accounts: str, words: str) -> None:
    """One that exists, at its venue, of its market, and the home's only one."""
    line = refusal(tmp_path, f"{SLEEVE}{sleeve}{accounts}")
    assert words in line, line


@pytest.mark.parametrize("pasted", PASTED)
@pytest.mark.parametrize("field", ["key_env", "secret_env", "keyring"])
def test_a_pasted_key_is_not_repeated(tmp_path: Path, pasted: str, field: str) -> None:
    """Where the name of a variable belongs; a keyring's entry may look like the third, and then it is one."""
    text = f'{SLEEVE}[accounts.main]\nvenue = "okx"\nmode = "live"\n{field} = "{pasted}"\n'
    text += "".join(f'{name} = "N_{n}"\n' for n, name in enumerate(("key_env", "secret_env", "passphrase_env")) if name != field)
    if (field, pasted) != ("keyring", PASTED[2]):
        assert pasted not in refusal(tmp_path, text)
    for line in (
        f'[accounts]\nmain = "{pasted}"',
        f'{OKX}rest_url = "http://me:{pasted}@127.0.0.1"',
        f'{OKX}secret = "{pasted}"',
    ):
        assert pasted not in refusal(tmp_path, f"{SLEEVE}{line}\n")
