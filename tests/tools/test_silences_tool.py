"""The tool `silences`: the watch's last look as facts and a table; nothing is counted while a model waits."""

import json
from collections.abc import Callable

from engine.watch import derived
from engine.watch.silence import status
from engine.watch.silence.rates import ExpectedEvent, judged, rates_json
from tests.tools.conftest import NOW_MS
from tools.catalog import call
from tools.common.contract import ToolContext

PULSES = [
    ExpectedEvent("exit", "btc-trend", "trail", "round trips", 44, 200, 60, NOW_MS),
    ExpectedEvent("bars", "binance:BTC-USDT:perp", "bars", "closes", 90, 90, 0, NOW_MS, periodic=True),
    ExpectedEvent("feature", "btc-trend", "vix", "decisions", 2, 2, 2, NOW_MS),
]
ALL = {"place": None, "kind": None, "state": None}


def test_the_last_look_is_facts_and_a_table(make_ctx: Callable[..., ToolContext]) -> None:
    """The silent ones by name and first, what cannot be judged counted beside them; without a look it says what makes one."""
    ctx = make_ctx("operator", now_ms=NOW_MS)
    assert "nightdesk silences makes one" in call(ctx, "silences", ALL).text
    keep(ctx)
    result = call(ctx, "silences", ALL)
    counts = {fact.metric: fact.value for fact in result.facts[:3]}
    assert counts == {"silent": 1, "cannot_tell": 1, "as_expected": 1}
    assert result.text.startswith("Silent: btc-trend: trailing stop: it stopped: 0 in 60 round trips since ")
    assert "cannot be judged for want of history, which is not a pass" in result.text
    assert result.table is not None
    assert [row[0] for row in result.table.rows] == ["silent", "cannot tell", "as expected"]
    assert [row[1] for row in call(ctx, "silences", ALL | {"place": "btc-trend"}).table.rows] == ["exit", "feature"]  # type: ignore[union-attr]
    assert call(ctx, "silences", ALL | {"kind": "funding"}).status == "no_data"


def keep(ctx: ToolContext) -> None:
    """A look in the home's file, as the supervisor leaves it."""

    found = judged(PULSES)
    path = ctx.home / status.FILE
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"schema": derived.SCHEMA, "wall_ms": NOW_MS, "counts": {}, "items": rates_json(found)}))


def test_that_nothing_is_silent_is_an_answer(make_ctx: Callable[..., ToolContext]) -> None:
    """It was `has nothing of {'place': None, 'kind': None, 'state': 'silent'}`; what it was not looked for is said in words."""
    ctx = make_ctx("operator", now_ms=NOW_MS)
    keep(ctx)
    result = call(ctx, "silences", ALL | {"place": "binance:BTC-USDT:perp", "state": "silent"})
    assert result.status == "ok"
    assert result.text.startswith("Nothing that could be judged is silent. At ")
    counts = {fact.metric: fact.value for fact in result.facts}
    assert counts == {"silent": 0, "cannot_tell": 0, "as_expected": 1}
    nothing = call(ctx, "silences", ALL | {"place": "sol-x", "state": "silent"})
    assert (nothing.status, nothing.text.endswith("has nothing of place sol-x, state silent")) == ("no_data", True)
