"""What a desk in shadow has seen, as rows: what the fill model counts beside what the book would have cost."""

from pathlib import Path
from typing import Any

import pytest

from engine.store.chain import Event
from engine.store.journal import Journal
from engine.watch.shadow_costs import shadow_costs, shadow_text, together

NOTE: dict[str, Any] = {
    "what": "order", "order": "ndaaaa00000001E00", "sleeve": "btc", "instrument": "okx:BTC-USDT:perp", "slot": "entry", "side": 1,
    "units": 0.1, "why": "shadow: nothing is sent to okx", "refused": "", "assumed_bps": 0.5, "unread": "",
    "bid": 99.0, "attached_level": 98.0, "ask": 101.0, "spread_bps": 200.0, "behind_ms": 1_400, "price": 101.0, "book_bps": 100.0,
    "thin": False,
}  # fmt: skip
UNREAD = {key: NOTE[key] for key in NOTE if key not in ("bid", "ask", "spread_bps", "behind_ms", "price", "book_bps", "thin")}
RESTS = UNREAD | {"slot": "protective", "assumed_bps": None, "attached_level": None, "unread": "it rests"}


def noted(path: Path, *bodies: dict[str, Any]) -> Path:
    """A journal of these notes, a second of desk time each."""
    journal = Journal(path / "desk.jsonl", "test")
    journal.append([Event("shadow", 1_000 * n, body) for n, body in enumerate(bodies)])
    journal.close()
    return path / "desk.jsonl"


def test_a_sleeve_has_a_row_of_what_was_compared(tmp_path: Path) -> None:
    """A book that was not read counts as an order at the market without one; one that rests is no order at the market; fees are
    those last asked; what came before a time is left out."""
    terms = {"okx:BTC-USDT:perp": {"least_qty": 0.0, "least_notional": 0.0, "maker_frac": 0.0002, "taker_frac": 0.0004}}
    account = {"what": "account", "faults": [], "balance": 1.0, "terms": terms}
    dearer = {**NOTE, "book_bps": 300.0, "thin": True, "refused": "too small"}
    limit = {**UNREAD, "assumed_bps": None, "bid": 99.0, "ask": 101.0, "behind_ms": 1, "crosses": True}
    path = noted(tmp_path, NOTE, account, NOTE, dearer, {**UNREAD, "unread": "no answer"}, RESTS, limit)
    row = shadow_costs(path, 0)["btc"]
    assert (row.orders, row.refused, row.at_market, row.compared, row.thin, row.crossing) == (5, 1, 3, 2, 1, 1)
    assert (row.assumed_bps, row.book_bps, row.book_p95_bps, row.spread_bps) == (0.5, 200.0, 300.0, 200.0)
    assert (row.maker_frac, row.taker_frac) == (0.0002, 0.0004)
    assert shadow_costs(path)["btc"].orders == 6
    only = noted(tmp_path / "rests", RESTS)
    assert (shadow_costs(only)["btc"].book_bps, shadow_costs(only)["btc"].taker_frac) == (None, None)
    assert shadow_costs(tmp_path / "nowhere.jsonl") == {}


@pytest.mark.parametrize(
    ("note", "words"),
    [
        (NOTE, "it would have paid 101.00 (100.00 bps; the fill model counts 0.50)"),
        ({**NOTE, "thin": True}, "more than 101.00"),
        (NOTE, "a stop at 98.00 would have left with it"),
        (RESTS, "no book: it rests"),
        ({**RESTS, "refused": "too small"}, "would have refused it: too small"),
        ({**UNREAD, "bid": 99.0, "ask": 101.0, "behind_ms": 1, "crosses": True}, "would have taken at once"),
    ],
)
def test_an_order_says_why_it_did_not_leave(note: dict[str, Any], words: str) -> None:
    """One line."""
    assert shadow_text(note).startswith("shadow: nothing is sent to okx")
    assert words in shadow_text(note)


def test_legs_of_a_basket_are_one_row(tmp_path: Path) -> None:
    """Counts sum, means weigh by what was compared, the dearest fees count; a leg whose fees are unknown leaves them so."""
    terms = {f"okx:{coin}-USDT:perp": {"maker_frac": fee, "taker_frac": 2 * fee} for coin, fee in (("BTC", 1e-4), ("ETH", 3e-4))}
    account = {"what": "account", "faults": [], "balance": 1.0, "terms": terms}
    eth = {**NOTE, "sleeve": "eth", "instrument": "okx:ETH-USDT:perp", "book_bps": 40.0}
    rows = shadow_costs(
        noted(tmp_path, account, NOTE, eth, eth, {**RESTS, "sleeve": "eth", "instrument": "okx:ETH-USDT:perp"}), -1
    )
    both = together([rows["btc"], rows["eth"]])
    assert both is not None
    assert (both.orders, both.at_market, both.compared) == (4, 3, 3)
    assert both.book_bps == pytest.approx((100.0 + 2 * 40.0) / 3)
    assert (both.book_p95_bps, both.maker_frac, both.taker_frac) == (100.0, 3e-4, 6e-4)
    unknown = together([rows["btc"], rows["eth"]._replace(maker_frac=None)])
    assert unknown is not None
    assert unknown.maker_frac is None
    assert together([]) is None
    assert together([rows["btc"]]) == rows["btc"]
