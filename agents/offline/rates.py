"""Rates of round trips that no single call gives: how many a day, at which hit rate they break even, the longest streak of each
sleeve. Called by figure_plans.py."""

from typing import Any

from agents.offline.drafts import drafted, reckoned
from agents.offline.read_back import PlannedCall
from agents.offline.steps import Plan, PlannedAnswer, Question
from agents.offline.tables import handle_of, number_of
from engine.clock import DAY_MS, utc
from tools.common import render
from tools.common.contract import Table
from tools.common.time_words import instant

SLEEVES_MAX, WEEKS_MAX = 6, 6


def trades_a_day(q: Question, args: dict[str, Any]) -> Plan:
    """How many round trips a day has on average, of the window that is named or since the start."""
    calls, span, now = [PlannedCall("trips", args)], q.slots.span, q.words.desk_ms or 0
    days = ""
    if span.start:
        last = min(instant(span.end, now) if span.end else now, now)
        days = f"{max((last - instant(span.start, now)) / DAY_MS, 1):.6g}"
    else:
        calls.append(PlannedCall("performance", {"subject": args["subject"]} if "subject" in args else {}))
    results = yield calls
    h, whole = handle_of(results[0], "trips"), number_of(f"{{{handle_of(results[-1], 'whole_days')}.whole_days}}", q.facts)
    days = days or f"{whole or 0:g}"
    if not h or not float(days):
        return drafted(calls, results)
    (rate,) = yield from reckoned(f"{h}.trips/{days}")
    return drafted(calls[:1], results[:1]).after(f"{rate} round trips a day on average: {{{h}.trips}} over {days} days.")


def break_even(args: dict[str, Any], q: Question) -> Plan:
    """The hit rate at which the average win and the average loss even out, beside the one there is."""
    args = {k: v for k, v in args.items() if k in ("subject", "sleeve", "side", "since", "until")}
    calls = [PlannedCall("trips", args | more) for more in ({}, {"outcome": "winners"}, {"outcome": "losers"})]
    results = yield calls
    h, won, lost = (handle_of(result, "mean_net") for result in results)
    if not (h and won and lost):
        return drafted(calls[:1], results[:1])
    (least,) = yield from reckoned(f"{lost}.mean_net/({lost}.mean_net-{won}.mean_net)")
    rate, low, high = (number_of(f"{{{h}.{name}}}", q.facts) or 0.0 for name in ("win_frac", "win_low", "win_high"))
    win, loss = (number_of(f"{{{of}.mean_net}}", q.facts) or 0.0 for of in (won, lost))
    needed = loss / (loss - win) if loss < win else 1.0
    verdict = "Enough" if rate > needed else "Not enough"
    luck = ", within its interval" if low <= needed <= high else ""
    means = f"an average win of {{{won}.mean_net}} and loss of {{{lost}.mean_net}}"
    lead = f"{verdict}: the hit rate is {{{h}.win_frac}}; at {means} it breaks even at {least}{luck}."
    return drafted(calls[:1], results[:1]).after(lead)


def by_week(args: dict[str, Any], q: Question) -> Plan:
    """Winners or losers of each of the last weeks, counted from monday: the week with the most first."""
    now, days = q.words.desk_ms or 0, 7 * DAY_MS
    monday = (now - 4 * DAY_MS) // days * days + 4 * DAY_MS  # the epoch began on a thursday
    starts = [monday - n * days for n in range(WEEKS_MAX)]
    kept = {k: v for k, v in args.items() if k not in ("by", "since", "until", "worst", "best")}
    calls = [PlannedCall("trips", kept | {"since": utc(ms)[:10], "until": utc(ms + days)[:10]}) for ms in starts]
    results = yield calls
    weeks = [(utc(ms)[:10], h) for ms, r in zip(starts, results, strict=True) if (h := handle_of(r, "mean_net"))]
    if not weeks:
        return drafted(calls[:1], results[:1])
    most = max(weeks, key=lambda week: number_of(f"{{{week[1]}.trips}}", q.facts) or 0.0)
    rows = tuple((day, *(f"{{{h}.{name}}}" for name in ("trips", "net", "mean_net"))) for day, h in weeks)
    kind = str(args.get("outcome", "round trips"))
    lead = f"Most {kind} in the week from {most[0]}: {{{most[1]}.trips}}, net {{{most[1]}.net}}."
    shown = render.markdown_table(Table(("week from", "trips", "net", "mean net"), rows))
    return PlannedAnswer(f"{lead}\n\n{shown}", read_as=f"{kind} of each of the last {WEEKS_MAX} weeks")


def by_sleeve(args: dict[str, Any], q: Question) -> Plan:
    """A figure that no split has, of each sleeve: the longest loss streak, or the profit factor; the highest first."""
    kept = {k: v for k, v in args.items() if k in ("since", "until", "side")}
    calls = [PlannedCall("trips", kept | {"sleeve": sleeve.name}) for sleeve in q.words.sleeves[:SLEEVES_MAX]]
    results = yield calls
    streak = "win_streak" if "win" in q.slots.text else "loss_streak"
    name = streak if "streak" in q.slots.text else "profit_factor"
    of = [(str(r.args["sleeve"]), f"{{{h}.{name}}}") for r in results if (h := handle_of(r, name))]
    of.sort(key=lambda pair: -(number_of(pair[1], q.facts) or 0.0))
    said = "; ".join(f"{sleeve} {figure}" for sleeve, figure in of)
    head = f"Longest {name.replace('_', ' ')}s, the longest" if name == streak else "Profit factor, the highest"
    return drafted(calls, results).after(f"{head} first: {said}." if said else "")
