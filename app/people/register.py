"""Who is registered: added, given a role, removed by an admin; each act in the people journal. Called by app/cli/people.py.

The first person is admin: until then anybody who reaches the machine could have named themselves, and afterwards someone must
be able to add the next. No agent, page or API reaches this module.
"""

from collections import Counter
from typing import Any, Literal

from app.home.home import Home
from app.people import authority, identity
from app.people.approvals import permit, record
from app.people.identity import Actor, Role, identify, read_people
from app.people.sessions import Sessions
from engine.errors import Refused
from engine.store.journal import read

EVENTS_MAX = 200
SELF = "session"  # the act of renewing one's own token, or of linking one's own accounts


def add(home: Home, name: str, passphrase: str, role: Role | None, admin: str, now_ms: int) -> tuple[str, Role]:
    """Register a person, or renew their token; (the token, their role). `admin`: who does it, proven by their own token.

    A person renews their own token themselves. Raises Denied for anyone but an admin, Refused for a first person who should be
    anything but admin.
    """
    people = read_people(home.path)
    if not people:
        if role not in (None, "admin"):
            raise Refused(f"the first person is admin, not {role}: someone must be able to add the next", "leave --role out")
        actor = Actor(name, "claimed", identity.os_user(), "cli")
    elif name in people and admin in ("", name):
        actor = identify(home.path, name, "cli")
        if role not in (None, people[name].role):
            permit(home, actor, "people", now_ms, who=name)
    else:
        actor = identify(home.path, admin, "cli")
        permit(home, actor, "people", now_ms, who=name)
    before = people[name].role if name in people else ""
    token = identity.add_person(home.path, name, passphrase, role)
    given = read_people(home.path)[name].role
    _journal(home, "token" if before else "add", name, before, given, actor, now_ms)
    return token, given


def give_role(home: Home, name: str, role: Role, actor: Actor, now_ms: int) -> Role:
    """Give a person another role; the one they had. Raises Denied, BadInput, Refused for the last admin."""
    permit(home, actor, "people", now_ms, who=name)
    before = identity.set_role(home.path, name, role)
    _journal(home, "role", name, before, role, actor, now_ms)
    return before


def remove(home: Home, name: str, actor: Actor, now_ms: int) -> None:
    """Take a person off the list: their token and accounts decide nothing from now on, their sessions are closed. Raises as
    give_role."""
    permit(home, actor, "people", now_ms, who=name)
    before = identity.remove_person(home.path, name)
    Sessions(home.path).close_all_of(name)
    _journal(home, "remove", name, before, "", actor, now_ms)


def ask_for_two(home: Home, actor: Actor, now_ms: int, *, both: bool) -> None:
    """Ask for two people to approve what loosens a live sleeve, or no longer. Raises Denied, BadInput."""
    permit(home, actor, "people", now_ms)
    before = identity.two_people(home.path)
    identity.set_two_people(home.path, both=both)
    _journal(home, "two people", "", str(before).lower(), str(both).lower(), actor, now_ms)


def link(home: Home, name: str, where: Literal["slack", "telegram"], account: str, now_ms: int) -> None:
    """Let an account decide as a person, by that person's own token. Raises BadInput, Refused."""
    actor = identify(home.path, name, "cli")
    permit(home, actor, SELF, now_ms)
    identity.link_account(home.path, name, where, account)
    _journal(home, f"link {where}", name, "", account, actor, now_ms)


def people_rows(home: Home) -> list[dict[str, Any]]:
    """Each person: role, what they have, how often they decided, and when last; apart, what was done in their name without proof:
    halting is open to everyone, and whoever halts may type any name."""
    done: dict[str, list[int]] = {}
    claims = Counter[str]()
    for event in read(home.people_journal) if home.people_journal.exists() else ():
        if (name := _actor_of(event.body)) is None:
            continue
        if is_claimed(event.body):
            claims[name] += 1
        else:
            done.setdefault(name, []).append(event.t_event_ms)
    return [
        {
            "name": name,
            "role": person.role,
            "passphrase": bool(person.passphrase),
            "slack": person.slack or None,
            "telegram": person.telegram or None,
            "acts": len(done.get(name, ())),
            "claimed": claims[name],
            "last_ms": max(done[name]) if name in done else None,
        }
        for name, person in read_people(home.path).items()
    ]


def story_of(home: Home, name: str, limit: int = 30) -> list[Any]:
    """The latest events of the people journal in a person's name, proven (`is_claimed`) or not, oldest first."""
    if not home.people_journal.exists():
        return []
    found = [event for event in read(home.people_journal) if _actor_of(event.body) == name]
    return found[-min(limit, EVENTS_MAX) :]


def acts_of_role(role: Role) -> list[dict[str, Any]]:
    """Each act and whether a role may."""
    return [{"act": act, "about": row.about, "may": authority.may(role, act)} for act, row in authority.ACTS.items()]


def is_claimed(body: Any) -> bool:
    """Whether a name was typed and not proven."""
    actor = body.get("actor")
    return isinstance(actor, dict) and actor.get("assurance") == "claimed"


def _actor_of(body: Any) -> str | None:
    actor = body.get("actor")
    return str(actor.get("name")) if isinstance(actor, dict) else None


def _journal(home: Home, act: str, who: str, before: str, now: str, actor: Actor, now_ms: int) -> None:
    body = {"act": act, "who": who, "before": before, "now": now, "actor": actor.as_json()}
    record(home, "person", body, now_ms)
