"""Hand a person's decision to the worker and wait for its answer. Called by adopt.py and incidents.py."""

import time
from typing import Any

import typer

from engine.errors import Refused

ANSWER_S = 10.0  # how long a command waits for the worker
LOOK_S = 0.1


def passphrase(home: Any, actor: Any, asked: str, act: str) -> str | None:
    """The person's passphrase, typed at the terminal, where one is needed; not asked of a role that may not, nor during a
    lockout."""
    from app.people.approvals import before_passphrase
    from app.people.identity import passphrase_needed

    if not passphrase_needed(home.path):
        return None
    before_passphrase(home, actor, now(), asked, act)
    word: str = typer.prompt("passphrase", hide_input=True, err=True)
    return word


def answered(home: Any, number: int, look: str) -> str:
    """What the worker has made of it: adopted, or pending where none runs. Raises Refused with its reason; `look`: a command."""
    from app.people.adoptions import answer_of
    from engine.watch.health import worker_pid

    due, answer = time.monotonic() + ANSWER_S, answer_of(home, number)
    while answer.state == "pending" and worker_pid(home.path) is not None and time.monotonic() < due:
        time.sleep(LOOK_S)
        answer = answer_of(home, number)
    if answer.state == "refused":
        raise Refused(f"the worker refused it: {answer.why}", f"look again: {look}")
    return str(answer.state)


def now() -> int:
    """Wall time, UTC ms."""
    return time.time_ns() // 1_000_000
