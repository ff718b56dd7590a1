"""Where a home last ran: two that are copies of one undo each other's orders at an account, and answer twice in one chat.

Called by `nightdesk up` and `nightdesk worker` before anything starts; the start's note (started.py) keeps machine and folder. A
home that runs on another machine at this moment is refused. One that last ran there comes up halted where it trades an account,
as after a restore; on paper it is said, noted in logs/home.jsonl, and nothing else. So is a copy on the same machine whose
original is still there; keys are claimed there (account_claims.py). Clocks of two machines may be apart by anything: a heartbeat
that moves while it is watched is alive, whatever time it says.
"""

import hashlib
import json
import platform
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from app.home.belonging import FILE as IDENTITY
from app.home.belonging import place_of
from engine.control import halt
from engine.control.started import started_of
from engine.errors import Busy
from engine.watch.heartbeat import boot_id, heartbeat_of, up_ms

if TYPE_CHECKING:
    from app.home.home import Home

KEY, BOOT, FOLDER = "machine", "boot", "home"  # of the start's note
MACHINE_ID = Path("/etc/machine-id")
FRESH_MS = 60_000  # a heartbeat is written once a second
WATCHED_S = 4.0  # an old one is watched for this long
BY = {"name": "start", "channel": "machine"}


def machine() -> str:
    """`a1b2c3d4e5f6 nas-1`: a digest of the machine's id, of its name where it has none, and the name."""
    name = platform.node() or "unnamed"
    return f"{hashlib.blake2b((_read(MACHINE_ID) or name).encode(), digest_size=6, person=b'nightdesk').hexdigest()} {name[:80]}"


def here(home: Path) -> dict[str, str]:
    """What a start's note keeps of where it runs."""
    return {KEY: machine(), BOOT: boot_id(), FOLDER: str(home.absolute())}


def came_from(home: Path, now_ms: int) -> str:
    """The name of the other machine that this home last ran on; "" where it was this one, or none is known.

    Machines without an id may have one name (a container's): a heartbeat that is younger than this machine's start, in a home
    that was started under another kernel, is another's.
    """
    noted = started_of(home)
    kept, boot = noted.get(KEY, ""), noted.get(BOOT, "")
    if not kept:
        return ""
    if kept.split()[0] != machine().split()[0]:
        return kept.partition(" ")[2]
    beat_ms, up = heartbeat_of(home).get("wall_ms"), up_ms()
    if _read(MACHINE_ID) or up is None or boot in ("", boot_id()):
        return ""
    another = isinstance(beat_ms, int) and beat_ms > now_ms - up
    return f"another machine named {kept.partition(' ')[2]}" if another else ""


def original_of(home: Path) -> Path | None:
    """The folder on this machine that this home is a copy of, where that is still a desk; None for one that was moved."""
    noted = started_of(home)
    other = Path(noted.get(FOLDER, ""))
    with suppress(OSError, ValueError, KeyError, TypeError):
        if other.is_absolute() and not other.samefile(home):
            ids = [json.loads((folder / IDENTITY).read_text(encoding="utf-8"))["home_id"] for folder in (home, other)]
            return other if ids[0] == ids[1] else None
    return None


def arrive(home: "Home", now_ms: int, wait: Callable[[float], None] = time.sleep) -> str:
    """What a person is told of a home that last ran elsewhere; "" for one that did not. Raises Busy while it runs there.

    A desk that trades an account is halted first, durably: only a person knows whether the other one still runs.
    """
    if not (other := came_from(home.path, now_ms)):
        original = original_of(home.path)
        return "" if original is None else _copied(home, original, now_ms, wait)
    is_paper = home.desk.mode == "paper"
    if alive := _alive(home.path, now_ms, wait, moves=is_paper):
        raise Busy(f"{home.path} runs on {other}: {alive}", "stop it there and wait a minute; two machines must not run one home")
    if is_paper:
        return _noted(home, f"This home last ran on {other}; if a copy still runs there, {shared(home)}", now_ms)
    reason = f"this home last ran on {other}: stop it there, reconcile, then release"
    halt.set(home.path, reason, BY, now_ms, home.engine)
    return _noted(home, f"HALTED: {reason}", now_ms)


def _copied(home: "Home", original: Path, now_ms: int, wait: Callable[[float], None]) -> str:
    """Of a copy whose original is on this machine."""
    alive = _alive(original, now_ms, wait, moves=True)
    runs = f"which runs ({alive})" if alive else "which is still there"
    return _noted(home, f"This home is a copy of {original}, {runs}; if both run, {shared(home)}", now_ms)


def shared(home: "Home") -> str:
    """What two copies of a home have in common, in words that end a sentence."""
    desk = home.desk
    names = ("slack", "telegram", "discord", "webhooks")
    found = [name.capitalize() for name in names if getattr(desk, name, None)]
    place = place_of(home.path, home.engine)
    lines = [f"both write into {place}"] if Path(place.removeprefix("sqlite:")).is_absolute() or "://" in place else []
    lines += [f"both write and answer by {', '.join(found)}"] if found else []
    return f"{' and '.join(lines)}: stop one of them." if lines else "the two share nothing from here on."


def _noted(home: "Home", text: str, now_ms: int) -> str:
    """The same, kept in the home's log."""
    with suppress(OSError), (home.path / "logs" / "home.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"event": text, "home_id": home.id, "wall_ms": now_ms}) + "\n")
    return text


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""


def _alive(home: Path, now_ms: int, wait: Callable[[float], None], *, moves: bool) -> str:
    """How it is known that a worker is alive there; "" where none is, as far as can be seen from here. `moves`: a heartbeat that
    is merely fresh is none: a container that was made anew has another name, and its paper desk starts at once.
    """
    beat = heartbeat_of(home)
    beat_ms = beat.get("wall_ms")
    if not moves and isinstance(beat_ms, int) and abs(now_ms - beat_ms) < FRESH_MS:
        return f"its worker was alive {max(0, (now_ms - beat_ms) // 1000)} s ago"
    if not beat:
        return ""
    wait(WATCHED_S)
    later = heartbeat_of(home)
    if later in (beat, {}):
        return ""
    apart = isinstance(beat_ms, int) and abs(now_ms - beat_ms) >= FRESH_MS
    return f"its worker is alive: its heartbeat moves{', though the clocks of the two machines are apart' if apart else ''}"
