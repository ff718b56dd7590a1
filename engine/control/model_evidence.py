"""What a card says of a model whose version changes: the challenger beside the champion, each beside its baselines.

Called by proposals.py when one is stored. Turns two stored versions into an item of its evidence, which the card paints: gates, a
table, what both were judged on, and what differs. Every figure is the trainer's own, out of sample; nothing is computed anew.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.clock import DAY_MS, timeframe_ms
from engine.errors import DeskError

if TYPE_CHECKING:  # it brings numpy, which a supervisor that sends cards need not hold
    from engine.models.artifact import ArtifactSummary

NONE = "-"
PROPOSED = "proposed"
NAMED_MAX = 6  # features of a sentence


def promotions(old: str | None, anew: Mapping[str, str], home: Path) -> list[dict[str, Any]]:
    """An item for each version that a sleeve would read anew; `old`: the versions that it reads."""
    if not anew:
        return []
    from engine.control.model_registry import summary_of
    from engine.strategies.stored_models import pins_of

    before, root = pins_of(old or ""), home / "models"
    found = []
    for text in anew:
        name, _, version = text.partition("@")
        try:
            champion = summary_of(root, name, before[name]) if name in before else None
        except DeskError:  # gone, or damaged: then it is not set beside anything
            champion = None
        found.append(compared(summary_of(root, name, version), champion, before.get(name, "")))
    return found


def compared(challenger: "ArtifactSummary", champion: "ArtifactSummary | None", reads: str = "") -> dict[str, Any]:
    """Two versions of a model as JSON: `gates`, `columns`, `rows` of texts, `worth` and `differs` in sentences. `reads`: the
    version that the sleeve reads, when it cannot be read itself.
    """
    from engine.control.model_registry import gates_line
    from engine.models import gates

    sides = [one for one in (champion, challenger) if one is not None]
    columns = [f"{one.version} ({'now' if one is champion else PROPOSED})" for one in sides]
    names = dict.fromkeys(name for one in sides for name in _table(one.metrics.get("baselines")))
    texts = [_texts(one, names) for one in sides]
    rows = [[label, *(own[label] for own in texts)] for label in texts[0] if any(own[label] != NONE for own in texts)]
    differs = [f"{challenger.name}@{reads}, which is read now, cannot be read any more"] if reads and champion is None else []
    return {
        "role": "model",
        "model": challenger.name,
        "version": challenger.version,
        "sha256": challenger.sha256,
        "gates": gates_line(gates.stopped_by(challenger.metrics, challenger.about["label"])),
        "columns": columns,
        "rows": rows,
        "worth": [f"{label}: {_pair(columns, cells)}" for label, *cells in rows if label in ("R2", "accuracy")],
        "differs": differs + (differences(champion, challenger) if champion is not None else []),
    }


def _pair(columns: Iterable[str], cells: Iterable[str]) -> str:
    return "; ".join(f"{column} {cell}" for column, cell in zip(columns, cells, strict=True))


def _texts(one: "ArtifactSummary", baselines: Iterable[str]) -> dict[str, str]:
    """Label -> cell of one version; the labels are the same for any two."""
    metrics, test = one.metrics, _table(one.metrics.get("test"))
    figure = str(metrics.get("figure") or "figure")
    begin, end, rows = judged_on(one)
    own = _table(metrics.get("baselines"))
    spread = ", ".join(number(test.get(name)) for name in ("worst", "median", "best"))
    regime = _table(metrics.get("regime"))
    found = {
        figure: _interval(test),
        "folds: worst, median, best": spread if test else NONE,
        "on its training rows": number(metrics.get("training")),
    }
    for name in baselines:
        other = _table(own.get(name))
        better = f"; better by {_interval(_table(other.get('better_by')))}" if other else ""
        found[f"baseline {name}"] = f"{_interval(other)}{better}"
    found["changes of state a day"] = number(regime.get("changes_a_day"))
    found["judged on"] = f"{rows:,} rows, {begin} to {end}" if rows else NONE
    found["bars"] = f"{len(one.about['data'])} files, {digest_of(one.about['data'])}"
    found["label"] = str(one.about["label"].get("name"))
    found["features"] = f"{len(one.features.features)}, {one.features.sha256[:12]}"
    found["artifact"] = one.sha256[:12]
    return found


def differences(champion: "ArtifactSummary", challenger: "ArtifactSummary") -> list[str]:
    """What two versions do not share, in sentences; what they were judged on first."""
    found = []
    if judged_on(champion) != judged_on(challenger) or champion.about["data"] != challenger.about["data"]:
        found.append("the two were judged on different rows: their figures cannot be set against each other")
    if champion.about["label"] != challenger.about["label"]:
        found.append(f"the label differs: {champion.about['label'].get('name')}, {challenger.about['label'].get('name')}")
    ours, theirs = ({e.call: e for e in one.features.features} for one in (champion, challenger))
    for word, calls in (("more", theirs.keys() - ours.keys()), ("fewer", ours.keys() - theirs.keys())):
        if calls:
            rest = f" and {len(calls) - NAMED_MAX} others" if len(calls) > NAMED_MAX else ""
            found.append(f"features {word}: {', '.join(sorted(calls)[:NAMED_MAX])}{rest}")
    both = sorted(ours.keys() & theirs.keys())
    if moved := [call for call in both if ours[call].code_sha256 != theirs[call].code_sha256]:
        found.append(f"computed by other code: {', '.join(moved[:NAMED_MAX])}")
    for name in ("learner", "config"):
        was, now = champion.about[name], challenger.about[name]
        keys = sorted(key for key in {*was, *now} if was.get(key) != now.get(key))
        if keys:
            settings = ", ".join(f"{key} {_short(was.get(key))} -> {_short(now.get(key))}" for key in keys[:NAMED_MAX])
            found.append(f"{'settings of the learner' if name == 'learner' else 'training'}: {settings}")
    return found


def judged_on(one: "ArtifactSummary") -> tuple[str, str, int]:
    """(first and last close of its test rows, how many they are); ("", "", 0) where the metrics do not say it."""
    regime = _table(one.metrics.get("regime"))
    if regime:
        begin, end = str(regime.get("from")), str(regime.get("to"))
        return begin, end, round(float(regime.get("days") or 0) * DAY_MS / timeframe_ms(str(one.about["timeframe"])))
    folds = _table(one.metrics.get("folds"))
    columns, rows = folds.get("columns") or [], folds.get("rows") or []
    if not rows or not {"test_from", "test_to"} <= set(columns):
        return "", "", 0
    begin, end = rows[0][columns.index("test_from")], rows[-1][columns.index("test_to")]
    return str(begin), str(end), int(_table(one.metrics.get("test")).get("rows") or 0)


def digest_of(value: Any) -> str:
    """The first digits of a digest of JSON values."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def number(value: Any) -> str:
    """Three decimals."""
    return f"{value:.3f}" if isinstance(value, int | float) and not isinstance(value, bool) else NONE


def _interval(value: Mapping[str, Any]) -> str:
    if value.get("value") is None:
        return NONE
    return f"{number(value['value'])} ({number(value.get('low'))} to {number(value.get('high'))})"


def _short(value: Any) -> str:
    text = "none" if value is None else json.dumps(value, sort_keys=True)
    return text if len(text) <= 60 else f"{text[:59]}…"


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
