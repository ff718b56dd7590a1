"""The journal rows of one bar as numbers: eight small fields packed into `Row.tag`, and the way back.

Called by the core, book/transitions.py and book/executions.py (writes), and by row_fields.py (reads), where the columns of each
kind have their meaning: a writer here changes together with it. The packing is little-endian, so numpy may look at a block of
rows through kernel.ROW_VIEW without a copy.
"""

from .exits import protective
from .ledger import open_lots
from .state import (
    ENTRY,
    K_BREAKER,
    K_CAPS,
    K_DECISION,
    K_FILL,
    K_FUNDING,
    K_SIZE,
    Bar,
    Decision,
    Fill,
    Row,
    Signal,
    Sleeve,
)


def pack(sleeve: int, kind: int, code: int, rule: int, side: int, layer: int, binding: int) -> int:
    """The eight-byte tag: sleeve in 16 bits, then 8 bits each; a negative sleeve or side in two's complement."""
    return (
        (sleeve & 0xFFFF) | (kind << 16) | (code << 24) | (rule << 32) | ((side & 0xFF) << 40) | (layer << 48) | (binding << 56)
    )


def unpack(tag: int) -> tuple[int, int, int, int, int, int, int]:
    """(sleeve, kind, code, rule, side, layer, binding) of a tag."""
    sleeve, side = tag & 0xFFFF, (tag >> 40) & 0xFF
    return (
        sleeve - 0x10000 if sleeve > 0x7FFF else sleeve,
        (tag >> 16) & 0xFF,
        (tag >> 24) & 0xFF,
        (tag >> 32) & 0xFF,
        side - 0x100 if side > 0x7F else side,
        (tag >> 48) & 0xFF,
        (tag >> 56) & 0xFF,
    )


def pack_ref(leg: int, pair: int, key: int) -> int:
    """Leg in 8 bits, pair in 16, layer key above them."""
    return leg | (pair << 8) | (key << 24)


def unpack_ref(ref: int) -> tuple[int, int, int]:
    """(leg, pair, key) of a ref."""
    return ref & 0xFF, (ref >> 8) & 0xFFFF, ref >> 24


def decision_row(s: int, sleeve: Sleeve, bar: Bar, signal: Signal, decision: Decision, lots_before: int) -> Row:
    """What was decided at a close, and where the first layer's protective order and target stand after it."""
    layer, position = sleeve.position.layers[0], sleeve.position
    level = protective(position, layer)[1]
    tag = pack(s, K_DECISION, decision.action, decision.rule, signal.side, position.open_layers, 0)
    ref = pack_ref(0, 0, sleeve.order.key)
    return Row(bar.close_ms, tag, ref, lots_before, bar.close, signal.strength, sleeve.ledger.equity, level, layer.target)


def size_row(s: int, sleeve: Sleeve, bar: Bar, signal: Signal, decision: Decision) -> Row:
    """How large an entry was wanted and approved, and which cap bound it."""
    size, rule = decision.size, decision.rule
    tag = pack(s, K_SIZE, decision.action, rule, signal.side, sleeve.position.open_layers, size.binding)
    return Row(
        bar.close_ms,
        tag,
        pack_ref(0, 0, sleeve.order.key),
        size.lots,
        decision.price,
        size.risk_frac,
        size.wanted,
        decision.stop_distance,
        decision.target_distance,
    )


def caps_row(s: int, bar: Bar, decision: Decision) -> Row:
    """Every cap's value in base units."""
    x = decision.size
    tag = pack(s, K_CAPS, 0, 0, 0, 0, 0)
    return Row(bar.close_ms, tag, 0, 0, x.cap_risk, x.cap_vol, x.cap_notional, x.cap_leverage, x.cap_participation)


def fill_row(s: int, before: Sleeve, after: Sleeve, fill: Fill) -> Row:
    """One execution."""
    side = before.order.side if fill.slot == ENTRY else -before.position.side
    pnl = 0.0
    if fill.slot != ENTRY and after.position.open_layers == 0:
        pnl = after.ledger.cash - before.position.cash_before
    tag = pack(s, K_FILL, fill.slot, fill.reason, side, fill.layer, fill.maker)
    ref = pack_ref(fill.leg, fill.pair, fill.key)
    return Row(fill.t_ms, tag, ref, fill.lots, fill.price, fill.fee, after.ledger.cash, fill.reference_price, pnl)


def funding_row(s: int, after: Sleeve, mark: float, rate: float, cash: float, t_ms: int) -> Row:
    """A settlement that paid `cash` (quote units)."""
    position = after.position
    tag = pack(s, K_FUNDING, 0, 0, position.side, 0, 0)
    return Row(t_ms, tag, 0, open_lots(position) * position.side, mark, cash, after.ledger.cash, rate, 0.0)


def breaker_row(s: int, which: int, close_ms: int, equity: float, until_ms: int) -> Row:
    """A breaker that tripped now; `until_ms`: when it re-arms by itself, 0 when a person has to release it."""
    return Row(close_ms, pack(s, K_BREAKER, which, 0, 0, 0, 0), 0, 0, 0.0, 0.0, equity, float(until_ms), 0.0)


def pair_row(
    t_ms: int,
    code: tuple[int, int, int, int],
    ref: tuple[int, int, int],
    figures: tuple[int, float, float, float, float, float],
) -> Row:
    """A row of one pair of a basket. code: kind, code, rule, side; ref: leg, pair, key; figures: a Row's from lots on."""
    kind, what, rule, side = code
    leg, pair, key = ref
    lots, price, fee, equity, a, b = figures
    return Row(t_ms, pack(0, kind, what, rule, side, 0, 0), pack_ref(leg, pair, key), lots, price, fee, equity, a, b)
