"""Whether the positions are one bet, what a sudden move would do, and the correlations behind it. Called by overview.py.

Turns /api/desk/exposure and /api/desk/shock into a verdict and two small tables. Both change with the desk's newest mark alone.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from app.ui import parts
from app.ui.figures import is_number, number, percent, pure, tone
from app.ui.page_client import PageClient

MOVE = 0.1
NAMED_MAX, PAIRS_MAX = 3, 6
READS = {"same bet": "▲ one bet", "hedge": "offset", "apart": "apart", "not known": "not known", "not held": "not both held"}


def show(api: PageClient, desk: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> None:
    """The verdict, the move, the correlations."""
    found = api.as_of(desk.get("event"), "/api/desk/exposure")
    parts.head("Shared exposure", "positions and orders that may still fill")
    if not is_number(found.get("desk_ms")):
        parts.soft("No bar is decided yet.")
        return
    strong, rest, loud = verdict(found, items)
    parts.note(f"▲ {strong}" if loud else strong, rest, "warn" if loud else "calm")
    parts.soft(weighted(found))
    if found.get("gross"):
        moves = api.as_of(desk.get("event"), "/api/desk/shock", move_frac=MOVE)["items"]
        of_moves = (f"if everything moves {percent(MOVE, 0)} in one bar", "USDT", "of equity", "exits")
        parts.table(of_moves, [_move(one) for one in moves], left=(0, 3), thin=(2,))
    pairs = list(found.get("pairs") or [])
    if pairs:
        heads = (f"correlation, {found['correlation_days']} days of hourly returns", "", "reads")
        parts.table(heads, [_pair(pair) for pair in pairs[:PAIRS_MAX]], left=(0, 2))
    parts.soft(f"{len(pairs) - PAIRS_MAX} more pairs." if len(pairs) > PAIRS_MAX else "")


def verdict(found: Mapping[str, Any], items: Sequence[Mapping[str, Any]]) -> tuple[str, str, bool]:
    """(what it comes to, why, whether it is loud): sleeves on one instrument and pairs that move together are one bet."""
    doubled = _doubled(items)
    if doubled:
        return f"One bet twice: {doubled[0]}.", "A loss of one is a loss of the other.", True
    held = [pair for pair in found.get("pairs") or [] if pair["reads"] != "not held"]
    same = [pair for pair in held if pair["reads"] == "same bet"]
    if same:
        named = ", ".join(f"{_coin(p['one'])} and {_coin(p['other'])} ({_r(p)})" for p in same[:NAMED_MAX])
        more = f" and {len(same) - NAMED_MAX} more pairs" if len(same) > NAMED_MAX else ""
        return f"One bet: {named}{more}.", "They move together: expect their stops on the same day.", True
    unknown = sum(pair["reads"] == "not known" for pair in held)
    if unknown:
        return f"Not known for {unknown} of {len(held)} pairs.", "A correlation that cannot be computed counts as one bet.", True
    if held:
        offset = [pair for pair in held if pair["reads"] == "hedge"]
        named = ", ".join(f"{_coin(p['one'])} and {_coin(p['other'])}" for p in offset[:NAMED_MAX])
        return "No two positions are one bet.", f"{named} offset each other." if offset else "", False
    exposed = [share for share in found.get("instruments") or [] if share.get("exposure")]
    if exposed:
        return (
            "One instrument is held or ordered.",
            f"{_coin(exposed[0]['name'])}, {exposed[0]['side']}: no second position adds to it.",
            False,
        )
    return "Flat.", "Nothing is exposed.", False


def _doubled(items: Sequence[Mapping[str, Any]]) -> list[str]:
    """Sleeves that hold one symbol on the same side, on whatever venue: `a and b, both long BTC-USDT`."""
    held: dict[tuple[str, str], list[str]] = {}
    for item in items:
        if position := item.get("position"):
            held.setdefault((str(item.get("symbol")), str(position.get("side"))), []).append(str(item.get("name")))
    return [f"{' and '.join(names[:NAMED_MAX])}, all {side} {symbol}" for (symbol, side), names in held.items() if len(names) > 1]


def weighted(found: Mapping[str, Any]) -> str:
    """`2,572 USDT, 0.09× equity of at most 3×. Weighted by correlation 98 % of it counts; ...`, of several instruments."""
    if not found.get("gross"):
        return ""
    equity, limits = found.get("equity"), found.get("limits") or {}
    times = found["gross"] / equity if is_number(equity) and equity > 0 else None
    text = f"{number(found['gross'], 0)} USDT, {number(times)}× equity of at most {pure(limits.get('gross_frac_max'))}×"
    held = [share for share in found.get("instruments") or [] if share.get("exposure")]
    if is_number(found.get("alike_frac")) and len(held) > 1:
        text += f". Weighted by correlation {percent(found['alike_frac'], 0)} of it counts: all of it would be one single bet"
    return f"{text}."


def _move(one: Mapping[str, Any]) -> Sequence[parts.Cell]:
    """A move: what it costs or brings, and by what the positions leave."""
    lost = one["after"] - one["before"] if is_number(one.get("after")) and is_number(one.get("before")) else None
    share = lost / one["before"] if is_number(lost) and one["before"] else None
    way = "fall" if one["move_frac"] < 0 else "rise"
    name = f"{way} as a gap, beyond the stops" if one["gap"] else f"{way} through every price"
    exits = {why: sum(why in s["exits"] for s in one["sleeves"]) for s in one["sleeves"] for why in s["exits"]}
    left = ", ".join(f"{n} by {why}" for why, n in exits.items()) or "none"
    halts = ("■ the desk halts", "neg") if one["halts"] else (left, "mut")
    return (name, (number(lost, sign=True), tone(lost)), percent(share, sign=True), halts)


def _pair(pair: Mapping[str, Any]) -> Sequence[parts.Cell]:
    """Two instruments, their correlation, how it reads with the sides as held."""
    names = f"{_coin(pair['one'])}, {_coin(pair['other'])}"
    look = "wrn" if pair["reads"] in ("same bet", "not known") else "mut"
    return (names, _r(pair), (READS.get(pair["reads"], str(pair["reads"])), look))


def _r(pair: Mapping[str, Any]) -> str:
    return number(pair.get("correlation"))


def _coin(instrument: object) -> str:
    """`BTC` of `binance:BTC-USDT:perp`."""
    parts_ = str(instrument).split(":")
    return parts_[1].partition("-")[0] if len(parts_) > 1 else parts_[0]
