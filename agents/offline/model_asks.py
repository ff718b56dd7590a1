"""What a sentence asks of stored models, by its words. Called by choose.py: slots and what was asked before in, a label out.

A stored model is named, spoken of, or was what the turn before was about; then one word more says what is wanted. Sentences of
every kind are in tests/agents/offline/model_sentences.txt.
"""

import re
from collections.abc import Callable

from agents.offline.labels import AskLabel, label_of
from agents.offline.slots import Slots
from agents.offline.words import PATTERNS

GOES_ON = re.compile(r"\b(?:they|it|them)\b|\bsince when\b|^ *who\b")
ASKS = ("models", "models gates", "predictions", "model_drift", "propose_model", "compare models")
_OTHERS = PATTERNS["model_asks.others"]
_SPOKEN = PATTERNS["model_asks.spoken"]
_MONEY = PATTERNS["model_asks.money"]
_IN_STATE = PATTERNS["model_asks.in_state"]
_STATE = PATTERNS["model_asks.state"]
_EXPECTED = PATTERNS["model_asks.expected"]
_GATING = PATTERNS["model_asks.gating"]
_HELPS = PATTERNS["model_asks.helps"]
_NULL = PATTERNS["model_asks.null"]
_DRIFT = PATTERNS["model_asks.drift"]
_INPUTS = PATTERNS["model_asks.inputs"]
_ACTS = PATTERNS["model_asks.acts"]
_CANDIDATE = PATTERNS["model_asks.candidate"]
_BESIDE = PATTERNS["model_asks.beside"]
_SHOULD = PATTERNS["model_asks.should"]
_IT = PATTERNS["model_asks.it"]
_ONLY_VERSION = PATTERNS["model_asks.only_version"]
_GATES = PATTERNS["model_asks.gates"]
_SHORT = PATTERNS["model_asks.short"]
_ABOUT_ONE = PATTERNS["model_asks.about_one"]
_TRAINS = PATTERNS["model_asks.trains"]


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
    if _OTHERS.search(text):
        return None
    found = next((ask for ask, asks in _KINDS if asks(slots, text, before)), None)
    return None if found is None else label_of(found)


def _of_models(text: str, before: str) -> bool:
    """Whether a stored model is named or spoken of, or was what the turn before was about."""
    return _SPOKEN.search(text) is not None or before in ASKS


def _trains(slots: Slots, text: str, before: str) -> bool:
    words = re.search(r"\b(?:re-?train|vol|volatility|regime|models?|one|it|another|again)\b|_model|\btraining\b", text)
    return not slots.folds and bool(_TRAINS.search(text)) and (words is not None or before in ASKS)


def _by(slots: Slots, text: str, before: str, *, split: str, words: re.Pattern[str]) -> bool:
    in_table = before.startswith(("trips", "pnl", "attribution"))
    if re.search(r"\b(?:helps?|without|gat(?:e|ing))\b", text):
        return False
    if split in slots.by and (in_table or before in ASKS or _MONEY.search(text) or len(text.split()) < 6):
        return True
    figure = _MONEY.search(text) or in_table or re.search(r"\bhigh\b.*\blow\b|\blow\b.*\bhigh\b|\bbull\b.*\bbear\b", text)
    asked = words.search(text) and (split == "prediction" or _IN_STATE.search(text) or not _HELPS.search(text))
    return bool(figure and asked) or (
        split == "prediction" and bool(re.search(r"\b(?:terciles?|thirds)\b|\bthird of the prediction", text))
    )


def _helps(slots: Slots, text: str, before: str) -> bool:
    subject = _GATING.search(text) or (before in ASKS and re.search(r"\b(?:it|that|this)\b", text))
    by = slots.by and not re.search(r"\b(?:helps?|gat(?:e|ing))\b", text)
    return bool(subject) and bool(_HELPS.search(text)) and not slots.model_versions and not by


def _null(slots: Slots, text: str, before: str) -> bool:
    spoken = _of_models(text, before) or re.search(r"\bpredict\w*|\bregime\b", text)
    return (
        bool(spoken)
        and bool(_NULL.search(text))
        and not slots.model_versions
        and not re.search(r"\b(?:any good|do we|does any|beat|gates?)\b", text)
    )


def _drifts(slots: Slots, text: str, before: str) -> bool:  # noqa: ARG001 - one of _KINDS
    spoken = _of_models(text, before) or _INPUTS.search(text) or re.search(r"\btraining\b", text)
    return bool(spoken) and bool(_DRIFT.search(text)) and not re.search(r"\b(?:paper|back-?test|live)\b", text)


def _proposes(slots: Slots, text: str, before: str) -> bool:
    if _BESIDE.search(text):
        return False
    if before == "propose_model" and _ONLY_VERSION.match(text):
        return True
    acts = _ACTS.match(text) or (slots.sleeves and _SHOULD.search(text))
    named = _CANDIDATE.search(text) and (slots.model_versions or before in ASKS or "_model" in text or "challenger" in text)
    ordered = bool(named) and bool(acts) and not re.match(r"(?:_model )(?!_version for\b)", text)
    return ordered or (before in ASKS and _IT.search(text) is not None)


def _gated(slots: Slots, text: str, before: str) -> bool:  # noqa: ARG001 - one of _KINDS
    if before == "propose_model" and re.match(r"(?:and |but |so )?why(?: not)?[?.! ]*$", text):
        return True
    named = (
        "_model" in text
        or "_version" in text
        or (re.search(r"\bmodels?\b", text) and not re.search(r"\b(?:which|what) models\b", text))
    )
    return bool(_GATES.search(text)) and (bool(named) or before in ASKS or bool(re.search(r"\bpromotable\b", text)))


def _listed(slots: Slots, text: str, before: str) -> bool:
    if before in ASKS and (_SHORT.search(text) or "_model" in text):
        return True
    if slots.models or (slots.model_versions and not slots.ids):
        return True
    return (
        bool(_SPOKEN.search(text))
        and bool(_ABOUT_ONE.search(text) or len(text.split()) < 4)
        and not (slots.common or slots.variants)
    )


_Asks = Callable[[Slots, str, str], bool]
_KINDS: tuple[tuple[str, _Asks], ...] = (
    ("way write_strategy", _trains),
    ("trips by=prediction", lambda s, text, before: _by(s, text, before, split="prediction", words=_EXPECTED)),
    ("trips by=regime", lambda s, text, before: _by(s, text, before, split="regime", words=_STATE)),
    ("compare models", _helps),
    ("propose_model", _proposes),
    ("model_drift", _drifts),
    ("models gates", _gated),
    ("predictions", _null),
    ("models", _listed),
)
