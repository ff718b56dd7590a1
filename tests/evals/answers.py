"""What the offline model answers to the everyday questions, and how it was judged: `make evals` prints the table.

A furnished desk (thirty days replayed, two stored runs, a pending proposal, an open alert) is made once; each thread is asked on
a copy of it, so that the order of threads changes no answer. Answers go to a file for reading; verdicts are in verdicts.toml,
written by hand after reading. `--only own:12,shared:3` asks these threads, `--out FILE` names the file, `--home FOLDER` keeps
the desk, `--beside FOLDER` is where data/ and cases/questions.toml are.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from agents import turns
from app.home.home import Home, open_home
from app.home.synthetic import ensure_market
from app.jobs import kinds, queue
from app.processes.scheduler import Schedules
from app.processes.worker import Pause, Worker
from app.wiring import Wiring
from engine.errors import DeskError
from engine.watch.detectors import ABSENT_MS
from tests.evals import verdicts
from tests.evals.verdicts import QuestionThread
from tests.jobs_here import ran_here, unlimited
from tools.catalog import call

BESIDE = Path(__file__).resolve().parents[3] / "shared"  # recorded bars and further questions, on machines that have them
FURNISHED = "furnished.json"
BASIS: tuple[tuple[str, dict[str, Any]], ...] = (  # what a furnished desk holds beside its journal: calls of the developer
    ("backtest", {"strategy": "trend", "symbol": "BTC-USDT", "start": "2025-10", "end": "2025-12"}),
    ("backtest", {"strategy": "reversion", "symbol": "SOL-USDT", "start": "2025-10", "end": "2025-12"}),
    (
        "propose_config",
        {"sleeve": "btc-trend", "changes": [{"key": "stop_atr", "value": 3}], "rationale": "a wider stop loses less"},
    ),
)


class AnsweredTurn(NamedTuple):
    """One question with everything that a reader judges; a verdict is kept with the hash."""

    key: str
    voice: str
    role: str
    ask: str
    good: str
    follows: bool
    answer: str
    calls: tuple[str, ...]
    unused: tuple[str, ...]
    asked_back: bool
    hash: str


class StillOffice(Wiring):
    """The wiring of a turn with a clock that stands still, so that ages in answers are the same from run to run."""

    still_ms: int = 0

    def now_ms(self) -> int:
        """The moment at which the desk was furnished."""
        return self.still_ms


def office_of(home: Home, now_ms: int) -> StillOffice:
    """A person's wiring at `now_ms`; it waits for jobs."""
    office = StillOffice(home, "mara", "cli", wait_s=None)
    office.still_ms = now_ms
    return office


def run_in_process() -> None:
    """Jobs run where they are submitted: a process for each of hundreds of backtests would take an hour."""
    queue.JobQueue.spawn, kinds.limited = ran_here, unlimited  # type: ignore[method-assign,assignment]


def furnish(folder: Path) -> int:
    """Make the desk in `folder`; the machine's time when it was done, at which all questions are asked."""
    os.environ["NIGHTDESK_HOME"] = str(folder)
    home = open_home()
    ensure_market(home)  # of a synthetic desk; a recorded one has its bars
    worker = Worker(home, 100_000, Pause(), stop_at_end=True)
    worker.open()
    while worker.loop.ready() and worker.loop.replaying:
        worker.loop.step()
    worker.stop()
    office = office_of(home, queue.now_ms())
    for i, (tool, args) in enumerate(BASIS):
        turn = {"role": "developer", "thread": "furnish", "turn": f"furnish-{i}", "person": "mara"}
        done = call(office.context(**turn, desk_ms=office.desk_ms(), now_ms=office.now_ms()), tool, args)
        if done.status != "ok":
            raise SystemExit(f"the desk could not be furnished: {done.text}")
    now_ms = queue.now_ms()
    watch = Schedules(home, sinks=[], clock=lambda: now_ms)
    watch.check()
    now_ms += ABSENT_MS  # nobody has started the worker again: that is an alert
    watch.check()
    (folder / FURNISHED).write_text(json.dumps({"now_ms": now_ms}), encoding="utf-8")
    home.engine.dispose()
    return now_ms


def answers_of(home: Home, thread: QuestionThread, now_ms: int) -> Iterator[AnsweredTurn]:
    """The answers of one thread, in order; a question that fails outright is answered by its error, as the command prints it."""
    office, same, where = office_of(home, now_ms), verdicts.Normal(now_ms, str(home.path)), "new"
    for i, turn in enumerate(thread.turns):
        try:
            answer: dict[str, Any] = list(turns.ask(office, thread.role, turn.ask, "mara", where))[-1]
        except DeskError as error:
            answer = {"answer_md": f"nightdesk: {error}", "thread": where}
        where = answer["thread"]
        shown = same(f"{answer['answer_md']}\n{answer.get('acts_line', '')}")
        calls = [(c["name"], json.dumps(c["args"], sort_keys=True), c["status"]) for c in answer.get("tool_calls", ())]
        yield AnsweredTurn(
            key=f"{thread.number}.{i + 1}",
            voice=thread.voice,
            role=thread.role,
            ask=turn.ask,
            good=turn.good,
            follows=i > 0,
            answer=shown,
            calls=tuple(same(f"{name}({args}) {status}") for name, args, status in calls),
            unused=tuple(answer.get("unused", ())),
            asked_back=bool(answer.get("asked_back")),
            hash=verdicts.hash_of(shown),
        )


def all_answers(desk: Path, threads: list[QuestionThread], now_ms: int) -> Iterator[AnsweredTurn]:
    """Each thread on a copy of the desk of its own."""
    for thread in threads:
        with tempfile.TemporaryDirectory(prefix="nightdesk-evals-") as folder:
            own = Path(folder) / "home"
            shutil.copytree(desk, own)
            os.environ["NIGHTDESK_HOME"] = str(own)
            home = open_home()
            try:
                yield from answers_of(home, thread, now_ms)
            finally:
                home.engine.dispose()


def written(name: str, answers: list[AnsweredTurn]) -> str:
    """The answers as a reader wants them: question, what a good answer does, what was called, the answer."""
    parts = []
    for a in answers:
        lines = [f"## {name} {a.key} ({a.voice}, {a.role}) {a.hash} {verdicts.verdict_of(name, a.key, a.hash)}", ""]
        lines += [f"Q: {a.ask}", f"GOOD: {a.good}", *(f"CALL: {line}" for line in a.calls)]
        lines += [f"UNUSED: {'; '.join(a.unused)}"] if a.unused else []
        lines += ["ASKED BACK"] if a.asked_back else []
        parts.append("\n".join([*lines, "", a.answer, ""]))
    return "\n".join(parts)


def chosen(name: str, threads: list[QuestionThread], only: str) -> list[QuestionThread]:
    """The threads that `--only` names, else all."""
    named = {tuple(word.split(":", 1)) for word in only.split(",") if word}
    return [thread for thread in threads if not named or (name, str(thread.number)) in named]


def parsed(words: list[str]) -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.evals.answers")
    parser.add_argument("--only", default="", help="threads, as own:12,shared:3")
    parser.add_argument("--home", type=Path, default=None, help="keep the furnished desk here and use it again")
    parser.add_argument("--beside", type=Path, default=BESIDE, help="the folder with data/ and cases/questions.toml")
    parser.add_argument(
        "--unjudged", action="store_true", help="also questions_other.toml, _follow, _voices, _after and _shop: no verdicts"
    )
    parser.add_argument("--out", type=Path, default=Path(tempfile.gettempdir()) / "nightdesk-answers.md")
    return parser.parse_args(words)


def main(words: list[str]) -> int:
    """Ask, write the answers, print the table."""
    wish = parsed(words)
    recorded = Path(os.environ.get("NIGHTDESK_DATA") or wish.beside / "data")
    if recorded.is_dir():
        os.environ["NIGHTDESK_DATA"] = str(recorded)
    else:
        print("No recorded bars on this machine: the desk is synthetic, and verdicts are of answers on recorded bars.")
    run_in_process()
    with tempfile.TemporaryDirectory(prefix="nightdesk-evals-") as folder:
        desk = wish.home or Path(folder) / "desk"
        noted = desk / FURNISHED
        now_ms = json.loads(noted.read_text(encoding="utf-8"))["now_ms"] if noted.exists() else furnish(desk)
        texts, tables = [], []
        sets = {"own": verdicts.OWN, "shared": wish.beside / "cases" / "questions.toml"}
        sets |= {name: verdicts.HERE / f"questions_{name}.toml" for name in ("night", "morning", "dawn", "dusk")}
        sets |= {
            name: verdicts.HERE / f"questions_{name}.toml"
            for name in ("other", "follow", "voices", "after", "shop")
            if wish.unjudged
        }
        for name, path in sets.items():
            if not path.exists():
                tables.append(f"{name}: skipped, {path.name} is not on this machine")
                continue
            found = list(all_answers(desk, chosen(name, verdicts.threads_of(path), wish.only), now_ms))
            texts.append(written(name, found))
            tables.append(verdicts.table(name, [(a.key, a.voice, a.follows, a.hash) for a in found]))
    wish.out.write_text("\n".join(texts), encoding="utf-8")
    print(f"\nAnswers of the offline model to everyday questions (to read: {wish.out}); an unjudged one counts as wrong:\n")
    print("\n\n".join(tables))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
