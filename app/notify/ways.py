"""Which ways to people a desk has, and the sinks for them. Called by app.processes.scheduler and app/cli/notify.py.

A way that desk.toml names and whose token, address or secret is not in the environment has no sink; `missing` says so.
"""

import os
import time
from collections.abc import Container, Mapping
from typing import Any

from app.home.home import Home
from app.home.settings import DeskToml
from app.notify import deliveries
from app.notify.by_apprise import discord, telegram
from app.notify.deliveries import Sink
from app.notify.webhook import SECRET_MIN, Webhook
from engine.store import db
from engine.store.tables import Delivery

TEST = "test "  # how the subject of a test begins


def names_of(desk: DeskToml) -> list[str]:
    """The sinks that desk.toml names, Slack first."""
    found = [name for name in ("slack", "telegram", "discord") if getattr(desk, name) is not None]
    return found + [f"webhook:{name}" for name in desk.webhooks]


def sinks_of(home: Home, environment: Mapping[str, str] | None = None) -> list[Sink]:
    """The sinks of a desk but Slack's, without sending anything."""
    seen, desk, made = os.environ if environment is None else environment, home.desk, list[Sink | None]()
    if desk.telegram is not None:
        made.append(telegram(desk.telegram, seen.get(desk.telegram.token_env, "")))
    if desk.discord is not None:
        made.append(discord(desk.discord, seen.get(desk.discord.webhook_env, "")))
    for name, entry in desk.webhooks.items():
        secret = seen.get(entry.secret_env, "")
        made.append(Webhook(name, entry, secret) if len(secret) >= SECRET_MIN else None)
    return [sink for sink in made if sink is not None]


def missing(desk: DeskToml, sinks: list[Sink]) -> list[str]:
    """What desk.toml names and the environment does not complete, a line each."""
    return list(lacking(desk, {sink.name for sink in sinks}).values())


def lacking(desk: DeskToml, ready: Container[str]) -> dict[str, str]:
    """Way -> which of its variables is not set, or not what it takes; of those that desk.toml names and that are not `ready`."""
    variables: dict[str, Any] = {
        "slack": desk.slack and desk.slack.bot_token_env,
        "telegram": desk.telegram and desk.telegram.token_env,
        "discord": desk.discord and desk.discord.webhook_env,
    }
    variables |= {f"webhook:{name}": entry.secret_env for name, entry in desk.webhooks.items()}
    return {
        name: f"{name}: {variables[name]} is not set, or not what {name} takes" for name in names_of(desk) if name not in ready
    }


def ask_for_test(home: Home, by: str, at_ms: int) -> str:
    """Queue a test message to every way that desk.toml names; its subject. The supervisor brings it, like any other."""
    subject = f"{TEST}{at_ms} {by}"[:120]
    deliveries.owe(home, subject, "test", names_of(home.desk), at_ms)
    return subject


def outcome_of(home: Home, subject: str, wait_s: float = 0.0) -> list[dict[str, Any]]:
    """The deliveries of a subject, once none waits any more or after `wait_s`."""
    end = time.monotonic() + wait_s
    while True:
        rows = deliveries.rows_of(home, subject)
        if time.monotonic() >= end or all(row["state"] in ("sent", "failed", "dropped") or row["error"] for row in rows):
            return rows
        time.sleep(0.2)


def failures(home: Home, at_ms: int, limit: int = 20) -> list[dict[str, Any]]:
    """Messages of the last day that were not brought, whatever they were about, newest first."""
    from sqlmodel import col, select

    day = at_ms - 86_400_000
    query = select(Delivery).where(col(Delivery.created_ms) > day, col(Delivery.error) != "", col(Delivery.state) != "sent")
    with db.read(home.engine) as session:
        rows = session.exec(query.order_by(col(Delivery.id).desc()).limit(limit)).all()
        return [{name: getattr(row, name) for name in deliveries.FIELDS} for row in rows]
