"""What a trained model reads now beside its training (model_drift, COMPUTE), computed as a job. Called by the catalog."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from engine.clock import utc
from engine.errors import DataError
from tools.common.contract import (
    Args,
    Effect,
    Evidence,
    Fact,
    Table,
    ToolContext,
    ToolResult,
    Value,
    asked_as,
    clean,
    make_facts,
    no_data,
    tool,
)
from tools.setups import submit_jobs, unfinished, wait_all

SHOWN_MAX = 40  # features of the table


class ModelDriftArgs(Args):
    """`model`: NAME or NAME@VERSION of a trained model; `days`: of the desk's time, 30 for null."""

    model: str = Field(max_length=60)
    days: int | None = Field(None, ge=1, le=365)


@tool(
    "model_drift",
    Effect.COMPUTE,
    asked_as("", "has vol-btc drifted?; model drift; have the features of the model moved since its training?"),
)
def model_drift(ctx: ToolContext, args: ModelDriftArgs) -> ToolResult:
    """Whether features of a trained model, and its predictions, are distributed as in its training: moved, drifting, steady, or
    too little to judge, by PSI and KS at effective rows."""
    from engine.models import artifact

    name, _, version = args.model.partition("@")
    stored = artifact.versions(ctx.home / "models", name) if artifact.NAME.fullmatch(name) else []
    if not stored or (version and version not in stored):
        there = ", ".join(artifact.names(ctx.home / "models")) or "none"
        return no_data(f"the model {clean(args.model, 60)} is not stored; stored: {clean(there, 400)}")
    wanted = {"model": f"{name}@{version or stored[-1]}"} | ({"days": args.days} if args.days else {})
    (job,) = submit_jobs(ctx, "drift", [wanted])
    (view,) = wait_all(ctx, [job])
    if view.state != "done":
        return unfinished(view)
    if not view.result or "verdict" not in view.result:
        raise DataError("a finished comparison has left no result", "run it again")
    return _answer(ctx, job, view.result)


def _answer(ctx: ToolContext, job: str, found: Mapping[str, Any]) -> ToolResult:
    """The rows of a finished job as facts, a sentence and a table, most moved first."""
    model, evidence = f"{found['name']}@{found['version']}", Evidence("job", job)
    ordered = sorted(found["features"], key=lambda one: -(one["psi"] or 0.0))[:SHOWN_MAX]
    facts: list[Fact] = []
    rows: list[tuple[Value, ...]] = []
    for row in (found["predictions"], *ordered):
        handle = ctx.handle("i", f"{job} {row['name']}")
        values: dict[str, tuple[Value, str]] = {
            "psi": (row["psi"], "ratio"),
            "effective": (row["effective_now"], "count"),
            "missing": (row["missing_now"], "frac"),
        }
        facts += make_facts(handle, clean(f"{row['name']} of {model}", 160), evidence, values)
        cells = ("-" if row[key] is None else f"{{{handle}.{fact}}}" for key, fact in CELLS)
        rows.append((clean(row["name"], 80), row["state"].replace("_", " "), *cells))
    counted = {state: sum(one["state"] == state for one in found["features"]) for state in STATES}
    head = ctx.handle("i", f"{job} features")
    facts += make_facts(head, f"features of {model}", evidence, {state: (count, "count") for state, count in counted.items()})
    names = ", ".join(clean(one["name"], 60) for one in ordered if one["state"] == "moved")
    text = f"{model}: {{{head}.moved}} of its features moved{f' ({names})' if names else ''}, {{{head}.drifting}} drifting, "
    text += f"{{{head}.steady}} steady, of {{{head}.too_little}} there is too little to judge; its predictions: "
    text += f"{found['predictions']['state'].replace('_', ' ')}. Bars of {utc(found['from_ms'])} to {utc(found['to_ms'])}."
    notes = [clean(note, 160) for note in found["notes"] if "trained on" in note]
    table = Table(("column", "state", "PSI", "independent rows", "missing"), tuple(rows))
    data = {"job": job, "model": model, "moved": found["moved"][:SHOWN_MAX]}
    return ToolResult("ok", " ".join([text, *notes]), tuple(facts), (evidence,), table, data)


STATES = ("moved", "drifting", "steady", "too_little")
CELLS = (("psi", "psi"), ("effective_now", "effective"), ("missing_now", "missing"))
