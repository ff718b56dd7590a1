"""Slack message blocks for alerts, proposal cards and handovers. Called by app.slack.sink; text in, JSON out.

Everything written by people, files, venues or models passes `plain_text`, so that none of its links, mentions, formats or
control characters take effect in Slack. Only this module's own text carries markup.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from app.notify.words import NEEDED, Worded, alert_title, table_lines, visible
from app.views.proposal_card import TABLES
from engine.clock import utc

SECTION_MAX = 2_900  # characters; Slack refuses blocks with more than 3,000
HEADER_MAX = 148
LINE_MAX = 1_000  # of one row of a card

Block = dict[str, Any]


def escaped(text: object, most: int = SECTION_MAX) -> str:
    """Outside text inside Slack markup: one line, the three control characters escaped (docs.slack.dev, Formatting text)."""
    clean = visible(text)
    clean = clean if len(clean) <= most else clean[: most - 1] + "\u2026"
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plain_text(text: object, most: int = SECTION_MAX) -> Block:
    """Outside text as an object in which Slack interprets nothing: no link, mention, emoji or format."""
    clean = visible(text)
    return {"type": "plain_text", "text": (clean if len(clean) <= most else clean[: most - 1] + "\u2026") or "-", "emoji": False}


def plain_lines(lines: Sequence[str]) -> Block:
    """Lines of outside text as one object without markup; a line break inside a line does not survive."""
    text = "\n".join(visible(line)[:LINE_MAX] for line in lines)
    return {
        "type": "plain_text",
        "text": text if len(text) <= SECTION_MAX else text[: SECTION_MAX - 1] + "\u2026",
        "emoji": False,
    }


def fits(lines: Sequence[str]) -> bool:
    """Whether `plain_lines` shows every character of these lines."""
    clean = [visible(line) for line in lines]
    return all(len(line) <= LINE_MAX for line in clean) and len("\n".join(clean)) <= SECTION_MAX


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
    title = alert_title(row, step)
    since = f"since {utc(row['since_ms'])}" + (f", resolved {utc(row['resolved_ms'])}" if row.get("resolved_ms") else "")
    facts = " · ".join(part for part in (row["id"], since, figures(row["numbers"]), escaped(row["event"], 40)) if part)
    blocks = [{"type": "header", "text": plain_text(title, HEADER_MAX)}, section(plain_text(row["what"])), section(mrkdwn(facts))]
    if step == "resolved":
        return escaped(f"{title} - {row['what']}", 400), blocks
    blocks.append(section(plain_text(f"Do: {row['action']} ({row['runbook']})")))
    blocks += [section(plain_text(f"For {row['on_call']}"))] if row.get("on_call") else []
    elements = [link("Open the desk", f"{page_url}?tab=desk")]
    if row["severity"] == "page" and row["acked_ms"] is None:
        elements.insert(0, button("I am on it", "ack", row["id"], "primary"))
    mention = "<!channel> " if step.startswith("escalated") else ""
    return mention + escaped(f"{title} - {row['what']}", 400), [*blocks, {"type": "actions", "elements": elements}]


def card(row: Mapping[str, Any], page_url: str) -> tuple[str, list[Block]]:
    """(line, blocks) of a proposal's card: its rows, and buttons while it is pending. Only a tightening whose changes are all
    shown can be approved here."""
    gone = (row.get("runs_now") or {}).get("outcome") if row["state"] == "applied" else ""
    state = f"{row['state']}, {gone}" if gone in ("rolled back", "replaced") else row["state"]
    verdict = row["verdict"] if row["state"] == "pending" else state.upper()
    title = f"Proposal {row['id']} {verdict}: {visible(row['sleeve'])}"
    blocks: list[Block] = [{"type": "header", "text": plain_text(title, HEADER_MAX)}]
    whole = True
    for kind, group in groupby(row["rows"], key=lambda one: one["kind"]):
        rows = list(group)
        lines = table_lines(rows) if kind in TABLES else [f"{r['label']}: {r['cells'][0]}" for r in rows]
        whole = whole and (kind not in NEEDED or fits(lines))
        blocks.append(section(plain_lines(lines)))
    if row["state"] != "pending":
        ends = [one["cells"][0] for one in row["rows"] if one["kind"] in ("decision", "now")]
        return escaped(" - ".join([title, *ends]), 300), blocks
    value = f"{row['id']} {row['diff_sha256']}"
    elements = [
        button("Reject", "reject", value, "danger"),
        link("Open the card", f"{page_url}?tab=proposals&proposal={row['id']}"),
    ]
    if not whole:
        blocks.append(section(mrkdwn("*Not all changes and warnings fit here*: decide on the proposals page.")))
    elif row["direction"] == "tightens":
        elements.insert(0, button("Approve", "approve", value, "primary"))
    else:
        blocks.append(section(mrkdwn(f"*{verdict}*: approve it on the proposals page, not here.")))
    return escaped(title, 300), [*blocks, {"type": "actions", "elements": elements}]


def handover(row: Mapping[str, Any], page_url: str) -> tuple[str, list[Block]]:
    """(line, blocks) of the morning's handover."""
    title = f"Handover {row['day']}"
    lines = [section(plain_text(line)) for line in str(row["text"]).splitlines() if line.strip()][:40]
    opened: Block = {"type": "actions", "elements": [link("Open the desk", f"{page_url}?tab=desk")]}
    return title, [{"type": "header", "text": plain_text(title, HEADER_MAX)}, *lines, opened]


def worded_blocks(text: Worded) -> tuple[str, list[Block]]:
    """(line, blocks) of a message that is only words: a test, a digest."""
    body = [section(plain_text(line)) for line in text.lines][:45]
    return escaped(text.title, 300), [{"type": "header", "text": plain_text(text.title, HEADER_MAX)}, *body]
