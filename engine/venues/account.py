"""Is an account fit to trade for this desk? Questions alone; what was found beside what is wanted, a row each.

Called by app.processes.account_check. Turns an AccountReader and what the desk wants into a AccountReport. A row that `must` hold
decides; one that should is a warning. A question without an answer is a row that does not hold: nothing is assumed of an account.
"""

from collections.abc import Awaitable, Callable, Sequence
from statistics import median
from typing import NamedTuple

from engine.venues.account_binance import BinanceAccount
from engine.venues.account_bybit import BybitAccount
from engine.venues.account_client import CheckRefusal, UnansweredCheck
from engine.venues.account_facts import AccountReader, AccountSettings, KeyRights, OpenItem, VenueListing
from engine.venues.account_okx import OkxAccount

CLOCK_S_MAX = 1.0  # beyond it no entries are sent
CLOCK_S_LOST = 5.0  # beyond it signed questions are refused anyway
CLOCK_LOOKS = 5
DAYS_LEFT_MIN = 7
ITEMS_SHOWN = 5
FEE_SLACK = 1e-9  # a fee is a text of six decimals
WHILE_IT_TRADES = ("key", "withdrawal", "trading", "position_mode", "margin")  # rows asked again; leverage: engine.live.reconcile
UNSAID = "the venue does not say"
OURS = "nd"  # how the client ids of this desk begin
MENUS = {  # from memory: venues move their menus
    ("okx", "mode"): "Trade > Futures > Settings > Position mode > Net mode",
    ("okx", "margin"): "Trade > Settings > Account mode > Futures mode",
    ("okx", "leverage"): "Trade > Futures > the leverage beside Isolated",
    ("binance", "mode"): "Futures > Preference > Position mode > One-way",
    ("binance", "margin"): "Futures > the word Cross beside the symbol > Isolated; Preference > Asset mode > Single-asset",
    ("binance", "leverage"): "Futures > the figure with an x beside the symbol",
    ("bybit", "mode"): "Derivatives > Settings > Position mode > One-way",
    ("bybit", "margin"): "Unified account > Margin mode > Isolated",
    ("bybit", "leverage"): "Derivatives > the figure with an x beside the symbol",
}


class AccountCheck(NamedTuple):
    """One row. `found` None: it was not asked, or had no answer that says something."""

    name: str
    ok: bool
    found: str | None
    wanted: str
    must: bool = True


class SymbolWants(NamedTuple):
    """What the desk wants of an instrument. `layer`: price -> (quote units of the smallest layer, its sleeve)."""

    symbol: str
    maker_frac: float
    taker_frac: float
    layer: Callable[[float], tuple[float, str]]


class AccountWants(NamedTuple):
    """What the desk wants of an account."""

    venue: str
    leverage: int
    symbols: tuple[SymbolWants, ...]
    plays: bool = False  # testnet: no money
    looks: bool = False  # shadow: nothing is sent, so that a key that only reads is fit, and what others do there is theirs
    again: bool = False  # the desk trades: rights and modes alone, and a question without an answer says nothing of them


class AccountReport(NamedTuple):
    """All rows, and what the account is fit for: trade, attach (a key that only reads), nothing."""

    checks: tuple[AccountCheck, ...]
    ok: bool
    may: str


class AccountFinding(NamedTuple):
    """What a question brought: whether it is as wanted, and in words."""

    ok: bool
    found: str


Question = Callable[[], Awaitable[AccountFinding]]
SaysWhy = Callable[[BaseException], CheckRefusal]  # what an error of ccxt's says


def reader_of(venue: str, client: object, plays: bool = False) -> AccountReader:
    """The account behind a client of `venue`."""
    if venue == "binance":
        return BinanceAccount(client, plays)
    return OkxAccount(client) if venue == "okx" else BybitAccount(client)


async def checked(
    reader: AccountReader,
    wanted: AccountWants,
    now_ms: Callable[[], int],
    refusal: SaysWhy,
) -> AccountReport:
    """Ask everything; `refusal` says what an error means, `now_ms` is this machine's clock (UTC ms)."""
    questions = AccountQuestions(reader, wanted, now_ms, refusal)
    steps = [("clock", f"within {CLOCK_S_MAX:g} s of the venue's", questions.clock, True), *questions.steps()]
    if wanted.again:
        steps = [step for step in steps if step[0].split()[0] in WHILE_IT_TRADES]
    rows = [await questions.row(*step) for step in steps]
    return report_of(rows)


def report_of(rows: Sequence[AccountCheck]) -> AccountReport:
    """What rows come to."""
    bad = [row.name for row in rows if row.must and not row.ok]
    reads = any(row.name == "trading" and not row.ok for row in rows)
    return AccountReport(tuple(rows), not bad, "nothing" if bad not in ([], ["trading"]) else "attach" if reads else "trade")


class AccountQuestions:
    """One check under way: an answer that several rows need is asked for once, and an end ends all."""

    def __init__(
        self,
        reader: AccountReader,
        wanted: AccountWants,
        now_ms: Callable[[], int],
        refusal: SaysWhy,
    ) -> None:
        self.reader, self.wanted, self.now_ms, self.refusal = reader, wanted, now_ms, refusal
        self.over = False
        self._rights: KeyRights | None = None
        self._settings: dict[str, AccountSettings] = {}
        self._listings: dict[str, VenueListing | None] = {}

    async def row(self, name: str, wanted: str, ask: Question, must: bool = True) -> AccountCheck:
        """One row; not asked once the venue has stopped answering."""
        if self.over:
            return AccountCheck(name, self.wanted.again, None, wanted, must)
        try:
            said = await ask()
            return AccountCheck(name, said.ok, said.found, wanted, must)
        except UnansweredCheck as error:
            found = error.refusal
        except Exception as error:  # noqa: BLE001 - whatever it is, the row does not hold, and the line says why
            found = self.refusal(error)
        self.over = found.ends
        ok = self.wanted.again and not found.of_account
        return AccountCheck(name, ok, found.text, wanted, must=must or found.ends)

    def steps(self) -> list[tuple[str, str, Question, bool]]:
        """Every row behind the clock's."""
        found: list[tuple[str, str, Question, bool]] = [
            ("key", "a key that the venue accepts", self.key, True),
            ("withdrawal", "no right to withdraw", self.withdrawal, True),
            ("trading", "the right to trade perpetuals", self.trading, not self.wanted.looks),
            ("ip_list", "a list of addresses", self.ip_list, False),
            ("expiry", f"{DAYS_LEFT_MIN} days or more", self.expiry, False),
            ("orders", "none of another program or person", self.orders, not self.wanted.looks),
            ("positions", "none that this desk did not open", self.positions, not self.wanted.looks),
        ]
        for one in self.wanted.symbols:
            found += [
                (f"instrument {one.symbol}", "listed and trading", self._of(self.listed, one), True),
                (f"position_mode {one.symbol}", f"one-way{self._menu('mode')}", self._of(self.one_way, one), True),
                (f"margin {one.symbol}", f"isolated{self._menu('margin')}", self._of(self.margin, one), True),
                (f"leverage {one.symbol}", f"{self.wanted.leverage}{self._menu('leverage')}", self._of(self.leverage, one), True),
                (f"fees {one.symbol}", f"at most {fee_text(one.maker_frac, one.taker_frac)}", self._of(self.fees, one), False),
                (f"least_order {one.symbol}", "at most the smallest layer", self._of(self.least_order, one), True),
            ]
        return found

    @staticmethod
    def _of(ask: Callable[[SymbolWants], Awaitable[AccountFinding]], one: SymbolWants) -> Question:
        return lambda: ask(one)

    def _menu(self, what: str) -> str:
        return f" (menu, from memory: {MENUS[self.wanted.venue, what]})"

    # ---- rows -----------------------------------------------------------------------------------------------------------

    async def clock(self) -> AccountFinding:
        """This machine's clock against the venue's: the median of some looks, each less half of its way."""
        offsets = []
        for _ in range(CLOCK_LOOKS):
            before = self.now_ms()
            venue_ms = await self.reader.time_ms()
            offsets.append((venue_ms - (before + self.now_ms()) / 2) / 1000)
        offset = median(offsets)
        way = "behind" if offset > 0 else "ahead"
        text = f"this machine is {abs(offset):.1f} s {way}" if abs(offset) >= 0.05 else "the same"
        if abs(offset) > CLOCK_S_LOST:
            raise UnansweredCheck(CheckRefusal(f"{text}: set its clock (chrony, systemd-timesyncd)", ends=True))
        return AccountFinding(abs(offset) <= CLOCK_S_MAX, text if abs(offset) <= CLOCK_S_MAX else f"{text}: set its clock")

    async def key(self) -> AccountFinding:
        """The first signed question."""
        self._rights = await self.reader.rights()
        return AccountFinding(True, "works")

    @property
    def rights(self) -> KeyRights:
        """What the key may do; UnansweredCheck where that question had no answer."""
        if self._rights is None:
            raise UnansweredCheck(CheckRefusal("not known: the key's rights could not be asked for"))
        return self._rights

    async def withdrawal(self) -> AccountFinding:
        """A key that can move money away is not used, whatever else it can do. Play money cannot leave."""
        rights = self.rights
        if rights.withdraws is None:
            return AccountFinding(self.wanted.plays, UNSAID)
        if rights.withdraws:
            return AccountFinding(False, "it may withdraw: make another key without it")
        return AccountFinding(True, "none; it may transfer between your own accounts" if rights.transfers else "none")

    async def trading(self) -> AccountFinding:
        """A key that only reads may look at an account, no more."""
        return AccountFinding(self.rights.trades, "yes" if self.rights.trades else "read only: it attaches, and does not trade")

    async def ip_list(self) -> AccountFinding:
        """Whether a stolen key works elsewhere."""
        ips = self.rights.ips
        if ips is None:
            return AccountFinding(self.wanted.plays, UNSAID)
        return AccountFinding(bool(ips), ", ".join(ips[:ITEMS_SHOWN]) or "any address")

    async def expiry(self) -> AccountFinding:
        """How long the key works."""
        days = self.rights.days_left
        if days is None:
            return AccountFinding(True, "the venue names no end")
        return AccountFinding(days >= DAYS_LEFT_MIN, f"{days} days" if days >= DAYS_LEFT_MIN else f"{days} days: renew the key")

    async def orders(self) -> AccountFinding:
        """Orders that stand in the account and are not this desk's."""
        foreign = [item for item in await self.reader.orders() if not item.client_id.startswith(OURS)]
        return AccountFinding(not foreign, items_text(foreign))

    async def positions(self) -> AccountFinding:
        """Positions in the account: before a desk trades it none is its own."""
        found = await self.reader.positions()
        return AccountFinding(not found, items_text(found))

    async def settings(self, symbol: str) -> AccountSettings:
        """Settings of an instrument, asked for once."""
        if symbol not in self._settings:
            self._settings[symbol] = await self.reader.settings(symbol)
        return self._settings[symbol]

    async def listing(self, symbol: str) -> VenueListing | None:
        """An instrument as the venue lists it, asked for once."""
        if symbol not in self._listings:
            self._listings[symbol] = await self.reader.listing(symbol)
        return self._listings[symbol]

    async def one_way(self, one: SymbolWants) -> AccountFinding:
        """Hedge mode would hold two positions where the desk counts one."""
        settings = await self.settings(one.symbol)
        return AccountFinding(settings.one_way, "one-way" if settings.one_way else "hedge: long and short apart")

    async def margin(self, one: SymbolWants) -> AccountFinding:
        """Cross margin would let one sleeve's loss take another's margin."""
        settings = await self.settings(one.symbol)
        return AccountFinding(settings.margin == "isolated", settings.margin)

    async def leverage(self, one: SymbolWants) -> AccountFinding:
        """As desk.toml says: liquidation is computed with it."""
        leverage = (await self.settings(one.symbol)).leverage
        return AccountFinding(leverage == self.wanted.leverage, UNSAID if leverage is None else f"{leverage:g}")

    async def listed(self, one: SymbolWants) -> AccountFinding:
        """Whether it is traded now."""
        found = await self.listing(one.symbol)
        if found is None:
            return AccountFinding(False, "not listed: delisted, another name, or no more settled in USDT")
        return AccountFinding(
            found.trades, "listed and trading" if found.trades else f"listed as {found.state}: it does not trade"
        )

    async def fees(self, one: SymbolWants) -> AccountFinding:
        """The account's tier against the costs that backtests and sizing count with."""
        maker, taker = await self.reader.fees(one.symbol)
        fits = maker <= one.maker_frac + FEE_SLACK and taker <= one.taker_frac + FEE_SLACK
        more = "" if fits else f': write them under [instruments."{self.wanted.venue}:{one.symbol}:perp"]'
        return AccountFinding(fits, fee_text(maker, taker) + more)

    async def least_order(self, one: SymbolWants) -> AccountFinding:
        """Whether the venue takes the smallest order that the desk will send."""
        found = await self.listing(one.symbol)
        if found is None:
            return AccountFinding(False, "not listed")
        least, (layer, sleeve) = max(found.least_notional, found.least_qty * found.price), one.layer(found.price)
        return AccountFinding(least <= layer, f"{least:,.2f} USDT; the smallest layer of {sleeve} is {layer:,.2f}")


def faults_at_start(report: AccountReport) -> list[str]:
    """Rows that must hold before a desk enters and do not, in words; what is open there is compared with its book instead."""
    bad = [row for row in report.checks if row.must and not row.ok and row.name not in ("orders", "positions")]
    return [f"{row.name}: {row.found or 'no answer'}, wanted {row.wanted}" for row in bad]


def fee_text(maker: float, taker: float) -> str:
    """Fees in basis points."""
    return f"maker {maker * 1e4:g} bps, taker {taker * 1e4:g} bps"


def items_text(items: Sequence[OpenItem]) -> str:
    """Orders or positions in words, the first few."""
    shown = "; ".join(f"{item.symbol} {item.text}" for item in items[:ITEMS_SHOWN])
    rest = len(items) - ITEMS_SHOWN
    return (shown + (f"; {rest} more" if rest > 0 else "")) or "none"
