"""Sums, differences, means, lengths of time and signs over the rows of the table above. Called by understand.py.

Each figure is made by `calc` of the cells that stand above, so that it keeps a receipt; a sign is read by code: yes or no.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from agents.offline.account import tokens_of
from agents.offline.drafts import drafted, reckoned
from agents.offline.fill import DESKWARD
from agents.offline.follow import points_back
from agents.offline.read_back import PlannedCall
from agents.offline.slots import COUNTED, Slots
from agents.offline.steps import CallResult, PastTurn, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.table_answers import name_of
from agents.offline.tables import AT_A_LOSS, Facts, by_sign, column_of, handle_of, is_sum, number_of, only, ordered
from agents.offline.tables_shown import OF_RUNS, TableAbove
from agents.offline.talk import RowsAsked, asked_of, figure_meant, tables_above
from agents.offline.words import Words, says, stem
from tools.common import render
from tools.common.contract import Table

_OF_ANOTHER = frozenset(("span", "ids", "handles", "params", "axes", "percent", "timeframe", "lasting", "venue", "models"))
_EACH = 6  # rows that get a figure of their own


class Sum(NamedTuple):
    """What a sum is made of: the sentence, the table, the rows that it means, the facts behind the cells."""

    slots: Slots
    above: TableAbove
    found: RowsAsked
    facts: Facts

    @property
    def columns(self) -> Sequence[str]:
        """The heads of the table."""
        return self.above.table.columns

    @property
    def rows(self) -> list[int]:
        """The rows meant, without those that are the sum of the others."""
        return [n for n in self.found.rows if not is_sum(self.above.table.rows[n])]

    def refs(self, rows: Sequence[int], name: str) -> list[str]:
        """The facts of a column in these rows; none of a column that the table lacks."""
        at = self.columns.index(name) if name in self.columns else -1
        cells = [str(self.above.table.rows[n][at]) for n in rows] if at >= 0 else []
        return [cell[1:-1] for cell in cells if cell.startswith("{") and number_of(cell, self.facts) is not None]

    def value(self, refs: Sequence[str]) -> float:
        """The sum of facts, for its sign alone."""
        return sum(number_of(f"{{{ref}}}", self.facts) or 0.0 for ref in refs)

    def names(self, rows: Sequence[int]) -> str:
        """What rows are called."""
        called = [name_of(self.above.table, n) for n in rows]
        return ", ".join(called) if len(rows) <= _EACH else f"{len(rows)} rows"

    def shown(self, expressions: Sequence[str], lead: str, rows: Sequence[int]) -> PlanOf:
        """The lead with what `calc` makes of each expression, and the rows that it is made of."""
        return partial(_shown, expressions, lead, render.markdown_table(only(self.above.table, rows)), self.above.asked)


def _shown(expressions: Sequence[str], lead: str, table: str, asked: str, q: Question) -> Plan:  # noqa: ARG001 - a plan takes it
    values = yield from reckoned(*expressions)
    return PlannedAnswer(f"{lead.format(*values)}\n\n{table}", read_as=f'the table above ("{render.one_line(asked, 60)}")')


def worked_out(slots: Slots, past: Sequence[PastTurn], facts: Facts, words: Words) -> PlanOf | None:
    """What a sentence asks to be worked out over the rows above; None for any other sentence."""
    above = next((of for of in tables_above(past, facts, words) if of.table.columns[:2] != OF_RUNS), None)
    shown = [r.name for r in past[-1].results if r.table is not None] if past else []
    parted = bool(shown) and shown.count(shown[-1]) > 1  # winners and losers: two tables, of which each is a part
    ours = parted or (DESKWARD.search(slots.text) is not None and not points_back(slots))
    if above is None or ours or len(tokens_of(slots)) > 14 or slots.places.keys() & _OF_ANOTHER:
        return None
    found = asked_of(slots, above, facts)
    if slots.places.keys() & {"sleeves", "symbols", "strategies"} and len(found.rows) == len(above.rows):
        return None
    of = Sum(slots, above, found, facts)
    made = (make(of) for form, make in _WAYS.items() if says(f"table_sums.{form}", slots.text))
    return next((plan for plan in made if plan is not None), None)


def durations(table: Table, rows: Sequence[int], facts: Facts, asked: str) -> PlanOf | None:
    """How long round trips of a table were held."""
    above = TableAbove(CallResult("trips", {}, "ok", "", table, {}, ()), table, asked, rows=range(len(table.rows)))
    return _durations(Sum(Slots(), above, RowsAsked(rows, (), "", (), 0), facts))


def without(slots: Slots, above: TableAbove, rows: Sequence[int], facts: Facts) -> PlanOf | None:
    """What is left of a table without these rows."""
    found = RowsAsked(rows, (), "", (), 0)
    return _less(Sum(replace(slots, which=None), above._replace(rows=above.base), found, facts))


def _durations(of: Sum) -> PlanOf | None:
    """How long each of the round trips meant was held."""
    rows = [n for n in of.rows if of.refs([n], "exit_ms")][:_EACH]
    ends = [(of.refs([n], "entry_ms")[0], of.refs([n], "exit_ms")[0]) for n in rows]
    said = [f"{of.names([n])} was held {{}}, from {{{{{a}}}}} to {{{{{b}}}}}" for n, (a, b) in zip(rows, ends, strict=True)]
    return of.shown([f"{b}-{a}" for a, b in ends], f"{'; '.join(said)}.", rows) if rows else None


def _sum(of: Sum) -> PlanOf | None:
    """The sum of a column over the rows meant."""
    at = column_of(of.above.table, figure_meant(of.slots, of.above)) if of.columns[-1] != "value" else 0
    head = of.columns[at]
    if head in ("fees", "slippage", "funding") and "net" in of.columns and not says("table_sums.fees", of.slots.text):
        head = "net"  # `what did the stops cost`
    refs = of.refs(of.rows, head)
    said = {COUNTED[t.word] for t in tokens_of(of.slots) if t.word in COUNTED and t.word != "one"}
    if said and said != {len(of.rows)}:
        return None  # `those two`, of three rows
    some = len(of.rows) < len(of.above.rows) or points_back(of.slots) or says("table_sums.all_of", of.slots.text)
    if not (refs and at and some) or head.endswith(("_frac", "_r", "_ms")):
        return None
    return of.shown(["+".join(refs)], f"{head.capitalize()} of {of.names(of.rows)}: {{}}.", of.rows)


def _less(of: Sum) -> PlanOf | None:
    """The sum of all rows but the best, the worst, those that are named or, of `those` that were asked for, that lost; of round
    trips by a call for these."""
    unit = says("table_sums.unit", of.slots.text)
    if unit is not None and stem(unit[1]) != stem(of.columns[0]):
        return None  # days, of rows that are none
    table, which = of.above.table, of.slots.which if of.slots.which in ("best", "worst") else None
    if of.slots.out is not None and of.slots.out[0] in ("side", "outcome") and of.slots.out[0] != of.columns[0]:
        return None  # `sol without the longs`: no row here
    trades = of.columns[0] == "trip" or says("table_sums.trades", of.slots.text)
    if which and trades and of.above.result.name == "trips":
        kept = {k: v for k, v in of.above.result.args.items() if k not in ("by", "best", "worst")}
        return partial(without_trades, {**kept, which: min(of.slots.count or 1, 20)}, which)
    if which and trades:
        return None  # rows of sleeves are no trades
    listed = next((end for end in ("best", "worst") if of.above.result.args.get(end)), "")
    if listed and not which and of.slots.place is None and points_back(of.slots):  # `and without them`
        return partial(without_trades, of.above.result.args, listed)
    every = [n for n in of.above.rows if not is_sum(table.rows[n])]
    net = next((name for name in ("net", "change") if name in of.columns), "")
    out = ordered(table, of.facts, net, which, every)[: of.slots.count or 1] if which else of.rows
    lost = says("table_sums.those", of.slots.text) and AT_A_LOSS.search(of.above.asked.lower())
    picked = bool(lost) and len(out) == len(every)
    out = [n for n in every if of.value(of.refs([n], net)) < 0] if picked else out
    rest = [n for n in every if n not in out]
    if not net or not out or not rest:
        return None
    left = of.refs(rest, net)
    lead = f"{_yes(of.slots.text, of.value(left))}Without {of.names(out)}: {{}}, against {{}} of all {len(every)}."
    lead += " They were picked after the fact, so that this says little of what comes." if picked else ""
    return of.shown(["+".join(left), "+".join(of.refs(every, net))], lead, out)


def without_trades(args: Mapping[str, object], which: str, q: Question) -> Plan:
    """What is left of round trips without the best or the worst of them."""
    (result,) = yield [call := PlannedCall("trips", args)]
    h, rows = handle_of(result, "net"), [row["net"] for row in result.rows() if str(row.get("net", "")).startswith("{")]
    if not (h and rows):
        return drafted([call], [result])
    (value,) = yield from reckoned(f"{h}.net-({'+'.join(row[1:-1] for row in rows)})")
    total, *parts = (number_of(cell, q.facts) or 0.0 for cell in (f"{{{h}.net}}", *rows))
    many = f"{which} {len(rows)}{' losers' if which == 'worst' else ''}" if len(rows) > 1 else f"{which} one"
    lead = f"{_yes(q.slots.text, total - sum(parts))}Without the {many}: {value}, against {{{h}.net}} of all."
    lead += f" {'They' if len(rows) > 1 else 'It'} made {', '.join(rows[:5])}."
    share = total <= 0 and says("slots.share", q.slots.text)
    lead += " In all a loss was made, so they are a share of nothing." if share else ""
    return drafted([call], [result]).after(lead)


def _yes(text: str, value: float) -> str:
    """Yes or no, where a sentence asks whether it is positive or negative."""
    asks = says("table_sums.sign", text)
    return "" if asks is None else "Yes. " if (value > 0) == (asks["red"] is None) else "No. "


def _cells(of: Sum) -> list[tuple[str, str, str]]:
    """(name, net, fees) of each row meant, by their facts; fees that are booked as losses with a minus before them."""
    if of.columns[:2] == ("metric", "value"):
        figures = {str(row[0]): str(row[1])[1:-1] for row in of.above.table.rows}
        return [("the run", figures["net_profit"], figures["fees"])] if {"net_profit", "fees"} <= figures.keys() else []
    net = "net" if "net" in of.columns else "change"
    minus = "-" if of.above.result.name == "attribution" else ""
    rows = [n for n in of.rows if of.refs([n], net) and of.refs([n], "fees")]
    return [(of.names([n]), of.refs([n], net)[0], f"{minus}{of.refs([n], 'fees')[0]}") for n in rows]


def _gross(of: Sum) -> PlanOf | None:
    """The rows meant before fees, each and all of them."""
    if not (cells := _cells(of)):
        return None
    each = [f"{net}+({fees})" for _, net, fees in cells]
    said = "; ".join(f"{name} {{}} (net {{{{{net}}}}}, fees {{{{{fees.lstrip('-')}}}}})" for name, net, fees in cells[:_EACH])
    whole = ["+".join(each)] if len(cells) > 1 else []
    if whole and of.columns[0] == "day":  # the days are a window: its sum first
        return of.shown([*whole, *each[:_EACH]], f"Before fees: all {{}}, of these {said}.", of.rows)
    return of.shown([*each[:_EACH], *whole], f"Before fees: {said}{'; all {}' if whole else ''}.", of.rows)


def _mean(of: Sum) -> PlanOf | None:
    """What a round trip of each row meant made."""
    if says("table_sums.fees", of.above.asked.lower()) and not says("table_sums.fees", of.slots.text):
        return None  # `per trade?`, after fees
    what = "fees" if says("table_sums.fees", of.slots.text) else "net" if "net" in of.columns else "net_profit"
    many = "trips" if "trips" in of.columns else "trades"
    other = "bps" in of.slots.text or of.slots.outcome == "both"  # `average win against average loss`: of no row here
    rows = [n for n in of.rows if of.refs([n], what) and of.refs([n], many)][:_EACH] if not other else []
    said = "; ".join(f"{of.names([n])} {{}} over {{{{{of.refs([n], many)[0]}}}}}" for n in rows)
    parts = [f"{of.refs([n], what)[0]}/{of.refs([n], many)[0]}" for n in rows]
    return of.shown(parts, f"{what.capitalize()} per round trip: {said}.", rows) if rows else None


def _signed(of: Sum) -> PlanOf | None:
    """Which rows made money, or lost it, and how many they are."""
    said = by_sign(of.above.table, of.facts, of.slots.text, of.rows)
    return of.shown([], said.replace("{", "{{").replace("}", "}}"), of.rows) if said else None


# what is worked out, by the pattern of words.toml that asks for it, in this order
_WAYS: Mapping[str, Callable[[Sum], PlanOf | None]] = {
    "held": _durations,
    "gross": _gross,
    "less": _less,
    "mean": _mean,
    "sum": _sum,
    "which_sign": _signed,
}
