"""The desk's vocabulary, and a question in tidy words. Built by agents/prompt.py for each turn, read by the offline model.

`Words` says which strategies, parameters, sleeves and symbols there are; `tidy` lowers a question's case, unifies its
signs and corrects typing errors towards known words, so that `bactest trned` reads as `backtest trend`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from agents.offline import lists
from agents.offline.clock_words import clocks_written, lengths_written

EVERYDAY = frozenset(("rule", "sizing"))  # keys of parameters that are words of any sentence


class Param(NamedTuple):
    """One parameter of a strategy."""

    key: str
    unit: str  # atr | bars | frac | count ...; "" when none is declared
    default: Any
    low: float | None
    high: float | None
    choices: tuple[str, ...] = ()  # the words it may be; empty: a number


class SleeveName(NamedTuple):
    """A sleeve of the live configuration, as a question can name it."""

    name: str
    strategy: str
    symbol: str
    timeframe: str
    venue: str
    params: Mapping[str, Any]
    models: Mapping[str, str] = MappingProxyType({})  # name -> version, of the stored models that it reads


@dataclass(frozen=True, eq=False)
class Words:
    """Everything a question may name. `desk_ms` is the desk's time, None before its first bar.

    Compared as an object: what was read of a sentence is kept for the vocabulary that it was read with.
    """

    strategies: Mapping[str, tuple[Param, ...]] = field(default_factory=dict)
    sleeves: Sequence[SleeveName] = ()
    symbols: Sequence[str] = ()
    venues: Sequence[str] = ()
    desk_ms: int | None = None
    models: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # stored ones: name -> versions, the newest last
    baskets: Mapping[str, tuple[Param, ...]] = field(default_factory=dict)  # strategies over several symbols: their words alone

    @cached_property
    def params(self) -> dict[str, Param]:
        """Every parameter of any strategy by key; an everyday word (`rule`, `sizing`) is one where its strategy is named."""
        return {p.key: p for own in self.strategies.values() for p in own if p.key not in EVERYDAY}

    def params_of(self, strategies: Sequence[str]) -> dict[str, Param]:
        """The parameters of these strategies by key; every one where none of them is known."""
        found = {**self.strategies, **self.baskets}
        return {p.key: p for name in strategies for p in found.get(name, ())} or self.params

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """Every word with a meaning here; typing errors are corrected towards them."""
        words = {name for name in COINS if " " not in name} | set(LISTS["calendar"].split()) | OF_MODELS
        names = [*self.strategies, *self.params, *self.symbols, *self.venues]
        names += [*(sleeve.name for sleeve in self.sleeves), *self.models]
        for name in names:
            words.update(part for part in re.split(r"[^a-z]+", name.lower()) if len(part) > 2)
        return frozenset(words)


VOCABULARY = Path(__file__).parent / "vocabulary.txt"  # written by training.py


@cache
def vocabulary() -> frozenset[str]:
    """The words that several sentences for training use: what a typing error may have meant, and what is no unknown name."""
    return frozenset(VOCABULARY.read_text(encoding="utf-8").split()) | OF_MODELS


LISTS, PATTERNS = lists.LISTS, lists.PATTERNS
COINS: Mapping[str, str] = LISTS["coins"]
_COMMON = frozenset(LISTS["common"].split())
STOP, ASKING = (frozenset(LISTS[name].split()) for name in ("stop", "asking"))
CALENDAR: str = LISTS["calendar"]
OF_MODELS = frozenset(LISTS["of_models"].split())  # what stored models are spoken of by
TURNING, MARKER = (frozenset(LISTS[name].split()) for name in ("turning", "marker"))
NOT_STRATEGIES = frozenset(LISTS["not_strategies"].split())
BY: Mapping[str, tuple[str, ...]] = {word: tuple(forms.split("|")) for word, forms in LISTS["by"].items()}
FIGURES: Mapping[str, tuple[str, ...]] = {word: tuple(forms.split("|")) for word, forms in LISTS["figures"].items()}
HEADS: Mapping[str, tuple[str, ...]] = {head: tuple(forms.split("|")) for head, forms in LISTS["heads"].items()}
CELLS: Mapping[str, tuple[str, ...]] = {word: tuple(forms.split("|")) for word, forms in LISTS["cells"].items()}
LIGHT = frozenset(LISTS["light"].split())
FIGURE_WORDS = frozenset(word for name, forms in FIGURES.items() for word in (name, *forms))
PHRASES: Mapping[str, re.Pattern[str]] = {label: re.compile(pattern) for label, pattern in LISTS["phrases"].items()}


def says(name: str, text: str) -> "re.Match[str] | None":
    """Where a text says what a pattern of words.toml has, anywhere in it; None where it does not."""
    return PATTERNS[name].search(text)


def numbers_in(text: str) -> list[float]:
    """The levels that a text names: `80,000`, `70k`; no per cent, and no length of time."""
    scale = {"k": 1e3, "m": 1e6, None: 1.0}
    return [float(re.sub("[,_]", "", m[1])) * scale[m[2]] for m in PATTERNS["page_plans.number"].finditer(text)]


def _pairs(name: str) -> Mapping[str, str]:
    """A list of `forms = word; ...` as form -> word."""
    listed = [pair.partition("=") for pair in LISTS[name].replace("\n", " ").split(";")]
    return {form.strip(): word.strip() for forms, _, word in listed for form in forms.split("|")}


SHORT, _IRREGULAR = _pairs("short"), _pairs("irregular")
SYNONYMS: Mapping[str, str] = {form: word for word, forms in LISTS["synonyms"].items() for form in forms.split("|")}
_SYNONYM = re.compile(rf"(?<![\w-])(?:{'|'.join(sorted(map(re.escape, SYNONYMS), key=len, reverse=True))})(?![\w-])")
_SYNONYM_WORDS = frozenset(part for form in SYNONYMS for part in form.split())
SAID: Mapping[str, tuple[str, ...]] = {word: tuple(forms.split("|")) for word, forms in LISTS["said"].items()}
_THOUSANDS = re.compile(r"(?<![\w.-])(\d+(?:\.\d+)?)(?:k\b| ?(?:thous[ae]nds?|grand)\b)")
# contractions and clocks, written out; years of two digits, in a sentence of a run
_WRITTEN, _OF_RUNS = ([(re.compile(form), plain) for form, plain in LISTS[name]] for name in ("written", "of_runs"))
_A_RUN = re.compile(r"\b(?:trends?|reversion|cross|back-?test\w*|walk|sweep|simulate|grid)\b")
_PREFACE = PATTERNS["words.preface"]
_VERBS = "".join(f"(?<!{verb})" for verb in ("did", "do", "does", "have", "has", "had", "was", "were", "are", "is"))
_CONTRAST = re.compile(
    rf"{_VERBS}(?:^|[ ,(]+)not (?:the |in )?(?:{'|'.join(map(re.escape, FIGURE_WORDS))})\b(?!\?*$ )[,)]?(?: but)?"
)
_KIND = r"(?:fills?|refusals?|events?|bars?|marks?|alerts?|decisions?|p&l)"
_UNWANTED = re.compile(  # `no fills please`: an answer of another kind leaves them out
    rf"(?:^|[.,;(] *)(?:and )?(?:not?|do not (?:tell|show|give) me(?: about)?|drop|skip|leave out|forget)(?: the| any)? {_KIND}"
    rf"(?:(?: and| or|,)(?: the)? {_KIND})*(?: please| pls)?(?:[.,;)] *|$)"
)


@lru_cache(maxsize=1024)
def tidy(text: str, words: Words, more: frozenset[str] = frozenset()) -> str:
    """The question lower-cased, signs unified, contractions written out, typing errors corrected towards the desk's vocabulary
    and `more`; word order kept."""
    low = written_out(text)
    low = _PREFACE.sub("", low) or low
    low = _UNWANTED.sub("", low) or low
    low = re.sub(r"(?:,| in| keep it) short(?: please)?[.! ]*$", "", low)  # the answer is to be short, no side of the market
    low = _CONTRAST.sub("", low) if sum(word in FIGURE_WORDS for word in re.findall(r"[a-z&]+", low)) > 1 else low
    low = re.sub(r"(?<![\w.=/'-])[a-z-]+(?![\w=/'-])", lambda found: SHORT.get(found[0], found[0]), low).strip()
    names = [*(sleeve.name for sleeve in words.sleeves), *words.models]
    low = re.sub(r"(?<![\w.=/'-])[a-z]{2,6}-[a-z]{4,}(?![\w=/-])", lambda found: _near(found[0], names, 0.75) or found[0], low)
    glued = {name.replace("-", ""): name for name in names if "-" in name}  # `ethtrend`
    low = re.sub(
        r"(?<![\w.=/'-])[a-z]{4,}(?![\w=/-])",
        lambda found: glued.get(found[0]) or _corrected(found[0], words.vocabulary, more),
        low,
    )
    low = clocks_written(lengths_written(low))  # now that its units and the times of day are read
    low = _SYNONYM.sub(lambda found: SYNONYMS[found[0]], low)
    for pattern, plain in _OF_RUNS if _A_RUN.search(low) else ():
        low = pattern.sub(plain, low)
    return low


def written_out(text: str) -> str:
    """A text in lower case and plain signs, its contractions and clocks written out."""
    low = re.sub(r"\s+", " ", text.lower().translate(_SIGNS)).strip()
    low = _THOUSANDS.sub(lambda m: f"{float(m[1]) * 1000:.10g}", low)
    for pattern, written in _WRITTEN:
        low = pattern.sub(written, low)
    return re.sub(r"(?<![\w.])(\d+) and a half\b", r"\1.5", low)


_SIGNS = str.maketrans(
    {"\u2019": "'", "\u2018": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": "-", "\u2212": "-", "\u00d7": "x"}
)


@lru_cache(maxsize=16384)
def _corrected(word: str, names: frozenset[str], declared: frozenset[str]) -> str:
    """`word`, or the one known word it is a typing error of: about one error in five letters, the first letters alike."""
    known = names | declared | STOP | MARKER | TURNING
    if is_common(word) or word in known | _SYNONYM_WORDS:
        return word
    turned = [other for other in known if len(other) == len(word) and other[0] == word[0] and sorted(other) == sorted(word)]
    if len(turned) == 1 or stem(word) in _stems(known):  # two letters changed places
        return turned[0] if len(turned) == 1 else word
    short = len(word) == 4  # a letter too few, too many or changed for its neighbour; another letter makes another word
    aims = [other for other in known if len(other) > 4 or other in names or (short and other in STOP)]
    near = [other for other in aims if other[0] == word[0] or sorted(other[:2]) == sorted(word[:2])]
    near = [other for other in near if not short or (other in STOP and (set(word) <= set(other) or set(other) <= set(word)))]
    return _near(word, near, 0.75) or word


def _near(word: str, names: Iterable[str], least: float) -> str | None:
    """The name that a word is a typing error of; None when no name is that near."""
    from rapidfuzz import process
    from rapidfuzz.distance import DamerauLevenshtein

    found = process.extractOne(word, sorted(names), scorer=DamerauLevenshtein.normalized_similarity, score_cutoff=least)
    return found[0] if found and len(found[0]) > 3 else None


@cache
def _stems(known: frozenset[str]) -> frozenset[str]:
    return frozenset(map(stem, known))


def is_common(word: str) -> bool:
    """Is it an ordinary word, which no correction may bend?"""
    return word in _COMMON or word in STOP or stem(word) in _COMMON_STEMS


_PERSON = {"i": "we", "am": "are", "my": "our", "me": "us", "mine": "ours"}
_PERSON |= {form: verb for form, verb in _IRREGULAR.items() if form != verb}


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without its ending, so that `refused`, `refuse` and `refusing` are one; `my` and `our` are the desk's both."""
    word = _PERSON.get(word, word).removesuffix("'s").removesuffix("'")
    if len(word) <= 3 or not word.isalpha():
        return word
    if word.endswith("ies"):
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "ches", "shes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    word = word[:-1] if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl" else word
    word = re.sub(r"is(?=e?$|ation$)", "iz", word) if len(word) > 6 else word
    return word.removesuffix("e") if len(word) > 3 else word


_DATES = [word for word in CALENDAR.split() if word.endswith(("day", "ber", "ary")) or word in LISTS["months"].split()]
DATED = frozenset(map(stem, _DATES))  # of no window
_COMMON_STEMS = frozenset(map(stem, _COMMON | STOP))
