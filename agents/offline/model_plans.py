"""Questions about stored models: which there are, what one is worth, its gates, its drift, its promotion, and whether it helps.
Called by plans.py.

Which model is meant: the one named, else the one that has the version named, else the thread's last one, else the one that the
sleeve named reads, else the only one that a sleeve reads or that is stored. Of several the person is asked.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.offline.calls import made
from agents.offline.drafts import asks_back, drafted, name_list, which_sleeve
from agents.offline.fill import FILLERS, arguments
from agents.offline.read_back import PlannedCall
from agents.offline.steps import Plan, Question
from agents.offline.words import says


class MeantModel(NamedTuple):
    """A model and the versions of it that are meant, as they are named; "" for a model that is not clear."""

    name: str
    versions: tuple[str, ...] = ()
    carried: bool = False  # from the turn above

    @property
    def text(self) -> str:
        """`vol-btc@1.2.0`, or the name alone."""
        return f"{self.name}@{self.versions[0]}" if self.versions else self.name


def meant(q: Question) -> MeantModel:
    """The model that a question is about."""
    stored, versions = q.words.models, q.slots.model_versions
    if q.slots.models:
        return MeantModel(q.slots.models[0], versions)
    above = next((m for r in reversed(q.results()) if (m := _of_call(r.args)) is not None), None)
    if above is not None and above.name in stored and not says("model_plans.listed", q.slots.text):
        return MeantModel(above.name, versions or above.versions, carried=not versions)
    holding = [name for name, own in stored.items() if versions and set(versions) <= set(own)]
    if len(holding) == 1:
        return MeantModel(holding[0], versions)
    sleeves = [s for s in q.words.sleeves if not q.slots.sleeves or s.name in q.slots.sleeves]
    read = list(dict.fromkeys(name for s in sleeves for name in s.models))
    kind = [name for name in read if name.split("-")[0] == ("regime" if re.search(r"\bregime", q.slots.text) else "vol")]
    names = read if len(read) == 1 else kind if len(kind) == 1 else list(stored) if len(stored) == 1 else []
    return MeantModel(names[0] if names else "", versions)


def _of_call(args: Mapping[str, Any]) -> MeantModel | None:
    name, _, version = str(args.get("model") or "").partition("@")
    return MeantModel(name, (version,) if version else ()) if name else None


def _which(q: Question) -> str:
    names = list(q.words.models)
    return f"Which model? Stored: {name_list(names)}." if names else NOTHING


NOTHING = "No model is stored. A person trains one: `nightdesk models train CONFIG.toml` (docs/models.md has the file)."


def models(q: Question) -> Plan:
    """The list, the versions that sleeves read, one version's card, two versions beside each other, or the gates of one."""
    if not q.words.models:
        return (yield from made([PlannedCall("models", {})]))
    found, text, sleeve = meant(q), q.slots.text, q.sleeve()
    if q.chosen.asked.kind == "gates":
        leak = says("model_plans.leak", text) is not None
        return (yield from _gates(found, leak=leak)) if found.name else asks_back(_which(q))
    which = says("model_plans.which", text)
    versions = found.versions if not (found.carried and which) else ()
    if len(q.slots.model_versions) > 1:
        versions = q.slots.model_versions
    of_one = found.name and not which and (q.slots.models or found.carried or not says("model_plans.listed", text))
    args: dict[str, Any] = {"model": found.name} if q.slots.models else {}
    if len(versions) > 1:
        args = {"model": f"{found.name}@{versions[1]}", "beside": versions[0]}
    elif versions or of_one:
        args = {"model": f"{found.name}@{versions[0] if versions else _in_force(q, found.name)}"}
    elif sleeve is not None and which:
        args = {"sleeve": sleeve.name}
    return (yield from made([PlannedCall("models", args)]))


def _in_force(q: Question, name: str) -> str:
    """The version that a sleeve reads, that of the sleeve named first; else the newest."""
    named = [s for s in q.words.sleeves if s.name in q.slots.sleeves]
    return next((s.models[name] for s in (*named, *q.words.sleeves) if name in s.models), q.words.models[name][-1])


def _gates(found: MeantModel, *, leak: bool) -> Plan:
    """Every gate with its figures; of a leak the leak check first."""
    call = PlannedCall("models", {"model": found.text, "gates": True})
    (result,) = yield [call]
    row = next((row for row in (result.table.rows if result.table else ()) if row[0] == "leaks"), None)
    first = f"Leak check: {row[1]}. {row[2]}." if row else "The leak check was not run."
    return drafted([call], [result]).after(first if leak and result.status == "ok" else "")


def drift(q: Question) -> Plan:
    """Whether what a model reads has moved."""
    found = meant(q)
    if not found.name:
        return asks_back(_which(q))
    version = found.versions[0] if found.versions else _in_force(q, found.name)
    days = FILLERS["days"](q)
    args = {"model": f"{found.name}@{version}"} | ({"days": days} if days else {})
    return (yield from made([PlannedCall("model_drift", args)]))


def train(q: Question) -> Plan:
    """A stored model again, by the setting of the version named, else of the newest."""
    found = meant(q)
    if not found.name:
        return asks_back(_which(q))
    return (yield from made([PlannedCall("train_model", {"model": found.text})]))


def propose(q: Question) -> Plan:
    """Another version for a sleeve: the one named, or the only one that reads the model."""
    found, sleeve = meant(q), q.sleeve()
    if not found.name:
        return asks_back(_which(q))
    versions = q.slots.model_versions or (() if found.carried and not found.versions else found.versions)
    if len(versions) != 1:
        return asks_back(f"Which version of {found.name}? Stored: {name_list(list(q.words.models[found.name]))}.")
    reading = [s for s in q.words.sleeves if found.name in s.models]
    if sleeve is None and len(reading) != 1:
        return asks_back(which_sleeve(q) if not reading else f"Which sleeve? {name_list([s.name for s in reading])} read it.")
    args = arguments(q) | {"sleeve": (sleeve or reading[0]).name, "model": f"{found.name}@{versions[0]}"}
    return (yield from made([PlannedCall("propose_model", args)]))
