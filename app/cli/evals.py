"""`nightdesk evals`: how well a language model serves a desk, on tasks that code can judge. Called by app/cli/main.py."""

import os
import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown

FAILED_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("evals")(evals)


def evals(
    model: str = typer.Option("", "--model", help="as in desk.toml or NIGHTDESK_MODEL; without it the offline model"),
    each: int = typer.Option(1, "--trials", min=1, max=16, help="of each task: pass^k wants all of them"),
    most: int = typer.Option(0, "--tasks", min=0, help="how many, from the first on (0: all)"),
    as_json: bool = typer.Option(False, "--json", help="one JSON object on stdout"),
) -> None:
    """Ask a model tasks on a desk of its own (synthetic, thirty days replayed) and judge by code. A model's endpoint is paid by
    you: about four calls a task."""
    from agents.offline.model import OfflineModel
    from app.evals.office import furnished_desk
    from app.evals.scoring import PERSON, summary, trials
    from app.evals.tasks import all_tasks
    from app.home.home import existing_home
    from app.wiring import Wiring, model_of

    asked = model_of(existing_home(), {**os.environ, "NIGHTDESK_MODEL": model}) if model else OfflineModel()
    tasks = all_tasks()[: most or None]
    with (
        tempfile.TemporaryDirectory() as folder,
        out.progress("evals", 1.0) as progress,
        furnished_desk(Path(folder), progress) as home,
        closing(Wiring(home, PERSON, "evals", wait_s=None, model=asked)) as wiring,
    ):
        found = list(trials(wiring, tasks, each, progress))
    report = {"model": asked.name, "offline": asked.offline, "source": "synthetic", **summary(found, tasks, each)}
    questions = {task.number: f"{task.role}: {' / '.join(task.turns)}" for task in tasks}
    out.emit(report, as_json=as_json, text=lambda: text_of(report, questions))


def text_of(report: Mapping[str, Any], questions: Mapping[int, str]) -> str:
    """The figures as people read them, worst news last: what failed, each with its question."""
    k = report["trials"]
    lines = [f"{report['model']}: {report['tasks']} tasks, {k} trial{'s' if k > 1 else ''} each, on a synthetic desk."]
    for name, one in report["passed"].items():
        whole = f"   pass^{k} {100 * one[f'pass_{k}']:.0f} %" if k > 1 else ""
        interval = f"({100 * one['low']:.0f} to {100 * one['high']:.0f})"
        lines.append(f"  {name:<10} {one['tasks']:>4} tasks   pass^1 {100 * one['pass_1']:.0f} % {interval}{whole}")
    cost = "no price is configured" if report["cost_usd"] is None else f"{report['cost_usd']:.2f} USD"
    lines.append(
        f"Median {report['seconds']:.1f} s a task, {report['model_calls']:,} model calls, {report['tokens']:,} tokens, {cost}."
    )
    if report["fell_back"]:
        lines.append(f"In {report['fell_back']} trials the model did not answer and the offline one did: they have not passed.")
    lines += [f"  {shown(questions[one['task']])}: {shown(one['wrong'])}" for one in report["failed"][:FAILED_SHOWN]]
    more = len(report["failed"]) - FAILED_SHOWN
    return "\n".join([*lines, *([f"  and {more} more: --json"] if more > 0 else [])])
