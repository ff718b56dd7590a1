"""Keys of venue accounts: who sees them, where they may be, and that two homes never use one."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import keyring
import keyring.backend
import pytest

from app.cli import main
from app.home.accounts import AccountEntry
from app.home.home import open_home
from app.jobs.queue import NETWORK, environment
from app.processes import account_claims
from app.processes.account_claims import claims_folder, key_source
from app.processes.children import allowed, allowed_api, allowed_ui, allowed_worker
from engine.errors import BadInput
from engine.venues.account_keys import read_keys
from tests.fakes.canaries import SECRETS
from tests.fakes.running_desk import nightdesk
from tests.fakes.waiting import free_port

OKX = (
    '\n[accounts.main]\nvenue = "okx"\nmode = "live"\nkey_env = "OK_KEY"\nsecret_env = "OK_SECRET"\npassphrase_env = "OK_PASS"\n'
)
KEYS = {"OK_KEY": "canary-key-of-okx", "OK_SECRET": "canary-secret-of-okx", "OK_PASS": "canary pass of okx"}
FILE = 'key = "canary-key-of-okx"\nsecret = "canary-secret-of-okx"\npassphrase = "canary pass of okx"\n'


@pytest.fixture(autouse=True)
def claims(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Marks of this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr("app.home.synthetic.ensure_market", lambda home: False)
    yield
    while account_claims.HELD:
        account_claims.HELD.pop().close()


def with_account(home: Path, text: str = OKX) -> Path:
    """A home with an account."""
    open_home().engine.dispose()
    with (home / "desk.toml").open("a") as file:
        file.write(text)
    return home


def test_the_worker_alone_sees_what_the_accounts_name(own_home: Path) -> None:
    """Not the API, also where a model's name for its key is the account's; on paper nobody does."""
    everything = {**SECRETS, **KEYS, "PATH": "/bin", "HTTPS_PROXY": "http://proxy"}
    home = with_account(own_home)
    assert set(allowed_worker(everything, home)) & set(everything) == {"PATH", "HTTPS_PROXY", *KEYS}
    for seen in (allowed_api(everything, home), allowed_ui(everything), allowed(everything)):
        assert not set(KEYS) & set(seen)
    with (home / "desk.toml").open("a") as file:
        file.write('[models.own]\nbase_url = "http://127.0.0.1:1/v1"\nkey_env = "OK_SECRET"\n[slack]\nbot_token_env = "OK_KEY"\n')
    assert not set(KEYS) & set(allowed_api(everything, home))  # such a file is refused; the API's environment is made before
    text = (home / "desk.toml").read_text().replace('mode = "live"', 'mode = "paper"')
    (home / "desk.toml").write_text(text)
    assert set(allowed_worker(everything, home)) & set(everything) == {"PATH"}
    assert not set(KEYS) & set(allowed_api(everything, home))


def test_a_command_of_a_person_forgets_them(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nightdesk chat` runs agents in its own process: what it imports and starts has no venue key."""
    with_account(own_home)
    monkeypatch.setattr(main, "load_groups", lambda: None)
    for words, left in (("chat hello", set()), ("backtest trend", set()), ("account check main", set(KEYS)), ("up", set(KEYS))):
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        seen: dict[str, str] = {}
        monkeypatch.setattr(main, "app", lambda seen=seen, **_: seen.update(os.environ))
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words.split()])
        with pytest.raises(SystemExit):
            main.run()
        assert set(KEYS) & set(seen) == left, words


def test_a_job_has_none(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts it."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with_account(own_home)
    assert not set(KEYS) & set(environment(open_home(), NETWORK))


def entry(**more: str) -> AccountEntry:
    """An account at OKX."""
    return AccountEntry.model_validate({"venue": "okx", "mode": "live", **more})


FROM_SHELL = {"key_env": "OK_KEY", "secret_env": "OK_SECRET", "passphrase_env": "OK_PASS"}


class OwnKeyring(keyring.backend.KeyringBackend):
    """A keyring in memory."""

    priority = 1.0
    held: dict[tuple[str, str], str] = {}  # noqa: RUF012 - one test's

    def get_password(self, entry: str, username: str) -> str | None:
        """What was put there."""
        return self.held.get((entry, username))

    def set_password(self, entry: str, username: str, password: str) -> None:
        """Put it there."""
        self.held[entry, username] = password


def test_keys_come_from_environment_keyring_or_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same three of each, and no `repr` shows them."""
    kept = tmp_path / "ok.toml"
    kept.touch(mode=0o600)
    kept.write_text(FILE)
    monkeypatch.setattr(keyring.core, "_keyring_backend", OwnKeyring())  # the machine's own would be looked for with gcc, for 1 s
    for part, value in zip(("key", "secret", "passphrase"), KEYS.values(), strict=True):
        keyring.set_password("nightdesk-ok", part, value)
    for account in (entry(**FROM_SHELL), entry(keyring="ok"), entry(key_file=str(kept))):
        found = read_keys(key_source("main", account), tmp_path / "home", KEYS)
        assert (found.key, found.secret, found.passphrase) == tuple(KEYS.values())
        assert "canary" not in f"{found} {found!r}"
        assert found.without("GET /x?key=canary-key-of-okx&s=canary-secret-of-okx") == "GET /x?key=[secret]&s=[secret]"
    OwnKeyring.held = {}
    with pytest.raises(BadInput, match="the keyring's entry nightdesk-ok has no key and no secret and no passphrase"):
        read_keys(key_source("main", entry(keyring="ok")), tmp_path, KEYS)


BAD_FILES: dict[str, tuple[Callable[[Path], object], str]] = {
    "open to others": (lambda path: path.chmod(0o640), "can be read by others than you - chmod 600"),
    "not there": (lambda path: path.unlink(), "cannot be read: No such file"),
    "no TOML": (lambda path: path.write_text("canary-key-of-okx\n"), "is not TOML"),
    "no text": (lambda path: path.write_bytes(b"\xff\xfe"), "is not TOML"),
    "no secret": (lambda path: path.write_text('key = "canary-key-of-okx"\nsecret = 5\n'), "has no secret and no passphrase"),
    "too large": (lambda path: path.write_text(FILE + "#" * 30_000), "is not a file of at most 20,000 bytes"),
    "a pipe": (lambda path: (path.unlink(), os.mkfifo(path, 0o600)), "is not a file"),
    "a line end": (lambda path: path.write_text(FILE.replace("-of", "\\n-of")), "has letters that no key has"),
    "a space": (lambda path: path.write_text(FILE.replace('-okx"', '-okx "')), "begins or ends with a space"),
}


@pytest.mark.parametrize("fault", BAD_FILES)
def test_a_bad_key_file_is_a_line_without_a_key(tmp_path: Path, fault: str) -> None:
    """Whose it is, who can read it, what is in it: the line says where, never what."""
    path = tmp_path / "ok.toml"
    path.touch(mode=0o600)
    path.write_text(FILE)
    spoil, words = BAD_FILES[fault]
    spoil(path)
    with pytest.raises(BadInput) as caught:
        read_keys(key_source("main", entry(key_file=str(path))), tmp_path / "home")
    assert words in str(caught.value)
    assert "canary" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_file_is_not_in_the_home_and_a_variable_is_set(tmp_path: Path) -> None:
    """A home is copied and sent around; a link into it is in it, too."""
    (tmp_path / "home").mkdir()
    path = tmp_path / "home" / "ok.toml"
    path.touch(mode=0o600)
    path.write_text(FILE)
    (tmp_path / "link").symlink_to(path)
    for name in (str(path), str(tmp_path / "link"), "ok.toml"):
        with pytest.raises(BadInput, match="is inside the home, or relative"):
            read_keys(key_source("main", entry(key_file=name)), tmp_path / "home")
    with pytest.raises(BadInput, match="the environment has no OK_SECRET and no OK_PASS - export it"):
        read_keys(key_source("main", entry(**FROM_SHELL)), tmp_path, {"OK_KEY": "x" * 20})


def test_a_second_home_on_a_key_does_not_start(
    own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Callable[..., tuple[int, str]]
) -> None:
    """The other home is named; the mark holds neither the key nor anything it could be found from; it ends with its process."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with_account(own_home)
    monkeypatch.setattr("app.processes.worker.Worker", Started)
    assert here() == (0, "")
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "other"))
    with_account(tmp_path / "other")
    code, said = here()
    assert code == 1
    assert f"the key of account main is in use by the desk {own_home} (process {os.getpid()}) - stop that one" in said
    assert said.count("\n") == 1
    for path in claims_folder().iterdir():
        assert path.stat().st_mode & 0o077 == 0
        assert not any(value.encode() in path.read_bytes() + path.name.encode() for value in KEYS.values())
    account_claims.HELD.pop().close()
    assert here() == (0, "")


@pytest.mark.long
def test_up_on_the_key_of_another_home_ends_with_a_line(own_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`nightdesk up`: API and page end with it."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with_account(own_home)
    account_claims.claim_keys(open_home(), pytest.fail)
    monkeypatch.setenv("NIGHTDESK_HOME", str(tmp_path / "other"))
    with_account(tmp_path / "other")
    for name in ("NIGHTDESK_API_PORT", "NIGHTDESK_UI_PORT"):
        monkeypatch.setenv(name, str(free_port()))
    done = nightdesk("up")
    assert done.returncode == 1
    assert f"in use by the desk {own_home}" in done.stderr


class Started:
    """A worker that has come as far as its journal."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def open(self) -> None: ...

    def run(self) -> None: ...


def test_two_accounts_with_one_key_and_one_without(
    own_home: Path, monkeypatch: pytest.MonkeyPatch, here: Callable[..., tuple[int, str]]
) -> None:
    """The first is refused; keys that are not there are a note: the paper desk needs none."""
    monkeypatch.setattr("app.processes.worker.Worker", Started)
    with_account(own_home)
    code, said = here()
    assert (code, said.count("\n")) == (0, 1)
    assert "account main: the environment has no OK_KEY" in said
    for name, value in {**KEYS, "OK_MORE": KEYS["OK_KEY"]}.items():
        monkeypatch.setenv(name, value)
    with (own_home / "desk.toml").open("a") as file:
        file.write(OKX.replace("accounts.main", "accounts.more").replace("OK_KEY", "OK_MORE"))
    code, said = here()
    assert code == 1
    assert "accounts main and more have one key" in said
