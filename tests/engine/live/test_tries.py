"""How often what covers or ends a layer is tried: ten times with pauses, and then once as each bar opens."""

from pathlib import Path

from tests.fakes.live_desks import LiveBench, on_bench


def test_a_refused_exit_is_tried_ten_times_with_pauses(path: Path) -> None:
    """Never without end; the sleeve enters nothing after five refusals in a row."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["rejected"] * 50
        bench.desk.take("leave", {"sleeve": "adds", "why": "test"})
        await bench.after(120)
        assert "refusals of adds" in bench.desk.book.health

    bench = on_bench(path, play)
    tries = [t for t, (call, id_) in zip(bench.venue.times, bench.venue.calls, strict=True) if call == "place" and "X" in id_]
    assert len(tries) == 10
    assert tries[-1] - tries[0] > 30_000
    assert any("refusals of adds" in page for page in bench.pages)


def test_a_layer_whose_orders_were_all_in_vain_is_tried_again_at_each_close(path: Path) -> None:
    """One exit a bar after the tenth, and once the venue is well the layer has left: nobody has to come for it."""

    async def play(bench: LiveBench) -> None:
        await bench.start()
        await bench.entered()
        bench.venue.script["place"] = ["rejected"] * 12
        bench.desk.take("leave", {"sleeve": "adds", "why": "test"})
        await bench.after(120)
        for tries in (11, 12, 13):
            await bench.to_close()
            bench.close()
            await bench.after(60)
            made = [id_ for id_ in bench.venue.asked_for("place") if "X" in id_]
            assert (len(made), len(set(made))) == (tries, tries)
        assert (bench.venue.net, bench.lots()) == (0, 0)

    on_bench(path, play)
