"""Who may do what: four roles, one table of acts, and the rows of every route, command, button and tool effect.

Called by app.people.approvals (each decision), app.api.context (each request that is not a read), the buttons of Slack and
Telegram, and app.mcp. What is in no row is refused. Whether a change tightens or loosens is what engine.control.direction
computed, never what anybody says. Halting is open to everyone who can reach the desk: it is the safe direction.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, NamedTuple

from app.people.identity import ROLES, Actor, Person, Role, read_people
from app.people.sessions import Denied


class Act(NamedTuple):
    """Something that people do: the least role that may, and what it is."""

    least: Role
    about: str


# each role may do what the roles before it may; everyone, also a name that is not proven, may do what a viewer may
ACTS: Mapping[str, Act] = {
    "read": Act("viewer", "look at everything that the desk shows"),
    "halt": Act("viewer", "halt the desk: open to everyone who can reach it, proven or not"),
    "session": Act("viewer", "log in and out, prove a name, renew one's own token, link one's own accounts"),
    "signed": Act("viewer", "send a request that its signature proves; its button is an act of its own"),
    "machine": Act("viewer", "run a program on the desk's machine, as its user: files and processes, no decision"),
    "work": Act("operator", "ask a role, start and cancel runs and jobs, pull data, name runs and threads, test a delivery"),
    "note": Act("operator", "promote a note into the memory, keep watches"),
    "acknowledge": Act("operator", "acknowledge an alert"),
    "propose": Act("operator", "propose a change; it changes nothing"),
    "incident": Act("operator", "open and close incident windows, wait for a difference"),
    "checklist": Act("operator", "begin a runbook, decide its steps, end it"),
    "reject": Act("operator", "reject a proposal"),
    "tighten": Act("operator", "approve what tightens: a pause, a smaller risk, a stage down"),
    "loosen": Act("approver", "approve what loosens, is neutral, or has no known direction; rollbacks that do"),
    "promote": Act("approver", "approve a stage nearer to money"),
    "release": Act("approver", "release the halt"),
    "adopt": Act("approver", "adopt a difference between desk and venue"),
    "cash": Act("approver", "declare cash that came into the account, or left it"),
    "code": Act("approver", "make a strategy file of a note that a model drafted"),
    "consent": Act("approver", "say yes to what an account's gate waits for"),
    "probe": Act("admin", "send the orders that probe an account"),
    "people": Act("admin", "add and remove people, give roles, ask for two people"),
}
UNPROVEN = "needs your token first: open your name in the head"
NAMED_MAX = 5  # people whom a refusal names
DecisionAct = Literal["tighten", "loosen", "promote"]
DECIDE = "decide"  # of a row: what the proposal's direction makes of it, tighten or loosen or promote
MAYBE_HALT = "halt or work"  # of a row: a text, which may be a halt; the route looks

ROUTES: Mapping[tuple[str, str], str] = {
    ("POST", "/api/session"): "session",
    ("DELETE", "/api/session"): "session",
    ("POST", "/api/halt"): "halt",
    ("DELETE", "/api/halt"): "release",
    ("POST", "/api/turns"): MAYBE_HALT,
    ("POST", "/api/turns/{turn_id}/cancel"): "work",
    ("POST", "/api/threads"): "work",
    ("POST", "/api/threads/{thread_id}/name"): "work",
    ("DELETE", "/api/threads/{thread_id}"): "work",
    ("POST", "/api/runs"): "work",
    ("POST", "/api/runs/{run_id}/name"): "work",
    ("POST", "/api/jobs/{job_id}/cancel"): "work",
    ("POST", "/api/data/pull"): "work",
    ("POST", "/api/proposals"): "propose",
    ("POST", "/api/proposals/{proposal_id}/refresh"): "propose",
    ("POST", "/api/proposals/{proposal_id}/approve"): DECIDE,
    ("POST", "/api/proposals/{proposal_id}/reject"): "reject",
    ("POST", "/api/proposals/rollback"): DECIDE,
    ("POST", "/api/alerts/{alert_id}/ack"): "acknowledge",
    ("POST", "/api/notify/test"): "work",
    ("POST", "/api/watches"): "note",
    ("POST", "/api/watches/{watch_id}/confirm"): "note",
    ("POST", "/api/watches/{watch_id}/remove"): "note",
    ("POST", "/api/checklists"): "checklist",
    ("POST", "/api/checklists/{checklist_id}/look"): "checklist",
    ("POST", "/api/checklists/{checklist_id}/done"): "checklist",
    ("POST", "/api/checklists/{checklist_id}/refuse"): "checklist",
    ("POST", "/api/checklists/{checklist_id}/end"): "checklist",
    ("POST", "/api/slack/events"): "signed",
}

_READ = (
    "account list",
    "alerts list",
    "audit",
    "canary list",
    "canary show",
    "cash list",
    "data check",
    "data list",
    "data sources",
    "doctor",
    "incidents list",
    "incidents show",
    "jobs list",
    "jobs show",
    "journal explain",
    "journal replay",
    "journal tail",
    "journal verify",
    "l2 check",
    "l2 feasibility",
    "l2 replay",
    "live gate",
    "making kappa",
    "making list",
    "making show",
    "making stage",
    "live stages",
    "memory diff",
    "memory search",
    "memory show",
    "models list",
    "models show",
    "models shadow report",
    "notes list",
    "notify list",
    "orders list",
    "orders show",
    "pairs scan",
    "people list",
    "people rota",
    "people show",
    "proposals list",
    "proposals show",
    "report",
    "retention show",
    "risk",
    "runbooks list",
    "runbooks show",
    "runs compare",
    "runs export",
    "runs list",
    "runs show",
    "silences",
    "status",
    "strategies features",
    "strategies history",
    "strategies list",
    "strategies show",
    "trials",
    "watches list",
)
# whoever runs these holds the machine's account, its files and its database: no name is asked for, and none decides anything
_MACHINE = (
    "account check",
    "api",
    "backtest",
    "backup",
    "chat",
    "data fetch",
    "data import",
    "data pull",
    "data record",
    "drift",
    "drill",
    "evals",
    "init",
    "jobs cancel",
    "judge",
    "journal pack",
    "journal unpack",
    "l2 bars",
    "l2 features",
    "l2 labels",
    "l2 record",
    "l2 train",
    "leaks",
    "login",
    "making backtest",
    "making live",
    "making paper",
    "mcp",
    "models drift",
    "models propose",
    "models shadow begin",
    "models shadow stop",
    "models train",
    "monitor",
    "notify test",
    "parity",
    "rerun",
    "restore",
    "retention apply",
    "strategies new",
    "sweep",
    "token",
    "tool",
    "ui",
    "up",
    "walkforward",
    "weights",
    "worker",
)
COMMANDS: Mapping[str, str] = {
    **dict.fromkeys(_READ, "read"),
    **dict.fromkeys(_MACHINE, "machine"),
    "adopt": "adopt",
    "cash in": "cash",
    "cash out": "cash",
    "alerts ack": "acknowledge",
    "alerts slack": "session",
    "canary full": "loosen",  # what it ends would have taken a breach back
    "halt": "halt",
    "incidents close": "incident",
    "incidents open": "incident",
    "live consent": "consent",
    "live stage": "propose",
    "live test": "probe",
    "making adopt": "adopt",
    "making promote": "propose",
    "memory promote": "note",
    "memory restore": "note",
    "notes drop": "note",
    "notes promote": "note",
    "people add": "people",
    "people link-telegram": "session",
    "people on-call": "people",
    "people remove": "people",
    "people role": "people",
    "people two-people": "people",
    "proposals approve": DECIDE,
    "proposals reject": "reject",
    "proposals rollback": DECIDE,
    "reconcile": "incident",
    "release": "release",
    "runbooks begin": "checklist",
    "runbooks done": "checklist",
    "runbooks end": "checklist",
    "runbooks next": "checklist",
    "runbooks refuse": "checklist",
    "runs name": "work",
    "strategies adopt": "code",
    "watches add": "note",
    "watches confirm": "note",
    "watches remove": "note",
}
BUTTONS: Mapping[str, str] = {"halt": "halt", "approve": "tighten", "reject": "reject", "ack": "acknowledge"}  # Slack, Telegram
EFFECTS: Mapping[str, str] = {"READ": "read", "COMPUTE": "work", "PROPOSE": "propose"}  # of a tool that an MCP client calls


def may(role: Role, act: str) -> bool:
    """Whether a role may do an act; an act of no row, nobody."""
    return act in ACTS and ROLES.index(role) >= ROLES.index(ACTS[act].least)


def role_of(home: Path, actor: Actor) -> Role:
    """A person's role: of a desk without registered people everybody's is admin, of an unproven name it is viewer.

    A canary goes back by what its card says, which an approver has approved: code alone acts so (app.people.canaries).
    """
    if actor.assurance == "card":
        return "approver"
    people = read_people(home)
    if not people:
        return "admin"
    entry = people.get(actor.name)
    return "viewer" if entry is None or actor.assurance == "claimed" else entry.role


def require(home: Path, actor: Actor, act: str) -> None:
    """Refuse an act that the person's role does not cover. Raises Denied, BadInput for an invalid people.toml."""
    if act in ACTS and ACTS[act].least == "viewer":
        return  # reads nothing: a halt waits for no file
    role = role_of(home, actor)
    if not may(role, act):
        row = ACTS.get(act)
        about, takes = (row.about, _article(row.least)) if row is not None else (act, "nobody")
        what = f"{actor.name} is {_article(role)} and may not {about} ({act}: it takes {takes})"
        raise Denied(what, "nightdesk people list says who may; an admin gives roles: nightdesk people role NAME ROLE")


def act_of(direction: str, *, raises_stage: bool) -> DecisionAct:
    """The act that approving a change is, by the direction that code computed for it."""
    return "promote" if raises_stage else "tighten" if direction == "tightens" else "loosen"


def refusals(home: Path, actor: Actor) -> dict[str, str]:
    """Of each act that a person's role does not cover, who may: `needs an approver: ana, tom`. Raises as role_of."""
    people, role = read_people(home), role_of(home, actor)
    own = people[actor.name].role if actor.name in people else role  # theirs once their name is proven
    return {act: UNPROVEN if may(own, act) else _needs(people, act) for act in ACTS if not may(role, act)}


def _needs(people: Mapping[str, Person], act: str) -> str:
    """The least role of an act, and the first of those who have it or more."""
    able = [name for name, person in people.items() if may(person.role, act)]
    more = f" and {len(able) - NAMED_MAX} more" if len(able) > NAMED_MAX else ""
    return f"needs {_article(ACTS[act].least)}: {', '.join(able[:NAMED_MAX])}{more}"


def effects_for(role: Role) -> tuple[str, ...]:
    """The tool effects that a client in the name of a person with this role has at most."""
    return tuple(effect for effect, act in EFFECTS.items() if may(role, act))


def acts_for(role: Role) -> list[str]:
    """Every act that a role covers, in the table's order."""
    return [act for act in ACTS if may(role, act)]


def _article(role: str) -> str:
    """`an operator`."""
    return role if role == "nobody" else f"an {role}" if role[0] in "aeio" else f"a {role}"
