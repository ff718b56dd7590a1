"""`nightdesk live test | gate | consent | stages | stage`: an account on its way to money. Called by app/cli/main.py.

`test` asks a person, then has the worker probe the account, or a process of its own where none runs
(app/processes/account_probe.py): this command never holds a key. `gate` shows why nothing enters, `consent` says yes to what it
waits for. `stages` shows what each sleeve lacks for its next stage, `stage` proposes the step.
"""

import json
import os
import subprocess
import time
from pathlib import Path
from shlex import quote
from typing import Any

import typer

from app.cli import out
from app.cli.handing import passphrase
from app.cli.words import shown
from engine.clock import utc
from engine.errors import BadInput, DataError, Refused

WAIT_S = 300.0  # for a process that probes; each of its requests has a limit of its own
WORKER_S = 180.0  # for a worker that was asked
LOOK_S = 0.5
AS = typer.Option(..., "--as", metavar="NAME", help="who you are")
JSON = typer.Option(False, "--json")
AFTER = typer.Option("", "--after", metavar="HOME", help="folder of the home in which the stage before was")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="An account on its way to money: probe, gate, stages.")
    for name, command in (("test", probe_account), ("gate", gate), ("consent", consent), ("stages", stages), ("stage", stage)):
        group.command(name)(command)
    app.add_typer(group, name="live")


def now() -> int:
    """Wall time."""
    return time.time_ns() // 1_000_000


# ---- probe -------------------------------------------------------------------------------------------------------------------


def probe_account(
    name: str = typer.Argument(..., metavar="NAME", help="of [accounts.NAME] in desk.toml"),
    round_trip: bool = typer.Option(False, "--round-trip", help="also buy and sell the least that the venue takes, timed"),
    yes: bool = typer.Option(False, "--yes", help="do not ask; the cost is accepted"),
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Probe an account: a far order and a far stop are placed, read back, moved, cancelled. Asks first. Exit 1: red."""
    from app.home.home import existing_home
    from app.people.consents import ask_for_probe
    from app.people.identity import identify
    from engine.watch.health import worker_pid

    home = existing_home()
    actor, cost = identify(home.path, as_name, "cli"), process(name, "cost")
    if not as_json or not yes:
        typer.echo(cost_text(cost, round_trip), err=as_json)
    if not yes and not typer.confirm("Send these orders?", err=True):
        raise Refused("nothing was sent", "answer y, or give --yes")
    seen = last_seq(home)
    ask_for_probe(home, actor, now(), passphrase(home, actor, "live test", "probe"), round_trip=round_trip)
    if worker_pid(home.path) is None:
        found = process(name, "round_trip" if round_trip else "far")
        probes = [probe for item in found["items"] for probe in item["probes"]]
    else:
        probes = by_worker(home, seen, [item["instrument"] for item in cost["items"]], round_trip)
    value = {**cost, "kind": "round_trip" if round_trip else "far", "probes": probes, "ok": all(p["ok"] for p in probes)}
    out.emit(value, as_json=as_json, text=lambda: probes_text(value))
    if not value["ok"]:
        raise typer.Exit(1)


def process(name: str, what: str) -> dict[str, Any]:
    """What the process that has the keys found."""
    from app.processes.children import account_probe_command, allowed_worker, home_of

    environment = allowed_worker(os.environ, home_of(os.environ))
    try:
        done = subprocess.run(  # noqa: S603 - our own interpreter and module
            account_probe_command(name, what),
            env=environment,
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            timeout=WAIT_S,
            check=False,
            start_new_session=True,  # Ctrl-C here leaves no order there
        )
        found: dict[str, Any] = json.loads(done.stdout)
    except (subprocess.TimeoutExpired, ValueError) as error:
        what = f"the probe of {name[:60]} gave no answer ({type(error).__name__}): orders of it may stand at the venue"
        raise DataError(what, "look at the venue's open orders; their ids begin with ndpr0b") from None
    if "error" in found:
        raise BadInput(found["error"]["what"], found["error"]["hint"])
    return found


def last_seq(home: Any) -> int:
    """The number of the last probe in the desk's journal."""
    from engine.store.lookback import last

    event = last(home.desk_journal, ("probe",))
    return 0 if event is None else event.seq


def by_worker(home: Any, seen: int, instruments: list[str], round_trip: bool) -> list[dict[str, Any]]:
    """What the worker's probes found after event `seen`. Raises DataError when it makes none in time."""
    from engine.store.journal import read

    due, kinds = time.monotonic() + WORKER_S, ["far", *(["round_trip"] if round_trip else [])]
    found: dict[tuple[str, str], dict[str, Any]] = {}
    while time.monotonic() < due:
        for event in read(home.desk_journal, {"probe"}, seen):
            if event.body["what"] == "ended":
                found[event.body["kind"], event.body["instrument"]] = dict(event.body)
        red = any(not probe["ok"] for probe in found.values())
        if red or all((kind, name) in found for kind in kinds for name in instruments):
            return list(found.values())
        time.sleep(LOOK_S)
    raise DataError("the worker has made no probe: its desk is halted, or its gate is closed", "nightdesk live gate says why")


def cost_text(found: dict[str, Any], round_trip: bool) -> str:
    """What it does and costs, before it is done."""
    lines = [f"{found['account']} ({found['venue']}, {found['mode']})"]
    for item in found["items"]:
        line = f"  {item['instrument']}: an order and a stop of least size, far from the market, are placed and cancelled: no fee"
        if round_trip:
            line += f"; then {item['notional_usd']:,.2f} USDT are bought and sold at the market, about {item['cost_usd']:,.4f}"
        lines.append(line)
    return "\n".join(lines)


def probes_text(value: dict[str, Any]) -> str:
    """The verdict, then each leg."""
    lines = ["ok" if value["ok"] else "RED: nothing should enter there"]
    for probe in value["probes"]:
        cost = f", cost {probe['cost']:.4f} USDT" if probe["kind"] == "round_trip" else ""
        lines.append(f"{shown(probe['instrument'])} {probe['kind']}{cost}")
        for leg in probe["legs"]:
            ms = "" if leg["ms"] is None else f" {leg['ms']} ms"
            lines.append(f"  {leg['result']:<10}{leg['name']}{ms}{': ' + shown(leg['why']) if leg['why'] else ''}")
        lines += [f"  LEFT      {shown(line)}" for line in probe["left"]]
    return "\n".join(lines)


# ---- gate --------------------------------------------------------------------------------------------------------------------


def gate(as_json: bool = JSON) -> None:
    """Why nothing enters: each row of the gate as the worker last said it, what else is not well. Exit 1 while it is closed."""
    from app.home.home import existing_home
    from engine.book.bodies import OFF
    from engine.watch.account_state import gate_seen, spells
    from engine.watch.health import worker_pid
    from engine.watch.heartbeat import heartbeat_of

    home = existing_home()
    event = gate_seen(home.desk_journal)
    if event is None:
        what = "no gate has been asked here: no account is traded, or its worker has just begun"
        raise BadInput(what, "nightdesk status says what is traded; nightdesk account list")
    unwell = {spell.what: spell.why for spell in spells(home.desk_journal) if spell.over_ms is None}
    shut = unwell.pop("gate", "")  # it closes before it has asked any row: at a halt, at an incident
    value = {"open": event.body["open"] and not shut, "t_ms": event.t_recv_ms, "rows": event.body["rows"], "shut": shut}
    off = {what.removeprefix(OFF): why for what, why in unwell.items() if what.startswith(OFF)}  # by now: the event is older
    value |= {"off": off, "unwell": unwell, "resting": resting(home.desk_journal)}
    beat = heartbeat_of(home.path) if worker_pid(home.path) is not None else {}
    before = "no worker runs" if not beat else "the worker is starting" if beat.get("phase") == "starting" else ""
    was = f"{before}: the gate as it was at {utc(event.t_recv_ms)}\n" if before else ""
    out.emit(value, as_json=as_json, text=lambda: was + gate_text(value))
    if not value["open"]:
        raise typer.Exit(1)


def resting(journal: Path) -> dict[str, str]:
    """Sleeves that enter nothing by their stage, whatever the gate says: name -> stage. With money it is most of them."""
    from engine.book.bodies import stage_rests
    from engine.watch.window import mark_at, mode_of

    mark = mark_at(journal)
    stages = {name: one.get("stage", "paper") for name, one in (mark.body["sleeves"] if mark else {}).items()}
    return {name: stage for name, stage in stages.items() if stage_rests(stage, mode_of(journal))}


def gate_text(value: dict[str, Any]) -> str:
    """A line a row."""
    from engine.book.bodies import OFF
    from engine.watch.account_state import first_causes

    words = {True: "ok", False: "CLOSED", None: "not asked"}
    entering = "open; by their stage not all sleeves enter" if value["resting"] else "open: sleeves may enter"
    opened = "open; what is not well keeps entries away" if value["unwell"] else entering
    shut = f", {shown(value['shut'])}" if value["shut"] else ""
    lines = [opened if value["open"] else f"CLOSED{shut}: nothing enters (docs/runbooks/gate-closed.md)"]
    for row in value["rows"]:
        tries = f", tried {row['tries']} times" if row["tries"] > 1 else ""
        lines.append(f"  {words[row['ok']]:<10}{row['name']}{tries}{': ' + shown(row['why']) if row['why'] else ''}")
    own = {name: why for name, why in first_causes(value["unwell"]).items() if not name.startswith(OFF)}
    lines += [f"  not well  {shown(name)}: {shown(why)}" for name, why in own.items()]
    lines += [
        f"  note      {shown(name)} enters nothing at stage {at}: nightdesk live stages" for name, at in value["resting"].items()
    ]
    lines += [f"  note      {shown(name)} is off, its sleeves alone: {shown(why)}" for name, why in value["off"].items()]
    return "\n".join(lines)


def consent(as_name: str = AS, yes: bool = typer.Option(False, "--yes", help="do not ask"), as_json: bool = JSON) -> None:
    """Say yes to what the gate waits for: other code under an open position, or a round trip that costs money. Once."""
    from app.home.home import existing_home
    from app.people.consents import consent as consent_to
    from app.people.consents import waits_for
    from app.people.identity import identify

    home = existing_home()
    actor, row = identify(home.path, as_name, "cli"), waits_for(home)
    if row is None:
        raise Refused("the gate waits for nobody", "nightdesk live gate")
    typer.echo(f"{row['name']}: {shown(row['why'])}", err=True)
    if not yes and not typer.confirm("Say yes to exactly this, once?", err=True):
        raise Refused("nothing was said", "answer y, or give --yes")
    id_ = consent_to(home, row["consent"], actor, now(), passphrase(home, actor, "consent", "consent"))
    value = {"consent": row["consent"], "row": row["name"], "actor": actor.as_json(), "journal_id": id_}
    out.emit(
        value,
        as_json=as_json,
        text=lambda: f"Said by {actor.name} ({actor.assurance}); the gate looks within 5 s.",
    )


# ---- stages ------------------------------------------------------------------------------------------------------------------


def stages(after: str = AFTER, as_json: bool = JSON) -> None:
    """Where each sleeve is between paper and money, and what it lacks for the next stage."""
    from app.home.home import existing_home
    from app.people.stages import stage_rows

    rows = stage_rows(existing_home(), after, now())
    out.emit({"items": rows}, as_json=as_json, text=lambda: "\n".join(stage_text(row, after) for row in rows))


def stage_text(row: dict[str, Any], after: str = "") -> str:
    """A sleeve, a line for each thing that is lacking, and what its time in shadow has shown; `after`: the evidence looked at."""
    seen = [] if row["shadow"] is None else shadow_lines(row["shadow"])
    if row["next"] is None:
        return "\n".join([f"{shown(row['sleeve'])}: {row['stage']}, the last stage", *seen])
    ready = f"ready: nightdesk live stage {shown(row['sleeve'])} {row['next']}{after and f' --after {quote(after)}'} --as NAME"
    lines = [f"{shown(row['sleeve'])}: {row['stage']}; for {row['next']}: {ready if not row['lacking'] else 'lacking'}"]
    return "\n".join([*lines, *(f"  {shown(line)}" for line in row["lacking"]), *seen])


def shadow_lines(seen: dict[str, Any]) -> list[str]:
    """What shadow has shown of a sleeve: what the fill model counts beside what the book would have cost."""

    def bps(name: str) -> str:
        return "-" if seen[name] is None else f"{seen[name]:.2f}"

    refused = f", {seen['refused']} the venue would have refused" if seen["refused"] else ""
    crossing = f", {seen['crossing']} limits would have taken at once" if seen["crossing"] else ""
    thin = f", {seen['thin']} beyond the levels that were read" if seen["thin"] else ""
    costs = f"fill model {bps('assumed_bps')}, book {bps('book_bps')} (95 % of them below {bps('book_p95_bps')})"
    return [
        f"  in shadow: {seen['orders']} orders did not leave{refused}{crossing}",
        f"  at the market {seen['at_market']}, with the book {seen['compared']}{thin}",
        f"  cost in bps: {costs}, spread {bps('spread_bps')}",
    ]


def stage(
    sleeve: str = typer.Argument(..., metavar="SLEEVE"),
    to: str = typer.Argument(
        ..., metavar="STAGE", help="paper_live, shadow, testnet, live_small, live; or down: paper, draft, retired"
    ),
    after: str = AFTER,
    as_name: str = AS,
    as_json: bool = JSON,
) -> None:
    """Propose a stage for a sleeve. What it takes is looked at when a person approves it by name and passphrase."""
    from app.home.home import existing_home
    from app.people.approvals import permit
    from app.people.identity import identify
    from app.people.stages import home_before, missing_for
    from engine.control import proposals
    from engine.control.canary import plan_for, watch_rows
    from engine.control.stages import STEPS

    home, now_ms = existing_home(), now()
    actor = identify(home.path, as_name, "cli")
    permit(home, actor, "propose", now_ms)
    evidence = [{"role": "home", "path": str(home_before(after).resolve())}] if after else []
    evidence += _run_in_force(home, sleeve)
    requester = {"role": "person", "thread": "", "person": actor.name}
    row = proposals.create(
        home.engine,
        home.path,
        sleeve=sleeve,
        changes={"stage": to},
        evidence=evidence,
        rationale=f"stage {to}",
        requester=requester,
        now_ms=now_ms,
        canary=plan_for(None, home.desk.canary.plan, has_part=False),
    )
    missing = missing_for(home.path, sleeve, to, after, now_ms) if to in STEPS and row.direction != "tightens" else []
    watched = [f"{label}: {text}" for label, text in watch_rows(json.loads(row.diff), proposals.view(home.engine, row)["parts"])]
    value = {
        "proposal": row.id,
        "sleeve": sleeve,
        "stage": to,
        "direction": row.direction,
        "lacking": missing,
        "watched": watched,
    }
    out.emit(value, as_json=as_json, text=lambda: proposed_text(value))


def _run_in_force(home: Any, sleeve: str) -> list[dict[str, str]]:
    """The newest run of what the sleeve trades, against which the step is watched; none where none is stored."""
    from engine.control.canary import IN_FORCE
    from engine.control.code_changes import code_in_force, run_in_force
    from engine.control.config import active

    config = active(home.engine, home.path).config.sleeve(sleeve)
    run_id = run_in_force(home.engine, home.path, config, code_in_force(home.path, config))
    return [{"role": IN_FORCE, "run_id": run_id}] if run_id else []


def proposed_text(value: dict[str, Any]) -> str:
    """What was proposed, and what it will be refused for as of now."""
    lines = [f"{value['proposal']}: {shown(value['sleeve'])} to {value['stage']} ({value['direction']}); nothing has changed yet"]
    lines += [f"  {shown(line)}" for line in value["watched"]]
    lines += [f"  lacking: {shown(line)}" for line in value["lacking"]]
    how = "" if value["direction"] == "tightens" else " with your passphrase"
    return "\n".join([*lines, f"Approve it{how}: nightdesk proposals approve {value['proposal']} --as NAME"])
