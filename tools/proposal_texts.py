"""A proposal as a tool's answer: its diff, direction, evidence, reason and expiry. Called by tools/proposals.py.

Turns the row of a proposal into text, facts and a table; decides nothing.
"""

from collections.abc import Mapping
from typing import Any

from engine.clock import utc_day
from engine.control.canary import watch_text
from tools.common.contract import Evidence, Fact, Table, ToolContext, ToolResult, clean, make_facts
from tools.exposure import declared


def card(ctx: ToolContext, p: Mapping[str, Any]) -> ToolResult:
    """A proposal as a person sees it: diff with bounds, direction, worst case, evidence, expiry; `says` has its parts."""
    from engine.control.draft import key_text
    from engine.control.evidence import equal_worst_case, verdict_words

    handle = ctx.handle("q", p["id"])
    subject = f"proposal {p['id']} for {p['sleeve']}"
    values: dict[str, tuple[Any, str]] = {"expires": (p["expires_ms"], "ms"), "created": (p["created_ms"], "ms")}
    for sleeve, pair in (p["exposure"].get("sleeves") or {"": p["exposure"]}).items():
        for when in ("before", "after"):
            worst = pair.get(when) or {}
            for name, unit in (("risk_frac", "frac"), ("gross_frac", "ratio"), ("leverage", "ratio")):
                if name in worst:
                    values["_".join(filter(None, (sleeve.replace("-", "_"), name, when)))] = (worst[name], unit)
    facts = make_facts(handle, subject, Evidence("proposal", p["id"]), values)
    own = p["exposure"].get("keys") or {}
    rows = tuple(
        (key_text(c["key"]), _change(c, "old"), _change(c, "value"), _bounds(c), c.get("unit") or "-", own.get(c["key"], "-"))
        for c in p["diff"]["changes"]
    )
    comparisons = [e for e in p["evidence"] if e.get("role") == "comparison"]
    why = p["exposure"].get("why", "")
    mixed = verdict_words(p["direction"], p["exposure"]).startswith("MIXED")
    moves = "is mixed and counts as loosening" if mixed else reads(p["direction"])
    lines = [f"{subject} ({p['state']}): {diff_text(p)}. Computed direction: it {moves}: {why}."]
    if text := equal_worst_case(p["direction"], p["exposure"], p["diff"]["changes"]):
        lines.append(f"The worst case is {text}.")
    verdict = {"loosens": "Riskier, not safer", "tightens": "Safer", "neutral": "Neither riskier nor safer"}.get(p["direction"])
    says = {"direction": f"{verdict or 'Not clearly safer'}, as computed: " + " ".join([f"it {moves}: {why}.", *lines[1:]])}
    meant = {c["key"]: declared(ctx).get(c["key"].rpartition(".")[2]) for c in p["diff"]["changes"]}
    says["meaning"] = " ".join(f"{key}: {next(iter(of.values()))['about']}." for key, of in meant.items() if of)
    says["meaning"] = f"{diff_text(p)} for {p['sleeve']}. {says['meaning']}".rstrip()
    proofs, more = _proofs(handle, subject, p)
    facts += more
    says["evidence"] = " ".join(proofs)
    lines += [*proofs, *[text for text in [watch_text(p["diff"], p["parts"])] if text]]
    if p["rationale"]:
        says["reason"] = f'Reason given: "{clean(p["rationale"], 400)}".'
        lines.append(says["reason"])
    lines += [f"Warning: {e['text']}." for e in p["evidence"] if e.get("role") == "warning"]
    if p["state"] == "pending":
        says["until"] = f"Until {{{handle}.expires}} a person may decide"
        lines.append(f"{says['until']}: nightdesk proposals approve {p['id']} --as NAME")
        says["until"] += "; if nobody does, it expires and what runs now stays as it is."
    elif p["state_reason"]:
        lines.append(f"{p['state_reason']}.")
    evidence = [Evidence("proposal", p["id"]), *(Evidence("run", e["run_id"]) for e in p["evidence"] if e.get("run_id"))]
    verdict = comparisons[0].get("verdict") if len(comparisons) == 1 else None
    data = {"proposal": p["id"], "state": p["state"], "direction": p["direction"], "verdict": verdict}
    data |= {"says": says, "asked_by": {name: clean(str(p["requester"].get(name) or ""), 80) for name in ("role", "person")}}
    columns = ("parameter", "now", "proposed", "bounds", "unit", "direction")
    return ToolResult("ok", " ".join(lines), facts, tuple(evidence), Table(columns, rows), data)


def _proofs(handle: str, subject: str, p: Mapping[str, Any]) -> tuple[list[str], tuple[Fact, ...]]:
    """What the evidence is, what it says and how far it goes, a sentence each; and the facts of its intervals."""
    facts: tuple[Fact, ...] = ()
    ran = [e for e in p["evidence"] if e.get("run_id") and e.get("first_ms") is not None]
    on = (
        f"{' and '.join(dict.fromkeys(e['run_id'] for e in ran))}, {utc_day(ran[0]['first_ms'])} to {utc_day(ran[0]['last_ms'])}"
        if ran
        else ""
    )
    proofs = [f"Its evidence is the runs {on}."] if on else []
    for n, e in enumerate([e for e in p["evidence"] if e.get("role") == "comparison"]):
        where = f"On the evidence of {e['sleeve']}" if e.get("sleeve") else "On the evidence"
        text = f"{where} the change is {e['text']}".replace("is cannot", "and the live configuration cannot")
        made = _interval_facts(handle, subject, p["id"], e, f"_{n + 1}" if n else "")
        facts += made
        low, high, mean, days = (f"{{{fact.ref}}}" for fact in made) if made else ("", "", "", "")
        text += f": {mean} a day ({low} to {high}) over the {days} whole days that both traded" if made else ""
        clear = made and not e.get("told_apart") and (e["low_frac"] > 0 or e["high_frac"] < 0)
        text += "; an interval on one side of zero, which does not count here" if clear else ""
        proofs.append(text + (f"; {e['caveat']}." if e.get("caveat") else "."))
    for e in p["evidence"]:
        about = f"{e['sleeve']}: " if e.get("sleeve") else ""
        if e.get("life", "").startswith("stopped"):
            proofs.append(f"{about}The {e['role']} run was {e['life']}.")
        elif e.get("role") == "beyond":
            proofs.append(f"{about}Of the evidence: {e['text']}.")
    for e in p["evidence"]:
        if e.get("role") == "model":
            proofs.append(f"{e['model']}@{e['version']}: {'. '.join([e['gates'], *e['worth'], *e['differs']])}.")
    return proofs, facts


def _interval_facts(handle: str, subject: str, proposal: str, e: Mapping[str, Any], which: str) -> tuple[Fact, ...]:
    """Low, high and mean of a stored comparison in bps a day, and its days; none without an interval."""
    ends = [e[name] for name in ("low_frac", "high_frac", "difference_frac") if isinstance(e.get(name), int | float)]
    if len(ends) < 3:
        return ()
    named = zip(("low_bps", "high_bps", "difference_bps"), ends, strict=True)
    found: dict[str, tuple[Any, str]] = {f"{name}{which}": (value * 1e4, "bps") for name, value in named}
    found[f"compared_days{which}"] = (e.get("days"), "count")
    return make_facts(handle, subject, Evidence("proposal", proposal), found)


def reads(label: str) -> str:
    """A direction as a verb."""
    return {"neutral": "leaves risk as it is", "unknown": "has an effect on risk that cannot be computed"}.get(label, label)


def diff_text(p: Mapping[str, Any]) -> str:
    """What a proposal changes, old and new value."""
    from engine.control.draft import key_text

    changes = p["diff"]["changes"]
    more = f" and {len(changes) - 4} more" if len(changes) > 4 else ""
    return ", ".join(f"{key_text(c['key'])} {_change(c, 'old')} -> {_change(c, 'value')}" for c in changes[:4]) + more


def _bounds(change: Mapping[str, Any]) -> str:
    low, high = change.get("low"), change.get("high")
    if low is None and high is None:
        return " or ".join(change.get("choices") or ()) or "-"
    return f"{_cell(low)} to {_cell(high)}"


def _change(change: Mapping[str, Any], which: str) -> str:
    """The old or the proposed value of a change."""
    from engine.control.draft import value_text

    return _cell(value_text(change["key"], change[which]))


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, int | float) else clean(value, 40)
