"""`nightdesk chat` as a person types it: what goes to stdout and stderr, what it exits with, what a halt needs."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from agents import owed
from app.cli import chat as command
from app.home.home import Home, open_home
from app.jobs.queue import JobQueue
from engine.control import halt
from engine.errors import BadInput
from engine.store.journal import read
from tests.app.typed import typed

KEYS = ["thread", "turn", "role", "model", "answer_md", "state_line", "acts_line", "unused", "asked_back", "read_as"]
KEYS += ["facts", "struck", "unchecked", "tool_calls", "jobs", "proposals", "usage"]


@pytest.fixture
def home(own_home: Path) -> Home:
    """A new desk."""
    return open_home()


def chat(*words: str) -> Any:
    """Run the command in this process; the runner's result. What it raises is raised."""
    app = typer.Typer()
    command.register(app)
    app.command("other")(lambda: None)
    done = CliRunner().invoke(app, ["chat", *words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def as_json(*words: str) -> dict[str, Any]:
    """The one JSON object of stdout."""
    found = json.loads(chat(*words, "--json").stdout)
    assert isinstance(found, dict)
    return found


def test_json_is_one_object_with_the_keys_of_the_contract(home: Home) -> None:
    """Exactly these keys; progress goes to stderr."""
    done = chat("--role", "operator", "which proposals are pending?", "--json")
    assert list(json.loads(done.stdout)) == KEYS
    assert "operator · OFFLINE model" in done.stderr
    assert "proposals ..." in done.stderr


def test_text_says_what_was_understood_and_which_model_answered(home: Home) -> None:
    """Markdown in the terminal, the model named, the stamp under it."""
    done = chat("--role", "developer", "what parameters does trend have?")
    assert "Read as: parameters of trend." in done.stdout
    assert "stop_atr" in done.stdout
    assert "OFFLINE model" in done.stdout
    assert "PAPER" in done.stdout


def test_a_tool_that_breaks_is_no_success(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is printed as always, and a script sees that something in it failed."""
    answer = {"answer_md": "could not read it", "struck": [], "tool_calls": [{"name": "desk", "status": "failed"}]}
    monkeypatch.setattr(command, "_answer", lambda *_: answer)
    done = chat("--role", "operator", "is anything wrong?")
    assert (done.exit_code, "could not read it" in done.stdout) == (1, True)
    answer["tool_calls"][0]["status"] = "refused"
    assert chat("--role", "operator", "is anything wrong?").exit_code == 0


def test_a_role_without_authority_is_an_answer(home: Home) -> None:
    """One sentence, exit code 0."""
    done = chat("--role", "operator", "Backtest trend on BTC-USDT for 2025")
    assert done.exit_code == 0
    assert "belongs to the developer" in " ".join(done.stdout.split())


@pytest.mark.parametrize("words", [("--role", "boss", "hello"), ("--role", "operator", "  ")])
def test_bad_words_are_one_line(home: Home, words: tuple[str, ...]) -> None:
    """A bad role, an empty question."""
    with pytest.raises(BadInput):
        chat(*words)


def test_a_bad_role_makes_no_home(own_home: Path) -> None:
    """The role is looked at before anything is made."""
    with pytest.raises(BadInput, match="unknown role"):
        chat("--role", "boss", "hello")
    assert not own_home.exists()


def test_the_next_question_goes_on_in_the_same_thread(home: Home) -> None:
    """Without --thread; `new` begins another."""
    first = as_json("--role", "developer", "list the strategies")["thread"]
    assert as_json("--role", "developer", "list the data")["thread"] == first
    assert as_json("--role", "developer", "list the data", "--thread", "new")["thread"] != first
    assert as_json("--role", "developer", "list the data", "--thread", first)["thread"] == first


def test_halt_in_a_chat_latches_file_and_database(home: Home) -> None:
    """Whatever the role, with the reason and the name; the journal says so once."""
    answer = as_json("--role", "advisor", "/halt fire in the server room", "--as", "mara")
    latch = halt.read(home.path, home.engine)
    assert (latch.halted, latch.reason, latch.by) == (True, "fire in the server room", "mara")
    assert latch.where == ("file", "database")
    assert "HALTED" in answer["answer_md"]
    assert answer["usage"] == {"input_tokens": 0, "output_tokens": 0, "tool_calls": 0}
    assert [event.kind for event in read(home.people_journal)].count("halt") == 1


def test_halt_in_a_chat_works_with_a_broken_database(home: Home) -> None:
    """The file is written before the database is opened; the exit code is 0, the desk is halted."""
    home.engine.dispose()
    for path in home.path.glob("desk.db*"):
        path.unlink()
    (home.path / "desk.db").write_bytes(b"this is no database")
    done = chat("--role", "operator", "/halt database is gone")
    assert done.exit_code == 0
    assert halt.read(home.path).halted
    assert "HALTED" in done.stderr


def test_halt_where_there_is_no_desk_is_one_line(own_home: Path) -> None:
    """Nothing is made, and it does not look like a halt."""
    with pytest.raises(BadInput, match="no desk exists"):
        chat("--role", "operator", "/halt now")
    assert not own_home.exists()


def test_a_wide_table_is_turned_on_its_side(capsys: pytest.CaptureFixture[str]) -> None:
    """Many columns and few rows read better upright."""
    from rich.console import Console

    head = [f"column {i} with a name" for i in range(9)]
    text = "\n".join(("| " + " | ".join(head) + " |", "|---" * 9 + "|", "| " + " | ".join("x" * 10 for _ in head) + " |"))
    Console(width=120).print(command.shown(text))
    lines = capsys.readouterr().out.splitlines()
    assert sum("column" in line for line in lines) == 9


def test_foreign_text_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    """Escape sequences are gone before the terminal."""
    from rich.console import Console

    from tools.common.render import safe

    Console(width=120, force_terminal=False).print(command.shown(safe("a \x1b[2J\x1b]0;t\x07 b [bold]c[/bold]")))
    shown = capsys.readouterr().out
    assert "\x1b" not in shown
    assert "[bold]c[/bold]" in shown


@pytest.mark.slow
def test_from_the_command_line_it_exits_as_promised(own_home: Path) -> None:
    """0 for an answer, 1 with one line for a bad role, 2 for a missing option."""
    open_home()  # a first start in a process is test_home.py's
    run = "import sys; from app.cli.main import run; sys.argv[0] = 'nightdesk'; run()"
    program = [sys.executable, "-c", run]

    asked = [*program, "chat", "--role", "operator", "how do I halt the desk?"]
    assert subprocess.run(asked, capture_output=True, check=False).returncode == 0
    refused = typed("chat", "--role", "boss", "hello")
    assert (refused.returncode, len(refused.stderr.strip().splitlines())) == (1, 1)
    assert typed("chat", "hello").returncode == 2


@pytest.mark.slow
def test_a_person_in_front_of_it_waits_as_long_as_it_takes(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """No call of the command ends with `started`: its job is waited for without a limit, under a bar."""
    limits = []
    waits = JobQueue.wait

    def wait(self: JobQueue, job_id: str, timeout_s: float | None = None, progress: Any = None) -> Any:
        limits.append(timeout_s)
        return waits(self, job_id, timeout_s, progress)

    monkeypatch.setattr(JobQueue, "wait", wait)
    answer = as_json("--role", "developer", "Backtest trend on BTC-USDT 15m")
    assert [call["status"] for call in answer["tool_calls"]] == ["ok"]
    assert limits == [None]
    assert owed.all_pending(home.engine) == []
