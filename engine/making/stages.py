"""What a maker needs before it may leave simulation and paper. Nothing skips it: there is one answer, any reason in it refuses.

Called by app/cli/making.py, by app/people/makers.py at each approval of a step, and by app/processes/maker.py at every start.
Simulation and paper are open to any sound tape, as exercises.
"""

from collections.abc import Mapping
from typing import Any

from engine.amounts import percent_text
from engine.errors import Refused
from engine.l2.copies import COPIED_MIN
from engine.l2.feasibility import DAYS_MIN, FOLDS, FOLDS_ABOVE

USABLE_MIN = 0.9  # of the recorded time
# whether a venue's deltas name the one before them: a tape of spot does not become one of a perpetual by its name
NAMES_PREVIOUS = {("binance", "perp"): True, ("binance", "spot"): False}
NAMES_PREVIOUS |= {(venue, market): venue == "okx" for venue in ("okx", "bybit") for market in ("perp", "spot")}


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
    found = [*_below_the_fees(feasibility), *_renamed(feasibility), *_copied(feasibility)]
    if not days >= DAYS_MIN:
        found.append(f"{days:.4g} recorded days; at least {DAYS_MIN:g} count")
    if not usable >= USABLE_MIN:
        found.append(f"{percent_text(usable, 1)} of the time have a usable book; at least {percent_text(USABLE_MIN, 0)} count")
    if above < FOLDS_ABOVE:
        text = f"no feature is above the fees ({feasibility['floor_bps']:g} bps) in {FOLDS_ABOVE} of {FOLDS} windows"
        found.append(f"{text}; the best in {above} ({name})")
    if feasibility["verdict"] != "yes":
        found.append(f"feasibility says {feasibility['verdict']}: {feasibility['why']}")
    return found


def _below_the_fees(feasibility: Mapping[str, Any]) -> list[str]:
    """A floor of one's own may be higher than what both sides cost at the venue, never lower: fees are not to be typed away."""
    fees = feasibility.get("fees_bps", 0.0)
    if fees is None:
        return [f"the fees of {feasibility['venue']} are not known here, so no floor can be held against them"]
    if not feasibility["floor_bps"] >= fees:
        return [f"judged against {feasibility['floor_bps']:g} bps, and both sides cost {fees:g} at this venue"]
    return []


def _renamed(feasibility: Mapping[str, Any]) -> list[str]:
    """Tapes whose ids are not those of the venue and market that their name says."""
    expected = NAMES_PREVIOUS.get((feasibility.get("venue", ""), feasibility.get("market", "")))
    tapes = feasibility["substrate"].get("tapes", ()) if expected is not None else ()
    wrong = [tape["file"].rpartition("/")[2] for tape in tapes if tape["names_previous"] != expected]
    text = "the deltas of {} {} name the one before them" if expected else "the deltas of {} {} do not name the one before them"
    about = text.format(feasibility.get("venue"), feasibility.get("market"))
    return [f"{wrong[0]} is not what its name says: {about}"] if wrong else []


def _copied(feasibility: Mapping[str, Any]) -> list[str]:
    """A day that was recorded once counts once, whatever its name and its clock."""
    tapes = [tape for tape in feasibility["substrate"].get("tapes", ()) if tape["repeated_frac"] > COPIED_MIN]
    return [f"{len(tapes)} tapes repeat what was recorded before them: {tapes[0]['file'].rpartition('/')[2]}"] if tapes else []


def require_ground(feasibility: Mapping[str, Any]) -> None:
    """Raises Refused with every reason for which a maker stays in simulation and on paper."""
    if found := refusals_of(feasibility):
        raise Refused(f"making stays in simulation and on paper: {'; '.join(found)}", "record on: nightdesk l2 record")
