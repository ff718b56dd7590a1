"""The worker as a real process: killed at any moment it goes on to the same journal, it is alone, clean and quiet."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from app.home.home import open_home
from app.processes.children import allowed, worker_command
from engine.book.replay import fold
from engine.book.snapshot import to_json
from engine.control import halt
from engine.control.config import active, versions
from engine.own_source import own_source
from engine.store.anchors import anchor_claims, note_head
from engine.store.chain import Head
from engine.store.journal import journal_hash, read, verify
from engine.watch.heartbeat import heartbeat_of
from tests.app.processes.conftest import without_positions
from tests.fakes.papers import WALL_MS, furnished, market, reconfigured
from tests.fakes.waiting import WAIT_S, until

DAYS = 12  # 4 that warm up, 4 of replay, 4 more
LONG_DAYS = 24  # two hundred fills


def started(home: Path, *words: str, **more: str) -> subprocess.Popen[str]:
    """A worker of this home."""
    environment = {**os.environ, "NIGHTDESK_HOME": str(home), **more}
    environment.pop("NIGHTDESK_DATA", None)
    return subprocess.Popen(
        worker_command(list(words)), env=environment, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Its exit code and what it said, but for the positions (test_unattended.py)."""
    _, said = process.communicate(timeout=WAIT_S)
    return process.returncode, without_positions(said)


def run_to_end(home: Path, **more: str) -> str:
    """Walk to the end of the market in one go; the journal's hash."""
    code, said = ended(started(home, "--bars-per-second", "100000", "--stop-at-end", **more))
    assert (code, said) == (0, "")
    return journal_hash(home / "journal" / "desk.jsonl")


def beating(home: Path, process: subprocess.Popen[str], wanted: Callable[[dict[str, Any]], bool], why: str) -> dict[str, Any]:
    """What this worker says of itself once that is `wanted`; fails at once when it has ended."""

    def look() -> dict[str, Any] | None:
        said = heartbeat_of(home)
        if said.get("pid") == process.pid and wanted(said):
            return said
        assert process.poll() is None, process.stderr.read()
        return None

    found: dict[str, Any] = until(look, why, lambda: heartbeat_of(home))
    return found


def phase(home: Path, process: subprocess.Popen[str], wanted: str) -> dict[str, Any]:
    """What the worker says of itself once it is in that phase."""
    return beating(home, process, lambda said: said.get("phase") == wanted, f"never {wanted}")


def new_home(path: Path, days: int = DAYS) -> Path:
    """A home on a short synthetic market, opened once, desk.toml edited before the first start."""
    furnished(path, days)
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NIGHTDESK_HOME", str(path))
        home = open_home(WALL_MS)
        assert versions(home.engine) == [], "nothing is in force before the first start"
        home.engine.dispose()
    edit(path, "params = {}", "params = { stop_atr = 2.5 }")
    return path


def edit(path: Path, old: str, new: str) -> None:
    """Change desk.toml as a person does, at the first place."""
    toml = path / "desk.toml"
    text = toml.read_text()
    assert old in text
    toml.write_text(text.replace(old, new, 1))


@pytest.fixture
def furnished_home(own_home: Path) -> Path:
    """Such a home."""
    return new_home(own_home)


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose worker has walked to the end of the market. Not to be changed: take a copy."""
    home = new_home(tmp_path_factory.mktemp("walked") / "home")
    run_to_end(home)
    return home


class Life(NamedTuple):
    """What was seen of a worker that ran, met a second one, adopted version 2 and was stopped."""

    home: Path  # not to be changed: take a copy
    environment: bytes
    second: tuple[int, str]
    unharmed: bool
    adopted: dict[str, Any]
    end: tuple[int, str]


KEYS = {"OPENAI_API_KEY": "sk-planted-1", "ANTHROPIC_API_KEY": "planted-2", "SLACK_BOT_TOKEN": "planted-3", "MY_SECRET": "x"}


@pytest.fixture(scope="module")
def life(tmp_path_factory: pytest.TempPathFactory) -> Life:
    """Of one worker, started by hand in an environment full of keys."""
    path = new_home(tmp_path_factory.mktemp("life") / "home")
    process = started(path, "--bars-per-second", "20", **KEYS)
    phase(path, process, "running")
    environment = Path(f"/proc/{process.pid}/environ").read_bytes()
    second = ended(started(path))
    unharmed = process.poll() is None
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("NIGHTDESK_HOME", str(path))
        home = open_home(WALL_MS)
        reconfigured(home, "sol-reversion", stop_atr=3.5)
        home.engine.dispose()
    adopted = beating(path, process, lambda said: said["version"] == 2, "version 2 was not adopted")
    process.send_signal(signal.SIGTERM)
    return Life(path, environment, second, unharmed, adopted, ended(process))


@pytest.fixture
def home_stopped(own_home: Path, life: Life) -> Path:
    """A copy of its home."""
    return Path(shutil.copytree(life.home, own_home))


@pytest.fixture
def home_at_end(own_home: Path, walked: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(walked, own_home))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hash of a long run that nobody disturbed."""
    return run_to_end(new_home(tmp_path_factory.mktemp("undisturbed") / "home", LONG_DAYS), PYTHONHASHSEED="4242")


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1, 30))
def test_killed_at_random_moments_it_ends_with_the_hash_of_an_undisturbed_run(
    own_home: Path, undisturbed: str, seed: int
) -> None:
    """kill -9 in start-up, in the replay, behind it: nothing is lost, nothing is done twice, whatever the hash seed."""
    home = new_home(own_home, LONG_DAYS)
    moments, path = random.Random(seed), home / "journal" / "desk.jsonl"
    for _ in range(2 if seed == 1 else 5):
        process = started(home, "--bars-per-second", "100", "--stop-at-end", PYTHONHASHSEED=str(moments.getrandbits(16)))
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(moments.uniform(0.3, 3.5))
        process.kill()
        ended(process)
        assert verify(path).ok
    assert run_to_end(home) == undisturbed
    assert verify(path).ok
    assert to_json(fold(path, whole=True)) == to_json(fold(path))


def test_its_first_start_writes_version_1_and_a_later_one_says_where_desk_toml_differs(
    home_at_end: Path, here: Callable[..., tuple[int, str]]
) -> None:
    """What was edited before the first start counts; an edit afterwards is one line at each start and changes nothing."""
    home = open_home(WALL_MS)
    assert [(v.version, v.reason) for v in versions(home.engine)] == [(1, "desk.toml at the first start")]
    now = active(home.engine, home.path)
    assert now.config.sleeves[0].params["stop_atr"] == 2.5, "edited before the first start: it counts"
    edit(home_at_end, "stop_atr = 2.5", "stop_atr = 3.5")
    for _ in range(2):
        code, output = here("--stop-at-end")
        assert code == 0
        assert output == (
            "nightdesk worker: desk.toml differs from version 1, which stays in force: "
            "btc-trend.stop_atr = 3.5 (2.5 is in force)\n"
        )
    assert active(home.engine, home.path) == now


def test_a_second_worker_is_refused_in_one_line(life: Life) -> None:
    """Exit code 1, one clear line, and the first one does not notice."""
    code, said = life.second
    assert code == 1
    assert len(said.strip().splitlines()) == 1
    assert "one worker per home" in said
    assert life.unharmed


def test_its_environment_holds_no_model_key(life: Life) -> None:
    """Started by hand in an environment full of keys, /proc/PID/environ has none of them, nor has any file it wrote."""
    names = {entry.partition(b"=")[0].decode() for entry in life.environment.split(b"\0") if entry}
    assert not names & set(KEYS)
    assert b"planted" not in life.environment
    assert names <= set(allowed(dict.fromkeys(names, "") | own_source(os.environ)))  # a checkout's own root passes
    written = [p for p in life.home.rglob("*") if p.is_file() and b"planted" in p.read_bytes()]
    assert not written


def test_it_adopts_a_version_while_it_runs_and_the_journal_proves_it(life: Life) -> None:
    """Approved in another process: the config event is there before the next bar's group."""
    assert life.adopted["version"] == 2
    path = life.home / "journal" / "desk.jsonl"
    adopted = next(e for e in read(path, {"config"}) if e.body.get("version") == 2)
    before = [e for e in read(path, {"bar"}) if e.seq < adopted.seq]
    assert before[-1].t_event_ms == adopted.t_event_ms


def test_a_stopped_worker_leaves_a_snapshot_and_starts_where_it_was(
    life: Life, home_stopped: Path, here: Callable[..., tuple[int, str]]
) -> None:
    """SIGTERM: exit 0, the journal ends with the whole state, its head is anchored. The next start goes on behind it."""
    assert life.end == (0, "")
    home = open_home(WALL_MS)
    events = list(read(home.desk_journal))
    assert events[-1].kind == "snapshot"
    assert anchor_claims(home.engine, "desk")[0].seq == events[-1].seq
    count, journal = fold(home.desk_journal).count, home.desk_journal.read_bytes()
    assert here("--bars-per-second", "100000", "--stop-at-end")[0] == 0
    assert home.desk_journal.read_bytes().startswith(journal)
    assert fold(home.desk_journal).count > count


@pytest.mark.slow
def test_a_bit_flipped_in_the_middle_of_the_journal_ends_in_no_entries_and_a_halt(home_stopped: Path) -> None:
    """What the start does not fold is verified beside it: the worker lives on, enters nothing and halts for a person."""
    path = home_stopped / "journal" / "desk.jsonl"
    data, last = bytearray(path.read_bytes()), max(e.seq for e in read(path))
    data[data.index(b'"close_ms":', len(data) // 3) + 12] ^= 1
    path.write_bytes(data)
    code, _ = ended(started(home_stopped, "--bars-per-second", "100000", "--stop-at-end"))
    assert code == 0
    latch = halt.read(home_stopped, open_home(WALL_MS).engine)
    assert (latch.halted, latch.by) == (True, halt.WORKER)
    assert "does not verify" in latch.reason
    since = list(read(path, after=last))
    assert [e.body["state"] for e in since if e.kind == "halt"] == ["halted"]
    assert all(e.body["reduce_only"] for e in since if e.kind == "intent"), "what a halt closes is no entry"


def test_a_halt_is_honoured_while_it_runs_and_after_a_restart(furnished_home: Path) -> None:
    """Set by the file alone: flat, latched over kill -9, and a release by a person ends it."""
    process = started(furnished_home, "--bars-per-second", "20")
    phase(furnished_home, process, "running")
    halt.set(furnished_home, "a test", {"name": "ann"}, WALL_MS)
    beating(furnished_home, process, lambda said: said["state"] == "halted", "not halted")
    process.kill()
    ended(process)
    process = started(furnished_home, "--bars-per-second", "100000")
    assert phase(furnished_home, process, "waiting")["halted"]
    process.send_signal(signal.SIGTERM)
    assert ended(process)[0] == 0
    path = furnished_home / "journal" / "desk.jsonl"
    halts = list(read(path, {"halt"}))
    assert [e.body["state"] for e in halts] == ["halted"]
    since = [e for e in read(path, {"intent"}) if e.seq > halts[0].seq]
    assert all(e.body["reduce_only"] for e in since), "what a halt closes is no entry"
    book = fold(path)
    assert not any(s.position.open_layers or s.order.side for s in book.sleeves)


@pytest.mark.long
def test_a_halt_at_the_end_of_the_bars_says_what_it_waits_for(home_at_end: Path) -> None:
    """No next open has come: the desk says flattening, not flat."""
    process = started(home_at_end, "--bars-per-second", "100000")
    said = phase(home_at_end, process, "waiting")
    assert "End of the synthetic bars" in said["note"]
    if said["positions"]:
        halt.set(home_at_end, "late", {"name": "ann"}, WALL_MS)
        said = beating(home_at_end, process, lambda said: "none has come" in said["note"], "it does not say what it waits for")
        assert said["state"] == "flattening"
    process.send_signal(signal.SIGTERM)
    ended(process)


@pytest.mark.long
def test_bars_that_come_later_are_walked_on(home_at_end: Path) -> None:
    """At the end it waits; a damaged file is said and waited out; a longer one of the same market is noticed, and it goes on."""
    process = started(home_at_end, "--bars-per-second", "100000")
    bars = phase(home_at_end, process, "waiting")["bars"]
    path = next((home_at_end / "data" / "synthetic").glob("*BTC*15m.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    said = beating(home_at_end, process, lambda said: said["refused"] != "", "the damaged file was not seen")
    assert f"{path.name}: it is damaged" in said["refused"]
    assert said["bars"] == bars
    for path in market(DAYS + 1).glob("*.parquet*"):
        draft = home_at_end / "data" / "synthetic" / f".{path.name}"
        draft.write_bytes(path.read_bytes())
        draft.replace(draft.with_name(path.name))
    said = beating(home_at_end, process, lambda said: said["bars"] >= bars + 96, "the new day was not walked")
    assert said["refused"] == ""
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (0, "")


def test_a_journal_that_lost_its_end_is_not_gone_on_with(home_at_end: Path, here: Callable[..., tuple[int, str]]) -> None:
    """Whole records dropped at the end pass the chain; the database has seen more, and the start says so."""
    path = home_at_end / "journal" / "desk.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    groups = [n for n, line in enumerate(lines) if b'"left":0' in line]
    path.write_bytes(b"".join(lines[: groups[-40] + 1]))
    code, said = here("--stop-at-end")
    assert code == 1
    assert "the database recorded" in said
    assert len(said.strip().splitlines()) == 1


def test_a_fork_before_the_anchor_is_refused_in_one_line_and_the_anchor_stays(
    home_at_end: Path, here: Callable[..., tuple[int, str]]
) -> None:
    """Another journal of the same desk, longer than the anchor: exit code 1, and the database keeps what it has seen."""
    home = open_home(WALL_MS)
    engine, seen = home.engine, anchor_claims(home.engine, "desk")[0]
    with engine.connect() as connection:
        connection.exec_driver_sql("DELETE FROM anchors")
        connection.commit()
    note_head(engine, "desk", Head(seen.seq - 50, f"d-{seen.seq - 50}", "f" * 64), WALL_MS)
    code, said = here("--stop-at-end")
    assert code == 1
    assert len(said.strip().splitlines()) == 1
    assert f"another d-{seen.seq - 50}" in said
    assert anchor_claims(engine, "desk")[0].hash == "f" * 64
