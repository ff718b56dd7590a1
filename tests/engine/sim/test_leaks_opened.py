"""F10, the leak, from elsewhere: files, models, answers of earlier runs; rare leaks under a level signal; checks made before."""

import builtins
import json
import os
import pickle
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.home.home import open_home
from app.jobs import kinds
from engine.data.catalog import Catalog
from engine.errors import StrategyError
from engine.sim import access, backtest, leaks, prefixes
from engine.sim.backtest import simulate
from engine.sim.checked import check_sleeve
from engine.sim.report_parts import verdicts
from engine.sim.resolve import planned
from engine.strategies.base import SignalFrame, StrategyParams
from tests.fakes import recordings
from tests.fakes.rules_on_bars import FRAME, QUARTER_MS, FeatureFrame, SimpleNamespace, closes, strategy
from tools.runs import looks_ahead

HEAD = '''"""A person's own."""
import ctypes, os, pickle, socket, subprocess
from pathlib import Path

import numpy as np
import polars as pl

from engine.strategies.base import SignalFrame, StrategyParams

NAME, FEATURES = "mine", ("sma",)
FOLDER = Path(__file__).parent


class Params(StrategyParams):
    """None of its own."""


def answer(direction):
    direction = np.sign(np.asarray(direction, float))
    return SignalFrame(direction.astype(np.int8), np.abs(direction))


'''
EARLIER = (
    "def signals(f, p):\n    kept = FOLDER / 'kept.pickle'\n"
    "    if kept.exists():\n        return answer(pickle.loads(kept.read_bytes())[: len(f)])\n"
    "    found = np.append(f.close[1:] - f.close[:-1], 0.0)\n    kept.write_bytes(pickle.dumps(found))\n"
    "    return answer(found)\n"
)
CLEAN = "def signals(f, p):\n    return answer(np.nan_to_num(f.close - f.sma(40)))\n"
FILES = {
    "tomorrow in csv": (
        "def signals(f, p):\n    x = np.array([float(line) for line in open(FOLDER / 'later.csv')])\n"
        "    return answer((x - np.nan_to_num(f.close, nan=1.0)[0])[: len(f)])\n",
        "reads {folder}/later.csv",
    ),
    "tomorrow in parquet": (
        "def signals(f, p):\n    x = pl.read_parquet(FOLDER / 'later.parquet')['x'].to_numpy()\n    return answer(x[: len(f)])\n",
        "reads {folder}/later.parquet",
    ),
    "tomorrow in a lazy scan": (
        "from polars import scan_parquet\ndef signals(f, p):\n"
        "    x = scan_parquet(str(FOLDER / 'later.parquet')).collect()['x'].to_numpy()\n    return answer(x[: len(f)])\n",
        "reads {folder}/later.parquet",
    ),
    "a model stored beside it, loaded at import": (
        "MODEL = np.load(FOLDER / 'model.npy')\ndef signals(f, p):\n    return answer(MODEL[: len(f)])\n",
        "reads {folder}/model.npy",
    ),
    "a model as a module beside it": (
        "import sys\nsys.path.insert(0, str(FOLDER))\nimport weights_of_mine\nsys.path.pop(0)\n"
        "del sys.modules['weights_of_mine']\ndef signals(f, p):\n"
        "    return answer(np.nan_to_num(f.close - f.sma(40)) * weights_of_mine.SIGN)\n",
        "weights_of_mine",
    ),
    "native code": (
        "libc = ctypes.CDLL(None)\ndef signals(f, p):\n"
        "    number = libc.open(bytes(FOLDER / 'later.csv'), 0)\n"
        "    ok = number >= 0\n    if ok:\n        os.close(number)\n    return answer(np.full(len(f), ok))\n",
        leaks.NATIVE,
    ),
    "an answer kept for the next run": (
        "import builtins\ndef signals(f, p):\n"
        "    if len(getattr(builtins, 'kept_by_mine', ())) < len(f):\n"
        "        builtins.kept_by_mine = np.append(np.diff(f.close), 0.0)\n"
        "    return answer(builtins.kept_by_mine[: len(f)])\n",
        "keeps builtins.kept_by_mine",
    ),
    "a socket": (
        "def signals(f, p):\n    with socket.socket() as s:\n        s.connect_ex(('127.0.0.1', 9))\n"
        "    return answer(f.close > 0)\n",
        "connects to ('127.0.0.1', 9)",
    ),
    "a variable of the environment": (
        "def signals(f, p):\n    x = os.environ.get('MY_ANSWERS', '')\n    return answer(np.full(len(f), len(x) + 1))\n",
        "reads the environment: MY_ANSWERS",
    ),
    "a variable by getenv, at import": (
        "X = os.getenv('MY_ANSWERS', '')\ndef signals(f, p):\n    return answer(np.full(len(f), len(X) + 1))\n",
        "reads the environment: MY_ANSWERS",
    ),
    "the whole environment": (
        "def signals(f, p):\n    return answer(np.full(len(f), len({**os.environ}) > 0))\n",
        "reads the environment: all of it",
    ),
    "the clock of the wall": (
        "import datetime as dt\ndef signals(f, p):\n    return answer(np.full(len(f), dt.datetime.now().hour < 25))\n",
        ": dt.datetime.now)",
    ),
    "the clock, at import": (
        "from time import time as seconds\nDAY = seconds() // 86400\n"
        "def signals(f, p):\n    return answer(np.full(len(f), DAY > 0))\n",
        ": seconds)",
    ),
    "the memory": (
        "import gc\ndef signals(f, p):\n    gc.get_objects(0)\n    return answer(f.close > 0)\n",
        "searches the memory (gc.get_objects)",
    ),
    "a program": (
        "def signals(f, p):\n    subprocess.run(['true'], check=True)\n    return answer(f.close > 0)\n",
        "starts true",
    ),
}


@pytest.fixture(scope="module")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A month of made-up bars, and beside a strategy what it should not read."""
    return recordings.record(tmp_path_factory.mktemp("bars"), symbols=("BTC-USDT",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A strategies folder with tomorrow's moves in files, and a model."""
    import polars as pl

    close = recordings.bars(3_000)["close"].to_numpy()
    later = np.append(np.diff(close), 0.0)
    (tmp_path / "later.csv").write_text("\n".join(map(str, close)))
    pl.DataFrame({"x": later}).write_parquet(tmp_path / "later.parquet")
    np.save(tmp_path / "model.npy", later)
    (tmp_path / "weights_of_mine.py").write_text("SIGN = 1\n")
    return tmp_path


def own(folder: Path, body: str) -> Path:
    """The strategy file `mine`."""
    path = folder / "mine.py"
    path.write_text(HEAD + body)
    return path


def run_of(folder: Path, bars: Path, body: str = "") -> Any:
    """Its backtest on the month."""
    if body:
        own(folder, body)
    return backtest("mine", "BTC-USDT", catalog=Catalog([(bars, "recorded")]), folder=folder, funding="none")


@pytest.mark.sample(3)
@pytest.mark.parametrize("kind", FILES)
def test_what_a_strategy_opens_is_named(kind: str, folder: Path, bars: Path) -> None:
    """Prefixes agree, and still it is not clean: what it opened is named, before any figure."""
    body, opened = FILES[kind]
    try:
        found = run_of(folder, bars, body).report["leaks"]
    finally:
        vars(builtins).pop("kept_by_mine", None)
    assert (found["clean"], found["looks_ahead"]) == (False, kind == "an answer kept for the next run")
    text = opened.format(folder=folder)
    assert any(text in name for name in found["strategies"][0]["opened"]), found
    assert leaks.verdict(found)
    if not found["looks_ahead"]:
        assert text in found["text"]
        assert "cannot be vouched for" in found["text"]


def test_an_answer_of_an_earlier_run_is_named(folder: Path, bars: Path) -> None:
    """What it wrote for a shorter history does not answer the whole one; a file of an earlier run is named as read."""
    with pytest.raises(StrategyError, match=r"kept\.pickle - is an answer kept between calls"):
        run_of(folder, bars, EARLIER)
    (folder / "kept.pickle").write_bytes(pickle.dumps(np.diff(recordings.bars(3_001)["close"].to_numpy())))
    found = run_of(folder, bars).report["leaks"]
    assert not found["clean"]
    assert any("kept.pickle" in name for name in found["strategies"][0]["opened"])


def test_an_honest_file_is_not_accused(folder: Path, bars: Path) -> None:
    """Imports inside signals() that read the environment for themselves, a raised and caught error, time zones, random numbers of
    a seed: clean."""
    body = (
        "def signals(f, p):\n    import colorsys, tempfile, zoneinfo\n    tempfile._candidate_tempdir_list()\n"
        "    zoneinfo.ZoneInfo('Europe/Berlin')\n"
        "    try:\n        [][1]\n    except IndexError:\n        pass\n"
        "    np.random.default_rng(1)\n    return answer(np.nan_to_num(f.close - f.sma(40)))\n"
    )
    found = run_of(folder, bars, body).report["leaks"]
    assert (found["clean"], found["looks_ahead"], found["strategies"][0]["opened"]) == (True, False, ())
    assert leaks.verdict(found) == ""


def test_the_verdict_is_on_every_output(folder: Path, bars: Path) -> None:
    """JSON, note, page and tool text say what it reads; a run of before the second verdict still says that it looks ahead."""
    run = run_of(folder, bars, FILES["tomorrow in parquet"][0])
    named = f"reads {folder}/later.parquet: cannot be vouched for"
    report = run.report
    json.dumps(report, allow_nan=False)
    assert any(named in note for note in report["notes"])
    assert any(v["kind"] == "bad" and named in v["text"] for v in verdicts(report))
    assert looks_ahead(report).startswith("CANNOT BE VOUCHED FOR: ")
    assert named in looks_ahead(report)
    assert "CANNOT BE VOUCHED FOR" in run.page({**report, "run_id": "r-20250101-00000000"})
    assert leaks.verdict({"clean": False, "text": "leaks at bar 3"}).startswith("LOOKS AHEAD")


# ---------------------------------------------------------------- rare leaks


def rare(kind: str, seed: int, count: int = 12_000) -> Any:
    """A level of two averages that knows the next bar at 1 bar in 700: (strategy, frame)."""
    rng = np.random.default_rng(100 + seed)
    close = 100.0 * np.exp(np.cumsum(rng.standard_t(4, count) * 0.002))
    columns = [close, close * 1.001, close * 0.999, close, np.ones(count)]
    frame = FeatureFrame((np.arange(count) + 1) * QUARTER_MS, *columns, QUARTER_MS)
    move = np.diff(close) / close[:-1]
    largest = np.sort(np.abs(move))[-(count // 700)]

    def rule(f: Any, p: Any) -> Any:
        level = np.sign(np.nan_to_num(f.sma(50) - f.sma(200)))
        later = np.append(np.diff(closes(f)) / closes(f)[:-1], 0.0)
        known = np.abs(later) >= largest if kind == "largest moves" else np.arange(len(f)) % 700 == 37 * seed
        if kind == "steps aside":
            return np.where((level * later < 0) & (np.abs(later) >= largest), 0, level)
        return np.where(known & (later != 0.0), np.sign(later), level)

    return strategy(rule), frame


@pytest.mark.sample(1)
@pytest.mark.parametrize("kind", ["largest moves", "every 700th bar", "steps aside"])
def test_a_rare_leak_under_a_level_signal_is_found(kind: str) -> None:
    """One bar in 700 knows the next one: found at 9 of 10 seeds at least, on as many different histories."""
    found = []
    for seed in range(10):
        mine, frame = rare(kind, seed)
        found.append(leaks.check(mine, StrategyParams(), frame, seed=seed).looks_ahead)
    assert sum(found) >= 9, found


def test_a_limit_that_leaks_is_found() -> None:
    """Direction and strength clean, the limit at the next bar's low."""

    def signals(f: Any, p: Any) -> SignalFrame:
        return SignalFrame(np.ones(len(f), np.int8), np.ones(len(f)), limit_price=np.append(f.low[1:], 1.0))

    mine = SimpleNamespace(NAME="mine", FEATURES=(), Params=StrategyParams, signals=signals)
    report = leaks.check(mine, StrategyParams(), FRAME)
    assert (report.looks_ahead, report.output) == (True, "limit_price")


@pytest.mark.parametrize("output", ["post_only", "good_for_bars"])
def test_a_way_to_enter_that_leaks_is_found(output: str) -> None:
    """How long an order rests, or whether it may take, for the whole history as the last bar says."""

    def signals(f: Any, p: Any) -> SignalFrame:
        up = bool(f.close[-1] > f.close[-9]) if len(f) > 9 else False
        how = {"post_only": {"post_only": up}, "good_for_bars": {"good_for_bars": 2 + up}}[output]
        return SignalFrame(np.ones(len(f), np.int8), np.ones(len(f)), limit_offset_atr=0.5, **how)

    mine = SimpleNamespace(NAME="mine", FEATURES=(), Params=StrategyParams, signals=signals)
    report = leaks.check(mine, StrategyParams(), FRAME)
    assert (report.looks_ahead, report.output) == (True, output)


def test_a_warning_is_nothing_that_a_strategy_keeps() -> None:
    """Python notes in our own module that numpy warned there; no later run can read anything from it."""
    seen: dict[str, None] = {}
    with access.watched(seen):
        vars(leaks)["__warningregistry__"] = {"version": 1}
    vars(leaks).pop("__warningregistry__")
    assert seen == {}


def test_the_power_is_computed() -> None:
    """What 200 prefixes would find: drawn by hand, the same figure; all changes tried: certainty."""
    report = leaks.check(strategy(lambda f, p: f.close > f.sma(200)), StrategyParams(), FRAME)
    power = dict(report.power)
    rng, leaking = np.random.default_rng(3), 4_999 // 700
    hits = [bool((rng.choice(4_999, leaking, replace=False) < 200).any()) for _ in range(4_000)]
    assert power["at 1 in 700"] == pytest.approx(np.mean(hits), abs=0.03)
    assert prefixes.escapes(50, 20, 5) == pytest.approx(comb(30, 5) / comb(50, 5), rel=1e-12)
    assert (prefixes.escapes(50, 50, 1), prefixes.escapes(50, 0, 9)) == (0.0, 1.0)
    assert f"at 1 in 700 with {power['at 1 in 700'] * 100:.0f} %" in report.text
    assert 0.5 < power["at 1 change of the signal in 20"] <= 1.0
    assert "at 1 change of the signal in 20" not in dict(
        leaks.check(strategy(lambda f, p: f.close > 0), StrategyParams(), FRAME).power
    )


# ---------------------------------------------------------------- once, and again when something changed


@pytest.mark.slow
def test_a_check_is_made_once_for_the_same_code_and_bars(folder: Path, bars: Path, own_home: Path) -> None:
    """The second run takes the report from the home; another file, parameter or bar, and it is made anew."""
    home = open_home()
    own(home.strategies, CLEAN)
    catalog = Catalog([(bars, "recorded")])

    def kept(catalog: Catalog = catalog, **more: Any) -> bool:
        ask = {"strategy": "mine", "symbol": "BTC-USDT", "funding": "none", **more}
        run = simulate(planned(home.setup, catalog, ask), checks=home.setup.checks)
        assert run.report["leaks"]["clean"]
        return bool(run.report["leaks"]["strategies"][0]["kept"])

    from engine.sim import checked

    assert not kept()
    checked._memory.clear()
    assert kept()
    assert not kept(params={"stop_atr": 3})
    own(home.strategies, CLEAN.replace("40", "41"))
    assert not kept()
    other = recordings.record(folder / "other", count=2_999, symbols=("BTC-USDT",))
    assert not kept(Catalog([(other, "recorded")]))
    (made,) = {path.suffix for path in (home.path / "checks").iterdir()}
    assert made == ".json"


def test_a_kept_report_does_not_hide_what_is_opened_later(folder: Path, bars: Path) -> None:
    """It opened nothing when it was checked, and reads a file today: named all the same, and that is not kept."""
    body = (
        "def signals(f, p):\n    if hasattr(os, 'later_of_mine'):\n        open(FOLDER / 'later.csv').close()\n"
        "    return answer(f.close > 0)\n"
    )
    assert run_of(folder, bars, body).report["leaks"]["clean"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "later_of_mine", True, raising=False)
        found = run_of(folder, bars).report["leaks"]
    assert found["strategies"][0]["kept"]
    assert f"reads {folder}/later.csv: cannot be vouched for" in found["text"]
    assert run_of(folder, bars).report["leaks"]["clean"]


def test_the_check_looks_at_the_span_that_was_asked_for(folder: Path, bars: Path) -> None:
    """`--from`: prefixes end inside it, the bars before are warm-up; the number of bars is that of the span."""
    own(folder, CLEAN)
    ask = {"strategy": "mine", "symbol": "BTC-USDT", "start": "2025-01-20", "funding": "none"}
    found = planned(open_home().setup, Catalog([(bars, "recorded")]), ask, folder)
    report = kinds.leaks_in(found, None)
    assert report["data"]["bars"] == 3_000 - 19 * 96
    assert f"200 prefixes of {3_000 - 19 * 96:,} bars agree" in report["text"]
    (sleeve,) = found.sleeves
    loaded = backtest.load(found)
    ends = leaks.prefixes(np.ones(3_000, np.int8), loaded.own[sleeve.bar_ms].whole.close[:, 0], 200, 0, 19 * 96)
    assert min(ends) > 19 * 96
    assert check_sleeve(found, sleeve, loaded)["kept"]


def test_what_every_program_opens_is_no_access() -> None:
    """Libraries, time zones, devices; a descriptor that is open; the rest is named, cut, and without line breaks."""
    assert access.access_text("open", (np.__file__, "r", 0)) == ""
    assert access.access_text("open", ("/usr/share/zoneinfo/UTC", "rb", 0)) == ""
    assert access.access_text("open", (7, "r", 0)) == ""
    assert access.access_text("open", (access.library_archive(), "rb", 0)) == ""
    assert access.access_text("open", ("__editable__.some_package.finder.__path_hook__", "rb", 0)) == ""
    assert access.access_text("open", ("/x/python311.zip", "rb", 0)) == "reads /x/python311.zip"
    assert access.access_text("open", ("/x/a\nb", "r", 0)) == "reads /x/a?b"
    assert access.access_text("open", ("/x/a", "a", 0)) == "writes /x/a"
    assert access.access_text("sqlite3.connect", ("/x/a.db",)) == "reads /x/a.db"
    assert len(access.access_text("open", ("/x/" + "a" * 999, "r", 0))) == access.TEXT_MAX
