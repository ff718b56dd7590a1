"""The audit on the page: what fails in one row a point, what nobody can say folded by what is missing."""

from typing import Any

from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import NOW_MS
from tests.app.ui.looking import page, texts_of


def point(sleeve: str, name: str, state: str, why: str = "", evidence: tuple[str, ...] = ()) -> dict[str, Any]:
    """A point of the audit as the API has it."""
    dimension = name.partition(".")[0]
    line = {"sleeve": sleeve, "name": name, "dimension": dimension, "question": f"Does {name} hold?", "state": state}
    return line | {"why": why, "evidence": list(evidence)}


def test_nothing_is_drawn_before_the_first_audit(fake: Fake) -> None:
    """No empty table."""
    assert "Audit" not in texts_of(page(tab="runs"))


def test_a_point_of_several_sleeves_is_one_row(fake: Fake) -> None:
    """What fails says of each sleeve what was found; a question stands there, not the point's short name."""
    fails = [point(name, "backtest.net", "fails", f"net -{n}.5", (f"r-{n}",)) for n, name in enumerate(("btc", "eth"), 1)]
    unsaid = [point(name, f"live.drilled_{n}", "cannot_say", "no drill was kept") for name in ("btc", "eth") for n in range(3)]
    fake.audit = {"wall_ms": NOW_MS, "verdict": "", "items": [*fails, *unsaid, point("btc", "data.bars", "holds")]}
    text = texts_of(page(tab="runs"))
    assert "2 of 9 points fail, 6 cannot be said." in text
    assert text.count("Does backtest.net hold?") == 1
    assert "btc: net \u22121.5; eth: net \u22122.5" in text
    assert "run=r-1" in text
    assert "r-1 and 1 more" in text
    assert text.count("no drill was kept") == 1
    assert "live.drilled_0, live.drilled_1, live.drilled_2" in text
    assert "Does data.bars hold?" not in text


def test_without_a_failure_it_is_not_red(fake: Fake) -> None:
    """Amber while something cannot be said, calm when all holds; never green by leaving out."""
    fake.audit = {"wall_ms": NOW_MS, "verdict": "", "items": [point("btc", "data.bars", "cannot_say", "no file")]}
    assert "▲ 0 of 1 points fail, 1 cannot be said." in texts_of(page(tab="runs"))
    fake.audit["items"][0] |= {"state": "holds"}
    assert "● 0 of 1 points fail, 0 cannot be said." in texts_of(page(tab="runs"))
