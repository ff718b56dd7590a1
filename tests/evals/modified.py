"""How often a word that changes the meaning changes the answer: `python -m tests.evals.modified` prints the table.

Sentences for training that are read surely get each of the modifiers at their end. What comes of it is counted: other calls, a
question back, the modifier named as not used, or nothing at all, which misleads.
"""

import sys
from collections import Counter
from collections.abc import Iterator

from agents.offline.choose import likely
from agents.offline.entries import entry_of
from agents.offline.labels import WrittenSentence, sentences
from agents.offline.slots import read_slots
from agents.offline.training import desk_words
from agents.offline.words import Words
from tests.agents.offline.test_dialogues import Desk

MODIFIERS = {
    "leaves out": (
        "without sol",
        "except btc",
        "excluding weekends",
        "not counting the shorts",
        "apart from eth",
        "minus the fees",
    ),
    "denies": ("that were never filled", "that did not lose", "which never hit the stop", "that nobody saw"),
    "bounds": ("above 2r", "below 120", "longer than 6 hours", "under 3 percent", "more than 50 usdt"),
    "narrows": ("at weekends", "at night", "in the first hour", "since the last change", "only the shorts", "by candle colour"),
    "unit": ("per trade", "per hour", "in basis points", "in euros", "in R"),
    "condition": ("if it rained", "unless it is monday", "after three losses in a row"),
}
TOOLS = (
    "trips",
    "pnl",
    "attribution",
    "performance",
    "exposure",
    "counts",
    "journal_search",
    "run",
    "backtest",
    "sleeves",
    "alerts",
    "proposals",
)
EACH = 4  # sentences a tool
SURE = 0.9
LIGHT = frozenset(
    (
        "that",
        "were",
        "the",
        "which",
        "more",
        "than",
        "since",
        "last",
        "it",
        "is",
        "in",
        "if",
        "by",
        "at",
        "per",
        "only",
        "did",
        "not",
    )
)


def bases(words: Words) -> Iterator[WrittenSentence]:
    """First sentences of each tool that are read surely and leave nothing out, far apart in the files."""
    for tool in TOOLS:
        own = [s for s in sentences() if s.label.ask == tool and not s.before and not s.label.args and len(s.text.split()) < 9]
        own = own[:: max(1, len(own) // (EACH * 3))]
        own = [s for s in own if likely(read_slots(s.text, words))[0].probability >= SURE]
        yield from own[:EACH]


def outcome(sentence: WrittenSentence, modifier: str, words: Words) -> str:
    """What the modifier did to the answer."""
    entry = entry_of(sentence.label.ask)
    role = entry.roles[0] if entry else "advisor"
    plain, other = Desk(role, words), Desk(role, words)  # type: ignore[arg-type]
    plain.ask(sentence.text)
    answer = other.ask(f"{sentence.text.rstrip(' ?.!')} {modifier}")
    if not other.called:
        return "asked back"
    if other.called != plain.called:
        return "other calls"
    return "named" if any(word in answer for word in modifier.split() if word not in LIGHT) else "silent"


def main() -> int:
    """Print the table."""
    words = desk_words()
    chosen = list(bases(words))
    alarms = sum(not asked_plainly(s, words) for s in chosen)
    print(f"{len(chosen)} sentences, {alarms} of them asked back as they were\n")
    print("| modifiers | answers | other calls | asked back | named | silent |\n|---|---|---|---|---|---|")
    for kind, listed in MODIFIERS.items():
        count: Counter[str] = Counter()
        for modifier in listed:
            for sentence in chosen:
                what = outcome(sentence, modifier, words)
                count[what] += 1
                if what == "silent" and "-v" in sys.argv:
                    sys.stderr.write(f"{sentence.text} | {modifier}\n")
        n = sum(count.values())
        print(
            f"| {kind} | {n} | "
            + " | ".join(f"{count[head] / n:.0%}" for head in ("other calls", "asked back", "named", "silent"))
            + " |"
        )
    return 0


def asked_plainly(sentence: WrittenSentence, words: Words) -> bool:
    """Whether a sentence is answered as it is."""
    entry = entry_of(sentence.label.ask)
    desk = Desk(entry.roles[0] if entry else "advisor", words)  # type: ignore[arg-type]
    desk.ask(sentence.text)
    return bool(desk.called)


if __name__ == "__main__":
    sys.exit(main())
