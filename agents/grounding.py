"""Every number in an answer resolves to a fact, or is struck out. Called by agents/nodes.py with a model's draft.

A reference `{r1.sharpe}` is rendered by code: value, unit, link. A number typed by the model is kept when a fact of
this thread has that value in that unit and the sentence names its metric or its subject; when it is an argument the turn
used, named with its word ("a 2 ATR stop"); or when the person typed it first and the answer only repeats it. Anything
else becomes `~~0.31~~` with an entry in `struck`; the rest of the answer is kept. What is not a claim: agents/claims.py.
Numbers spelled in words are held to the same (number_words.py), ids and times must have been seen in the thread (mentions.py),
and a sentence that claims an act without a receipt is struck whole (acts.py). What code itself wrote is only rendered.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from agents import acts
from agents.claims import NumberClaim, claims
from agents.mentions import spans_in, unknown_mentions
from agents.number_words import word_claims
from agents.support import Ground, pieces, sentences, stands
from tools.common import render
from tools.common.contract import Fact

__all__ = ["Ground", "GroundedText", "StruckNumber", "ground"]

MARK = 0xE000  # the first private-use character that stands for a reference
REFERENCE = re.compile(r"\{([A-Za-z]\w*(?:\.[\w-]+)+)\}")
SENTENCE_SHOWN = 300
HEAD_MAX = 120  # characters of a row's head and a column's that say what a cell is about
LEAD_MAX = 40  # characters before a number that may say how it is meant
_WORD = re.compile(r"\w+")
_BELOW_HEAD = re.compile(r"\s*\|[\s|:-]*-[\s|:-]*$")
_MARKS = re.compile(r"[\ue000-\uf8ff]")
_LEAD_IN = re.compile(r"^(?:\*\*[^*]+\*\*|[A-Z][^.:{}|0-9]{0,60}:)\s+")
WHY_NUMBER = "no fact in this thread has this value, in this unit, for what the sentence names"


class StruckNumber(NamedTuple):
    """An unsupported number: as typed, its sentence, and why it was struck."""

    text: str
    sentence: str
    why: str


class GroundedText(NamedTuple):
    """The grounded answer, and what was struck from it."""

    text: str
    struck: tuple[StruckNumber, ...]


def ground(draft: str, stand: Ground) -> GroundedText:
    """Render the references of `draft` and strike unsupported numbers. `draft` is untrusted text; the result is safe."""
    known = {fact.evidence.id for fact in stand.facts.values()} | set(stand.names)
    marked, marks, struck = _mark(render.safe(draft, known), stand)
    if stand.by_code:
        return GroundedText(_unmark(marked, marks), tuple(struck))
    names = Names([*known, *(fact.subject for fact in stand.facts.values())])
    lines: list[str] = []
    header: list[str] = []
    written = marked.split("\n")
    for n, line in enumerate(written):
        is_row = line.lstrip().startswith("|")
        header = (header or _cells(line)) if is_row else []
        parts = _row_parts(line, header) if is_row else sentences(line)
        receipts = None if is_row and _BELOW_HEAD.match("".join(written[n + 1 : n + 2])) else stand.receipts
        lines.append(_line(line, parts, marks, stand, names, struck, receipts))
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
    return "\n".join(_unmark_line(line, marks) for line in text.split("\n"))


def _unmark_line(line: str, marks: Sequence[Fact]) -> str:
    in_table = line.lstrip().startswith("|")

    def shown(found: re.Match[str]) -> str:
        fact = marks[ord(found[1]) - MARK]
        words = render.value_text(fact)
        typed = (found[2] or "").strip()
        rest = "" if typed and words.endswith(typed) else (found[2] or "")
        return (words if in_table else render.link(words, fact.evidence)) + rest

    return re.sub(r"([\ue000-\uf8ff])(\s?(?:%|bps\b|USDT?\b|bars\b))?", shown, line)


class Names:
    """The literal ids and names whose digits are not claims, found by their first word: as fast with thousands as with one."""

    def __init__(self, names: Iterable[str]) -> None:
        self._by_word: dict[str, list[str]] = {}
        for name in sorted({name.lower() for name in names if re.search(r"[A-Za-z]", name)}, key=len, reverse=True):
            if first := _WORD.match(name):
                self._by_word.setdefault(first[0], []).append(name)

    def end_at(self, line: str, at: int) -> int:
        """Where the longest name that begins at `at` ends; `at` for none."""
        first = _WORD.match(line, at) if not at or not (line[at - 1].isalnum() or line[at - 1] == "_") else None
        for name in self._by_word.get(first[0].lower(), ()) if first else ():
            end = at + len(name)
            if line[at:end].lower() == name and not (line[end : end + 1].isalnum() or line[end : end + 1] == "_"):
                return end
        return at


# --------------------------------------------------------------------------- sentences


def _cells(line: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)]


def _row_parts(line: str, header: Sequence[str]) -> list[tuple[int, int, str]]:
    """The cells of a table's row; what each says is its column's name, the row's first cell and itself."""
    parts, start = [], 0
    cells = re.split(r"(?<!\\)\|", line)
    first = next((i for i, text in enumerate(cells) if text.strip()), 0)
    for i, text in enumerate(cells):
        column = header[i][:HEAD_MAX] if i < len(header) and header[i] != text.strip() else ""
        named = f"{cells[first].strip()[:HEAD_MAX]} {column}".rstrip() + f": {text.strip()}" if i > first else f"{column} {text}"
        parts += [
            (low, high, named if high - low == len(text) else said) for low, high, said in pieces(line, start, start + len(text))
        ]
        start += len(text) + 1
    return parts


def _line(
    line: str,
    parts: Sequence[tuple[int, int, str]],
    marks: Sequence[Fact],
    stand: Ground,
    names: Names,
    struck: list[StruckNumber],
    receipts: acts.Receipts | None,
) -> str:
    """The line with each unsupported claim struck out: a sentence that claims an act whole, else its ids, times and numbers."""
    if _is_quote(line, marks, stand):
        return line
    found: list[tuple[int, int, StruckNumber]] = []
    starts = [part[0] for part in parts]
    free = [not _is_quote(line[start:end], marks, stand) for start, end, _ in parts]
    for n, (start, end, says) in enumerate(parts):
        if free[n] and receipts is not None and acts.unsupported(_MARKS.sub("1", says), receipts):
            found.append(_whole_strike(line, start, end, marks))
            free[n] = False
    for low, high, text, why in _unsupported(line, parts, starts, stand, names):
        n = max(0, bisect_right(starts, low) - 1)
        if free[n]:
            found.append((low, high, StruckNumber(text, _readable(parts[n][2], marks), why)))
    pieces, at = [], 0
    for low, high, entry in sorted(found, key=lambda item: item[:2]):
        if low < at:
            continue
        struck.append(entry)
        pieces += [line[at:low], "~~", line[low:high], "~~"]
        at = high
    return "".join([*pieces, line[at:]])


def _whole_strike(line: str, start: int, end: int, marks: Sequence[Fact]) -> tuple[int, int, StruckNumber]:
    """A whole sentence or cell as a strike, without the space around it and the list mark before it."""
    lead = re.compile(r"\s*(?:(?:[-*+>]|\d{1,3}[.)]|#{1,6})\s+)*").match(line, start, end)
    low = lead.end() if lead else start
    high = low + len(line[low:end].rstrip())
    text = _readable(line[low:high], marks)
    return low, high, StruckNumber(text, text, acts.WHY)


def _unsupported(
    line: str, parts: Sequence[tuple[int, int, str]], starts: Sequence[int], stand: Ground, names: Names
) -> Iterator[tuple[int, int, str, str]]:
    """(from, to, as typed, why) of each id, time, number and number word that nothing stands behind."""
    yield from unknown_mentions(line, stand.mentions)
    times = sorted(spans_in(line))
    begun = [low for low, _ in times]
    read: list[NumberClaim] = [*claims(line, names.end_at), *word_claims(line)]
    for one in read:
        of_time = bisect_right(begun, one.start) - 1
        if of_time >= 0 and one.start < times[of_time][1]:
            continue
        claim = one._replace(before=line[max(0, one.start - LEAD_MAX) : one.start])
        sentence = parts[max(0, bisect_right(starts, claim.start) - 1)][2]
        end = claim.start + len(claim.text)
        if not stands(claim, sentence, line[end : end + 80], stand):
            yield claim.start, end, claim.text, WHY_NUMBER


def _readable(text: str, marks: Sequence[Fact]) -> str:
    return (_unmark(text, marks) if marks else text).strip()[:SENTENCE_SHOWN]


def _is_quote(text: str, marks: Sequence[Fact], stand: Ground) -> bool:
    """Does the text repeat verbatim a sentence or row from a tool of this turn? A lead-in before it is allowed."""
    if not stand.quoted:
        return False
    said = _MARKS.sub(lambda found: f"{{{marks[ord(found[0]) - MARK].ref}}}", text).strip()
    return said in stand.quoted or _LEAD_IN.sub("", said) in stand.quoted
