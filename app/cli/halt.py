"""`nightdesk halt` and `nightdesk release`: the kill switch. The file is written before anything heavy is loaded, so a halt
works with the database, the worker and every model down. Called by app/cli/main.py."""

import os
import time
from pathlib import Path

import typer

from app.cli import out
from app.cli.words import shown
from app.people.identity import Actor, identify, os_user
from engine.clock import utc
from engine.control import halt
from engine.errors import BadInput, DeskError
from engine.making.under_halt import as_json as as_makers
from engine.making.under_halt import waited_for

CHANNEL = "cli"


def register(app: typer.Typer) -> None:
    """Add the two commands."""
    app.command("halt", context_settings={"ignore_unknown_options": True})(halt_desk)  # a slip of the hand halts too
    app.command("release")(release_desk)


def halt_desk(
    words: list[str] = typer.Argument(None, metavar="[WHY]...", help="why; it may follow later, by another halt"),
    reason: str = typer.Option("", "--reason", help="why; shown wherever the halt is shown"),
    as_name: str = typer.Option("", "--as", metavar="NAME", help="who you are (default: your OS account)"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Halt the desk now: no new entries, positions flattened, latched until released. Needs nothing: no reason, no database."""
    if words == ["status"] and not reason:  # who types that wants to look, and a halt closes positions
        raise BadInput(
            "NOT HALTED: `status` alone gives no reason", "nightdesk status says whether it is halted; nightdesk halt halts"
        )
    now_ms, home = _now_ms(), desk_to_halt()
    by = Actor(as_name.strip() or os_user(), "claimed", os_user(), CHANNEL).as_json()
    why = halt.reason_of(" ".join([reason, *(words or [])]))
    latch = halt.set(home, why, by, now_ms)
    notes = _spread(why, by, now_ms)
    follows = _follows(home)
    value = {"halted": latch.halted, "reason": latch.reason, "by": latch.by, "since_ms": latch.since_ms, "follows": follows}
    state, left = _state(home, latch.since_ms or now_ms)
    makers = waited_for(home, latch.since_ms or now_ms, time.sleep)
    value |= {"home": home, "notes": notes, "state": state, "left": left, "makers": as_makers(makers)}
    lines = [_halt_text(latch, home, follows), *_left_lines(state, left), *(shown(one.text) for one in makers), *notes]
    out.emit(value, as_json=as_json, text=lambda: "\n".join(lines))


def _state(home: Path, since_ms: int) -> tuple[str, list[str]]:
    """How far the halt has come, and what is left."""
    from engine.watch.halt_left import halt_state
    from engine.watch.window import journal_of

    found = halt_state(journal_of(home), since_ms)
    return found.state, list(found.left)


def _left_lines(state: str, left: list[str]) -> list[str]:
    """The same in lines."""
    return [f"{state}: still there:", *(f"  {shown(line)}" for line in left)] if left else [f"{state}: nothing is left"]


def desk_to_halt() -> Path:
    """The home that the environment names. Raises BadInput where no desk is: the halt of another folder stops nothing."""
    home = Path(os.environ.get("NIGHTDESK_HOME") or "var").expanduser().absolute()
    if not halt.has_desk(home):
        raise BadInput(f"NOT HALTED: no desk exists at {home}", "set NIGHTDESK_HOME to the desk that should stop")
    return home


def _follows(home: Path) -> str:
    """Who carries the halt out, as of now."""
    from engine.watch.following import HALT, carried_out

    return carried_out(home, _now_ms(), HALT)


def _spread(reason: str, by: dict[str, str], now_ms: int) -> list[str]:
    """Record a latched halt in the database and the people journal. Failures are reported and do not affect the halt."""
    try:
        from app.home.home import open_home
        from app.people.approvals import record

        home = open_home(now_ms)
        halt.set_row(home.engine, reason, by, now_ms)
        record(home, "halt", {"reason": reason, "actor": by}, now_ms)
    except DeskError as error:
        return [f"halted by file alone: {error}"]
    except Exception as error:  # noqa: BLE001 - the halt is latched; no database error may look like a failed halt
        return [f"halted by file alone: {type(error).__name__}: {error}"]
    return []


def _halt_text(latch: halt.Latch, home: Path, follows: str) -> str:
    since = utc(latch.since_ms)
    return (
        f"HALTED since {since} by {shown(latch.by) or 'unknown'}: {shown(latch.reason)} (desk {home})\n{follows}\n"
        "No new entries until:\n"
        "  nightdesk release --reason WHY --as NAME"
    )


def release_desk(
    reason: str = typer.Option(..., "--reason", help="what was found and fixed"),
    as_name: str = typer.Option(..., "--as", metavar="NAME", help="who releases"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Release the halt, if the health checks pass. Needs a name and a reason."""
    from app.home.home import existing_home
    from app.people.approvals import before_passphrase, release
    from app.people.identity import passphrase_needed
    from app.people.release_checks import healthy
    from engine.control.limits import limits_of
    from engine.watch.desk_view import desk_view, release_effect

    home = existing_home()
    actor = identify(home.path, as_name, CHANNEL)
    word = None
    if passphrase_needed(home.path):
        before_passphrase(home, actor, _now_ms(), act="release")  # nor ask for one during a lockout
        word = typer.prompt("passphrase", hide_input=True, err=True)
    latch = halt.read(home.path, home.engine)
    left = _state(home.path, latch.since_ms)[1] if latch.since_ms is not None else []
    effect = release_effect(desk_view(home.path, home.engine), limits_of(home.path).drawdown_frac_max)
    if effect and not as_json:
        typer.echo(effect, err=True)
    seen = release(home, actor, reason, lambda: healthy(home), _now_ms(), word)
    value = {"halted": False, "released": {"reason": seen.reason, "since_ms": seen.since_ms}, "actor": actor.as_json()}
    lines = [f"Released by {actor.name} ({actor.assurance}). The desk may open positions again."]
    lines += ["The halt had not come to its end; still there then:", *(f"  {shown(line)}" for line in left)] if left else []
    out.emit(value | {"left": left}, as_json=as_json, text=lambda: "\n".join(lines))


def _now_ms() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000
