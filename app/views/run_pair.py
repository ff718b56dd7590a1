"""Two stored runs side by side: what differs, the figures of both, their curves, and whether they can be told apart.

Called by app/api/runs.py and app/cli/runs.py. Turns two runs into JSON that the page and the command line draw; the verdict is
sim/versus.py's, the same that a comparison by a role gives.
"""

from collections.abc import Mapping
from typing import Any

from app.views.run_list import differing, label_of, settings_of, span_text, value_text
from engine.sim import report_parts as parts
from engine.sim import versus
from engine.sim.bootstrap import Difference
from engine.sim.life import favours, life_of
from engine.sim.naming import run_name
from engine.sim.report import rounded
from engine.store.runs import Runs, summary_of

NAMES = ("first", "second")


def pair_of(runs: Runs, one: str, other: str) -> dict[str, Any]:
    """The comparison of two runs. Raises BadInput for an unknown id."""
    first, second = runs.load(one), runs.load(other)
    loaded = [first, second]
    settings = [_settings(run) for run in loaded]
    keys = differing(settings)
    gap = versus.gap(runs, first, second)
    return {
        "runs": [_about(runs, run, label_of(s, keys)) for run, s in zip(loaded, settings, strict=True)],
        "verdict": verdict_text(gap, loaded),
        "word": gap.verdict,
        "days": gap.days,
        "difference": [gap.mean, gap.low, gap.high],
        "differs": [[key, *(value_text(s.get(key)) for s in settings)] for key in keys],
        "same": [[key, value_text(value)] for key, value in settings[0].items() if key not in keys and value is not None],
        "warnings": warnings(loaded),
        "figures": _figures(loaded),
        "curve": _curve(runs, loaded, [label_of(s, keys) for s in settings]),
    }


def verdict_text(gap: Difference, loaded: list[dict[str, Any]]) -> str:
    """The verdict in a sentence: a run against a run, and over which days."""
    if gap.low is None or gap.high is None or gap.mean is None:
        return f"Not comparable: {gap.why}."
    days = f"over the {gap.days:,} whole days that both traded"
    if gap.verdict == "the same":
        return f"The same on every day, {days}."
    word = f"{gap.verdict} than the first" if gap.verdict in ("better", "worse") else f"{gap.verdict} from the first"
    low, mean, high = (f"{value * 1e4:+,.1f}".replace("-", "\u2212") for value in (gap.low, gap.mean, gap.high))
    caveat = favours(loaded[0], loaded[1], NAMES)
    text = f"The second is {word}: {mean} bps a day ({gap.level * 100:.0f} % interval {low} to {high}) {days}"
    return text.replace("is cannot", "cannot") + (f"; {caveat}." if caveat else ".")


def warnings(loaded: list[dict[str, Any]]) -> list[str]:
    """Why the two are not alike in more than their settings, and what each says of itself before any figure."""
    one, other = loaded
    found = []
    if one["data"]["source"] != other["data"]["source"]:
        found.append(f"Their bars are of another kind: {one['data']['source']} and {other['data']['source']}.")
    elif one["data"]["sha256"] != other["data"]["sha256"]:
        found.append("They ran on different bars: what differs in their figures is also the market's.")
    if (one.get("code") or {}).get("core") != (other.get("code") or {}).get("core"):
        found.append("They were simulated by different versions of the core: repeat the older one (nightdesk rerun).")
    for name, run in zip(NAMES, loaded, strict=True):
        found += [f"The {name}: {v['strong']} {v['text']}".strip() for v in parts.verdicts(run) if v["kind"] != "calm"]
    return found


def _settings(run: Mapping[str, Any]) -> dict[str, Any]:
    """Everything by which the two may differ, their strategy and instrument too."""
    bare = {key: run.get(key) for key in ("strategy", "symbol", "timeframe")}
    return {**bare, **settings_of({**summary_of(run), **bare})}


def _about(runs: Runs, run: Mapping[str, Any], label: str) -> dict[str, Any]:
    """What a run is called and what it is."""
    span = span_text(run["data"]["first_ms"], run["data"]["last_ms"])
    name = runs.name_of(run["run_id"])
    about = {"id": run["run_id"], "name": name, "label": label, "heading": run_name(run), "span": span}
    return {**about, "source": run["data"]["source"], "life": life_of(run).text}


def _figures(loaded: list[dict[str, Any]]) -> list[list[str]]:
    """Rows of figure, first, second: those of the report's tiles, then the further ones."""
    return [[name, one, other] for (name, one), (_, other) in zip(*map(_shown, loaded), strict=True)]


def _shown(run: Mapping[str, Any]) -> list[tuple[str, str]]:
    m = run["metrics"]
    reach = (
        f"{parts.number(m['sharpe_low'], 1)} to {parts.number(m['sharpe_high'], 1)}"
        if m["sharpe_low"] is not None
        else parts.NONE
    )
    life = life_of(run)
    return [
        ("traded", f"\u25b2 {life.share}" if life.ended else life.share or parts.NONE),
        ("return", parts.percent(m["total_return_frac"], sign=True)),
        ("Sharpe", parts.number(m["sharpe"])),
        ("Sharpe, 95 % interval", reach),
        ("max drawdown", parts.percent(m["max_drawdown_frac"])),
        ("trips", f"{m['trades']:,}"),
        ("won", parts.percent(m["win_rate"], 1)),
        *parts.more_figures(run),
    ]


def _curve(runs: Runs, loaded: list[dict[str, Any]], labels: list[str]) -> dict[str, Any] | None:
    """What the chart draws: the return of both since the first midnight that both have; None without a common day."""
    days, one, two = versus.common_days(runs, *loaded)
    if len(days) < 2:
        return None
    tones = (("accent", ""), ("series2", ""))
    lines = [
        {"name": label or NAMES[n], "tone": tones[n][0], "dash": tones[n][1], "y": rounded(values / values[0] - 1.0)}
        for n, (label, values) in enumerate(zip(labels, (one, two), strict=True))
    ]
    label = "Return of both runs since the first day that both have"
    return {"kind": "curve", "label": label, "unit": "percent", "height": 320, "x": days.tolist(), "lines": lines, "marks": []}
