"""Questions about stored models: which there are, what one is worth, its gates, its drift, its promotion, and whether it helps.
Called by plans.py.

Which model is meant: the one named, else the one that has the version named, else the thread's last one, else the one that the
sleeve named reads, else the only one that a sleeve reads or that is stored. Of several the person is asked.
"""

import re
from typing import Any, NamedTuple

from agents.offline.calls import made
from agents.offline.drafts import asks_back, name_list, which_sleeve
from agents.offline.fill import FILLERS, arguments
from agents.offline.read_back import PlannedCall
from agents.offline.steps import Plan, Question
from agents.offline.words import says


class MeantModel(NamedTuple):
    """A model and the versions of it that are meant, as they are named; "" for a model that is not clear."""

    name: str
    versions: tuple[str, ...] = ()
    carried: bool = False  # from the turn above

    def at(self, version: str = "") -> str:
        """`vol-btc@1.2.0`: of the version named, else of another, else the name alone."""
        return "@".join(filter(None, (self.name, *(self.versions[:1] or (version,)))))


def meant(q: Question) -> MeantModel:
    """The model that a question is about."""
    stored, versions = q.words.models, q.slots.model_versions
    if q.slots.models:
        return MeantModel(q.slots.models[0], versions)
    above = next((str(r.args["model"]).partition("@") for r in reversed(q.results()) if r.args.get("model")), None)
    if above is not None and above[0] in stored and not says("model_plans.listed", q.slots.text):
        return MeantModel(above[0], versions or tuple(filter(None, above[2:])), carried=not versions)
    sleeves = [s for s in q.words.sleeves if not q.slots.sleeves or s.name in q.slots.sleeves]
    read = list(dict.fromkeys(name for s in sleeves for name in s.models))
    holding = [name for name, own in stored.items() if versions and set(versions) <= set(own)]
    kind = [name for name in read if name.split("-")[0] == ("regime" if re.search(r"\bregime", q.slots.text) else "vol")]
    names = next((of for of in (holding, read, kind, list(stored)) if len(of) == 1), [""])
    return MeantModel(names[0], versions)


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
        gates = PlannedCall("models", {"model": found.at(), "gates": True})
        return (yield from made([gates])) if found.name else asks_back(_which(q))
    which = says("model_plans.which", text)
    versions = q.slots.model_versions or (found.versions if not (found.carried and which) else ())
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


def of_one(q: Question) -> Plan:
    """Whether what a model reads has moved, of the version in force; or the model again, by the setting of its newest version."""
    found, tool, days = meant(q), q.chosen.tool.name, FILLERS["days"](q)
    if not found.name:
        return asks_back(_which(q))
    args = {"model": found.at(_in_force(q, found.name) if tool == "model_drift" else "")}
    return (yield from made([PlannedCall(tool, args | ({"days": days} if days and tool == "model_drift" else {}))]))


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
