"""The parent of a running desk: starts the worker, restarts it when it dies, says in few lines what is going on.

Run by `nightdesk up`, which becomes this process (`python -m app.supervisor`): the standard library alone, so that it
stays small. Each child gets its own session, dies with its parent (parent-death signal), and sees an allow-listed
environment: the worker no model key. Ctrl-C and SIGTERM stop everything cleanly; nothing here decides about money.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

ALLOWED = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TZ",
    "TMPDIR",
    "PYTHONHASHSEED",
    "NIGHTDESK_HOME",
    "NIGHTDESK_DATA",
    "NIGHTDESK_DATABASE_URL",
)
# one bar a second needs one thread; the pools of these libraries cost memory at rest
TUNED = {"POLARS_MAX_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}
BEAT = "worker.json"  # in the home: what the worker last said about itself
BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)
STEADY_S = 60.0  # a child that lived so long begins the backoff anew
STOP_S = 15.0  # for a clean stop; then the child is killed
STATUS_S = 60.0  # between two status lines
SILENT_MS = 30_000  # a worker notes something every second
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def allowed(environment: Mapping[str, str]) -> dict[str, str]:
    """What of an environment a worker may see."""
    return {key: environment[key] for key in ALLOWED if key in environment} | TUNED


def worker_command(words: list[str]) -> list[str]:
    """The command line of a worker; `-P` keeps the current folder off its import path."""
    return [sys.executable, "-P", "-m", "app.worker", *words]


def beat_of(home: Path) -> dict[str, Any]:
    """What the worker of a home last said about itself; empty when nothing readable is there."""
    try:
        said = json.loads((home / BEAT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def stamp(ms: Any) -> str:
    """UTC minute of milliseconds; a dash for none."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%d %H:%M") if isinstance(ms, int) else "-"


def say(line: str) -> None:
    """One line for the terminal."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def dies_with_parent(parent: int) -> Callable[[], None]:
    """What the child does first: own session is set by then; its parent's death ends it cleanly too."""
    libc = ctypes.CDLL(None, use_errno=True)

    def first() -> None:
        if hasattr(libc, "prctl"):
            libc.prctl(DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return first


class Supervisor:
    """One home, one worker."""

    def __init__(self, home: Path, words: list[str]) -> None:
        self.home, self.words = home, words
        self.child: subprocess.Popen[bytes] | None = None
        self.began, self.failures, self.ever_alive = 0.0, 0, False
        self.silent = False
        self.stopping = False
        self.shown: tuple[Any, ...] = ()
        self.shown_at = 0.0
        self._wake, self._woken = os.pipe()
        os.set_blocking(self._woken, False)

    def run(self) -> int:
        """Until somebody stops it; the exit code. A worker that never came to life ends it at once."""
        signal.set_wakeup_fd(self._woken)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, self._signalled)
        try:
            while not self.stopping:
                self.start()
                code = self.attend()
                if self.stopping:
                    break
                if not self.ever_alive and code == 1:
                    return 1  # it said why in one line of its own
                self.sleep(self.after_death(code))
            return 0
        finally:
            self.stop()

    def start(self) -> None:
        """Start the worker."""
        self.began = time.monotonic()
        self.child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            worker_command(self.words),
            env=allowed(os.environ),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=dies_with_parent(os.getpid()),  # noqa: PLW1509 - this process has one thread
        )

    def attend(self) -> int:
        """Watch the worker until it ends or we stop; its exit code (0 when we stop)."""
        child = self.child
        while child is not None and not self.stopping:
            code = child.poll()
            if code is not None:
                return code
            self.tell()
            self.sleep(1.0)
        return 0

    def after_death(self, code: int) -> float:
        """Report a dead worker; how long to wait before the next one."""
        if time.monotonic() - self.began > STEADY_S:
            self.failures = 0
        wait = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.failures += 1
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        say(f"The worker {how}; its journal is whole. Starting it again in {wait:g} s.")
        return wait

    def tell(self) -> None:
        """Say what is new: the phases as they come, else one line now and then."""
        beat = beat_of(self.home)
        if self.child is None or beat.get("pid") != self.child.pid:
            return
        self.ever_alive = True
        self.tell_silence(time.time_ns() // 1_000_000 - int(beat.get("wall_ms", 0)))
        now = time.monotonic()
        phase = (beat.get("state"), beat.get("halted"), beat.get("version"), beat.get("phase"))
        if phase != self.shown:
            for line in lines_of(beat, first=not self.shown or self.shown[3] != beat.get("phase")):
                say(line)
            self.shown, self.shown_at = phase, now
        elif now - self.shown_at >= STATUS_S and beat.get("phase") == "running":
            say(status_line(beat))
            self.shown_at = now

    def tell_silence(self, ms: int) -> None:
        """A worker that lives and says nothing is told once; whether to end it is a person's decision."""
        if ms > SILENT_MS and not self.silent:
            say(f"The worker has said nothing for {ms // 1000} s: it hangs, or its disk does. nightdesk doctor")
        self.silent = ms > SILENT_MS

    def sleep(self, seconds: float) -> None:
        """Sleep until then, or until a signal comes."""
        if seconds > 0 and not self.stopping:
            ready, _, _ = select.select([self._wake], [], [], seconds)
            if ready:
                os.read(self._wake, 4096)

    def stop(self) -> None:
        """End the worker: it writes a snapshot and leaves; one that does not is killed."""
        child = self.child
        if child is None or child.poll() is not None:
            return
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        say("Stopped; the journal is whole. nightdesk up goes on from here.")

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.stopping = True


def status_line(beat: Mapping[str, Any]) -> str:
    """One line about the desk."""
    held = ", ".join(beat.get("positions") or []) or "flat"
    equity = beat.get("equity")
    money = f"{equity:,.2f}" if isinstance(equity, int | float) else "-"
    told = (f"{stamp(beat.get('desk_ms'))}Z", beat.get("stamp", "PAPER"), beat.get("state"), f"equity {money}", held)
    return "  ".join(str(part) for part in (*told, f"v{beat.get('version')}"))


def lines_of(beat: Mapping[str, Any], *, first: bool) -> list[str]:
    """What to say when the phase or the state has changed."""
    if not first:
        return [status_line(beat) + (f"  ({beat['note']})" if beat.get("note") else "")]
    phase = beat.get("phase")
    if phase == "replaying":
        span = f"{stamp(beat.get('first_ms'))} to {stamp(beat.get('replay_until_ms'))}"
        return [f"Replaying {span} at full speed through the ordinary loop, stamped REPLAYED."]
    if phase == "running":
        pace = f"{beat.get('bars_per_second', 1):g} bar{'' if beat.get('bars_per_second') == 1 else 's'} a second"
        return [
            f"Now at {stamp(beat.get('desk_ms'))}Z, going on at {pace} (PAPER, {beat.get('source')} bars).",
            status_line(beat),
        ]
    if phase == "waiting":
        return [f"{beat.get('note')}", status_line(beat)]
    return [status_line(beat)]


WELCOME = """\
Nightdesk, paper desk in {home}: {source}. Answers come from the offline model; no key is used.
Ctrl-C stops it. In a second terminal{where}:
  nightdesk status
  nightdesk chat --role developer "Backtest trend on BTC-USDT 15m for 2025, and compare a 2 ATR with a 3 ATR stop"
  nightdesk chat --role operator "What happened since yesterday? Is anything wrong?"
  nightdesk proposals list
  nightdesk halt --reason "trying it out\""""


def main(words: list[str]) -> int:
    """`python -m app.supervisor HOME SOURCE [worker options]`: run until stopped."""
    home, source, *rest = words
    where = f" (export NIGHTDESK_HOME={home})" if os.environ.get("NIGHTDESK_HOME") else ""
    say(WELCOME.format(home=home, source=source, where=where))
    return Supervisor(Path(home), rest).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
