"""What a sentence asks of stored models, by its words. Called by choose.py: slots and what was asked before in, a label out.

A stored model is named, spoken of, or was what the turn before was about; then one word more says what is wanted. Sentences of
every kind are in tests/agents/offline/model_sentences.txt.
"""

import re
from collections.abc import Callable
from functools import partial

from agents.offline.labels import AskLabel, label_of
from agents.offline.slots import Slots
from agents.offline.words import says

GOES_ON = re.compile(r"\b(?:they|it|them)\b|\bsince when\b|^ *who\b")
ASKS = ("train_model", "models", "models gates", "predictions", "model_drift", "propose_model", "compare models")


def _says(name: str, text: str) -> bool:
    """Whether a pattern of words.toml is in a text."""
    return says(f"model_asks.{name}", text) is not None


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
    if _says("others", text):
        return None
    found = next((ask for ask, asks in _KINDS if asks(slots, text, before)), None)
    return None if found is None else label_of(found)


def _of_models(text: str, before: str) -> bool:
    """Whether a stored model is named or spoken of, or was what the turn before was about."""
    return _says("spoken", text) or before in ASKS


def _trains(slots: Slots, text: str, before: str) -> bool:
    words = re.search(r"\b(?:re-?train|vol|volatility|regime|models?|one|it|another|again)\b|_model|\btraining\b", text)
    return not slots.folds and _says("trains", text) and (words is not None or before in ASKS)


def _by(slots: Slots, text: str, before: str, split: str) -> bool:
    in_table = before.startswith(("trips", "pnl", "attribution"))
    if re.search(r"\b(?:helps?|without|gat(?:e|ing))\b", text):
        return False
    if split in slots.by and (in_table or before in ASKS or _says("money", text) or len(text.split()) < 6):
        return True
    figure = in_table or _says("money", text) or re.search(r"\bhigh\b.*\blow\b|\blow\b.*\bhigh\b|\bbull\b.*\bbear\b", text)
    if split == "prediction":
        thirds = re.search(r"\b(?:terciles?|thirds)\b|\bthird of the prediction", text)
        return thirds is not None or bool(figure and _says("expected", text))
    return bool(figure and _says("state", text)) and (_says("in_state", text) or not _says("helps", text))


def _helps(slots: Slots, text: str, before: str) -> bool:
    subject = _says("gating", text) or (before in ASKS and re.search(r"\b(?:it|that|this)\b", text))
    by = slots.by and not re.search(r"\b(?:helps?|gat(?:e|ing))\b", text)
    return bool(subject) and _says("helps", text) and not slots.model_versions and not by


def _null(slots: Slots, text: str, before: str) -> bool:
    spoken = _of_models(text, before) or re.search(r"\bpredict\w*|\bregime\b", text)
    other = slots.model_versions or re.search(r"\b(?:any good|do we|does any|beat|gates?)\b", text)
    return bool(spoken) and _says("null", text) and not other


def _drifts(slots: Slots, text: str, before: str) -> bool:  # noqa: ARG001 - one of _KINDS
    spoken = _of_models(text, before) or _says("inputs", text) or re.search(r"\btraining\b", text)
    return bool(spoken) and _says("drift", text) and not re.search(r"\b(?:paper|back-?test|live)\b", text)


def _proposes(slots: Slots, text: str, before: str) -> bool:
    if _says("beside", text):
        return False
    if (before == "propose_model" and _says("only_version", text)) or (before in ASKS and _says("it", text)):
        return True
    acts = _says("acts", text) or (slots.sleeves and _says("should", text))
    named = slots.model_versions or before in ASKS or "_model" in text or "challenger" in text
    return bool(acts and named) and _says("candidate", text) and not re.match(r"(?:_model )(?!_version for\b)", text)


def _gated(slots: Slots, text: str, before: str) -> bool:  # noqa: ARG001 - one of _KINDS
    if before == "propose_model" and re.match(r"(?:and |but |so )?why(?: not)?[?.! ]*$", text):
        return True
    spoken = re.search(r"\bmodels?\b", text) and not re.search(r"\b(?:which|what) models\b", text)
    named = spoken or before in ASKS or re.search(r"_model|_version|\bpromotable\b", text)
    return bool(named) and _says("gates", text)


def _listed(slots: Slots, text: str, before: str) -> bool:
    if (
        slots.models
        or (slots.model_versions and not slots.ids)
        or (before in ASKS and (_says("short", text) or "_model" in text))
    ):
        return True
    about = _says("spoken", text) and (_says("about_one", text) or len(text.split()) < 4)
    return about and not (slots.common or slots.variants)


_Asks = Callable[[Slots, str, str], bool]
_KINDS: tuple[tuple[str, _Asks], ...] = (
    ("train_model", lambda slots, text, before: bool(slots.models) and _trains(slots, text, before)),
    ("way write_strategy", _trains),
    ("trips by=prediction", partial(_by, split="prediction")),
    ("trips by=regime", partial(_by, split="regime")),
    ("compare models", _helps),
    ("propose_model", _proposes),
    ("model_drift", _drifts),
    ("models gates", _gated),
    ("predictions", _null),
    ("models", _listed),
)
