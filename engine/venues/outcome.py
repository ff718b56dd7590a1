"""What a venue's answer to a request proves: that it refused, that it never took it, that the order is there, or nothing.

Called by the venue adapters with the error that ccxt raised. Only a code of the venue's own table proves anything; what is not in
it - a timeout, a page of HTML, a code that is new - proves nothing: the order may be there, and is asked about.
"""

import json
import re
from collections.abc import Mapping
from textwrap import shorten
from typing import Literal

Outcome = Literal["rejected", "passed", "not_taken", "exists", "not_found", "unknown"]
REJECTED: Outcome = "rejected"  # the venue looked at it and said no: there is no such order
PASSED: Outcome = "passed"  # the same of a conditional order: the market is beyond its level already
REFUSALS = (REJECTED, PASSED)
NOT_TAKEN: Outcome = (
    "not_taken"  # turned away before that (rate, maintenance, clock, key): there is none, the same id may be sent again
)
EXISTS: Outcome = "exists"  # an order with this client id is there already
NOT_FOUND: Outcome = "not_found"  # it is not there now; whether it never was is for time and fills to say
UNKNOWN: Outcome = "unknown"

ORDER_CODE, CODE = re.compile(r'"sCode":\s*"?(\d+)'), re.compile(r'"(?:code|retCode)":\s*"?(-?\d+)')

OWN_WORDS, WORDS = (re.compile(rf'"(?:{names})":\s*("(?:[^"\\]|\\.)+")') for names in ("sMsg", "retMsg|msg"))
WORDS_MAX = 130  # letters of a venue's own words: whoever shows them cuts at 160, and the code comes behind them
ADDRESS = re.compile(r"(?:\b[a-z]+ )?(?:\b(?:GET|POST|PUT|DELETE) )?\b(?:https?|wss?)://\S+ ?")  # with what ccxt writes before it
PAGE = re.compile(r"<(?:!doctype|\?xml|html|head|body)\b", re.IGNORECASE)  # how a page begins
ANSWER = re.compile(r"\b(binanceusdm|binance|bybit|okx) [^{}]*(?=\{)")  # as ccxt begins what a venue has answered

# Codes of a refused order that say something of the key's rights or the account's modes, as the tables of ccxt 4.5.90 word them
# (50119, 50120 and Binance's -40.. are not worded there; none of these was seen). Some are said of a faulty order, too: whoever
# hears one looks at the account, no more.
OF_ACCOUNT = frozenset(
    (
        *("50100", "50101", "50105", "50110", "50111", "50113", "50114", "50119", "50120", "51000", "51010"),  # OKX
        *("-1022", "-1106", "-1109", "-2014", "-2015", "-2017", "-4060", "-4061", "-4067", "-4068", "-4087", "-4088"),  # Binance
        *("10001", "10003", "10004", "10005", "10008", "10010", "10027", "33004", "110025", "110026"),  # Bybit
    )
)
SAID_CODE = re.compile(r"\((-?\d+)\)$")  # as `words_of` ends


def words_of(error: BaseException | str) -> str:
    """What the venue says and its code, of JSON as ccxt hands it on: `okx says: no position to reduce (51169)`. The words about
    the order before those about the request; where it has none, the text without an address and a page of HTML.
    """
    text = str(error)
    code, venue = code_of(text), ANSWER.search(text)
    found = OWN_WORDS.search(text) or WORDS.search(text)
    if not code or venue is None or found is None:
        return readable(text) or type(error).__name__
    try:
        words = str(json.loads(found[1], strict=False))
    except ValueError:
        return readable(text)
    return f"{venue[1].removesuffix('usdm')} says: {shorten(words, WORDS_MAX, placeholder='...').rstrip('.')} ({code})"


def readable(why: str) -> str:
    """A reason without the address that was asked and the page of HTML that came: nobody learns anything of them."""
    return " ".join(PAGE.split(ADDRESS.sub("", why), maxsplit=1)[0].split()).rstrip(" :")


def answer_text(answer: object) -> str:
    """The beginning of an answer that is not what was asked for; a page of HTML by that name."""
    text = str(answer)[:80]
    return "a page of HTML" if PAGE.search(text) else text


def code_of(error: BaseException | str) -> str:
    """The venue's own code in an error of ccxt's: that of the order before that of the request; empty where there is none."""
    text = str(error)
    own = [found for found in ORDER_CODE.findall(text) if found != "0"]
    whole = CODE.search(text)
    return own[0] if own else whole[1] if whole else ""


def is_of_account(why: str) -> bool:
    """Whether the reason of a refused order, as an adapter words it, may be a right or a mode of the account."""
    said = SAID_CODE.search(why)
    return (said[1] if said else code_of(why)) in OF_ACCOUNT


def outcome_of(error: BaseException, table: Mapping[str, Outcome]) -> Outcome:
    """What the error proves, by the venue's table of codes."""
    return table.get(code_of(error), UNKNOWN)


def table_of(**codes: str) -> dict[str, Outcome]:
    """A table from words: rejected="51000 51001", ... Raises ValueError for a code that is in it twice."""
    found: dict[str, Outcome] = {}
    for word, text in codes.items():
        for code in text.split():
            if code in found:
                raise ValueError(f"code {code} is {found[code]} and {word}")
            found[code] = word  # type: ignore[assignment]  # the keywords are the words of Outcome
    return found
