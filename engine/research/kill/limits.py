"""What a strategy must show before it is worth paper, one row a check: the limit, what kills, and why. Called by verdict.py.

Nothing else decides: a check passes by its row, a value that is not defined never passes. Most limits are conventions; a row says
where its number comes from.
"""

from typing import Literal, NamedTuple

from engine.amounts import figure_text
from engine.research.plateau import SCORE_MIN

Rule = Literal["above", "least", "most"]
Form = Literal["percent", "ratio", "bps", "count", "share"]


class Limit(NamedTuple):
    """One check. `kills`: a value worse than this ends the idea; None: it only keeps it from paper."""

    name: str
    what: str  # before the value, in a sentence
    rule: Rule
    limit: float
    kills: float | None
    form: Form
    why: str
    word: str = "needed"  # of the limit: at least 30 is needed, at most 4.00 is believable

    def passes(self, value: float, limit: float | None = None) -> bool:
        """Whether a value is within the limit, or within another one of the same rule."""
        bound = self.limit if limit is None else limit
        return value > bound if self.rule == "above" else value >= bound if self.rule == "least" else value <= bound

    def ends(self, value: float) -> bool:
        """Whether a value kills."""
        return self.kills is not None and not self.passes(value, self.kills)


LIMITS = (
    Limit(
        "look_ahead", "prefixes of the bars that agree", "least", 1.0, 1.0, "share",
        "law 2: a signal that needs a later bar cannot be traded; nothing else is run",
    ),
    Limit(
        "round_trips", "closed round trips", "least", 30.0, None, "count",
        "fewer say nothing, so nothing kills either: the desk's own sizing waits for 30 (D1)",
    ),
    Limit("net", "net after all costs", "above", 0.0, 0.0, "percent", "an idea that loses on the bars it was made on is over"),
    Limit(
        "costs_x2", "net at twice the costs", "above", 0.0, None, "percent",
        "spread and slippage are estimates; an edge that a doubling eats is the estimate's",
    ),
    Limit(
        "one_bar_late", "net one bar late", "above", 0.0, None, "percent",
        "an outage, a slow venue or a restart costs a bar",
    ),
    Limit(
        "jitter", "share of 10 runs with random delays of 0 to 2 bars that earn", "least", 0.8, None, "share",
        "an edge is in a move, not in one bar's close; convention",
    ),
    Limit(
        "windows", "thirds of the span that earn", "least", 2.0 / 3.0, 1.0 / 3.0, "share",
        "an edge of one third of the time is that third's; none of three kills",
    ),
    Limit(
        "symbols", "other symbols that earn at the same setting", "least", 0.5, None, "share",
        "what works on one coin alone is often that coin's history; convention",
    ),
    Limit(
        "regimes", "market regimes with at least 10 trips that earn", "least", 0.5, None, "share",
        "trend, range and volatile by what was known then; one regime can end for years",
    ),
    Limit(
        "t_of_trips", "mean round trip over its standard error", "least", 2.0, None, "ratio",
        "two standard errors, as usual; fewer trips than that takes cannot be distinguished from luck",
    ),
    Limit(
        "oracle", "mean trip with the right side known at its own entries", "above", 0.0, 0.0, "bps",
        "where perfect foresight of the side does not pay the costs, no signal can",
    ),
    Limit(
        "random_entries", "share of 100 draws of random entries at least as good", "most", 0.05, 0.5, "share",
        "one-sided permutation test at 5 %; behind the median draw the entries add nothing", "allowed",
    ),
    Limit(
        "hold", "return above holding at the same volatility", "above", 0.0, None, "percent",
        "holding needs no desk; without costs and funding",
    ),
    Limit(
        "deflated_sharpe", "deflated Sharpe ratio", "least", 0.95, None, "ratio",
        "Bailey & Lopez de Prado 2014 at 95 %, over all trials of the hypothesis",
    ),
    Limit(
        "too_smooth", "R2 of a line through log equity", "most", 0.99, None, "share",
        "smoother than any desk's: look for a leak, or a short-volatility tail that has not come", "believable",
    ),
    Limit(
        "too_good", "Sharpe ratio", "most", 4.0, None, "ratio",
        "above 4 a fill model or a leak is likelier than an edge", "believable",
    ),
    Limit(
        "one_month", "largest month's share of the net", "most", 0.5, None, "share",
        "more than half from one month is one event", "allowed",
    ),
    Limit(
        "one_symbol", "largest symbol's share of the net", "most", 0.5, None, "share",
        "more than half from one of at least three symbols is one market", "allowed",
    ),
    Limit(
        "plateau", "mean Sharpe ratio of its neighbours over its own", "least", SCORE_MIN, 0.0, "ratio",
        "parameters 10 and 25 % away should do nearly as well (research/plateau.py); neighbours that lose make it a spike",
    ),
    Limit(
        "few_trips", "share of the net left without the best 5 % of trips", "above", 0.0, None, "share",
        "a result that 1 trip in 20 makes waits for trips, not for signals",
    ),
)  # fmt: skip
BY_NAME = {limit.name: limit for limit in LIMITS}
REGIME_TRIPS_MIN = 10
SYMBOLS_MIN = 3
MONTHS_MIN = 3


BOUND = {"above": "above", "least": "at least", "most": "at most"}


def shown(value: float, form: Form, limit: float) -> str:
    """A value as a sentence shows it, with the digits that show on which side of its limit; no share is rounded to 100 %."""
    if form == "percent":
        return f"{'' if value < 0 else '+'}{figure_text(value * 100, 2, limit * 100)} %"
    if form == "share":
        return f"{figure_text(value * 100, 0, limit * 100, 100.0)} %"
    if form == "bps":
        return f"{'' if value < 0 else '+'}{figure_text(value, 1, limit)} bps"
    return figure_text(value, 0 if form == "count" else 2, limit)


def sentence(limit: Limit, value: float) -> str:
    """`Sharpe ratio: 6.20, at most 4.00 is believable`."""
    return f"{limit.what}: {shown(value, limit.form, limit.limit)}, {bound_text(limit)}"


def suspicion(sharpe: float | None) -> list[str]:
    """What a judgement would call too good of a single run, with its reason; nothing of one that is believable."""
    limit = BY_NAME["too_good"]
    return [] if sharpe is None or limit.passes(sharpe) else [f"{sentence(limit, sharpe)}: {limit.why}"]


def bound_text(limit: Limit) -> str:
    """`at least 30 is needed`, `above 0.00 % is needed`, `at most 5 % is allowed`."""
    return f"{BOUND[limit.rule]} {shown(limit.limit, limit.form, limit.limit).lstrip('+')} is {limit.word}"
