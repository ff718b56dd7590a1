"""A sleeve and the sleeves of a desk as people configure them, and what a desk trades for each: itself, or a basket's legs.

Read from desk.toml and from stored versions by engine.control.config, which everybody else asks. Pure values.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from engine.book.bodies import pause_holds
from engine.clock import LocalTimeframe, Timeframe, timeframe_ms
from engine.data.schedules import coarsest_clock, execution_of
from engine.errors import BadInput

Stage = Literal["draft", "paper", "paper_live", "shadow", "testnet", "live_small", "live", "retired"]
IN_FILE = ("draft", "paper", "retired")  # what desk.toml may begin with; every other stage is an approval (engine.control.stages)
LEG_NAME_MAX = 40  # letters of a sleeve's name
INSTANT_MAX_MS = 10**13  # the year 2286

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Symbol = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{1,15}-[A-Z0-9]{1,10}$")]


class SleeveConfig(BaseModel):
    """One strategy on one instrument with its own cash (quote units)."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, str_max_length=500)

    name: Slug
    strategy: str
    venue: Slug
    symbol: Symbol
    market: Literal["perp", "spot"] = "perp"
    timeframe: Timeframe | LocalTimeframe = "15m"
    side: Literal["both", "long", "short"] = "both"
    cash: float = Field(10_000.0, gt=0, le=1e12)
    paused: bool = False  # no entries; exits go on
    resumes_ms: int | None = Field(
        None, gt=0, le=INSTANT_MAX_MS
    )  # desk time at which the pause ends by itself; null: a person ends it
    stage: Stage = "paper"
    account: Slug | None = None  # [accounts.NAME] that it is meant for; its stage says whether it trades there. null: paper
    execution: str | None = Field(None, max_length=40)  # how its market entries are worked: twap:6; null: whole, at the next open
    models: str | None = Field(None, max_length=400)  # versions of stored models that it reads: vol-btc=1.2.0; null: none
    legs: tuple[Symbol, ...] | None = Field(None, min_length=2, max_length=12)  # of a basket; null: `symbol` alone
    leg_of: Slug | None = None  # the basket that this is a leg of, on a desk that trades it (`traded_by`); nobody writes it
    size_part: float | None = Field(None, gt=0, lt=1)  # of every size that it trades; null: the whole. A canary sets it
    params: dict[str, bool | int | float | str] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def named_by_its_legs(cls, given: Any) -> Any:
        """A basket has legs in the place of a symbol."""
        if isinstance(given, dict) and given.get("legs") and "symbol" not in given:
            return {**given, "symbol": next(iter(given["legs"]))}
        return given

    @model_validator(mode="after")
    def trades_each_leg_once(self) -> Self:
        """A leg that is named twice would be traded against itself."""
        if self.legs and (len(set(self.legs)) < len(self.legs) or self.symbol != self.legs[0]):
            raise ValueError(f"{self.name}: legs name each instrument once, and symbol is the first of them or left out")
        return self

    @model_validator(mode="after")
    def ends_a_pause(self) -> Self:
        """An end stands beside a pause alone."""
        if self.resumes_ms is not None and not self.paused:
            raise ValueError(f"{self.name} has resumes_ms and is not paused: the end of a pause needs paused = true")
        return self

    def paused_at(self, desk_ms: int | None) -> bool:
        """Whether people's pause holds at a desk time."""
        return pause_holds(self.paused, self.resumes_ms, desk_ms)

    @property
    def instrument(self) -> str:
        """The instrument's one name: `binance:BTC-USDT:perp`."""
        return f"{self.venue}:{self.symbol}:{self.market}"

    @property
    def clocks(self) -> list[str]:
        """Timeframes that it needs bars of: its own, and the finer one on which its slices are traded. Raises BadInput."""
        execution = execution_of(self.execution or "")
        return [self.timeframe, *([coarsest_clock(execution, self.timeframe)] if execution else [])]


def traded_by(sleeve: SleeveConfig) -> tuple[SleeveConfig, ...]:
    """The sleeves that a desk trades for a configured one: itself, or the legs of a basket, each with its part of the cash."""
    if not sleeve.legs:
        return (sleeve,)
    own = ((symbol, f"{sleeve.name}-{symbol.lower()}"[-LEG_NAME_MAX:].lstrip("-")) for symbol in sleeve.legs)
    common = {"cash": sleeve.cash / len(sleeve.legs), "legs": None, "leg_of": sleeve.name}
    return tuple(sleeve.model_copy(update={"symbol": symbol, "name": name, **common}) for symbol, name in own)


class DeskConfig(BaseModel):
    """All sleeves of the desk, in the order in which they decide."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    sleeves: tuple[SleeveConfig, ...] = Field(min_length=1, max_length=300)

    @model_validator(mode="after")
    def live_together(self) -> Self:
        """Names are unique, and sleeves on one instrument never take opposite sides (a netting venue would truncate stops)."""
        names = [sleeve.name for sleeve in self.sleeves]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sleeves are called {twice[0]}")
        if any(sleeve.leg_of for sleeve in self.sleeves):
            raise ValueError("leg_of is written by nobody: name the legs of a basket in its legs")
        if len(self.sleeves) > 1 and (baskets := [sleeve.name for sleeve in self.sleeves if sleeve.legs]):
            raise ValueError(f"{baskets[0]} is a basket, and a home with one holds it alone: give it a home of its own")
        for n, one in enumerate(self.sleeves):
            for other in self.sleeves[:n]:
                if one.instrument == other.instrument and {one.side, other.side} == {"long", "short"}:
                    raise ValueError(f"{other.name} and {one.name} take opposite sides of {one.instrument}")
        return self

    @property
    def traded(self) -> tuple[SleeveConfig, ...]:
        """The sleeves as the desk trades them: a basket by its legs."""
        return tuple(leg for sleeve in self.sleeves for leg in traded_by(sleeve))

    def traded_sleeve(self, name: str) -> SleeveConfig:
        """A sleeve as the desk trades it, a basket's leg too; BadInput with the list of names for an unknown one."""
        return next((leg for leg in self.traded if leg.name == name), None) or self.sleeve(name)

    def sleeve(self, name: str) -> SleeveConfig:
        """The sleeve called `name`; BadInput with the list of names for an unknown one."""
        for sleeve in self.sleeves:
            if sleeve.name == name:
                return sleeve
        raise BadInput(f"no sleeve {name!r}", f"available: {', '.join(s.name for s in self.sleeves)}")

    @property
    def clock(self) -> str:
        """The desk's one clock: the smallest timeframe that its sleeves need."""
        return min((timeframe for sleeve in self.sleeves for timeframe in sleeve.clocks), key=timeframe_ms)

    def with_sleeve(self, changed: SleeveConfig) -> "DeskConfig":
        """The same desk with one sleeve replaced by `changed` of the same name."""
        return DeskConfig(sleeves=tuple(changed if s.name == changed.name else s for s in self.sleeves))


def require_basket(sleeve: SleeveConfig, *, basket: bool) -> None:
    """Raise BadInput for a basket without legs, legs of another strategy, and what a basket cannot do."""
    if not basket:
        if sleeve.legs:
            raise BadInput(f"{sleeve.strategy} trades one instrument, and legs names {len(sleeve.legs)}", "write symbol = ...")
        return
    if not sleeve.legs:
        raise BadInput(
            f"{sleeve.strategy} trades a basket and has no legs", 'write legs = ["BTC-USDT", "ETH-USDT"] in the place of symbol'
        )
    odd = {
        "side": sleeve.side != "both",
        "execution": sleeve.execution,
        "models": sleeve.models,
        "market": sleeve.market != "perp",
    }
    if found := next((key for key, is_odd in odd.items() if is_odd), ""):
        raise BadInput(
            f"{found} = {getattr(sleeve, found)} is of one instrument, a basket does not know it", f"leave {found} out"
        )
