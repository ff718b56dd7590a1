"""What `nightdesk l2 feasibility` says: tapes joined, judged, as JSON and as text. Called by app/cli/l2.py."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.l2_page import based_on, bps
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.l2.feasibility import Cell, Edge
    from engine.l2.tape import BookTape


def judged(path: Path, floor: float | None, every_ms: int, horizons: tuple[float, ...]) -> dict[str, Any]:
    """The answer as JSON. Raises DataError for a tape with an error, BadInput for terms and tapes that do not go together."""
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
        floor_bps, source = _floor(floor, tape)
        moments = moments_of(tape, opened.report.replayed, opened.trades, every_ms)
        parts.append((moments, tape.scale))
        columns.append(computed(moments))
        ids = {"names_previous": bool((tape.prev_id[tape.kind == DELTA] >= 0).any()), "repeated_frac": copies.repeated_frac(tape)}
        files.append({"file": str(file), "about": about, **ids, "warnings": len(opened.report.issues), **opened.report.figures})
    found = feasibility(joined(parts), one_after_another(columns), every_ms, floor_bps, horizons or HORIZONS_S)
    verdict, why = found.verdict, found.why
    if again := [file for file in files if file["repeated_frac"] > COPIED_MIN]:
        why = f"{Path(again[0]['file']).name} repeats {again[0]['repeated_frac']:.0%} of what was recorded before it; {why}"
        verdict = "not enough tape" if verdict == "yes" else verdict
    tables = {name: [_cell(cell) for cell in getattr(found, name)] for name in ("cells", "together", "oracle")}
    return {
        **dict(zip(("venue", "symbol", "market"), files[0].pop("about"), strict=True)),
        "verdict": verdict,
        "why": why,
        "floor_bps": floor_bps,
        "floor_source": source,
        "fees_bps": _fees(tape),
        "every_ms": every_ms,
        **tables,
        "chance_bps": found.chance,
        "ablation": {"horizon_s": found.ablation_s, "items": found.ablation},
        "substrate": {**found.substrate, "tapes": [{k: v for k, v in file.items() if k != "about"} for file in files]},
    }


def _floor(given: float | None, tape: "BookTape") -> tuple[float, str]:
    """(bps of both sides, where it comes from). Raises BadInput where a venue's fee is not known and none was given."""
    from engine.venues.instruments import costs_of, fee_tier_of

    if given is not None:
        return given, "--floor-bps"
    try:
        costs = costs_of(tape.venue, tape.symbol, tape.market)
    except BadInput as error:
        raise BadInput(error.what, "give --floor-bps: what both sides cost") from error
    return costs.maker_frac * 2e4, f"two maker fees; {fee_tier_of(tape.venue, tape.symbol, tape.market, {})}"


def _fees(tape: "BookTape") -> float | None:
    """Two maker fees of the tape's venue, bps; None where they are not known."""
    try:
        return _floor(None, tape)[0]
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


def text_of(body: Mapping[str, Any]) -> str:
    """The verdict, a line a cell, the controls, the ablation, the ground."""
    lines = [f"{body['verdict'].upper()}: {body['why']}", f"floor {body['floor_bps']:g} bps ({body['floor_source']})", ""]
    lines.append(f"{'bps a moment':32}{'ahead':>7}{'in':>9}{'out':>9}{'apart':>7}  folds")
    for name in ("cells", "together", "oracle"):
        lines += [_cell_line(cell) for cell in body[name]]
    lines += ["", f"best cell with features of another time, out: {' '.join(map(bps, body['chance_bps']))}"]
    lines += ["", f"all together without, {body['ablation']['horizon_s']:g} s ahead, out:"]
    for item in body["ablation"]["items"]:
        lines.append(f"  {item['without']:24}{bps(item['out_bps'])}  it adds {bps(item['adds_bps'])}")
    ground = body["substrate"]
    usable = f"{ground['usable_frac']:.1%} usable, {ground['resyncs']} resyncs"
    lines += ["", f"on {based_on(ground)}, {usable}; a perfect sign earns"]
    for h in ground["horizons"]:
        text = f"{h['mean_absolute_bps']:.2f} bps a moment (sd {h['sd_bps']:.2f}), {h['independent']:,} moments apart"
        lines.append(f"  {h['horizon_s']:g} s ahead: {text}; {h['audit']}")
    idle = [f["name"] for f in ground["features"] if f["constant"]]
    return "\n".join(lines + ([f"constant or missing: {', '.join(idle)}"] if idle else []))


def _cell_line(cell: Mapping[str, Any]) -> str:
    folds = " ".join(bps(edge["bps"]) for edge in cell["folds"])
    mark = "  clears" if cell["clears"] else ""
    figures = f"{bps(cell['in']['bps']):>9}{bps(cell['out']['bps']):>9}{cell['out']['independent']:>7}"
    return f"{cell['feature']:32}{cell['horizon_s']:>5g} s{figures}  {folds}{mark}"
