"""What a question wants: named intents, distinguished by weighted cues. Called by the offline model.

intents.toml lists them: words that count for or against each one, and which kinds of slots do. The best score wins; below
LEAST nothing is understood and the nearest examples are shown. Whether a role may is decided by tools/catalog.py.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from agents.offline.slots import Slots

LEAST = 3.0


class Intent(NamedTuple):
    """One thing that can be asked."""

    name: str
    about: str  # completes "That is ...": what it is, in words
    tools: tuple[str, ...]  # all of them are needed
    examples: tuple[str, ...]
    cues: tuple[tuple[float, re.Pattern[str]], ...]
    slots: Mapping[str, float]  # kind of slot -> weight
    structure: tuple[frozenset[str], ...] = ()  # kinds of slots that are enough together, without any cue


def _loaded() -> tuple[Intent, ...]:
    """The intents of intents.toml, their shared fragments filled in."""
    listed = tomllib.loads((Path(__file__).parent / "intents.toml").read_text(encoding="utf-8"))
    fragments: dict[str, str] = listed["fragments"]

    def fill_fragments(pattern: str) -> str:
        return re.sub(r"<(\w+)>", lambda found: fragments[found[1]], pattern)

    return tuple(
        Intent(
            entry["name"],
            entry["about"],
            tuple(entry["tools"]),
            tuple(entry["examples"]),
            tuple((float(weight), re.compile(fill_fragments(pattern))) for weight, pattern in entry["cues"]),
            entry["slots"],
            tuple(frozenset(kinds) for kinds in entry.get("structure", ())),
        )
        for entry in listed["intent"]
    )


INTENTS = _loaded()
BY_NAME = {intent.name: intent for intent in INTENTS}


class ScoredIntent(NamedTuple):
    """An intent with its score for a question."""

    intent: Intent
    score: float


def kinds(slots: Slots) -> set[str]:
    """Which kinds of slots a question has, as the intents weigh them."""
    found = {
        "strategy": bool(slots.strategies),
        "symbol": bool(slots.symbols),
        "sleeve": bool(slots.sleeves) or "sleeve" in slots.text,
        "named": bool(slots.sleeves) and not (slots.strategies or slots.symbols),
        "several": len(slots.sleeves) > 1 and not (slots.strategies or slots.symbols),
        "span": slots.span.start is not None or slots.span.end is not None,
        "at": slots.span.at is not None,
        "common": bool(slots.common),
        "variants": bool(slots.variants),
        "run": bool(slots.handles) or any(kind_of(i) == "run" for i in slots.ids),
        "event": any(kind_of(i) == "event" for i in slots.ids),
        "alert": any(kind_of(i) == "alert" for i in slots.ids),
        "proposal": any(kind_of(i) == "proposal" for i in slots.ids),
        "number": slots.number is not None,
        "which": slots.which is not None,
    }
    return {kind for kind, there in found.items() if there}


def kind_of(identity: str) -> str:
    """What an id names, by its form: `r-` a run, `d-7` or `p-7` an event, `al-3` an alert, else a proposal, a job or nothing."""
    if identity.startswith("r-"):
        return "run"
    if re.fullmatch(r"[dp]-\d+", identity):
        return "event"
    if identity.startswith("al-"):
        return "alert"
    return "job" if identity.startswith("j-") else "proposal"


def scores(slots: Slots) -> list[ScoredIntent]:
    """Every intent with its score, best first; the list's order decides between equals."""
    have = kinds(slots)
    scored = [
        ScoredIntent(intent, _score(intent, cues, have)) for intent, cues in zip(INTENTS, _cues_in(slots.text), strict=True)
    ]
    return sorted(scored, key=lambda s: -s.score)


@lru_cache(maxsize=512)  # a question is read again with every step of its turn, and as the past of the next ones
def _cues_in(text: str) -> tuple[tuple[float, ...], ...]:
    """For each intent the weights of its cues that are in the text."""
    return tuple(tuple(weight for weight, pattern in intent.cues if pattern.search(text)) for intent in INTENTS)


def _score(intent: Intent, cues: Sequence[float], have: Iterable[str]) -> float:
    named = sum(intent.slots.get(kind, 0.0) for kind in have)
    if any(weight > 0 for weight in cues):
        return sum(cues) + named
    if any(kinds <= set(have) for kinds in intent.structure):
        return LEAST + min(0.0, sum(cues))
    return max(
        0.0, sum(intent.slots.get(kind, 0.0) for kind in have if kind in ("event", "run", "variants", "proposal", "alert"))
    )


def nearest(text: str, candidates: Sequence[Intent], count: int = 3) -> list[str]:
    """The examples whose words are most like the question's, one an intent."""
    asked = _bag(text)
    ranked = []
    for intent in candidates:
        best = max(((_like(asked, _bag(e)), e) for e in intent.examples), default=(0.0, ""))
        if best[1]:
            ranked.append(best)
    ranked.sort(key=lambda pair: -pair[0])
    return [example for _, example in ranked[:count]]


def _bag(text: str) -> set[str]:
    """The text's words and their beginnings: `positions` is like `position`."""
    words = re.findall(r"[a-z]{3,}", text.lower())
    return {word[:5] for word in words if word not in ("the", "and", "for", "was", "did", "are", "what", "with")}


def _like(a: set[str], b: set[str]) -> float:
    return len(a & b) / (1 + len(a | b))
