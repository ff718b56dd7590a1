"""What speaks against the evidence of a proposal at this moment: open alerts that say that figures of the desk cannot be trusted,
and data that is another one than the run read. Called by app.views.proposal_card, which shows each as a warning.

A proposal on falsified evidence is still shown: a person decides, and reads first why its figures are in doubt.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import shorten
from typing import Any

from app.home.home import Home
from engine.data.checksums import sha256_of
from engine.watch.alert_rows import list_alerts
from engine.watch.audit_status import last_audit
from engine.watch.window import mark_at

# kinds of alerts (engine.watch.observation.RUNBOOKS) that say that figures, positions, bars or records are not what they seem
IN_DOUBT = ("journal", "identity", "difference", "bars", "watch", "parity", "desk_drift", "audit", "outside", "drift", "features")
POINT, MORE = re.compile(r"\b(data|training|backtest|live)\.\w+ of "), " more"
SHOWN = 5
QUESTIONS = 2  # of the audit, that a card names
WHAT_MAX = 200


def doubts(home: Home, runs: Collection[Mapping[str, Any]], sleeves: Collection[str]) -> list[str]:
    """One sentence each, at most SHOWN; empty when nothing is against it. `runs`: the evidence runs as stored; a card without
    one, as a pause is, rests on nothing that an audit judges. `sleeves`: that the card changes."""
    found = list(_figures(home, sleeves if runs else ()))
    mark = mark_at(home.desk_journal)
    blocked = {} if mark is None else mark.body.get("blocked") or {}
    unwell = (_brief(f"the desk lets nothing enter: {name}: {why}") for name, why in blocked.items())
    return list(dict.fromkeys([*found, *unwell, *_other_data(home, runs)]))[:SHOWN]


def _figures(home: Home, sleeves: Collection[str]) -> Iterator[str]:
    """The alerts that are open; of an audit the questions that these sleeves fail, not their codes, and none without sleeves."""
    for row in list_alerts(home.engine, "open", limit=50):
        if row.kind not in IN_DOUBT or _judges_alone(row):
            continue
        if row.kind != "audit" or (sleeves and not last_audit(home.path)):
            yield f"figures are in doubt while {row.id} is open: {_brief(row.what)}"
        elif sleeves and (failed := _failed(last_audit(home.path), sleeves)):
            more = f" and {len(failed) - QUESTIONS} more" if len(failed) > QUESTIONS else ""
            yield f"the audit says no ({row.id}): {' '.join(failed[:QUESTIONS])}{more}"


def _failed(last: Mapping[str, Any], sleeves: Collection[str]) -> list[str]:
    """What the last audit asked of these sleeves and was answered no, but for what it judges of stored backtests."""
    points = (p for p in last["points"] if p["state"] == "fails" and p["sleeve"] in sleeves and p["dimension"] != "backtest")
    return list(dict.fromkeys(str(point["question"]) for point in points))


def _judges_alone(row: Any) -> bool:
    """An audit's alert that names points of stored backtests alone: that a strategy earns too little, or was never run, makes no
    figure of this card wrong. Whether its own runs read the data as it is now is looked at below."""
    points = POINT.findall(row.what)
    return row.kind == "audit" and bool(points) and MORE not in row.what and all(name == "backtest" for name in points)


def _brief(what: str) -> str:
    """Whole words of it, and a sign where there is more."""
    return shorten(what, WHAT_MAX, placeholder=" …")


def _other_data(home: Home, runs: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Files that have changed, or gone, since a run read them."""
    for run in runs:
        for name, digest in (run.get("file_sha256") or {}).items():
            there = [path for folder, _ in home.roots for path in folder.rglob(name)]
            if not there:
                yield f"{name}, which run {run['run_id']} read, is not there any more"
            elif all(_digest(path) != digest for path in there):
                yield f"{name} has changed since run {run['run_id']} read it: run the evidence again"


def _digest(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError:
        return ""
