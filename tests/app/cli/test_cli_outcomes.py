"""Every command with a wrong word, and on a home where something is broken: an exit code, one line, one JSON object."""

import json
import shutil
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import typer

from app.cli import main
from app.home.home import open_home
from engine.control import halt
from engine.store import db


class Outcome(NamedTuple):
    """What a command left: its exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def body(self) -> Any:
        """The one JSON object on stdout; fails when there is more, or less."""
        return json.loads(self.out)


@pytest.fixture(scope="module")
def commands() -> typer.Typer:
    """The whole command line, put together once."""
    whole = typer.Typer(name="nightdesk", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(main, "app", whole)
        main.load_groups()
    return whole


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home that was opened once and has never run."""
    home = tmp_path_factory.mktemp("opened") / "home"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NIGHTDESK_HOME", str(home))
        open_home().engine.dispose()
    return home


@pytest.fixture
def home(opened: Path, own_home: Path) -> Path:
    """A copy of it for one test to break."""
    return Path(shutil.copytree(opened, own_home))


@pytest.fixture
def typed(
    home: Path, commands: typer.Typer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Outcome]:
    """Type a command in that home."""
    monkeypatch.setattr(main, "app", commands)
    monkeypatch.setattr(main, "load_groups", lambda: None)

    def type_it(*words: str) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["nightdesk", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main.run()
        said = capsys.readouterr()
        return Outcome(int(left.value.code or 0), said.out, said.err)

    return type_it


# a command with one thing wrong in it, and a word of the line that says so
WRONG: tuple[tuple[str, str], ...] = (
    ("data check nofile", "does not exist"),
    ("data check ../../etc/shadow.csv", "does not exist"),
    ("data pull --market futures", "unknown market"),
    ("data pull --market spot --funding", "spot has neither"),
    ("data pull --from 2025-03 --to 2025-01", "is not after"),
    ("data pull --timeframe 7x", "unknown timeframe"),
    ("data pull --from soon", "soon"),
    ("backtest trend --venue okx --symbol NO-PE", "NO-PE"),
    ("backtest nope --symbol BTC-USDT", "unknown strategy"),
    ("backtest trend --venue okx --symbol BTC-USDT --set stop_atr", "stop_atr"),
    ("backtest trend --venue okx --symbol BTC-USDT --set stop_atr=99", "out of bounds"),
    ("backtest trend --venue okx --symbol BTC-USDT --side up", "up"),
    ("backtest trend --venue okx --symbol BTC-USDT --fills lucky", "lucky"),
    ("backtest trend --venue okx --symbol BTC-USDT --funding assume=x", "assume=x"),
    ("backtest trend --venue okx --symbol BTC-USDT --cash -5", "cash"),
    ("backtest trend --venue okx --symbol BTC-USDT --from 2025-02 --to 2025-01", "2025-0"),
    ("backtest ../../etc/passwd --symbol BTC-USDT", "passwd"),
    ("leaks nope", "unknown strategy"),
    ("rerun r-1", "not a valid run id"),
    ("parity", "nightdesk up"),
    ("parity --since soon", "not a valid date"),
    ("rerun r-20250101-00000000", "no run"),
    ("runs show ../../desk.db", "not a valid run id"),
    ("proposals list --state done", "unknown state"),
    ("proposals show prop-9", "no proposal"),
    ("proposals approve prop-9 --as ann", "no proposal"),
    ("proposals reject prop-9 --reason no --as ann", "no proposal"),
    ("proposals rollback 9 --as ann", "9"),
    ("notes promote n-1 --to desk --as ann", "unknown note"),
    ("notes promote ../desk --to desk --as ann", "topic"),
    ("alerts list --state shut", "unknown state"),
    ("alerts ack al-9 --as ann", "no alert"),
    ("journal explain nonsense", "not a valid id"),
    ("journal explain d-9", "unknown event"),
    ("journal explain u-20250101-00000000", "u-20250101-00000000"),
    ("journal explain --sleeve btc-trend --at 2025-01-01", "no bar"),
    ("tool nope", "unknown tool"),
    ("tool desk --role boss", "unknown role"),
    ("tool desk --arg x=1", "no argument"),
    ("tool journal_search --arg limit=many", "limit"),
    ("tool backtest --role advisor", "belongs to the developer"),
    ("chat hi --role boss", "unknown role"),
    ("chat hi --role operator --thread t-9", "unknown thread"),
    ("chat hi --role operator --thread last", "no thread yet"),
    ("release --reason fixed --as ann", "not halted"),
    ("login --as a;b", "not a valid name"),
    ("chat hi --role operator --as mara\udcff", "'mara?' holds bytes that are not UTF-8"),
    ("token --name a;b", "not a valid name"),
    ("doctor --model nobody", "nobody"),
)


@pytest.mark.parametrize(("command", "said"), WRONG, ids=[command for command, _ in WRONG])
def test_a_wrong_word_is_one_line_and_one_object(typed: Any, home: Path, command: str, said: str) -> None:
    """Exit code 1; without --json nothing on stdout and one line on stderr; with it an object that a program can branch on."""
    plain = typed(*command.split())
    assert plain.code == 1
    assert plain.out == ""
    assert plain.err.count("\n") == 1, plain.err
    assert plain.err.startswith("nightdesk: ")
    assert said in plain.err
    coded = typed(*command.split(), "--json")
    assert coded.code == 1
    body = coded.body
    if "error" in body:
        assert set(body["error"]) == {"kind", "what", "hint"}
        assert said in f"{body['error']['what']} {body['error']['hint']}"
    else:  # a tool's own result says it
        assert body["status"] in ("refused", "failed")
        assert said in body["text"]
    assert coded.err.count("\n") == 1
    assert not list((home / "logs").glob("bug-*"))


def test_a_file_that_was_not_imported_is_an_item_with_its_reason(typed: Any, tmp_path: Path) -> None:
    """Several files are judged one by one: each has its line and its place in the object, and the command fails."""
    folder = tmp_path / "bars"
    folder.mkdir()
    (folder / "binance_BTC-USDT_perp_15m.csv").write_text("not,a,table\n\x00\n")
    (folder / "notes.csv").write_text("")
    found = typed("data", "import", str(folder), "--json")
    assert found.code == 1
    assert [item["imported"] for item in found.body["items"]] == [False, False]
    assert all(item["why"] for item in found.body["items"])
    assert "2 of 2 not imported" in found.err


@pytest.mark.parametrize("command", ["nonsense", "proposals", "proposals approve", "journal tail --count 0", "data pull --x"])
def test_a_command_that_cannot_be_parsed_shows_its_usage(typed: Any, command: str) -> None:
    """Exit code 2, as everywhere; nothing on stdout that a script could take for a result."""
    found = typed(*command.split())
    assert found.code in (0, 2) if command == "proposals" else found.code == 2
    assert "Usage" in found.out + found.err
    assert "Traceback" not in found.err


# ---------------------------------------------------------------------- a desk that has never run


EMPTY: tuple[tuple[str, dict[str, Any]], ...] = (
    ("status", {"mode": "paper", "desk_ms": None, "equity": None, "bars": 0}),
    ("runs list", {"items": []}),
    ("proposals list", {"items": []}),
    ("alerts list", {"items": []}),
    ("notes list", {"items": []}),
    ("journal tail", {"items": []}),
    ("journal tail --people", {"items": []}),
    ("journal replay", {"bars": 0}),
    ("data list", {"items": [], "unknown": []}),
    ("tool desk", {"status": "no_data", "facts": []}),
    ("tool attribution", {"status": "no_data", "facts": []}),
    ("tool journal_search", {"status": "no_data", "table": None}),
)


@pytest.mark.parametrize(("command", "expected"), EMPTY, ids=[command for command, _ in EMPTY])
def test_a_desk_that_never_ran_has_nothing_and_says_so(typed: Any, command: str, expected: dict[str, Any]) -> None:
    """Success with empty lists and nulls, not zeros; the text tells a person what to do instead of an empty screen."""
    coded = typed(*command.split(), "--json")
    assert coded.code == 0
    assert {key: coded.body[key] for key in expected} == expected
    plain = typed(*command.split())
    assert plain.code == 0
    assert plain.out.strip()
    assert "0.00" not in plain.out


# ---------------------------------------------------------------------- something is broken


def no_database(home: Path) -> None:
    """The database's file holds something else."""
    for part in home.glob("desk.db*"):
        part.unlink()
    (home / "desk.db").write_bytes(b"this is not a database" * 500)


def torn_settings(home: Path) -> None:
    """desk.toml was cut in the middle of a table's name."""
    (home / "desk.toml").write_text("[desk\nname =")


def binary_settings(home: Path) -> None:
    """desk.toml is no text."""
    (home / "desk.toml").write_bytes(b"\xff\xfe\x00")


def torn_identity(home: Path) -> None:
    """home.json was cut."""
    (home / "home.json").write_text('{"id": "')


def memory_is_a_file(home: Path) -> None:
    """A file where a folder should be."""
    shutil.rmtree(home / "memory")
    (home / "memory").write_text("x")


BROKEN = (no_database, torn_settings, binary_settings, torn_identity, memory_is_a_file)
READERS = ("status", "doctor", "runs list", "proposals list", "notes list", "alerts list", "journal verify", "journal tail")
READERS += ("journal replay", "tool health", "login", "token --name backup", "release --reason x --as ann")


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_a_home_that_cannot_be_opened_is_one_line_that_names_the_file(typed: Any, home: Path, broken: Any) -> None:
    """Whatever command meets it: exit code 1, the file and what to do, and never a traceback or our-bug line."""
    broken(home)
    for command in READERS:
        found = typed(*command.split(), "--json")
        assert found.code == 1, command
        assert found.body["error"]["hint"], command
        assert str(home) in found.err, command
        assert "internal error" not in found.err, command
        assert found.err.count("\n") == 1, command


@pytest.mark.parametrize("broken", BROKEN, ids=lambda broken: broken.__name__)
def test_the_halt_works_on_a_home_that_nothing_else_can_open(typed: Any, home: Path, broken: Any) -> None:
    """The file is latched, the exit code is 0, and what could not be recorded is a note."""
    broken(home)
    found = typed("halt", "--reason", "feed looks odd", "--as", "ann", "--json")
    assert found.code == 0
    assert (found.body["halted"], found.body["reason"], found.body["by"]) == (True, "feed looks odd", "ann")
    assert "by file alone" in found.body["notes"][0]
    assert "Error: " not in found.body["notes"][0], "what is known is said in words, not by the name of an exception"
    assert halt.read(home, None).halted


def test_a_locked_database_does_not_stop_a_halt_or_a_reader(typed: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While another program holds the write lock: reading goes on, a halt is latched, a decision is refused as busy."""
    monkeypatch.setattr(db, "BUSY_MS", 20)
    with sqlite3.connect(home / "desk.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert typed("status").code == 0
        assert typed("proposals", "list").code == 0
        found = typed("halt", "--reason", "odd", "--as", "ann", "--json")
        assert (found.code, found.body["halted"]) == (0, True)
        assert "busy" in found.body["notes"][0]
        busy = typed("alerts", "ack", "al-1", "--as", "ann", "--json")
        assert (busy.code, busy.body["error"]["kind"]) == (1, "Busy")
        other.execute("ROLLBACK")
    other.close()
    assert halt.read(home, None).reason == "odd"


def test_a_halt_file_that_cannot_be_read_is_a_halt(typed: Any, home: Path) -> None:
    """Half a file, bytes, a folder: halted on every screen, not healthy, and a folder is not removed by a release."""
    for n, break_it in enumerate(
        (lambda p: p.write_bytes(b"\x00\xff"), lambda p: p.write_text('{"reason": "a'), lambda p: p.mkdir())
    ):
        path = home / "HALT"
        path.unlink(missing_ok=True)
        break_it(path)
        assert typed("status", "--json").body["halt"]["halted"], n
        assert "HALTED by" in typed("status").out, n
        assert typed("doctor", "--json").body["ok"] is False, n
        assert "HALTED" in typed("tool", "health", "--json").body["text"], n
    assert typed("release", "--reason", "x", "--as", "ann").code == 1
    assert (home / "HALT").is_dir()


def test_a_desk_halted_before_its_first_bar_is_shown_as_halted(typed: Any) -> None:
    """By whom and why, also when there is no equity to show yet."""
    typed("halt", "--reason", "not before Monday", "--as", "ann")
    shown = typed("status").out
    assert "has not started yet" in shown
    assert "HALTED by ann: not before Monday\nNO WORKER RUNS: until one does (nightdesk up), nothing is cancelled" in shown


def test_a_journal_of_something_else_is_not_an_empty_one(typed: Any, home: Path) -> None:
    """Bytes that are no record: tail, verify and replay fail and name the file; nothing calls the desk fresh and healthy."""
    for name in ("desk", "people"):
        (home / "journal" / f"{name}.jsonl").write_bytes(b"not a journal\n" * 5)
    tail = typed("journal", "tail", "--json")
    assert (tail.code, tail.body["error"]["kind"]) == (1, "JournalBroken")
    assert typed("journal", "tail", "--people").code == 1
    verify = typed("journal", "verify", "--json")
    assert (verify.code, verify.body["desk"]["ok"], verify.body["people"]["ok"]) == (1, False, False)
    assert typed("journal", "replay").code == 1
    assert typed("doctor").code == 1
    found = typed("tool", "desk", "--json")
    assert (found.code, found.body["status"], found.body["facts"]) == (1, "failed", [])
    assert "could not be journaled" in found.body["text"]


def test_no_home_is_made_by_a_halt_that_was_mistyped(typed: Any, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong NIGHTDESK_HOME must not look as if the desk were halted: no folder, nor one that is there and is no desk."""
    elsewhere, folder = home.parent / "hoem", home.parent / "documents"
    folder.mkdir()
    (folder / "letter.txt").touch()
    for place in (elsewhere, folder):
        monkeypatch.setenv("NIGHTDESK_HOME", str(place))
        for words in (("halt", "--reason", "x"), ("chat", "/halt x", "--role", "operator")):
            found = typed(*words)
            assert found.code == 1
            assert f"NOT HALTED: no desk exists at {place}" in found.err
    assert not elsewhere.exists()
    assert [path.name for path in folder.iterdir()] == ["letter.txt"]


def test_a_halt_names_its_desk_and_who_carries_it_out(typed: Any, home: Path) -> None:
    """Two desks on one machine: which one stopped; and nothing is said to be flattened while no worker runs."""
    out = typed("halt", "--reason", "x", "--as", "ann").out
    assert f"(desk {home})" in out
    assert "NO WORKER RUNS: until one does (nightdesk up), nothing is cancelled or flattened." in out
    answer = typed("chat", "/halt x", "--role", "operator").out
    assert "NO WORKER RUNS" in " ".join(answer.split())


# ---------------------------------------------------------------------- what outsiders wrote


HOSTILE = "\x1b]0;owned\x07\x1b[2J\u202eevil\u2066\x9b31m"


@pytest.fixture
def hostile(home: Path) -> Path:
    """Every place that a stranger can write to, filled with what redraws a terminal."""
    from engine.store.journal import Event, Journal
    from engine.store.tables import Delivery
    from engine.watch.alert_rows import AlertPolicy, apply_findings
    from engine.watch.observation import Finding

    engine = open_home().engine
    apply_findings(
        engine, [Finding("bars", "bars", "page", HOSTILE, HOSTILE, 1, HOSTILE, {}, "")], (), 1, AlertPolicy(), ["slack"]
    )
    with db.write(engine) as session:
        session.add(Delivery(subject="al-1", step="x", sink="slack", state="failed", created_ms=0, due_ms=0, error=HOSTILE))
    journal = Journal(home / "journal" / "desk.jsonl", "worker")
    journal.append([Event("incident", 1, {"what": HOSTILE, "sleeve": HOSTILE})])
    journal.append([Event("halt", 1, {"by": {"name": HOSTILE}, "reason": HOSTILE, "state": "halted"})])
    journal.close()
    (home / "memory" / "inbox").mkdir(exist_ok=True)
    (home / "memory" / "inbox" / "n-1.md").write_text(f"---\ntopic: {HOSTILE}\n---\n\n{HOSTILE}\n")
    (home / "strategies").mkdir(exist_ok=True)
    (home / "strategies" / "mine.py").write_text(f'"""{HOSTILE}"""\n'.replace("\x07", ""), encoding="utf-8")
    halt.set(home, HOSTILE, {"name": HOSTILE, "channel": "cli"}, 1)
    engine.dispose()
    return home


SHOWING = ("status", "doctor", "alerts list", "notes list", "journal tail", "journal explain d-1", "journal explain d-2")
SHOWING += ("tool health", "tool alerts", "tool list_strategies", "tool explain_event --arg event_id=d-2", "data list")


def test_no_stranger_redraws_a_terminal(typed: Any, hostile: Path) -> None:
    """On every screen: no escape, no direction override, whether on stdout, on stderr or within the JSON."""
    showed = 0
    for command in SHOWING:
        for words in ((*command.split(),), (*command.split(), "--json")):
            found = typed(*words)
            text = found.out + found.err
            assert not set(text) & set("\x1b\x07\x9b\u202e\u2066"), words
            showed += "evil" in text
    assert showed > len(SHOWING)
