"""What a sentence asks of stored models, by its words. Called by choose.py: slots and what was asked before in, a label out.

A stored model is named, spoken of, or was what the turn before was about; then one word more says what is wanted. Sentences of
every kind are in tests/agents/offline/model_sentences.txt.
"""

import re
from collections.abc import Callable

from agents.offline.labels import AskLabel, label_of
from agents.offline.slots import Slots

ASKS = ("models", "models gates", "predictions", "model_drift", "propose_model", "compare models")
_OTHERS = re.compile(  # a model of another kind, or a sentence that is kept
    r"\b(?:language|cost|fill|slippage|fee|risk|offline|chat) models?\b|\bmodels? (?:are|do|did|have) you\b|\byou(?:r)?\b.*\bmodels?\b|"
    r"\b(?:gpt|llm|claude|openai|api key)\b|^(?:please )?(?:note|remember|write down)\b|\bmean[?. ]*$|^define\b|\bdocs?\b"
)
_SPOKEN = re.compile(
    r"_model|_version|\bmodels?\b|\bmachine[- ]learning\b|\b(?:ml|ai)\b|\bchampions?\b|\bchallengers?\b|\bregistry\b|"
    r"\bpredictions?\b|\bhar\b|\bbase rate\b|\br2\b|\ba shadow\b|\bversions?\b.*\b(?:reads?|retired|drafts)\b|\bdrafts\b"
)
_MONEY = re.compile(
    r"\bhow (?:do|did|does|well)\b|\b(?:make|made|making|earn\w*|los[est]\w*|losing|p&l|money|trades?|trips?|results?|win\w*|hit rate|r|profit\w*|perform\w*|"
    r"attribut\w*|split|break)\b"
)
_IN_STATE = re.compile(
    r"\b(?:which|what|each|every|per|in(?: a| the| which)?) (?:bear |bull |sideways )?regimes?\b|\b(?:bull|bear|sideways) (?:and |or |regimes?|markets?)|"
    r"\bsideways\b"
)
_STATE = re.compile(r"\bregimes?\b|\b(?:bull\w*|bear\w*|sideways)\b.*\b(?:markets?|bull\w*|bear\w*|sideways)\b|\b(?:bull|bear|sideways) \w+")
_EXPECTED = re.compile(
    r"\b(?:predict\w*|expect\w*|forecast\w*|model (?:said|says|called|saw|thought))\b.*\b(?:vol\w*|wild\w*|calm\w*|quiet\w*|storm\w*|"
    r"rough|nervous|high|low|markets?)\b|\b(?:vol\w*|calm|wild) (?:was |is |were )?(?:predicted|expected|forecast)\b|"
    r"\bwhat (?:it|the model) (?:predicted|said|expected)\b|\bpredict\w* (?:calm|wild)"
)
_GATING = re.compile(r"\bregimes?\b|\b(?:predicted|expected) vol\w*|\bvol\w* scal\w*|\b(?:scaling|sizing)\b|_model|\bmodel\b|\bmachine learning\b|\bml\b")
_HELPS = re.compile(
    r"\b(?:helps?|pays?|brings?|adds?|earn(?:s|ing)?|worth it|worth having|worth the trouble|difference|better (?:off )?with|ablat\w*)\b|"
    r"\b(?:with and|with or|better|do|make|made|run|better off) without\b|\bwithout (?:the |its |a |it is )?(?:regime|model|_model|prediction)|"
    r"\b(?:flat|predicted) siz\w+ (?:do|against|or|vs)|\bflat siz\w+\b|\bswitch\w* .*\boff\b|\bmakes? us\b"
)
_NULL = re.compile(
    r"\b(?:nulls?|nan|nul|none|missing|silent|empty|blank)\b|\b(?:says?|saying|give?s?|gets?|has|have|had|answers?)\b.*\b(?:nothing|no|anything|"
    r"any)\b(?: \w+)?$|\bno (?:value|prediction)s?\b|\bnot? (?:say|answer|predict|give)\w*|\bstill (?:predict|answer|giv|say|work)\w*|"
    r"\bstop\w* (?:predict|answer|saying)\w*|\b(?:alive|working|predicting)\b|\bsays? (?:nothing|anything|now)\b|\bsay nothing\b|\bha(?:s|ve) (?:a|any) value\b|\bwork\b"
)
_DRIFT = re.compile(
    r"\b(?:drift\w*|moved|shifted|stale|outdated|psi|population stability|still (?:valid|fit|like))\b|\bout of date\b|\btoo old\b|\bks\b|\btraining data\b.*\blike\b|"
    r"\b(?:same|like|as) (?:as )?in (?:the )?training\b"
)
_INPUTS = re.compile(r"\b(?:features?|inputs?)\b")
_ACTS = re.compile(
    r"^(?:(?:ok|okay|yes|then|now|and|so|please|no|well|i|we|want|would like|you|can|could|let us|lets|to|go ahead|that)[ ,]+)*"
    r"(?:propos\w*|promot\w*|switch|move|set|upgrade|roll|take|put|go back|back to|use|make|file|let|have|replace|suggest|request|ask for|_model)\b"
)
_CANDIDATE = re.compile(r"_version|\bchallenger\b|\bnew(?:er|est)? version\b")
_BESIDE = re.compile(r"\b(?:next to|beside|against|vs|versus|compare\w*|side by side)\b")
_SHOULD = re.compile(r"\b(?:should|must|shall) (?:read|use|run|trade)\b")
_IT = re.compile(r"\b(?:promote|propose|file) (?:it|that|this|the challenger|the new(?:er|est)? (?:one|version))\b")
_ONLY_VERSION = re.compile(r"^(?:(?:ok|okay|then|and|no|well|so|take|use|make it|rather|or)[ ,]+)*(?:_model )?_version(?: then| instead| please)?[?.! ]*$")
_GATES = re.compile(
    r"\b(?:leak\w*|look-? ?ahead|lookahead|peek\w*|cheat\w*|gates?|promotable|promotion|refused?|rejected|pass(?:ed|es)?|fail(?:ed|s)?|"
    r"red|allowed)\b|\bfuture\b|\b(?:stops?|keeps?)\b.*_version|\b(?:may|can|could|cannot|can not)\b.*\b(?:promot|propos)\w*|\bfit for\b|\bready\b|\bclean\b"
)
_SHORT = re.compile(
    r"_version|\bfolds?\b|\bspreads?\b|\bbaselines?\b|\bhar\b|\btrust\b|\bany good\b|\bhow good\b|\bversions?\b|\b(?:who|since when|when)\b|"
    r"\bcompare (?:it|them)\b|\b(?:previous|newest|latest) one\b|\bone before\b|\bbetter\b|\boverfit\b"
)
_ABOUT_ONE = re.compile(
    r"_model|_version|\b(?:is there|got|overfit|accurate|folds?|r2|har|base rate|registry|shadow|which|what|list|show|any|all|do we|does|have|has|how|good|trust|rely|uses?|used|using|reads?|stored|trained|registry|"
    r"worth|better|versions?|champions?|challengers?|beat\w*|predicts?|approved|promoted|who|state|status|retired|drafts?|ever)\b"
)
_TRAINS = re.compile(r"\b(?:re-?train|train)\b(?! and)|\bfit (?:a|vol|_model)\b|\bmake _model _version[?. ]*$|\b(?:build|make|create|need|want) (?:a |an |another |one )(?:new )?(?:\w+ )?(?:model|version of)\b|\b(?:start|run) (?:a )?training\b|\bhow are models trained\b")


def _masked(slots: Slots) -> str:
    """The sentence with stored models and versions replaced by their kind."""
    text = slots.text
    places = [(a, b, kind) for kind, name in (("_model", "models"), ("_version", "model_versions")) for a, b in slots.places.get(name, ())]
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
    if re.search(r"\b(?:helps?|without)\b", text):
        return False
    if split in slots.by and (in_table or before in ASKS or _MONEY.search(text) or len(text.split()) < 6):
        return True
    figure = _MONEY.search(text) or in_table or re.search(r"\bhigh\b.*\blow\b|\blow\b.*\bhigh\b|\bbull\b.*\bbear\b", text)
    asked = words.search(text) and (split == "prediction" or _IN_STATE.search(text) or not _HELPS.search(text))
    return bool(figure and asked) or (split == "prediction" and bool(re.search(r"\b(?:terciles?|thirds)\b|\bthird of the prediction", text)))


def _helps(slots: Slots, text: str, before: str) -> bool:
    subject = _GATING.search(text) or (before in ASKS and re.search(r"\b(?:it|that|this)\b", text))
    by = slots.by and not re.search(r"\bhelps?\b", text)
    return bool(subject) and bool(_HELPS.search(text)) and not slots.model_versions and not by


def _null(slots: Slots, text: str, before: str) -> bool:
    spoken = _of_models(text, before) or re.search(r"\bpredict\w*|\bregime\b", text)
    return bool(spoken) and bool(_NULL.search(text)) and not slots.model_versions and not re.search(r"\b(?:any good|do we|does any|beat|gates?)\b", text)


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
    named = "_model" in text or "_version" in text or (re.search(r"\bmodels?\b", text) and not re.search(r"\b(?:which|what) models\b", text))
    return bool(_GATES.search(text)) and (bool(named) or before in ASKS or bool(re.search(r"\bpromotable\b", text)))


def _listed(slots: Slots, text: str, before: str) -> bool:
    if before in ASKS and (_SHORT.search(text) or "_model" in text):
        return True
    if slots.models or (slots.model_versions and not slots.ids):
        return True
    return bool(_SPOKEN.search(text)) and bool(_ABOUT_ONE.search(text) or len(text.split()) < 4) and not (slots.common or slots.variants)


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
