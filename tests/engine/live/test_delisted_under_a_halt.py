"""An instrument that its venue delists while the desk is halted."""

from pathlib import Path

from engine.live.halt import KILLED
from tests.fakes.two_desks import UNKNOWN_THERE, TwoBench, on_two


def test_what_is_delisted_under_a_halt_does_not_keep_it_from_its_end(path: Path) -> None:
    """The next process halted again, could ask nothing of it, and paged what it could not compare each ten minutes."""

    async def play(bench: TwoBench) -> None:
        await bench.start()
        bench.latch = "a person halts"
        await bench.after(30)
        assert bench.duties.halt.result is not None
        assert bench.duties.halt.result.state == KILLED
        bench.eth.state = UNKNOWN_THERE
        await bench.again()
        await bench.after(1_900)
        assert bench.duties.halt.result is not None
        assert bench.duties.halt.result.state == KILLED, bench.duties.halt.result
        assert sum("cannot be compared" in page for page in bench.pages) <= 1, bench.pages

    on_two(path, play)
