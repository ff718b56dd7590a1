"""A market maker's step towards money: what it takes, as it is at the moment of a person's decision.

Called by app/people/stages.py (each approval), app/cli/making_live.py and app/processes/maker.py. The ground is asked of
engine.making.stages, and nothing skips it: no maker leaves paper without seven recorded days and an edge above the fees. Beside
it, the journal of the maker before: the same quoter at the stage before, whole, with round trips.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from app.home.accounts import AccountEntry
from app.home.home import Home
from app.making.ground import both_sides_bps, ground_of, judging_code, kept_ground, tapes_digest
from engine.control.makers import PAPER, STEPS, MakerStep, name_of, require_next, step_in, step_of
from engine.control.stages import TRIPS_MIN
from engine.errors import BadInput, DeskError, Refused
from engine.making.fold import PaperBook, folded
from engine.making.simulation import MakingOptions, require_terms
from engine.making.stages import refusals_of
from engine.making.stored import AT_ACCOUNT, JOURNAL, ON_BOOK, folder_of
from engine.store.journal import read, verify
from engine.store.tables import Proposal

AMOUNTS = ("size", "inventory", "inventory_max", "loss_max")  # what may differ from the maker before
SAME = ("venue", "symbol", "market")


def journal_of(home: Path, name: str) -> PaperBook:
    """The journal of a maker, whole. Raises BadInput where there is none, Refused where it is not whole."""
    path = folder_of(home, name) / JOURNAL
    if not path.is_file():
        raise BadInput(f"the maker {name!r} has no journal", "nightdesk making list has those that ran on paper")
    report = verify(path)
    if not report.ok:
        raise Refused(f"the journal of {name} is not whole: line {report.line}: {report.reason}", "begin another maker")
    return folded(read(path))


def account_for(home: Home, stage: str, name: str) -> AccountEntry:
    """The account of a step. Raises BadInput for one that is none, is no maker's, or is of another mode."""
    found = home.desk.accounts.get(name)
    if found is None:
        raise BadInput(f"no account {name[:60]!r}", f"available: {', '.join(home.desk.accounts) or 'none: docs/accounts.md'}")
    if not found.making:
        hint = f"write making = true under [accounts.{name}] in desk.toml, and trade nothing else there"
        raise BadInput(f"the account {name} is not a maker's alone", hint)
    if found.mode != STEPS[stage][1]:
        raise BadInput(f"the account {name} is in mode {found.mode}: stage {stage} takes {STEPS[stage][1]}", "another account")
    return found


def floor_bps(home: Home, terms: Mapping[str, Any]) -> float:
    """What both sides cost at least: by the tier of desk.toml or by the maker's own fee, whichever is more. That the account pays
    no more is asked at every start (app/processes/maker.py).
    """
    configured = both_sides_bps(terms["venue"], terms["symbol"], terms["market"], home.desk.overrides())
    return max(configured, 2e4 * float(terms["fees_frac"]["maker_frac"]))


def tapes_of(home: Home, path: Path, terms: Mapping[str, Any]) -> dict[str, Any]:
    """The tapes of a step, judged: folder, digest, ground. Raises as `ground_of`; BadInput for another instrument's."""
    found = ground_of(path, floor_bps(home, terms), home.desk.overrides())
    if wrong := [key for key in SAME if found[key] != terms[key]]:
        raise BadInput(
            f"{path}: tapes of {found['venue']} {found['symbol']} {found['market']}", f"the maker has another {wrong[0]}"
        )
    return {"folder": str(path.resolve()), "sha256": tapes_digest(path), "ground": kept_ground(found)}


def ground_now(home: Home, step: MakerStep) -> Mapping[str, Any]:
    """The ground of a step: as it was judged, where the judging code is what it was, else judged anew.

    Raises Refused for other tapes.
    """
    path = Path(str(step.tapes["folder"]))
    if not path.exists():
        raise Refused(f"the tapes of {step.proposal} are gone: {path}", "put them back, or propose the step again")
    if tapes_digest(path) != step.tapes["sha256"]:
        raise Refused(f"the tapes of {step.proposal} are not those that were judged: {path}", "propose the step again")
    ground: Mapping[str, Any] = step.tapes["ground"]
    if ground["code"] == judging_code() and ground["floor_bps"] >= floor_bps(home, step.terms):
        return ground
    return tapes_of(home, path, step.terms)["ground"]  # type: ignore[no-any-return]


def terms_after(home: Home, stage: str, account: str, after: str, amounts: Mapping[str, float], flatten: bool) -> dict[str, Any]:
    """The terms of a step: those of the maker before, with other amounts.

    Raises BadInput for an amount or an account that is none.
    """
    if not after:
        raise BadInput("no maker before is named", "--after NAME: its terms are taken, and its journal is the evidence")
    if stage not in STEPS:
        raise BadInput(f"stage {stage[:40]!r}", f"{', '.join(STEPS)}; or down: {PAPER}")
    begun = journal_of(home.path, after).begun
    entry = account_for(home, stage, account)
    options = MakingOptions(**{**begun["options"], **amounts})
    require_terms(options)
    source = {key: begun["source"].get(key) for key in SAME}
    if (entry.venue, "perp") != (source["venue"], source["market"]):
        what = f"{after} quoted {source['symbol']} {source['market']} at {source['venue']}"
        raise BadInput(f"{what}, the account {account} trades perpetuals at {entry.venue}", "another account")
    fees = dict(begun["fees_frac"])
    return {"account": account, **source, "options": options._asdict(), "fees_frac": fees, "flatten": flatten}


def lacking(home: Home, name: str, step: MakerStep) -> list[str]:
    """Why a maker cannot come to a stage now, a line each; nothing for a step down."""
    if step.stage == PAPER:
        return []
    try:
        require_next(name, step_of(home.engine, name).stage, step.stage)
        account_for(home, step.stage, str(step.terms["account"]))
        found = refusals_of(ground_now(home, step))
        return found + lacking_before(home, step)
    except DeskError as error:
        return [error.what]


def lacking_before(home: Home, step: MakerStep) -> list[str]:
    """What the journal of the maker before does not show."""
    before, needed = journal_of(home.path, step.after), STEPS[step.stage][0]
    begun = before.begun
    found = [f"{step.after} has another {key}" for key in SAME if begun["source"].get(key) != step.terms[key]]
    options = {**begun["options"], **{key: step.terms["options"][key] for key in AMOUNTS}}
    if options != step.terms["options"]:
        apart = sorted(key for key in options if options[key] != step.terms["options"].get(key))
        found.append(f"{step.after} quotes otherwise: {', '.join(apart)} differ")
    stage, kind = begun.get("stage", PAPER), ON_BOOK if needed == PAPER else AT_ACCOUNT[STEPS[needed][1]]
    if (stage, begun["kind"]) != (needed, kind):
        found.append(f"{step.after} was {begun['kind']} at stage {stage}: wanted is {needed}, {kind}")
    trips = before.sleeve.ledger.trips
    if trips < TRIPS_MIN:
        found.append(f"{step.after} has made {trips} of {TRIPS_MIN} round trips")
    if before.halted.get("rule") not in (None, "latch"):
        found.append(f"{step.after} was halted by {before.halted['rule']} in its last session")
    if needed != PAPER and (before.strangers or before.killed.get("left")):
        found.append(f"the account of {step.after} had what its journal does not explain, or a halt that left something")
    return found


def require_ground_of(home: Home, row: Proposal) -> None:
    """Refuse a maker's step without everything that it takes, as it is now; names what is lacking."""
    if missing := lacking(home, name_of(row.sleeve), step := step_in(row)):
        what = f"{row.id} cannot be approved: {row.sleeve} does not come to {step.stage}: {'; '.join(missing)}"
        raise Refused(what, "nothing has changed")
