"""What repeats the thread without a claim of its own: the person's question, the window of a run. Called by agents/proofs.py."""

import re
from datetime import UTC, date, datetime

from agents.atoms import Clause, When
from agents.concepts import FREE, TALK
from agents.support import Ground
from agents.verdicts import OPEN, PROVEN, Verdict

_WINDOW = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T]\d{2}:\d{2}Z?)? (?:to|until) (\d{4}-\d{2}-\d{2})")
_COVERING = frozenset(
    {"covers", "cover", "covered", "spans", "span", "run", "runs", "comparison", "backtest", "window", "period", "both"}
)
_WORD = re.compile(r"[a-z_]+|\d[\d.,]*")


def is_echo(text: str, ground: Ground) -> bool:
    """`You asked about 7 %`: each word and figure is in what the person typed."""
    if not re.match(r"(?:the )?(?:\w+ )?you (?:asked|wanted|mentioned|named)\b", text):
        return False
    typed = {word.rstrip(".,") for word in _WORD.findall(" ".join(ground.asked).lower())}
    own = FREE | TALK | {"asked", "wanted", "mentioned", "named", "whether"}
    return all(word.rstrip(".,") in typed | own for word in _WORD.findall(text))


def window_of(clause: Clause, ground: Ground) -> Verdict:
    """`The run covers 2025-01-01 to 2026-01-01`: the only window that the thread has."""
    times = [atom.value for atom in clause.of("time")]
    if len(times) != 2 or clause.of("number") or clause.of("mark") or not set(clause.words) <= _COVERING or not clause.words:
        return OPEN
    days = [min(one.days) for one in times if isinstance(one, When) and len(one.days) == 1 and not one.minutes]
    windows = {(date.fromisoformat(a), date.fromisoformat(b)) for text in ground.quotes for a, b in _WINDOW.findall(text)}
    ends = {
        (fact.ref.partition(".")[0], fact.metric): datetime.fromtimestamp(fact.value / 1000, UTC).date()
        for fact in ground.facts.values()
        if fact.metric in ("first_ms", "last_ms") and isinstance(fact.value, int | float) and abs(fact.value) < 4e12
    }
    windows |= {
        (day, ends[of, "last_ms"]) for (of, metric), day in ends.items() if metric == "first_ms" and (of, "last_ms") in ends
    }
    return PROVEN if len(days) == 2 and windows == {(days[0], days[1])} else OPEN
