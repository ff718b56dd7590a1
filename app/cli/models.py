"""`nightdesk doctor --model NAME`: does a configured model work, and over which API format? Called by app/cli/desk.py."""

import os
from collections.abc import Sequence
from typing import Any

import typer

from app.cli import out

OTHERWISE = "set NIGHTDESK_MODEL=offline, or use another model"


def check(name: str, *, as_json: bool) -> None:
    """Test the model NAME and print what it can do. Exit code 1 when no api_format works."""
    from agents.endpoints import endpoints, key_of, named
    from agents.probe import probe, works
    from app.home.home import open_home

    home = open_home()
    found = endpoints({key: entry.model_dump() for key, entry in home.desk.models.items()}, os.environ)
    endpoint = named(found, name)
    key = key_of(endpoint, os.environ)
    if endpoint.key_env and not key:
        out.say(f"{endpoint.key_env} is not set: trying without a key")
    target = endpoint.model or "the first model listed"
    out.say(f"asking {target} at {endpoint.host} about made-up prices; no desk data is sent")
    checks = []
    for made in probe(endpoint, key):
        checks.append(made)
        out.say(f"  {made.state:<8} {made.api_format}, {made.name}: {made.text}")
    api_format = works(checks)
    model = next((made.model for made in checks if made.model), endpoint.model)
    shown = {"name": endpoint.name, "host": endpoint.host, "model": model, "configured_api_format": endpoint.api_format}
    value = {"ok": api_format is not None, **shown, "api_format": api_format, "items": [made._asdict() for made in checks]}
    out.emit(value, as_json=as_json, text=lambda: verdict(value))
    if api_format is None:
        raise typer.Exit(1)


def verdict(value: dict[str, Any]) -> str:
    """The result in a line or two."""
    model = f"{value['model']} " if value["model"] not in ("", value["name"]) else ""
    who = f"{value['name']} ({model}at {value['host']})"
    if not value["ok"]:
        return f"{who} {failing(value['items'], value['configured_api_format'])}"
    if value["api_format"] == value["configured_api_format"]:
        return f"{who} works over the API format {value['api_format']}."
    there = f'api_format = "{value["api_format"]}" under [models.{value["name"]}] in desk.toml'
    return f"{who} works over {value['api_format']}, not over {value['configured_api_format']}: set {there}."


def failing(checks: Sequence[dict[str, Any]], api_format: str) -> str:
    """What happens over `api_format`, the configured one, when no format both calls a tool and uses its result."""
    spoke = {check["api_format"] for check in checks if check["answered"]}
    called = {check["api_format"] for check in checks if (check["name"], check["state"]) == ("one call", "ok")}
    if api_format in called:
        return f"calls tools over {api_format}, but does not use their results: {OTHERWISE}."
    if api_format in spoke:
        lacking = "it cannot call the desk's tools: nothing is looked up, and what it says of the desk is marked as not checked"
        return f"answers over {api_format}, but {lacking}. So {OTHERWISE}."
    silent = f"does not answer over {api_format}: the offline model answers instead, with a notice"
    if spoke:
        return f"{silent}. Over {' and '.join(sorted(spoke))} it answers, but cannot use the desk's tools either: {OTHERWISE}."
    return f"{silent}, until it does."
