"""A ccxt client of one account, and what may go wrong between desk and venue, in words. Called by app.processes.account_check.

The only file that gives ccxt a key. `read_only` lets nothing but questions through, whatever is called on the client.
"""

import logging
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from engine.venues.account_keys import VenueKeys
from engine.venues.bounded import TIMEOUT_MS, bound_answers_async
from engine.venues.installed import ccxt_class
from engine.venues.outcome import code_of, words_of

CLASSES = {"okx": "okx", "binance": "binanceusdm", "bybit": "bybit"}
OPTIONS = {  # USDT perpetuals alone: other lists cost a call each, and are not traded
    "okx": {"defaultType": "swap", "fetchMarkets": {"types": ["swap"]}},
    "binance": {"fetchCurrencies": False},
    "bybit": {"defaultType": "swap", "fetchMarkets": {"types": ["linear"]}},
}
SLOW_MS, CLOSE_MS = 1_000, 300  # an answer that took longer says no time; clocks closer than this need no correction
SHOWN_MAX = 160  # letters of an error that has no sentence of its own


class AccountAddress(NamedTuple):
    """Where an account is: `mode` shadow, testnet or live; the urls are those of a local venue, else empty."""

    venue: str
    mode: str
    rest_url: str = ""
    ws_url: str = ""


class CheckRefusal(NamedTuple):
    """Why a question had no answer; `ends`: no other question will have one; `of_account`: key or rights are why."""

    text: str
    ends: bool = False
    of_account: bool = False


class UnansweredCheck(Exception):
    """A question without an answer."""

    def __init__(self, refusal: CheckRefusal) -> None:
        super().__init__(refusal.text)
        self.refusal = refusal


def connect(at: AccountAddress, keys: VenueKeys, **more: Any) -> Any:
    """A ccxt.pro client; in shadow it sends questions alone. Raises BadInput where ccxt does not have the venue."""
    made = ccxt_class(CLASSES[at.venue], "ccxt.pro")
    logging.getLogger("ccxt").setLevel(logging.WARNING)  # its DEBUG lines hold headers
    given: dict[str, Any] = {"apiKey": keys.key, "secret": keys.secret, "timeout": TIMEOUT_MS, "enableRateLimit": not at.rest_url}
    given |= {"password": keys.passphrase} if keys.passphrase else {}
    given |= {"options": OPTIONS[at.venue]}
    given |= {"urls": {"api": local_urls(at)}} if at.rest_url else {"aiohttp_trust_env": True}
    client = remembering(bound_answers_async(made({**given, **more})))
    if at.mode == "testnet":
        on_testnet(client, at)
    return read_only(client) if at.mode == "shadow" else client


def corrected_clock(asking: Any, clients: Sequence[Any]) -> Callable[[], Coroutine[Any, Any, int]]:
    """The venue's clock (UTC ms), by one of an account's clients; each of them signs by it from then on.

    Venues refuse what is signed a second ahead of their clock (Binance, Bybit), or some seconds behind: a machine whose clock is
    wrong would move no stop and close nothing. Entries are withheld by engine.live.health.
    """

    async def time_ms() -> int:
        before = asking.milliseconds()
        theirs, after = int(await asking.fetch_time()), asking.milliseconds()
        ours = (before + after) // 2
        if 0 <= after - before <= SLOW_MS:  # the middle of a slow answer is no moment, nor is that of a clock that was set
            for one in clients:
                one.options["timeDifference"] = ours - theirs if abs(ours - theirs) > CLOSE_MS else 0
        return theirs

    return time_ms


def on_testnet(client: Any, at: AccountAddress) -> None:
    """Let a client trade play money. A local venue keeps its address: ccxt would go back to the real one."""
    if at.venue == "okx" and at.rest_url:
        client.headers = {**(client.headers or {}), "x-simulated-trading": "1"}
    elif at.rest_url:
        return
    elif at.venue == "binance":
        client.enable_demo_trading(True)  # ccxt 4.5.90 has no sandbox for futures
    else:
        client.set_sandbox_mode(True)


def local_urls(at: AccountAddress) -> dict[str, Any]:
    """ccxt's table of addresses for a local venue."""
    rest, ws = at.rest_url, at.ws_url
    if at.venue == "okx":
        return {"rest": rest, "ws": ws}
    if at.venue == "bybit":
        private = {"contract": f"{ws}/private", "trade": f"{ws}/trade"}
        return {"public": rest, "private": rest, "ws": {"public": {"linear": f"{ws}/public/linear"}, "private": private}}
    versions = {"": "v1", "V2": "v2", "V3": "v3"}
    urls: dict[str, Any] = {
        f"fapi{kind}{name}": f"{rest}/fapi/{v}" for name, v in versions.items() for kind in ("Public", "Private")
    }
    place = "://".join(urlsplit(ws)[:2])  # ccxt puts private, market or public before the /ws of Binance's address
    return urls | {"sapi": f"{rest}/sapi/v1", "ws": {"linear": f"{place}/ws", "ws-api": {"linear": f"{place}/ws-fapi/v1"}}}


def read_only(client: Any) -> Any:
    """The same client, which sends nothing but GET."""
    fetch = client.fetch

    async def asks(url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        if method != "GET":
            raise PermissionError(f"this client sends questions alone, not {method}")
        return await fetch(url, method, headers, body)

    client.fetch = asks
    return client


def remembering(client: Any) -> Any:
    """The same client; it remembers its last answer's status (0: none came) and whether that was HTML, for `refusal_of`."""
    fetch, seen = client.fetch, client.on_rest_response
    client.last_status, client.last_was_page = 0, False

    async def asks(*about: Any, **named: Any) -> Any:
        client.last_status, client.last_was_page = 0, False
        return await fetch(*about, **named)

    def noted(code: int, reason: str, url: str, method: str, headers: Any, body: str, *sent: Any) -> Any:
        client.last_status, client.last_was_page = code, body.lstrip()[:1] == "<"
        return seen(code, reason, url, method, headers, body, *sent)

    client.fetch, client.on_rest_response = asks, noted
    return client


# What a venue's own code says of key, clock and account. ccxt 4.5.90's tables; 50119 and 50120 of OKX are from memory.
EITHER = "it was deleted, has expired, or belongs to the other environment (testnet or live)"
CODES: dict[str, str] = {
    "50111": f"OKX does not know this key (50111): {EITHER}",
    "50119": f"OKX does not know this key (50119): {EITHER}",
    "50105": "the passphrase is not the key's (50105): it is the one chosen when the key was made",
    "50113": "the signature is wrong (50113): the secret is not this key's",
    "50101": "the key belongs to the other environment (50101): testnet and live have keys of their own",
    "50110": "this machine's address is not on the key's IP list (50110)",
    "50100": "OKX has frozen API access (50100): ask its support",
    "50102": "OKX refuses this machine's clock (50102): set it",
    "50114": "OKX refuses the authorization (50114)",
    "-2014": "the key has not the form of a Binance key (-2014)",
    "-2015": "Binance does not accept this key (-2015): it was deleted, has expired, lacks the right to futures,"
    " or this machine's address is not on its IP list",
    "-1022": "the signature is wrong (-1022): the secret is not this key's",
    "-1021": "Binance refuses this machine's clock (-1021): set it",
    "-2017": "the keys of this account are locked (-2017)",
    "10003": f"Bybit does not know this key (10003): {EITHER}",
    "33004": "the key has expired (33004)",
    "10004": "the signature is wrong (10004): the secret is not this key's",
    "10010": "this machine's address is not on the key's IP list (10010)",
    "10002": "Bybit refuses this machine's clock (10002): set it",
    "10008": "Bybit has banned this account (10008)",
    "10009": "Bybit has banned this machine's address (10009)",
}
OF_CLOCK = ("50102", "-1021", "10002")
NO_RIGHT = ("50120", "10005")
ALONE = {  # codes that say something of one question
    **dict.fromkeys(NO_RIGHT, "the key has no right to this question"),
    **dict.fromkeys(("51001", "-1121"), "the venue does not list the instrument"),
}


def refusal_of(error: BaseException, client: Any, venue: str, hidden: Callable[[str], str]) -> CheckRefusal:
    """What an error of ccxt's says, in one line; `client` is `remembering`, `hidden` takes keys out of a text."""
    import ccxt

    text, code, status = str(error), code_of(error), client.last_status
    names = {"okx": "OKX", "binance": "Binance", "bybit": "Bybit"}
    name = names[venue]
    headers = {str(key).lower(): str(value)[:20] for key, value in (client.last_response_headers or {}).items()}
    wait = f"; try again in {headers['retry-after']} s" if status in (418, 429) and "retry-after" in headers else ""
    if status == 418:
        return CheckRefusal(f"{name} has banned this machine's address for now (418){wait}: stop what asks too often", ends=True)
    if status == 429 or isinstance(error, ccxt.RateLimitExceeded):
        return CheckRefusal(f"{name} has too many requests from here (429){wait}", ends=True)
    if status == 503 or isinstance(error, ccxt.OnMaintenance) or "maintenance" in text.lower() or "restarting" in text.lower():
        return CheckRefusal(f"{name} is under maintenance, or down (HTTP {status}): look at its status page", ends=True)
    if client.last_was_page:  # ccxt hands a page with status 200 on as if it were an answer
        return CheckRefusal(
            f"{name}'s address answered a page of HTML (HTTP {status}): a proxy, a block page, or an outage", ends=True
        )
    if code in CODES:
        return CheckRefusal(CODES[code], ends=True, of_account=code not in OF_CLOCK)
    if code in ALONE:
        return CheckRefusal(f"{ALONE[code]} ({code})", of_account=code in NO_RIGHT)
    if isinstance(error, ccxt.RequestTimeout):
        return CheckRefusal(f"{name} did not answer within {client.timeout / 1000:g} s", ends=True)
    if isinstance(error, ccxt.AuthenticationError):
        return CheckRefusal(f"{name} does not accept the key{f' ({code})' if code else ''}: {EITHER}", ends=True, of_account=True)
    if status == 0 and isinstance(error, ccxt.NetworkError):
        return CheckRefusal(f"{name} cannot be reached: {type(error).__name__}; check network and proxy", ends=True)
    shown = hidden(" ".join(words_of(text).split()))[:SHOWN_MAX]
    if isinstance(error, ccxt.BaseError):
        return CheckRefusal(f"{name} refused the question: {shown}")
    return CheckRefusal(f"{name} answered something else than it documents ({type(error).__name__}: {shown})")
