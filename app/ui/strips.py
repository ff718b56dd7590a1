"""What is wrong, under the head of every tab: what, since when, what holds, the next step. Called by head.py.

Turns the API's last answer, or its silence, into at most a few lines, the worst first. A sleeve that pauses by its own rule is
not wrong; the desk view says it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from app.ui import data_pull, parts, sleeves, urgent
from app.ui.figures import SIMULATED, bar_ms, is_number, length, short, since, when

LATE_BARS = 3  # of the fastest sleeve: a worker that waits longer for its next bar is worth a line
OWN_LINE = ("halt", "worker", "sleeves", "breakers")  # checks that the banner, a line below or the desk view says better
SAID_BY_PAGE = {  # a failed check -> kinds of the pages that say the same, with what to do
    "protective orders": ("protective", "stop"),
    "bars": ("bars",),
    "journals": ("journal",),
    "disk": ("disk",),
}
SHOWN_MAX, ON_PHONE = 4, 2  # a phone's first screen has figures below them
TO_DO_MAX = 160
PULLED = ("recorded", "pulled")  # sources that newer bars of a venue continue
FILES = ("recorded", "synthetic", "no")  # sources whose bars end where their files do
WAITS = "waiting for more"  # of the worker's note; what follows is a reason of its own
ALERTS = {"tab": "desk", "view": "alerts"}


class Strip(NamedTuple):
    """One line: bad (red, ■) or warn (amber, ▲)."""

    kind: str
    strong: str
    rest: str
    command: str = ""
    to: parts.Linked | None = None
    pulls: bool = False  # the command is a job that the API can start


def draw(found: Sequence[Strip], pull: Callable[[], None] | None = None) -> None:
    """The worst first; what does not fit is counted. `pull`: draws the button that fetches bars."""
    ordered, most = sorted(found, key=lambda strip: strip.kind != "bad"), ON_PHONE if parts.phone() else SHOWN_MAX
    for strip in ordered[:most]:
        sign = parts.SIGNS[strip.kind]
        parts.note(f"{sign} {strip.strong}", strip.rest, strip.kind, command=strip.command, to=strip.to)
        if strip.pulls and pull is not None:
            pull()
    if (more := len(ordered) - most) > 0:
        parts.note("", f"and {more} more", "warn", to=parts.Linked("alerts and checks", ALERTS))


def silent(since_ms: int, figures_ms: Any) -> Strip:
    """The API does not answer: since when (wall clock), and of when the figures are (desk time)."""
    of = f"Figures shown are of desk time {when(figures_ms)}." if is_number(figures_ms) else "No figures were read yet."
    rest = f"{of} The worker is another process and may trade on; HALT above works without the API. In a terminal:"
    return Strip("bad", f"The desk's API does not answer since {_clock(since_ms)} (wall clock).", rest, "nightdesk status")


def found(desk: Mapping[str, Any], alerts: Sequence[Mapping[str, Any]], items: Sequence[Mapping[str, Any]]) -> list[Strip]:
    """What is wrong with a desk that answers: what pages a person first; what a page says is not said again by its check."""
    asking = urgent.asking(alerts, desk)
    said = [name for name, kinds in SAID_BY_PAGE.items() if any(page.get("kind") in kinds for page in asking)]
    checks = [check for check in desk.get("checks") or [] if check.get("name") not in said]
    is_said = any(page.get("kind") == "worker" for page in asking)
    paged, of_worker = pages(alerts, desk), _worker(desk, items, is_said=is_said)
    is_gone = not (desk.get("worker") or {}).get("running")  # a page about it may be of before, and nobody looks any more
    return [*of_worker, *paged, *_checks(checks)] if is_gone else [*paged, *of_worker, *_checks(checks)]


def _worker(desk: Mapping[str, Any], items: Sequence[Mapping[str, Any]], *, is_said: bool) -> Iterable[Strip]:
    """No worker, a silent one, or one that waits for bars. `is_said`: a page above names it, with what to do."""
    worker, desk_ms, now_ms = desk.get("worker") or {}, desk.get("desk_ms"), desk.get("now_ms")
    at = short(desk_ms, desk_ms)
    if not worker.get("running"):
        since = f" since {_clock(worker['beat_ms'])} (wall clock)" if is_number(worker.get("beat_ms")) else ""
        of = f" Figures are of {at}." if is_number(desk_ms) else ""
        rest = f"{_open(items, 'nobody moves {} protective orders')}{of} Next:"
        yield Strip("bad", f"No worker runs{since}: nothing trades.", rest, "nightdesk up")
        return
    for check in desk.get("checks") or []:
        if check.get("name") == "worker" and check.get("state") == "bad":
            rest = f"{_open(items, 'nobody moves {} protective orders')} Figures are of {at}."
            rest, command = (rest, "") if is_said else (f"{check.get('text')}. {rest} Next:", "nightdesk doctor")
            yield Strip("bad", "The worker is silent.", rest, command)
        elif check.get("name") == "worker" and check.get("state") == "warning":
            yield Strip("warn", "Two clocks are apart.", f"{check.get('text')}.")
    if worker.get("phase") == "waiting" and _late(desk_ms, now_ms, items):
        rest = f"{_open(items, _protected_by(desk))} It goes on by itself when newer bars are there."
        why = str(worker.get("note") or "").partition(WAITS)[2].strip(" .;")  # what keeps it from bars that are there
        rest += f" {why[:1].upper()}{why[1:]}." if why else ""
        live = desk.get("source") == "live"  # its bars come by themselves or not at all
        command = "nightdesk doctor" if live else _pull(items)
        yield Strip("warn", _ended(desk), f"{rest} Next:", command, pulls=desk.get("source") in PULLED)


def _pull(items: Sequence[Mapping[str, Any]]) -> str:
    """What fetches newer bars of each sleeve: the command alone is of one instrument, and the desk waits for all."""
    of = [tuple(str(item.get(name) or "") for name in ("venue", "symbol", "timeframe")) for item in items]
    pulls = [
        f"nightdesk data pull --venue {venue} --symbol {symbol} --timeframe {timeframe}"
        for venue, symbol, timeframe in dict.fromkeys(of)
        if venue in data_pull.VENUES
    ]
    return " && ".join(pulls) or "nightdesk data pull"


def _protected_by(desk: Mapping[str, Any]) -> str:
    """What becomes of open positions while no bar comes: a halt has cancelled their protective orders for exits."""
    if not (desk.get("halt") or {}).get("halted"):
        return "{} protective orders stand"
    return "{} exit orders wait for the next bar" if desk.get("mode") in SIMULATED else "the halt closes {} layers at the venue"


def _ended(desk: Mapping[str, Any]) -> str:
    """That no newer bar has come: recorded ones end, others are late, by how much."""
    source, desk_ms, now_ms = str(desk.get("source") or "no"), desk.get("desk_ms"), desk.get("now_ms")
    at = short(desk_ms, desk_ms)
    if source in FILES or not is_number(desk_ms) or not is_number(now_ms):
        return f"The {source} bars end at {at}: nothing trades."
    return f"Figures are of {at}, {length((now_ms - desk_ms) / 1000)} old: the worker waits for newer {source} bars."


def _late(desk_ms: Any, now_ms: Any, items: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the next bar is overdue: a worker on current bars waits for each of them for a while."""
    steps = [step for item in items if (step := bar_ms(item.get("timeframe")))]
    if not is_number(desk_ms) or not is_number(now_ms) or not steps:
        return True
    return bool(now_ms - desk_ms > LATE_BARS * min(steps))


def _open(items: Sequence[Mapping[str, Any]], how: str) -> str:
    """`2 positions stay open, ...`; what has no working protective order is named, whatever became of the others."""
    n = sum(bool(item.get("position")) for item in items)
    open_ = f"{n} position{'s stay' if n != 1 else ' stays'} open"
    if bare := [str(item.get("name")) for item in items if sleeves.bare(item)]:
        others = n - len(bare)
        whose = "the others'" if others > 1 else "the other's"
        rest = f", {how.format(whose)}" if others else ""
        return f"{open_}: {', '.join(bare)} WITHOUT a working protective order{rest}."
    return f"{open_}, {how.format('their' if n != 1 else 'its')}." if n else "No position is open."


def _checks(checks: Sequence[Mapping[str, Any]]) -> Iterable[Strip]:
    """Failed checks that nothing else on the page says."""
    for check in checks:
        if check.get("state") in ("bad", "warning") and check.get("name") not in OWN_LINE:
            kind = "bad" if check["state"] == "bad" else "warn"
            event = str(check.get("event") or "")
            to = parts.Linked("its event", {"tab": "desk", "view": "journal", "event": event}) if event else None
            yield Strip(kind, f"Check failed: {check.get('name')}.", f"{check.get('text')}.", to=to)


def pages(alerts: Sequence[Mapping[str, Any]], desk: Mapping[str, Any]) -> Iterable[Strip]:
    """The most urgent page that nobody took, with what to do about it, and how many others there are."""
    if found := urgent.asking(alerts, desk):
        first, more = found[0], f", and {len(found) - 1} more" if len(found) > 1 else ""
        action = str(first.get("action") or "").replace("`", "").rstrip(".")
        to_do = f" To do: {urgent.brief(action, TO_DO_MAX)}." if action else ""
        rest = f"Since {since(first.get('since_ms'), desk.get('now_ms'))} (wall clock){more}.{to_do}"
        yield Strip("bad", f"PAGE: {str(first.get('what')).rstrip('.')}.", rest, to=parts.Linked("what to do", ALERTS))


def _clock(ms: Any) -> str:
    """The time of day of an instant of the wall clock, UTC."""
    return when(ms)[11:]
