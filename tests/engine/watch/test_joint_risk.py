"""What sleeves risk together: which stops one move reaches, what that costs, and correlations that are said with their doubt."""

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from engine.clock import DAY_MS
from engine.errors import BadInput
from engine.watch import joint_risk as risks
from engine.watch.concentration import DeskExposure, ExposurePair
from engine.watch.joint_risk import joint_risk, pair_of, pair_text, shared_text

BTC, ETH, SOL = (f"binance:{coin}-USDT:perp" for coin in ("BTC", "ETH", "SOL"))
TRADED = {"btc": BTC, "btc2": BTC, "eth": ETH, "sol": SOL}
START = 1_777_593_600_000


def sleeve(side: str = "", price: float = 100.0, *stops: float | None, equity: float = 1_000.0) -> dict[str, Any]:
    """A sleeve of a mark: two units a layer at that price."""
    body: dict[str, Any] = {"equity": equity}
    if side:
        layers = [{"lots": 20, "protective": stop} for stop in stops]
        quantity = 2.0 * len(layers)
        body["position"] = {
            "side": side,
            "quantity": quantity,
            "lots": 20 * len(layers),
            "notional": quantity * price,
            "layers": layers,
        }
    return body


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A desk with these sleeves now, these readings of pairs of instruments, and this number of whole days behind it."""

    def made(sleeves: dict[str, Any], reads: dict[tuple[str, str], str] | None = None, days: int = 30) -> None:
        mark = SimpleNamespace(id="d-9", t_event_ms=START + days * DAY_MS, body={"sleeves": sleeves})
        first = SimpleNamespace(id="d-1", t_event_ms=START, body={"sleeves": {name: {"equity": 1_000.0} for name in sleeves}})
        pairs = tuple(ExposurePair(a, b, None, 1.0, text) for (a, b), text in (reads or {}).items())
        whole = DeskExposure(START, "d-9", 4_000.0, 0.0, 0.0, None, (), (), (), pairs)
        monkeypatch.setattr(risks, "mark_at", lambda _path, ms=None: mark)
        monkeypatch.setattr(risks, "first_mark", lambda _path: first)
        monkeypatch.setattr(risks, "desk_exposure", lambda _home: whole)
        monkeypatch.setattr(risks, "instruments_of", lambda _path: TRADED)

    return made


def test_a_stop_is_measured_from_the_price_on_either_side(desk: Any) -> None:
    """The nearest first; what it costs from here; a layer without a level is none, a position without any is named."""
    desk({"btc": sleeve("long", 100.0, 95.0, 98.0), "eth": sleeve("short", 50.0, 51.0, None), "sol": sleeve("long", 10.0, None)})
    found = joint_risk(Path())
    assert found is not None
    rows = [(s.sleeve, s.side, round(s.distance_frac, 4), round(s.loss, 2)) for s in found.stops]
    assert rows == [("btc", "long", 0.02, 4.0), ("eth", "short", 0.02, 2.0), ("btc", "long", 0.05, 10.0)]
    assert found.unprotected == ("sol",)


def test_stops_of_one_bet_are_reached_by_one_move(desk: Any) -> None:
    """Two coins that move together, and a third linked to one of them: the farthest stop says the move, the sum the cost."""
    desk(
        {"btc": sleeve("long", 100.0, 98.0), "eth": sleeve("long", 50.0, 48.0), "sol": sleeve("long", 10.0, 9.7)},
        {(BTC, ETH): "same bet", (ETH, SOL): "same bet", (BTC, SOL): "apart"},
    )
    (shared,) = joint_risk(Path()).shared  # type: ignore[union-attr]
    assert (shared.sleeves, round(shared.move_frac, 4), round(shared.loss, 2)) == (("btc", "eth", "sol"), 0.04, 8.6)
    assert (shared.loss_frac, shared.unknown) == (pytest.approx(8.6 / 4_000.0), False)
    assert shared_text(shared) == "btc and eth and sol: 4.00 % against them reaches every stop: -8.60, 0.22 % of the equity"


def test_what_is_not_known_counts_as_one_bet(desk: Any) -> None:
    """As the guardrails count it, and it is said; a pair that nobody has read is not known either."""
    held = {"btc": sleeve("long", 100.0, 98.0), "eth": sleeve("long", 50.0, 48.0)}
    for reads in ({(BTC, ETH): "not known"}, {}):
        desk(held, reads)
        (shared,) = joint_risk(Path()).shared  # type: ignore[union-attr]
        assert shared.unknown
        assert "counts as one bet" in shared_text(shared)


@pytest.mark.parametrize(
    ("sleeves", "reads", "groups"),
    [
        ({"btc": sleeve("long", 100.0, 98.0), "eth": sleeve("short", 50.0, 51.0)}, {(BTC, ETH): "hedge"}, 0),
        ({"btc": sleeve("long", 100.0, 98.0), "eth": sleeve("long", 50.0, 48.0)}, {(ETH, BTC): "apart"}, 0),
        ({"btc": sleeve("long", 100.0, 98.0), "btc2": sleeve("long", 100.0, 97.0)}, {}, 1),
        ({"btc": sleeve("long", 100.0, 98.0), "btc2": sleeve("short", 100.0, 103.0)}, {}, 0),
        ({"btc": sleeve("long", 100.0, 98.0), "eth": sleeve()}, {(BTC, ETH): "same bet"}, 0),
    ],
)
def test_a_hedge_is_no_shared_risk(desk: Any, sleeves: Any, reads: Any, groups: int) -> None:
    """Nor is what moves apart, or what is held alone; two sleeves of one coin and side are."""
    desk(sleeves, reads)
    assert len(joint_risk(Path()).shared) == groups  # type: ignore[union-attr]


def test_a_correlation_has_its_interval_or_a_reason() -> None:
    """Against numpy and Fisher's own formula; too few days, no move and no equity are said."""
    rng = np.random.default_rng(7)
    one = rng.normal(size=60)
    other = 0.6 * one + rng.normal(size=60)
    found = pair_of("a", "b", one.tolist(), other.tolist())
    r = float(np.corrcoef(one, other)[0, 1])
    ends = [math.tanh(math.atanh(r) + sign * 1.959964 / math.sqrt(57)) for sign in (-1, 1)]
    assert (found.correlation, found.low, found.high) == (pytest.approx(r), pytest.approx(ends[0]), pytest.approx(ends[1]))
    assert pair_text(found).startswith(f"a with b: {r:.2f} (")
    whole = pair_of("a", "b", one.tolist(), one.tolist())
    assert whole.correlation == pytest.approx(1.0)
    for mine, why in (
        (one.tolist()[:19], "19 whole days, 20 are needed"),
        ([0.0] * 60, "made and lost nothing"),
        (None, "without equity"),
    ):
        less = pair_of("a", "b", mine, other.tolist()[:19] if mine and len(mine) == 19 else other.tolist())
        assert (less.correlation, why in less.why, "not known" in pair_text(less)) == (None, True, True)


def test_days_and_a_desk_that_never_ran(desk: Any, tmp_path: Path) -> None:
    """Few days of correlation are refused; without a bar there is nothing."""
    assert joint_risk(tmp_path) is None
    desk({"btc": sleeve(), "eth": sleeve()}, days=12)
    (pair,) = joint_risk(Path()).pairs  # type: ignore[union-attr]
    assert (pair.days, "12 whole days" in pair.why) == (12, True)
    with pytest.raises(BadInput, match="19 days"):
        joint_risk(Path(), 19)
