"""Which instruments of a search were there all the time, and what the choice of them leaves out.

Called by research/sweep_report.py. An instrument is alive as far as its bars go: bars that begin late may
be a late listing or a short recording, and nothing here can say which.
"""

from collections.abc import Sequence

from engine.clock import utc_day
from engine.sim.request import Plan

SURVIVORS = (
    "survivorship: these symbols were chosen today; coins that were delisted or faded in the span are not among them, so a result"
    " over several of them is too good by what is left out"
)


def notes_of(plans: Sequence[Plan], first_ms: int, last_ms: int) -> list[str]:
    """What a reader must know of the instruments between the first and the last bar (opens, UTC ms) that all of them have."""
    found = []
    for planned in plans:
        sleeve, clock = planned.sleeves[0], planned.clock_ms
        series = planned.series[planned.column(sleeve)]
        asked = (planned.request.from_ms, planned.request.to_ms)
        wanted = first_ms if asked[0] is None else asked[0], last_ms + clock if asked[1] is None else asked[1]
        begins, ends = series.first_ms, series.last_ms + clock
        if begins > wanted[0]:
            found.append(
                f"{sleeve.spec.symbol}: no bars before {utc_day(begins)}; the span asked for begins {utc_day(wanted[0])}"
            )
        if ends < wanted[1]:
            found.append(f"{sleeve.spec.symbol}: no bars from {utc_day(ends)} on; the span asked for ends {utc_day(wanted[1])}")
    if len(plans) > 1:
        starts = {one.sleeves[0].spec.symbol: one.series[one.column(one.sleeves[0])].first_ms for one in plans}
        late = max(starts, key=lambda symbol: starts[symbol])
        if starts[late] >= first_ms and min(starts.values()) < starts[late]:
            found.append(f"the common span begins with the bars of {late}, {utc_day(first_ms)}: the others have earlier ones")
        found.append(SURVIVORS)
    return found
