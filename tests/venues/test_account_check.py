"""The check of an account against the local venues, by real ccxt: each thing that is wrong is one row, and nothing is sent."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from app.processes.account_start import load_markets_of
from engine.venues.account import AccountCheck, AccountReport, AccountWants, SymbolWants, checked, reader_of
from engine.venues.account_client import AccountAddress, connect, read_only, refusal_of, remembering
from engine.venues.account_keys import VenueKeys
from tests.fakes.exchange import orders as o
from tests.fakes.exchange.adapted import ADAPTED, moving
from tests.fakes.exchange.played import Played

VENUES = tuple(ADAPTED)
Spoil = Callable[[Any], None]


def wanted_of(venue: str, layer: float = 400.0, leverage: int = 3) -> AccountWants:
    """BTC at leverage 3, as the local venues have it."""
    return AccountWants(venue, leverage, (SymbolWants("BTC-USDT", 0.0002, 0.00055, lambda price: (layer, "btc-trend")),))


def check(
    venue: str, spoil: Spoil = lambda _: None, wanted: AccountWants | None = None, **keys: str
) -> tuple[AccountReport, Any]:
    """The report of an account that `spoil` has changed, and its local venue; whatever is found, nothing but GET was sent."""

    async def script(played: Played) -> AccountReport:
        local, client = played.venue, read_only(remembering(played.client))
        for name, value in keys.items():
            setattr(client, name, value)
        spoil(local)
        before, local.calls[:] = len(local.exchange.ledger), []
        shown = VenueKeys(client.apiKey, client.secret, client.password or "")
        reader, clock = reader_of(venue, client), local.exchange.clock
        report = await checked(
            reader, wanted or wanted_of(venue), clock, lambda error: refusal_of(error, client, venue, shown.without)
        )
        assert {method for method, *_ in local.calls} <= {"GET"}
        assert len(local.exchange.ledger) == before
        return report

    report, local = ADAPTED[venue].played.under_virtual_clock(script, moving)
    return report, local


def failing(report: AccountReport) -> list[AccountCheck]:
    """The rows that decide against it and were asked for."""
    return [row for row in report.checks if row.must and not row.ok and row.found is not None]


@pytest.mark.parametrize("venue", VENUES)
def test_a_fit_account_passes(venue: str) -> None:
    """Every row is there with what was found; what is only advised (an IP list) does not decide."""
    report, _ = check(venue)
    assert report.ok, failing(report)
    assert report.may == "trade"
    rows = {row.name: row for row in report.checks}
    assert list(rows)[:7] == ["clock", "key", "withdrawal", "trading", "ip_list", "expiry", "orders"]
    assert {name.partition(" ")[0] for name in list(rows)[8:]} == {
        "instrument", "position_mode", "margin", "leverage", "fees", "least_order",
    }  # fmt: skip
    assert rows["leverage BTC-USDT"].found == "3"
    assert not rows["ip_list"].ok
    assert not rows["ip_list"].must
    assert rows["fees BTC-USDT"].found == "maker 2 bps, taker 5 bps" or venue == "bybit"


def stranger(local: Any) -> None:
    """An order of someone else far from the price, and one of ours."""
    for client in ("theirs", "ndE1"):
        local.exchange.place(o.Order(client, "BTC", 1, 100, o.LIMIT, 500_000))


SHAPES = {"LocalOkx": ("conditional", "oco", "trigger"), "LocalBinance": ("STOP_MARKET",), "LocalBybit": ("Stop",)}


def strange_stops(local: Any) -> None:
    """Conditional orders of someone else, one of each kind, far from the price; ours beside them."""
    for shape in SHAPES[type(local).__name__]:
        for client in (f"their{shape}".replace("_", ""), f"ndS{shape}".replace("_", "")):
            local.exchange.place_algo(o.Algo(client, "BTC", -1, 100, stop=400_000, reduce_only=False, shape=shape))


def foreign_position(local: Any) -> None:
    """A position that nobody here has opened."""
    local.exchange.place(o.Order("theirs", "BTC", 1, 100))


def hedged(local: Any) -> None:
    """Hedge mode, as each venue has it."""
    local.position_mode, local.hedge_mode, local.hedged = "long_short_mode", True, True


def crossed(local: Any) -> None:
    """Cross margin, as each venue has it."""
    local.level, local.margin_mode = "4", "REGULAR_MARGIN"
    local.margin_types = dict.fromkeys(local.instruments, "CROSSED")


def may_withdraw(local: Any) -> None:
    """A key that can move money away."""
    local.permissions = "read_only,trade,withdraw"
    local.rights = {"enableReading": True, "enableFutures": True, "enableWithdrawals": True, "ipRestrict": True}
    local.key = {"readOnly": 0, "ips": ["1.2.3.4"], "deadlineDay": 83, "wallet": ["AccountTransfer", "Withdraw"]}


def only_reads(local: Any) -> None:
    """A key that only reads."""
    local.permissions = "read_only"
    local.rights = {"enableReading": True, "enableFutures": False, "enableWithdrawals": False, "ipRestrict": True}
    local.key = {"readOnly": 1, "ips": ["1.2.3.4"], "deadlineDay": 83, "wallet": []}


def delisted(local: Any) -> None:
    """BTC is gone."""
    setattr(local, "unknown" if type(local).__name__ == "LocalOkx" else "suspended", set(local.instruments))


def with_leverage(local: Any) -> None:
    """Another leverage than desk.toml's."""
    local.exchange.set_leverage("BTC", 7)


BAD: dict[str, tuple[Spoil, str, str]] = {
    "withdrawal right": (may_withdraw, "withdrawal", "it may withdraw: make another key without it"),
    "read only": (only_reads, "trading", "read only: it attaches, and does not trade"),
    "hedge mode": (hedged, "position_mode BTC-USDT", "hedge: long and short apart"),
    "other leverage": (with_leverage, "leverage BTC-USDT", "7"),
    "foreign order": (stranger, "orders", "buy"),
    "foreign position": (foreign_position, "positions", "BTC"),
}


@pytest.mark.parametrize("venue", VENUES)
@pytest.mark.parametrize("fault", BAD)
def test_what_is_wrong_is_one_row(venue: str, fault: str) -> None:
    """The others are asked and hold; a key that only reads may attach, all else may do nothing."""
    spoil, name, words = BAD[fault]
    report, _ = check(venue, spoil)
    assert [row.name for row in failing(report)] == [name]
    assert words in (failing(report)[0].found or "")
    assert ";" not in (failing(report)[0].found or "")  # one item: ours is not among the foreign ones
    assert not report.ok
    assert report.may == ("attach" if fault == "read only" else "nothing")


@pytest.mark.parametrize("venue", VENUES)
def test_every_kind_of_conditional_order_is_seen(venue: str) -> None:
    """OKX lists them by kind, Binance apart from the normal ones; each that is not ours is counted."""
    (row,) = failing(check(venue, strange_stops)[0])
    assert row.name == "orders"
    assert len((row.found or "").split("; ")) == (3 if venue == "okx" else 1), row.found


@pytest.mark.parametrize("venue", VENUES)
def test_cross_margin_and_a_delisted_instrument(venue: str) -> None:
    """In the venue's words; OKX does not know a delisted instrument at all, so the rows about it have no answer."""
    report, _ = check(venue, crossed)
    assert [row.name for row in failing(report)] == ["margin BTC-USDT"]
    assert (failing(report)[0].found or "").startswith("portfolio margin" if venue == "okx" else "cross")
    rows = {row.name: row for row in check(venue, delisted)[0].checks}
    assert not rows["instrument BTC-USDT"].ok
    wanted = {"okx": "not listed", "binance": "listed as SETTLING: it does not trade", "bybit": "listed as Closed"}[venue]
    assert (rows["instrument BTC-USDT"].found or "").startswith(wanted)


LOTS = {"okx": "lotSz", "binance": "stepSize", "bybit": "qtyStep"}
TICKS = {"okx": "tickSz", "binance": "tickSize", "bybit": "tickSize"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_listing_says_what_the_venue_counts_in(venue: str) -> None:
    """Lot, tick and contract, without zeros that say nothing; each that changes is another text, by which the gate closes."""

    async def script(played: Played) -> list[str]:
        reader, said = reader_of(venue, read_only(remembering(played.client))), list[str]()
        changes = [{}, {LOTS[venue]: "0.5"}, {TICKS[venue]: "0.50"}, *([{"ctVal": "0.1"}] if venue == "okx" else [])]
        for changed in changes:
            played.venue.recounted = changed
            listing = await reader.listing("BTC-USDT")
            assert listing is not None
            said.append(listing.steps)
        return said

    first, *others = ADAPTED[venue].played.under_virtual_clock(script, moving)[0]
    contract, lot = {"okx": ("0.01", "0.01"), "binance": ("1", "0.0001"), "bybit": ("1", "0.0001")}[venue]
    assert first == f"contracts of {contract}, {lot} at a time, at ticks of 0.1"
    assert others[:2] == [first.replace(f", {lot} at", ", 0.5 at"), first.replace("ticks of 0.1", "ticks of 0.5")]
    assert venue != "okx" or others[2] == first.replace("contracts of 0.01", "contracts of 0.1")


@pytest.mark.parametrize(("venue", "field"), [("okx", "settleCcy"), ("binance", "marginAsset"), ("bybit", "settleCoin")])
def test_an_instrument_that_settles_in_another_coin_is_not_listed(venue: str, field: str) -> None:
    """The desk counts its cash in USDT alone."""
    (row, *_) = failing(check(venue, lambda local: setattr(local, "recounted", {field: "USDC"}))[0])
    assert (row.name, row.found) == ("instrument BTC-USDT", "not listed: delisted, another name, or no more settled in USDT")


def test_an_okx_position_on_cross_margin_is_seen() -> None:
    """OKX says isolated in each order: an account mode that isolates may hold a crossed position all the same."""

    def spoil(local: Any) -> None:
        foreign_position(local)
        local.margin_mode = "cross"

    assert [row.name for row in failing(check("okx", spoil)[0])] == ["positions", "margin BTC-USDT"]


def test_multi_assets_of_binance_is_no_isolated_margin() -> None:
    """One margin for all symbols."""
    (row,) = failing(check("binance", lambda local: setattr(local, "multi_assets", True))[0])
    assert (row.name, row.found) == ("margin BTC-USDT", "multi-assets mode: one margin for all")


WORDS = {
    "unknown": {"okx": "does not know this key (50111)", "binance": "(-2015)", "bybit": "does not know this key (10003)"},
    "ended": {"okx": "does not know this key (50119)", "binance": "has expired", "bybit": "the key has expired (33004)"},
    "secret": {
        "okx": "signature is wrong (50113)",
        "binance": "signature is wrong (-1022)",
        "bybit": "signature is wrong (10004)",
    },
}


@pytest.mark.parametrize("venue", VENUES)
def test_a_key_that_is_not_accepted_ends_the_check(venue: str) -> None:
    """Unknown, expired, a wrong secret, a wrong passphrase: one line, no key in it, and no further signed question."""
    planted = "Zq3TfR7xWm1LsK9vBn5YcD2hGj8PaU4eXo6i"
    for fault, keys in (("unknown", {"apiKey": planted}), ("ended", {}), ("secret", {"secret": planted})):
        report, _ = check(venue, lambda local, ends=fault == "ended": setattr(local, "key_ended", ends), **keys)
        (row,) = failing(report)
        assert row.name == "key"
        assert WORDS[fault][venue] in (row.found or "")
        assert planted not in str(report)
        assert {row.found for row in report.checks[2:]} == {None}
    if venue == "okx":
        (row,) = failing(check(venue, password=planted)[0])
        assert "passphrase is not the key's (50105)" in (row.found or "")


FAULTS = {
    "rate_limit": "too many requests from here (429); try again in 2 s",
    "ban": "has banned this machine's address for now (418); try again in 120 s",
    "maintenance": "is under maintenance, or down",
    "html": "answered a page of HTML (HTTP 200)",
    "http_5xx": "answered a page of HTML (HTTP 502)",
    "read_timeout": "did not answer within 3 s",
    "clock_skew": "this machine is 40.0 s behind: set its clock",
}


@pytest.mark.parametrize("venue", ["okx", *(pytest.param(name, marks=pytest.mark.long) for name in ("binance", "bybit"))])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_venue_that_does_not_answer_is_asked_once(venue: str, fault: str) -> None:
    """The first row says why, the others were not asked: a ban is not made worse."""
    report, _ = check(venue, lambda local: local.faults.on(fault))
    (row,) = failing(report)
    assert row.name == "clock"
    assert FAULTS[fault] in (row.found or "")
    assert {row.found for row in report.checks[1:]} == {None}


STARTS = {**FAULTS, "clock_skew": "refuses this machine's clock"}


@pytest.mark.parametrize("venue", VENUES)
def test_a_start_says_in_the_same_words_why_it_waits(venue: str) -> None:
    """Each try of a start: one line without the venue's JSON or HTML, and what to do."""

    async def script(played: Played) -> dict[str, list[str]]:
        client, said, tries = remembering(played.client), dict[str, list[str]](), list[float]()

        async def sleep(for_s: float) -> None:
            tries.append(for_s)
            if len(tries) > 2:
                played.venue.faults.plan.clear()

        for fault in STARTS:
            tries.clear()
            played.venue.faults.on(fault)
            said[fault] = []
            await load_markets_of(venue, [client], said[fault].append, sleep)
            played.venue.faults.plan.clear()
        return said

    found = ADAPTED[venue].played.under_virtual_clock(script, moving)[0]
    for fault, words in STARTS.items():
        *waits, over = found[fault]
        assert over == ""
        assert all(words in line and "{" not in line and "<" not in line for line in waits), (fault, waits)
        assert waits or (fault == "clock_skew" and venue == "binance"), fault  # Binance's list is asked without a signature


@pytest.mark.parametrize("venue", VENUES)
def test_a_clock_two_seconds_off_is_named(venue: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the venue: all is asked. Ahead of it: Binance and Bybit refuse the signature's time, and that is said."""
    module = f"tests.fakes.exchange.{venue}.venue.SKEW_MS"
    monkeypatch.setattr(module, 2_000)
    (row,) = failing(check(venue, lambda local: local.faults.on("clock_skew"))[0])
    assert (row.name, row.found) == ("clock", "this machine is 2.0 s behind: set its clock")
    monkeypatch.setattr(module, -2_000)
    rows = failing(check(venue, lambda local: local.faults.on("clock_skew"))[0])
    assert rows[0].found == "this machine is 2.0 s ahead: set its clock"
    assert [row.name for row in rows[1:]] == ([] if venue == "okx" else ["key"])
    assert all("refuses this machine's clock" in (row.found or "") for row in rows[1:])


@pytest.mark.parametrize("venue", VENUES)
def test_the_smallest_layer_is_above_the_venues_least(venue: str) -> None:
    """Least notional or least size at the mark, whichever is more."""
    (row,) = failing(check(venue, wanted=wanted_of(venue, layer=1.0))[0])
    assert row.name == "least_order BTC-USDT"
    assert (row.found or "").endswith("USDT; the smallest layer of btc-trend is 1.00")


@pytest.mark.parametrize("venue", VENUES)
def test_lists_are_read_to_their_end(venue: str) -> None:
    """A stranger's order behind a hundred of ours is found."""

    def spoil(local: Any) -> None:
        for n in range(105):
            local.exchange.place(o.Order(f"ndE{n}" if n else "theirs", "BTC", 1, 100, o.LIMIT, 500_000 - n))

    assert [row.name for row in failing(check(venue, spoil)[0])] == ["orders"]


def test_nothing_but_a_question_leaves_the_client() -> None:
    """Whatever is called on it: an order, a setting, a cancellation."""

    async def script(played: Played) -> list[str]:
        client, said = read_only(remembering(played.client)), []
        for call in (client.private_post_trade_order, client.private_post_account_set_leverage):
            with pytest.raises(PermissionError) as caught:
                await call({"instId": "BTC-USDT-SWAP"})
            said.append(str(caught.value))
        assert played.venue.calls == []
        return said

    said, _ = ADAPTED["okx"].played.under_virtual_clock(script, moving)
    assert said == ["this client sends questions alone, not POST"] * 2


def test_in_shadow_a_key_that_only_reads_is_fit_and_what_others_do_there_is_theirs() -> None:
    """It attaches; a foreign order is a warning."""

    def spoil(local: Any) -> None:
        local.permissions = "read_only"
        local.exchange.place(o.Order("stranger", "BTC", 1, 10, o.LIMIT, 500_000))

    report, _ = check("okx", spoil, wanted_of("okx")._replace(looks=True))
    assert (report.ok, report.may) == (True, "attach")
    assert {row.name for row in report.checks if not row.ok} >= {"trading", "orders"}
    report, _ = check("okx", spoil)
    assert (report.ok, report.may) == (False, "nothing")


@pytest.mark.parametrize("venue", VENUES)
def test_a_client_in_shadow_sends_questions_alone(venue: str) -> None:
    """Whatever is called on it, before it would be sent: nobody listens at that address."""
    at = AccountAddress(venue, "shadow", "http://127.0.0.1:9", "ws://127.0.0.1:9")

    async def sent() -> None:
        client = connect(at, VenueKeys("key", "secret", "pass"))
        try:
            for method in ("POST", "PUT", "DELETE"):
                with pytest.raises(PermissionError, match="questions alone"):
                    await client.fetch("http://127.0.0.1:9/order", method)
        finally:
            await client.close()

    asyncio.run(sent())
