"""A stored model trained again on the bars that there are now (train_model, COMPUTE), as a job. Called by the catalog."""

from pydantic import Field

from engine.errors import DataError
from tools.common.contract import Args, Effect, Evidence, ToolContext, ToolResult, asked_as, clean, no_data, tool
from tools.setups import submit_jobs, unfinished, wait_all
from tools.stored_models import ModelsArgs, models


class TrainModelArgs(Args):
    """NAME or NAME@VERSION."""

    model: str = Field(max_length=60)


@tool("train_model", Effect.COMPUTE, asked_as("", "train vol-btc again; retrain vol-btc; retrain the model vol-btc"))
def train_model(ctx: ToolContext, args: TrainModelArgs) -> ToolResult:
    """Train a stored model again, to the last bar: a new version."""
    from engine.models import artifact

    name, _, version = args.model.partition("@")
    stored = artifact.versions(ctx.home / "models", name) if artifact.NAME.fullmatch(name) else []
    if not stored or (version and version not in stored):
        there = ", ".join(artifact.names(ctx.home / "models")) or "none: nightdesk models train CONFIG.toml makes them"
        return no_data(f"the model {clean(args.model, 60)} is not stored; stored: {clean(there, 400)}")
    (job,) = submit_jobs(ctx, "train", [{"model": f"{name}@{version or stored[-1]}"}])
    (view,) = wait_all(ctx, [job])
    if view.state != "done":
        return unfinished(view)
    if not view.result or "model" not in view.result:
        raise DataError("a finished training has left no model", "run it again")
    made = str(view.result["model"])
    card = models.run(ctx, ModelsArgs(model=made))
    text = f"Trained: {clean(made, 80)}. No sleeve reads it before a person approves it. {card.text}"
    return card._replace(text=clean(text, 1_500), evidence=(Evidence("job", job), *card.evidence))
