"""Round trips as a sentence asks for them: split, beside each other, listed, or without some of them. Called by plans.py."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from agents.offline.calls import lead, made
from agents.offline.drafts import drafted, name_list, window
from agents.offline.fill import EXTREMES, arguments
from agents.offline.measured import beside, drifted, of_trips
from agents.offline.read_back import PlannedCall
from agents.offline.run_plans import runs_of
from agents.offline.slots import words_of
from agents.offline.steps import Plan, Question
from agents.offline.table_sums import without_trades
from agents.offline.tables import handle_of, number_of
from agents.offline.words import says
from engine.clock import DAY_MS, utc
from tools.common.time_words import instant

Args = dict[str, Any]
_TOGETHER = ("figure_plans.hit_rate", "table_sums.ate", "table_sums.gross", "measured.streak", "figure_plans.of_both")
_ENDS = ("best", "worst")


def trips(q: Question) -> Plan:
    """Round trips in the way that is asked for; else one call, yes or no first where that is asked."""
    args, by = _meant(q)
    ways = (_pairs, _without, _each)
    plan = next((plan for way in ways if (plan := way(q, args, by)) is not None), None)
    return (yield from plan if plan is not None else _split(q, args, by))


def _meant(q: Question) -> tuple[Args, tuple[str, ...]]:
    """The arguments and the split: what a sentence names only to point at a figure narrows nothing."""
    args, by, text = arguments(q) | _of_length(q.slots.filters), q.slots.by, q.slots.text
    args.pop("listed", None)  # `the longest streak`, `the newest run`: of no list
    if says("figure_plans.longest_streak", text) and "by" not in q.slots.places:  # `which sleeves were in it`
        by, args = (), _but(args, "by")
    even = says("figure_plans.breakeven", text)
    if even and (q.slots.count or 1) < 2:  # of which sleeve that is worst, and no trade
        split = next((r.args["by"] for r in reversed(q.results()) if r.name == "trips" and r.args.get("by")), "")
        args = _but(args, *_ENDS) | ({"by": split} if split and q.slots.which and "sleeve" not in args else {})
    if even or q.slots.outcome == "both" or any(says(form, text) for form in _TOGETHER):  # of winners and losers
        args.pop("outcome", None)
    most = by == ("sleeve",) and says("figure_plans.most_stopped", text)
    if most or by == ("exit",) or says("figure_plans.two_exits", text):  # `stops or trails`: beside each other
        args.pop("exit", None)
    if says("choose.only_side", text) and by in ((), ("side",)) and "side" in args:
        by, args = ("side",), _but(args, "side", *_ENDS) | {"by": "side"}
    return args, by


def _but(args: Mapping[str, Any], *names: str) -> Args:
    return {name: value for name, value in args.items() if name not in names}


def _pairs(q: Question, args: Args, by: Sequence[str]) -> Plan | None:
    """Two lots beside each other, by when or how long they were; a sleeve beside its test, a streak beside chance."""
    text, any_time = q.slots.text, not args.keys() & {"since", "until", "subject"}
    if q.sleeve() is not None and not by and (says("measured.drift", text) or says("measured.turn_off", text)):
        return drifted(q, runs_of)
    if says("measured.streak", text) and says("measured.is_it_bad", text) and not by:
        return of_trips("streak", q)
    if any_time and (ends := says("slots.two_ends", text)):
        return _two_ends(ends, _but(args, "by", *_ENDS), q)
    if any_time and not by and says("measured.lately", text):
        return beside({"in the last 7 days": args | {"since": "7d"}, "before that": args | {"until": "7d"}}, q)
    if len(q.slots.periods) == 2 or (says("measured.fewer", text) and q.slots.span.start):
        kept = _but(args, "since", "until", "by", "outcome")
        return beside({name: kept | window_of for name, window_of in _windows(q).items()}, q)
    if by or not (says("figure_plans.quick_or_long", text) or ("held" in args and says("figure_plans.than_others", text))):
        return None
    at, own = str(args.get("held", ">4h"))[1:], _but(args, "by", "held", "exit", "outcome", *_ENDS)
    return beside({f"held under {at}": own | {"held": f"<{at}"}, f"over {at}": own | {"held": f">{at}"}}, q)


def _without(q: Question, args: Args, by: Sequence[str]) -> Plan | None:
    """What is left without the best, the worst, or a side."""
    text, out = q.slots.text, q.slots.out
    less = says("table_sums.less", text) or (q.slots.count and says("figure_plans.share_of", text))
    if less and q.slots.which in _ENDS and not by:
        many = 1 if re.search(r"\b(?:trade|trip|winner|loser|win|loss|one)\b", text) else EXTREMES
        kept = _but(args, "outcome", *_ENDS) | {q.slots.which: q.slots.count or many}
        return without_trades(kept, q.slots.which, q)
    if out is None or out[0] not in _OTHER:
        return None
    return made([PlannedCall("trips", _but(args, "by", *_ENDS) | {out[0]: _OTHER[out[0]][out[1][0]]})])  # the other one is left


def _each(q: Question, args: Args, by: Sequence[str]) -> Plan | None:
    """Round trips one by one: all of them, the last few that ended so, the last entry, the third from the end."""
    text = q.slots.text
    nth, entry = says("slots.nth", text), says("choose.last_entry", text)
    at = 1 if nth is None else int(nth["n"] or {"third": 3}.get(nth["word"] or "", 2))
    few = 1 if nth or entry or says("choose.last_stop", text) else q.slots.count if says("choose.by_exit", text) else None
    if nth or entry:
        args = {name: args[name] for name in ("sleeve", "side", "subject") if name in args}
    elif not few and (not says("figure_plans.list_of", text) or by or args.keys() & {"by", *_ENDS}):
        return None
    elif kind := re.search(r"\blos|win", text):
        args |= {"outcome": "losers" if kind[0] == "los" else "winners"}
    return _list(q, _but(args, *_ENDS), few, at - 1)


def _list(q: Question, args: Args, few: int | None, at: int) -> Plan:
    """A row each, in the order that is asked for; of a few what each was first."""
    order = next((one for one in ("longest", "shortest") if says(f"figure_plans.{one}", q.slots.text)), "newest")
    (found,) = yield [call := PlannedCall("trips", args | {"listed": order})]
    some = found.only(range(len(found.rows()))[at : at + few]) if few else found
    said = "; ".join(_ROW.format_map(row) for row in some.rows()[:EXTREMES] if few and "risk" in row)
    which = f"Number {at + 1} from the end" if at else "The newest" if few == 1 else f"The newest {few}"
    return drafted([call], [some]).after(f"{which}: {said}." if said else lead(q, found))


_ROW = "{sleeve} {side} {units} at {entry_price} ({entry_ms}), risking {risk}, {reason} {exit_ms} at {exit_price}, {net}"


def _split(q: Question, args: Args, by: Sequence[str]) -> Plan:
    """One call, one for each of several splits, or the best and the worst."""
    text = q.slots.text
    if len(by) > 1 and q.chosen.splits(by):
        draft = yield from made([PlannedCall("trips", args | {"by": one}) for one in by[:3]])
        return draft.after(f"No tool splits by {name_list(by)} at once: each by itself is below.")
    if q.slots.which == "both" and not by:
        n = q.slots.count or (1 if re.search(r"\b(?:winner|loser|win|loss|trade)\b", text) else EXTREMES)
        return (yield from made([PlannedCall("trips", args | {"best": n}), PlannedCall("trips", args | {"worst": n})]))
    (found,) = yield [call := PlannedCall("trips", args)]
    h, asks = handle_of(found, "net"), says("figure_plans.pays", text) and not (by or args.keys() & {"by", *_ENDS})
    net = number_of(f"{{{h}.net}}", q.facts) if asks else None
    pays = "" if net is None else f"{'Yes' if net > 0 else 'No'}: net {{{h}.net}} over {{{h}.trips}} round trips."
    return drafted([call], [found]).after(" ".join(filter(None, (pays, lead(q, found)))))


def _two_ends(ends: re.Match[str], args: Args, q: Question) -> Plan:
    """`the first two weeks against the last two`, `first half against second`: both of the time that the desk has lived."""
    (lived,) = yield [PlannedCall("performance", {})]
    first, last = (number_of(f"{{{handle_of(lived, 'first')}.{end}}}", q.facts) for end in ("first", "last"))
    if first is None or last is None:
        return drafted([], [lived])
    days = {"day": 1, "week": 7, "month": 30}.get(ends["unit"].rstrip("s"), 0) * int(ends["n"] or 1)
    size = days * DAY_MS or (last - first) // 2
    begins = {"from": first, "and from": first + size if ends["next"] else last - size}
    whole = [(name, _iso(begin), _iso(min(begin + size, last))) for name, begin in begins.items()]
    of = {f"{name} {a[:10]} up to {b.removesuffix('T00:00')}": args | {"since": a, "until": b} for name, a, b in whole}
    return (yield from beside(of, q))


def _iso(ms: float) -> str:
    return utc(int(ms)).removesuffix("Z").replace(" ", "T")


def _windows(q: Question) -> dict[str, dict[str, Any]]:
    """The two windows that a sentence sets beside each other; of one it and as many days before."""
    if len(q.slots.periods) == 2:
        return {words_of("span", one): window(one) for one in sorted(q.slots.periods, reverse=True)}
    span, now = q.slots.span, q.words.desk_ms
    start, end = instant(span.start or "", now), instant(span.end, now) if span.end else now or 0
    since, until = (_iso(ms) for ms in (2 * start - end, start))
    return {words_of("span", span): window(span), "in as many days before": {"since": since, "until": until}}


def _of_length(filters: Sequence[str]) -> dict[str, Any]:
    """`under an hour`, `longer than 4 hours`, as how long round trips were held."""
    found = next((m for one in filters if (m := says("figure_plans.length", one))), None)
    if found is None:
        return {}
    number = {"a": "1", "an": "1", "one": "1", "half an": "0.5"}.get(found["n"], found["n"])
    return {"held": f"{'<' if found['under'] else '>'}{number}{found['unit'][0]}"}


_OTHER = {"side": {"long": "short", "short": "long"}, "outcome": {"winners": "losers", "losers": "winners"}}
