"""What the turn above was about, whatever it ended in, and how a kind of short sentences about it is declared. Called by
understand.py and the modules of kinds.

A kind has its words, its length, the tools it is of, and what it finds: a sentence that names the subject itself (it is read as
a first one), the rest of one that corrects, a part, a fixed text, a call, a plan, or None: the sentence is not of the kind.
"""

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from agents.offline.account import tokens_of
from agents.offline.page_plans import limits_meant
from agents.offline.slots import Slots, words_of
from agents.offline.steps import CallResult, PastTurn, PlannedAnswer
from agents.offline.tables import Facts
from agents.offline.words import LISTS, Words, says
from tools.common.contract import Table
from tools.exposure import glossary

if TYPE_CHECKING:
    from agents.offline.parts import Part

# what a sentence names by itself: then it is of that, not of the turn above
OWN_NAMES = frozenset(("span", "sleeves", "symbols", "strategies", "ids", "handles", "everything"))
_RULES, _NAMED_RULE = LISTS["rule_of_limit"], LISTS["rule_named"]
RULES = ("daily loss", "loss streak", "entry frequency", "desk drawdown", "entries paused")
_SAYS_RULE = re.compile("(?:refused(?: by)?: |breaker )({0})|({0}) breaker".format("|".join(RULES)))


class TurnAbove(NamedTuple):
    """The thread as a short sentence finds it. `older`: the newest question that an entry answers; `newest`: the turn before."""

    past: Sequence[PastTurn]
    facts: Facts
    words: Words
    older: "Part | None" = None
    newest: "Part | None" = None

    @property
    def shown(self) -> PastTurn | None:
        """The turn whose results the last answer showed: the turn above, or an earlier one that it was read from."""
        looked = [any(r.name != "calc" for r in turn.results) for turn in self.past[-4:]]
        if not self.past or looked[-1]:
            return self.past[-1] if self.past else None
        call = self.newest.call if self.newest is not None else None
        read = isinstance(call, PlannedAnswer) and not call.asked_back and bool(call.read_as)
        read = read or bool(self.past[-1].results) or (self.newest is not None and self.newest.aside)
        shown = (turn for turn, found in zip(reversed(self.past[-4:]), reversed(looked), strict=True) if found)
        return next(shown, self.past[-1] if self.past[-1].results else None) if read else self.past[-1]

    @property
    def question(self) -> str:
        """The question whose answer stands above, in small letters."""
        return self.shown.asked.lower() if self.shown is not None else ""

    @property
    def last(self) -> CallResult | None:
        """The last result that the answer above showed, or the sum of one that it was; None where it showed none."""
        results = self.shown.results if self.shown is not None else ()
        return next((r for r in reversed(results) if r.name != "calc"), next(iter(results), None))

    def filed(self) -> list[tuple[CallResult, str]]:
        """The watches and proposals that this thread filed, with their ids, oldest first."""
        found = [r for turn in self.past for r in turn.results if r.name.startswith("propose_") and r.status == "ok"]
        listed = [(r, next((i for i in r.evidence if re.match(r"w-|prop-", i)), "")) for r in found]
        return [(r, identity) for r, identity in listed if identity]


def of_above(read: Slots, *, but: str = "") -> bool:
    """Whether a sentence speaks of one thing and names none itself, `but` a slot that it may name."""
    return not read.places.keys() & (OWN_NAMES - {but}) and bool(says("turn_above.one_thing", read.text))


def short(read: Slots, most: int) -> bool:
    """Whether a sentence has at most so many words and names nothing of its own."""
    return len(tokens_of(read)) <= most and not read.places.keys() & OWN_NAMES


class Rest(NamedTuple):
    """A sentence without the words that correct: it goes on with the question before."""

    text: str


LEAD = r"^(?:(?:and|so|but|ok|okay|then|well|please|now|can you|could you|also)[ ,]+)*"
ANY = ("any tool",)


class ShortSentence(NamedTuple):
    """A short sentence as its kind finds it: its slots, the thread, and where the kind's words stand in it."""

    read: Slots
    above: TurnAbove
    found: "re.Match[str]"

    @property
    def text(self) -> str:
        """The sentence, tidy."""
        return self.read.text

    @property
    def last(self) -> CallResult:
        """The last result above, of a kind that is of some tool."""
        assert self.above.last is not None  # noqa: S101 - asked by the kind
        return self.above.last

    @property
    def table(self) -> Table:
        """The table above, of a kind that needs one."""
        assert self.last.table is not None  # noqa: S101 - asked by the kind
        return self.last.table

    def kept(self, *names: str) -> dict[str, Any]:
        """What the call above was narrowed to, of these arguments."""
        return {name: value for name, value in self.last.args.items() if name in names}


def window_of(heard: ShortSentence) -> str:
    """The window of the answer above, in words; empty where it had none."""
    args, older = heard.last.args, heard.above.older
    ends = {"since": "since", "start": "since", "until": "up to", "end": "up to"}
    asked = " ".join(f"{word} {args[name]}" for name, word in ends.items() if args.get(name))
    return asked or (words_of("span", older.slots.span) if older is not None else "")


class Kind(NamedTuple):
    """A kind of short sentence: words of it, how long it is at most (0: any length, and it may name things), what it is of."""

    form: "re.Pattern[str]"
    finds: "Callable[[ShortSentence], Any]"
    most: int
    of: tuple[str, ...]
    ok: bool
    table: bool
    back: bool

    def of_it(self, read: Slots, above: TurnAbove) -> "Any":
        """What the kind finds for a sentence; None where it is not of the kind."""
        found, last = self.form.search(read.text), above.last
        if found is None or (self.most and not short(read, self.most)) or (self.back and not of_above(read)):
            return None
        if self.of and (last is None or (self.of != ANY and last.name not in self.of) or (self.ok and last.status != "ok")):
            return None
        return None if self.table and (last is None or last.table is None) else self.finds(ShortSentence(read, above, found))


class Kinds(list[Kind]):
    """The kinds of a module, tried in the order in which they are written."""

    def __call__(
        self, form: str = "", most: int = 0, of: tuple[str, ...] = (), *, ok: bool = True, table: bool = False, back: bool = False
    ) -> "Callable[[Callable[[ShortSentence], Any]], Callable[[ShortSentence], Any]]":
        """Adds a kind; its words are in words.toml by its name. `of`: the tools; `ok`: they answered; `back`: of `it`."""

        def kept(finds: "Callable[[ShortSentence], Any]") -> "Callable[[ShortSentence], Any]":
            words = form or LISTS["kinds"][finds.__name__].replace("{LEAD}", LEAD)
            self.append(Kind(re.compile(words), finds, most, of, ok, table, back))
            return finds

        return kept


def rule_of(above: TurnAbove, place: int | None = None) -> str:
    """The rule that the turn above was about: of its table, of the limit it explained, of its question; empty for none."""
    last = above.last
    if last is not None and last.name == "counts" and last.table is not None and "rule" in last.table.columns and last.table.rows:
        rows, at = last.table.rows, last.table.columns.index("rule")
        return str(rows[place if place is not None and -len(rows) <= place < len(rows) else 0][at])
    if last is not None and (said := _SAYS_RULE.search(last.text.lower())):
        return said[1] or said[2]
    results = above.past[-1].results if above.past else ()
    words = [str(r.args["word"]) for r in results if r.name == "define" and r.args.get("word")]
    named = [rule for rule in RULES if rule in above.question]
    keys = [*words, *limits_meant(above.question)]
    by_key = [_RULES[key] for key in keys if key in _RULES]
    if last is not None and last.name in ("desk", "exposure") and "limit" in above.question:
        return ("desk drawdown", "exposure")[min(place or 0, 1)]  # as their answer has them
    in_a_day = ["daily loss"] if says("turn_above.in_a_day", above.question) else []
    return next(iter((*named, *in_a_day, *by_key)), "") or rule_named(" ".join(words) and above.question)


def rule_named(text: str) -> str:
    """The rule that a sentence names in a word: `the drawdown one`; empty for none."""
    return next((rule for form, rule in _NAMED_RULE.items() if re.search(rf"\b(?:{form})", text)), "")


def word_of(above: TurnAbove) -> str:
    """The word that the turn above explained or whose figure it showed; empty for none."""
    last = above.last
    if last is not None and last.name == "define" and last.status == "ok":
        return str(last.args.get("word", "")).replace("_", " ")
    if last is None or last.name not in ("trips", "performance", "pnl", "attribution"):
        return ""
    said = [word for word in glossary() if len(word) > 2 and re.search(rf"\b{re.escape(word)}s?\b", above.question)]
    return max(said, key=len, default="")
