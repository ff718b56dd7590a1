"""Bodies of journal events that many read, typed: `mark` and `config`. Written by events.py and live/config_event.py.

Read by the replay, the watch, views, tools and commands. Money in quote units, times in UTC ms; null is not known.
"""

import math
from collections.abc import Mapping
from typing import Any, NotRequired, TypedDict

RESTING = ("draft", "retired")  # stages in which a sleeve enters nothing; its exits go on
SIMULATED = ("paper", "shadow")  # modes of a desk whose fills are simulated: nothing leaves it
LIVE_STAGES = ("live_small", "live")  # in which a sleeve enters at an account with real money
POSITION = "position of "
CASH = "cash"  # a difference between book and venue: of an account's money
REDUCED = "reduced by the venue: "  # of Book.health, before an instrument: it has closed lots of a position by itself
REFUSALS = "refusals of "  # the same, before a sleeve: its venue has refused several of its orders in a row
SETTINGS = "settings of "  # the same: its leverage or margin is not what it was
FEES = "fees of "  # the same, before an instrument: an execution was charged in an asset that is not its cash
OFF = "not traded: "  # the same: its venue does not trade it now, which keeps entries off for its own sleeves alone
GONE = "the venue does not list it"  # how the reason of such a one begins where the venue does not know it any more
UNFIT = " fills more than "  # in the text of a difference: an execution of an order of ours that fits no layer
FORMAT = 4  # of the desk journal, in the `start` of its first event; another one is not read


def finite(value: float) -> float | None:
    """A number as JSON has it; what is not finite is null."""
    return value if math.isfinite(value) else None


def position_of(instrument: str) -> str:
    """What a difference of an instrument's position is called."""
    return f"{POSITION}{instrument}"


def waits_for_person(what: str) -> bool:
    """Whether something of Book.health is over once a named person says so (`nightdesk adopt WHAT --keep`)."""
    return what == "clock" or what.startswith((REFUSALS, REDUCED, SETTINGS, FEES)) or what.endswith("leaves out executions")


def keep_command(what: str) -> str:
    """What that person types."""
    return f"nightdesk adopt '{what}' --keep --as NAME --reason WHY"


def going_on(what: str) -> str:
    """How a person lets the desk go on, for a page about something that does not end by itself."""
    return f"no entries until a person lets the desk go on: {keep_command(what)}"


def unfit_orders(differences: Mapping[str, str]) -> set[str]:
    """Orders of which an execution is listed and fits no layer: a person decides about it, and nothing is missing."""
    return {text.partition(UNFIT)[2].removesuffix(" can") for text in differences.values() if UNFIT in text}


def stage_rests(stage: str, mode: str) -> bool:
    """Whether a sleeve enters nothing by its stage on a desk of this mode, as Book.mode: money takes LIVE_STAGES."""
    return stage in RESTING or (mode == "live" and stage not in LIVE_STAGES)


def pause_holds(paused: bool, resumes_ms: int | None, desk_ms: int | None) -> bool:
    """Whether people's pause of a sleeve holds at a desk time: one with an end is over from the close at `resumes_ms` on."""
    return paused and (resumes_ms is None or desk_ms is None or desk_ms < resumes_ms)


class GuardBody(TypedDict):
    """What the guardrails of a sleeve count; nobody counts it again."""

    streak: int  # losing round trips in a row
    day_entries: int  # entries of the UTC day: market orders made, layers that limit orders opened
    day_equity: float | None  # at the day's first bar
    refused_by: str | None  # the rule of a refusal that lasts
    refused_ms: int | None  # close at which it began
    spread_frac: float | None  # estimated at the last close that asked
    range_times: float | None  # of the last own bar, against the usual range
    volume_times: float | None  # the same of its volume


class LayerBody(TypedDict):
    """One entry of an open position, with its orders at the venue."""

    key: int
    lots: int
    entry: float | None
    protective: float | None
    protective_kind: str
    protective_state: str
    target: float | None
    due: str | None  # reason of an exit that is decided
    exit_state: NotRequired[str]  # of the order that leaves at the market, once an exit is due
    stop_at: NotRequired[float | None]  # its protective order, while the venue refuses to move it to `protective`
    stop_lots: NotRequired[int]  # that this order covers
    dust: NotRequired[int]  # the venue's least order in lots, of a layer that is smaller and that it takes no order of


class PositionBody(TypedDict):
    """An open position."""

    side: str
    lots: int
    quantity: float
    opened_ms: int
    notional: float | None
    layers: list[LayerBody]


class SleeveBody(TypedDict):
    """A sleeve in a mark."""

    equity: float | None
    cash: float | None
    fees: float | None
    funding: float | None
    slippage: float | None
    trips: int
    version: int
    guard: GuardBody
    position: NotRequired[PositionBody]
    order: NotRequired[dict[str, Any]]  # side, lots
    blocked_until_ms: NotRequired[int]
    shut_until_ms: NotRequired[int]  # end of a no_entry window; -1: without one
    paused: NotRequired[bool]
    resumes_ms: NotRequired[int]  # desk time at which people's pause ends by itself
    paused_until_ms: NotRequired[int]
    waiting_version: NotRequired[int]
    stage: NotRequired[str]  # what people want, unless it is paper
    stage_reached: NotRequired[str]  # winding_down or settling, while that is not what they want
    incident: NotRequired[float | None]  # of equity - cash at the start: P&L of incident windows, once one has covered it


class MarkBody(TypedDict):
    """The desk after a bar, a configuration, a halt, or whatever else a person should see at once."""

    equity: float | None
    peak: float | None  # the drawdown breaker's reference: the highest equity since the start or the last release
    gross: float | None
    state: str  # running, flattening, halted
    tripped: list[str]
    bars: int
    version: int
    minute_orders: int  # entry orders in the minute of the close
    positions: int  # sleeves with an open position or a working entry
    correlated: float | None  # exposure weighted by the correlations of the day
    sleeves: dict[str, SleeveBody]
    high_water: NotRequired[float]  # the highest equity ever, once a release has set `peak` below it
    stamp: NotRequired[str]  # of a bar: REPLAYED or PAPER
    halt: NotRequired[dict[str, Any]]  # reason, by
    blocked: NotRequired[dict[str, str]]  # why nothing may enter: what is not well, what differs from the venue
    differs: NotRequired[dict[str, str]]  # of these the differences: a named person has to adopt them
    incident: NotRequired[float | None]  # the sleeves' together
    orphan_pnl: NotRequired[float | None]  # of executions that no order explains: in the account's cash, in no sleeve
    windows: NotRequired[list[str]]  # incident windows that are open
    off: NotRequired[dict[str, str]]  # instruments that the venue does not trade now -> why; their sleeves alone enter nothing


class SleeveConfigBody(TypedDict):
    """A sleeve of a configuration, its core rules spelled out."""

    name: str
    version: NotRequired[int]  # the sleeve's own; in journals from before there was one, the desk's counts
    stage: NotRequired[str]  # what people want; paper where it is missing
    strategy: str
    strategy_sha256: str
    instrument: str
    reads: NotRequired[list[str]]  # what else its strategy reads
    timeframe: str
    side: str
    cash: float
    paused: bool
    resumes_ms: NotRequired[int]  # desk time at which the pause ends by itself
    params: dict[str, Any]
    rules: dict[str, Any]
    costs: dict[str, Any]


class ConfigBody(TypedDict):
    """A version that the desk follows; the first one holds `start`."""

    version: int
    sha256: str
    limits: dict[str, Any]
    sleeves: list[SleeveConfigBody]
    start: NotRequired[dict[str, Any]]
    to_open: NotRequired[list[str]]


class ShadowBody(TypedDict):
    """`shadow` of an order that would have left a desk in shadow. Prices in quote units; without a book `unread` says why."""

    what: str  # order
    order: str
    sleeve: str
    instrument: str
    slot: str
    side: int  # 1 buys
    units: float  # base
    why: str  # why it did not leave
    refused: str  # why the account's venue would have refused it; "": it would not
    assumed_bps: float | None  # of price, that the fill model counts for it against the market; null: it would rest
    unread: str
    attached_level: float | None  # of the stop that an entry would have had with it; null: of any other order
    parts: NotRequired[Mapping[str, int]]  # of a basket's leg: pair -> lots of the order with their side
    bid: NotRequired[float]
    ask: NotRequired[float]
    spread_bps: NotRequired[float]
    behind_ms: NotRequired[int]  # from the close to the book
    price: NotRequired[float]  # that the book would have given an order at the market, on average
    book_bps: NotRequired[float]  # of the middle, against the order
    thin: NotRequired[bool]  # the levels that were read did not suffice: the true price is worse
    crosses: NotRequired[bool]  # a limit that would have taken at once
