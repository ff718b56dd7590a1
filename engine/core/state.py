"""What the core knows: every value a core function takes or returns. Ints and floats only; units in the names.

Read by every module of the core, by live/loop.py, sim/ and the tests. A field annotated float never receives an int:
the kernel refuses it when it stores the state, and a test checks every leaf of the plain-Python run.
Lots are whole numbers (`lots * rules.lot_size` is the quantity in base units); money is float64 in the quote currency.
"""

from typing import NamedTuple

LAYERS = 5
OFF = 1e9  # a limit so wide that it never binds
SIDES = {-1: "short", 0: "flat", 1: "long"}
TURNING = 2  # of an instrument: a sleeve there has ordered the other side and has not left its own

# fill modes (DEFINITIONS D12)
PESSIMISTIC, OPTIMISTIC, REFERENCE = 0, 1, 2
FILL_MODES = ("pessimistic", "optimistic", "reference")

# why a layer leaves (also a layer's `exit_pending`)
NONE, STOP, TARGET, TRAIL, FADE, HALT, ADOPTED, LIQUIDATION, BY_SIGNAL, BY_TIME, BY_REVERSAL, PAIR, DELISTED = range(13)
EXIT_REASONS = (  # adopted: gone, says a person; signal, time, reversal: asked for by the strategy; pair: its mate went
    "none", "stop", "target", "trail", "fade", "halt", "adopted", "liquidation", "signal", "time", "reversal", "pair", "delisted",
)  # fmt: skip
DECIDED = (FADE, HALT, BY_SIGNAL, BY_TIME, BY_REVERSAL)  # at a close, filled at the next open

# what the close decided
HOLD, ENTER, ADD, EXIT, REFUSED, CANCEL = 0, 1, 2, 3, 4, 5
ACTIONS = ("hold", "enter", "add", "exit", "refused", "cancel")

# breakers, a bit each
DAY_LOSS, LOSS_STREAK, FREQUENCY, DESK_DRAWDOWN = 1, 2, 4, 8
BREAKERS = {1: "daily loss", 2: "loss streak", 4: "entry frequency", 8: "desk drawdown"}

LEAVE_LONG, LEAVE_SHORT = 1, 2  # bits of Signal.leave

# the rule that refused; the order is the order of review(), later ones behind it: a journal keeps its codes
(
    R_NONE, R_HALT, R_DRAWDOWN, R_DAY_LOSS, R_PAUSE, R_WINDOW, R_SIGNAL, R_SPREAD, R_VOLUME, R_RANGE, R_UNKNOWN, R_LAYERS,
    R_OPPOSITE, R_SHORT, R_SIZE, R_LEAST, R_RISK, R_LIQUIDATION, R_LEVERAGE, R_GROSS, R_INSTRUMENT, R_FAMILY, R_CORRELATED,
    R_POSITIONS, R_ORDER_RATE, R_EQUITY,
) = range(26)  # fmt: skip
RULES = (
    "none",
    "desk is halted",
    "desk drawdown breaker",
    "daily loss breaker",
    "entries paused",
    "no_entry window",
    "the signal contradicts itself",
    "spread_frac_max",
    "abnormal volume",
    "range_times_max",
    "an input cannot be computed",
    "layers_max",
    "another sleeve holds the other side",
    "spot cannot be sold short",
    "size rounds down to no lot",
    "below the venue's least order",
    "risk_frac_max",
    "liquidation nearer than twice the stop",
    "leverage_max",
    "gross_frac_max",
    "instrument_frac_max",
    "family_frac_max",
    "correlated_frac_max",
    "positions_max",
    "orders_minute_max",
    "no equity left",
)

# which cap bound the size
CAPS = ("risk", "volatility target", "notional", "leverage", "participation", "fixed", "the strategy's size")
CAP_RISK, CAP_VOL, CAP_NOTIONAL, CAP_LEVERAGE, CAP_PARTICIPATION, CAP_FIXED, CAP_STRATEGY = range(7)

# what an order is for; its life at the venue is orders.py
ENTRY, PROTECTIVE, TARGET_SLOT, EXIT_SLOT = 0, 1, 2, 3
SLOTS = ("entry", "protective", "target", "exit")


class Bar(NamedTuple):
    """One closed bar of one instrument; a missing one is NaN."""

    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float  # base units
    funding_rate: float  # of the settlement at this bar's open
    funding_mark: float  # mark price of that settlement; 0: no settlement at this open


class Signal(NamedTuple):
    """What a strategy says at a close, and what sizing and slippage need to know there."""

    side: int  # -1, 0, 1
    strength: float  # 0..1, of the side that it names; what fade watches
    atr: float  # quote units
    vol_annual: float  # yearly volatility as a fraction (D17)
    slip_frac: float  # half-spread, widened, as a fraction of price (D16)
    impact: float  # slippage per square root of base units, as a fraction of price (D3)
    limit: float  # price of a limit entry; 0: a market entry; NaN: wanted, and not known
    post_only: int  # 1: a limit entry that would take is cancelled
    good_for: int  # bars that a limit entry may rest
    range_times: float = 0.0  # the bar's range against the usual one before it; 0: not judged, NaN: not known
    volume_times: float = 0.0  # the same of its volume
    # what else a strategy may say; 0: it does not
    stop: float = 0.0  # its own stop level (price) for a position on `side`; NaN: wanted, and not known
    target: float = 0.0  # its own target level
    leave: int = 0  # LEAVE_LONG, LEAVE_SHORT: a position of that side is to be left
    hold: int = 0  # bars after which the position that it enters is left
    size_frac: float = 0.0  # most notional of an entry, as a fraction of sleeve equity; NaN: wanted, and not known
    reverse: int = 0  # 1: a position of the other side is left and `side` entered, both at the next open


class Layer(NamedTuple):
    """One entry of a position with its own stop and target."""

    key: int  # of the entry order that opened it: its name for as long as it lives
    lots: int
    entry: float
    stop: float
    target: float  # 0: none
    exit_pending: int  # an exit that is decided, or only partly filled: the rest leaves at the next open


Layers = tuple[Layer, Layer, Layer, Layer, Layer]


class Position(NamedTuple):
    """What a sleeve holds."""

    side: int
    open_layers: int  # the first so many of `layers` are in use
    opened_ms: int  # close of the bar in which the first layer filled
    best: float  # best price since the first entry, up to the last closed bar
    trail: float  # 0: not armed
    atr: float  # at the first entry
    last_entry: float
    cash_before: float  # cash before the first fill: the round trip's P&L is cash after minus this
    risk: float  # money lost if every layer's first stop were hit, summed at the entries: one R
    layers: Layers
    hold: int = 0  # bars after which it is left, as its first entry said; 0: no such exit


class Order(NamedTuple):
    """The entry order, decided at a close: market, filled at the next open, the rest cancelled; or a limit that rests for some
    bars."""

    key: int  # the sleeve's so-many-th entry order; its layer gets the same
    side: int  # 0: none
    lots: int
    notional: float  # at the price it was reviewed at; counts as exposure while it works
    stop_distance: float
    target_distance: float  # 0: no target
    atr: float
    decided_ms: int
    limit: float  # 0: market
    post_only: int
    good_for: int  # bars
    stop: float = 0.0  # the strategy's own levels; 0: from the distances of the rules
    target: float = 0.0
    hold: int = 0  # bars after which its position is left; 0: no such exit


class Ledger(NamedTuple):
    """What a sleeve owns, and the record that its sizing learns from."""

    cash: float
    equity: float
    notional: float  # of the open position at the last mark
    fees: float
    funding: float  # received minus paid
    slippage: float  # fill price against the price without slippage, as money lost
    traded: float  # notional traded
    trips: int  # round trips closed
    wins: int  # among the last TRIPS_KEPT
    losses: int
    gain: float  # sum of the winners' R among them
    loss: float  # sum of the losers' |R| among them
    last_r: float  # R of the last round trip


class Guard(NamedTuple):
    """What the sleeve's guardrails remember."""

    day: int  # UTC day number
    day_equity: float  # at its start
    day_entries: int
    streak: int  # losing round trips in a row
    block_until_ms: int  # daily loss
    pause_until_ms: int  # loss streak or entry frequency
    refused: int  # rule of the last refusal while it lasts: sized once, not once a bar
    refused_ms: int  # close at which that refusal began
    paused: int  # 1: people paused the sleeve


class Cost(NamedTuple):
    """What slippage costs now: set at each close from the signal, kept while an input is missing."""

    slip_frac: float
    impact: float


class Sleeve(NamedTuple):
    """One strategy version on one instrument: all of its state."""

    position: Position
    order: Order
    ledger: Ledger
    guard: Guard
    cost: Cost
    entries: int  # entry orders so far: the next one's key is one more
    in_doubt: float  # notional of entry orders that ended here while the venue has not said so; counts as exposure


class Desk(NamedTuple):
    """What the desk's guardrails see of all sleeves."""

    equity: float
    peak: float
    gross: float  # exposure of all sleeves: open and working notional
    tripped: int  # latched breakers
    halted: int  # 1: latched; set by the drawdown breaker or by people
    minute: int  # of the last entry order
    minute_orders: int
    positions: int = 0  # sleeves with an open position or a working entry


class Tier(NamedTuple):
    """One more bracket of a venue's maintenance margin: it asks for `rate` times the notional, less `amount`."""

    rate: float  # 0: unused
    amount: float  # quote units


Tiers = tuple[Tier, Tier, Tier, Tier, Tier, Tier]
TIERS = 6
NO_TIER = Tier(0.0, 0.0)
NO_TIERS = (NO_TIER, NO_TIER, NO_TIER, NO_TIER, NO_TIER, NO_TIER)


class Rules(NamedTuple):
    """One sleeve's configuration as the core reads it.

    Distances: `*_atr` counts ATRs, `*_frac` is a fraction of the entry price; the two add.
    """

    instrument: int  # column of its instrument on the desk's clock: what marks it, what its exposure counts for
    bars: int  # column of the bars it trades on: the same, or those of a longer timeframe, NaN where none of them closes
    mode: int  # fill mode
    bar_ms: int  # its timeframe; an entry order older than 1.5 bars is stale and cancelled
    layers_max: int
    fixed_lots: int  # >0: this many lots are wanted; <0: the fewest that the venue takes; every cap still holds
    stop_atr: float
    stop_frac: float
    target_atr: float
    target_frac: float
    arm_atr: float  # profit at which the trail arms
    arm_frac: float
    trail_atr: float  # 0 with trail_frac 0: no trail
    trail_frac: float
    add_atr: float  # progress since the last entry that another layer needs
    fade_below: float  # 0: no fade exit
    risk_start_frac: float
    risk_floor_frac: float
    risk_max_frac: float
    kelly_part: float
    vol_target: float  # a year; 0: not applied
    notional_frac_max: float  # of sleeve equity
    leverage_max: float
    maintenance_frac: float  # of notional, in the first tier
    participation_max: float  # of a bar's volume
    day_loss_frac_max: float
    streak_max: int
    day_entries_max: int
    pause_ms: int
    lot_size: float  # base units
    least_lots: int  # the venue takes no smaller entry
    least_notional: float  # the same in quote units
    shorts: int  # 0: what is traded cannot be sold short
    risk_limit_frac: float  # of sleeve equity: what the whole position may lose at its stops
    tick: float  # 0: prices stay unrounded
    maker_frac: float
    taker_frac: float
    family: int = 0  # which strategy of the desk: sleeves of one have the same
    funding_ms: int = 0  # between settlements, which fall on multiples of it; 0: none
    liquidation_fee_frac: float = 0.0  # of the notional that a venue closes
    size_part: float = 1.0  # of every size and of every cap on one; below 1 while a change is tried out (a canary)
    tiers: Tiers = NO_TIERS  # behind the first


Hours = tuple[int, int, int, int, int, int, int]  # Monday to Sunday, a bit an hour (UTC)


class Limits(NamedTuple):
    """The desk's hard limits (DEFINITIONS D19). What has a default is off by it."""

    drawdown_frac_max: float
    gross_frac_max: float
    instrument_frac_max: float
    orders_minute_max: int
    positions_max: int = 1 << 40
    family_frac_max: float = OFF  # of desk equity, all sleeves of one strategy
    correlated_frac_max: float = OFF  # of desk equity (guardrails.correlated)
    spread_frac_max: float = OFF  # of price
    range_times_max: float = OFF
    volume_times_min: float = 0.0
    volume_times_max: float = OFF
    funding_quiet_ms: int = 0  # no entries so near a settlement
    no_entry: Hours = (0, 0, 0, 0, 0, 0, 0)


class Fill(NamedTuple):
    """One execution, simulated or real, whole or in part."""

    slot: int  # ENTRY, PROTECTIVE, TARGET_SLOT, EXIT_SLOT
    leg: int  # which instrument of the sleeve
    pair: int  # which pair of a basket
    key: int  # of the layer
    layer: int  # its index now
    lots: int  # 0: nothing
    price: float
    fee: float
    maker: int
    reason: int  # of an exit
    reference_price: float  # without slippage
    t_ms: int


class Size(NamedTuple):
    """What sizing found: whole lots, and every cap in base units."""

    lots: int
    wanted: float  # base units before the caps: risk at stop
    binding: int
    risk_frac: float  # what the whole position would lose at its stops, of sleeve equity
    cap_risk: float
    cap_vol: float
    cap_notional: float
    cap_leverage: float
    cap_participation: float


class Decision(NamedTuple):
    """What a close decided, with everything that a journal row tells of it."""

    action: int
    rule: int  # of a refusal, or of an entry order that it cancels; exit reason of an exit
    price: float
    stop_distance: float
    target_distance: float
    size: Size
    log_size: int  # 1: the size is new and gets its rows
    left: int = NONE  # of a reversal: why the position leaves at the same close


class Row(NamedTuple):
    """A journal row: 72 bytes. `tag` packs eight small fields, `ref` leg, pair and layer key; rows.py reads both."""

    close_ms: int
    tag: int
    ref: int
    lots: int
    price: float
    fee: float
    equity: float
    a: float
    b: float


# Row.kind
K_DECISION, K_SIZE, K_CAPS, K_FILL, K_FUNDING, K_BREAKER = 1, 2, 3, 4, 5, 6
KINDS = ("", "decision", "size", "caps", "fill", "funding", "breaker")
DESK_ROW = -1  # Row.sleeve of a row that is about the whole desk

TRIPS_KEPT = 100  # round trips that the Kelly estimate looks back on (D1)
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000

NO_LAYER = Layer(0, 0, 0.0, 0.0, 0.0, NONE)
FLAT = Position(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, (NO_LAYER, NO_LAYER, NO_LAYER, NO_LAYER, NO_LAYER))
NO_ORDER = Order(0, 0, 0, 0.0, 0.0, 0.0, 0.0, 0, 0.0, 0, 0)
NO_FILL = Fill(ENTRY, 0, 0, 0, 0, 0, 0.0, 0.0, 0, NONE, 0.0, 0)
NO_SIZE = Size(0, 0.0, 0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
HELD = Decision(HOLD, 0, 0.0, 0.0, 0.0, NO_SIZE, 0, NONE)


def start(cash: float) -> Sleeve:
    """A flat sleeve with `cash` (quote units)."""
    ledger = Ledger(cash, cash, 0.0, 0.0, 0.0, 0.0, 0.0, 0, 0, 0, 0.0, 0.0, 0.0)
    return Sleeve(FLAT, NO_ORDER, ledger, Guard(-1, cash, 0, 0, 0, 0, 0, 0, 0), Cost(0.0, 0.0), 0, 0.0)


def start_desk(cash: float) -> Desk:
    """A desk that has not traded, with `cash` over all sleeves (quote units)."""
    return Desk(cash, cash, 0.0, 0, 0, -1, 0)
