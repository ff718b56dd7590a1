"""`nightdesk init | up | worker | doctor | status`. The last two only read, whether the desk runs or not. Called by
app/cli/main.py."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import typer

from app.cli import out
from app.cli.words import shown
from engine.amounts import price_text, quantity_text
from engine.book.quiet_close import pause_text, shut_text
from engine.clock import timeframe_ms, utc
from engine.errors import BadInput, Busy, DeskError

if TYPE_CHECKING:
    from app.home.home import Home


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("init")(init)
    app.command("up")(up)
    app.command("worker")(worker)
    app.command("doctor")(doctor)
    app.command("status")(status)


RATE = typer.Option(None, "--bars-per-second", help="replay pace after the full-speed part; default: desk.toml")


def init(as_json: bool = typer.Option(False, "--json")) -> None:
    """Make a home with its desk.toml, to be edited before the first start. Starts nothing; a home that exists stays as it is."""
    from app.home.home import open_home, sentence
    from app.home.settings import read_settings
    from app.processes.started import note_start

    fresh = not read_settings().desk_toml.exists()
    home = open_home()
    if fresh:
        note_start(home.settings)
    found = {"home": str(home.path), "desk_toml": str(home.path / "desk.toml"), "made": fresh, "source": home.feed.get("source")}
    made = f"Made {home.path}. {sentence(home.feed)}" if fresh else f"{home.path} exists; nothing was changed."
    out.emit(found, as_json=as_json, text=lambda: f"{made} Sleeves, limits and models: {found['desk_toml']}. Start: nightdesk up")


def up(bars_per_second: float = RATE) -> None:
    """Start the desk: worker, API and page. Ctrl-C stops it; the next start resumes."""
    from app.cli.api import new_link
    from app.home.home import open_home
    from app.processes.children import TUNED
    from app.processes.room import lacking
    from app.processes.started import note_start
    from app.views.desk_status import running, walks_on

    if short := lacking():
        raise BadInput(*short.split(" - ", 1))
    home = open_home()
    words = words_of(bars_per_second)
    if (holder := running(home)) is not None:
        raise Busy(f"a worker already runs on {home.path}{holder}", "stop it first, or set NIGHTDESK_HOME to another home")
    arrived(home)
    note_start(home.settings)
    free_ports(home.path)
    new_link(home.path)
    about = f"{walks_on(home)}. {answers(home)}"
    command = [sys.executable, "-P", "-m", "app.processes.supervisor", str(home.path), about, *words]
    environment = {**os.environ, **TUNED}
    os.execve(command[0], command, environment)  # noqa: S606 - our own interpreter; it stays small without this command's libraries


def answers(home: "Home") -> str:
    """Which model answers in the chat, in a sentence."""
    from agents.endpoints import choose

    entries = {name: entry.model_dump() for name, entry in home.desk.models.items()}
    chosen = choose(entries, os.environ)
    if chosen is None:
        return "Answers come from the offline model; no key is used."
    return f"Answers come from {chosen.model or 'a model'} at {chosen.host}; the page says what is sent there."


def worker(bars_per_second: float = RATE) -> None:
    """Run only the trading process, in the foreground; `up` starts it for you."""
    from app.home.home import open_home
    from app.processes.children import become_worker
    from app.processes.started import note_machine

    home = open_home()
    arrived(home)
    note_machine(home.path)
    become_worker(words_of(bars_per_second))


def arrived(home: "Home") -> None:
    """Say it where a home last ran on another machine. Raises Busy while it runs there."""
    from app.processes.last_machine import arrive

    if text := arrive(home, time.time_ns() // 1_000_000):
        out.say(text)


def free_ports(home: Path) -> None:
    """Raises Busy when the port of the API or the page is taken, with how to choose another."""
    from app.processes.children import ports, taken

    for name, table, port in zip(("API", "page"), ("api", "ui"), ports(home), strict=True):
        if taken(port):
            hint = f"choose another: [{table}] port in desk.toml, or NIGHTDESK_{table.upper()}_PORT=..."
            raise Busy(f"port {port} for the {name} is in use by another program", hint)


def words_of(bars_per_second: float | None) -> list[str]:
    """The worker's options. Raises BadInput for an invalid pace."""
    if bars_per_second is None:
        return []
    if not 0 < bars_per_second <= 100_000:
        raise BadInput(f"--bars-per-second {bars_per_second:g} is out of range", "use a value above 0, at most 100000")
    return ["--bars-per-second", f"{bars_per_second:g}"]


# ---- doctor ------------------------------------------------------------------------------------------------------------


class DoctorCheck(NamedTuple):
    """One check: ok, warning, bad or unknown."""

    name: str
    state: str
    text: str


def doctor(
    model: str = typer.Option(None, "--model", metavar="NAME", help="try a model of desk.toml"),
    as_json: bool = typer.Option(False, "--json"),
) -> None:
    """Check configuration, data, model and health. Exit code 1 if the desk cannot trade safely."""
    from app.cli.needs import lines_of
    from app.home.home import open_home

    if model is not None:
        from app.cli.models import check

        check(model, as_json=as_json)
        return
    home = open_home()
    found = [*home_checks(home), *health_checks(home)]
    safe = not any(f.state in {"bad", "unknown"} for f in found)
    wanted = optional(home)
    value = {"ok": safe, "home": home.path, "items": [f._asdict() for f in found], "needs": [need._asdict() for need in wanted]}
    out.emit(value, as_json=as_json, text=lambda: "\n".join([*lines_of(wanted), doctor_text(found, safe=safe)]))
    if not safe:
        raise typer.Exit(1)


def optional(home: Any) -> list[Any]:
    """What the desk could have, and has not; nothing where a fault, which the checks name, keeps it from being looked at."""
    from app.cli.needs import needs

    try:
        return needs(home)
    except DeskError:
        return []


def home_checks(home: Any) -> list[DoctorCheck]:
    """Home, database, configuration and bars."""
    from engine.control.agreement import followed
    from engine.control.config import active, file_differences, is_written
    from engine.control.limits import retired_in

    opened = [
        DoctorCheck("home", "ok", f"{home.path} is writable"),  # opening it has written
        DoctorCheck("database", "ok", home.engine.url.render_as_string(hide_password=True)),
    ]
    try:
        desk = active(home.engine, home.path)
    except DeskError as error:
        return [*opened, DoctorCheck("configuration", "bad", str(error)), *agreeing(home), answering(home)]
    text = f"version {desk.version}: {', '.join(f'{name} v{n}' for name, n in desk.sleeves.items())}, {home.desk.trades}"
    if not is_written(home.engine) and followed(home.path).version == 0:
        text += "; desk.toml may still be edited, until the worker's first start or the first approval"
    return [
        *opened,
        DoctorCheck("configuration", "ok", text),
        *[DoctorCheck("desk.toml", "ok", found) for found in [file_differences(home.path, desk)] if found],
        *[DoctorCheck("limits", "warning", f"desk.toml: {note}; delete the line") for note in retired_in(home.path)],
        *agreeing(home),
        bars(home, desk.config),
        answering(home),
    ]


def agreeing(home: Any) -> list[DoctorCheck]:
    """Every point in which journal and database contradict each other."""
    from engine.control.agreement import differences

    apart = [DoctorCheck("agreement", "bad", line) for line in differences(home.path, home.engine)]
    return apart or [DoctorCheck("agreement", "ok", f"journal, database and folder agree (home {home.id})")]


def answering(home: Any) -> DoctorCheck:
    """Which model answers questions. A model that cannot be used is only a warning: the desk trades without one."""
    from agents.endpoints import choose, key_of, privacy_sentence

    try:
        endpoint = choose({name: entry.model_dump() for name, entry in home.desk.models.items()}, os.environ)
        if endpoint is None:
            return DoctorCheck("model", "ok", "offline model: deterministic, no key, nothing leaves this machine")
        key_of(endpoint, os.environ)
    except DeskError as error:
        return DoctorCheck("model", "warning", f"{error}; the offline model answers")
    return DoctorCheck("model", "ok", f"{privacy_sentence(endpoint)} Try it: nightdesk doctor --model {endpoint.name}")


def bars(home: Any, config: Any) -> DoctorCheck:
    """Whether the sleeves' bars and funding exist, and where they end."""
    from engine.data.timeframes import known_until, parts_of, series_of
    from engine.features.reads import files_read
    from engine.live import config_event
    from engine.watch.window import desk_ms

    if all(sleeve.venue == "synthetic" for sleeve in config.sleeves):
        return DoctorCheck("data", "ok", "a SYNTHETIC market, generated at the first start: no real prices")
    if home.desk.data.source == "live":
        names = ", ".join(config_event.instruments(config))
        return DoctorCheck("data", "ok", f"live bars of {names} as they close; a start reads by REST what is missing")
    try:
        clock = config.clock
        series = series_of(home.catalog, config_event.columns(config), clock)
        read = files_read(home.catalog, config_event.reads_of_config(config, home.strategies))
        others = [s for one in read.values() for s in one.bars.values()]
        end = known_until([*series.values(), *others], timeframe_ms(clock))
    except DeskError as error:
        return DoctorCheck("data", "bad", str(error))
    traded = {parts_of(column, clock)[0]: s for column, s in series.items()}
    lacking = [name for name, s in traded.items() if s.market == "perp" and home.catalog.funding(s.venue, s.symbol) is None]
    if lacking:
        return DoctorCheck("data", "bad", f"no funding rates for {', '.join(lacking)}; run: nightdesk data pull")
    text = f"{'+'.join(sorted({s.source for s in series.values()}))} bars of {len(traded)} instruments up to {utc(end)}"
    at = desk_ms(home.path)
    if at is not None and at >= end:
        return DoctorCheck("data", "warning", f"{text}: the desk has processed all of them and waits for more")
    return DoctorCheck("data", "ok", text)


def health_checks(home: Any) -> list[DoctorCheck]:
    """The health checks that the operator's tool runs too. A stopped desk is only a warning while it is flat."""
    from engine.watch.desk_view import desk_view
    from engine.watch.halt_left import lost_end
    from engine.watch.health import checks
    from engine.watch.heartbeat import heartbeat_of

    view, beat, now_ms = desk_view(home.path, home.engine), heartbeat_of(home.path), time.time_ns() // 1_000_000
    found = [DoctorCheck(check.name, check.state, check.text) for check in checks(home.path, home.engine, now_ms, full=True)]
    lost = bool(lost_end(home.path))
    begun = view.mark is not None or lost
    rests = not begun or (beat.get("phase") == "stopped" and not lost)
    holds = any(sleeve.get("position") for sleeve in view.sleeves.values())
    out_of = []
    for finding in found:
        state, text = finding.state, finding.text
        if finding.name == "worker" and state == "bad" and rests and not holds:
            state, text = "warning", "no worker is running and no position is open: start it with nightdesk up"
        if finding.name == "bars" and not begun:
            state, text = "warning", "the desk has not started yet: start it with nightdesk up"
        out_of.append(finding._replace(state=state, text=text))
    return out_of


def doctor_text(found: list[DoctorCheck], *, safe: bool) -> str:
    """The checks as lines, the verdict last."""
    lines = [f"{f.state:<8} {f.name}: {f.text}" for f in found]
    end = "The desk can trade safely." if safe else "The desk can NOT trade safely: see the lines marked bad or unknown."
    return "\n".join([*lines, end])


# ---- status ------------------------------------------------------------------------------------------------------------


def status(as_json: bool = typer.Option(False, "--json")) -> None:
    """Show the desk: desk time, equity, sleeves, positions with their protective levels, halt, versions."""
    from app.home.home import existing_home
    from engine.control.checklists import open_lines
    from engine.control.config import active_version
    from engine.watch.desk_view import desk_view
    from engine.watch.identity import identity, identity_json
    from engine.watch.phases import phase_json, phase_of
    from engine.watch.silence.status import last_silences

    home = existing_home()
    view = desk_view(home.path, home.engine)
    value = {"home": home.path, **view._asdict(), "active_version": active_version(home.engine)}
    value |= {"halt": view.halt._asdict(), "worker": vars(view.worker), "identity": identity_json(identity(home.path))}
    value |= {"silences": last_silences(home.path) or None, "phase": phase_json(phase_of(home.path))}
    value |= {"checklists": open_lines(home.path)}
    del value["mark"]
    out.emit(value, as_json=as_json, text=lambda: status_text({**value, **_words_of(home, view)}))


def _words_of(home: Any, view: Any) -> dict[str, str]:
    """Sentences of the status: the drawdown, and who carries out a halt or a new version."""
    from engine.control.agreement import differs
    from engine.control.config import active_version
    from engine.watch.account_state import shut_row
    from engine.watch.desk_view import drawdown_text, incident_text
    from engine.watch.following import HALT, VERSION, carried_out
    from engine.watch.halt_left import lost_end, tried_text

    now_ms, active = time.time_ns() // 1_000_000, active_version(home.engine)
    behind = f"Version {active} is in force, the desk runs {view.version}. {carried_out(home.path, now_ms, VERSION)}"
    if view.version is not None and active != view.version and (why := differs(home.engine, home.desk_journal)):
        behind = f"The desk stays on version {view.version}: {why}. See nightdesk doctor"
    said = {"drawdown": drawdown_text(view), "incident_text": incident_text(view), "lost_end": lost_end(home.path)}
    follows = carried_out(home.path, now_ms, HALT)
    if left := tried_text(home.desk_journal, view.halt.since_ms):  # nothing is on its way any more
        follows = shown(left) + ("" if follows.startswith("The worker ") else f"\n{follows}")
    shut = shut_row(home.desk_journal, view.worker.pid) if view.worker.running and not view.halt.halted else ""
    return said | {"halt_follows": follows, "version_follows": behind, "shut": shut}


def status_text(value: dict[str, Any]) -> str:
    """The status as lines."""
    from app.cli.basket_text import basket_lines
    from engine.watch.identity import identity_lines

    if value["desk_ms"] is None:
        begun = f"do not start it: {value['lost_end']}" if value["lost_end"] else "Start it with: nightdesk up"
        what = "this desk has lost its journal" if value["lost_end"] else "this desk has not started yet"
        return "\n".join([f"{value['home']}: {what}. {begun[0].upper()}{begun[1:]}", *halted_lines(value)])
    head = (
        f"Desk time {utc(value['desk_ms'])}, {value['mode'].upper()} on {value['source']} bars, worker {value['worker']['phase']}"
    )
    lines = [head + (f": {value['worker']['note']}" if value["worker"]["note"] else "")]
    lines += [f"Nothing enters: {shown(value['shut'])}; see nightdesk live gate"] if value["shut"] else []
    lines.append(f"Equity {value['equity']:,.2f}, {value['drawdown']}, exposure {value['gross']:,.2f}, {value['bars']} bars")
    lines += [f"NOT AS IT IS: {value['lost_end']}"] if value["lost_end"] else []
    lines += [f"Of the P&L {value['incident_text']}"] if value["incident_text"] else []
    lines += identity_lines(value["identity"])
    lines += [value["phase"]["text"]] if value["phase"] else []
    lines += silent_lines(value["silences"])
    lines += halted_lines(value)
    lines += [f"On {name}: {text}" for name, text in value["canaries"].items()]
    if value["breakers"]:
        lines.append(f"Tripped breakers: {', '.join(value['breakers'])}")
    if value["active_version"] != value["version"]:
        lines.append(value["version_follows"])
    of_sleeves = (line for name, sleeve in value["sleeves"].items() for line in sleeve_lines(name, sleeve))
    return "\n".join([*lines, *of_sleeves, *basket_lines(value.get("basket"))])


def silent_lines(found: Mapping[str, Any] | None) -> list[str]:
    """A line for what should have happened and did not."""
    silent = [one for one in (found or {}).get("items", ()) if one["state"] == "silent"]
    more = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return [f"SILENT: {silent[0]['text']}{more}; see nightdesk silences"] if silent else []


def halted_lines(value: dict[str, Any]) -> list[str]:
    """A line for each runbook that is worked through; when the desk is halted: by whom, why, and whether it has come to it."""
    worked = [f"Runbook {line}; see nightdesk runbooks next" for line in value.get("checklists", ())]
    if not value["halt"]["halted"]:
        return worked
    state = "" if value["state"] in (None, "running") else f" - the desk is {value['state']}"
    lines = [*worked, f"HALTED by {value['halt']['by'] or 'unknown'}: {value['halt']['reason']}{state}"]
    return lines if value["state"] == "halted" else [*lines, value["halt_follows"]]


def sleeve_lines(name: str, sleeve: dict[str, Any]) -> list[str]:
    """One sleeve: money, position, each layer's levels, its pauses."""
    from engine.watch.health import bare_text

    stage = sleeve.get("stage_reached") or sleeve.get("stage")
    waits = f", v{sleeve['waiting_version']} from its next entry on" if sleeve.get("waiting_version") else ""
    pauses = "".join(
        text
        for key, text in (
            ("paused", f", {pause_text(sleeve).replace('paused', 'PAUSED', 1)}"),
            ("paused_until_ms", ", pauses"),
            ("blocked_until_ms", ", blocked"),
        )
        if sleeve.get(key)
    )
    pauses += f", {shut_text(sleeve['shut_until_ms'])}" if sleeve.get("shut_until_ms") else ""
    pauses += f", {stage}" if stage else ""
    position = sleeve.get("position")
    exposure = f"{position['side']} {quantity_text(position['quantity'])}" if position else "flat"
    lines = [f"  {name:<16} {exposure:<14} equity {sleeve['equity']:,.2f}  v{sleeve['version']}{waits}{pauses}"]
    for layer in position["layers"] if position else []:
        target = f", target {price_text(layer['target'])}" if layer["target"] is not None else ""
        due = f", exits at the next open ({layer['due']})" if layer["due"] else ""
        stop = f"{layer['protective_kind']} at {price_text(layer['protective'])}{bare_text(layer)}"
        lines.append(f"    entry {price_text(layer['entry'])}, {stop}{target}{due}")
    return lines
