"""A stop that has fired at the venue and placed nothing: it covers nothing, whatever the book held of it before."""

from pathlib import Path

import pytest

from engine.core.orders import UNKNOWN
from engine.venues.live_port import LiveAnswer
from tests.fakes.live_desks import LiveBench, on_bench


@pytest.mark.parametrize("says_so", [True, False])
def test_a_stop_that_has_fired_in_vain_is_a_page_and_its_layer_leaves(tmp_path: Path, says_so: bool) -> None:
    """Within twenty seconds of the question; a question that was not answered takes no stop away."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        (stop,) = [id_ for id_ in bench.venue.orders if "S" in id_]
        said = bench.venue._said

        def firing(held: object) -> LiveAnswer:
            found = said(held)  # type: ignore[arg-type]
            return found._replace(state=UNKNOWN, price=None, lots=None, fired=says_so) if found.order == stop else found

        bench.venue._said = firing  # type: ignore[method-assign]
        bench.desk.spawn(bench.desk.ask_now(stop))
        await bench.after(20)
        assert bench.lots() == (0 if says_so else 300)
        assert bench.venue.net == bench.lots()

    pages = on_bench(tmp_path / "desk.jsonl", play).pages
    assert [("no protective order" in page) for page in pages] == [True] * says_so, pages
