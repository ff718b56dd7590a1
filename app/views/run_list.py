"""Stored runs as a list in which each is named by what differs from the others. Called by app/api/runs.py.

Turns the rows of the run store into lines: strategy, instrument, span, costs, figures, and `label`: the settings in which the
listed runs of one strategy on one instrument differ, in words.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.clock import utc_day
from engine.errors import DeskError
from engine.store.runs import Runs, summary_of

SUFFIXES = ("_atr", "_frac", "_bars")
PARTS_MAX = 4
FILLED_MAX = 1_000
BARE = ("model", "timeframe", "span", "venue", "strategy", "symbol")  # their values need no name


def run_lines(runs: Runs, count: int) -> list[dict[str, Any]]:
    """The newest `count` runs, newest first, each with its `label` and `span`."""
    found = _with_models(runs, [_complete(runs, line) for line in runs.latest(count)])
    for line, label in zip(found, labels(found), strict=True):
        line |= {"label": label, "span": settings_of(line)["span"]}
    return found


def _complete(runs: Runs, line: dict[str, Any]) -> dict[str, Any]:
    """A line whose row was written before lists showed intervals is filled from the run's folder; a damaged one stays short."""
    if "sharpe_low" in line:
        return line
    return {"params": {}, **_summary(runs.folder, str(line["id"])), **line}


@lru_cache(maxsize=FILLED_MAX)
def _summary(folder: Path, run_id: str) -> dict[str, Any]:
    """What a list shows of a stored run, from its folder: it never changes. Nothing of a damaged one."""
    try:
        return summary_of(Runs(folder).load(run_id))
    except DeskError:
        return {}


def _with_models(runs: Runs, lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Where lines are told apart by nothing, they and their kind get the versions of stored models that they read: rows do not
    hold them, and a run's folder is opened for no other reason."""
    alike = Counter((_kind(line), repr(settings_of(line))) for line in lines)
    tied = [line for line in lines if alike[_kind(line), repr(settings_of(line))] > 1]
    reading = {_kind(line) for line in tied if _models(runs, str(line["id"]))}
    return [line | {"models": _models(runs, str(line["id"]))} if _kind(line) in reading else line for line in lines]


def _kind(line: Mapping[str, Any]) -> tuple[str, str]:
    """Lines of one kind are compared with each other."""
    return str(line.get("strategy")), str(line.get("symbol"))


def _models(runs: Runs, ident: str) -> str:
    """`dir-sol-usdt=1.1.0`; empty for a run that reads none, or that cannot be read."""
    try:
        return ", ".join(filter(None, (str(sleeve.get("models") or "") for sleeve in runs.load(ident)["sleeves"])))
    except (DeskError, KeyError):
        return ""


def labels(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    """Of each line, in what it differs from the other lines of the same strategy and instrument; empty where it stands alone."""
    groups: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for line in lines:
        groups.setdefault(_kind(line), []).append(line)
    keys = {group: differing([settings_of(line) for line in members]) for group, members in groups.items()}
    return [label_of(settings_of(line), keys[_kind(line)]) for line in lines]


def settings_of(line: Mapping[str, Any]) -> dict[str, Any]:
    """Everything by which two runs may differ, one level deep; a sleeve's parameters of several as `sleeve.key`."""
    found: dict[str, Any] = {}
    for key, value in (line.get("params") or {}).items():
        found |= {f"{key}.{k}": v for k, v in value.items()} if isinstance(value, Mapping) else {key: value}
    found |= {"model": line.get("models") or None}
    found |= {key: line.get(key) for key in ("side", "fills", "venue", "timeframe", "funding")}
    first, last = line.get("first_ms"), line.get("last_ms")
    found["span"] = span_text(first, last) if isinstance(first, int) and isinstance(last, int) else None
    return found


def span_text(first_ms: int, last_ms: int) -> str:
    """`2025-03-01 to 2025-12-31`; a whole calendar year as `2025`."""
    one, other = utc_day(first_ms), utc_day(last_ms)
    return one[:4] if one[:4] == other[:4] and (one[5:], other[5:]) == ("01-01", "12-31") else f"{one} to {other}"


def differing(settings: Sequence[Mapping[str, Any]]) -> list[str]:
    """The keys whose values are not the same in all of them, in order."""
    keys = list(dict.fromkeys(key for one in settings for key in one))
    return [key for key in keys if len({repr(one.get(key)) for one in settings}) > 1]


def label_of(settings: Mapping[str, Any], keys: Sequence[str]) -> str:
    """`stop 2, side long`: those keys with their values, the ends of their names left off where nothing is lost."""
    stems = [_stem(key) for key in keys]
    names = [stem if stems.count(stem) == 1 else key.replace("_", " ") for key, stem in zip(keys, stems, strict=True)]
    values = [value_text(settings.get(key)) for key in keys]
    said = [value if key in BARE else f"{name} {value}" for name, key, value in zip(names, keys, values, strict=True)]
    more = f" and {len(said) - PARTS_MAX} more" if len(said) > PARTS_MAX else ""
    return ", ".join(said[:PARTS_MAX]) + more


def _stem(key: str) -> str:
    for suffix in SUFFIXES:
        if key.endswith(suffix):
            return key.removesuffix(suffix).replace("_", " ")
    return key.replace("_", " ")


def value_text(value: Any) -> str:
    """A setting as text; a dash for none."""
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
