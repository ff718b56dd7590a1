"""Every tool with every argument a model might get wrong: each outcome is a result, none our bug, none leaves anything behind."""

import json
import math
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import Engine

from app.cli.tool import options_of
from engine.control.config import DeskConfig, SleeveConfig, validated, write_first
from engine.data.catalog import Catalog
from engine.store.db import migrate, open_db
from engine.store.tables import Alert, InboxNote, LevelWatch, Proposal
from memory.shelf import Shelf
from tests.tools.conftest import NOW_MS, FakeJobs
from tests.tools.desk_journal import END, write_desk
from tests.tools.stored_runs import keep_run
from tools.catalog import ENTRIES, TOOLS, CatalogEntry, call
from tools.common.contract import RESULT_TEXT_MAX, Effect, JobView, ToolContext

CHANGE = [{"key": "stop_atr", "value": 1.5}]
VARY = ["stop_atr=1,2", "fast_bars=30"]
FIXED = ["stop_atr=3"]
WIDE = "slow_bars=500:2000:1"
LESS = [{"key": "leverage_max", "value": 1}]
RUN = "the id of the stored run"
# arguments with which each tool does something on the desk below; every hostile call changes one of them
GOOD: dict[str, dict[str, Any]] = {
    "desk": {},
    "sleeves": {"sleeve": "trend-btc"},
    "health": {},
    "alerts": {"state": "open", "since": "7d", "until": "1d", "limit": 5},
    "runbook": {"about": "bars"},
    "list_data": {"venue": "binance", "symbol": "BTC-USDT", "series": "15m"},
    "list_strategies": {"strategy": "trend"},
    "run": {"run_id": RUN},
    "round_trip": {"run_id": RUN, "number": 1},
    "journal_search": {
        "since": "2025-03-04",
        "until": "2025-03-06",
        "kinds": ["fill"],
        "sleeve": "trend-btc",
        "text": "a",
        "limit": 9,
    },
    "explain_event": {"sleeve": "trend-btc", "at": "2025-03-05"},
    "proposals": {"state": "pending"},
    "memory": {"topic": "desk"},
    "calc": {"expression": "2 * 2"},
    "trips": {
        "subject": RUN,
        "by": None,
        "worst": 3,
        "best": None,
        "sleeve": "trend",
        "side": "long",
        "exit": "stop",
        "since": "2024-01-01",
        "until": "2025-03-06",
    },
    "performance": {"subject": RUN},
    "excursions": {"subject": "desk", "sleeve": "trend-btc", "side": "long", "exit": "stop", "worst": 3}
    | {"since": "2024-01-01", "until": "2025-03-06"},
    "pnl": {"unit": "day", "sleeve": "trend-btc", "limit": 9},
    "pauses": {"sleeve": "trend-btc"},
    "watches": {},
    "incidents": {"window": "w1"},
    "orders": {"cid": "ndmpj600000002E00", "sleeve": "trend-btc", "only_open": True},
    "checklist": {"about": "worker"},
    "runbook_steps": {"about": "worker"},
    "more_tools": {"group": "risk"},
    "counts": {"what": "refused", "by": "rule", "since": "2025-03-04", "until": "2025-03-06", "sleeve": "trend-btc"},
    "version_effect": {"sleeve": "trend-btc", "version": 2},
    "exposure": {"by": "strategy"},
    "what_if": {"move_frac": -0.1, "symbol": "BTC-USDT", "gap": True},
    "worst_days": {"worst": 3},
    "define": {"word": "stop_atr"},
    "train_model": {"model": "vol-btc"},
    "parity": {"since": "2025-03-04", "sleeve": "trend-btc"},
    "drift": {"since": None, "sleeve": None},
    "model_drift": {"model": "vol@1.0.0", "days": 30},
    "strategy_code": {"strategy": "trend"},
    "draft_strategy": {"name": "mine", "code": "NAME = 'mine'", "why": "x"},
    "phase": {},
    "silences": {"place": "trend-btc", "kind": "exit", "state": "silent"},
    "audit": {"sleeve": "trend-btc", "dimension": "data"},
    "making": {"maker": "btc"},
    "predictions": {"sleeve": "trend-btc", "since": "2025-03-04", "until": "2025-03-06"},
    "weights": {"days": 90},
    "report": {"unit": "week", "of": "2025-03-05"},
    "joint_risk": {},
    "upkeep": {},
    "market_context": {"event_id": None, "sleeve": "trend-btc", "at": "2025-03-05 10:00"},
    "backtest": {
        "strategy": "trend",
        "symbol": "BTC-USDT",
        "timeframe": "15m",
        "venue": "binance",
        "start": "2025-01",
        "end": "2025-02",
        "changes": CHANGE,
        "fills": "optimistic",
        "funding": "recorded",
    },
    "compare": {"variants": [{"changes": CHANGE}], "sleeve": "trend-btc", "start": "2025-01", "end": "2025-02"},
    "leaks": {"strategy": "trend", "symbol": "BTC-USDT", "timeframe": "1h", "venue": "binance"},
    "sweep": {"strategy": "trend", "symbol": "BTC-USDT", "timeframe": "1h", "vary": VARY}
    | {"start": "2025-01", "end": "2025-02", "trials": 5},
    "walkforward": {"strategy": "trend", "symbol": "BTC-USDT", "timeframe": "1h", "vary": VARY}
    | {"start": "2025-01", "end": "2025-02", "train": "30d", "test": "5d", "edges": "carry"},
    "judge": {
        "strategy": "trend",
        "symbol": "BTC-USDT",
        "timeframe": "1h",
        "start": "2025-01",
        "end": "2025-02",
        "fixed": FIXED,
    },
    "pair_scan": {"symbols": ["BTC-USDT", "ETH-USDT"], "timeframe": "1h", "venue": "binance"}
    | {"start": "2025-01", "end": "2025-06", "window": "60d", "step": "5d"},
    "trials": {"hypothesis": "trend"},
    "attribution": {"since": "2025-03-04", "until": "2025-03-06"},
    "models": {"model": None, "sleeve": None},
    "probe": {},
    "drill": {"guard": "trail"},
    "propose_config": {"sleeve": "trend-btc", "changes": CHANGE, "rationale": "less", "start": "2025-01", "end": "2025-02"},
    "propose_model": {"sleeve": "trend-btc", "model": "vol-btc@1.0.0", "rationale": "better"},
    "propose_tightening": {"sleeve": "trend-btc", "changes": LESS, "rationale": "less", "apply_to_open": False},
    "propose_pause": {"sleeve": "trend-btc", "rationale": "storm", "ends": "24h", "also": []},
    "propose_watch": {"metric": "price", "subject": "BTC-USDT", "beyond": "below", "level": 80_000.0},
    "note": {"topic": "desk", "text": "seen", "evidence": ["d-1"]},
}
# one of each kind of wrong: of another type, out of range, too big, badly encoded, nobody's name, no time, no structure
FOREIGN: tuple[Any, ...] = (None, True, 3, -1, 10**30, math.nan, -math.inf, "3", [], {}, ["p-1"] * 10_000, {"key": {"key": {}}})
WORDS = ("", "   ", "nobody", "NaN", "../../etc/passwd", "'; drop table proposal; --", "\x00\x1b[2J\u202e", "\ud800")
WORDS += ("x" * 5_000, "{r1.sharpe}", "2025-13-45", "9999-99", "0000", "99999999999999", "9999d", "\u0663d")
ITEMS: tuple[Any, ...] = (
    [None],
    [[[[[[[[]]]]]]]],
    [{"key": "stop_atr", "value": 3}] * 31,
    [{"key": "stop_atr", "value": "3"}],
    [{"key": "stop_atr", "value": math.nan}],
    [{"key": "stop_atr", "value": None}],
    [{"key": "\ud800", "value": 1}],
    [{"key": "paused", "value": "yes"}],
    [{"key": "symbol", "value": "DOGE-USDT"}],
    [{"key": "stop_atr"}],
    [{"changes": []}],
    ["nobody", "nobody"],
)
NUMBERS: tuple[Any, ...] = (0, 51, 1e308, 1.5, "9" * 400)


class Desk(NamedTuple):
    """A desk of one sleeve that has walked two days, with a stored run; its tests only add to it."""

    engine: Engine
    home: Path
    run_id: str

    def context(self, line: CatalogEntry) -> tuple[ToolContext, list[Mapping[str, Any]]]:
        """A turn of the first role that may call the tool, with jobs that never end; and what it journals."""
        told: list[Mapping[str, Any]] = []

        def record(kind: str, body: Mapping[str, Any]) -> str:
            told.append({"kind": kind, **body})
            return f"p-{len(told)}"

        bars = Catalog([(self.home / "data", "recorded")])
        role, given = line.roles[0], (FakeJobs(), record)
        return ToolContext(self.engine, self.home, bars, *given, role, "t1", "u1", "mara", END, NOW_MS), told


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The one desk of this file."""
    home = tmp_path_factory.mktemp("hostile")
    engine = open_db(f"sqlite:///{home / 'desk.db'}")
    migrate(engine)
    Shelf(home / "memory").stock()
    sleeve = SleeveConfig(name="trend-btc", strategy="trend", venue="binance", symbol="BTC-USDT")
    write_first(engine, validated(DeskConfig(sleeves=(sleeve,))), 0, "test")
    write_desk(home)
    args = {"sleeves": [{"strategy": "trend", "symbol": "BTC-USDT"}]}
    yield Desk(engine, home, keep_run(home / "runs", engine, args, [0.01, -0.01, 0.002]))
    engine.dispose()


def wrong_for(schema: Mapping[str, Any]) -> list[Any]:
    """Wrong values for one argument: of every foreign kind, and those that only its own kind can be wrong by."""
    kinds = {str(option.get("type")) for option in options_of(schema)}
    own = [*(WORDS if "string" in kinds or "enum" in str(schema) else ()), *(ITEMS if "array" in kinds else ())]
    return [*FOREIGN, *own, *(NUMBERS if kinds & {"integer", "number"} else ())]


def filled(desk: Desk, name: str) -> dict[str, Any]:
    """The good arguments of a tool with the run that there is."""
    return {key: desk.run_id if value == RUN else value for key, value in GOOD[name].items()}


LEFT = " + ".join(f"(select count(*) from {table.__tablename__})" for table in (Proposal, InboxNote, Alert, LevelWatch))


def rows(engine: Engine) -> int:
    """Everything a model can leave in the database; of thousands of calls, so by the driver alone."""
    with closing(engine.raw_connection()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(f"select {LEFT}")
        return int(cursor.fetchone()[0])


def test_every_tool_has_its_good_arguments() -> None:
    """A tool that is added is added here too, with every argument that can be wrong."""
    assert set(GOOD) == set(TOOLS)


def test_good_arguments_get_past_the_checks(desk: Desk) -> None:
    """What the hostile calls change one at a time is itself answered, or starts its job: the table above tests something."""
    kept = rows(desk.engine)
    for line in ENTRIES:
        name = line.tool.name
        result = call(desk.context(line)[0], name, filled(desk, name))
        if name == "calc":  # constants alone are refused; its own tests give it facts
            assert "uses no fact" in result.text
        elif name == "propose_model":  # no sleeve here reads a model; tests/tools/test_models_tools.py has one that does
            assert "does not read the model" in result.text
        elif name in (
            "what_if",
            "worst_days",
            "exposure",
            "joint_risk",
        ):  # this journal is written by hand and folds to nothing; a real desk's is in test_figures.py
            assert "of another format" in result.text
        else:
            assert result.status in ("ok", "no_data", "started"), (name, result.text)
    assert rows(desk.engine) > kept, "a note, a watch, a proposal: what the tests below count is counted"


@pytest.mark.parametrize("line", [e for e in ENTRIES if e.tool.schema()["properties"]], ids=lambda line: line.tool.name)
def test_one_wrong_argument_is_an_outcome(desk: Desk, line: CatalogEntry) -> None:
    """Each argument in turn takes each wrong value: a status, a clean short text that is journaled, nothing left, no crash."""
    name = line.tool.name
    after = rows(desk.engine)
    for field, schema in line.tool.schema()["properties"].items():
        ctx, told = desk.context(line)
        for value in wrong_for(schema):
            ctx.proposed = False
            told.clear()
            kept = after
            result = call(ctx, name, filled(desk, name) | {field: value})
            about = f"{name}({field}={str(value)[:40]!r}): {result.text[:200]}"
            assert "our bug" not in result.text, about
            assert len(result.text) <= RESULT_TEXT_MAX, about
            assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in result.text if c not in "\n\t"), about
            json.dumps(result.as_json(), allow_nan=False).encode()
            assert told[-1]["status"] == result.status, about
            json.dumps(told, allow_nan=False).encode()
            after = rows(desk.engine)
            if result.status in ("refused", "failed"):
                assert after == kept, about
                assert result.facts == (), about


def test_an_argument_nobody_named_is_refused_by_its_name(desk: Desk) -> None:
    """A misspelled or smuggled argument never vanishes in silence, and starts nothing."""
    for line in ENTRIES:
        ctx, _ = desk.context(line)
        for extra in ("approve", "as", "limits", "role", "ctx", "__class__"):
            result = call(ctx, line.tool.name, filled(desk, line.tool.name) | {extra: 1})
            assert result.status == "refused"
            assert extra in result.text
        assert ctx.jobs.asked == []  # type: ignore[attr-defined]  # a FakeJobs


WRONG: dict[str, tuple[dict[str, Any], ...]] = {
    "backtest": (
        {"strategy": "trend", "symbol": "BTC-USDT", "start": "2025-02", "end": "2025-02"},
        {"strategy": "trend", "symbol": "BTC-USDT", "changes": [*CHANGE, *CHANGE]},
    ),
    "compare": (
        {"variants": [{"changes": CHANGE}], "sleeve": "nobody"},
        {"variants": [{"changes": [{"key": "stop_atr", "value": -1}]}], "sleeve": "trend-btc"},
        {"variants": [{"changes": CHANGE}], "sleeve": "trend-btc", "start": "2025-03", "end": "2025-02"},
    ),
    "leaks": ({"strategy": "trend", "timeframe": "7m"},),
    "sweep": (
        {"strategy": "trend", "symbol": "BTC-USDT", "vary": VARY, "start": "2025-02", "end": "2025-02"},
        {"strategy": "trend", "symbol": "BTC-USDT", "vary": [*VARY, *VARY]},
        {"strategy": "trend", "symbol": "BTC-USDT", "vary": ["stop_atr=-1,2"]},
        {"strategy": "trend", "symbol": "BTC-USDT", "vary": ["fast_bars=5:400:1", WIDE]},
    ),
    "walkforward": (
        {"strategy": "trend", "symbol": "BTC-USDT", "vary": []},
        {"strategy": "trend", "symbol": "BTC-USDT", "vary": ["stop_atr=2"]},
        {"strategy": "trend", "symbol": "BTC-USDT", "vary": VARY, "train": "soon"},
    ),
    "judge": (
        {"strategy": "trend", "symbol": "BTC-USDT", "start": "2025-02", "end": "2025-02"},
        {"strategy": "trend", "symbol": "BTC-USDT", "fixed": [*FIXED, *FIXED]},
        {"strategy": "trend", "symbol": "BTC-USDT", "fixed": ["stop_atr=-1"]},
    ),
    "pair_scan": (
        {"symbols": ["BTC-USDT"]},
        {"symbols": ["BTC-USDT", "BTC-USDT"]},
        {"symbols": ["BTC-USDT", "ETH-USDT"], "window": "soon"},
        {"symbols": ["BTC-USDT", "ETH-USDT"], "window": "1h"},
        {"symbols": ["BTC-USDT", "ETH-USDT"], "start": "2025-02", "end": "2025-02"},
    ),
    "parity": ({"sleeve": "nobody"}, {"since": "2031"}),
    "drift": ({"sleeve": "nobody"}, {"since": "2031"}),
    "train_model": ({"model": 7}, {"model": "x" * 61}, {}),
    "model_drift": ({"model": 7}, {"model": "x" * 61}, {"model": "vol", "days": 0}),
    "attribution": ({"since": "2025-03-06", "until": "2025-03-04"},),
    "probe": ({"deep": True},),
    "drill": ({"guard": 7}, {"guard": "x" * 61}, {"sleeve": "trend-btc"}),
}


def test_a_refused_computation_starts_no_job(desk: Desk) -> None:
    """Dates reversed, an unknown sleeve, a parameter out of its bounds or given twice: said before anything is queued."""
    assert set(WRONG) == {line.tool.name for line in ENTRIES if line.effect is Effect.COMPUTE}
    for name, wrong in WRONG.items():
        ctx, _ = desk.context(TOOLS[name])
        for args in wrong:
            result = call(ctx, name, args)
            assert result.status in ("refused", "failed"), result.text
        assert ctx.jobs.asked == []  # type: ignore[attr-defined]  # a FakeJobs


@pytest.mark.parametrize("state", ["failed", "cancelled"])
@pytest.mark.parametrize(
    "name", ["backtest", "compare", "leaks", "parity", "drill", "sweep", "walkforward", "judge", "pair_scan", "propose_config"]
)
def test_a_job_that_died_without_a_word_is_a_failure_in_words(desk: Desk, name: str, state: Any) -> None:
    """No error text, or one full of escape sequences: the answer is `failed`, readable, and leaves no proposal."""
    for error in (None, "", "\x1b[31mKilled\u202e" + "x" * 9_000):
        ctx, _ = desk.context(TOOLS[name])
        kept = rows(desk.engine)
        ctx.jobs.ends = lambda job, _args, error=error: JobView(job, state, 0.0, None, error)  # type: ignore[attr-defined]
        result = call(ctx, name, filled(desk, name))
        assert result.status == "failed"
        assert len(result.text) < 700
        assert result.text.isprintable()
        assert (state in result.text) if not error else ("Killed" in result.text)
        assert rows(desk.engine) == kept


def test_a_finished_job_without_a_run_is_not_reported_as_one(desk: Desk) -> None:
    """`done` with no run id, or with the id of a run that is gone, gives no figure."""
    for run_id in (None, "r-20250101-00000000", "../../desk.db"):
        ctx, _ = desk.context(TOOLS["backtest"])
        ctx.jobs.ends = lambda job, _args, run_id=run_id: JobView(job, "done", 1.0, run_id, None)  # type: ignore[attr-defined]
        result = call(ctx, "backtest", {"strategy": "trend", "symbol": "BTC-USDT"})
        assert result.status == "failed"
        assert ("no run id" if run_id is None else "run") in result.text
        assert result.facts == ()


def test_a_number_that_is_none_is_stopped_at_the_door(desk: Desk) -> None:
    """NaN and infinity never reach a tool, wherever a number is taken: the refusal names the argument."""
    for value in (math.nan, math.inf, -math.inf):
        for name, field in (("journal_search", "limit"), ("alerts", "limit"), ("round_trip", "number"), ("backtest", "changes")):
            given = [{"key": "stop_atr", "value": value}] if field == "changes" else value
            result = call(desk.context(TOOLS[name])[0], name, filled(desk, name) | {field: given})
            assert result.status == "refused", name
            assert result.text.startswith(f"{name}: {field}"), result.text
