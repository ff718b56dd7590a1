"""Every button of the page for every role: on where the role may, off and with the names of who may where it may not."""

import re
from pathlib import Path
from typing import Any

import pytest

from app.people.authority import ACTS, may, refusals
from app.people.identity import ROLES, Actor, Role, add_person
from app.ui import rights
from tests.app.ui.fake_api import Fake
from tests.app.ui.fake_shapes import NOW_MS, answer, turn
from tests.app.ui.looking import page, texts_of

SOURCES = sorted(Path(rights.__file__).parent.glob("*.py"))
PRESSED = re.compile(r"rights\.(?:button|submit)\((?:[^()]|\([^()]*\))*?key=f?\"([\w-]+)", re.DOTALL)
ALERT = {
    "id": "al-1",
    "severity": "page",
    "kind": "worker",
    "state": "open",
    "place": "",
    "what": "The worker is silent",
    "since_ms": NOW_MS,
    "numbers": {},
    "action": "look",
    "runbook": "worker-down",
    "deliveries": [],
}
WATCH = {"id": "w-1", "state": "asked", "metric": "price", "text": "price of BTC below 9", "value": 10.0, "desk_ms": NOW_MS}
PLACES: dict[str, dict[str, str]] = {
    "alerts": {"tab": "desk", "view": "alerts"},
    "sleeve": {"tab": "sleeves", "sleeve": "btc-trend"},
    "runs": {"tab": "runs"},
    "run": {"tab": "runs", "run": "r-1"},
    "proposals": {"tab": "proposals"},
    "chat": {"tab": "chat", "role": "developer"},
    "thread": {"tab": "chat", "role": "developer", "thread": "t-1"},
}
SEEN = {  # what a small desk in trouble shows at these places; the rest of the table is looked up in the sources below
    "ack_", "approve_", "bt_run", "confirm_", "example_", "halt_now", "hide_", "keep_", "notify_test", "pause_go_", "pull",
    "refresh_", "reject_", "release_now", "remove_", "step_", "tighten_go_", "yes_",
}  # fmt: skip


@pytest.fixture(scope="module")
def listed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk with one person of each role, named like it."""
    home = tmp_path_factory.mktemp("rights")
    for role in reversed(ROLES):
        add_person(home, role, role=role)
    return home


@pytest.fixture
def busy(fake: Fake) -> Fake:
    """A halted desk that asks for every kind of decision."""
    fake.empty = True
    fake.alerts, fake.watches, fake.ways = [dict(ALERT)], [dict(WATCH)], ["slack"]
    fake.desk["halt"] |= {"halted": True, "reason": "odd fills", "by": "vera", "since_ms": NOW_MS}
    fake.proposals["prop-3"] = fake.proposals["prop-1"] | {"id": "prop-3", "state": "stale"}
    said = answer("It cannot be told apart.\n\nNext: `the same over 2024 and 2025`.") | {"proposals": ["prop-1"]}
    fake.turns["u-1"] = turn("u-1", "done", "compare") | {"answer": said}
    return fake


def drawn_as(fake: Fake, home: Path, actor: Actor) -> dict[str, Any]:
    """The buttons of all places by key, as this person sees them."""
    fake.session = (fake.session or {}) | {"name": actor.name, "refused": refusals(home, actor)}
    found = {}
    for where in [*PLACES.values(), {"tab": "proposals", "proposal": "prop-3"}]:
        found |= {str(b.key): b for b in page(**where).button if b.key and _start(b.key)}
    return found


def _start(key: str) -> str:
    """Its row in the table of buttons; empty for one that only turns pages."""
    return next((start for start in rights.BUTTONS if key.startswith(start)), "")


@pytest.mark.sample(1)
@pytest.mark.parametrize("role", ROLES)
def test_a_button_is_on_for_those_who_may_and_off_with_names_for_the_rest(busy: Fake, listed: Path, role: Role) -> None:
    """(role, button) against the authority's own table; what is off says who may."""
    found = drawn_as(busy, listed, Actor(role, "session", "os", "page"))
    assert {_start(key) for key in found} >= SEEN
    for key, button in found.items():
        directions = {"prop-1": "tighten", "prop-2": "loosen", "prop-3": "tighten"}
        act = rights.act_of(key, next((a for ident, a in directions.items() if ident in key), "tighten"))
        assert button.disabled is not may(role, act), (role, key, act)
        if button.disabled:
            able = [name for name in reversed(ROLES) if may(name, act)]
            assert f"needs an {ACTS[act].least}: {', '.join(able)}" in button.help, (key, button.help)


@pytest.mark.slow
def test_a_name_that_is_not_proven_is_asked_for_its_token(busy: Fake, listed: Path) -> None:
    """What it may do after that is not said to be somebody else's; what it may never do is."""
    found = drawn_as(busy, listed, Actor("operator", "claimed", "os", "page"))
    assert "needs your token first" in found["ack_al-1"].help
    assert "needs an approver: admin, approver" in found["release_now"].help
    assert not found["halt_now"].disabled


@pytest.mark.slow
def test_where_nobody_is_registered_nothing_is_off(busy: Fake, tmp_path: Path) -> None:
    """One person alone: everything is theirs."""
    found = drawn_as(busy, tmp_path, Actor("vera", "claimed", "os", "page"))
    assert not [key for key, button in found.items() if button.disabled]


@pytest.mark.slow
def test_what_is_off_is_said_in_words_too(busy: Fake, listed: Path) -> None:
    """Nothing hovers on a phone: the card, the release and the chat say it beside the button."""
    drawn_as(busy, listed, Actor("viewer", "session", "os", "page"))
    for where, words in (
        ("proposals", "Approving a loosening needs an approver: admin, approver."),
        ("alerts", "A release needs an approver: admin, approver."),
        ("chat", "Asking and running needs an operator: admin, approver, operator."),
        ("sleeve", "Proposing needs an operator: admin, approver, operator."),
    ):
        assert words in texts_of(page(**PLACES[where])).replace("\\", ""), where


def test_whatever_is_sent_is_sent_by_a_button_of_the_table() -> None:
    """A module that posts has its buttons in the table, and no row of the table is left without a button."""
    used = {key for path in SOURCES for key in PRESSED.findall(path.read_text(encoding="utf-8"))}
    keys = {start for start in rights.BUTTONS if any(key.startswith(start) or start.startswith(key) for key in used)}
    written = {"confirm_", "remove_", "pause_go_", "tighten_go_", "form_go_"}  # their keys are made of the act
    assert set(rights.BUTTONS) - keys == written - keys
    acts = set(rights.BUTTONS.values()) - {rights.DECIDE}
    assert acts <= set(ACTS)
    own = {"page_client.py", "account.py", "halt.py", "rights.py", "asking.py"}  # a name, a halt, and what others call
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        if re.search(r"\bapi\.(post|delete)\(", text) and path.name not in own:
            assert "rights." in text, f"{path.name} sends without asking whose act it is"
