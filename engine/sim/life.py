"""How long a run traded: of how many days, until when, and what ended it; and how far it goes beyond the desk's own time.

Called by sim/backtest.py when a run's report is made, and for a stored run's JSON by tools, cards, API and command line. Turns
the run's rows into its ends (`ends_of`), and a report into a Life (`life_of`): the one place that says how long a run lived.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from engine.clock import DAY_MS, timeframe_ms, utc_day
from engine.core import state

DESK = "desk"
STALE_DAYS = 7  # lived since a run's bars end; more is said wherever the run is shown
DRAWDOWN = state.BREAKERS[state.DESK_DRAWDOWN]  # the breaker that only a person releases: in a run nobody does
LIQUIDATED = state.EXIT_REASONS[state.LIQUIDATION]
# refusals that do not pass by themselves while a sleeve's equity and its inputs stay as they are
LASTING = [state.RULES[rule] for rule in (state.R_SIZE, state.R_LEAST, state.R_UNKNOWN, state.R_EQUITY)]


class Life(NamedTuple):
    """How long a run traded. `ends`: [{sleeve, by, ms}] of the desk or of sleeves that stopped a day or more before the end."""

    days: int  # whole days of the run's span
    traded_days: int  # whole days until it stopped
    stopped_ms: int | None  # None: it could trade until the end
    stopped_by: str
    text: str  # in words; empty when the span is not known
    ends: Sequence[Mapping[str, Any]] = ()

    def as_json(self) -> dict[str, Any]:
        """As a run's report keeps it."""
        return {**self._asdict(), "ends": [dict(end) for end in self.ends]}

    @property
    def share(self) -> str:
        """`305 of 1,096 days`; empty when the span is not known."""
        return f"{self.traded_days:,} of {self.days:,} days" if self.text else ""

    @property
    def ended(self) -> str:
        """`2023-11-02, desk drawdown breaker`; empty for a run that traded until the end."""
        return f"{utc_day(self.stopped_ms)}, {self.stopped_by}" if self.stopped_ms is not None else ""


def life_of(run: Mapping[str, Any]) -> Life:
    """The life of a run, from its report; of a report without its ends, from its breakers."""
    span = span_of(run)
    if span is None:
        return Life(0, 0, None, "", "")
    first_ms, end_ms = span
    days = (end_ms - first_ms) // DAY_MS
    listed = (run.get("life") or {}).get("ends")
    ends = sorted(_from_breakers(run) if listed is None else listed, key=lambda end: int(end["ms"]))
    ends = [end for end in ends if (int(end["ms"]) - first_ms) // DAY_MS < days]
    stop = _stop(ends, [str(sleeve.get("name")) for sleeve in run.get("sleeves") or ()])
    others = "".join(f"; {_ended(end)}" for end in ends if end is not stop and (stop is None or end["ms"] < stop["ms"]))
    if stop is None:
        return Life(days, days, None, "", f"traded all {days:,} days{others}", ends)
    traded = (int(stop["ms"]) - first_ms) // DAY_MS
    text = f"{_stopped(stop)}, traded {traded:,} of {days:,} days{others}"
    return Life(days, traded, int(stop["ms"]), str(stop["by"]), text, ends)


def span_of(run: Mapping[str, Any]) -> tuple[int, int] | None:
    """[first, end) of a run in UTC ms; None for a report without its data block."""
    data = run.get("data") or {}
    first_ms, last_ms, clock = data.get("first_ms"), data.get("last_ms"), run.get("timeframe")
    if not (isinstance(first_ms, int) and isinstance(last_ms, int) and isinstance(clock, str)):
        return None
    return first_ms, last_ms + timeframe_ms(clock)


def _from_breakers(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Ends of a run stored before runs kept them: the desk's drawdown breaker."""
    found = [b for b in run.get("breakers") or () if b.get("breaker") == DRAWDOWN]
    return [{"sleeve": DESK, "by": f"{DRAWDOWN} breaker", "ms": b["first_ms"]} for b in found]


def _stop(ends: Sequence[Mapping[str, Any]], sleeves: Sequence[str]) -> Mapping[str, Any] | None:
    """What ended the whole run: the desk's own end, or the last of its sleeves' when every one has ended."""
    own = next((end for end in ends if end["sleeve"] == DESK), None)
    if own is None and sleeves and set(sleeves) <= {end["sleeve"] for end in ends}:
        return ends[-1]
    return own


def _stopped(end: Mapping[str, Any]) -> str:
    whose = "its own" if str(end["by"]).endswith("breaker") else "the"  # `the` would read as the breaker of the desk that trades
    return f"stopped by {whose} {end['by']} on {utc_day(int(end['ms']))}"


def _ended(end: Mapping[str, Any]) -> str:
    return f"{end['sleeve']} {_stopped(end)}"


def favours(base: Mapping[str, Any], changed: Mapping[str, Any], names: Sequence[str] = ("base", "changed")) -> str:
    """What a reader of a comparison over the common days must know: they end where one of the two was stopped by its losses, so
    that one's worst stretch is in them to its end. Empty when both traded until the end."""
    stopped = stopped_first(base, changed)
    if stopped is None:
        return ""
    return f"those days end where the {names[stopped]} run was stopped, which favours the {names[1 - stopped]} one"


def stopped_first(base: Mapping[str, Any], changed: Mapping[str, Any]) -> int | None:
    """Which of the two was stopped by its losses before the other: 0 the base, 1 the changed one; None when neither was."""
    stops = [(life.stopped_ms, n) for n, life in enumerate(map(life_of, (base, changed))) if life.stopped_ms is not None]
    if not stops or (len(stops) == 2 and stops[0][0] == stops[1][0]):
        return None
    return min(stops)[1]


def beyond(run: Mapping[str, Any], desk_ms: int | None) -> int:
    """Days of a run that the desk has not lived yet, a begun one counted; 0 when its end is not past the desk's time."""
    span = span_of(run)
    return 0 if span is None or desk_ms is None else max(0, -((desk_ms - span[1]) // DAY_MS))


def beyond_text(days: int) -> str:
    """The stamp of what goes beyond the desk's time; empty for none."""
    return f"includes {days:,} day{'' if days == 1 else 's'} the desk has not lived yet" if days > 0 else ""


def behind(run: Mapping[str, Any], desk_ms: int | None) -> int:
    """Whole days that the desk has lived since a run's bars end; 0 when it has not lived any."""
    span = span_of(run)
    return 0 if span is None or desk_ms is None else max(0, (desk_ms - span[1]) // DAY_MS)


def behind_text(days: int) -> str:
    """The stamp of a run whose bars end long before the desk's time; empty up to STALE_DAYS."""
    return f"its bars end {days:,} days before the desk's time" if days > STALE_DAYS else ""


def ends_of(run: Any, span: Any) -> list[dict[str, Any]]:
    """What ended trading in a Backtest over the bars of `span` (a Market), for the desk and for each sleeve."""
    import numpy as np
    import polars as pl

    usable = np.isfinite(span.open + span.high + span.low + span.close + span.volume)
    tripped = run.breakers.filter(pl.col("breaker") == DRAWDOWN)["close_ms"].to_list()
    found = [{"sleeve": DESK, "by": f"{DRAWDOWN} breaker", "ms": int(ms)} for ms in tripped[:1]]
    for sleeve in run.run_sleeves:
        priced = np.flatnonzero(usable[:, span.instruments.index(sleeve.instrument)])
        if priced.size and priced[-1] < len(span.close_ms) - 1:
            found.append({"sleeve": sleeve.name, "by": "end of its bars", "ms": int(span.close_ms[priced[-1]])})
            continue
        own = pl.col("sleeve") == sleeve.name
        if end := _sleeve_end(run.decisions.filter(own), run.fills.filter(own)):
            found.append({"sleeve": sleeve.name, **end})
    return found


def _sleeve_end(decided: Any, filled: Any) -> dict[str, Any]:
    """Why a sleeve entered nothing more, and since when, from its decisions and fills: it was liquidated and entered nothing
    after it, or a refusal that lasts."""
    import polars as pl

    entered_ms = decided.filter(pl.col("action").is_in(["enter", "add"]))["close_ms"].max() or 0
    for fill in filled.tail(1).select("close_ms", "reason").to_dicts():
        if fill["reason"] == LIQUIDATED and fill["close_ms"] >= entered_ms:
            return {"by": LIQUIDATED, "ms": int(fill["close_ms"])}
    lasts = pl.col("refused_by").is_in(LASTING).fill_null(value=False) & (pl.col("lots_before") == 0)
    before_ms = decided.filter(~lasts)["close_ms"].max() or 0
    since = decided.filter(pl.col("close_ms") > before_ms).head(1).to_dicts()
    return {"by": f"rule '{row['refused_by']}'", "ms": int(row["close_ms"])} if (row := next(iter(since), None)) else {}
