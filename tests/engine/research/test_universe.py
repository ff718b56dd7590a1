"""A search says which of its symbols were not there all the time, and what the choice of them leaves out."""

from pathlib import Path

import pytest
from sqlalchemy import Engine

from engine.control.desk_setup import desk_setup
from engine.errors import BadInput
from engine.research import search
from engine.research.universe import SURVIVORS, Present, missing_after, missing_before, notes_of
from engine.sim import resolve
from engine.sim.request import moment
from engine.venues.listings import Lifetime, lifetime_of
from tests.engine.research.conftest import Planner
from tests.fakes import recordings


def test_one_symbol_with_all_its_bars_needs_no_note(make: Planner) -> None:
    """Nothing is said where nothing is missing."""
    planned = make({"strategy": "trend", "symbol": "BTC-USDT", "start": "2025-01-03", "end": "2025-01-20"})
    first = 1_735_862_400_000
    assert notes_of([planned], first, first + 16 * 86_400_000) == []


def test_a_span_beyond_the_bars_and_a_late_symbol_are_named(tmp_path: Path, ledger: Engine) -> None:
    """With the day on which its bars begin, and that survivors alone were chosen."""
    folder = recordings.record(tmp_path / "bars", 3_500)
    late = recordings.bars(3_500, seed=2, price=3_000.0, tick=0.01)[960:]
    recordings.write(folder, "binance_ETH-USDT_perp_15m", late)
    desk = desk_setup(tmp_path / "home", {"NIGHTDESK_DATA": str(folder)})
    args = {"strategy": "trend", "vary": {"stop_atr": "1,2"}, "symbols": ["BTC-USDT", "ETH-USDT"], "start": "2025-01"}
    found = search.sweep(lambda given: resolve.planned(desk, desk.catalog(), given), ledger, None, args)
    assert found["notes"][0].startswith("ETH-USDT: no bars before 2025-01-11; the span asked for begins 2025-01-01")
    assert found["notes"][1].startswith("the common span begins with the bars of ETH-USDT, 2025-01-11")
    assert found["notes"][-1] == SURVIVORS
    assert found["first_ms"] == int(late["ts"][0])


def present(life: Lifetime, begins: str, ends: str) -> Present:
    """An instrument with bars from the first to before the second day."""
    return Present("XRP-USDT", life, moment(begins) or 0, moment(ends) or 0)


def test_a_known_listing_day_parts_a_late_listing_from_a_short_recording() -> None:
    """One span, 2020: the coin was not there, the coin was there and nobody recorded it, and nobody knows."""
    wanted = moment("2020-01-01") or 0
    listed = Lifetime("2020-03-10", "", "the venue's page")
    (young,) = missing_before(present(listed, "2020-03-10", "2021"), wanted)
    assert young.endswith("; it did not trade before 2020-03-10 (the venue's page)")
    (both,) = missing_before(present(listed, "2020-04-09", "2021"), wanted)
    assert both.endswith("(the venue's page), and its bars begin 30 days later")
    (old,) = missing_before(present(listed._replace(listed="2019-09-10"), "2020-03-10", "2021"), wanted)
    assert old.endswith("; it was listed 2019-09-10 (the venue's page): the recording begins late")
    (unknown,) = missing_before(present(Lifetime(), "2020-03-10", "2021"), wanted)
    assert unknown.endswith("its listing day is not known here: listed late, or recorded late")
    assert list(missing_before(present(listed._replace(listed="2019-09-10"), "2020-01-01", "2021"), wanted)) == []


def test_a_delisted_instrument_and_bars_outside_its_life_are_named() -> None:
    """The end of its life explains missing bars; bars beyond it contradict it."""
    life = Lifetime("2020-01-06", "2020-08-31", "desk.toml")
    (gone,) = missing_after(present(life, "2020-01-06", "2020-09-01"), moment("2021") or 0)
    assert gone.endswith("; it was delisted after 2020-08-31 (desk.toml)")
    (beyond,) = missing_after(present(life, "2020-01-06", "2020-09-02"), moment("2020-09-02") or 0)
    assert beyond.startswith("bars after its last day of trading, 2020-08-31 (desk.toml)")
    (before,) = missing_before(present(life, "2019-12-01", "2020-09-01"), moment("2020-01-01") or 0)
    assert before.startswith("bars before its listing, 2020-01-06 (desk.toml)")


def test_desk_toml_gives_the_days_and_they_must_be_in_order(tmp_path: Path) -> None:
    """TOML's own dates and text alike; a day that does not exist and reversed days are one clear line."""
    key = "binance:BTC-USDT:perp"
    home = tmp_path / "home"
    home.mkdir()
    (home / "desk.toml").write_text(f'[instruments."{key}"]\nlisted = 2020-09-14\ndelisted = "2024-02-29"\n')
    overrides = desk_setup(home, {}).overrides
    assert lifetime_of(key, overrides) == Lifetime("2020-09-14", "2024-02-29", "desk.toml")
    with pytest.raises(BadInput, match="delisted 2020-01-01 is before listed 2020-09-14"):
        lifetime_of(key, {key: {"listed": "2020-09-14", "delisted": "2020-01-01"}})
    (home / "desk.toml").write_text(f'[instruments."{key}"]\nlisted = "2023-02-29"\n')
    with pytest.raises(BadInput, match="listed"):
        desk_setup(home, {})
