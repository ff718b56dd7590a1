"""Tapes joined and judged: is there an edge above the fees, and may a maker leave simulation and paper on that ground?

Called by app/cli (l2 feasibility, making stage), by app/people/makers.py for a step, and by app/processes/maker.py at every
start. Judging days of a tape takes minutes, so what a step was approved on is kept with the tapes' digest and the code's: a start
judges anew where the code is another, and is refused where the tapes are.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.amounts import percent_text
from engine.errors import BadInput
from engine.venues.instruments import Overrides, costs_of, fee_tier_of

if TYPE_CHECKING:
    from engine.l2.feasibility import Cell, Edge
    from engine.l2.tape import BookTape


ROWS_MAX = 1_000_000
STEPS_MS = (100, 200, 500, 1_000)  # between two rows; the shortest horizon is a second
READ_BYTES = 1 << 20


def judged(path: Path, floor: float | None, every_ms: int, horizons: tuple[float, ...], overrides: Overrides) -> dict[str, Any]:
    """The answer as JSON. `overrides`: the fee tier of desk.toml's [instruments].

    Raises DataError for a tape with an error, BadInput for terms and tapes that do not go together.
    """
    from engine.l2.checks import sound_tape, tapes_in
    from engine.l2.copies import COPIED_MIN, RepeatedTapes
    from engine.l2.feasibility import HORIZONS_S, feasibility
    from engine.l2.features import computed, one_after_another
    from engine.l2.moments import joined, moments_of
    from engine.l2.tape import DELTA

    parts, columns, copies = [], [], RepeatedTapes()
    files: list[dict[str, Any]] = []
    for file in tapes_in(path):
        opened = sound_tape(file)
        tape = opened.tape
        about = (tape.venue, tape.symbol, tape.market)
        if files and about != files[0]["about"]:
            raise BadInput(
                f"{path}: tapes of {' '.join(files[0]['about'])} and of {' '.join(about)}", "name one instrument's folder"
            )
        floor_bps, source = _floor(floor, tape, overrides)
        moments = moments_of(tape, opened.report.replayed, opened.trades, every_ms)
        parts.append((moments, tape.scale))
        columns.append(computed(moments))
        ids = {"names_previous": bool((tape.prev_id[tape.kind == DELTA] >= 0).any()), "repeated_frac": copies.repeated_frac(tape)}
        files.append({"file": str(file), "about": about, **ids, "warnings": len(opened.report.issues), **opened.report.figures})
    found = feasibility(joined(parts), one_after_another(columns), every_ms, floor_bps, horizons or HORIZONS_S)
    verdict, why = found.verdict, found.why
    if again := [file for file in files if file["repeated_frac"] > COPIED_MIN]:
        share = percent_text(again[0]["repeated_frac"], 0)
        why = f"{Path(again[0]['file']).name} repeats {share} of what was recorded before it; {why}"
        verdict = "not enough tape" if verdict == "yes" else verdict
    tables = {name: [_cell(cell) for cell in getattr(found, name)] for name in ("cells", "together", "oracle")}
    return {
        **dict(zip(("venue", "symbol", "market"), files[0].pop("about"), strict=True)),
        "verdict": verdict,
        "why": why,
        "floor_bps": floor_bps,
        "floor_source": source,
        "fees_bps": _fees(tape, overrides),
        "every_ms": every_ms,
        **tables,
        "chance_bps": found.chance,
        "ablation": {"horizon_s": found.ablation_s, "items": found.ablation},
        "substrate": {**found.substrate, "tapes": [{k: v for k, v in file.items() if k != "about"} for file in files]},
    }


def both_sides_bps(venue: str, symbol: str, market: str, overrides: Overrides) -> float:
    """Two maker fees of the tier that the desk counts with, bps; a rebate lowers nothing. Raises BadInput where none is known."""
    return 2e4 * max(costs_of(venue, symbol, market, overrides).maker_frac, 0.0)


def _floor(given: float | None, tape: "BookTape", overrides: Overrides) -> tuple[float, str]:
    """(bps of both sides, where it comes from). Raises BadInput where a venue's fee is not known and none was given."""
    if given is not None:
        return given, "--floor-bps"
    one = (tape.venue, tape.symbol, tape.market)
    try:
        fees = both_sides_bps(*one, overrides)
    except BadInput as error:
        raise BadInput(error.what, "give --floor-bps: what both sides cost") from error
    return fees, f"two maker fees; {fee_tier_of(*one, overrides.get(':'.join(one), {}))}"


def _fees(tape: "BookTape", overrides: Overrides) -> float | None:
    """Two maker fees of the tape's venue, bps; None where they are not known."""
    try:
        return _floor(None, tape, overrides)[0]
    except BadInput:
        return None


def _edge(edge: "Edge") -> dict[str, Any]:
    return {"bps": edge.bps, "moments": edge.moments, "independent": edge.independent}


def _cell(cell: "Cell") -> dict[str, Any]:
    """A cell as JSON."""
    return {
        "feature": cell.feature,
        "horizon_s": cell.horizon_s,
        "in": _edge(cell.inside),
        "out": _edge(cell.outside),
        "folds": [_edge(edge) for edge in cell.folds],
        "clears": cell.clears,
    }


def ground_of(path: Path, floor: float | None, overrides: Overrides) -> dict[str, Any]:
    """`judged`, with as many rows a second as a recording of that length allows."""
    return judged(path, floor, every_ms_of(path), (), overrides)


def every_ms_of(path: Path) -> int:
    """Milliseconds between two rows: 100, more for a recording of more than a day."""
    from engine.l2.checks import tapes_in
    from engine.l2.tape import read_tape

    tapes = [read_tape(file).recv_ns for file in tapes_in(path)]
    span_ms = sum(int(recv[-1] - recv[0]) // 1_000_000 for recv in tapes if len(recv))
    return next((step for step in STEPS_MS if span_ms / step <= ROWS_MAX), STEPS_MS[-1])


def kept_ground(found: Mapping[str, Any]) -> dict[str, Any]:
    """What engine.making.stages asks of a feasibility, small enough for a proposal: its figures and the best cell."""
    from engine.making.stages import windows_above

    _, name = windows_above(found)
    cells = [cell for cell in (*found["cells"], *found["together"]) if f"{cell['feature']} at {cell['horizon_s']:g} s" == name]
    best = [
        {"feature": c["feature"], "horizon_s": c["horizon_s"], "folds": [{"bps": e["bps"]} for e in c["folds"]]} for c in cells
    ]
    substrate: dict[str, Any] = {key: found["substrate"][key] for key in ("days", "usable_frac")}
    tapes = [{key: tape[key] for key in ("file", "names_previous", "repeated_frac")} for tape in found["substrate"]["tapes"]]
    substrate["tapes"] = tapes
    about = {key: found[key] for key in ("venue", "symbol", "market", "floor_bps", "fees_bps", "verdict", "why")}
    return about | {"cells": best[:1], "together": [], "substrate": substrate, "code": judging_code()}


def tapes_digest(path: Path) -> str:
    """SHA-256 over names and bytes of the tapes and of what lies beside them. Raises BadInput for a folder without any."""
    from engine.l2.checks import tapes_in

    digest = hashlib.sha256()
    for tape in tapes_in(path):
        stem = tape.name.removesuffix("_l2.parquet")
        beside = [file for file in tape.parent.glob(f"{stem}_*.parquet") if file != tape]
        for file in sorted(
            one for top in (tape, *beside) for one in ([top] if top.is_file() else top.rglob("*")) if one.is_file()
        ):
            digest.update(f"{file.relative_to(tape.parent)}\n{file.stat().st_size}\n".encode())
            with file.open("rb") as read:
                while block := read.read(READ_BYTES):
                    digest.update(block)
    return digest.hexdigest()


def judging_code() -> str:
    """A digest of the source that judges."""
    import inspect

    from engine.l2 import checks, copies, feasibility, features, kernel, moments, snapshot_checks, tape, trade_checks
    from engine.making import stages
    from engine.models import folds

    own = "".join(
        inspect.getsource(module)
        for module in (checks, copies, feasibility, features, moments, snapshot_checks, tape, trade_checks, stages, folds)
    )
    return hashlib.sha256((kernel.sources_digest() + own).encode()).hexdigest()[:16]
