"""The plan of storms, what is kept of its runs, and the page that is made of them: without a storm, so that it costs nothing."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import grimp
import pytest

from tests.fakes.desks import BAR_MS
from tests.fakes.exchange.faults import KINDS
from tests.storms import __main__ as storms
from tests.storms import report, results
from tests.storms.plan import FIRST_MS, MET, PAIRS, UNMET, VENUES, Run, at_the_port, called, port, short, whole
from tests.storms.port_days import VENUES as PORTS
from tests.storms.results import Results
from tests.storms.runs import together


def test_the_plan_has_every_kind_at_every_venue_and_every_pair() -> None:
    """A kind that is in no run is named with the reason why it cannot act."""
    runs = list(whole())
    assert set(MET) | set(UNMET) == set(KINDS)
    for venue in VENUES:
        for part in ("fault", "restart"):
            assert {run.what for run in runs if (run.part, run.venue) == (part, venue)} == set(MET)
        mine = [run.plan for run in runs if (run.part, run.venue) == ("pair", venue)]
        found = {tuple(sorted((a.kind, b.kind))) for plan in mine for a in plan for b in plan if together(a, b)}
        assert found == {tuple(sorted(pair)) for pair in PAIRS}
    assert sum(run.days for run in runs) >= 1_000
    assert sum(run.days for run in short() if run.part in ("fair", "day")) == 10 * len(VENUES)


def test_a_name_is_all_that_one_needs_to_run_it_again() -> None:
    """The same plan, seed and faults; what is no run is refused with the names that there are."""
    runs = list(whole())
    assert len({run.name for run in runs}) == len(runs)
    assert all(called(run.name) == run for run in (*runs, *short(), *port()))
    for name in (
        "",
        "fault/okx",
        "fault/okx/rain",
        "fault/kraken/late",
        "day/okx/x",
        "halt/okx/none",
        "seed/okx/x",
        "port/okx/1",
    ):
        with pytest.raises(ValueError, match=r"there are okx|no run of the plan"):
            called(name)


@pytest.mark.slow
def test_days_at_the_port_are_counted_apart(tmp_path: Path) -> None:
    """Ten thousand at three venues; ccxt is in none of them, so that they are in no sum of those that have it."""
    assert tuple(f"port-{venue}" for venue in VENUES) == PORTS  # by which a seed finds the venue that its name has
    assert sum(run.days for run in port()) == 10_000
    results = Results(tmp_path)
    for run in (called("day/okx/1"), at_the_port("okx", 0)):
        results.add(line(run, acted={"late": 7}))
    page = report.tables(list(results.read().values()), "x")
    assert "**1 simulated days with ccxt, 2 at the port.**" in page
    assert "| `late` | an order arrives 8 s later, no answer | 7 |" in page


def test_faults_are_over_before_the_end_of_a_run() -> None:
    """Every window, so that what is left at the end is the desk's."""
    for run in whole():
        for window in run.plan:
            assert window.end_ms <= FIRST_MS + (run.bars - run.quiet + 1) * BAR_MS, (run.name, window)


def line(run: Run, **more: Any) -> dict[str, Any]:
    """A line of results."""
    about = {"name": run.name, "part": run.part, "venue": run.venue, "days": run.days, "wrong": [], "cpu_s": 1.0}
    return about | more


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Run]:
    """Runs that were begun, none of which costs anything; a day of seed 2 is broken. Nothing kept counts."""
    begun: list[Run] = []

    def act(runs: Iterable[Run], _processes: int, _until: float) -> Iterator[dict[str, Any]]:
        for run in runs:
            begun.append(run)
            yield line(run, wrong=["I5 at 1: trade 7 is booked twice"] if run.what == "2" else [])

    monkeypatch.setattr(storms, "_carried_out", act)
    monkeypatch.setattr(storms, "KEPT", tmp_path / "kept")
    return begun


def test_it_goes_on_where_it_was_stopped(carried_out: list[Run], tmp_path: Path) -> None:
    """Runs that are kept are not made again; a line that was cut off is no result; another source begins anew."""
    words = ["--plan", "short", "--only", "fault", "--folder", str(tmp_path)]
    assert storms.main([*words, "--runs", "3"]) == 0
    (kept,) = tmp_path.iterdir()
    kept.write_text(kept.read_text()[:-20])
    assert storms.main([*words, "--runs", "2"]) == 0
    names = [run.name for run in carried_out]
    assert names[2] == names[3]
    assert len(set(names)) == 4
    assert len(Results(tmp_path).read()) == 4
    assert Results(tmp_path, "another").read() == {}


def test_a_broken_rule_ends_with_1_and_how_to_see_it_again(
    carried_out: list[Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At once, and each time that the same results are looked at."""
    words = ["--plan", "short", "--only", "day/okx", "--folder", str(tmp_path)]
    assert storms.main(words) == 1
    assert storms.main(words) == 1
    said = capsys.readouterr().out
    assert said.count("trade 7 is booked twice") == 2
    assert "again: python -m tests.storms again day/okx/2" in said
    assert str(tuple(called("day/okx/2").plan[0])) in said
    assert len(carried_out) == 9
    assert storms.main(["again", "day/okx/nine"]) == 2


ACTED = {
    "acted": {"late": 3, "ws_cut": 4},
    "looks": 1_000,
    "orders": 20,
    "fills": 30,
    "kills": 2,
    "naked_ms": 1_500,
    "lags": {"p50": 70, "p99": 110, "worst": 120, "n": 30},
    "commit": "0123456789",
}


def test_the_page_says_what_was_run(tmp_path: Path) -> None:
    """Sums of the results, by kind and venue; the text around the marks stays."""
    rows = [
        line(called("fault/okx/late"), **ACTED, times=[["late", True, 3_000, 500], ["late", False, 90_000, None]]),
        line(called("pair/bybit/0"), **ACTED, pairs=["late + ws_cut"]),
        line(called("halt/okx/none-0"), **ACTED, halt={"state": "KILLED", "flat_ms": 600, "last_increase_ms": 0}),
        line(called("same/okx/0"), **ACTED, same=9, of=10),
        line(called("day/binance/1"), **ACTED | {"wrong": ["I6 at 5: the venue holds 3, the book 2"]}),
    ]
    results = Results(tmp_path)
    results.path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nobsolete\n{report.END}\nafter\n")
    report.write(page, results)
    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "obsolete" not in text
    assert "| **all of these** | 5 |" in text
    assert "| 5,000 | 100 | 150 | 10 | 35 | 1 |" in text
    assert "9 times of 10" in text
    assert "| `late` | an order arrives 8 s later, no answer | 9 | 3 | 3 | 1.5 |" in text
    assert "| bybit | 435 | 1 | 1 | 0 |" in text
    assert "| okx | detect | 1 | 3.00 | 3.00 | 3.00 |" in text
    assert "| okx | no fault | 1 | 1 | 0 | 0 | 0.60 | 0.60 | 0.60 |" in text
    assert "- `day/binance/1`: I6 at 5: the venue holds 3, the book 2" in text
    assert UNMET["book_gap"] in text


def test_a_page_of_nothing_is_not_written(tmp_path: Path) -> None:
    """Without results, or without the marks, it says so and leaves the page alone."""
    page = tmp_path / "page.md"
    page.write_text("a page")
    with pytest.raises(ValueError, match="no results"):
        report.write(page, Results(tmp_path))
    Results(tmp_path).add(line(called("fault/okx/late"), **ACTED))
    with pytest.raises(ValueError, match="once each"):
        report.write(page, Results(tmp_path))
    assert page.read_text() == "a page"


def test_results_are_of_what_a_run_imports() -> None:
    """The desk and the venues, and no page, report or research: what is changed there keeps the results."""
    graph = grimp.build_graph(*results.OURS, cache_dir=None)
    reached = graph.find_upstream_modules(results.ENTRY)
    assert {"engine.live.health", "engine.core.state", "tests.fakes.exchange.faults"} <= reached
    assert not {"engine.research.sweep", "engine.models.train", "tests.storms.report"} & reached


def test_what_was_kept_elsewhere_is_not_run_again(tmp_path: Path) -> None:
    """Lines of the repository count like one's own, and only for their source; a run that was made again has its own line."""
    made = Results(tmp_path / "there", "abc", tmp_path / "kept")
    for name in ("fault/okx/late", "fault/bybit/late"):
        made.add(line(called(name), **ACTED))
    path = made.keep()
    first = path.read_bytes()
    assert made.keep().read_bytes() == first
    here = Results(tmp_path / "here", "abc", tmp_path / "kept")
    assert sorted(here.read()) == ["fault/bybit/late", "fault/okx/late"]
    here.add(line(called("fault/okx/late"), **ACTED) | {"wrong": ["I1"]})
    assert here.read()["fault/okx/late"]["wrong"] == ["I1"]
    assert Results(tmp_path / "here", "other", tmp_path / "kept").read() == {}


def test_what_was_carried_over_names_its_source_and_what_broke_is_made_again(tmp_path: Path) -> None:
    """The page says how many runs are of which source; what is carried twice is there once."""
    older, newer = Results(tmp_path, "abc"), Results(tmp_path, "def")
    older.add(line(called("fault/okx/late"), **ACTED))
    older.add(line(called("fault/bybit/late"), **ACTED | {"wrong": ["I1"]}))
    assert (newer.carry(older), newer.carry(older)) == (1, 0)
    assert {name: row["source"] for name, row in newer.read().items()} == {"fault/okx/late": "abc"}
    page = tmp_path / "page.md"
    page.write_text(f"{report.BEGIN}\n{report.END}\n")
    report.write(page, newer)
    assert "Source `def`" in page.read_text()
    assert "1 of the runs were made on `abc`." in page.read_text()
