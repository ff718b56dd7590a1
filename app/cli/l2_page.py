"""`nightdesk l2 feasibility --page FILE`: the answer as one page that opens offline, in the style of a run's report.

Called by app/cli/l2.py. Nothing is loaded and no script runs; names of files and instruments are escaped.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.amounts import percent_text
from engine.errors import BadInput

KINDS = {"yes": "", "no": "bad", "not enough tape": "warn"}


def write_page(path: Path, body: Mapping[str, Any]) -> None:
    """Write the page. Raises BadInput for a file that exists or cannot be written."""
    text = html(body)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise BadInput(f"{path} exists", "choose another name, or remove it") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be written: {error.strerror or error}", "name a file in a folder that exists") from error


def html(body: Mapping[str, Any]) -> str:
    """The page."""
    from jinja2 import Environment
    from markupsafe import Markup

    from engine.sim.report import asset, policy

    ground = body["substrate"]
    name = f"{body['venue']} {body['symbol']} {body['market']}"
    view = {
        "title": f"Is there an edge in the book of {name}?",
        "about": f"{based_on(ground)}; floor {body['floor_bps']:g} bps ({body['floor_source']})",
        "verdict": f"{body['verdict'].capitalize()}.",
        "kind": KINDS[body["verdict"]],
        "why": body["why"],
        "floor": f"{body['floor_bps']:g}",
        "rows": [_row(cell) for name in ("cells", "together", "oracle") for cell in body[name]],
        "chance": " ".join(bps(value) for value in body["chance_bps"]) or "not computed",
        "perfect": [_perfect(h) for h in ground["horizons"]],
        "ablation_ahead": f"{body['ablation']['horizon_s']:g} s",
        "ablation": [
            {"name": i["without"], "bps": bps(i["out_bps"]), "adds": bps(i["adds_bps"])} for i in body["ablation"]["items"]
        ],
        "ground": _ground(ground),
        "policy": policy(),
        "style": Markup(asset("report.css")),  # noqa: S704 - our own file
    }
    return Environment(autoescape=True, trim_blocks=True).from_string(asset("feasibility.html")).render(view)


def based_on(ground: Mapping[str, Any]) -> str:
    """`0.0040 days of 1 tape`."""
    count = len(ground["tapes"])
    return f"{ground['days']:.4f} days of {count} {'tape' if count == 1 else 'tapes'}"


def bps(value: float | None) -> str:
    """`+1.20`; a dash for nothing."""
    return "-" if value is None else f"{value:+.2f}"


def _row(cell: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "feature": cell["feature"],
        "ahead": f"{cell['horizon_s']:g} s",
        "inside": bps(cell["in"]["bps"]),
        "outside": bps(cell["out"]["bps"]),
        "apart": f"{cell['out']['independent']:,}",
        "folds": [bps(edge["bps"]) for edge in cell["folds"]],
        "clears": "yes" if cell["clears"] else "no",
    }


def _perfect(h: Mapping[str, Any]) -> dict[str, str]:
    figures = {"earns": bps(h["mean_absolute_bps"]), "deviation": f"{h['sd_bps']:.2f}"}
    return {"ahead": f"{h['horizon_s']:g} s", "apart": f"{h['independent']:,}"} | figures


def _ground(ground: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What the figures are based on, as names and values."""
    idle = [f["name"] for f in ground["features"] if f["constant"]]
    found = [
        ("moments", f"{ground['rows']:,}, {percent_text(ground['usable_frac'], 1)} of them with a usable book"),
        ("resyncs", f"{ground['resyncs']:,}"),
        ("trades recorded", "yes" if ground["trades"] else "no"),
        ("constant or missing features", ", ".join(idle) or "none"),
    ]
    found += [(f"folds, {h['horizon_s']:g} s ahead", h["audit"]) for h in ground["horizons"]]
    for tape in ground["tapes"]:
        agreed = f"{tape['equal']:,} of {tape['shared_ids']:,} shared ids equal to the venue's best quotes"
        found.append((Path(tape["file"]).name, f"{tape['messages']:,} messages; {agreed}; {tape['warnings']} warnings"))
    return found
