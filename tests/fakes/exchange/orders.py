"""Orders as an exchange has them: normal ones, and conditional ones that place a child when their price comes.

States are the exchange's own and final once ended. Side is 1 (buy) or -1; sizes are lots, prices ticks.
"""

from dataclasses import dataclass

MARKET, LIMIT, POST_ONLY, IOC, FOK = "market", "limit", "post_only", "ioc", "fok"
WORKING, PARTIAL, FILLED, CANCELED = "working", "partial", "filled", "canceled"
TRIGGERED, FAILED = "triggered", "failed"  # of a conditional order
OPEN = (WORKING, PARTIAL)

# why a request is refused
DUPLICATE, TOO_SMALL, TOO_LARGE, BAD_NOTIONAL, NO_MARGIN = "duplicate", "too_small", "too_large", "bad_notional", "no_margin"
NOTHING_TO_REDUCE, BAD_PRICE, NOT_FOUND, ENDED, BAD_TRIGGER = (
    "nothing_to_reduce",
    "bad_price",
    "not_found",
    "ended",
    "bad_trigger",
)
BAD_LEVERAGE, UNCHANGED = "bad_leverage", "unchanged"


class Refused(Exception):
    """The exchange does not do it; `why` is one of the words above. Nothing has changed."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True)
class Bracket:
    """A stop, a target or both that an entry brings along: they become a conditional order once it has ended with fills."""

    stop: int = 0  # trigger; 0: none
    target: int = 0
    stop_price: int = 0  # limit of the child; 0: market
    target_price: int = 0
    client: str = ""


@dataclass
class Order:
    """A normal order. `price` 0: at the market."""

    client: str
    symbol: str
    side: int
    lots: int
    kind: str = MARKET
    price: int = 0
    reduce_only: bool = False
    brackets: tuple[Bracket, ...] = ()
    tag: str = ""
    id: int = 0
    parent: int = 0  # the conditional order that placed it
    parent_client: str = ""
    state: str = WORKING
    filled: int = 0
    turnover: int = 0  # lots times ticks of its fills
    fee: int = 0  # pico, positive: it cost
    pnl: int = 0  # pico realised by it
    created_ms: int = 0
    updated_ms: int = 0
    why: str = ""  # of its end

    @property
    def left(self) -> int:
        """Lots that may still fill."""
        return self.lots - self.filled

    @property
    def is_open(self) -> bool:
        """It may still fill."""
        return self.state in OPEN


@dataclass
class Algo:
    """A conditional order: a stop, a target, or both of which the first to come ends the other."""

    client: str
    symbol: str
    side: int
    lots: int  # 0: the position that there is when it triggers
    stop: int = 0
    target: int = 0
    stop_price: int = 0  # limit of the child; 0: market
    target_price: int = 0
    reduce_only: bool = True
    shape: str = ""  # the venue's own word for its kind
    tag: str = ""
    id: int = 0
    child: int = 0
    hit: str = ""  # stop or target
    state: str = WORKING
    created_ms: int = 0
    updated_ms: int = 0
    triggered_ms: int = 0
    why: str = ""

    @property
    def is_open(self) -> bool:
        """It may still trigger."""
        return self.state == WORKING

    def hit_by(self, last: int) -> str:
        """stop, target or nothing: a sell's stop is at or below its level, its target at or above."""
        if self.stop and self.side * (last - self.stop) >= 0:
            return "stop"
        return "target" if self.target and self.side * (self.target - last) >= 0 else ""
