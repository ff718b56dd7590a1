"""Journal records and explanations as text. Called by app/cli/journal.py; turns its JSON into lines."""

from collections.abc import Mapping
from typing import Any

from engine.amounts import price_text, quantity_text
from engine.clock import utc
from engine.store.chain import Event


def verify_line(name: str, report: Mapping[str, Any]) -> str:
    """A chain's verdict."""
    extra = f"; {report['unfinished_bytes']} unfinished bytes at the end" if report["unfinished_bytes"] else ""
    extra += f"; set aside by earlier crashes: {', '.join(report['set_aside'])}" if report["set_aside"] else ""
    if report["ok"]:
        return f"{name}: {report['rows']:,} records verify, head {report['head']['hash'][:16]}{extra}"
    return f"{name}: BROKEN at line {report['line']:,}: {report['reason']}; {report['rows']:,} records before it verify{extra}"


def event_line(event: Mapping[str, Any]) -> str:
    """An event as one line, in the words of page and tools."""
    from tools.common import event_text

    e = Event(**{key: value for key, value in event.items() if key in Event._fields})
    words = event_text.people_event_line(e) if e.id.startswith("p-") else event_text.event_line(e)
    sleeve = e.body.get("sleeve")
    whose = f"{sleeve}: " if sleeve and str(sleeve) not in words else ""
    return f"{e.id:>8}  {utc(e.t_event_ms)}  {e.kind:<9} {whose}{words}"


LARGE = 1_000.0  # from here on six significant digits would cut what money hangs on


def format_value(value: Any, key: str = "") -> str:
    """A body's value, short; times in UTC, missing values as `unknown`."""
    if value is None:
        return "unknown"
    if key.endswith("_ms") and isinstance(value, int):
        return utc(value)
    if isinstance(value, float):
        return price_text(value) if abs(value) >= LARGE else f"{value:,.6g}"
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."


def replay_text(found: Mapping[str, Any]) -> str:
    """The end of a replay as lines."""
    lines = [
        f"{found['bars']:,} bars to {utc(found['desk_ms'])} replay to exactly what was journaled, row by row",
        f"equity {found['equity']:,.2f}, configuration {found['version']}" + (", HALTED" if found["halted"] else ""),
    ]
    for name, s in found["sleeves"].items():
        position = f"{s['lots']:+,} lots" if s["lots"] else "flat"
        lines.append(
            f"  {name:16} {position:>12}, equity {s['equity']:,.2f}, {s['round_trips']:,} round trips, fees {s['fees']:,.2f}"
        )
    return "\n".join([*lines, f"journal hash {found['journal_hash']}"])


def desk_text(found: Mapping[str, Any]) -> str:
    """A story or a bar close of the desk as lines; what was around it last."""
    from engine.watch.market_context import ContextReading, context_line

    around = [f"around  {context_line(ContextReading(**one))}" for one in found.get("around", ())]
    return "\n".join([_desk_text(found), *around])


def _desk_text(found: Mapping[str, Any]) -> str:
    if "event" in found:
        lines = [f"before  {event_line(e)}" if e["kind"] == "bar" else event_block(e) for e in found["before"]]
        lines.append("=> " + event_block(found["event"]))
        if "parent" in found:
            from engine.watch.desk_parents import parent_text

            lines.append(f"slices  {parent_text(found['parent'])}")
        if "order" in found:
            lines.append(f"order   {life_text(found['order'])}")
        return "\n".join([*lines, *(f"then    {event_line(e)}" for e in found["followed"])])
    signal, silent = found["signal"], found.get("silent")
    side = {1: "long", -1: "short", 0: "no"}.get(signal["side"], "unknown")
    lines = [f"{found['sleeve']} at the close of {utc(found['close_ms'])}: {found['text']}"]
    lines.append(f"signal {side}, strength {format_value(signal['strength'])} (bar {found['bar']})")
    lines += [f"its strategy gave no signal: {silent}"] if silent else []
    lines += [f"{label} has no value: {why}" for label, why in found.get("nulls", {}).items()]
    lines += [event_block(e) for e in found["events"]]
    if found.get("sized_at"):
        lines += ["the refusals began, with size and caps, at", event_block(found["sized_at"])]
    return "\n".join(lines)


def life_text(order: Mapping[str, Any]) -> str:
    """An order's life in one line: each state with its time."""
    return f"{order['cid']}: " + " > ".join(f"{state['state']} {utc(state['t_ms'])}" for state in order["states"][-8:])


def event_block(event: Mapping[str, Any]) -> str:
    """An event with its full body, one line per field."""
    lines = [f"{event['id']} {event['kind']} at {utc(event['t_event_ms'])} (configuration {event['config_version']})"]
    for key, value in event["body"].items():
        if isinstance(value, Mapping):
            lines.append(f"  {key}: " + ", ".join(f"{k} {format_value(v, k)}" for k, v in value.items()))
        else:
            lines.append(f"  {key}: {format_value(value, key)}")
    return "\n".join(lines)


def trip_text(found: Mapping[str, Any]) -> str:
    """A round trip as text."""
    from engine.sim.leaks import verdict
    from engine.sim.stamps import stamps

    t, run = found["trip"], found["run"]
    size = "" if t["units"] is None else f"{t['units']:g} "  # a pair has no units of its own
    lines = [
        f"{found['id']}: {t['side']} {size}{t['instrument']}, {t['layers']} layer(s), sleeve {t['sleeve']}",
        f"{run['source'].upper()} data, fills {run['fills']}, funding {run['funding']}, data {run['data_sha256'][:16]}",
    ]
    lines += stamps(run)
    if line := verdict(run["leaks"]):
        lines.append(f"{line}: {run['leaks']['text']}")
    for part, steps in (("entry", found["entries"]), ("exit", found["exits"])):
        for n, step in enumerate(steps, 1):
            lines += ["", f"{part} {n}", *step_lines(step, part)]
    for f in found["funding"]:
        price = f"{f['lots']:,} lots x mark {price_text(f['mark'])} x rate {f['rate']:.6f}"
        lines.append(f"funding     {utc(f['settled_ms'])}  {leg_text(f)}{price} = {f['cash']:+,.4f}")
    c = found["costs"]
    lines += [
        "",
        f"closed by   {found['closing_rule']['reason']}: {found['closing_rule']['text']}",
        f"result      gross {c['gross']:+,.4f} - slippage {c['slippage']:,.4f} - fees {c['fees']:,.4f} "
        f"{'+' if c['funding'] >= 0 else '-'} funding {abs(c['funding']):,.4f} = net {c['net']:+,.4f}"
        + (f" ({t['r']:+.2f} R)" if t["r"] is not None else ""),
    ]
    return "\n".join(lines)


def leg_text(of: Mapping[str, Any]) -> str:
    """The leg of a fill or a settlement of a basket."""
    return f"{of['leg']} " if "leg" in of else ""


def step_lines(step: Mapping[str, Any], part: str) -> list[str]:
    """One execution and the decision before it."""
    f, d = step["fill"], step["decision"]
    lines = decision_lines(d) if d and part == "entry" else []
    if d and part == "exit" and d["levels_after"]["protective"] is not None:
        levels = d["levels_after"]
        target = "none" if levels["target"] is None else price_text(levels["target"])
        lines.append(f"levels      protective {price_text(levels['protective'])}, target {target} as of the close before")
    side = "buy" if f["side"] > 0 else "sell"
    lines += [
        f"fill        bar of {utc(f['bar_open_ms'])}: {side} {leg_text(f)}{f['lots']:,} lots ({quantity_text(f['units'])}) "
        f"at {price_text(f['price'], 4)}" + (f", reason {f['reason']}" if part == "exit" else ""),
        f"assumption  {f['assumption']}",
        f"costs       slippage {f['slippage']:,.4f} ({f['slippage_bps']:.2f} bps from {price_text(f['clean_price'], 4)}), "
        f"fee {f['fee']:,.4f} ({f['fee_bps']:.2f} bps, {'maker' if f['maker'] else 'taker'}); cash after {f['cash_after']:,.2f}",
    ]
    return lines


def decision_lines(d: Mapping[str, Any]) -> list[str]:
    """Signal, features, position before, size and caps of a decision."""
    signal = {1: "long", -1: "short", 0: "none"}[d["signal"]["side"]]
    price = "" if d["close"] is None else f" at {price_text(d['close'])}"  # a pair decides by its spread
    lines = [
        f"decided     close of {utc(d['close_ms'])}{price}: {d['action']}"
        + (f" by {d['refused_by']}" if d.get("refused_by") else ""),
        f"signal      {signal}, strength {d['signal']['strength']:.4f}",
        "features    " + (", ".join(f"{k} {'-' if v is None else format_value(v)}" for k, v in d["features"].items()) or "none"),
        f"before      {d['position_before']['lots']:+,} lots"
        + (f", sleeve equity {d['equity']:,.2f}" if d.get("equity") is not None else ""),
    ]
    size = d.get("size")
    if size:
        wanted = f"wanted {size['units_wanted']:.6g} units at risk {size['risk_frac'] * 100:.3f} %"
        lines.append(f"size        {wanted}, approved {size['lots_approved']:,} lots; bound by {size['cap_binding']}")
        lines.append("caps        " + ", ".join(f"{k} {v:.6g}" for k, v in d["caps"].items()) + " (base units)")
        lines.append(f"distances   stop {price_text(size['stop_distance'], 4)}, target {price_text(size['target_distance'], 4)}")
    return lines


def close_text(found: Mapping[str, Any]) -> str:
    """One bar close of a run as lines."""
    d = found["decision"]
    run = found["run"]
    lines = [
        f"{found['sleeve']} at the close of {utc(found['close_ms'])}: {found['text']}",
        f"{run['source'].upper()} data, run {run['run_id']}, fills {run['fills']}",
        *decision_lines(d),
    ]
    if d.get("sized_at"):
        lines += ["the refusals began, with size and caps, at:", *decision_lines(d["sized_at"])]
    return "\n".join(lines)


def turn_text(found: dict[str, Any]) -> str:
    """A turn as lines: question, answer, then every request to a real model in full."""
    import json

    from tools.common.contract import clean

    lines = [f"{found['turn']}: {found['role']}, model {found['model']}, {found['state']}", f"asked: {found['asked']}"]
    lines += ["answered:", *filter(None, (found.get(key) for key in ("answer_md", "state_line", "acts_line")))]
    if not found["sent"]:
        return "\n".join([*lines, "no real model was asked: nothing left this machine"])
    spend = found["spend"]
    cost = f"{spend['usd']:.4f} USD" if spend["priced"] else "price unknown"
    lines.append(f"{spend['calls']} calls, {spend['tokens']:,} tokens, {cost}")
    for part in found["sent"]:
        lines += [f"---- {part['file']}, {part['bytes']:,} bytes", json.dumps(part["body"], indent=1, ensure_ascii=False)]
    return clean("\n".join(lines), 50_000_000)  # outside text must not control the terminal


def law_lines(laws: dict[str, Any]) -> list[str]:
    """What the laws of orders found; nothing where they were not asked."""
    if not laws:
        return []
    counted = f"{laws['orders']:,} orders, {laws['fills']:,} executions"
    return [f"orders: {counted}, no law broken"] if laws["ok"] else [f"orders: {counted}, BROKEN:", *laws["broken"]]
