"""The card of a proposal (app.views.proposal_card) as lines for a terminal. Called by app.cli.proposals."""

from collections.abc import Mapping
from typing import Any

from app.cli.words import shown
from app.views.proposal_card import FIGURES
from engine.clock import utc

TOLD = {"tightens": "TIGHTENS", "loosens": "LOOSENS", "neutral": "NEUTRAL", "unknown": "UNKNOWN, treated as loosening"}


def card_text(value: Mapping[str, Any]) -> str:
    """The card for a terminal. PAPER: version 1 of the desk trades on paper only."""
    diff, exposure = value["diff"], value["exposure"]
    lines = [
        f"{value['id']}  {value['state'].upper()}  PAPER  sleeve {shown(value['sleeve'])}, from version {value['base_version']}",
        f"direction: {TOLD[value['direction']]} - {shown(exposure.get('why', ''))}",
        "",
        f"{'':2}{'parameter':<26}{'now':>12}{'proposed':>12}   {'bounds':<24}moves risk",
    ]
    for c in diff["changes"]:
        bound = "-" if c["low"] is None else f"{c['low']:g} to {c['high']:g} {c['unit']}"
        move = exposure.get("keys", {}).get(c["key"], "")
        lines.append(f"  {shown(c['key']):<26}{_value(c['old']):>12}{_value(c['value']):>12}   {shown(bound):<24}{move}")
    lines += ["", *_worst(exposure), *_evidence(value)]
    lines += [f"warning: {shown(w)}" for w in value["warnings"]]
    lines += [
        "",
        f"why: {shown(value['rationale']) or '-'}",
        f"asked by {_asked(value['requester'])} at {utc(value['created_ms'])}",
    ]
    return "\n".join([*lines, *_standing(value)])


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) and not isinstance(value, bool) else shown(value)


def _worst(exposure: Mapping[str, Any]) -> list[str]:
    """Worst case before and after, a line for each sleeve that changes."""
    pairs = exposure.get("sleeves") or ({"": exposure} if "before" in exposure else {})
    names = (("risk at the stop", "risk_frac"), ("gross exposure", "gross_frac"), ("leverage", "leverage"))
    lines = ["worst case, in multiples of the sleeve's equity:"] if pairs else []
    for sleeve, pair in pairs.items():
        told = [f"{label} {_x(pair['before'][key])} -> {_x(pair['after'][key])}" for label, key in names]
        lines.append(f"  {shown(sleeve) + ': ' if sleeve else ''}{', '.join(told)}")
    return lines


def _x(value: float | None) -> str:
    return "not known" if value is None else f"{value:g}"


def _evidence(value: Mapping[str, Any]) -> list[str]:
    """The evidence runs side by side, and what the comparison says."""
    runs = value["evidence_runs"]
    if not runs:
        return ["", "evidence: none is needed for this kind"]
    lines = ["", f"evidence:{'':17}" + "".join(f"{role:>24}" for role in runs)]
    lines.append(f"  {'run':<24}" + "".join(f"{shown(run['run_id']):>24}" for run in runs.values()))
    for label, key, unit in FIGURES:
        lines.append(f"  {label:<24}" + "".join(f"{_figure(run.get('metrics', {}).get(key), unit):>24}" for run in runs.values()))
    for role, run in runs.items():
        if "error" in run:
            lines.append(f"  {role}: {shown(run['error'])}")
    first = next(iter(runs.values()))
    span = f"{utc(first.get('first_ms'))} to {utc(first.get('last_ms'))}"
    lines.append(f"  {shown(first.get('source') or 'source not known').upper()} data, {span}, {first.get('bars') or '-'} bars")
    lines += [f"  {line}" for e in value["evidence"] if e.get("role") == "comparison" for line in _compared(e)]
    if value["told_apart"] is False:
        lines.append("  THE TWO CANNOT BE TOLD APART on this evidence.")
    return lines


def _compared(e: Mapping[str, Any]) -> list[str]:
    """The comparison in words, with its interval where one could be computed."""
    numbers = [e.get(name) for name in ("difference_frac", "low_frac", "high_frac", "level", "days")]
    if not all(isinstance(x, int | float) for x in numbers):
        return [shown(e["text"])] if e.get("text") else []
    mean, low, high, level, days = numbers
    bps = f"{mean * 1e4:+.2f} bps [{low * 1e4:+.2f}, {high * 1e4:+.2f}]"
    return [f"changed minus base, mean daily return: {bps}, {level * 100:g} % interval over {days} days"]


def _figure(value: Any, unit: str) -> str:
    if not isinstance(value, int | float):
        return "-"
    return f"{value * 100:.2f} %" if unit == "frac" else f"{value:.0f}" if unit == "count" else f"{value:.2f}"


def _asked(requester: Mapping[str, Any]) -> str:
    role, person = shown(requester.get("role", "")), shown(requester.get("person", ""))
    thread = shown(requester.get("thread", ""))
    return (
        " ".join(part for part in (role, f"for {person}" if person else "", f"in {thread}" if thread else "") if part)
        or "unknown"
    )


def _standing(value: Mapping[str, Any]) -> list[str]:
    """What can be done, or what was done."""
    sha = value["diff_sha256"][:12]
    if value["state"] == "pending":
        return [
            f"{value['expires']}; diff {sha}",
            f"  nightdesk proposals approve {value['id']} --sha {sha} --as NAME",
            f"  nightdesk proposals reject {value['id']} --reason WHY --as NAME",
        ]
    by = value["decided_by"] or {}
    who = f" by {shown(by.get('name'))} ({by.get('assurance')}, {shown(by.get('os_user'))}, {by.get('channel')})" if by else ""
    version = f" as version {value['applied_version']}" if value["applied_version"] else ""
    reason = f": {shown(value['state_reason'])}" if value["state_reason"] else ""
    return [f"{value['state']}{version}{who} at {utc(value['decided_ms'])}{reason}; journal {value['journal_id'] or '-'}"]
