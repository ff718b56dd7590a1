"""Requests that the venue turns away, one after another, while it answers every question: a person hears of it."""

from pathlib import Path

import pytest

from tests.fakes.live_desks import BTC_PERP, LiveBench, long, on_bench


def turned_away(bench: LiveBench) -> list[str]:
    """Pages that say so."""
    return [page for page in bench.pages if "turns away every request" in page]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Of the desk's journal."""
    return tmp_path / "desk.jsonl"


def test_a_key_that_may_not_trade_any_more_is_a_page(path: Path) -> None:
    """An exit was sent in vain for hours, and nobody was woken: a key that only reads answers every question."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["not_taken"] * 1_000
        await bench.to_close()
        bench.close()
        await bench.after(50)
        assert not turned_away(bench)
        await bench.after(60)
        assert turned_away(bench) == [
            f"{BTC_PERP}: the venue turns away every request, for a minute or longer: busy; nothing is placed, moved or "
            "cancelled there, and stops stay as they are"
        ]
        await bench.after(600)

    bench = on_bench(path, play)
    assert len(turned_away(bench)) == 2  # once more after ten minutes


def test_what_is_taken_in_between_ends_it(path: Path) -> None:
    """Turned away for fifty seconds, taken once, and turned away again: a busy venue is nothing to wake a person for."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["not_taken"] * 9
        await bench.to_close()
        bench.close()
        await bench.after(60)
        assert bench.venue.net == 0
        await bench.to_close()
        bench.venue.script["place"] = ["not_taken"] * 9
        bench.close(adds=long())
        await bench.after(60)

    assert not turned_away(on_bench(path, play))
