"""The run store: whole or not at all, readable ids, a cache by key."""

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest

from engine.errors import BadInput, DataError
from engine.store.db import migrate, open_db
from engine.store.runs import FRAMES, ID, Runs, sha256_of_json

NOW = 1_741_910_400_000  # 2025-03-14
KEY = "1a2b3c4d" + "0" * 56
FRAME = pl.DataFrame({"close_ms": [1, 2], "equity": [1.0, 2.0]})


def run_of(**changes):
    """The least a run says about itself."""
    metrics = {"total_return_frac": 0.1, "sharpe": None, "max_drawdown_frac": 0.2, "trades": 3}
    data = {"source": "recorded"}
    run = {"strategy": "trend", "timeframe": "15m", "cache_key": KEY, "metrics": metrics, "data": data}
    return run | {"sleeves": [{"symbol": "BTC-USDT"}]} | changes


@pytest.fixture
def runs(tmp_path):
    """A store with its database."""
    engine = open_db(f"sqlite:///{tmp_path}/desk.db")
    migrate(engine)
    return Runs(tmp_path / "runs", engine)


def keep(runs, **changes):
    """Store a run with small frames."""
    return runs.keep(run_of(**changes), dict.fromkeys(FRAMES, FRAME), lambda run: f"<p>{run['run_id']}</p>", NOW)


def test_a_run_is_kept_and_read_back(runs):
    """JSON, frames and page lie in one folder; the row has the summary."""
    kept = keep(runs)
    assert kept["run_id"] == "r-20250314-1a2b3c4d"
    assert runs.load(kept["run_id"]) == kept
    assert runs.frame(kept["run_id"], "trips").equals(FRAME)
    assert (Path(kept["folder"]) / "report.html").read_text() == "<p>r-20250314-1a2b3c4d</p>"
    assert sorted(p.name for p in runs.folder.iterdir()) == ["r-20250314-1a2b3c4d"]
    (row,) = runs.latest()
    assert (row["id"], row["trades"], row["sharpe"], row["source"]) == (kept["run_id"], 3, None, "recorded")


def test_the_same_work_again_gets_another_name(runs):
    """Ids are readable, sortable and never taken twice."""
    ids = [keep(runs)["run_id"] for _ in range(3)]
    assert ids == ["r-20250314-1a2b3c4d", "r-20250314-1a2b3c4d-2", "r-20250314-1a2b3c4d-3"]
    assert all(ID.fullmatch(run_id) for run_id in ids)


def test_a_folder_that_was_moved_away_keeps_its_name(runs):
    """The row of the run that is gone stays; the same work gets the next id, on the same day, too."""
    shutil.rmtree(keep(runs)["folder"])
    assert keep(runs)["run_id"] == "r-20250314-1a2b3c4d-2"


def test_the_cache_answers_by_key_while_the_files_are_there(runs):
    """A key that was run is found; a row whose folder was removed is not."""
    kept = keep(runs)
    assert runs.cached(KEY)["run_id"] == kept["run_id"]
    assert runs.cached("f" * 64) is None
    (Path(kept["folder"]) / "run.json").unlink()
    assert runs.cached(KEY) is None


def test_a_run_that_fails_to_be_written_leaves_nothing(runs):
    """An error half-way removes what was begun; no row, no folder."""

    def broken(_run):
        raise ValueError("no page today")

    with pytest.raises(ValueError, match="no page"):
        runs.keep(run_of(), dict.fromkeys(FRAMES, FRAME), broken, NOW)
    assert list(runs.folder.iterdir()) == []
    assert runs.latest() == []


def test_nan_in_the_json_is_refused_whole(runs):
    """JSON has no NaN; a run that holds one is not stored in part."""
    with pytest.raises(ValueError, match="JSON"):
        keep(runs, metrics=run_of()["metrics"] | {"sharpe": float("nan")})
    assert list(runs.folder.iterdir()) == []


def test_killed_while_writing_leaves_no_half_run(runs):
    """kill -9 in the middle: nothing that looks like a run; the next run clears the rest away."""
    script = textwrap.dedent(
        f"""
        import os, signal, sys
        sys.path[:0] = {[str(Path(__file__).parent), os.getcwd()]!r}
        from test_runs import FRAME, FRAMES, NOW, run_of
        from engine.store.runs import Runs
        die = lambda run: os.kill(os.getpid(), signal.SIGKILL)
        Runs({str(runs.folder)!r}).keep(run_of(), dict.fromkeys(FRAMES, FRAME), die, NOW)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    left = [p.name for p in runs.folder.iterdir()]
    assert left == [".new-r-20250314-1a2b3c4d"]
    with pytest.raises(BadInput):
        runs.load("r-20250314-1a2b3c4d")
    assert keep(runs)["run_id"] == "r-20250314-1a2b3c4d"
    assert sorted(p.name for p in runs.folder.iterdir()) == ["r-20250314-1a2b3c4d"]


def test_a_run_being_written_by_a_living_process_is_left_alone(runs):
    """Sweeping looks at the writer's process, not at the clock."""
    place = runs.folder / ".new-r-20250314-1a2b3c4d"
    place.mkdir(parents=True)
    (place / "pid").write_text(str(os.getpid()))
    assert keep(runs)["run_id"] == "r-20250314-1a2b3c4d-2"
    assert place.is_dir()


@pytest.mark.parametrize("run_id", ["../../etc", "r-1", "", "r-20250314-1a2b3c4d/../x"])
def test_an_id_is_never_a_path(runs, run_id):
    """What is no id is refused before any file is looked at."""
    with pytest.raises(BadInput, match="not a valid run id"):
        runs.load(run_id)


def test_a_damaged_run_says_so(runs):
    """A cut-off file is told with its name, not with a traceback."""
    kept = keep(runs)
    (Path(kept["folder"]) / "trips.parquet").write_bytes(b"PAR1")
    (Path(kept["folder"]) / "run.json").write_text('{"run_id": ')
    with pytest.raises(DataError, match=r"trips\.parquet"):
        runs.frame(kept["run_id"], "trips")
    with pytest.raises(DataError, match=r"run\.json"):
        runs.load(kept["run_id"])


def test_digest_ignores_the_order_of_keys():
    """One hash for one configuration."""
    assert sha256_of_json({"a": 1, "b": [1.5]}) == sha256_of_json(json.loads('{"b": [1.5], "a": 1}'))


def test_a_damaged_run_is_run_again_and_not_the_end_of_its_key(runs):
    """The newest of two is cut off: the older one answers; when no file can be read the backtest runs anew."""
    older, newer = keep(runs), runs.keep(run_of(), dict.fromkeys(FRAMES, FRAME), lambda _: "", NOW + 1)
    assert runs.cached(KEY)["run_id"] == newer["run_id"]
    (Path(newer["folder"]) / "run.json").write_text('{"run_id": ')
    assert runs.cached(KEY)["run_id"] == older["run_id"]
    (Path(older["folder"]) / "run.json").write_text("")
    assert runs.cached(KEY) is None


def test_the_latest_runs_come_newest_first_and_no_more_than_asked(runs):
    """Whatever the order in which their ids sort."""
    for n, key in enumerate(("f", "0", "8")):
        runs.keep(run_of(cache_key=key * 64), dict.fromkeys(FRAMES, FRAME), lambda _: "", NOW + n)
    assert [row["id"][-8:] for row in runs.latest()] == ["8" * 8, "0" * 8, "f" * 8]
    assert [row["id"][-8:] for row in runs.latest(1)] == ["8" * 8]
    assert runs.latest(0) == []


def test_without_a_database_runs_are_folders_alone(tmp_path):
    """A notebook's store: kept and loaded by id, no list, no cache."""
    runs = Runs(tmp_path / "runs")
    kept = keep(runs)
    assert runs.load(kept["run_id"]) == kept
    assert (runs.latest(), runs.cached(KEY)) == ([], None)


def test_an_unknown_run_is_answered_with_the_nearest(runs):
    """The same digits of another day; where there is nothing alike, where to look."""
    keep(runs)
    with pytest.raises(BadInput, match="no run r-20240101-1a2b3c4d") as caught:
        runs.load("r-20240101-1a2b3c4d")
    assert caught.value.hint == "did you mean r-20250314-1a2b3c4d?"
    with pytest.raises(BadInput) as caught:
        Runs(runs.folder / "nowhere").load("r-20240101-1a2b3c4d")
    assert caught.value.hint == "see nightdesk runs list"


def test_a_home_that_moved_reads_its_runs_where_they_are_now(runs, tmp_path):
    """The folder in the stored JSON is that of then."""
    kept = keep(runs)
    moved = Runs((tmp_path / "runs").rename(tmp_path / "elsewhere"), runs.engine)
    assert moved.load(kept["run_id"])["folder"] == str(tmp_path / "elsewhere" / kept["run_id"])
    assert moved.cached(KEY)["folder"] == str(tmp_path / "elsewhere" / kept["run_id"])


def test_a_person_s_name_is_kept_beside_the_figures(runs):
    """Given, changed, taken away; an unknown run has none and gets none."""
    run_id = keep(runs)["run_id"]
    before = runs.load(run_id)
    assert (runs.latest()[0]["name"], runs.name_of(run_id)) == (None, "")
    runs.give_name(run_id, "wide stop")
    assert (runs.latest()[0]["name"], runs.name_of(run_id)) == ("wide stop", "wide stop")
    runs.give_name(run_id, "")
    assert (runs.latest()[0]["name"], runs.name_of(run_id)) == (None, "")
    assert runs.load(run_id) == before
    with pytest.raises(BadInput, match="no run"):
        runs.give_name("r-20250101-00000000", "x")
