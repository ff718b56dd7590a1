"""What a desk has not, and what that would be for: models, ways to people, recorded data, an account, people, outside series,
extras.

Called by `nightdesk doctor`, after its checks. None of it is a fault: a desk on paper needs none of these. No key is read; of a
variable is said whether it is set.
"""

import importlib.util
import os
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class Need(NamedTuple):
    """One thing: what it is for, whether it is there, and what to do where it is not."""

    name: str
    there: bool
    text: str


def needs(home: Any, environ: Mapping[str, str] = os.environ) -> list[Need]:
    """Everything optional, in the order in which a new desk meets it."""
    return [
        *_data(home),
        *_models(home, environ),
        *_ways(home, environ),
        *_account(home),
        *_people(home),
        *_outside(home, environ),
    ]


def _data(home: Any) -> Iterator[Need]:
    there = home.settings.data is not None or any(series.source != "synthetic" for series in home.catalog.series())
    yield Need("data", there, "for backtests on real prices: set NIGHTDESK_DATA, or nightdesk data import | pull")


def _models(home: Any, environ: Mapping[str, str]) -> Iterator[Need]:
    named = [entry.key_env for entry in home.desk.models.values()]
    there = bool(environ.get("OPENAI_API_KEY")) or any(not name or environ.get(name) for name in named)
    yield Need(
        "model", there, "for answers of a language model: set OPENAI_API_KEY, or [models.NAME] in desk.toml and its variable"
    )


def _ways(home: Any, environ: Mapping[str, str]) -> Iterator[Need]:
    """One way is enough; each that desk.toml names should be whole."""
    from app.notify import ways

    named = ways.names_of(home.desk)
    if not named:
        where = "[slack], [telegram], [discord] or [webhooks.NAME] in desk.toml, see docs/reaching-people.md"
        yield Need("way to people", False, f"for alerts and cards away from the page: {where}")
    if home.desk.slack is not None:
        yield _slack(home.desk.slack, environ)
    ready = {"slack", *(sink.name for sink in ways.sinks_of(home, environ))}
    lacks = ways.lacking(home.desk, ready)
    for name in named:
        if name != "slack":
            yield Need(name, name not in lacks, lacks.get(name, "").partition(": ")[2])
    if home.desk.monitor.every_minutes:
        there = any(need.there for need in _models(home, environ))
        yield Need("monitor", there, "[monitor] asks for notes of a language model, and none is configured: it stays silent")


def _slack(slack: Any, environ: Mapping[str, str]) -> Need:
    """Slack's two variables."""
    lacking = [slack.bot_token_env] if not environ.get(slack.bot_token_env) else []
    if not environ.get(slack.app_token_env) and not environ.get(slack.signing_secret_env):
        lacking.append(f"{slack.app_token_env} or {slack.signing_secret_env}")
    text = f"for alerts and decisions in Slack: set {' and '.join(lacking)}" if lacking else slack.channel
    return Need("Slack", not lacking, text)


def _account(home: Any) -> Iterator[Need]:
    accounts = home.desk.accounts
    yield Need("account", bool(accounts), "for a venue: [accounts.NAME] in desk.toml, then nightdesk account check NAME")
    if any(entry.keyring for entry in accounts.values()):
        found = importlib.util.find_spec("keyring") is not None
        yield Need("extra keyring", found, "for the keys of an account in the keyring: pip install 'nightdesk[keyring]'")


def _people(home: Any) -> Iterator[Need]:
    from app.people.identity import read_people

    text = "for more than one person, live sleeves and a page that others reach: nightdesk people add NAME"
    yield Need("people", bool(read_people(home.path)), text)


def _outside(home: Any, environ: Mapping[str, str]) -> Iterator[Need]:
    there = bool(home.desk.outside.series)
    yield Need(
        "outside series", there, "for funding, macro, on-chain and sentiment: [outside] in desk.toml; nightdesk data sources"
    )
    if environ.get("NIGHTDESK_DASK"):
        found = importlib.util.find_spec("distributed") is not None
        yield Need(
            "extra dask",
            found,
            "for sweeps and trainings on the cluster that NIGHTDESK_DASK names: pip install 'nightdesk[dask]'",
        )


def lines_of(found: list[Need]) -> list[str]:
    """What is missing, a line each; nothing where nothing is."""
    missing = [need for need in found if not need.there]
    return [f"{'missing':<8} {need.name}: {need.text}" for need in missing]
