"""The code that a desk runs, beside what its gate was last open with. Called by gate.py, account_loop.py and app/processes."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.book.bodies import LIVE_STAGES
from engine.book.book import Book, stage_of
from engine.live.config_event import code_hash, code_of
from engine.store.lookback import last


def last_opened(journal: Path) -> Mapping[str, Any]:
    """{code, steps: instrument -> what its venue counted in} of when the gate was last open; empty where it never was."""
    event = last(journal, ("gate",), lambda e: bool(e.body.get("open")))
    return {} if event is None else {"code": dict(event.body["code"]), "steps": dict(event.body.get("steps", {}))}


def code_under(book: Book, folder: Path) -> dict[str, str]:
    """Digests of the code that runs now: the engine's, and each sleeve's strategy as its version names it."""
    from engine.strategies.base import code_sha256  # brings numpy

    return {"engine": code_hash()} | {spec.source["name"]: code_sha256(code_of(spec, folder).strategy) for spec in book.specs}


def changed_since(passed: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Of what the digests differ: engine, sleeves. Nothing where the gate was never open."""
    return sorted(name for name in {*passed, *now} if passed.get(name) != now.get(name)) if passed else []


def with_money(book: Book, names: Sequence[str]) -> list[str]:
    """The sleeves among them that enter with money by their stage."""
    stages = {spec.source["name"]: stage_of(spec.source) for spec in book.specs} if book.mode == "live" else {}
    return [name for name in names if stages.get(name) in LIVE_STAGES]
