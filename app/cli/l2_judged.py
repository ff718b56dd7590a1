"""What `nightdesk l2 feasibility` says, as text. Called by app/cli/l2.py; app/making/ground.py judges."""

from collections.abc import Mapping
from typing import Any

from app.cli.l2_page import based_on, bps
from engine.amounts import percent_text


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
    usable = f"{percent_text(ground['usable_frac'], 1)} usable, {ground['resyncs']} resyncs"
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
