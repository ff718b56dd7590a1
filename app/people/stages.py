"""A sleeve's step towards money: what is known of it in a home, and whether a named person may take it now.

Called by app.people.approvals at the decision and by app/cli/live.py. Turns a home's journals and its kept comparison with the
backtest into StageFacts, at the moment that they are asked for; engine.control.stages judges them. A step down takes nothing.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from app.home.home import Home
from app.people.identity import Actor, read_people
from engine.book.book import Book
from engine.book.incident_money import incidents_of
from engine.book.replay import fold
from engine.control.makers import KIND as MAKER
from engine.control.sleeve_config import traded_by
from engine.control.stages import STEPS, StageFacts, days_between, lacking, rises
from engine.errors import BadInput, DeskError, Refused
from engine.store.chain import Event
from engine.store.lookback import last
from engine.store.tables import Proposal
from engine.watch.parity_result import last_result
from engine.watch.shadow_costs import ShadowCosts, costs_by_sleeve, together
from engine.watch.window import FAR_MS, between, mark_at, start_of

SAME = ("strategy", "strategy_sha256", "instrument", "timeframe", "side", "params")  # what makes two homes' sleeves one
PATH_MAX = 400
OF_SHADOW = ("at_market", "compared", "assumed_bps", "book_bps")  # of ShadowCosts, in StageFacts
FEE_SLACK = 1e-9  # a fee is a text of six decimals


class StageMove(NamedTuple):
    """A stage that a proposal raises, of one sleeve."""

    sleeve: str
    old: str
    new: str


def raised_by(row: Proposal) -> list[StageMove]:
    """The stages that a proposal brings nearer to money. Raises Refused for one that changes anything beside."""
    changes, found = json.loads(row.diff).get("changes") or [], []
    for change in changes:
        sleeve, _, key = str(change["key"]).rpartition(".")
        if key == "stage" and rises(str(change["old"]), str(change["value"])):
            found.append(StageMove(sleeve or row.sleeve, str(change["old"]), str(change["value"])))
    if found and len(changes) > 1:
        raise Refused(f"{row.id} takes a step towards money and changes more", "propose the step alone: nightdesk live stage")
    return found


def require_evidence(home: Home, row: Proposal, now_ms: int) -> None:
    """Refuse a proposal that raises a stage without everything that this takes, as it is now; names what is lacking."""
    if row.kind == MAKER:
        from app.people.makers import require_ground_of  # brings numpy, which a supervisor need not hold

        require_ground_of(home, row)
        return
    for move in raised_by(row):
        after = next((str(e.get("path")) for e in json.loads(row.evidence) if e.get("role") == "home"), "")
        if missing := missing_for(home.path, move.sleeve, move.new, after, now_ms):
            what = f"{row.id} cannot be approved: {move.sleeve} does not come to {move.new}: {'; '.join(missing)}"
            raise Refused(what, "nightdesk live stages says what is lacking; nothing has changed")


def missing_for(
    home: Path,
    sleeve: str,
    to: str,
    after: str,
    now_ms: int,
    here: "StageJournal | None" = None,
    there: "StageJournal | None" = None,
) -> list[str]:
    """What a sleeve lacks for a stage, a line each; `after`: the home that shows the stage before it, "" for none.

    `here`, `there`: the journals of both, where several sleeves are asked about.
    """
    try:
        facts = facts_of(home, sleeve, here)
        before = facts_of(home_before(after), sleeve, there) if after and to in STEPS and STEPS[to].home_before else None
        found = lacking(to, facts, before, now_ms)
        return found + (other_code(home, facts) if to in STEPS else [])
    except DeskError as error:
        return [error.what]


def other_code(home: Path, facts: StageFacts) -> list[str]:
    """That a sleeve's strategy file is another code by now than the desk has run: a version takes the file as it is then."""
    from engine.strategies.base import code_sha256  # brings numpy
    from engine.strategies.isolated.described import read_strategy

    now = code_sha256(read_strategy(str(facts.sleeve["strategy"]), home / "strategies"))
    if now == facts.sleeve["strategy_sha256"]:
        return []
    return [f"the code of {facts.sleeve['strategy']} has changed since the desk took it: put it back, or start the worker anew"]


def require_people(home: Home, actor: Actor) -> None:
    """Refuse where anybody could say any name: a step towards money is a person's who has proved to be one."""
    if actor.name not in read_people(home.path):
        hint = f"set one up: nightdesk people add {actor.name!r} --passphrase"
        raise Refused(f"{actor.name} has no passphrase: a step towards money takes one", hint)


def home_before(path: str) -> Path:
    """A folder that is a home. Raises BadInput."""
    found = Path(path).expanduser()
    if len(path) > PATH_MAX or not (found / "journal" / "desk.jsonl").is_file():
        raise BadInput(
            f"no desk has run in {path[:PATH_MAX]!r}", "--after takes the folder of a home: NIGHTDESK_HOME of that desk"
        )
    return found


class StageJournal:
    """What a home's desk journal says of its stages, read once for all its sleeves, and never from a cache: money rests on it."""

    def __init__(self, home: Path) -> None:
        self.path = home / "journal" / "desk.jsonl"

    @cached_property
    def book(self) -> Book:
        """The desk at the journal's end. Raises BadInput where none has begun, JournalBroken."""
        book = fold(self.path) if self.path.exists() else None
        if book is None:
            raise BadInput("no desk has begun here", "start it: nightdesk up")
        return book

    @cached_property
    def events(self) -> list[Event]:
        """Configurations, probes and what shadows noted, oldest first: one reading of the whole journal."""
        return list(between(self.path, -1, FAR_MS, {"config", "probe", "shadow"}))

    @cached_property
    def configs(self) -> list[Event]:
        """Configurations, oldest first."""
        return [event for event in self.events if event.kind == "config"]

    def shadow_since(self, since_ms: int) -> dict[str, ShadowCosts]:
        """As shadow_costs; what the account said of fees counts from before as well: it is noted again where it changes alone."""
        noted = (event for event in self.events if event.kind == "shadow")
        return costs_by_sleeve(event for event in noted if event.t_event_ms > since_ms or event.body["what"] == "account")


def facts_of(home: Path, sleeve: str, journal: StageJournal | None = None) -> StageFacts:
    """What a home knows of a sleeve now. Raises BadInput for an unknown one, DataError or JournalBroken."""
    journal = journal or StageJournal(home)
    book = journal.book
    own = traded_as(book, sleeve)
    if not own:
        raise BadInput(f"unknown sleeve {sleeve[:60]!r}", f"available: {', '.join(configured(book))}")
    sources = [book.latest(s).source for s in own]
    stage = str(sources[0].get("stage", "paper"))
    since = began(journal.configs, book.names[own[0]], stage)
    probed = [event for event in journal.events if event.kind == "probe"]
    probes = [last_probe(home, str(source["instrument"]), probed) for source in sources]
    done = [probe for probe in probes if probe is not None]
    parity = last_result(home)
    seen = None if since is None else shadow_of(journal.shadow_since(since.t_event_ms), book, sleeve)
    of_shadow = {} if seen is None else {name: getattr(seen, name) for name in OF_SHADOW}
    return StageFacts(
        place=place_of(book.start),
        stage=stage,
        sleeve=identity_of(sources),
        days=0.0 if since is None else days_between(since.t_event_ms, book.close_ms),
        trips=trips_now(book, own[0]) - trips_before(journal.path, sleeve, since) - _in_incidents(home, book, sleeve, since),
        parity_frac=None if "failed" in parity else parity.get("unexplained_frac"),
        parity_ms=parity.get("wall_ms"),
        parity_why=str(parity.get("failed", ""))[:200],
        open_incidents=open_incidents(book),
        probe_ms=min(probe.t_recv_ms or probe.t_event_ms for probe in done) if len(done) == len(probes) else None,
        probe_ok=len(done) == len(probes) and all(bool(probe.body["ok"]) for probe in done),
        probe_heard=len(done) == len(probes) and all(heard_on_stream(probe.body) for probe in done),
        dearer_fees=next((why for source in sources if seen and (why := dearer_fees(source["costs"], seen))), ""),
        **of_shadow,
    )


def traded_as(book: Book, sleeve: str) -> list[int]:
    """Which sleeves of the desk a configured one is: itself, or all legs of a basket; none for an unknown one."""
    if book.basket is not None and sleeve == book.basket.name:
        return list(range(len(book.names)))
    return [book.names.index(sleeve)] if book.basket is None and sleeve in book.names else []


def configured(book: Book) -> list[str]:
    """The sleeves that people configure."""
    return book.names if book.basket is None else [book.basket.name]


def identity_of(sources: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What must be the same in two homes; of a basket the instruments of all of its legs."""
    found = {key: sources[0].get(key) for key in SAME}
    return found if len(sources) == 1 else found | {"instrument": [source["instrument"] for source in sources]}


def shadow_of(rows: Mapping[str, ShadowCosts], book: Book, sleeve: str) -> ShadowCosts | None:
    """What a configured sleeve has seen in shadow."""
    return together([rows[name] for name in (book.names[s] for s in traded_as(book, sleeve)) if name in rows])


def trips_now(book: Book, s: int) -> int:
    """Round trips that a sleeve has made; of a basket its pairs'."""
    return (book.sleeves[s] if book.basket is None else book.basket.whole).ledger.trips


def dearer_fees(costs: Mapping[str, Any], seen: ShadowCosts) -> str:
    """Why an account pays more than its sleeve counts with (`costs` of its config event); "" where it does not."""
    if seen.maker_frac is None or seen.taker_frac is None:
        return "the account's fees are not known"
    if seen.maker_frac <= costs["maker_frac"] + FEE_SLACK and seen.taker_frac <= costs["taker_frac"] + FEE_SLACK:
        return ""
    pays, counted = (
        f"maker {maker * 1e4:g} bps, taker {taker * 1e4:g} bps"
        for maker, taker in ((seen.maker_frac, seen.taker_frac), (costs["maker_frac"], costs["taker_frac"]))
    )
    return f"the account pays {pays}, backtests count {counted}: write them under [instruments]"


def place_of(start: Mapping[str, Any]) -> str:
    """What a home trades, by the `start` of its journal: paper on recorded bars, paper_live, shadow, testnet or live."""
    if (mode := str(start.get("mode", "paper"))) != "paper":
        return mode
    return "paper_live" if start.get("source") == "live" else "paper"


def open_incidents(book: Book) -> tuple[str, ...]:
    """What is open on the desk: a halt, what is not well, what differs from the venue, lots of no order, incident windows."""
    halted = [f"halted: {book.halt.get('reason', '')}"] if book.desk.halted else []
    orphans = [
        f"{orphan['lots']} lots of {name} that no order explains" for name, orphan in book.orphans.items() if orphan["lots"]
    ]
    windows = [f"incident {window} is open: nightdesk incidents show {window}" for window in incidents_of(book)["open"]]
    return (*halted, *(f"{what}: {why}" for what, why in book.health.items()), *book.differences.values(), *orphans, *windows)


def began(configs: Sequence[Event], sleeve: str, stage: str) -> Event | None:
    """Of a journal's config events the one from which on a sleeve has been at its stage without a break, by one code."""
    found, code = None, None
    for event in reversed(configs):
        sleeves = (one for one in event.body.get("sleeves", ()) if isinstance(one, Mapping))
        if (own := next((one for one in sleeves if one["name"] == sleeve), None)) is None:
            continue
        if own.get("stage", "paper") != stage or (found is not None and own.get("strategy_sha256") != code):
            break
        found, code = event, own.get("strategy_sha256")
    return found


def trips_before(journal: Path, sleeve: str, since: Event | None) -> int:
    """Round trips that a sleeve had made before it came to its stage."""
    if since is None:
        return 0
    at_ms = since.t_event_ms  # marks of this instant may be of before and of after it
    same = [mark for mark in between(journal, at_ms - 1, at_ms, {"mark"}) if mark.seq < since.seq]
    mark = same[-1] if same else mark_at(journal, at_ms - 1)
    if mark is None:
        return 0
    own = mark.body["basket"] if "basket" in mark.body else mark.body["sleeves"].get(sleeve, {})
    return int(own.get("trips", 0))


def _in_incidents(home: Path, book: Book, sleeve: str, since: Event | None) -> int:
    """Closed round trips since an event that were open in an incident window: no evidence of a strategy."""
    if not incidents_of(book)["count"]:
        return 0
    from engine.watch.desk_trips import desk_trips, strategy_trips  # frames are read where there was a window alone

    since_seq = -1 if since is None else since.seq
    every, own = (
        frame.filter(frame["exit_ms"].is_not_null() & (frame["last_n"] > since_seq)).height
        for frame in (desk_trips(home, sleeve), strategy_trips(home, sleeve))
    )
    return every - own


def last_probe(home: Path, instrument: str, of_desk: Sequence[Event] | None = None) -> Event | None:
    """The last probe of an instrument that ended: by the worker, or by `nightdesk live test` without one. `of_desk`: the probes
    of the desk's journal, where they are read already."""

    def of(event: Event) -> bool:
        return (event.body.get("what"), event.body.get("instrument")) == ("ended", instrument)

    folder = home / "journal"
    desk = last(folder / "desk.jsonl", ("probe",), of) if of_desk is None else next(filter(of, reversed(of_desk)), None)
    found = [desk, last(folder / "people.jsonl", ("probe",), of)]
    return max((event for event in found if event is not None), key=lambda e: e.t_recv_ms or e.t_event_ms, default=None)


def heard_on_stream(probe: Mapping[str, Any]) -> bool:
    """Whether a journaled probe has seen an order on the private stream; one without a worker listens to none."""
    return any(leg["name"].endswith(" on stream") and leg["result"] == "ok" for leg in probe.get("legs", ()))


def stage_rows(home: Home, after: str, now_ms: int) -> list[dict[str, Any]]:
    """Each sleeve of a home: its stage, the next one, and what is lacking for it."""
    from engine.control.config import active
    from engine.control.stages import next_stage

    here, there = StageJournal(home.path), StageJournal(Path(after).expanduser()) if after else None
    rows, shadow, place = [], here.shadow_since(-1), place_of(start_of(home.desk_journal))
    for sleeve in active(home.engine, home.path).config.sleeves:
        to = next_stage(sleeve.stage, place)
        missing = missing_for(home.path, sleeve.name, to, after, now_ms, here, there) if to else []
        row = {"sleeve": sleeve.name, "account": sleeve.account, "stage": sleeve.stage, "next": to or None, "lacking": missing}
        seen = together([shadow[leg.name] for leg in traded_by(sleeve) if leg.name in shadow])
        rows.append(row | {"shadow": None if seen is None else seen._asdict()})
    return rows
