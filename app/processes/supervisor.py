"""The parent of a running desk: starts worker, API and page, restarts what dies, says in few lines what is going on.

Run by `nightdesk up`, which becomes this process (`python -m app.processes.supervisor`): the standard library alone, so that it
stays small. Each child gets its own session, dies with its parent (parent-death signal), and sees an allow-listed environment
(app.processes.children). Ctrl-C and SIGTERM stop everything cleanly; nothing here decides about money.
"""

import contextlib
import ctypes
import math
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from app.home.files import LINK
from app.processes import children
from app.processes.pulse import Pulse
from app.processes.watch_thread import Watch
from engine.clock import utc
from engine.watch.heartbeat import heartbeat_of, unattended_text

BACKOFF_S = (1.0, 2.0, 5.0, 15.0, 60.0)
STEADY_S = 60.0  # a child that lived so long begins the backoff anew
STOP_S = 15.0  # for a clean stop; then the child is killed
STATUS_S = 60.0  # between two status lines
WATCH_S = 5.0  # the watch begins so long after the worker was started, at the latest
SILENT_MS = 30_000  # a worker notes something every second
DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def say(line: str) -> None:
    """One line for the terminal."""
    with suppress(BrokenPipeError):  # nobody reads the terminal any more: the desk goes on
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


@dataclass
class Child:
    """One process of the desk, as its supervisor sees it."""

    name: str
    command: list[str]
    environment: Callable[[], dict[str, str]]
    log: Path | None = None  # where its words go instead of the terminal
    process: "subprocess.Popen[bytes] | None" = None
    began: float = 0.0  # monotonic seconds
    due: float = 0.0  # when it is to be started (again)
    failures: int = 0
    why: str = ""  # it was killed, where the supervisor did it
    fds: tuple[int, ...] = ()  # open files that it inherits

    def start(self) -> None:
        """Start it, in a session of its own."""
        self.began = time.monotonic()
        with contextlib.ExitStack() as opened:
            words = opened.enter_context(self.log.open("ab")) if self.log is not None else None
            self.process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                self.command,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
                start_new_session=True,
                pass_fds=self.fds,
                preexec_fn=dies_with_parent(os.getpid()),  # noqa: PLW1509 - it calls prctl and getppid, and takes no lock
            )

    def ended(self) -> int | None:
        """Its exit code when it has ended since it was started; None while it runs or was not started."""
        return self.process.poll() if self.process is not None else None

    def wait_after(self, code: int) -> float:
        """Report a dead child; how long until the next one."""
        if time.monotonic() - self.began > STEADY_S:
            self.failures = 0
        wait = BACKOFF_S[min(self.failures, len(BACKOFF_S) - 1)]
        self.failures += 1
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
        whole = "; its journal is whole" if self.name == "worker" and code < 0 else f": {self.why}" if self.why else ""
        next_ = "It stays down; trading goes on without it." if self.due == math.inf else f"Starting it again in {wait:g} s."
        say(f"The {self.name} {how}{whole}. {next_}")
        return wait


def children_of(home: Path, words: list[str]) -> list[Child]:
    """Worker, API and page of a home."""
    found = [
        Child("worker", children.worker_command(words), lambda: children.allowed_worker(os.environ, home)),
        Child("API", children.api_command(home), lambda: children.allowed_api(os.environ, home)),
    ]
    # a terminal that is gone must not keep the page from ending: Streamlit says goodbye before it stops
    page = Child("page", children.ui_command(), lambda: children.allowed_ui(os.environ), home / "logs" / "page.log")
    return [*found, page]


class Supervisor:
    """One home: its worker, its API, its page."""

    def __init__(self, home: Path, words: list[str]) -> None:
        self.home = home
        self.children = children_of(home, words)
        self.worker = self.children[0]
        self.api = next((child for child in self.children if child.name == "API"), None)
        self.pulse = Pulse(home)
        self.watch, self.watching = Watch(heartbeat_of(home)), False
        self.login = login_of(home)
        self.seen_alive, self.linked, self.stopping = False, not self.login, False
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
            self.pulse.begin()
            while not self.stopping:
                for child in self.children:
                    if not self.attend(child):
                        say_if(self.unattended())
                        return 1  # it said why in one line of its own
                self.report()
                self.check_api()
                self.look_after()
                self.sleep(1.0 if self.linked and self.shown else 0.2)
            return 0
        finally:
            self.stop()

    def attend(self, child: Child) -> bool:
        """Start a child that is due, report one that has died; False when the desk cannot run at all."""
        code = child.ended()
        if code is not None:
            child.process = None
            if child is self.worker and not self.seen_alive and code == 1:
                return False
            child.due = max(child.due, time.monotonic() + child.wait_after(code))
            if child is self.worker and (left := open_of(self.home)):
                say(f"Until then nobody looks after {'; '.join(left)}.")
            self.watch.died(child.name, code, child.why)
            child.why = ""
        if child.process is None and time.monotonic() >= child.due:
            child.start()
            if child is self.api:
                self.pulse.started()
        return True

    def check_api(self) -> None:
        """Kill an API that hangs, to be started again; one that hangs again and again stays down. Trading needs neither."""
        api, now = self.api, time.monotonic()
        if api is None or api.process is None or api.ended() is not None or api.why:
            return
        silent_s = self.pulse.silent_s(api.began, now)
        if silent_s is None:
            return
        api.why = f"it did not answer for {silent_s:.0f} s"
        if not self.pulse.may_restart(now):
            api.why, api.due = f"{api.why}, again and again, and stays down", math.inf
        api.process.kill()  # what hangs does not follow SIGTERM

    def look_after(self) -> None:
        """Begin alerts and schedules once the worker lives, or should."""
        if not self.watching and (self.seen_alive or time.monotonic() - self.worker.began > WATCH_S):
            self.watching = True
            self.watch.begin()

    def report(self) -> None:
        """Say what is new: the login link, the phases as they come, else one line now and then."""
        self.link()
        beat = heartbeat_of(self.home)
        if self.worker.process is None or beat.get("pid") != self.worker.process.pid:
            return
        self.seen_alive = True
        now = time.monotonic()
        phase = (beat.get("state"), beat.get("halted"), beat.get("version"), beat.get("phase"))
        if phase != self.shown:
            for line in lines_of(beat, first=not self.shown or self.shown[3] != beat.get("phase")):
                say(line)
            self.shown, self.shown_at = phase, now
        elif now - self.shown_at >= STATUS_S and beat.get("phase") == "running":
            say(status_line(beat))
            self.shown_at = now

    def link(self) -> None:
        """Say once where the page is, as soon as whatever serves it listens."""
        if self.linked:
            return
        listening = children.ports(self.home)[: len(self.children) - 1]
        if not all(children.answers(port) for port in listening):
            return
        self.linked = True
        say(f"The page, by a link that works once (another: nightdesk login):\n  {self.login}")

    def sleep(self, seconds: float) -> None:
        """Sleep until then, or until a signal comes."""
        if seconds > 0 and not self.stopping:
            ready, _, _ = select.select([self._wake], [], [], seconds)
            if ready:
                os.read(self._wake, 4096)

    def stop(self) -> None:
        """End every child: the worker writes a snapshot and leaves; one that does not end is killed."""
        self.pulse.end()
        ending = threading.Thread(target=self.watch.end, name="ending", daemon=True)  # it may wait for a network; we do not
        ending.start()
        end_all(self.children)
        ending.join(STOP_S)
        if not self.seen_alive:
            return
        clean = self.worker.process is not None and self.worker.process.returncode == 0
        say(f"Stopped{'; the journal is whole' if clean else ''}. nightdesk up goes on from here.")
        if not clean:  # a worker that ended cleanly has said it
            say_if(self.unattended())

    def unattended(self) -> str:
        """The positions that the last worker left open, as its last heartbeat knew them."""
        return unattended_text(open_of(self.home), starts=self.seen_alive)

    def _signalled(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD:
            self.stopping = True


def end_all(children: Sequence[Child]) -> None:
    """End processes cleanly, all at once; one that has not ended after STOP_S is killed."""
    living = [child.process for child in children if child.process is not None and child.process.poll() is None]
    for process in living:
        process.send_signal(signal.SIGTERM)
    until = time.monotonic() + STOP_S
    for process in living:
        try:
            process.wait(max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def open_of(home: Path) -> list[str]:
    """The open positions of the last heartbeat."""
    found = heartbeat_of(home).get("open")
    return [str(text) for text in found] if isinstance(found, list) else []


def say_if(line: str) -> None:
    """A line for the terminal, where there is one to say."""
    if line:
        say(line)


def login_of(home: Path) -> str:
    """The one-time link that `nightdesk up` has left; empty when there is none."""
    try:
        return (home / LINK).read_text(encoding="utf-8").strip()
    except OSError:
        return ""


def status_line(beat: Mapping[str, Any]) -> str:
    """One line about the desk."""
    if beat.get("state") is None:  # its journal is not read yet
        return f"{beat.get('stamp', 'PAPER')}  {beat.get('phase', 'starting')}"
    held = ", ".join(beat.get("positions") or []) or "flat"
    equity = beat.get("equity")
    money = f"{equity:,.2f}" if isinstance(equity, int | float) else "-"
    told = (f"{utc(beat.get('desk_ms'))}", beat.get("stamp", "PAPER"), beat.get("state"), f"equity {money}", held)
    return "  ".join(str(part) for part in (*told, f"v{beat.get('version')}"))


def lines_of(beat: Mapping[str, Any], *, first: bool) -> list[str]:
    """What to say when the phase or the state has changed."""
    if not first:
        return [status_line(beat) + (f"  ({beat['note']})" if beat.get("note") else "")]
    phase = beat.get("phase")
    if phase == "replaying":
        span = f"{utc(beat.get('first_ms'))} to {utc(beat.get('replay_until_ms'))}"
        return [f"Replaying {span} at full speed through the ordinary loop, stamped REPLAYED."]
    if phase == "running":
        stamp, rate = beat.get("stamp", "PAPER"), beat.get("bars_per_second")
        pace = f"at {rate:g} bar{'' if rate == 1 else 's'} a second" if isinstance(rate, int | float) else "with each close"
        return [f"Now at {utc(beat.get('desk_ms'))}, going on {pace} ({stamp}, {beat.get('source')} bars).", status_line(beat)]
    if phase == "waiting":
        return [f"{beat.get('note')}", status_line(beat)]
    return [status_line(beat)]


WELCOME = """\
Nightdesk, {mode} desk in {home}: {source}
Ctrl-C stops it. In a second terminal{where}:
  {nightdesk} status
  {nightdesk} chat --role developer "Backtest trend on BTC-USDT 15m for 2025, and compare a 2 ATR with a 3 ATR stop"
  {nightdesk} chat --role operator "What happened since yesterday? Is anything wrong?"
  {nightdesk} proposals list
  {nightdesk} halt --reason "trying it out\""""


def command() -> str:
    """What a person types for `nightdesk` here: the bare word when the shell finds it, else its path."""
    if shutil.which("nightdesk"):
        return "nightdesk"
    path = Path(sys.executable).with_name("nightdesk")
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def main(words: list[str]) -> int:
    """`python -m app.processes.supervisor HOME SOURCE [worker options]`: run until stopped."""
    home, source, *rest = words
    where = f" (export NIGHTDESK_HOME={home})" if os.environ.get("NIGHTDESK_HOME") else ""
    mode = children.traded_mode(Path(home))
    say(WELCOME.format(home=home, mode=mode, source=source, where=where, nightdesk=command()))
    return Supervisor(Path(home), rest).run()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(code)  # a thread of alerts that waits for Slack must not keep a stopped desk from ending
