"""`nightdesk doctor` on what is optional: each is missing on a new desk with what it is for, and is not once it is there."""

from pathlib import Path
from typing import Any

from app.cli.needs import lines_of, needs
from app.home.home import Home, open_home
from app.home.settings import DeskToml


def missing(home: Home, **environ: str) -> dict[str, str]:
    """Name -> text of what is missing."""
    return {need.name: need.text for need in needs(home, environ) if not need.there}


def with_tables(home: Home, **tables: Any) -> Home:
    """The home with such tables in its desk.toml."""
    object.__setattr__(home, "desk", DeskToml.model_validate(home.desk.model_dump(exclude_none=True) | tables))
    return home


def test_a_new_desk_misses_everything_optional(own_home: Path) -> None:
    """One line each, with what to do; extras are named only where something asks for them."""
    home = open_home()
    assert list(missing(home)) == ["data", "model", "way to people", "account", "people", "outside series"]
    assert lines_of(needs(home, {}))[1].startswith("missing  model: for answers of a language model: set OPENAI_API_KEY")


def test_what_is_there_is_not_missing(own_home: Path) -> None:
    """A key in the environment, a local model without a key, outside series that are named."""
    home = open_home()
    assert "model" not in missing(home, OPENAI_API_KEY="k")
    local = {"local": {"base_url": "http://127.0.0.1:1/v1", "model": "m", "key_env": ""}}
    found = missing(with_tables(home, models=local, outside={"series": ["vix"]}))
    assert not {"model", "outside series"} & set(found)


def test_half_a_slack_says_which_half(own_home: Path) -> None:
    """The bot's token alone lets nobody answer: the variables that are not set are named."""
    home = with_tables(open_home(), slack={"channel": "C0123ABCD"})
    assert missing(home)["Slack"].endswith("set SLACK_BOT_TOKEN and SLACK_APP_TOKEN or SLACK_SIGNING_SECRET")
    bot = {"SLACK_BOT_TOKEN": "x"}
    assert missing(home, **bot)["Slack"].endswith("set SLACK_APP_TOKEN or SLACK_SIGNING_SECRET")
    assert "Slack" not in missing(home, **bot | {"SLACK_APP_TOKEN": "y"})


def test_ways_and_monitor_say_what_they_lack(own_home: Path) -> None:
    """Each way that desk.toml names, by its variable; one whole way is a way. A monitor without a model says nothing, and why."""
    tables = {
        "telegram": {"chat": "-100123"},
        "webhooks": {"ops": {"url": "http://127.0.0.1:1/x"}},
        "monitor": {"every_minutes": 60},
    }
    home = with_tables(open_home(), **tables)
    found = missing(home)
    assert "way to people" not in found
    assert "Slack" not in found
    assert found["telegram"] == "TELEGRAM_BOT_TOKEN is not set, or not what telegram takes"
    assert found["webhook:ops"] == "NIGHTDESK_WEBHOOK_SECRET is not set, or not what webhook:ops takes"
    assert "none is configured" in found["monitor"]
    whole = missing(home, TELEGRAM_BOT_TOKEN=f"123456:{'a' * 35}", NIGHTDESK_WEBHOOK_SECRET="s" * 16, OPENAI_API_KEY="k")
    assert not {"telegram", "webhook:ops", "monitor"} & set(whole)
