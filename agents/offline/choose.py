"""Chooses what a sentence asks for, in two steps and without a score. Called by understand.py.

First what it is about: entries of which a word or a name of their own is in the sentence. Then what is wanted: of those that
leave no word out, the kind of answer decides, then whose it is, then the entry whose words are the more particular.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from agents.offline.account import Token, WordAccount, account_of, free, takes, takes_id, tokens_of
from agents.offline.entries import AskedEntry, entries, noun_words, pattern_of, shared_by
from agents.offline.fill import DESKWARD
from agents.offline.slots import Slots
from agents.offline.words import PATTERNS, POLITE, STOP, WANTS
from tools.exposure import glossary

QUESTION = PATTERNS["choose.question"]
DEFINES = PATTERNS["choose.defines"]
_OF_A_RUN = PATTERNS["choose.of_a_run"]
_EXPLAINS = PATTERNS["choose.explains"]


ALL_USED = WordAccount(frozenset(), 0, True, ())
_NAMED = frozenset(("ids", "handles", "strategies", "params", "keys", "percent"))  # slots that say what a sentence is about


@dataclass(frozen=True, eq=False)
class Chosen:
    """An entry for a sentence, with the account of its words."""

    entry: AskedEntry
    account: WordAccount = ALL_USED
    sure: bool = True  # what it is about is in the sentence: a noun, a name, an example
    order: tuple[float, ...] = ()

    @property
    def left(self) -> tuple[str, ...]:
        """What the entry would leave out of the sentence."""
        return self.account.left


def entry_of(name: str) -> Chosen:
    """A tool's first entry, chosen for what the sentence names alone."""
    return next(Chosen(entry) for entry in entries() if entry.tool.name == name)


@lru_cache(maxsize=256)
def defines(text: str) -> bool:
    """Whether a sentence asks what a word means: `what is a sleeve`, `explain funding`, `what does a breaker do`."""
    named = _EXPLAINS.match(text)
    return bool(DEFINES.search(text)) or (named is not None and named[1] in glossary())


def wants_of(text: str) -> list[str]:
    """Kinds of answer that a sentence may want, the strongest first."""
    return [want for want, pattern in WANTS.items() if pattern.search(text)] or ["show"]


@lru_cache(maxsize=256)  # a turn reads the questions before it, too
def fits(slots: Slots, about: str | None = None, tools: frozenset[str] | None = None) -> tuple[Chosen, ...]:
    """The entries that have a word or a name of the sentence, what fits best first. `about`: what the thread was about last."""
    tokens, wants = tokens_of(slots), wants_of(slots.text)
    found = [c for e in entries() if (c := _fit(e, slots, tokens, wants, about, tools)) is not None]
    return tuple(sorted(found, key=lambda chosen: chosen.order))


def _fit(
    entry: AskedEntry,
    slots: Slots,
    tokens: Sequence[Token],
    wants: Sequence[str],
    about: str | None,
    tools: frozenset[str] | None,
) -> Chosen | None:
    account = account_of(entry, slots, tokens)
    exact = pattern_of(slots.text) in entry.examples
    account = account._replace(left=()) if exact else account  # an example is a promise
    own = _own(entry, slots)
    defining = defines(slots.text) and not {"sleeves", "symbols"} & slots.places.keys()
    if not (account.longest or own or exact or (defining and entry.tool.name == "define")):
        return None
    first = next((t for t in tokens if t.word not in POLITE), None)
    imperative = first is not None and first.word not in STOP and first.word in map(str.lower, entry.asked.verbs)
    if entry.proposes and not exact and (QUESTION.match(slots.text) or wants[0] != "change"):
        return None  # only an explicit verb asks for a proposal
    want = 0 if entry.asked.want == wants[0] or imperative else 1 if entry.asked.want in wants else 2
    want = 3 if want == 2 and entry.asked.want in ("change", "compute", "compare") else want
    particular = min((shared_by(p) for p in entry.phrases if _there(p, tokens, account)), default=99)
    noun_elsewhere = any(tokens[i].stem in noun_words() - entry.nouns for i in account.used)
    named = not account.noun and noun_elsewhere  # a verb here, what another entry is about
    sure = exact or own or account.noun or len(account.used) > 1 or (imperative and entry.proposes)
    reasons = entry.asked.want == wants[0] == "explain" and not account.left and account.longest > 0
    sure = sure or reasons or particular == 1 or (not account.left and not named) or (defining and entry.tool.name == "define")
    spoken = about == "run" or slots.ids or slots.handles or _OF_A_RUN.search(slots.text)
    of_run = entry.tool.name not in ("run", "round_trip") or bool(spoken)
    order = (
        not exact,
        entry.tool.name != "define" if defining else 0,
        not defining
        and free(entry.tool.name)
        and not (imperative or (entry.tool.name != "define" and (account.longest > 1 or account.noun))),
        sum(len(piece.split()) for piece in account.left) + (not sure),
        entry.asked.want != "change" and bool(WANTS["change"].match(slots.text)),
        not own and bool(slots.places.keys() & _NAMED),
        not of_run,
        -account.longest if account.longest > 1 else 0,
        want,
        tools is not None and entry.tool.name not in tools,
        about is not None and about != entry.asked.about,
        -account.longest,
        particular,
        -len(account.used),
    )
    return Chosen(entry, account, sure, tuple(map(float, order)))


def _own(entry: AskedEntry, slots: Slots) -> bool:
    """Whether the sentence names what the entry is about: an id that it reads, a strategy, a parameter, a move of a price."""
    ids = (*slots.ids, *slots.handles)
    if ids and all(takes_id(entry, i, slots) for i in ids):
        return True
    if "strategies" in slots.places and entry.takes("strategy") and not re.search(r"\bsleeves?\b", slots.text):
        return True
    if entry.takes("series") and slots.places.keys() & {"timeframe", "venue"} and not slots.strategies:
        return True
    named = slots.places.keys() & {"params", "percent", "keys", "rule"}
    return any(takes(entry, name, slots) for name in named) or bool(
        slots.by and (entry.takes("by") or entry.takes("unit")) and entry.splits(slots.by)
    )


def _there(phrase: tuple[str, ...], tokens: Sequence[Token], account: WordAccount) -> bool:
    """Whether a phrase is among those that the account used."""
    size = len(phrase)
    return size <= account.longest and any(
        set(range(i, i + size)) <= account.used and tuple(t.stem for t in tokens[i : i + size]) == phrase
        for i in range(len(tokens) - size + 1)
    )


_WAS_OPEN = re.compile(r"\b(?:positions?|trades?) (?:were|was) (?:still )?open\b")


def fitting(chosen: Chosen, read: Slots, ranked: Sequence[Chosen], tools: frozenset[str]) -> Chosen:
    """The entry that does what the sentence names where the best one cannot: a comparison of values, a run, a split."""
    name, by_tool = chosen.entry.tool.name, {c.entry.tool.name: c for c in reversed(ranked)}
    if name == "journal_search" and _WAS_OPEN.search(read.text):
        return by_tool.get("sleeves", chosen)  # what was open then is no event: asked back
    if read.axes and name in ("backtest", "compare", "propose_config", "propose_tightening"):
        return entry_of("sweep")
    several = name == "backtest" or (name == "propose_config" and not WANTS["change"].search(read.text))
    if several and len(read.variants) > 1:
        return entry_of("compare")
    spelled = bool(read.strategies and read.symbols) and not read.places.get("sleeves")
    if name == "compare" and spelled and read.common and len(read.variants) < 2 and not WANTS["compare"].search(read.text):
        return entry_of("backtest")  # one setting on a strategy and a symbol is a run
    named = read.sleeves or read.strategies if name in ("run", "performance") else spelled and not DESKWARD.search(read.text)
    if name in ("run", "performance", "trips", "pnl") and named and read.span.start and "backtest" in tools:
        return entry_of("backtest")  # `the Sharpe of btc-trend in 2024`: a run that is still to be made
    if read.by and not chosen.entry.splits(read.by) and name in ("attribution", "pnl", "performance", "desk"):
        return by_tool.get("trips", chosen)
    if name == "run" and (read.by or read.side or read.which in ("worst", "best", "both")):
        return entry_of("trips")  # a part of a run, not its figures
    return chosen
