"""`nightdesk strategies list | show | new | features | history | adopt`: what can be traded and tested, files, lives.

Called by app/cli/main.py. A person's file is parsed or described by another process here, never run.
"""

import inspect
from typing import Any

import typer

from app.cli import adopt_draft, out
from app.cli.words import shown
from engine.amounts import percent_text
from engine.clock import utc

JSON = typer.Option(False, "--json", help="one JSON object on stdout")
NAME = typer.Argument(..., metavar="NAME", help="lower-case letters, digits and _")


def register(app: typer.Typer) -> None:
    """Add `strategies`."""
    group = typer.Typer(no_args_is_help=True, help="Strategies: list, show, new, and the features that they may read.")
    for name, command in (
        ("list", listed),
        ("show", show),
        ("new", new),
        ("features", features),
        ("history", history),
        ("adopt", adopt_draft.adopt_draft),
    ):
        group.command(name)(command)
    app.add_typer(group, name="strategies")


def listed(as_json: bool = JSON) -> None:
    """List strategies: those that come with Nightdesk, then your own files."""
    from app.home.settings import read_settings
    from tools.market import strategy_lines

    items = [{"name": name, "shipped": shipped, "about": about} for name, shipped, about in strategy_lines(read_settings().home)]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(map(line, items)))


def line(item: dict[str, Any]) -> str:
    """A strategy as one line."""
    return f"{item['name']:<20}{'' if item['shipped'] else 'own  '}{shown(item['about'])}"


def show(name: str = NAME, as_json: bool = JSON) -> None:
    """Show a strategy: its hypothesis page, what it reads, its parameters with default, bounds and meaning."""
    from app.home.settings import read_settings
    from engine.strategies.base import OURS, params_table
    from engine.strategies.isolated.described import read_strategy

    module = read_strategy(name, read_settings().home / "strategies")
    about = inspect.cleandoc(module.__doc__ or "")
    value = {"name": name, "shipped": name in OURS, "about": about, "features": list(module.FEATURES)}
    value |= {"instruments": list(getattr(module, "INSTRUMENTS", ())), "series": sorted(getattr(module, "SERIES", {}))}
    value |= {"models": list(getattr(module, "MODELS", ()))}
    value |= {"params": params_table(module)}
    out.emit(value, as_json=as_json, text=lambda: page_text(value))


def history(
    sleeve: str = typer.Argument("", help="one sleeve (default: all, past ones too)"),
    as_json: bool = JSON,
) -> None:
    """Each sleeve from its first stage to now: when, who, why, and what it made in each; searches that can stop."""
    from app.home.home import existing_home
    from engine.errors import BadInput
    from engine.watch.lifecycle import lives
    from engine.watch.pruning import prunings

    home = existing_home()
    every = lives(home.path, home.engine)
    found = [life for life in every if sleeve in ("", life.sleeve)]
    if sleeve and not found:
        raise BadInput(
            f"the desk never had a sleeve {sleeve[:60]!r}", f"sleeves: {', '.join(one.sleeve for one in every) or 'none'}"
        )
    items = [life._asdict() | {"stages": [stage._asdict() for stage in life.stages]} for life in found]
    pruned = [] if sleeve else [one._asdict() for one in prunings(home.engine)]
    lines = [text for life in found for text in life_lines(life)] or ["the desk has had no sleeve yet"]
    lines += [f"proposed: {one['text']}" for one in pruned]
    out.emit({"items": items, "prunings": pruned}, as_json=as_json, text=lambda: "\n".join(lines))


def life_lines(life: Any) -> list[str]:
    """A sleeve's life: a line for it and one for each stage."""
    lines = [f"{shown(life.sleeve)} ({shown(life.strategy)}): {life.state}"]
    for one in life.stages:
        end = f"to {utc(one.until_ms)}" if one.until_ms is not None else "until now"
        made = "no figures" if one.strategy_net is None else f"{one.strategy_net:+,.2f} of the strategy"
        apart = (
            f", {one.net - one.strategy_net:+,.2f} in incidents" if one.net is not None and one.net != one.strategy_net else ""
        )
        won = "" if one.won is None else f", {percent_text(one.won, 0)} won"
        who = f"; by {shown(one.by)}{f': {shown(one.reason)}' if one.reason else ''}" if one.by else ""
        flat = f"; flat since {utc(one.flat_ms)}" if one.flat_ms is not None else ""
        when = f"{one.stage:<11} {utc(one.since_ms)} {end}, {one.days:.1f} days"
        lines.append(f"  {when}: {made}{apart}, {one.trips} round trips{won}{flat}{who}")
    return lines


def page_text(value: dict[str, Any]) -> str:
    """A strategy's page."""
    reads = [*value["features"], *value["instruments"], *value["series"], *(f"model {name}" for name in value["models"])]
    lines = [shown(line_) for line_ in value["about"].splitlines()]
    lines += ["", f"Reads: {shown(', '.join(reads)) or 'bars alone'}", ""]
    for row in value["params"]:
        low, high = row["low"], row["high"]
        bounds = " or ".join(row["choices"]) if row["choices"] else f"{low:g} to {high:g}" if None not in (low, high) else "any"
        unit = f" {row['unit']}" if row["unit"] else ""
        lines.append(f"  {row['key']:<20}{row['default']!s:<10}{bounds}{unit}: {shown(row['about'] or '')}")
    return "\n".join(lines)


def new(name: str = NAME, as_json: bool = JSON) -> None:
    """Write a strategy file of your own that runs, with its hypothesis page to fill in; a file that exists stays as it is."""
    from app.home.home import existing_home
    from engine.strategies.new_file import write_new

    path = write_new(name, existing_home().strategies)
    text = f"Wrote {path}: fill in its first lines, then\n  nightdesk backtest {name} --symbol BTC-USDT"
    out.emit({"name": name, "path": str(path)}, as_json=as_json, text=lambda: text)


def features(as_json: bool = JSON) -> None:
    """List the features that a strategy may read as f.NAME(...)."""
    from engine.features.catalog import FEATURES

    items = [{"name": f.name, "call": f"f.{f.name}{f.signature}", "inputs": list(f.inputs), "about": f.about} for f in FEATURES]
    out.emit({"items": items}, as_json=as_json, text=lambda: "\n".join(f"{i['call']}\n    {i['about']}" for i in items))
