"""Sums, differences, means, lengths of time and signs over the rows of the table above. Called by understand.py.

Each figure is made by `calc` of the cells that stand above, so that it keeps a receipt; a sign is read by code and said as yes or no.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from agents.offline.account import tokens_of
from agents.offline.drafts import drafted, reckoned
from agents.offline.fill import DESKWARD
from agents.offline.follow import points_back
from agents.offline.read_back import PlannedCall
from agents.offline.slots import Slots
from agents.offline.steps import PastTurn, Plan, PlannedAnswer, PlanOf, Question
from agents.offline.tables import Facts, by_sign, column_of, is_sum, number_of, only, ordered
from agents.offline.tables_shown import TableAbove
from agents.offline.talk import RowsAsked, asked_of, figure_meant, key_of, tables_above
from agents.offline.words import Words, says
from tools.common import render

_OF_ANOTHER = frozenset(("span", "ids", "handles", "params", "axes", "percent", "timeframe", "lasting", "venue", "models"))
_NAMES = frozenset(("sleeves", "symbols", "strategies"))
ENOUGH = 30  # round trips: below this a mean says little
_EACH = 6  # rows that get a figure of their own


class Sum(NamedTuple):
    """What a sum is made of: the sentence, the table, the rows that it means, the column of its figure."""

    slots: Slots
    above: TableAbove
    found: RowsAsked
    at: int
    facts: Facts

    @property
    def rows(self) -> list[int]:
        """The rows meant, without those that are the sum of the others."""
        return [n for n in self.found.rows if not is_sum(self.above.table.rows[n])]

    def refs(self, rows: Sequence[int], name: str = "") -> list[str]:
        """The facts of a column in these rows; of the figure's own where none is named."""
        at = self.above.table.columns.index(name) if name else self.at
        cells = [str(self.above.table.rows[n][at]) for n in rows]
        return [cell[1:-1] for cell in cells if cell.startswith("{") and number_of(cell, self.facts) is not None]

    def value(self, refs: Sequence[str]) -> float:
        """The sum of facts, for its sign alone."""
        return sum(number_of(f"{{{ref}}}", self.facts) or 0.0 for ref in refs)

    def name(self, n: int) -> str:
        """What a row is called."""
        return str(self.above.table.rows[n][key_of(self.above.table)])


def worked_out(slots: Slots, past: Sequence[PastTurn], facts: Facts, words: Words) -> PlanOf | PlannedAnswer | None:
    """What a sentence asks to be worked out over the rows above; None for any other sentence."""
    above = next((of for of in tables_above(past, facts, words) if of.table.columns[:2] != ("run", "differs")), None)
    shown = [r.name for r in past[-1].results if r.table is not None] if past else []
    several = shown.count(shown[-1]) > 1 if shown else False  # winners and losers: two tables, of which each is a part
    ours = several or (DESKWARD.search(slots.text) is not None and not points_back(slots))
    if above is None or ours or len(tokens_of(slots)) > 14 or slots.places.keys() & _OF_ANOTHER:
        return None
    found = asked_of(slots, above, facts)
    if slots.places.keys() & _NAMES and len(found.rows) == len(above.rows):
        return None
    at = column_of(above.table, figure_meant(slots, above)) if above.table.columns[-1] != "value" else 0
    of = Sum(slots, above, found, at, facts)
    made = (make(of) for form, make in _WAYS.items() if says(f"table_sums.{form}", slots.text))
    return next((plan for plan in made if plan is not None), None)


def _shown(of: Sum, expressions: Sequence[str], lead: str, rows: Sequence[int], q: Question) -> Plan:  # noqa: ARG001
    """The lead with what `calc` makes of each expression, and the rows that it is made of."""
    values = yield from reckoned(*expressions)
    table = render.markdown_table(only(of.above.table, rows))
    return PlannedAnswer(f"{lead.format(*values)}\n\n{table}", read_as=f'the table above ("{render.one_line(of.above.asked, 60)}")')


def _held(of: Sum) -> PlanOf | None:
    """How long each of the round trips meant was held."""
    if not {"entry_ms", "exit_ms"} <= set(of.above.table.columns):
        return None
    rows = [n for n in of.rows if of.refs([n], "exit_ms")][:_EACH]
    ends = [(of.refs([n], "entry_ms")[0], of.refs([n], "exit_ms")[0]) for n in rows]
    said = [
        f"{of.name(n)} was held {{}}, from {{{{{a}}}}} to {{{{{b}}}}}" for n, (a, b) in zip(rows, ends, strict=True)
    ]
    return partial(_shown, of, [f"{b}-{a}" for a, b in ends], f"{'; '.join(said)}.", rows) if rows else None


def _sum(of: Sum) -> PlanOf | None:
    """The sum of a column over the rows meant."""
    columns = of.above.table.columns
    costs = columns[of.at] in ("fees", "slippage", "funding") and not says("table_sums.fees", of.slots.text)
    of = of._replace(at=columns.index("net")) if costs and "net" in columns else of  # `what did the stops cost`
    refs, head = of.refs(of.rows), columns[of.at]
    some = len(of.rows) < len(of.above.rows) or points_back(of.slots) or says("table_sums.all_of", of.slots.text)
    if not (refs and of.at and some) or head.endswith(("_frac", "_r", "_ms")):
        return None
    names = ", ".join(map(of.name, of.rows[:_EACH])) if len(of.rows) <= _EACH else f"{len(of.rows)} rows"
    return partial(_shown, of, ["+".join(refs)], f"{head.capitalize()} of {names}: {{}}.", of.rows)


def _less(of: Sum) -> PlanOf | None:
    """The sum of all rows but the best, the worst or those that are named; of round trips by a call for these."""
    table, which = of.above.table, of.slots.which if of.slots.which in ("best", "worst") else None
    trades = table.columns[0] == "trip" or says("table_sums.trades", of.slots.text)
    if which and trades and of.above.result.name == "trips":
        kept = {k: v for k, v in of.above.result.args.items() if k not in ("by", "best", "worst")}
        return partial(_without_trades, kept, which, min(of.slots.count or 1, 20), of.slots.text)
    every = [n for n in of.above.rows if not is_sum(table.rows[n])]
    net = next((table.columns.index(name) for name in ("net", "change") if name in table.columns), 0)
    out = ordered(table, of.facts, table.columns[net], which, every)[: of.slots.count or 1] if which else of.rows
    rest = [n for n in every if n not in out]
    if not net or not out or not rest or len(out) == len(every):
        return None
    on = of._replace(at=net)
    all_refs, left = on.refs(every), on.refs(rest)
    verdict = _yes(of.slots.text, on.value(left))
    lead = f"{verdict}Without {', '.join(map(of.name, out[:_EACH]))}: {{}}, against {{}} of all {len(every)}."
    return partial(_shown, of, ["+".join(left), "+".join(all_refs)], lead, out)


def _without_trades(kept: Mapping[str, object], which: str, n: int, text: str, q: Question) -> Plan:
    """What is left of round trips without the best or the worst of them."""
    call = PlannedCall("trips", {**kept, which: n})
    (result,) = yield [call]
    if result.table is None or "net" not in result.table.columns:
        return drafted([call], [result])
    at = result.table.columns.index("net")
    refs = [str(row[at])[1:-1] for row in result.table.rows]
    total = next((f[1:-1] for f in result.text.split() if f.startswith("{") and ".net}" in f), "").rstrip("}.,")
    if not total:
        return drafted([call], [result])
    (value,) = yield from reckoned(f"{total}-({'+'.join(refs)})")
    left = (number_of(f"{{{total}}}", q.facts) or 0.0) - sum(number_of(f"{{{ref}}}", q.facts) or 0.0 for ref in refs)
    lead = f"{_yes(text, left)}Without the {which} {len(refs)}: {value}, against {{{total}}} of all."
    return drafted([call], [result]).after(lead)


def _yes(text: str, value: float) -> str:
    """Yes or no, where a sentence asks whether it is positive or negative."""
    asks = says("table_sums.sign", text)
    return "" if asks is None else "Yes. " if (value > 0) == (asks["red"] is None) else "No. "


def _cells(of: Sum) -> tuple[list[tuple[str, str, str]], str]:
    """(name, net, fees) of each row meant, by their facts, and how fees are booked: `+` where the net is less by them."""
    table, result = of.above.table, of.above.result
    if table.columns[:2] == ("metric", "value"):
        figures = {str(row[0]): str(row[1])[1:-1] for row in table.rows}
        return ([("the run", figures["net_profit"], figures["fees"])] if {"net_profit", "fees"} <= figures.keys() else []), "+"
    net = next((name for name in ("net", "change") if name in table.columns), "")
    if not net or "fees" not in table.columns:
        return [], "+"
    rows = [n for n in of.rows if of.refs([n], net) and of.refs([n], "fees")]
    cells = [(of.name(n), of.refs([n], net)[0], of.refs([n], "fees")[0]) for n in rows]
    return cells, "-" if result.name == "attribution" else "+"


def _gross(of: Sum) -> PlanOf | None:
    """The rows meant before fees, each and all of them."""
    cells, sign = _cells(of)
    if not cells:
        return None
    each = [f"{net}{sign}{fees}" for _, net, fees in cells[:_EACH]]
    every = sign.join(["+".join(net for _, net, _ in cells), sign.join(fees for *_, fees in cells)])
    said = "; ".join(f"{name} {{}} (net {{{{{net}}}}}, fees {{{{{fees}}}}})" for name, net, fees in cells[:_EACH])
    whole = "; all {}" if len(cells) > 1 else ""
    return partial(_shown, of, [*each, *([every] if whole else [])], f"Before fees: {said}{whole}.", of.rows)


def _ate(of: Sum) -> PlanOf | None:
    """What fees took of what was made before them."""
    cells, sign = _cells(of)
    if not cells:
        return None
    fees, nets = "+".join(fees for *_, fees in cells), "+".join(net for _, net, _ in cells)
    paid = f"-({fees})" if sign == "-" else fees
    gross = of.value([net for _, net, _ in cells]) + abs(of.value([fee for *_, fee in cells]))
    if gross <= 0:
        lead = "Fees are not all of it: before them it lost, too, {1}; fees were {0}, the net {2}."
        return partial(_shown, of, [paid, f"{nets}+({paid})", nets], lead, of.rows)
    more = "Yes, all of it and more: f" if of.value([net for _, net, _ in cells]) < 0 else "F"
    lead = f"{more}ees took {{3}} of what was made before them: {{0}} of {{1}}, which leaves {{2}}."
    return partial(_shown, of, [paid, f"{nets}+({paid})", nets, f"share({paid}, {nets}+({paid}))"], lead, of.rows)


def _mean(of: Sum) -> PlanOf | None:
    """What a round trip of each row meant made."""
    columns = of.above.table.columns
    if not {"trips", "net"} <= set(columns) or "bps" in of.slots.text:
        return None
    what = "fees" if says("table_sums.fees", of.slots.text) else "net"
    rows = [n for n in of.rows if of.refs([n], what)][:_EACH]
    said = "; ".join(f"{of.name(n)} {{}} over {{{{{of.refs([n], 'trips')[0]}}}}}" for n in rows)
    parts = [f"{of.refs([n], what)[0]}/{of.refs([n], 'trips')[0]}" for n in rows]
    return partial(_shown, of, parts, f"{what.capitalize()} per round trip: {said}.", rows) if rows else None


def _enough(of: Sum) -> PlannedAnswer | None:
    """Whether any row has enough round trips to say something."""
    head = next((name for name in ("trips", "trades") if name in of.above.table.columns), "")
    rows = [n for n in of.rows if head and of.refs([n], head)]
    if not rows:
        return None
    at = of.above.table.columns.index(head)
    many = sorted(rows, key=lambda n: -of.value(of.refs([n], head)))
    enough = [n for n in many if of.value(of.refs([n], head)) >= ENOUGH]
    names = ", ".join(f"{of.name(n)} ({of.above.table.rows[n][at]})" for n in (enough or many[:1])[:_EACH])
    lead = f"Those with {ENOUGH} or more: {names}" if enough else f"None: the most is {names}, and below {ENOUGH} a mean says little"
    luck = f"The best of {len(rows)} rows looks good by chance, too."
    table = render.markdown_table(only(of.above.table, many))
    return PlannedAnswer(f"{lead}. {luck}\n\n{table}", read_as="the table above, by round trips")


def _signed(of: Sum) -> PlannedAnswer | None:
    """Which rows made money, or lost it, and how many they are."""
    said = by_sign(of.above.table, of.facts, of.slots.text, of.rows)
    return PlannedAnswer(f"{said}\n\n{render.markdown_table(of.above.table)}", read_as="the table above") if said else None


# what is worked out, by the pattern of words.toml that asks for it, in this order
_WAYS: Mapping[str, Callable[[Sum], PlanOf | PlannedAnswer | None]] = {
    "held": _held,
    "ate": _ate,
    "gross": _gross,
    "less": _less,
    "enough": _enough,
    "mean": _mean,
    "sum": _sum,
    "which_sign": _signed,
}
