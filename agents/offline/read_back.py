"""How a sentence was read, in words that a person checks at a glance. Called by steps.py and model.py: calls in, a line out.

What nobody named is said too: the whole desk, since its start, yesterday. A default chosen in silence is the commonest way to
answer another question.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from agents.offline.words import LISTS
from tools.common import render


class PlannedCall(NamedTuple):
    """A tool call that a plan makes."""

    name: str
    args: Mapping[str, Any]


_WHAT: Mapping[str, str] = LISTS["what"]  # what a tool gives
_WINDOW: Mapping[str, str] = LISTS["windows"]  # what it takes where no window is named


def what_of(tool: str) -> str:
    """What a tool gives, in words."""
    return _WHAT.get(tool, tool.replace("_", " "))


_OF_DESK = ("trips", "pnl", "performance", "excursions", "journal_search", "counts", "attribution", "parity", "pauses")
_SUBJECT = ("subject", "run_id", "sleeve", "also", "strategy", "symbol", "hypothesis")
_PLAIN = (*_SUBJECT, "event_id", "alert_id", "proposal_id", "about", "query", "topic", "word", "timeframe", "venue")
_LEFT_OUT = frozenset(("rationale", "since", "until", "start", "end", "at", "ends", *_SUBJECT))


def read_as(calls: Sequence[PlannedCall]) -> str:
    """`round trips of btc-trend, since 2025-11-25, by exit`; empty where nothing could be read in two ways."""
    return "; then ".join(dict.fromkeys(text for call in calls if (text := _call_text(call))))


def _call_text(call: PlannedCall) -> str:
    args = {name: value for name, value in call.args.items() if value not in (None, "", [])}
    if not args and call.name not in _WINDOW and call.name not in _OF_DESK:
        return ""
    what = _WHAT.get(call.name, call.name.replace("_", " "))
    subject = _subject(call.name, args)
    subject = str(args.pop("word")) if "word" in args else subject
    parts = [f"{what} of {subject}" if subject else what, _window(call.name, args)]
    parts += [_argument(name, value) for name, value in args.items() if name not in _LEFT_OUT]
    if call.name == "pnl":
        of = parts[0].replace("P&L", "equity and P&L", 1) if args.get("equity") else parts[0]
        parts = [of, f"by {args.get('unit', 'day')}, the last {args.get('limit', 12)}"]
    return ", ".join(part for part in parts if part)


def _subject(tool: str, args: Mapping[str, Any]) -> str:
    args = {**args, "also": [one["sleeve"] if isinstance(one, Mapping) else one for one in args.get("also") or ()]}
    named = [", ".join(map(str, v)) if isinstance(v, list) else str(v) for name in _SUBJECT if (v := args.get(name))]
    run = str(args.get("subject", "")).startswith("r-")
    if args.get("strategy") and args.get("symbol"):
        return f"{args['strategy']} on {args['symbol']}"
    if named and named != ["desk"]:
        return f"run {', '.join(named)}" if run or (tool == "run" and args.get("run_id")) else ", ".join(named)
    return "the whole desk" if tool in _OF_DESK else ""


def _window(tool: str, args: Mapping[str, Any]) -> str:
    ends = (("since", "start"), ("until", "end", "ends"))
    start, end = (next((moment(args[name]) for name in names if args.get(name)), "") for names in ends)
    if args.get("at"):
        return f"at {moment(args['at'])}"
    if start and end:
        return f"from {start} up to {end}"
    if end:
        return end if end.startswith(("until", "till", "for")) else f"until {end}"
    ever = start.startswith("2009-01-01")
    return "since the start" if ever else _since(start) if start else _WINDOW.get(tool, "") if not args.get("alert_id") else ""


def _since(start: str) -> str:
    """`since 2025-11-25`, `the last 24 hours`, `last night`."""
    if re.fullmatch(r"\d+ ?[a-z]+", start):
        return f"the last {start}"
    return start if re.match(r"last |overnight|since ", start) else f"since {start}"


def moment(text: Any) -> str:
    """A time as people write it: midnight left out."""
    return str(text).replace("T00:00", "").replace("T", " ")


def _argument(name: str, value: Any) -> str:
    if name == "changes":
        return changes_text({c["key"]: c["value"] for c in value})
    if name == "variants":
        return " against ".join(changes_text({c["key"]: c["value"] for c in v["changes"]}) for v in value)
    if isinstance(value, list):
        return f"{'only ' if name == 'kinds' else f'{name} '}{', '.join(map(str, value))}"
    short = {"by": "by {}", "worst": "the worst {}", "best": "the best {}", "side": "{}s only", "outcome": "{} only"}
    short |= {"only_open": "open ones only", "listed": "each of them, the {} first", "held": "held {}"}
    short |= {"exit": "ended by {} only", "rule": "rule {}", "state": "{} ones", "what": "{} only", "number": "number {}"}
    if name in short:
        return short[name].format(value)
    return render.one_line(value, 120) if name in _PLAIN else f"{name.replace('_', ' ')} {render.one_line(value, 120)}"


def changes_text(changes: Mapping[str, Any]) -> str:
    """`stop_atr=2, fast_bars=20`."""
    return ", ".join(f"{key}={value}" for key, value in changes.items())
