"""What a sentence asks for: the most probable entry, its slots with the arguments that were learned. Called by understand.py.

Below a bound nothing is chosen: the person is asked which of the three most probable is meant. Filing something takes more.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from agents.offline import entries as catalog
from agents.offline.account import foreign, kind_of, lost_of, words_left
from agents.offline.entries import AskedEntry
from agents.offline.labels import FOLLOWS, AskLabel, label_of
from agents.offline.learned import Guess, guesses
from agents.offline.leftout import EXITS
from agents.offline.names import BASKET
from agents.offline.rules import first_of, model_label
from agents.offline.slots import Slots
from agents.offline.words import FIGURE_WORDS, LISTS, PATTERNS, PHRASES, says
from tools.exposure import glossary

QUESTION = PATTERNS["choose.question"]
SURE = 0.45  # of what is read, this probability and more is answered
SURE_ALONE = 0.4  # where the next is not half as probable
MARGIN = 2.0
SURE_TOGETHER = 0.55  # of two that answer much the same
SURE_TO_FILE = 0.55  # what files something is asked back about below this
MARGIN_TO_FILE = 3.0  # unless the next is less than a third as probable
SHOWN = 3  # of what may be meant, where a sentence is asked back


@dataclass(frozen=True, eq=False)
class Chosen:
    """An entry for a sentence, with what it would leave out of it."""

    entry: AskedEntry
    probability: float = 1.0
    left: tuple[str, ...] = ()


def entry_of(ask: str) -> Chosen:
    """An entry by its name, chosen for what the sentence names alone."""
    entry = catalog.entry_of(ask)
    assert entry is not None, ask  # noqa: S101 - a programmer's error
    return Chosen(entry)


def chosen_of(guess: Guess, slots: Slots) -> Chosen | None:
    """The entry of a guess; None where it is a way, or goes on with something."""
    entry = None if guess.label.ask in FOLLOWS else catalog.entry_of(guess.label.ask)
    return None if entry is None else Chosen(entry, guess.probability, lost_of(entry, slots))


def sure(listed: Sequence[Guess]) -> bool:
    """Whether the most probable is answered, and not asked back about; two that answer much the same count together."""
    best = listed[0]
    alike = next((of for of in _ALIKE if best.label.ask in of), ())
    together = sum(guess.probability for guess in listed[:SHOWN] if guess is best or guess.label.ask in alike)
    next_one = listed[1].probability if len(listed) > 1 else 0.0
    if best.label.ask.startswith(("propose", "note")):
        return together >= SURE_TO_FILE or (best.probability >= SURE and best.probability >= MARGIN_TO_FILE * next_one)
    alone = best.probability >= MARGIN * next_one
    return best.probability >= (SURE_ALONE if alone else SURE) or together >= SURE_TOGETHER


_ALIKE = [of.split("|") for of in LISTS["alike"]]  # two that answer much the same


def likely(slots: Slots, before: str = "") -> tuple[Guess, ...]:
    """What a sentence may ask, the most probable first; an id says what it is of. `before`: what was asked before it."""
    listed = guesses(slots, before)
    if (of_models := model_label(slots, before)) is not None:
        return (Guess(of_models, 1.0), *listed)
    if before.partition(" ")[0] in _HELD and PATTERNS["choose.closes"].match(slots.text):
        return (Guess(label_of("way order"), 1.0), *listed)  # `cancel them`, after positions: no word on a proposal
    said = next((label for label, pattern in PHRASES.items() if pattern.search(slots.text)), None)
    if said is not None and (before or said not in FOLLOWS):
        label, best = label_of(said), listed[0].label
        return (Guess(best if best.ask == label.ask else label, 1.0), *listed)
    first = listed[0].label.ask
    ask = first_of("surely", slots, _READ, first)
    if ask and not (before and ask == "backtest"):
        return (Guess(AskLabel(ask, {}), 1.0), *listed)
    if first == "way off_topic" and slots.places.keys() & _OURS:
        listed = _without(listed, first)  # it names what is of this desk
    if not before and (term := PATTERNS["choose.what_is"].match(slots.text)) and term[1] in glossary():
        return (Guess(AskLabel("define", {}), 1.0), *listed)  # without an article: `what is the profit factor` is the desk's
    if (ours := PATTERNS["choose.what_is_ours"].match(slots.text)) and ours[2] in (
        FIGURE_WORDS if ours[1] == "the" else glossary()
    ):
        return _without(listed, "define", *FOLLOWS)
    named = None if sure(listed) else _by_id(slots) or first_of("named", slots, _READ) or None
    return listed if named is None else (Guess(AskLabel(named, listed[0].label.args), 1.0), *listed)


def _without(listed: Sequence[Guess], *asks: str) -> tuple[Guess, ...]:
    """The guesses but for some, as probable as they are without these."""
    others = [guess for guess in listed if guess.label.ask not in asks]
    left = sum(guess.probability for guess in others)
    return tuple(guess._replace(probability=guess.probability / left) for guess in others)


def by_itself(read: Slots, least: float) -> Guess | None:
    """What a sentence of a thread surely asks when it is read as a first one: `and the stops` is where the stops are."""
    listed = likely(read)
    best = listed[0]
    if best.label.ask.startswith(("propose", "note", "way do_not", "way thanks")) or foreign(read, best.label.ask):
        return None
    return best if best.probability >= (least + 0.3 if best.label.ask.startswith("way ") else least) else None


_HELD = ("sleeves", "exposure", "orders", "desk")
_OURS = {"sleeves", "strategies", "symbols", "ids"}

_OF_ID: dict[str, str] = {"r": "run", "d": "explain_event", "p": "explain_event", "al": "alerts", "prop": "proposals"}
_OF_ID |= {"nd": "orders", "w": "incidents"}


def _by_id(slots: Slots) -> str | None:
    """What a sentence asks that names things by their ids: two runs are compared, any one thing is shown."""
    runs = _runs(slots)
    named = ["r"] * len(runs) or [kind_of(identity) for identity in slots.ids]
    return _OF_ID.get(named[0]) if len(named) == 1 else None


def refined(guess: Guess, slots: Slots, tools: frozenset[str] | None) -> Guess:
    """The guess, where the sentence names what only another tool of the kind can do: several values, ranges of them, a split."""
    ask, args = guess.label.ask, guess.label.args
    other = first_of("instead", slots, _READ, ask) or ask
    if other != ask and other.startswith("journal_search "):
        args = {**args, "kinds": other.partition(" ")[2]}
    if tools is not None and other.partition(" ")[0] not in tools:  # what this role has of the same
        if other == "attribution sleeves":
            other, args = "trips", {**args, "by": "symbol" if re.search(r"\b(?:coin|symbol|market)", slots.text) else "sleeve"}
        elif other.startswith("attribution") and says("table_sums.fees", slots.text):
            other, args = "trips", {}
        elif other == "backtest":
            other = ask
    return guess if other == ask else Guess(AskLabel(other, args), guess.probability)


def _is_share(slots: Slots) -> bool:
    """Whether a sentence asks for the share of something that round trips are split by."""
    parts = slots.by or slots.sleeves or slots.side or any(word in EXITS for word in slots.text.rstrip("?.! ").split())
    return bool(parts and SHARE.search(slots.text))


def _runs(slots: Slots) -> list[str]:
    return [*slots.handles, *(identity for identity in slots.ids if identity.startswith("r-"))]


SHARE, _CARD = PATTERNS["slots.share"], LISTS["card_parts"].values()
SPOKEN_RUN = PATTERNS["choose.spoken_run"]


def _by_time(slots: Slots) -> bool:
    """Whether money is asked for by day, week or month, or as a curve: no count or rate of round trips."""
    by = slots.by and set(slots.by) <= {"day", "week", "month"} and says("choose.money_by_time", slots.text)
    return bool(by or (slots.by in ((), ("day",)) and says("choose.equity_curve", slots.text)))


def _splits_otherwise(slots: Slots, ask: str) -> bool:
    """Whether a sentence asks for a split of a figure that round trips have, and that the tool asked does not split by."""
    return bool(slots.by) and not entry_of(ask).entry.splits(slots.by) and not says("choose.of_all", slots.text)


_READ: Mapping[str, Callable[[Slots], object]] = {
    "share": _is_share,
    "by_time": _by_time,
    "runs": _runs,
    "more": words_left,
    "variants": lambda s: len(s.variants) > 1,
    "strategies": lambda s: len(s.strategies) > 1,
    "venues": lambda s: len(s.venues) > 1,
    "sizes": lambda s: len(s.timeframes) > 1,
    "sized": lambda s: s.move == "sized",
    "two_sleeves": lambda s: len(s.sleeves) > 1,
    "card": lambda s: (
        any(re.search(of, s.text) for of in _CARD) and (says("choose.the_card", s.text) or ":".join(s.ids).startswith("prop-"))
    ),
    "basket": lambda s: BASKET in s.strategies,
    "last": lambda s: s.which == "last",
    "out_of_trips": lambda s: s.out is not None and s.out[0] in ("outcome", "exit", "side"),
    **{f"not_by_{ask}": partial(lambda ask, s: _splits_otherwise(s, ask), ask) for ask in ("pnl", "performance", "run")},
}


_SLOTS: Mapping[str, str] = {"by": "by", "side": "side", "outcome": "outcome", "which": "which"}
_TAKEN: Mapping[str, tuple[str, ...]] = {"by": ("by", "unit"), "which": ("worst", "best", "number", "limit")}
_SAYS: Mapping[str, re.Pattern[str]] = {name: PATTERNS[f"says.{name}"] for name in ("gap", "side", "exit", "outcome")}


def with_label(slots: Slots, label: AskLabel) -> Slots:
    """The slots, with the closed arguments that were learned where the sentence's words name none."""
    entry, text, by = catalog.entry_of(label.ask), slots.text, slots.by
    args = {
        name: value for name, value in label.args.items() if entry is None or any(map(entry.takes, _TAKEN.get(name, (name,))))
    }
    for name in [name for name, said in _SAYS.items() if name in args and not said.search(text)]:
        args.pop(name)  # nothing in the sentence says it, so that no answer may be narrowed to it
    if (unit := args.get("unit")) in ("week", "month") and not says(f"says.{unit}", text):
        args.pop("unit")
    if entry is not None and entry.takes("gap") and says("choose.gaps", text):
        args["gap"] = True  # type: ignore[assignment]
    if says("choose.both", text):
        args.pop("side", None)
    found: dict[str, Any] = {}
    for name in _SLOTS.keys() & args.keys():
        if not getattr(slots, name):
            found[name] = (args[name],) if name == "by" else args[name]
    if "unit" in args and not by and "by" not in found:
        found["by"] = (args["unit"],)
    return replace(slots, closed=args, **found)
