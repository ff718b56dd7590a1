"""Entries of desk.toml for ways to reach people beside Slack: [telegram], [discord], [webhooks.NAME]. Part of app.home.settings.

Tokens, addresses that hold one, and secrets are read from the environment variables named here, never from the file.
"""

from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field

VARIABLE = r"^[A-Z][A-Z0-9_]{1,60}$"
LOOPBACK_OR_TLS = r"^(https://|http://127\.0\.0\.1[:/])[^\s@]{1,300}$"
PAGE = r"^https?://[\w.:\[\]-]+/$"


class SlackEntry(BaseModel):
    """Slack for alerts and decisions: [slack]. Tokens are read from the environment, never from the file."""

    model_config = ConfigDict(extra="forbid")

    channel: str = Field(pattern=r"^[A-Z0-9]{3,30}$")  # the id of the channel, C0123ABCD
    team: str = Field("", pattern=r"^[A-Z0-9]{0,30}$")  # the workspace's id, T0123ABCD; empty: taken from the bot's token
    bot_token_env: str = Field("SLACK_BOT_TOKEN", pattern=VARIABLE)
    app_token_env: str = Field("SLACK_APP_TOKEN", pattern=VARIABLE)  # Socket Mode, for a desk behind a router
    signing_secret_env: str = Field("SLACK_SIGNING_SECRET", pattern=VARIABLE)  # signed HTTP, for a desk that can be reached
    base_url: str = Field("https://slack.com/api/", pattern=r"^(https://|http://127\.0\.0\.1[:/])\S+/$")
    page_url: str = Field("http://127.0.0.1:8421/", pattern=r"^https?://[\w.:\[\]-]+/$")  # the page that messages link to


class TelegramEntry(BaseModel):
    """Telegram for alerts, cards and tightenings: [telegram]."""

    model_config = ConfigDict(extra="forbid")

    chat: str = Field(pattern=r"^-?[1-9][0-9]{0,15}$")  # the number of the chat; a group's is negative
    token_env: str = Field("TELEGRAM_BOT_TOKEN", pattern=VARIABLE)
    base_url: str = Field("https://api.telegram.org/", pattern=r"^(https://api\.telegram\.org/|http://127\.0\.0\.1:[0-9]{1,5}/)$")
    page_url: str = Field("http://127.0.0.1:8421/", pattern=PAGE)  # the page that messages name


class DiscordEntry(BaseModel):
    """Discord for alerts and cards; nobody decides there: [discord]."""

    model_config = ConfigDict(extra="forbid")

    webhook_env: str = Field("DISCORD_WEBHOOK", pattern=VARIABLE)  # holds ID/TOKEN, or the whole address
    base_url: str = Field(
        "https://discord.com/api/webhooks",
        pattern=r"^(https://discord\.com/api/webhooks|http://127\.0\.0\.1:[0-9]{1,5}/\S{1,60})$",
    )
    page_url: str = Field("http://127.0.0.1:8421/", pattern=PAGE)


class WebhookEntry(BaseModel):
    """A program of one's own that is told everything, signed: [webhooks.NAME]."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(pattern=LOOPBACK_OR_TLS)
    secret_env: str = Field("NIGHTDESK_WEBHOOK_SECRET", pattern=VARIABLE)


D = TypeVar("D", bound=BaseModel)


def linked(desk: D, port: int) -> D:
    """The settings of a desk whose page listens on `port`: messages link to it, unless an entry names an address of its own."""
    entries = {name: getattr(desk, name) for name in ("slack", "telegram", "discord")}
    page = {"page_url": f"http://127.0.0.1:{port}/"}
    moved = {name: one.model_copy(update=page) for name, one in entries.items() if one and "page_url" not in one.model_fields_set}
    return desk.model_copy(update=moved)
