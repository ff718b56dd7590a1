"""`nightdesk drift`: one strategy's backtest, paper, shadow and live over the same bars, every pair of sides in dollars by cause.

Called by app/jobs/kinds.py (command line, jobs), and `kept_drift` by desk_parity.py for the watch. A home trades in one mode for
its life, so each side but the backtest is a home. All of them are compared with what a backtest is given in the first home:
its catalog, its parameters and models as approved, its costs and limits. Money in dollars with two decimals, times UTC ms.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from engine.clock import DAY_MS
from engine.control.config import sleeve_version
from engine.control.desk_setup import DeskSetup
from engine.data.catalog import Catalog
from engine.errors import BadInput
from engine.parity.comparison import Comparison, Progress, compared
from engine.parity.drift import BACKTEST, Side, SidePair, as_json, gaps_of, pairs_of, with_backtest
from engine.parity.tape import NEVER_RAN, Tape, tape_of
from engine.parity.today import Approved, Pins, today_of
from engine.parity.worse import worse
from engine.strategies.stored_models import journaled_pins
from engine.watch.parity_result import DRIFT_FRAC_MAX, keep_result, last_result
from engine.watch.window import journal_of, mark_at

HOMES_MAX = 4  # one a mode
KEPT = ("sleeve", "one", "other", "difference_usd", "gross_usd", "first_cause", "causes", "worse")  # of a pair, for the watch
SAME = ("strategy", "instrument", "timeframe", "side")  # of a sleeve, in every home that has it


def desk_drift(
    desk: DeskSetup,
    engine: Engine,
    catalog: Catalog,
    since_ms: int | None,
    sleeve: str | None,
    beside: Sequence[Path],
    progress: Progress,
) -> dict[str, Any]:
    """All pairs of the backtest, this home's desk and those of the homes `beside`, since a day or since all of them have run; of
    all sleeves or of one.

    Raises BadInput for a home that has not run, two of one mode, homes without a common midnight, or other sleeves of one name.
    """
    if len(beside) >= HOMES_MAX:
        raise BadInput(f"{len(beside) + 1} homes", f"at most {HOMES_MAX}, one a mode")
    tapes = common_tapes([desk.home, *beside], since_ms)
    _require_alike(tapes, sleeve)
    sides = []
    for n, tape in enumerate(tapes):

        def part(done: float, n: int = n) -> None:
            progress((n + done) / len(tapes))

        given = given_by(tapes[0], engine) if n else (approved_in(engine), pins_in(engine))
        sides.append(Side(tape.book.mode, compared(tape, today_of(tape, desk, catalog, *given), part)))
    found = [pair for pair in pairs_of(sides) if sleeve in (None, pair.sleeve)]
    progress(1.0)
    return report_of(sides, found)


def common_tapes(homes: Sequence[Path], since_ms: int | None) -> list[Tape]:
    """The days that all of these homes have lived, from one and the same close on: their first one, else a common midnight."""
    marks = [mark_at(journal_of(home)) for home in homes]
    if any(mark is None for mark in marks):
        raise BadInput(NEVER_RAN, "each home has to have traded: nightdesk up")
    until_ms = min(mark.t_event_ms for mark in marks if mark is not None)
    tapes = [tape_of(home, since_ms, until_ms) for home in homes]
    begins = {tape.start_ms for tape in tapes}
    if len(begins) > 1:
        midnight = -(-max(begins) // DAY_MS) * DAY_MS
        if midnight >= until_ms:
            hint = "let them run over a midnight (UTC), or choose an earlier --since"
            raise BadInput("these desks have no whole day together", hint)
        tapes = [tape_of(home, midnight, until_ms) for home in homes]
    if len({tape.start_ms for tape in tapes}) > 1:
        raise BadInput("these desks have no midnight (UTC) together", "choose a --since that all of them have run over")
    return tapes


def _require_alike(tapes: Sequence[Tape], sleeve: str | None) -> None:
    """One home a mode; a sleeve of one name is one strategy on one instrument everywhere."""
    modes = [tape.book.mode for tape in tapes]
    if twice := next((mode for mode in modes if modes.count(mode) > 1), ""):
        raise BadInput(f"two homes trade on {twice}", "name one home a mode")
    names = {name: [source for tape in tapes if (source := _source(tape, name))] for tape in tapes for name in tape.names}
    if sleeve is not None and sleeve not in names:
        raise BadInput(f"the desk has no sleeve {sleeve!r}", f"available: {', '.join(names)}")
    for name, sources in names.items():
        for key in SAME:
            if sleeve in (None, name) and any(source.get(key) != sources[0].get(key) for source in sources):
                raise BadInput(f"{name} is another sleeve in another home: its {key} differs", "compare one with --sleeve")


def _source(tape: Tape, name: str) -> Mapping[str, Any]:
    """The sleeve of that name as its last version in a tape's days says; empty where there is none."""
    if name not in tape.names:
        return {}
    keys = list(tape.bars)[-1].keys
    if tape.book.basket is not None:
        return {**tape.sources[keys[0]], "instrument": [tape.sources[key]["instrument"] for key in keys]}
    return tape.sources[keys[tape.book.names.index(name)]]


def approved_in(engine: Engine) -> Approved:
    """The parameters of a sleeve's version as people approved it; None for a number that the database does not know."""

    def params(sleeve: str, version: int) -> Mapping[str, Any] | None:
        found = _version(engine, sleeve, version)
        return None if found is None else dict(found["params"])

    return params


def pins_in(engine: Engine) -> Pins:
    """The same of its versions of stored models; None where it names none: the journal says which answered."""

    def models(sleeve: str, version: int) -> str | None:
        found = (_version(engine, sleeve, version) or {}).get("models")
        return str(found) if found else None

    return models


def _version(engine: Engine, sleeve: str, version: int) -> Mapping[str, Any] | None:
    from engine.store.db import read

    with read(engine) as session:
        try:
            found: Mapping[str, Any] = json.loads(sleeve_version(session, sleeve, version))
        except BadInput:
            return None
    return found


def given_by(own: Tape, engine: Engine) -> tuple[Approved, Pins]:
    """What another home's sleeves are compared with: the version of the same number that governed here, else the last one."""
    here = {name: {own.numbers[lead.keys[s]]: lead.keys[s] for lead in own.bars} for s, name in enumerate(own.names)}

    def source(sleeve: str, version: int) -> tuple[int, Mapping[str, Any]]:
        found = here.get(sleeve, {})
        number = version if version in found else max(found, default=-1)
        return number, own.sources[found[number]] if found else {}

    def params(sleeve: str, version: int) -> Mapping[str, Any] | None:
        number, then = source(sleeve, version)
        approved = approved_in(engine)(sleeve, number)
        return dict(then["params"]) if approved is None and then else approved

    def models(sleeve: str, version: int) -> str | None:
        number, then = source(sleeve, version)
        return pins_in(engine)(sleeve, number) or (journaled_pins(then) if then else None)

    return params, models


def report_of(sides: Sequence[Side], pairs: Sequence[SidePair]) -> dict[str, Any]:
    """The pairs as JSON, each with its statistics."""
    first = sides[0].found
    here = [{"side": side.name, "versions": dict(side.found.versions)} for side in sides]
    return {
        "from_ms": first.start_ms,
        "to_ms": first.end_ms,
        "bars": first.bars,
        "source": first.source,
        "sides": [*here, {"side": BACKTEST, "versions": {}}],
        "drift_frac_max": DRIFT_FRAC_MAX,
        "pairs": [as_json(pair) | {"worse": worse(gaps_of(pair))._asdict()} for pair in pairs],
    }


def keep_pairs(home: Path, report: Mapping[str, Any], now_ms: int) -> None:
    """Keep the pairs of a report for the watch, beside the last comparison of the desk with its backtest."""
    rows = [{name: pair[name] for name in KEPT} for pair in report["pairs"]]
    days = {name: report[name] for name in ("from_ms", "to_ms")}
    last = {name: value for name, value in last_result(home).items() if name not in ("failed", "drift")}
    if last.get("unexplained_usd") is not None:
        keep_result(home, last | {"drift": rows, "drift_days": days}, now_ms)


def kept_drift(mode: str, found: Comparison) -> list[dict[str, Any]]:
    """What the watch reads of a desk and its backtest, a row a sleeve (parity_result.py)."""
    pairs = (with_backtest(Side(mode, found), share.sleeve) for share in found.shares)
    rows = [as_json(pair) | {"worse": worse(gaps_of(pair))._asdict()} for pair in pairs]
    return [{name: row[name] for name in KEPT} for row in rows]
