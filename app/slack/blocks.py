"""Slack message blocks for alerts, proposal cards and handovers. Called by app.slack.sink; text in, JSON out.

Everything written by people, files, venues or models passes `plain_text`, so that none of its links, mentions, formats or
control characters take effect in Slack. Only this module's own text carries markup.
"""

import unicodedata
from collections.abc import Mapping
from typing import Any

from engine.clock import utc

SECTION_MAX = 2_900  # characters; Slack refuses blocks with more than 3,000
HEADER_MAX = 148
SIGNS = {"page": ":rotating_light: PAGE", "warn": ":warning: Warning", "note": ":memo: Note"}
DIRECTIONS = {"tightens": "TIGHTENS", "loosens": "LOOSENS", "neutral": "NEUTRAL", "unknown": "UNKNOWN, counts as loosening"}
BLANK = dict.fromkeys([*range(32), 127], " ")

Block = dict[str, Any]


def escaped(text: object, most: int = SECTION_MAX) -> str:
    """Outside text inside Slack markup: one line, the three control characters escaped (docs.slack.dev, Formatting text)."""
    clean = visible(text)
    clean = clean if len(clean) <= most else clean[: most - 1] + "\u2026"
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def visible(text: object) -> str:
    """One line without control, bidirectional and invisible characters."""
    line = str(text).translate(BLANK)
    return "".join(c for c in line if unicodedata.category(c) not in ("Cf", "Cc", "Co", "Cs", "Zl", "Zp"))


def plain_text(text: object, most: int = SECTION_MAX) -> Block:
    """Outside text as an object in which Slack interprets nothing: no link, mention, emoji or format."""
    clean = visible(text)
    return {"type": "plain_text", "text": (clean if len(clean) <= most else clean[: most - 1] + "\u2026") or "-", "emoji": False}


def mrkdwn(text: str) -> Block:
    """Our own text with markup; outside text in it must be escaped. Nothing is linked automatically."""
    return {"type": "mrkdwn", "text": text[:SECTION_MAX], "verbatim": True}


def section(text: Block) -> Block:
    """A paragraph."""
    return {"type": "section", "text": text}


def button(label: str, action: str, value: str, style: str = "") -> Block:
    """A button that sends an action."""
    return {"type": "button", "text": plain_text(label), "action_id": action, "value": value} | (
        {"style": style} if style else {}
    )


def link(label: str, address: str) -> Block:
    """A button that opens our own page."""
    return {"type": "button", "text": plain_text(label), "action_id": "open", "url": address}


def figures(numbers: Mapping[str, Any]) -> str:
    """Numbers as `name value`, escaped."""
    parts = [
        f"{escaped(key, 40)} {value:g}" for key, value in numbers.items() if isinstance(value, int | float) and key != "level"
    ]
    return ", ".join(parts)


def alert(row: Mapping[str, Any], step: str, page_url: str) -> tuple[str, list[Block]]:
    """(line for the notification, blocks) of an alert's step."""
    title = title_of(row, step)
    since = f"since {utc(row['since_ms'])}" + (f", resolved {utc(row['resolved_ms'])}" if row.get("resolved_ms") else "")
    facts = " · ".join(part for part in (row["id"], since, figures(row["numbers"]), escaped(row["event"], 40)) if part)
    blocks = [{"type": "header", "text": plain_text(title, HEADER_MAX)}, section(plain_text(row["what"])), section(mrkdwn(facts))]
    if step == "resolved":
        return escaped(f"{title} - {row['what']}", 400), blocks
    blocks.append(section(plain_text(f"Do: {row['action']} ({row['runbook']})")))
    elements = [link("Open the desk", f"{page_url}?tab=desk")]
    if row["severity"] == "page" and row["acked_ms"] is None:
        elements.insert(0, button("I am on it", "ack", row["id"], "primary"))
    mention = "<!channel> " if step.startswith("escalated") else ""
    return mention + escaped(f"{title} - {row['what']}", 400), [*blocks, {"type": "actions", "elements": elements}]


def title_of(row: Mapping[str, Any], step: str) -> str:
    """The title of an alert's message."""
    sign = SIGNS[row["severity"]].partition(" ")[2]
    if step == "resolved":
        return f"RESOLVED: {sign} {row['id']}, {row['place']}"
    if step.startswith("escalated"):
        return f"{sign}, UNACKNOWLEDGED ({step.rpartition('-')[2]}): {row['place']}"
    return f"{'WORSE: ' if step.startswith('raised') else ''}{sign}: {row['place']}"


def card(row: Mapping[str, Any], page_url: str, runs: Mapping[str, Mapping[str, Any]]) -> tuple[str, list[Block]]:
    """(line, blocks) of a proposal: a tightening can be approved here, anything else is decided on the page."""
    direction = DIRECTIONS.get(row["direction"], DIRECTIONS["unknown"])
    title = f"Proposal {row['id']} {direction}: {visible(row['sleeve'])}"
    changes = [f"{c['key']}: {c['old']} -> {c['value']} {c.get('unit') or ''}" for c in row["diff"].get("changes", ())]
    asked = " ".join(str(row["requester"].get(key) or "") for key in ("role", "person")).strip()
    blocks = [
        {"type": "header", "text": plain_text(title, HEADER_MAX)},
        *[section(plain_text(change, 300)) for change in changes[:10]],
        section(plain_text(f"Why: {row['rationale'] or '-'}", 1_500)),
        section(plain_text(f"Worst case: {worst(row['exposure'])}", 600)),
    ]
    blocks += [section(plain_text(f"Evidence, {role}: {evidence(run)}", 400)) for role, run in runs.items()]
    asked_by = f"asked by {escaped(asked, 80) or 'unknown'}"
    until = f"paper · from version {row['base_version']} · {asked_by} · until {utc(row['expires_ms'])}"
    blocks.append({"type": "context", "elements": [mrkdwn(until)]})
    value = f"{row['id']} {row['diff_sha256']}"
    address = f"{page_url}?tab=proposals&proposal={row['id']}"
    elements = [button("Reject", "reject", value, "danger"), link("Look at it", address)]
    if row["direction"] == "tightens":
        elements.insert(0, button("Approve", "approve", value, "primary"))
    else:
        blocks.append(section(mrkdwn(f"*{direction}*: approve it on the proposals page, not here.")))
    return escaped(title, 300), [*blocks, {"type": "actions", "elements": elements}]


def worst(exposure: Mapping[str, Any]) -> str:
    """Worst case before and after, in words of the card."""
    if "before" not in exposure:
        return str(exposure.get("why") or "not known")
    told = [
        f"{label} {number(exposure['before'].get(key))} -> {number(exposure['after'].get(key))}"
        for label, key in (("risk at the stop", "risk_frac"), ("gross", "gross_frac"), ("leverage", "leverage"))
    ]
    return ", ".join(told)


def evidence(run: Mapping[str, Any]) -> str:
    """A run in one line."""
    metrics = run.get("metrics") or {}
    names = (
        ("return", "total_return_frac"),
        ("Sharpe", "sharpe"),
        ("max drawdown", "max_drawdown_frac"),
        ("round trips", "trades"),
    )
    return f"{run.get('run_id', '-')}: " + ", ".join(f"{label} {number(metrics.get(key))}" for label, key in names)


def number(value: Any) -> str:
    """A figure, or that there is none."""
    return f"{value:.4g}" if isinstance(value, int | float) and not isinstance(value, bool) else "not known"


def decided(row: Mapping[str, Any]) -> tuple[str, list[Block]]:
    """(line, blocks) of a card whose proposal waits no more: no buttons."""
    by = row["decided_by"] or {}
    who = f" by {by.get('name')} ({by.get('assurance')}, {by.get('channel')})" if by else ""
    version = f" as version {row['applied_version']}" if row["applied_version"] else ""
    reason = f": {row['state_reason']}" if row["state_reason"] else ""
    title = f"Proposal {row['id']} {row['state'].upper()}{version}"
    changes = "; ".join(f"{c['key']}: {c['old']} -> {c['value']}" for c in row["diff"].get("changes", ()))
    told = f"{title}{who} at {utc(row['decided_ms'])}{reason}. Journal {row['journal_id'] or '-'}"
    header: Block = {"type": "header", "text": plain_text(title, HEADER_MAX)}
    return escaped(told, 300), [
        header,
        section(plain_text(f"{row['sleeve']}: {changes}", 1_000)),
        section(plain_text(told, 1_000)),
    ]


def handover(row: Mapping[str, Any], page_url: str) -> tuple[str, list[Block]]:
    """(line, blocks) of the morning's handover."""
    title = f"Handover {row['day']}"
    lines = [section(plain_text(line)) for line in str(row["text"]).splitlines() if line.strip()][:40]
    opened: Block = {"type": "actions", "elements": [link("Open the desk", f"{page_url}?tab=desk")]}
    return title, [{"type": "header", "text": plain_text(title, HEADER_MAX)}, *lines, opened]
