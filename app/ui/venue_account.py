"""The account that the desk trades: what is open of it now, gate and health, orders' lives, executions, latency, probes, stages.

Called by desk.py; refreshes itself. On paper and in shadow it says so, and shows the orders of the simulated venue. What a person
does about it is done in a terminal (`nightdesk live`): the words are shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app.ui import clocks, incidents, links, orders, overview, parts
from app.ui.figures import NONE, OFF, SIMULATED, length, number, short, to_minute
from app.ui.page_client import PageClient, Trouble, apart
from app.ui.safe import typeset

EVERY_S = 5
ORDERS_MAX, SHOWN_MAX = 200, 12  # asked for; in a list
SPELLS_MAX = 8
STALE_MS = 15_000  # of a stream: silent for longer, entries are withheld at 10 s
OLD_MS = 150_000  # of an agreement: two comparisons have not found one
READ_LATE_MS = 90_000  # of a poll: the longest wait between two looks is a minute
GATE = {
    "fold": "the journal folds to the desk",
    "account": "key, rights, settings at the venue",
    "code": "the code is the one that opened what is open",
    "steps": "the venue counts in the lots and ticks that this desk does",
    "reconcile": "desk and venue were equal twice",
    "probe": "a far order was placed, seen, moved, cancelled",
    "round_trip": "fills are heard and billed",
}
SIGNS = {True: ("● holds", ""), False: ("■ fails", "neg"), None: ("○ not asked", "mut")}
WHERE = {"tab": "desk", "view": "account"}


@st.fragment(run_every=EVERY_S)
def show(api: PageClient) -> None:
    """The order in the URL, or all of it, orders of the URL's sleeve alone; the words of a silent API are in the head."""
    try:
        desk = api.last("/api/desk")
        wall = desk.get("mode") not in SIMULATED
        if cid := links.at("order"):
            orders.show(api, cid, wall=wall, back=WHERE)
            return
        _draw(api, desk, wall)
    except Trouble as trouble:  # a fragment must handle its own errors
        if not trouble.down:
            st.warning(trouble.markdown(), icon=":material/cloud_off:")


def _draw(api: PageClient, desk: Mapping[str, Any], wall: bool) -> None:
    account = api.last("/api/account")
    of = links.at("sleeve")
    lives = api.last("/api/orders", limit=ORDERS_MAX, sleeve=of)["items"]
    at_account = account["name"] is not None and account["mode"] not in SIMULATED
    _title(account)
    if of:
        links.press(f"Orders of {of} alone: show all", WHERE, key="orders_all", icon=":material/close:", look="tertiary")
    if at_account:
        parts.tiles(tiles(account, desk, lives, api.last("/api/reconcile")))
    _now(account)
    with apart():
        incidents.show(api, desk, beside=True)
    if at_account:
        with st.container(key="panel_positions"), apart():
            overview.positions(api, desk, api.last("/api/sleeves")["items"])
    if at_account:
        left, right = st.columns(2, gap="small")
        with left.container(key="panel_gate", height="stretch"):
            _gate(account["gate"], any(spell["over_ms"] is None for spell in account["spells"]))
        with right.container(key="panel_pulse", height="stretch"):
            _pulse(account, desk)
    with st.container(key="panel_orders"):
        _orders(lives, wall, desk.get("desk_ms"))
    places: list[Any] = st.columns([1.4, 1], gap="small") if at_account else [st.container(), None]
    left, right = places
    with left.container(key="panel_fills", height="stretch" if at_account else "content"):
        parts.head("Executions", "newest first; fee in USDT")
        orders.fills(lives, wall=wall, now_ms=desk.get("desk_ms"), most=ORDERS_MAX)
    if right is not None:
        with right.container(key="panel_latency", height="stretch"):
            _latency(account["latency"])
        _probes(account["probes"])
    _stages(api, desk.get("event"))


def _title(account: Mapping[str, Any]) -> None:
    """Which account, and what it is."""
    if account["name"] is None:
        parts.title("Paper", [{"text": "This desk trades no account: its orders go to a simulated venue, below as they lived."}])
        return
    if account["mode"] in SIMULATED:
        said = "nothing is sent to it: orders go to a simulated venue, below as they lived"
        parts.title(f"In shadow of account {account['name']}", [{"text": f"{account['venue']}, {said}", "loud": True}])
        return
    about = [{"text": f"{account['venue']}, {account['mode']}", "loud": account["mode"] == "testnet"}]
    about.append({"text": f"{account['margin']} margin, leverage {account['leverage']}×"})
    about.append({"text": ", ".join(map(str, account["instruments"]))})
    parts.title(f"Account {account['name']}", about)


def tiles(
    account: Mapping[str, Any], desk: Mapping[str, Any], lives: Sequence[Mapping[str, Any]], found: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Equity, whether anything may enter, open orders, what is in doubt, how long an order takes, the comparison, the clock.
    `found`: /api/reconcile.
    """
    pulse, now = account["pulse"] or {}, desk.get("now_ms")
    why, off = _withheld(account, desk, found), _off(account)
    still = [order for order in lives if order["open"]]
    doubt = [order for order in still if order["state"] == "UNKNOWN"]
    placed = next((one for one in account["latency"] if one["what"] == "placed"), None)
    offset = pulse.get("clock_offset_ms")
    doubts = f"{len(doubt)} in doubt" if doubt else "none in doubt"
    return [
        {"name": "Equity, USDT", "value": number(desk.get("equity")), "note": f"desk time {short(desk.get('desk_ms'), now)}"},
        {
            "name": "Entries",
            "value": "withheld" if why else "may enter",
            "note": why or off,
            "tone": "wrn" if why or off else "",
        },
        {"name": "Open orders", "value": str(len(still)), "note": doubts, "tone": "wrn" if doubt else ""},
        {"name": "Placed in, median", "value": orders.after(placed["median_ms"]) if placed else NONE, "note": _worst(placed)},
        _compared(found, pulse.get("compared_ms"), now),
        {
            "name": "Venue's clock",
            "value": f"{number(offset, 0)} ms" if offset is not None else NONE,
            "note": "off ours",
        },
    ]


def _withheld(account: Mapping[str, Any], desk: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """Why nothing enters, the heaviest reason alone, or how many there are; empty where entries are free."""
    if desk.get("halt", {}).get("halted"):
        return "halted"
    if not (desk.get("worker") or {}).get("running", True):
        return "no worker runs"
    if any(check.get("name") == "worker" and check.get("state") == "bad" for check in desk.get("checks") or []):
        return "the worker is silent"
    if _differ(found):
        return "desk and venue differ"
    wrong = [str(spell["what"]) for spell in account["spells"] if spell["over_ms"] is None] or list(map(str, found["blocked"]))
    wrong = [what for what in wrong if not what.startswith(OFF)]
    gate = account["gate"]
    if len(wrong) > 1:
        return f"for {len(wrong)} reasons, below"
    return typeset(wrong[0]) if wrong else "" if gate is None or gate["open"] else "the gate is closed"


def _off(account: Mapping[str, Any]) -> str:
    """Instruments that their venue does not trade, whose sleeves alone enter nothing; empty where it trades all."""
    off = [str(spell["what"]) for spell in account["spells"] if spell["over_ms"] is None and str(spell["what"]).startswith(OFF)]
    return f"not {', '.join(typeset(what.removeprefix(OFF)) for what in off)}" if off else ""


def _differ(found: Mapping[str, Any]) -> int:
    """How many things the venue has otherwise than the desk."""
    return len(found["differences"]) + len(found["orphans"])


def _compared(found: Mapping[str, Any], agreed_ms: Any, now_ms: Any) -> dict[str, str]:
    """Whether desk and venue agree: one that differs is not shown with when the rest of it agreed. They are compared each minute:
    an agreement of longer ago says nothing of now.
    """
    if count := _differ(found):
        return {"name": "Desk and venue", "value": "differ", "note": f"in {count}, below", "tone": "wrn"}
    note = short(agreed_ms, now_ms) if agreed_ms else "not yet"
    made = {"name": "Desk and venue agreed", "value": _ago(agreed_ms, now_ms), "note": note}
    old = bool(agreed_ms and now_ms) and now_ms - agreed_ms > OLD_MS
    return made | {"note": f"{note}, and not since", "tone": "wrn"} if old else made


def _worst(one: Mapping[str, Any] | None) -> str:
    return f"worst {orders.after(one['worst_ms'])} of {one['count']}" if one else "nothing was placed"


def _ago(ms: Any, now_ms: Any) -> str:
    return f"{length(max(0, now_ms - ms) // 1000)} ago" if ms and now_ms else NONE


def _now(account: Mapping[str, Any]) -> None:
    """What is not well now, a line each: nothing enters meanwhile, or nothing of the instrument that is off."""
    for spell in account["spells"]:
        if spell["over_ms"] is None:
            to = orders.event_link(spell["event"])
            strong = f"▲ {spell['what']}, since {short(spell['since_ms'], account['beat_ms'])}:"
            who = "Its sleeves enter nothing" if str(spell["what"]).startswith(OFF) else "Nothing enters"
            parts.note(strong, f"{spell['why']}. {who}; stops stay.", "warn", to=to)


def _gate(gate: Mapping[str, Any] | None, unwell: bool) -> None:
    """The gate's rows as the worker last said them, and what a person is asked for. `unwell`: something is not well by now: an
    open gate is what held when it opened, a key that has expired since is none of its rows.
    """
    if gate is None:
        parts.head("Gate", "what must hold before anything enters")
        parts.soft("The worker has not asked it yet.")
        return
    since = to_minute(gate["t_ms"], clocks.wall_ms())
    then = f"passed {since}, rows as of then; what is not well now is above"
    parts.head("Gate", f"CLOSED, nothing enters since {since}" if not gate["open"] else then if unwell else f"open since {since}")
    rows: list[Sequence[parts.Cell]] = []
    for row in gate["rows"]:
        tries = f" (tried {row['tries']} times)" if row["tries"] > 1 else ""
        says = f"{row['why'] or GATE.get(row['name'], '')}{tries}"
        rows.append((str(row["name"]).replace("_", " "), SIGNS[row["ok"]], (says, "mut" if row["ok"] is None else "")))
    parts.table(("row", "state", "what it wants, or found"), rows, left=(0, 1, 2), wrap=(2,))
    waits = next((row for row in gate["rows"] if row["consent"] and not gate["open"]), None)
    if waits:
        why, _, _ = str(waits["why"]).partition(": nightdesk ")  # the command follows
        parts.note("▲ Waits for a person:", f"{why}.", "warn", command="nightdesk live consent --as NAME")
    elif not gate["open"]:
        parts.note(
            "▲ It tries again by itself.", "What each row wants, and what to do:", "warn", command="docs/runbooks/gate-closed.md"
        )


def _pulse(account: Mapping[str, Any], desk: Mapping[str, Any]) -> None:
    """Stream and polls as of the heartbeat, then what was not well lately."""
    pulse, now, beat = account["pulse"], desk.get("now_ms"), account["beat_ms"]
    parts.head("Stream and polls", f"as the worker said {_ago(beat, now)}")
    if pulse is None:
        parts.soft("The worker says nothing of them yet.")
    else:
        rows = [_stream(one, beat) for one in pulse["streams"]] + [_poll(one, beat) for one in pulse["polls"]]
        parts.table(("channel", "state", "last read", "more"), rows, left=(0, 1), thin=(3,), wrap=(1,))
        if not pulse["streams"]:
            parts.soft("No private stream: everything is read by REST, on the desk's own clock.")
    was = [spell for spell in account["spells"] if spell["over_ms"] is not None]
    parts.head("Was not well", "wall clock, UTC" if was else "")
    if not was:
        parts.soft("Nothing lately.")
        return
    lines: list[Sequence[parts.Cell]] = []
    for spell in was[:SPELLS_MAX]:
        to = parts.Linked(short(spell["since_ms"], now), links.place("event", str(spell["event"])) or {})
        lines.append((to, str(spell["what"]), orders.after(spell["over_ms"] - spell["since_ms"]), str(spell["why"])))
    parts.table(("since", "what", "lasted", "why"), lines, left=(0, 1, 3), wrap=(1, 3), thin=(3,))


def _stream(one: Mapping[str, Any], beat: Any) -> Sequence[parts.Cell]:
    """The private stream."""
    silent = beat - one["alive_ms"] if beat and one["alive_ms"] else None
    if not one["open_ms"]:
        state: parts.Cell = ("■ not open", "neg")
    elif silent is not None and silent > STALE_MS:
        state = (f"▲ silent for {orders.after(silent)}", "wrn")
    else:
        state = f"● open for {length((beat - one['open_ms']) / 1000)}"
    return (f"stream, {one['name']}", state, _ago(one["alive_ms"], beat), f"connection {one['connections']}")


def _poll(one: Mapping[str, Any], beat: Any) -> Sequence[parts.Cell]:
    """Executions of an instrument by REST."""
    late = bool(beat and one["read_ms"] and beat - one["read_ms"] > READ_LATE_MS)
    if one["failures"]:
        state: parts.Cell = (f"■ {one['failures']} looks in a row failed", "neg")
    elif not one["read_ms"]:
        state = ("○ not read yet", "mut")
    else:
        state = ("▲ late", "wrn") if late else "● reads"
    waiting = f"{one['waiting']} unexplained" if one["waiting"] else "all explained"
    return (f"executions, {one['instrument']}", state, _ago(one["read_ms"], beat), waiting)


def _orders(lives: Sequence[Mapping[str, Any]], wall: bool, now_ms: Any) -> None:
    """Open orders, then the newest that have ended."""
    still, over = [o for o in lives if o["open"]], [o for o in lives if not o["open"]]
    ended = f"{len(over)} ended in the last seven days of desk time"
    if len(lives) >= ORDERS_MAX:
        ended = f"{len(over)} ended of the newest {ORDERS_MAX}"
    parts.head("Orders", f"{len(still)} open, {ended}; a name opens its page")
    if not lives:
        parts.soft("No order in the last seven days of desk time.")
        return
    orders.listed([*still[:SHOWN_MAX], *over[:SHOWN_MAX]], wall=wall, now_ms=now_ms)
    hidden = max(0, len(still) - SHOWN_MAX) + max(0, len(over) - SHOWN_MAX)
    if hidden:
        more = " and older ones" if len(lives) >= ORDERS_MAX else ""
        parts.soft(f"and {hidden} more{more}: nightdesk orders list")


def _latency(found: Sequence[Mapping[str, Any]]) -> None:
    """How long requests took to be answered, and executions to be booked."""
    words = {"placed": "order placed", "moved": "order moved", "cancelled": "order cancelled", "executed": "execution booked"}
    parts.head("Latency", "seven days, request to answer; executions by both clocks")
    if not found:
        parts.soft("Nothing was asked yet.")
        return
    rows: list[Sequence[parts.Cell]] = []
    for one in found:
        times = (orders.after(one[key]) for key in ("median_ms", "p95_ms"))
        worst = orders.linked(one["slowest"], orders.after(one["worst_ms"]))
        rows.append((words.get(one["what"], str(one["what"])), str(one["count"]), *times, worst))
    parts.table(("what", "n", "median", "95 %", "worst"), rows, left=(0,))


def _probes(probes: Sequence[Mapping[str, Any]]) -> None:
    """The last probe of each instrument, each leg with its time."""
    with st.container(key="panel_probes"):
        parts.head("Probe", "the last one of each instrument; again: nightdesk live test NAME --as YOU")
        if not probes:
            parts.soft("None has ended yet.")
        for probe in probes:
            kind = "round trip" if probe["kind"] == "round_trip" else "far order and stop"
            state = "● green" if probe["ok"] else "■ RED"
            cost = f", cost {number(probe['cost'], 4)} USDT" if probe["kind"] == "round_trip" else ""
            line = f"{probe['instrument']}, {kind}, {to_minute(probe['t_ms'], clocks.wall_ms())}{cost}"
            parts.note(state, line, "calm" if probe["ok"] else "bad", to=orders.event_link(probe["event"]))
            parts.track_line([_leg(leg) for leg in probe["legs"]])
            for left in probe["left"]:
                parts.note("■ Left at the venue:", str(left), "bad")


def _leg(leg: Mapping[str, Any]) -> parts.Step:
    sign, look = {"ok": ("●", ""), "failed": ("■", "neg")}.get(str(leg["result"]), ("○", "mut"))
    at = orders.after(leg["ms"]) if leg["ms"] is not None else str(leg["result"])
    return parts.Step(sign, str(leg["name"]), at, str(leg["why"]), look)


def _stages(api: PageClient, event: Any) -> None:
    """Where each sleeve is between paper and money, judged anew for each mark, and only for who looks: a year is read for it."""
    folded = st.expander("Stages: from paper to money, and what each sleeve lacks", key="stages_open", on_change="rerun")
    if not folded.open:
        return
    with folded:
        rows: list[Sequence[parts.Cell]] = [
            (
                parts.Linked(str(one["sleeve"]), {"tab": "sleeves", "sleeve": str(one["sleeve"])}),
                str(one["stage"]).replace("_", " "),
                str(one["next"] or "the last one").replace("_", " "),
                "; ".join(map(str, one["lacking"])) or ("nothing is lacking" if one["next"] else NONE),
            )
            for one in api.as_of(event, "/api/account/stages")["items"]
        ]
        parts.table(("sleeve", "stage", "next", "lacks for it"), rows, left=(0, 1, 2, 3), wrap=(3,))
        parts.soft(
            "A step is proposed in a terminal, nightdesk live stage SLEEVE STAGE, and decided by a person with a passphrase."
        )
