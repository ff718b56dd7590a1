"""What a sentence asks of stored models, by its words. Called by choose.py: slots and what was asked before in, a label out.

A stored model is named, spoken of, or was what the turn before was about; then one word more says what is wanted. Sentences of
every kind are in tests/agents/offline/model_sentences.txt.
"""

import re

from agents.offline.labels import AskLabel, label_of
from agents.offline.rules import Reads, first_of
from agents.offline.slots import Slots
from agents.offline.words import says

GOES_ON = re.compile(r"\b(?:they|it|them)\b|\bsince when\b|^ *who\b")
ASKS = ("train_model", "models", "models gates", "predictions", "model_drift", "propose_model", "compare models")


def _masked(slots: Slots) -> str:
    """The sentence with stored models and versions replaced by their kind."""
    text = slots.text
    places = [
        (a, b, kind)
        for kind, name in (("_model", "models"), ("_version", "model_versions"))
        for a, b in slots.places.get(name, ())
    ]
    for start, stop, kind in sorted(places, reverse=True):
        text = f"{text[:start]}{kind}{text[stop:]}"
    return re.sub(r"_model[@= ]+_version", "_model _version", text)


def model_label(slots: Slots, before: str) -> AskLabel | None:
    """What is asked of stored models; None where a sentence speaks of none."""
    text = _masked(slots)
    reads: Reads = {
        "before": lambda _: before in ASKS,
        "proposed": lambda _: before == "propose_model",
        "in_table": lambda _: before.startswith(("trips", "pnl", "attribution")),
        "short": lambda _: len(text.split()) < 6,
        "few": lambda _: len(text.split()) < 4,
    }
    found = "" if says("model_asks.others", text) else first_of("of_models_asked", slots, reads, text=text)
    return label_of(found) if found else None
