"""`nightdesk strategies adopt NOTE --as NAME`: a drafted strategy with its checks, then a file. Called by strategies.py."""

import time
from typing import Any

import typer

from app.cli import out
from app.cli.words import shown


def adopt_draft(
    note: str = typer.Argument(..., metavar="NOTE", help="the note's name, as `notes list` shows it"),
    as_name: str = typer.Option("", "--as", metavar="NAME", help="who adopts it (asked for when it is left out)"),
    sha256: str = typer.Option("", "--sha256", help="of the code that you have read: writes it without asking"),
    symbol: str = typer.Option("BTC-USDT", "--symbol", help="instrument of the checks"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Show a drafted strategy's diff, look-ahead check and backtest, then write it into your strategies; off by default."""
    from app.home.home import existing_home
    from app.people import drafts
    from app.people.identity import identify
    from engine.errors import Refused

    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    actor = identify(home.path, as_name or typer.prompt("your own name", err=True), "cli")
    drafts.allowed_to(home, actor, now_ms)
    draft = drafts.draft_of(home, note)
    if sha256 and sha256 != draft.sha256:
        raise Refused(f"{note} changed since it was shown: its code is {draft.sha256}", "read it again without --sha256")
    diff, checks = drafts.diff_of(home, draft), drafts.checks_of(home, draft, symbol)
    value: dict[str, Any] = {"note": note, "strategy": draft.name, "from": draft.role, "sha256": draft.sha256}
    value |= {"diff": diff, "checks": checks, "path": None, "journal_id": None, "actor": actor.as_json()}
    passed = all(one["passed"] for one in checks)
    if not sha256 and not as_json:
        out.say("\n".join(_lines(value)))
    write = bool(sha256) or (not as_json and passed and typer.confirm(f"Write {draft.name}.py?", err=True))
    if write or not passed:
        value["journal_id"] = drafts.adopt(home, draft, checks, actor, now_ms)  # raises where a check failed
        value["path"] = str(home.strategies / f"{draft.name}.py")
    wrote = (
        f"Wrote {value['path']}, by {actor.name} ({value['journal_id']}). No sleeve trades it."
        if write
        else "Nothing was written."
    )
    out.emit(value, as_json=as_json, text=lambda: wrote)


def _lines(value: dict[str, Any]) -> list[str]:
    """Where it came from, the diff, each check."""
    head = [f"{value['strategy']}, from note {shown(value['note'])}: {shown(value['from'])}", f"sha256 {value['sha256']}", ""]
    checks = [f"{one['check']}: {'passed' if one['passed'] else 'FAILED'}. {shown(one['text'])}" for one in value["checks"]]
    return [*head, *map(shown, value["diff"].splitlines()), "", *checks]
