"""`nightdesk doctor --model NAME`: whether a configured model works, and over which wire. Called by app/cli/desk.py."""

import os
from typing import Any

import typer

from app.cli import out


def check(name: str, *, as_json: bool) -> None:
    """Try the model NAME out and tell what it can do. Exit code 1 when no wire works."""
    from agents.endpoints import endpoints, key_of, named
    from agents.probe import probe, works
    from app.home import open_home

    home = open_home()
    found = endpoints({known: entry.model_dump() for known, entry in home.desk.models.items()}, os.environ)
    endpoint = named(found, name)
    key = key_of(endpoint, os.environ)
    if endpoint.key_env and not key:
        out.say(f"no key in {endpoint.key_env}: trying without one")
    out.say(f"asking {endpoint.model or 'the first model'} at {endpoint.host} about made-up prices; nothing of the desk is sent")
    checks = []
    for made in probe(endpoint, key):
        checks.append(made)
        out.say(f"  {made.state:<8} {made.wire}, {made.name}: {made.text}")
    wire = works(checks)
    shown = {"name": endpoint.name, "host": endpoint.host, "model": endpoint.model, "configured_wire": endpoint.wire}
    value = {"ok": wire is not None, **shown, "wire": wire, "items": [made._asdict() for made in checks]}
    out.emit(value, as_json=as_json, text=lambda: verdict(value))
    if wire is None:
        raise typer.Exit(1)


def verdict(value: dict[str, Any]) -> str:
    """The result in a line."""
    if not value["ok"]:
        return f"{value['name']} at {value['host']}: no wire works; questions are answered by the offline model."
    if value["wire"] == value["configured_wire"]:
        return f"{value['name']} at {value['host']} works over the wire {value['wire']}."
    there = f'wire = "{value["wire"]}" under [models.{value["name"]}] in desk.toml'
    return f"{value['name']} at {value['host']} works over {value['wire']}, not over {value['configured_wire']}: set {there}."
