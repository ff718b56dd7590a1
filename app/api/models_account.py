"""Response models of the account that a desk trades, its stages, and a halt's progress. Used by app.api.account.

Times are UTC milliseconds of the machine: an account lives between the bars.
"""

from app.api.models import ApiModel, Number, Texts


class GateRowView(ApiModel):
    """One row of the gate. `ok` null: not asked yet; `consent`: the key of what waits for a person."""

    name: str
    ok: bool | None
    why: str
    tries: int
    consent: str


class GateView(ApiModel):
    """The gate as the worker last said it."""

    open: bool
    t_ms: int
    event: str
    rows: list[GateRowView]


class SpellView(ApiModel):
    """Something that was not well; `over_ms` null: it still is, and nothing enters."""

    what: str
    why: str
    since_ms: int
    over_ms: int | None
    event: str


class StreamView(ApiModel):
    """The private stream. `open_ms`: since when it is open, 0: it is not."""

    name: str
    open_ms: int | None
    alive_ms: int | None
    connections: int | None


class PollView(ApiModel):
    """Executions of one instrument by REST. `failures` in a row; `waiting`: executions that no order explains yet."""

    instrument: str
    read_ms: int | None
    failures: int | None
    waiting: int | None


class PulseView(ApiModel):
    """Streams, polls, the last comparison in which all agreed, and the venue's clock minus ours: as of the heartbeat."""

    streams: list[StreamView]
    polls: list[PollView]
    compared_ms: int | None
    clock_offset_ms: int | None


class LatencyView(ApiModel):
    """How long one kind of request took. `what`: placed, moved, cancelled, executed (execution at the venue to booked)."""

    what: str
    count: int
    median_ms: int
    p95_ms: int
    worst_ms: int
    slowest: str


class LegView(ApiModel):
    """One step of a probe."""

    name: str
    result: str
    ms: int | None
    why: str = ""


class ProbeView(ApiModel):
    """The last probe of an instrument. `kind`: far or round_trip; `left`: what it could not take away again."""

    instrument: str
    kind: str
    ok: bool
    cost: Number
    legs: list[LegView]
    left: Texts
    t_ms: int
    event: str


class AccountView(ApiModel):
    """The account that the desk trades; `name` null: on paper. `beat_ms`: of `pulse`."""

    name: str | None
    mode: str
    venue: str | None
    margin: str | None = None
    leverage: int | None = None
    instruments: Texts
    beat_ms: int | None
    pulse: PulseView | None
    gate: GateView | None
    spells: list[SpellView]
    latency: list[LatencyView]
    probes: list[ProbeView]


class StageView(ApiModel):
    """Where a sleeve is between paper and money; `next` null: at the top."""

    sleeve: str
    account: str | None
    stage: str
    next: str | None
    lacking: Texts


class StageList(ApiModel):
    """Every sleeve of the desk."""

    items: list[StageView]


class HaltStepView(ApiModel):
    """What a halt has done to one order: cancelled, or closed at the average price of its executions since."""

    what: str
    sleeve: str
    slot: str
    side: str
    lots: int
    quantity: Number
    price: Number
    at_ms: int
    order: str


class HaltedMakerView(ApiModel):
    """A maker that ran when the desk was halted; `stopped`: its journal has the halt; `ended`: at an account KILLED or
    KILL_INCOMPLETE with what is left, "" while neither; null on paper."""

    name: str
    stopped: bool
    ended: str | None = None


class HaltProgress(ApiModel):
    """How far a halt has come. `state`: KILLED, KILL_INCOMPLETE, or null while the desk is not halted. At an account
    `tries_until_ms` (wall time) is when it has ended trying (`tried`), or the earliest that it will."""

    state: str | None
    left: Texts
    tries_until_ms: int | None = None
    tried: bool = False
    steps: list[HaltStepView]
    makers: tuple[HaltedMakerView, ...] = ()
