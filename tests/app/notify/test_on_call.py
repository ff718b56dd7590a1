"""On call as people set it: kept in people.toml, refused in one line, never the reason that a page is lost; shifts hand over."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import typer
from sqlmodel import select
from typer.testing import CliRunner

from app.cli import people as commands
from app.home.home import Home, open_home
from app.notify import deliveries, on_call
from app.people import identity
from app.people.rota import rota_of
from app.processes.scheduler import Schedules
from engine.errors import BadInput, Refused
from engine.store import db
from engine.store.tables import Delivery, Handover
from engine.watch.alert_rows import AlertPolicy, apply_findings
from engine.watch.observation import Finding
from tests.fakes.papers import furnished

NIGHT_MS = round(datetime(2025, 1, 15, 1, tzinfo=UTC).timestamp() * 1000)
WAYS = "".join(f'\n[webhooks.{name}]\nurl = "http://127.0.0.1:9/"\nsecret_env = "S_{name.upper()}"\n' for name in ("ann", "bob"))
ANN = {"on_call": 1, "reach": "webhook:ann", "quiet": "22:00-06:00", "timezone": "Europe/Berlin", "shift": "06:00-18:00"}
BOB = {"on_call": 2, "reach": "webhook:bob"}


@pytest.fixture
def home(own_home: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A desk with two ways and two people, ann its admin."""
    furnished(own_home)
    open_home(1)
    toml = own_home / "desk.toml"
    toml.write_text(toml.read_text() + WAYS)
    monkeypatch.setenv("NIGHTDESK_TOKEN", identity.add_person(own_home, "ann", "word"))
    identity.add_person(own_home, "bob", role="viewer")
    return open_home(1)


class Kept:
    """A sink that keeps what it is sent."""

    def __init__(self, name: str) -> None:
        self.name, self.got = name, list[tuple[str, str]]()

    def send(self, message: Any) -> str:
        """Keep it."""
        self.got.append((message.step, message.row.get("on_call", "")))
        return "ref"


def put(home: Home, name: str, **fields: Any) -> None:
    """As the command does it, in ann's name."""
    on_call.put_on_call(home, name, fields, identity.identify(home.path, "ann", "cli"), NIGHT_MS)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"on_call": 21, "reach": "webhook:ann"}, "out of range: 1 to 20"),
        ({"on_call": 1, "reach": ""}, "is not a way"),
        ({"on_call": 1, "reach": "slack"}, "desk.toml names no way 'slack'"),
        ({"timezone": "Europe/Atlantis"}, "timezone = 'Europe/Atlantis' is unknown"),
        ({"timezone": "../etc/passwd"}, "is unknown"),
        ({"quiet": "22:00"}, "is not a span of hours like 22:00-06:00"),
        ({"quiet": "25:00-06:00"}, "is not a span of hours"),
        ({"shift": "06:00-06:00"}, "has no length"),
        ({"on_call": 2, "reach": "webhook:ann"}, "place 2 of the rota is bob's"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(home: Home, fields: dict[str, Any], why: str) -> None:
    """And the file stays as it was."""
    put(home, "bob", **BOB)
    before = (home.path / "people.toml").read_text()
    with pytest.raises(BadInput, match=why):
        put(home, "ann", **fields)
    assert (home.path / "people.toml").read_text() == before


def test_a_viewer_puts_nobody_on_call(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is woken is an admin's to say."""
    monkeypatch.setenv("NIGHTDESK_TOKEN", identity.add_person(home.path, "bob"))
    with pytest.raises(Refused, match="people: it takes an admin"):
        on_call.put_on_call(home, "bob", dict(BOB), identity.identify(home.path, "bob", "cli"), NIGHT_MS)


def test_the_rota_outlives_other_changes_of_people(home: Home) -> None:
    """A new token, a role, a third person: who is on call stays."""
    put(home, "ann", **ANN)
    put(home, "bob", **BOB)
    before = rota_of(home.path)
    identity.add_person(home.path, "ann", "word")
    identity.set_role(home.path, "bob", "operator")
    identity.add_person(home.path, "eve")
    assert rota_of(home.path) == before
    assert [one.name for one in before] == ["ann", "bob"]


def test_the_command_shows_who_is_asked_first(home: Home) -> None:
    """In words and as JSON; without anyone it says where messages go."""
    app = typer.Typer()
    commands.register(app)
    words = ["people", "on-call", "bob", "--order", "1", "--reach", "webhook:bob", "--quiet", "22:00-06:00", "--as", "ann"]
    assert "Nobody is on call" in CliRunner().invoke(app, ["people", "rota"], catch_exceptions=False).stdout
    shown = CliRunner().invoke(app, words, catch_exceptions=False).stdout
    assert shown.startswith("1. bob by webhook:bob, all hours, quiet 22:00-06:00")
    CliRunner().invoke(app, ["people", "on-call", "bob", "--quiet", "always", "--as", "ann"], catch_exceptions=False)
    assert rota_of(home.path)[0].quiet is None


def test_a_page_in_quiet_hours_is_sent_with_whom_it_is_for(home: Home) -> None:
    """At 02:00 of ann's clock: the message goes out and names her; the next step names bob, and her silence."""
    put(home, "ann", **ANN | {"shift": ""})
    put(home, "bob", **BOB)
    sinks = [Kept("webhook:ann"), Kept("webhook:bob")]
    page = Finding("worker", "worker", "page", "no worker", "worker", 1, "start it")
    policy, blind = on_call.with_rota(home, AlertPolicy(), NIGHT_MS)
    assert blind == []
    for ms in (NIGHT_MS, NIGHT_MS + policy.escalate_ms):
        apply_findings(home.engine, [page], (), ms, policy, [sink.name for sink in sinks])
        deliveries.deliver(home, sinks, ms)
    assert sinks[0].got[0] == ("opened", "ann, on call")
    assert sinks[1].got == [("escalated-1", "bob, on call after ann, who did not acknowledge")]


def test_a_people_file_that_cannot_be_read_loses_no_page(home: Home) -> None:
    """Every way gets it, and a finding says why; so does one for a person whose way desk.toml no longer names."""
    put(home, "ann", **ANN)
    (home.path / "people.toml").write_text("on_call = ")
    policy, (finding,) = on_call.with_rota(home, AlertPolicy(), NIGHT_MS)
    assert policy.rota == ()
    assert finding.what.startswith("Nobody is known to be on call")


def test_a_way_that_is_gone_is_a_finding(home: Home) -> None:
    """Named, with whom it should reach."""
    put(home, "ann", **ANN)
    toml = home.path / "desk.toml"
    toml.write_text(toml.read_text().replace("[webhooks.ann]", "[webhooks.old]"))
    policy, (finding,) = on_call.with_rota(open_home(1), AlertPolicy(), NIGHT_MS)
    assert finding.what == "On call and not to be reached, desk.toml names no such way: ann by webhook:ann"
    assert len(policy.rota) == 1


def test_a_shift_change_is_handed_over_once(home: Home) -> None:
    """At 06:00 of ann's clock, whatever the morning's own handover; a restart makes no second one."""
    put(home, "ann", **ANN)
    put(home, "bob", **BOB)
    at = round(datetime(2025, 1, 15, 5, 1, tzinfo=UTC).timestamp() * 1000)
    assert [Schedules(home, [Kept("webhook:ann")], clock=lambda: at).change_shift() for _ in range(2)] == [True, False]
    with db.read(home.engine) as session:
        (row,) = session.exec(select(Handover)).all()
        (sent,) = session.exec(select(Delivery)).all()
    assert row.text.startswith("Shift: bob hands over to ann, 2025-01-15 05:00")
    assert sent.subject == f"handover {row.day}"
    later = at + 5 * 3_600_000
    assert Schedules(home, [], clock=lambda: later + 2 * 3_600_000).change_shift() is False
