"""What the thread's last run or search was of: what a sentence that names none goes on with. Called by the plans of runs."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from agents.offline.params import value_text
from agents.offline.steps import CallResult, Question
from engine.clock import DAY_MS, utc_day

_FOCUS = ("backtest", "judge", "compare", "sweep", "walkforward", "run")


class RunFocus(NamedTuple):
    """What the thread's last run or search was of."""

    strategy: str
    symbol: str
    timeframe: str
    start: str | None
    end: str | None
    params: Mapping[str, Any]  # settings other than the strategy's defaults
    vary: Mapping[str, str]  # of a search


def beyond_defaults(q: Question, strategy: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are not the strategy's defaults."""
    defaults = {param.key: param.default for param in q.words.strategies.get(strategy, ())}
    return {key: value for key, value in params.items() if value is not None and (key not in defaults or defaults[key] != value)}


def focus_of(q: Question) -> RunFocus | None:
    """The thread's last run or search; None when it made or showed none."""
    for result in reversed(q.results()):
        if result.name in _FOCUS and result.status in ("ok", "started") and (found := _focus_in(q, result)) is not None:
            return found
    return None


def _focus_in(q: Question, result: CallResult) -> RunFocus | None:
    """What one result is of: of a run that was looked up its own settings, of a call its arguments."""
    args = result.args
    ends = (args.get("start"), args.get("end"))
    if result.name == "compare" and args.get("sleeve"):
        sleeve = next((s for s in q.words.sleeves if s.name == args["sleeve"]), None)
        if sleeve is None:
            return None
        own = beyond_defaults(q, sleeve.strategy, sleeve.params)
        return RunFocus(sleeve.strategy, sleeve.symbol, sleeve.timeframe, *ends, own, _compared(args))
    listed, data = list(result.data.get("sleeves") or []), result.data.get("data") or {}
    if result.name == "run" and len(listed) == 1 and data.get("first_ms") and listed[0].get("symbol"):
        of, first, last = listed[0], utc_day(data["first_ms"]), utc_day(data["last_ms"] + DAY_MS)
        own = beyond_defaults(q, of["strategy"], of.get("params") or {})
        return RunFocus(of["strategy"], of["symbol"], result.data.get("timeframe") or "15m", first, last, own, {})
    if not (args.get("strategy") and args.get("symbol")):
        return None
    given = dict(pair.partition("=")[::2] for pair in (*(args.get("vary") or ()), *(args.get("fixed") or ())))
    vary = {key: values for key, values in given.items() if "," in values or ":" in values} | _compared(args)
    params = {change["key"]: change["value"] for change in args.get("changes") or ()}
    params |= {key: value for key, value in given.items() if key not in vary}
    return RunFocus(args["strategy"], args["symbol"], args.get("timeframe") or "15m", *ends, params, vary)


def _compared(args: Mapping[str, Any]) -> dict[str, str]:
    """The values of a comparison's variants by key, of the keys that have several."""
    values: dict[str, list[str]] = {}
    for variant in args.get("variants") or ():
        for change in variant["changes"]:
            values.setdefault(change["key"], []).append(value_text(change["value"]))
    return {key: ",".join(dict.fromkeys(listed)) for key, listed in values.items() if len(set(listed)) > 1}
