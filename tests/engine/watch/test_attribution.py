"""Attribution sums to the change of equity to the cent, by sleeve and by part."""

from hypothesis import given
from hypothesis import strategies as st

from engine.watch.attribution import PARTS, Holding, apportion, attribute
from engine.watch.flows import Flow, sum_by_sleeve

money = st.floats(-1e6, 1e6)


def fill(sleeve: str, units: float, price: float, clean: float, fee: float) -> Flow:
    """A fill as a flow."""
    return Flow(sleeve, units * clean, units * (price - clean), fee, fills=1)


@st.composite
def windows(draw: st.DrawFn) -> tuple[dict[str, Holding], dict[str, Holding], list[Flow]]:
    """A desk's start, flows, and the end that follows from them."""
    names = draw(st.lists(st.sampled_from(["a", "b", "c", "d"]), min_size=1, max_size=4, unique=True))
    start = {n: Holding(draw(money), draw(st.floats(-5, 5)), draw(st.floats(1, 1e5))) for n in names}
    flows = []
    end = {n: [h.equity - h.units * h.mark, h.units] for n, h in start.items()}
    for _ in range(draw(st.integers(0, 12))):
        sleeve = draw(st.sampled_from(names))
        clean = draw(st.floats(1, 1e5))
        units, fee = draw(st.floats(-3, 3)), draw(st.floats(0, 50))
        price = clean * (1 + draw(st.floats(0, 0.01)) * (1 if units > 0 else -1))
        cash = draw(st.floats(-30, 30))
        flows += [fill(sleeve, units, price, clean, fee), Flow(sleeve, cash=cash)]
        end[sleeve][0] += cash - fee - units * price
        end[sleeve][1] += units
    marks = {n: draw(st.floats(1, 1e5)) for n in names}
    return start, {n: Holding(c + u * marks[n], u, marks[n]) for n, (c, u) in end.items()}, flows


@given(windows())
def test_parts_sum_to_the_change_to_the_cent(window: tuple) -> None:
    """Rows, columns and the desk agree in whole cents, and nothing is left unexplained."""
    start, end, flows = window
    made = attribute(start, end, flows)
    for share in (*made.shares, made.desk):
        assert sum(share[1 : 1 + len(PARTS)]) == share.change
        assert abs(share.unexplained) <= 1 * len(made.shares)
    assert sum(share.change for share in made.shares) == made.desk.change
    for one, whole in zip(made.shares, attribute(start, end, sum_by_sleeve(flows)).shares, strict=True):
        assert (one.sleeve, one.change) == (whole.sleeve, whole.change)
        assert all(abs(a - b) <= 1 for a, b in zip(one[1:-1], whole[1:-1], strict=True))
    change = sum(h.equity for h in end.values()) - sum(h.equity for h in start.values())
    assert abs(made.desk.change - change * 100) <= 0.5 + 1e-6 * abs(change)


def test_known_figures() -> None:
    """One long trip and a payment: 10 price, 1 slippage, 0.5 fees, 0.25 funding paid."""
    start = {"t": Holding(1000.0, 0.0, 100.0)}
    flows = [fill("t", 1.0, 100.5, 100.0, 0.25), Flow("t", cash=-0.25), fill("t", -1.0, 109.5, 110.0, 0.25)]
    end = {"t": Holding(1000.0 - 100.5 + 109.5 - 0.5 - 0.25, 0.0, 110.0)}
    (share,) = attribute(start, end, flows).shares
    assert (share.price, share.slippage, share.fees, share.funding) == (1000, -100, -50, -25)
    assert (share.unexplained, share.change) == (0, 825)


def test_a_missing_fill_is_shown_as_unexplained() -> None:
    """A change that no flow explains is a finding, not a part of another column."""
    start, end = {"t": Holding(1000.0, 0.0, 1.0)}, {"t": Holding(990.0, 0.0, 1.0)}
    assert attribute(start, end, []).desk.unexplained == -1000


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8))
def test_apportion_sums_and_stays_near(values: list[float]) -> None:
    """The whole numbers sum to the total and none is more than a step away."""
    total = round(sum(values))
    made = apportion(values, total)
    assert sum(made) == total
    assert all(abs(whole - value) <= 1.5 + 1e-6 for whole, value in zip(made, values, strict=True))
