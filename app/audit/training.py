"""Points on the trained models that a sleeve reads; none apply to one that reads none. Gathered in table.py."""

from collections.abc import Callable
from functools import partial
from typing import Any

from app.audit.point import AuditAnswer, AuditPoint, cannot_say, fails, holds, judged, not_of_it
from app.audit.sleeve import AuditedSleeve
from engine.clock import DAY_MS
from engine.errors import DeskError

NO_MODEL = "the sleeve reads no trained model"
DRIFT_AGE_MS = 2 * DAY_MS  # it is looked at each day
GATES = {  # name in engine/models/gates.py -> question
    "gap": "Is a figure on training rows close to the same on test rows?",
    "baseline": "Is it better than every baseline, out of sample?",
    "too_good": "Is it not too good to be true?",
    "rows": "Are there enough evaluation rows?",
    "leaks": "Was it searched for leaks, and none found?",
}


def _loaded(one: AuditedSleeve) -> dict[str, Any]:
    """name@version -> artifact, every byte compared. Raises DeskError."""
    from engine.models import artifact

    root = one.home.path / "models"
    return {f"{name}@{version}": artifact.load(root, name, version) for name, version in one.pins.items()}


def _intact(one: AuditedSleeve) -> AuditAnswer:
    if not one.pins:
        return not_of_it(NO_MODEL)
    try:
        found = _loaded(one)
    except DeskError as error:
        return fails(str(error))
    texts = [model.text for model in found.values()]
    return holds(f"every byte and the code of every feature is as trained: {', '.join(texts)}", *texts)


def _followed(one: AuditedSleeve) -> AuditAnswer:
    if not one.pins:
        return not_of_it(NO_MODEL)
    found = {name: model.sha256 for name, model in _loaded(one).items()}
    journaled = dict(one.source.get("models", {}))
    event = one.followed.id if one.followed else ""
    return judged(found == journaled, "the digests are those that the journal names", "the journal names other digests", event)


def _gate(gate: str, one: AuditedSleeve) -> AuditAnswer:
    """One gate of the trainer, as stored with the model."""
    from engine.models import gates

    if not one.pins:
        return not_of_it(NO_MODEL)
    models = _loaded(one)
    if all(model.is_regime and gate not in gates.OF_REGIMES for model in models.values()):
        return not_of_it("regimes have no such gate")
    stopped = {name: gates.stopped_by(model.metrics, model.about["label"]) for name, model in models.items()}
    found = [f"{name}: {own.text}" for name, listed in stopped.items() for own in listed if own.name == gate]
    return judged(not found, "its gate passed", "; ".join(found), *models)


def _order_of_time(one: AuditedSleeve) -> AuditAnswer:
    """Each fit answers after its training ended: artifact.load refuses another; here: it answers for the desk's time at all."""
    if not one.pins:
        return not_of_it(NO_MODEL)
    if one.mark is None:
        return cannot_say("the desk has decided on no bar")
    early = [name for name, model in _loaded(one).items() if model.fit_at(one.mark.t_event_ms) < 0]
    return judged(not early, "a fit that was trained before answers", f"no fit answers yet: {', '.join(early)}", one.mark.id)


def _moved(one: AuditedSleeve) -> AuditAnswer:
    pinned = {f"{name}@{version}" for name, version in one.pins.items()}
    looked = {name: found for name, found in one.drift.get("models", {}).items() if name in pinned}
    if not one.pins:
        return not_of_it(NO_MODEL)
    if len(looked) < len(pinned) or one.now_ms - int(one.drift["wall_ms"]) > DRIFT_AGE_MS:
        return cannot_say("its inputs were not compared with its training in the last two days: nightdesk models drift")
    if failed := [str(found["failed"]) for found in looked.values() if "failed" in found]:
        return cannot_say("; ".join(failed))
    moved = [row["text"] for found in looked.values() for row in found["moved"]]
    return judged(not moved, "no input has moved", f"moved: {', '.join(moved[:5])}", *looked)


def _of_gate(gate: str) -> Callable[[AuditedSleeve], AuditAnswer]:
    return partial(_gate, gate)


REST = tuple(f"training.{name}" for name in ("journaled", *GATES, "answers"))
OTHER_MODEL = ("training.journaled", "live.reads")  # a model with other figures has another digest, which both name
OF_TODAY = (  # what a worker that cannot read the model could not even begin with
    *(f"live.{name}" for name in ("exits", "sizes", "sleeve_limits", "instrument", "costs", "limits", "code", "reads")),
    "backtest.fees",
    "backtest.spreads",
)
POINTS: tuple[AuditPoint, ...] = (
    AuditPoint(
        "training.whole",
        "training",
        "Is each model byte for byte, and each feature's code, as trained?",
        _intact,
        (*REST, *OF_TODAY),
    ),
    AuditPoint("training.journaled", "training", "Is it the model that the journal says the sleeve follows?", _followed),
    *(AuditPoint(f"training.{gate}", "training", question, _of_gate(gate), OTHER_MODEL) for gate, question in GATES.items()),
    AuditPoint(
        "training.answers",
        "training",
        "Does a fit answer for now whose training ended before?",
        _order_of_time,
        OTHER_MODEL,
    ),
    AuditPoint("training.inputs_steady", "training", "Are its inputs distributed as in its training?", _moved),
)
