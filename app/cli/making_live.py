"""`nightdesk making promote | live`: a maker's steps from paper to money, and a maker at an account.

Called by app/cli/making.py. `promote` proposes, a person approves with `nightdesk proposals approve`; `live` becomes a process
that has the keys (app/processes/maker.py), with the worker's environment: this command never holds one.
"""

import os
import time
from typing import Any

import typer

from app.cli import out
from app.cli.data import named_path
from app.cli.making_adopt import adopt
from app.cli.words import shown
from engine.errors import BadInput

JSON = typer.Option(False, "--json", help="One JSON object on stdout.")
NAME = typer.Argument(..., metavar="NAME", help="Of the maker; its journal begins with this step.")


def register(group: typer.Typer) -> None:
    """Add the commands to the `making` group."""
    group.command("promote")(promote)
    group.command("live")(live)
    group.command("adopt")(adopt)


def promote(
    name: str = NAME,
    stage: str = typer.Argument(..., metavar="STAGE", help="testnet, live_small, live; or down: paper."),
    account: str = typer.Option("", "--account", help="of [accounts.NAME] with making = true."),
    after: str = typer.Option("", "--after", metavar="NAME", help="the maker that shows the stage before; its terms are taken."),
    tapes: str = typer.Option("", "--tapes", metavar="FOLDER", help="seven recorded days of its instrument."),
    size: float | None = typer.Option(None, "--size", help="Of a quote, base units; default: as before."),
    inventory: float | None = typer.Option(None, "--inventory", help="No quote that may lead beyond it."),
    inventory_max: float | None = typer.Option(None, "--inventory-max", help="Guardrail: more inventory halts the quoting."),
    loss_max: float | None = typer.Option(None, "--loss-max", help="Guardrail: a larger loss, quote currency, halts it."),
    flatten: bool = typer.Option(True, "--flatten-at-halt/--keep-at-halt", help="A halt leaves the inventory at the market."),
    as_name: str = typer.Option(..., "--as", metavar="NAME", help="who proposes"),
    as_json: bool = JSON,
) -> None:
    """Propose a step of a maker towards money. What it takes is looked at now, and when a person approves it."""
    from app.home.home import existing_home
    from app.people import makers
    from app.people.approvals import permit
    from app.people.identity import identify
    from engine.control.makers import PAPER, MakerStep, propose
    from engine.making.stored import folder_of

    home, now_ms = existing_home(), time.time_ns() // 1_000_000
    folder_of(home.path, name)
    actor = identify(home.path, as_name, "cli")
    permit(home, actor, "propose", now_ms)
    step = MakerStep(stage)
    if stage != PAPER:
        amounts = {"size": size, "inventory": inventory, "inventory_max": inventory_max, "loss_max": loss_max}
        terms = makers.terms_after(home, stage, account, after, {k: v for k, v in amounts.items() if v is not None}, flatten)
        if not tapes:
            raise BadInput("no tapes are named", "--tapes FOLDER: nightdesk l2 record makes them")
        step = MakerStep(stage, "", terms, makers.tapes_of(home, named_path(tapes), terms), after)
    missing = makers.lacking(home, name, step)
    requester = {"role": "person", "thread": "", "person": actor.name}
    row = propose(home.engine, home.path, name, step, {"requester": requester, "rationale": f"maker {name} to {stage}"}, now_ms)
    value = {"proposal": row.id, "maker": name, "stage": stage, "direction": row.direction, "lacking": missing}
    out.emit(value, as_json=as_json, text=lambda: proposed_text(value))


def proposed_text(value: dict[str, Any]) -> str:
    """What was proposed, and what it will be refused for as of now."""
    lines = [f"{value['proposal']}: maker {value['maker']} to {value['stage']} ({value['direction']}); nothing has changed yet"]
    lines += [f"  lacking: {shown(line)}" for line in value["lacking"]]
    return "\n".join([*lines, f"Approve it with your passphrase: nightdesk proposals approve {value['proposal']} --as NAME"])


def live(
    name: str = NAME,
    minutes: float | None = typer.Option(None, "--minutes", min=0.01, help="Stop after so long; default: at Ctrl-C."),
    as_json: bool = JSON,
) -> None:
    """A maker at its account, with play money or real money, by the step that a person has approved."""
    from app.processes.children import allowed_worker, home_of, maker_command

    environment = allowed_worker(os.environ, home_of(os.environ))
    command = maker_command(name, minutes, as_json=as_json)
    os.execve(command[0], command, environment)  # noqa: S606 - our own interpreter and module, which takes Ctrl-C itself
