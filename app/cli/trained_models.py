"""`nightdesk models train | list | show | propose | shadow | drift`: models that are trained on bars. Called by app/cli/main.py.

A language model is not among them: that is `nightdesk doctor --model NAME`. Nothing here changes what the desk trades: a proposal
is applied by a person.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from app.cli import model_shadow, out
from engine.amounts import percent_text

JSON = typer.Option(False, "--json", help="one JSON object on stdout")
FEATURES_SHOWN = 8


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Models trained on bars (of language models: nightdesk doctor --model).")
    group.command("train")(train)
    group.command("list")(list_models)
    group.command("show")(show)
    group.command("propose")(propose)
    group.add_typer(model_shadow.group(), name="shadow")
    group.command("drift")(drift)
    app.add_typer(group, name="models")


def train(
    config: Path = typer.Argument(..., metavar="CONFIG.toml", help="what is trained: docs/models.md"),
    workers: int | None = typer.Option(None, "--workers", min=1, max=64, help="processes; default: one a core"),
    as_json: bool = JSON,
) -> None:
    """Train every model that the file names, check it for leaks, and store it with what it was worth; exit 1 if one failed.

    Stopped, it goes on where it was when it is started again.
    """
    from app.home.home import open_home
    from app.jobs import training

    home = open_home()
    with out.progress(f"training {config.name}", 1.0) as advance:
        try:
            found = training.train(home, config, workers, advance, out.say)
        except KeyboardInterrupt:
            out.say("the folds that were fitted are kept; the same command goes on from there")
            raise
    out.emit(found, as_json=as_json, text=lambda: trained_text(found))
    if any("error" in item for item in found["items"]):
        raise typer.Exit(1)


def list_models(as_json: bool = JSON) -> None:
    """Every stored version: its state and who reads it, what it predicts, its figure out of sample, its gates."""
    from app.home.home import existing_home
    from app.jobs import training

    items = training.stored(existing_home())
    out.emit({"items": items}, as_json=as_json, text=lambda: list_text(items))


def show(
    name: str = typer.Argument(..., help="a model"),
    version: str | None = typer.Argument(None, help="1.2.0; without: the last"),
    as_json: bool = JSON,
) -> None:
    """A stored model with its folds, baselines and gates."""
    from app.home.home import existing_home
    from app.jobs import training
    from engine.models.training_report import line_of

    found = training.shown(existing_home(), name, version)
    found["line"] = (
        f"{found['name']}@{found['version']}: {line_of(found)}"
        if "test" in found
        else f"{name}: {found.get('text', 'without figures')}"
    )
    out.emit(found, as_json=as_json, text=lambda: model_text(found))


def propose(
    model: str = typer.Argument(..., metavar="NAME@VERSION", help="vol-btc@1.2.0"),
    sleeve: str = typer.Option(..., "--sleeve", metavar="NAME", help="which sleeve would read it"),
    reason: str = typer.Option("", "--reason", help="why; shown on the card"),
    canary: str = typer.Option("", "--canary", help="'10% for 500 bars' or none; else 25% of the size for 10 trips"),
    as_json: bool = JSON,
) -> None:
    """Propose that a sleeve reads this version; a person applies it. Exit 1 when a gate of it failed."""
    from app.cli.tool import called

    args = {"sleeve": sleeve, "model": model, "rationale": reason or f"promote {model}", "canary": canary or None}
    called("propose_model", args, "developer", as_json=as_json)


def drift(
    model: str = typer.Argument(..., metavar="NAME[@VERSION]", help="a stored model; without a version the last"),
    days: int = typer.Option(30, "--days", min=1, max=365, help="of the desk's time, up to now"),
    as_json: bool = JSON,
) -> None:
    """Is what the model reads now distributed as what it was trained on? Each feature, and its predictions."""
    from app.home.home import existing_home
    from app.jobs import model_drift

    found = model_drift.drift(existing_home(), model, days)
    out.emit(found, as_json=as_json, text=lambda: drift_text(found))


def drift_text(found: Mapping[str, Any]) -> Any:
    """Verdict first, then a row a feature, most moved first."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    head = f"{found['name']}@{found['version']}: {found['verdict']}"
    lines = [head, f"{found['bars']:,} bars, {found['span']}", found["thresholds"]]
    lines += [f"note: {note}" for note in found["notes"]]
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("", "state", "PSI", "by chance", "KS", "q", "independent rows", "missing"):
        table.add_column(name, justify="left" if name in ("", "state") else "right")
    for row in (found["predictions"], *sorted(found["features"], key=lambda one: -(one["psi"] or 0.0))):
        rows = f"{row['effective_then']:.0f} / {row['effective_now']:.0f}"
        missing = f"{percent_text(row['missing_then'], 0)} / {percent_text(row['missing_now'], 0)}"
        figures = [_num(row[key]) for key in ("psi", "by_chance", "ks", "q")]
        table.add_row(row["name"], row["state"].replace("_", " "), *figures, rows, missing)
    return Group(Text("\n".join(lines)), table)


def trained_text(found: Mapping[str, Any]) -> Any:
    """All models of a training, one after the other."""
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [Text(found["text"])]
    for item in found["items"]:
        parts.append(Text(f"\n{item['name']}: {item['error']}") if "error" in item else model_text(item))
    return Group(*parts)


def model_text(item: Mapping[str, Any]) -> Any:
    """One model: verdict first, then gates, baselines, what it is good for, and its folds."""
    from rich.console import Group
    from rich.text import Text

    lines = ["", item["line"], f"{item['target']} of {item['instrument']} {item['timeframe']}"]
    lines += [state_text(item)] if "state" in item else []
    lines += [item["audit"]] if "audit" in item else []
    lines += [f"{'passed' if gate['passed'] else 'FAILED'}  {gate['name']}: {gate['text']}" for gate in item.get("gates", ())]
    if "test" not in item:
        return Text("\n".join([*lines, *_states(item.get("regime"))]))
    lines += [_baseline(name, one, item["figure"]) for name, one in item["baselines"].items()]
    lines += _good_for(item)
    names = [f"{one['feature']} {percent_text(one['share'], 0)}" for one in item["importance"]["features"][:FEATURES_SHOWN]]
    drift = item["importance"]["drift"]["median"]
    moved = "" if drift is None else f"; from fold to fold {percent_text(drift, 0)} of it moves to other features"
    lines += [f"importance: {', '.join(names)}{moved}"]
    lines += [f"note: {note}" for note in item.get("notes", ())]
    return Group(Text("\n".join(lines)), fold_table(item["folds"]))


def _states(found: Mapping[str, Any] | None) -> list[str]:
    """Of a regime: how often each state is, and what the bars after it did."""
    if found is None:
        return []
    own = [
        f"{name}: {percent_text(share, 0)} of the bars, "
        f"{found['ahead']} bars later {_num(found['next_bps'][name])} bps on average"
        for name, share in found["share"].items()
    ]
    argmax = found["changes_a_day_without_hysteresis"]
    changes = f"{found['changes_a_day']:.2f} changes a day; {argmax:.1f} without hysteresis"
    return [*own, f"{changes}; {found['converged']} of {found['folds']} fits converged"]


def _baseline(name: str, one: Mapping[str, Any], figure: str) -> str:
    better = one["better_by"]
    own = f"baseline {name}: {figure} {_num(one['value'])} ({_num(one['low'])} to {_num(one['high'])})"
    return f"{own}; the model is better by {_num(better['value'])} ({_num(better['low'])} to {_num(better['high'])})"


def _good_for(item: Mapping[str, Any]) -> list[str]:
    """Calibration, and of a label with sides what they earn."""
    from engine.models.class_report import class_lines

    lines = []
    if item.get("calibration_error") is not None:
        lines.append(f"calibration: observed and predicted are {item['calibration_error']:.4f} apart on average, in ten bins")
    if "up_or_down" in item:
        lines.append(f"above or below the last known one, as predicted: {_num(item['up_or_down']['value'])}")
    if "matthews" in item:
        brier = f"Brier {_num(item['brier'])} (base rate {_num(item['brier_of_base_rate'])})"
        average = f", average precision {_num(item['average_precision'])}" if "average_precision" in item else ""
        lines.append(f"Matthews {_num(item['matthews']['value'])}, {brier}{average}")
    lines += class_lines(item)
    for side in item.get("sides", ()):
        if side["rows"]:
            own = f"from {side['confidence']:g} sure: {side['rows']:,} rows, right {_num(side['precision'])}"
            needed = f"needed {_num(side['needed'])} to pay {item['round_trip_bps']:.1f} bps of costs"
            lines.append(f"{own} ({needed}), {side['gross_bps']:+.2f} bps a row, {side['net_bps']:+.2f} after costs")
    return lines


def fold_table(folds: Mapping[str, Any]) -> Any:
    """A row a fold."""
    from rich.table import Table

    table = Table(box=None, padding=(0, 2, 0, 0))
    for column in folds["columns"]:
        table.add_column(column.replace("_", " "), justify="right")
    for row in folds["rows"]:
        table.add_row(*(_num(cell) if isinstance(cell, float) or cell is None else str(cell) for cell in row))
    return table


def state_text(item: Mapping[str, Any]) -> str:
    """`champion: read by btc-vol since 2025-03-04 10:00 (kim)`."""
    from engine.clock import utc

    state = str(item["state"])
    at = f" since {utc(item['since_ms'])}" if item["since_ms"] is not None else ""
    by = f" ({item['by']})" if item["by"] else ""
    beside = f"; shadow of {', '.join(item['shadow_of'])}" if item["shadow_of"] else ""
    if item["sleeves"]:
        return f"{state}: read by {', '.join(item['sleeves'])}{at}{by}{beside}"
    return f"{state}{at}{by}{beside}" if state == "retired" else f"{state}{beside}"


def list_text(items: Sequence[Mapping[str, Any]]) -> Any:
    """Of each version its state, what it is worth, and its gates, a line each."""
    from rich.text import Text

    if not items:
        return "No model is stored: nightdesk models train CONFIG.toml makes them (docs/models.md)."
    lines = []
    for item in items:
        lines.append(f"{item['name']}@{item['version']}  {state_text(item)}")
        if item["error"]:
            lines.append(f"  {item['error']}")
            continue
        worth = f"{item['target']} of {item['instrument']} {item['timeframe']}"
        if item["figure"]:
            rows = f" on {item['rows']:,} rows" if item["rows"] else ""
            worth += f": {item['figure']} {_num(item['value'])}, {item['baseline']} {_num(item['baseline_value'])}{rows}"
        lines += [f"  {worth}", f"  {item['gates']}"]
    return Text("\n".join(lines))


def _num(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
