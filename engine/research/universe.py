"""Which instruments of a search were there all the time, and what the choice of them leaves out.

Called by research/search.py, search_forward.py and kill/page.py. An instrument is alive from its listing to its delisting
where these days are known (venues/listings.py), and as far as its bars go: bars that begin late without a known day may be a
late listing or a short recording, and the note says so.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from engine.clock import DAY_MS, utc_day
from engine.sim.request import Plan, moment
from engine.venues.listings import Lifetime

SURVIVORS = (
    "survivorship: these symbols were chosen today; coins that were delisted or faded in the span are not among them, so a result"
    " over several of them is too good by what is left out"
)


class Present(NamedTuple):
    """One instrument of a search: when it traded, as far as known, and what its bars reach. Times are UTC ms."""

    symbol: str
    life: Lifetime
    begins: int  # of the first bar
    ends: int  # of the last one

    @property
    def listed_ms(self) -> int | None:
        """Midnight of the first day of trading; None where not known."""
        return moment(self.life.listed) if self.life.listed else None

    @property
    def delisted_ms(self) -> int | None:
        """Midnight after the last day of trading; None where not known, or not delisted."""
        last = moment(self.life.delisted) if self.life.delisted else None
        return None if last is None else last + DAY_MS


def notes_of(plans: Sequence[Plan], first_ms: int, last_ms: int) -> list[str]:
    """What a reader must know of the instruments between the first and the last bar (opens, UTC ms) that all of them have."""
    found, ones = [], [present_of(planned) for planned in plans]
    for planned, one in zip(plans, ones, strict=True):
        asked = (planned.request.from_ms, planned.request.to_ms)
        wanted = first_ms if asked[0] is None else asked[0], last_ms + planned.clock_ms if asked[1] is None else asked[1]
        found += [f"{one.symbol}: {text}" for text in (*missing_before(one, wanted[0]), *missing_after(one, wanted[1]))]
    if len(ones) > 1:
        youngest = max(ones, key=lambda one: one.begins)
        if youngest.begins >= first_ms and min(one.begins for one in ones) < youngest.begins:
            found.append(
                f"the common span begins with the bars of {youngest.symbol}, {utc_day(first_ms)}: the others have earlier ones"
            )
        found.append(SURVIVORS)
    return found


def present_of(planned: Plan) -> Present:
    """The traded instrument of a request of one sleeve."""
    sleeve = planned.sleeves[0]
    series = planned.series[planned.column(sleeve)]
    return Present(sleeve.spec.symbol, sleeve.life, series.first_ms, series.last_ms + planned.clock_ms)


def missing_before(one: Present, wanted_ms: int) -> Iterator[str]:
    """What is missing at the beginning of the span asked for."""
    listed, source = one.listed_ms, one.life.source
    if listed is not None and one.begins < listed - DAY_MS:
        yield f"bars before its listing, {one.life.listed} ({source}): they are another instrument's, or the day is wrong"
    if one.begins <= wanted_ms:
        return
    text = f"no bars before {utc_day(one.begins)}; the span asked for begins {utc_day(wanted_ms)}"
    if listed is None:
        yield f"{text}; its listing day is not known here: listed late, or recorded late"
    elif listed > wanted_ms:
        recorded = f", and its bars begin {(one.begins - listed) // DAY_MS} days later" if one.begins >= listed + DAY_MS else ""
        yield f"{text}; it did not trade before {one.life.listed} ({source}){recorded}"
    else:
        yield f"{text}; it was listed {one.life.listed} ({source}): the recording begins late"


def missing_after(one: Present, wanted_ms: int) -> Iterator[str]:
    """What is missing at the end of the span asked for."""
    gone, source = one.delisted_ms, one.life.source
    if gone is not None and one.ends > gone:
        yield f"bars after its last day of trading, {one.life.delisted} ({source}): one of the two is wrong"
    if one.ends >= wanted_ms:
        return
    text = f"no bars from {utc_day(one.ends)} on; the span asked for ends {utc_day(wanted_ms)}"
    if gone is not None and gone <= wanted_ms:
        text += f"; it was delisted after {one.life.delisted} ({source})"
    yield text
