"""people.toml -> the people on call, in order. Called by app/notify."""

from pathlib import Path

from app.people.identity import read_people
from app.people.spans import span_of
from engine.watch.rota import OnCall


def rota_of(home: Path) -> list[OnCall]:
    """The people on call of a home, in order. Raises BadInput for an invalid people.toml."""
    found = [
        OnCall(name, p.on_call, p.reach, p.timezone or "UTC", span_of(p.shift), span_of(p.quiet))
        for name, p in read_people(home).items()
        if p.on_call
    ]
    return sorted(found, key=lambda one: one.order)
