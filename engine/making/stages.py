"""What a maker needs before it may leave simulation and paper. Nothing skips it: there is one answer, any reason in it refuses.

Called by app/cli/making.py, by app/people/makers.py at each approval of a step, and by app/processes/maker.py at every start.
Simulation and paper are open to any sound tape, as exercises.
"""

from collections.abc import Mapping
from typing import Any

from engine.errors import Refused
from engine.l2.feasibility import DAYS_MIN, FOLDS, FOLDS_ABOVE

USABLE_MIN = 0.9  # of the recorded time


def conditions() -> str:
    """What is asked of a tape before a maker may leave simulation and paper, as a sentence."""
    need = f"{DAYS_MIN:g} recorded days and an edge above the fees in {FOLDS_ABOVE} of {FOLDS} windows"
    return f"It may not leave simulation and paper before {need}: nightdesk making stage TAPE judges, and nothing overrides it."


def windows_above(feasibility: Mapping[str, Any]) -> tuple[int, str]:
    """(most windows of one cell above the floor, that cell), of the JSON of `nightdesk l2 feasibility`."""
    floor, best, name = feasibility["floor_bps"], 0, "none"
    for cell in (*feasibility["cells"], *feasibility["together"]):
        above = sum(edge["bps"] is not None and edge["bps"] > floor for edge in cell["folds"])
        if above > best:
            best, name = above, f"{cell['feature']} at {cell['horizon_s']:g} s"
    return best, name


def refusals_of(feasibility: Mapping[str, Any]) -> list[str]:
    """Why a maker may not leave simulation and paper on these tapes; empty: it may. Hours that nobody recorded are none."""
    days, usable = feasibility["substrate"]["days"], feasibility["substrate"]["usable_frac"]
    above, name = windows_above(feasibility)
    found = []
    if not days >= DAYS_MIN:
        found.append(f"{days:.4g} recorded days; at least {DAYS_MIN:g} count")
    if not usable >= USABLE_MIN:
        found.append(f"{usable:.1%} of the time have a usable book; at least {USABLE_MIN:.0%} count")
    if above < FOLDS_ABOVE:
        text = f"no feature is above the fees ({feasibility['floor_bps']:g} bps) in {FOLDS_ABOVE} of {FOLDS} windows"
        found.append(f"{text}; the best in {above} ({name})")
    if feasibility["verdict"] != "yes":
        found.append(f"feasibility says {feasibility['verdict']}: {feasibility['why']}")
    return found


def require_ground(feasibility: Mapping[str, Any]) -> None:
    """Raises Refused with every reason for which a maker stays in simulation and on paper."""
    if found := refusals_of(feasibility):
        raise Refused(f"making stays in simulation and on paper: {'; '.join(found)}", "record on: nightdesk l2 record")
