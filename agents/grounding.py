"""Every number in an answer resolves to a fact, or is struck out. Called by agents/nodes.py with a model's draft.

A reference `{r1.sharpe}` is rendered by code: value, unit, link. A number typed by the model is kept when a fact of
this thread has that value in that unit and the sentence names its metric or its subject; when it is an argument the turn
used, named with its word ("a 2 ATR stop"); or when the person typed it first and the answer only repeats it. Anything
else becomes `~~0.31~~` with an entry in `struck`; the rest of the answer is kept. What is not a claim: agents/claims.py.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from agents import render
from agents.claims import NumberClaim, claims
from tools.common.contract import Fact

MARK = 0xE000  # the first private-use character that stands for a reference
REFERENCE = re.compile(r"\{([A-Za-z]\w*(?:\.[\w-]+)+)\}")
CROWD = 8  # a metric with more facts than this in a thread needs its subject named too

# dimension and factor of a fact's unit; instants and words are never typed numbers
_FACT_UNITS = {
    "frac": ("frac", 1.0),
    "bps": ("frac", 1e-4),
    "usd": ("usd", 1.0),
    "price": ("usd", 1.0),
    "ratio": ("ratio", 1.0),
    "bars": ("count", 1.0),
    "count": ("count", 1.0),
    "base": ("base", 1.0),
    "days": ("time", 86_400_000.0),
    "duration_ms": ("time", 1.0),
}
_UNIT_WORDS = {"rate", "ratio", "frac", "bps", "usd", "usdt", "ms", "max", "min", "count", "total", "bars", "price", "annual"}
# how people say a metric: a word of the metric's name -> what also names it
_SAID: Mapping[str, str] = {
    "return": r"returns?|returned|made|gain(?:ed|s)?|lost|earned|up|down|performance|result",
    "pnl": r"p\s?&\s?l|pnl|profits?|loss(?:es)?|lost|made|earned|gain(?:ed|s)?|result|net",
    "drawdown": r"draw-?downs?|dd|peak[- ]to[- ]trough|worst fall",
    "win": r"win(?:s|ning|ners?)?|won|hit rate",
    "trades": r"trades?|round[- ]trips?|trips",
    "trips": r"trades?|round[- ]trips?|trips",
    "fees": r"fees?|commissions?|costs?",
    "fee": r"fees?|commissions?|costs?",
    "cost": r"costs?|fees?",
    "costs": r"costs?|fees?",
    "funding": r"funding",
    "slippage": r"slippage|slip",
    "exposure": r"exposure|exposed|in the market|invested",
    "equity": r"equity|worth|account|value",
    "change": r"chang(?:e|ed|es)|difference|moved",
    "difference": r"differ(?:s|ence|ences)?|gap|delta|more|less|better|worse",
    "sharpe": r"sharpe",
    "leverage": r"leverage|levered",
    "size": r"sizes?|quantity|lots",
    "lots": r"lots|size|quantity",
    "halted": r"halt(?:ed)?",
    "turnover": r"turnover|turned over",
}
_LOSING = re.compile(
    r"(?i)\b(lost|los(?:s|ses|ing|es)|down|fell|drop(?:s|ped)?|negative|minus|draw-?downs?|paid|pays?|costs?|fees?"
    r"|under water|worse|less|lower|below)\b"
)
SENTENCE_MAX = 2_000  # characters of a sentence that is looked at for what is shown of it
_REPEATING = re.compile(r"(?i)\b(you (?:asked|said|typed|wrote|named|gave|want)|(?:i )?understood|asked for)\b")
_SENTENCE_END = re.compile(r"(?<=[.!?;])\s+(?=[A-Z0-9*_`{(\[~\ue000-\uf8ff])")


class StruckNumber(NamedTuple):
    """An unsupported number: as typed, its sentence, and why it was struck."""

    text: str
    sentence: str
    why: str


class GroundedText(NamedTuple):
    """The grounded answer, and what was struck from it."""

    text: str
    struck: tuple[StruckNumber, ...]


@dataclass(frozen=True, slots=True)
class Ground:
    """What can support a number: the thread's facts by reference, what the person typed, the calls' arguments."""

    facts: Mapping[str, Fact]
    asked: Sequence[str] = ()
    arguments: Sequence[Mapping[str, Any]] = ()
    names: Sequence[str] = ()  # ids and names of the thread: digits inside them are not claims
    quotes: Sequence[str] = ()  # tool texts of this turn: a sentence or row repeated verbatim needs no fact
    typed: tuple[NumberClaim, ...] = field(init=False)
    settings: tuple[tuple[str, float], ...] = field(init=False)
    quoted: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Read the person's numbers and the arguments once."""
        lines = (line for text in self.asked for line in text.splitlines())
        object.__setattr__(self, "typed", tuple(claim for line in lines for claim in claims(line)))
        object.__setattr__(self, "settings", tuple(_settings(self.arguments)))
        said = (render.safe(text, {fact.evidence.id for fact in self.facts.values()}) for text in self.quotes)
        object.__setattr__(self, "quoted", frozenset(part for text in said for part in _whole_parts(text)))


def _settings(value: Any, key: str = "") -> Iterator[tuple[str, float]]:
    """Every number among the arguments with its key; `{"key": k, "value": v}` counts as k."""
    if isinstance(value, Mapping):
        if isinstance(value.get("key"), str) and "value" in value:
            yield from _settings(value["value"], value["key"])
        for name, part in value.items():
            yield from _settings(part, str(name) if name != "value" else key)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _settings(part, key)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield key, float(value)
    elif isinstance(value, str):
        for name, number in re.findall(r"\b(\w++)\s*+=\s*+([-+]?\d+(?:\.\d+)?)", value):
            yield name, float(number)


def _whole_parts(text: str) -> Iterator[str]:
    """The lines and sentences of a tool's text, for recognising verbatim repeats."""
    for line in text.splitlines():
        yield line.strip()
        for start, end, _ in _sentences(line):
            yield line[start:end].strip()


def ground(draft: str, stand: Ground) -> GroundedText:
    """Render the references of `draft` and strike unsupported numbers. `draft` is untrusted text; the result is safe."""
    known = {fact.evidence.id for fact in stand.facts.values()} | set(stand.names)
    marked, marks, struck = _mark(render.safe(draft, known), stand)
    names = _names(stand, known)
    lines: list[str] = []
    header: list[str] = []
    for line in marked.split("\n"):
        is_row = line.lstrip().startswith("|")
        header = (header or _cells(line)) if is_row else []
        parts = _row_parts(line, header) if is_row else _sentences(line)
        lines.append(_line(line, parts, marks, stand, names, struck))
    return GroundedText(_unmark("\n".join(lines), marks), tuple(struck))


def _mark(text: str, stand: Ground) -> tuple[str, list[Fact], list[StruckNumber]]:
    """Known references become one private character each; unknown ones are struck at once."""
    marks: list[Fact] = []
    struck: list[StruckNumber] = []

    def replace(found: re.Match[str]) -> str:
        fact = stand.facts.get(found[1])
        if fact is None:
            struck.append(StruckNumber(found[0], found[0], "no fact in this thread has this reference"))
            return f"~~{found[0]}~~"
        marks.append(fact)
        return chr(MARK + len(marks) - 1)

    return REFERENCE.sub(replace, text), marks, struck


def _unmark(text: str, marks: Sequence[Fact]) -> str:
    """Put value, unit and link where the marks are; a table's cells stay plain, a unit typed after it is dropped."""
    lines = []
    for line in text.split("\n"):
        in_table = line.lstrip().startswith("|")
        shown = line
        for found in reversed(list(re.finditer(r"([\ue000-\uf8ff])(\s?(?:%|bps\b|USDT?\b|bars\b))?", line))):
            fact = marks[ord(found[1]) - MARK]
            words = render.value_text(fact)
            typed = (found[2] or "").strip()
            rest = "" if typed and words.endswith(typed) else (found[2] or "")
            value = words if in_table else render.link(words, fact.evidence)
            shown = shown[: found.start()] + value + rest + shown[found.end() :]
        lines.append(shown)
    return "\n".join(lines)


def _names(stand: Ground, known: Iterable[str]) -> re.Pattern[str] | None:
    """One pattern for the literal ids and names whose digits are not claims, longest first."""
    subjects = {fact.subject for fact in stand.facts.values()}
    words = sorted({w for w in (*known, *subjects) if re.search(r"[A-Za-z]", w)}, key=len, reverse=True)
    return re.compile("|".join(rf"(?<!\w){re.escape(w)}(?!\w)" for w in words), re.IGNORECASE) if words else None


# --------------------------------------------------------------------------- sentences


def _sentences(line: str) -> list[tuple[int, int, str]]:
    """(from, to, what it says) of each sentence of a line."""
    parts, start = [], 0
    for found in _SENTENCE_END.finditer(line):
        parts.append((start, found.start(), line[start : found.start()]))
        start = found.end()
    return [*parts, (start, len(line), line[start:])]


def _cells(line: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)]


def _row_parts(line: str, header: Sequence[str]) -> list[tuple[int, int, str]]:
    """The cells of a table's row; what each says is its column's name, the row's first cell and itself."""
    parts, start = [], 0
    cells = re.split(r"(?<!\\)\|", line)
    label = next((text for text in cells if text.strip()), "")
    for i, text in enumerate(cells):
        column = header[i] if i < len(header) else ""
        parts.append((start, start + len(text), f"{column} {label} {text}"))
        start += len(text) + 1
    return parts


def _line(
    line: str,
    parts: Sequence[tuple[int, int, str]],
    marks: Sequence[Fact],
    stand: Ground,
    names: re.Pattern[str] | None,
    struck: list[StruckNumber],
) -> str:
    """The line with each unsupported claim struck out."""
    if _is_quote(line, marks, stand):
        return line
    pieces, done, found = list[str](), 0, list[StruckNumber]()
    quoted: dict[int, bool] = {}  # by where a part starts
    n = 0
    for claim in claims(line, names):
        while n < len(parts) and parts[n][1] <= claim.start:
            n += 1
        inside = n < len(parts) and parts[n][0] <= claim.start
        start, end, sentence = parts[n] if inside else (0, len(line), line)
        if start not in quoted:
            quoted[start] = _is_quote(line[start:end], marks, stand)
        if quoted[start] or _stands(claim, sentence, stand):
            continue
        readable = _unmark(sentence[:SENTENCE_MAX], marks) if marks else sentence[:SENTENCE_MAX]
        why = "no fact in this thread has this value, in this unit, for what the sentence names"
        found.append(StruckNumber(claim.text, readable.strip()[:300], why))
        pieces += [line[done : claim.start], f"~~{claim.text}~~"]
        done = claim.start + len(claim.text)
    struck += reversed(found)
    return "".join([*pieces, line[done:]])


def _is_quote(text: str, marks: Sequence[Fact], stand: Ground) -> bool:
    """Does the text repeat verbatim a sentence or row from a tool of this turn? A lead-in before it is allowed."""
    if not stand.quoted:
        return False
    said = re.sub(r"[\ue000-\uf8ff]", lambda found: f"{{{marks[ord(found[0]) - MARK].ref}}}", text).strip()
    return said in stand.quoted or re.sub(r"^(?:\*\*[^*]+\*\*|[A-Z][^.:{}|0-9]{0,60}:)\s+", "", said) in stand.quoted


# --------------------------------------------------------------------------- is it supported?


def _stands(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    return _is_setting(claim, sentence, stand) or _is_fact(claim, sentence, stand) or _is_echo(claim, sentence, stand)


def _is_setting(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """An argument of this thread's calls, said with a word of its key: `stop_atr=2`, "a 2 ATR stop", "fast 20"."""
    for key, value in stand.settings:
        same = claim.value == value or (claim.dimension == "frac" and abs(claim.value * claim.factor - value) < 1e-12)
        if same and any(re.search(rf"(?i)(?<![a-z]){re.escape(word)}", sentence) for word in _key_words(key)):
            return True
    return False


def _key_words(key: str) -> list[str]:
    return [word for word in key.lower().split("_") if len(word) > 2 and word not in ("frac", "max", "min")]


def _is_fact(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """A fact has this value in this unit, and the sentence names its metric or, where it names no metric, its subject."""
    facts = [fact for fact in stand.facts.values() if fact.unit in _FACT_UNITS and _numeric(fact)]
    by_metric = [fact for fact in facts if names_metric(sentence, fact.metric)]
    for fact in by_metric:
        crowd = sum(1 for other in by_metric if other.metric == fact.metric) > CROWD
        if _same(claim, fact, sentence) and (not crowd or names_one(sentence, fact, by_metric)):
            return True
    if by_metric and not claim.dimension:
        return False
    named = {fact.metric for fact in by_metric}
    others = [fact for fact in facts if fact.metric not in named]
    return any(_same(claim, fact, sentence, strict=True) and names_one(sentence, fact, facts) for fact in others)


def _numeric(fact: Fact) -> bool:
    return isinstance(fact.value, int | float) and not isinstance(fact.value, bool)


def _same(claim: NumberClaim, fact: Fact, sentence: str, *, strict: bool = False) -> bool:
    """Is the typed number this fact's value, rounded to the digits typed? `strict`: the unit must be typed as well."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by _numeric before
    dimension, factor = _FACT_UNITS[fact.unit]
    if claim.dimension:
        counts = claim.dimension == "count" and fact.unit in ("count", "bars")
        if claim.dimension != dimension and not counts:
            return False
        typed, step = claim.value * claim.factor, claim.step * claim.factor
    else:
        if strict and fact.unit not in ("count", "bars", "ratio"):
            return False
        typed, step = claim.value * factor, claim.step * factor
    value = float(fact.value) * factor
    signs = (1.0, -1.0) if _sign_free(fact, sentence) else (1.0,)
    exact = claim.digits >= 2 or claim.step <= 0.01  # one digit alone is too little to round to
    return any(_rounds_to(typed, step, value * sign, exact) for sign in signs)


def _sign_free(fact: Fact, sentence: str) -> bool:
    """ "Lost 12" says -12; a drawdown, a fee and a cost are said with either sign."""
    assert isinstance(fact.value, int | float)  # noqa: S101 - asked for by _numeric before
    cost = any(word in fact.metric for word in ("drawdown", "fee", "slippage", "loss", "cost"))
    return cost or (fact.value < 0 and _LOSING.search(sentence) is not None)


def _rounds_to(typed: float, step: float, value: float, rounded: bool) -> bool:
    """Equal, or, if `rounded`, equal after rounding to the digits typed."""
    slack = 1e-9 * max(abs(typed), abs(value))
    if abs(typed - value) <= slack:
        return True
    return rounded and abs(typed - value) <= step / 2 + slack


def names_metric(sentence: str, metric: str) -> bool:
    """Does the sentence name the metric: each word of its name that is not a unit, or a usual way to say it?"""
    words = [word for word in re.split(r"[_\W]+", metric.lower()) if word and word not in _UNIT_WORDS]
    if not words:
        words = [word for word in metric.lower().split("_") if word]
    return all(_names_word(sentence, word) for word in words)


def _names_word(sentence: str, word: str) -> bool:
    stem = re.escape(word[:-1] if word.endswith("s") and len(word) > 3 else word)
    pattern = _SAID.get(word, rf"{stem}\w{{0,3}}")
    return re.search(rf"(?i)(?<![A-Za-z])(?:{pattern})(?![A-Za-z])", sentence.replace("_", " ")) is not None


def names_one(sentence: str, fact: Fact, others: Sequence[Fact]) -> bool:
    """Does the sentence name what the fact is about: its id, its handle, the whole subject or its last part (`fast_bars 7`), or
    a word of it that few facts about other things share?"""
    handle = fact.ref.split(".", 1)[0]
    low = sentence.lower().replace("=", " ")
    subject = fact.subject.lower().replace("=", " ")
    whole = (fact.evidence.id.lower(), handle.lower(), subject, subject.rsplit(", ", 1)[-1])
    if any(word and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", low) for word in whole):
        return True
    words = {
        word
        for word in re.split(r"[^\w.-]+", subject)
        if len(word) > 2 and word not in _UNIT_WORDS and re.search(rf"(?<!\w){re.escape(word)}(?!\w)", low)
    }
    subjects = {other.subject.lower() for other in others}
    return any(sum(word in other for other in subjects) <= CROWD for word in words)


def _is_echo(claim: NumberClaim, sentence: str, stand: Ground) -> bool:
    """The person typed it first. Said of a metric that has facts it is a statement, unless it says who said it."""
    typed = any(
        (claim.value == other.value and claim.dimension in ("", other.dimension)) or _equal(claim, other) for other in stand.typed
    )
    if not typed:
        return False
    if _REPEATING.search(sentence):
        return True
    return not any(names_metric(sentence, fact.metric) for fact in stand.facts.values() if _numeric(fact))


def _equal(claim: NumberClaim, other: NumberClaim) -> bool:
    """The same quantity in another unit of the same dimension: 2 % and 200 bps."""
    if not claim.dimension or claim.dimension != other.dimension:
        return False
    return abs(claim.value * claim.factor - other.value * other.factor) <= 1e-9 * abs(claim.value * claim.factor)
