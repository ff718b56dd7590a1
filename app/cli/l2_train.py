"""`nightdesk l2 train`: heads for fill, adverse selection and edge on recorded orders; judged, and traded by nobody.

Called by app/cli/l2.py. Feasibility comes first; each training counts as a trial of its instrument in the home's ledger.
"""

import json
from collections.abc import Mapping
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput, DataError

if TYPE_CHECKING:
    from engine.l2.checks import OpenTape
    from engine.l2.heads import JudgedHead, OrderRows

FEASIBLE_MS = 100  # between two moments that feasibility looks at
CUT_PART = 0.85  # of the last tape: where it is cut for the leak check


def trained(path: Path, every_ms: int, life_s: float, horizon_s: float, fill: str, floor: float | None) -> dict[str, Any]:
    """The answer as JSON. Raises BadInput and DataError, one line each."""
    from app.making.ground import judged
    from engine.control.desk_setup import desk_setup
    from engine.l2 import heads
    from engine.l2.checks import sound_tape, tapes_in
    from engine.l2.outcomes import require_terms

    require_terms(life_s, (horizon_s,), fill)
    feasible = judged(path, floor, FEASIBLE_MS, (horizon_s,), desk_setup().overrides)
    tapes = [sound_tape(file) for file in tapes_in(path)]
    terms = (every_ms, life_s, horizon_s, fill)
    parts = [_rows(tape, *terms) for tape in tapes]
    rows = heads.joined_rows(parts)
    folds, audit = heads.folds_of(rows, every_ms, int(horizon_s * 1000))
    cut, cut_ms = _cut(tapes[-1])
    prefix = heads.joined_rows([*parts[:-1], _rows(cut, *terms)])
    leaks = heads.prefix_check(rows, prefix, folds, cut_ms)
    found = [heads.judge(name, rows, folds, leaks) for name in heads.HEADS]
    floor_bps = float(feasible["floor_bps"])
    paid = heads.taken(rows, found[-1], floor_bps)
    verdict, why = heads.verdict_of(found, paid, (feasible["verdict"], feasible["why"]))
    return {
        **{key: feasible[key] for key in ("venue", "symbol", "market", "floor_bps", "floor_source")},
        "verdict": verdict,
        "why": why,
        "every_ms": every_ms,
        "life_s": life_s,
        "horizon_s": horizon_s,
        "fill": fill,
        "orders": len(rows.placed_ms),
        "features": list(rows.names),
        "settings": dict(heads.SETTINGS),
        "audit": audit,
        "leak_check": leaks.as_json(),
        "heads": [_head(one) for one in found],
        "taken": paid,
        "feasibility": {key: feasible[key] for key in ("verdict", "why", "chance_bps")},
        "tapes": feasible["substrate"]["tapes"],
        "first_ms": int(rows.placed_ms[0]),
        "last_ms": int(rows.placed_ms[-1]),
    }


def _rows(opened: "OpenTape", every_ms: int, life_s: float, horizon_s: float, fill: str) -> "OrderRows":
    """A tape's orders with features and labels."""
    from engine.l2.features import computed
    from engine.l2.heads import order_rows
    from engine.l2.moments import changes_of, moments_of
    from engine.l2.outcomes import labels_of

    if opened.trades is None:
        raise DataError(f"{opened.tape.path}: no trades beside it", "an order is filled by trades: record _trades.parquet, too")
    tape, replayed = opened.tape, opened.report.replayed
    moments, changes = moments_of(tape, replayed, opened.trades, every_ms), changes_of(replayed, tape)
    orders = labels_of(tape, changes, moments, opened.trades, life_s=life_s, horizons_s=(horizon_s,), fill=fill)
    return order_rows(computed(moments), moments.part > 0, orders, 0, round(1000 * (life_s + horizon_s)))


def _cut(opened: "OpenTape") -> tuple["OpenTape", int]:
    """(the tape as it was at CUT_PART of its time, UTC ms of it): what came later is not there."""
    import numpy as np

    from engine.l2.pieces import until_message
    from engine.l2.replay import replay

    tape, trades = opened.tape, opened.trades
    begin, end = int(tape.recv_ns[0]), int(tape.recv_ns[-1])
    cut_ns = begin + int((end - begin) * CUT_PART) // 1_000_000 * 1_000_000
    short = until_message(tape, int(np.searchsorted(tape.recv_ns, cut_ns, side="right")))
    if trades is not None:
        n = int(np.searchsorted(trades.recv_ns, cut_ns, side="right"))
        trades = trades._replace(**{name: column[:n] for name, column in trades._asdict().items()})
    return opened._replace(tape=short, trades=trades, report=opened.report._replace(replayed=replay(short))), cut_ns // 1_000_000


def _head(one: "JudgedHead") -> dict[str, Any]:
    """A head as JSON."""
    from engine.models.gates import as_json

    return {
        "name": one.name,
        "figure": "R2",
        "test": _score(one.test),
        "training": _number(one.training),
        "baselines": {key: {**_score(v), "better_by": _score(one.better[key])} for key, v in one.baselines.items()},
        "oracle": _score(one.oracle),
        "labels_of_another_time": _score(one.shuffled),
        "folds": [{key: _number(value) for key, value in row.items()} for row in one.folds],
        "importance": one.importance,
        "calibration_error": _number(one.calibration_error),
        "ablation": [{key: _number(value) for key, value in row.items()} for row in one.ablation],
        **as_json(one.found),
    }


def _score(score: Any) -> dict[str, Any]:
    return {key: _number(value) for key, value in score._asdict().items()}


def _number(value: Any) -> Any:
    """NaN as None."""
    return None if isinstance(value, float) and not isfinite(value) else value


def counted(body: Mapping[str, Any], now_ms: int) -> int:
    """Count a training in the home's ledger of trials; its number among those of the instrument. The same again is the same."""
    from app.home.home import open_home
    from engine.store import trials
    from engine.store.runs import sha256_of_json
    from engine.store.tables import Trial

    terms = {key: body[key] for key in ("every_ms", "life_s", "horizon_s", "fill", "floor_bps", "settings")}
    setting = sha256_of_json([list(body["features"]), [tape["file"] for tape in body["tapes"]]])[:24]
    params = json.dumps(terms, sort_keys=True)
    name = f"t-{sha256_of_json([setting, params])[:16]}"
    row = Trial(
        id=name,
        hypothesis=f"level 2 heads {body['venue']} {body['symbol']} {body['market']}",
        number=0,
        strategy="level 2 heads",
        setting=setting,
        cache_key=sha256_of_json([setting, params, body["heads"]]),
        source="command",
        params=params,
        first_ms=body["first_ms"],
        last_ms=body["last_ms"],
        total_return_frac=0.0,
        max_drawdown_frac=0.0,
        trips=0,
        days=0,
        daily_from_ms=body["first_ms"],
        created_ms=now_ms,
        body=json.dumps({"verdict": body["verdict"], "why": body["why"]}),
    )
    return trials.keep(open_home().engine, [row])[name]


def write_card(path: Path, body: Mapping[str, Any]) -> None:
    """Write all of it as a JSON file. Raises BadInput for a file that exists or cannot be written."""
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(json.dumps(body, indent=1, allow_nan=False) + "\n")
    except FileExistsError:
        raise BadInput(f"{path} exists", "choose another name, or remove it") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}", "name a file in a folder that exists") from error


def text_of(body: Mapping[str, Any]) -> str:
    """The verdict, then a block a head: its figure beside what it has to beat, controls, folds, gates."""
    lines = [f"{body['verdict'].upper()}: {body['why']}"]
    lines.append(f"{body['orders']:,} orders of {body['symbol']} {body['market']}, the {_ordinal(body['trial'])} training on it")
    lines += [body["audit"], body["leak_check"]["text"]]
    for head in body["heads"]:
        test, rival = head["test"], head["baselines"]["one feature"]
        lines.append("")
        between = f"{_r2(test['low'])} to {_r2(test['high'])}"
        lines.append(f"{head['name']}: R2 {_r2(test['value'])} ({between}) on {test['rows']:,} orders")
        lines.append(f"  one feature {_r2(rival['value'])}, training {_r2(head['training'])}; a constant has 0")
        controls = f"the outcome as a column {_r2(head['oracle']['value'])}"
        lines.append(f"  {controls}, labels of another time {_r2(head['labels_of_another_time']['value'])}")
        lines.append(f"  folds: {' '.join(_r2(row['test']) for row in head['folds'])}")
        most = sorted(head["ablation"], key=lambda row: -(row["adds"] or 0.0))[:3]
        adds = ", ".join(f"{row['without']} {_r2(row['adds'])}" for row in most)
        lines.append(f"  adds most: {adds}")
        lines += [f"  {'passed' if gate['passed'] else 'FAILED'}  {gate['name']}: {gate['text']}" for gate in head["gates"]]
    paid = " ".join("-" if one["net_bps"] is None else f"{one['net_bps']:+.2f} ({one['orders']:,})" for one in body["taken"])
    lines += ["", f"taken where more than {body['floor_bps']:g} bps is predicted, net bps by fold (orders): {paid}"]
    return "\n".join(lines)


def _r2(value: float | None) -> str:
    return "-" if value is None else f"{value:+.3f}"


def _ordinal(number: int) -> str:
    ends = {1: "st", 2: "nd", 3: "rd"}
    return f"{number}{'th' if number % 100 in (11, 12, 13) else ends.get(number % 10, 'th')}"
