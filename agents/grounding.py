"""What becomes of each sentence of a model's answer: shown, marked or struck. Called by agents/nodes.py with a model's draft.

A reference `{r1.sharpe}` is rendered by code: value, unit, link. Then each sentence (cell, list item) has one of three outcomes
(agents/proofs.py): vouched for, it is shown as it is; contradicted, it is struck out, `~~like this~~`; neither, it is marked as
the model's own words, `⟦like this⟧`. An id that the thread never saw is struck, too. What code itself wrote is only rendered.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from agents.mentions import unknown_ids
from agents.proofs import SentenceOutcome, judge
from agents.support import Ground, pieces, sentences
from tools.common import render
from tools.common.contract import Fact

__all__ = ["Ground", "GroundedText", "StruckSentence", "ground"]

MARK = 0xE000  # the first private-use character that stands for a reference
REFERENCE = re.compile(r"\{([A-Za-z]\w*(?:\.[\w-]+)+)\}")
SENTENCE_SHOWN = 300
HEAD_MAX = 120  # characters of a row's head and a column's that say what a cell is about
OPENING, CLOSING = render.UNCHECKED
WHOLLY = "**Not checked:** all of this answer is the model's own words; nothing that a tool found in this thread proves it."
_WORD = re.compile(r"\w+")
_RULE = re.compile(r"\s*\|?[\s|:-]*-[\s|:-]*$")
_LEAD_IN = re.compile(r"^(?:\*\*[^*]+\*\*|[A-Z][^.:{}|0-9]{0,60}:)\s+")
_LEAD = re.compile(r"\s*(?:(?:[-*+>]|\d{1,3}[.)]|#{1,6})\s+)*")
_FENCE = re.compile(r"\s*```(?:json|text|python|toml|csv|sh|bash|yaml|markdown)?\s*$")  # any other word there is read as text
UNKNOWN_REFERENCE = "no fact in this thread has this reference"


class StruckSentence(NamedTuple):
    """A sentence, cell or reference that was struck: as typed, the sentence it is of, and what the thread says instead."""

    text: str
    sentence: str
    why: str


class GroundedText(NamedTuple):
    """The grounded answer; what was struck from it; the sentences that nothing proves or contradicts."""

    text: str
    struck: tuple[StruckSentence, ...]
    unchecked: tuple[str, ...] = ()
    wholly: bool = False  # unchecked from end to end, but for what claims nothing


class Stretch(NamedTuple):
    """A part of a line with its outcome."""

    start: int
    end: int
    outcome: SentenceOutcome
    talk: bool


def ground(draft: str, stand: Ground) -> GroundedText:
    """Render the references of `draft`, strike and mark its sentences. `draft` is untrusted text; the result is safe."""
    known = {fact.evidence.id for fact in stand.facts.values()} | set(stand.names)
    marked, marks, struck = _mark(render.safe(draft, known), stand)
    if stand.by_code:
        return GroundedText(_unmark(marked, marks), tuple(struck))
    grounding = _Grounding(stand, marks, Names([*known, *(fact.subject for fact in stand.facts.values())]), struck)
    lines = [grounding.line(line, rest) for line, rest in _with_next(marked.split("\n"))]
    text = _unmark("\n".join(lines), marks)
    wholly = bool(grounding.unchecked) and not grounding.vouched and not struck
    return GroundedText(text, tuple(struck), tuple(grounding.unchecked), wholly)


def _with_next(lines: Sequence[str]) -> Iterable[tuple[str, str]]:
    return zip(lines, [*lines[1:], ""], strict=True)


def _mark(text: str, stand: Ground) -> tuple[str, list[Fact], list[StruckSentence]]:
    """Known references become one private character each; unknown ones are struck at once."""
    marks: list[Fact] = []
    struck: list[StruckSentence] = []

    def replace(found: re.Match[str]) -> str:
        fact = stand.facts.get(found[1])
        if fact is None or len(marks) >= 0x1800:
            struck.append(StruckSentence(found[0], found[0], UNKNOWN_REFERENCE))
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


class _Grounding:
    """One answer being judged, line by line."""

    def __init__(self, stand: Ground, marks: Sequence[Fact], names: Names, struck: list[StruckSentence]) -> None:
        self.stand, self.marks, self.names, self.struck = stand, marks, names, struck
        self.unchecked: list[str] = []
        self.vouched = False  # does any sentence claim something that is proven?
        self._header: list[str] = []
        self._context: frozenset[str] = frozenset()  # what the answer named last

    def line(self, line: str, following: str) -> str:
        """The line with its sentences struck and marked."""
        if not line.strip() or _FENCE.match(line) or self._is_quote(line):
            self.vouched |= bool(line.strip()) and not _FENCE.match(line)
            return line
        is_row = line.lstrip().startswith("|")
        head = is_row and not self._header
        self._header = (self._header or _cells(line)) if is_row else []
        if is_row and _RULE.match(line):
            return line
        heads = head and _RULE.match(following) is not None
        mark = _LEAD.match(line)
        begins = mark.end() if mark else 0
        said = [(low + begins, high + begins, text) for low, high, text in sentences(line[begins:])]
        parts = _row_parts(line, self._header, heads=heads) if is_row else said
        stretches = [self._judged(line, *part) for part in parts]
        return self._drawn(line, _joined(stretches, cells=is_row))

    def _judged(self, line: str, start: int, end: int, says: str) -> Stretch:
        """A sentence or cell with its outcome."""
        lead = _LEAD.match(line, start, end)
        low = lead.end() if lead else start
        high = low + len(line[low:end].rstrip())
        if low >= high or self._is_quote(line[start:end]):
            return Stretch(low, high, SentenceOutcome.VOUCHED, low >= high)
        says = f"# {says}" if line.lstrip().startswith("#") else says
        found = judge(says, self.stand, self.names.end_at, self.marks, self._context)
        self._context = found.about or self._context
        why = found.why
        if not why and (ids := unknown_ids(says, self.stand.mentions)):
            why = f"nothing in this thread has the id {', '.join(ids)}"
        text = self._readable(line[low:high])
        if why:
            self.struck.append(StruckSentence(text, text, why))
            return Stretch(low, high, SentenceOutcome.STRUCK, found.talk)
        if found.outcome is SentenceOutcome.UNCHECKED:
            self.unchecked.append(text)
        else:
            self.vouched |= not found.talk
        return Stretch(low, high, found.outcome, found.talk)

    def _drawn(self, line: str, stretches: Sequence[Stretch]) -> str:
        """The line with strikes and marks around its stretches."""
        pieces, at = [], 0
        around = {
            SentenceOutcome.STRUCK: ("~~", "~~"),
            SentenceOutcome.UNCHECKED: (OPENING, CLOSING),
            SentenceOutcome.VOUCHED: ("", ""),
        }
        for one in stretches:
            before, behind = around[one.outcome]
            inside = (
                line[one.start : one.end].replace("~~", "")
                if one.outcome is SentenceOutcome.STRUCK
                else line[one.start : one.end]
            )
            pieces += [line[at : one.start], before, inside, behind]
            at = one.end
        return "".join([*pieces, line[at:]])

    def _readable(self, text: str) -> str:
        return (_unmark(text, self.marks) if self.marks else text).strip()[:SENTENCE_SHOWN]

    def _is_quote(self, text: str) -> bool:
        """Does the text repeat verbatim a sentence or row from a tool of this turn? A lead-in before it is allowed."""
        if not self.stand.quoted:
            return False
        said = re.sub("[\ue000-\uf8ff]", lambda found: f"{{{self.marks[ord(found[0]) - MARK].ref}}}", text).strip()
        return said in self.stand.quoted or _LEAD_IN.sub("", said) in self.stand.quoted


def _joined(stretches: Sequence[Stretch], *, cells: bool) -> list[Stretch]:
    """Sentences that follow each other unchecked share one mark; cells each have their own."""
    found: list[Stretch] = []
    for one in stretches:
        if one.start >= one.end:
            continue
        last = found[-1] if found else None
        if not cells and last and last.outcome is one.outcome is SentenceOutcome.UNCHECKED:
            found[-1] = last._replace(end=one.end)
        else:
            found.append(one)
    return found


def _cells(line: str) -> list[str]:
    return [part.strip() for part in re.split(r"(?<!\\)\|", line)]


def _row_parts(line: str, header: Sequence[str], *, heads: bool) -> list[tuple[int, int, str]]:
    """The cells of a table's row; what each says is its column's name, the row's first cell and itself. `heads`: they are the
    names of the columns, each read as a heading."""
    parts, start = [], 0
    cells = re.split(r"(?<!\\)\|", line)
    first = next((i for i, text in enumerate(cells) if text.strip()), 0)
    for i, text in enumerate(cells):
        column = header[i][:HEAD_MAX] if i < len(header) and header[i] != text.strip() else ""
        column = "" if column.lower() in ("value", "values", "figure", "amount") else column
        named = (
            f"{cells[first].strip()[:HEAD_MAX]} {column}".rstrip() + f": {text.strip()}"
            if i > first
            else f"{column} {text.strip()}:"
        )
        named = f"{text.strip()}:" if heads else named
        if text.strip():
            parts += [
                (low, high, named if high - low == len(text) else said)
                for low, high, said in pieces(line, start, start + len(text))
            ]
        start += len(text) + 1
    return parts
