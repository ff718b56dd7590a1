"""What a sentence asks for: the most probable entry, its slots with the arguments that were learned. Called by understand.py.

Below a bound nothing is chosen: the person is asked which of the three most probable is meant. Filing something takes more.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.offline import entries as catalog
from agents.offline.account import kind_of, lost_of, words_left
from agents.offline.dates import NO_SPAN
from agents.offline.entries import AskedEntry
from agents.offline.labels import FOLLOWS, AskLabel, label_of
from agents.offline.learned import Guess, guesses
from agents.offline.leftout import EXITS
from agents.offline.model_asks import model_label
from agents.offline.names import BASKET
from agents.offline.slots import Slots
from agents.offline.words import FIGURE_WORDS, LISTS, PATTERNS, PHRASES
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
    if before.partition(" ")[0] in _HELD and _CLOSES.match(slots.text):
        return (Guess(label_of("way order"), 1.0), *listed)  # `cancel them`, after positions: no word on a proposal
    said = next((label for label, pattern in PHRASES.items() if pattern.search(slots.text)), None)
    if said is not None and (before or said not in FOLLOWS):
        label, best = label_of(said), listed[0].label
        return (Guess(best if best.ask == label.ask else label, 1.0), *listed)
    values = slots.common or slots.axes or slots.variants
    if (
        slots.keys
        and not values
        and not slots.sleeves
        and listed[0].label.ask != "list_strategies"
        and PATTERNS["choose.bounds"].search(slots.text)
    ):
        return (Guess(AskLabel("define", {}), 1.0), *listed)  # `limits of stop_atr`
    if slots.keys and "sleeves" in slots.places and not values and _OF_A_SLEEVE.match(slots.text):
        return (Guess(AskLabel("sleeves settings", {}), 1.0), *listed)  # `what is fast_bars of btc-trend`
    if "sleeves" in slots.places and not (values or slots.span.start) and PATTERNS["choose.settings"].search(slots.text):
        return (Guess(AskLabel("sleeves settings", {}), 1.0), *listed)  # `the params that eth-trend runs with`
    tested = _TEST_FIRST.search(slots.text) or (slots.span.start and _WOULD.search(slots.text))
    if slots.sleeves and tested and (slots.common or slots.move) and listed[0].label.ask in _CHANGES:
        return (
            Guess(AskLabel("compare", {}), 1.0),
            *listed,
        )  # `set it to 180 and test it first`, `half the size in 2025, how much`
    names_more = (
        slots.ids or slots.which or slots.keys or words_left(slots) or re.search(r"\b(?:want|make|put|set)\b", slots.text)
    )
    if not before and slots.strategies and slots.symbols and not names_more:
        return (Guess(AskLabel("backtest", {}), 1.0), *listed)  # `eth trend 1h q1`: names and nothing else
    if listed[0].label.ask == "way off_topic" and (slots.places.keys() & _OURS):
        listed = _without(listed, "way off_topic")  # it names what is of this desk
    if listed[0].label.ask == "making" and not before and not PATTERNS["choose.of_a_maker"].search(slots.text):
        listed = _without(listed, "making")  # `what did the market make of it`
    if listed[0].label.ask == "round_trip" and slots.number is None and PATTERNS["choose.its_worst"].search(slots.text):
        alike = [guess for guess in listed if guess.label.ask in ("round_trip", "trips")]  # `its worst trade` has no number
        return (Guess(AskLabel("trips", listed[0].label.args), sum(guess.probability for guess in alike)), *listed)
    if not before and (term := _WHAT_IS.match(slots.text)) and term[1] in glossary():
        return (Guess(AskLabel("define", {}), 1.0), *listed)  # without an article: `what is the profit factor` is the desk's
    if (ours := _WHAT_IS_OURS.match(slots.text)) and ours[2] in (FIGURE_WORDS if ours[1] == "the" else glossary()):
        return _without(listed, "define", *FOLLOWS)
    named = None if sure(listed) else _by_id(slots) or _by_what_is_named(slots)
    return listed if named is None else (Guess(AskLabel(named, listed[0].label.args), 1.0), *listed)


def _without(listed: Sequence[Guess], *asks: str) -> tuple[Guess, ...]:
    """The guesses but for some, as probable as they are without these."""
    others = [guess for guess in listed if guess.label.ask not in asks]
    left = sum(guess.probability for guess in others)
    return tuple(guess._replace(probability=guess.probability / left) for guess in others)


_OF_A_SLEEVE = PATTERNS["choose.of_a_sleeve"]  # a setting is asked for: not what a word means, nor what other values would do
_OURS = {"sleeves", "strategies", "symbols", "ids"}
_WHAT_IS = PATTERNS["choose.what_is"]
_WHAT_IS_OURS = PATTERNS["choose.what_is_ours"]
_HELD = ("sleeves", "exposure", "orders", "desk")
_CLOSES = PATTERNS["choose.closes"]


def _by_what_is_named(slots: Slots) -> str | None:
    """What a sentence asks by what it names alone: several values are a search, a strategy on a symbol in a window is a run."""
    if slots.axes:
        return "sweep"
    if _is_share(slots):
        return "trips"
    if _of_strategy(slots) and PATTERNS["choose.in_general"].search(slots.text):
        return "list_strategies"
    if SPOKEN_RUN.search(slots.text) and (slots.by or slots.symbols or slots.strategies):
        return "trips" if slots.by or slots.outcome or slots.count else "run"
    if slots.strategies and slots.symbols and (slots.common or slots.variants or slots.move):
        return "compare"
    runs = PATTERNS["choose.a_run"].search(slots.text) and slots.symbols and (slots.span.start or slots.timeframe)
    return "backtest" if runs or (len(slots.strategies) > 1 and slots.symbols) or BASKET in slots.strategies else None


_OF_ID: dict[str, str] = {"r": "run", "d": "explain_event", "p": "explain_event", "al": "alerts", "prop": "proposals"}
_OF_ID |= {"nd": "orders", "w": "incidents"}


def _by_id(slots: Slots) -> str | None:
    """What a sentence asks that names things by their ids: two runs are compared, any one thing is shown."""
    runs = _runs(slots)
    if len(runs) > 1:
        return "compare"
    named = ["r"] * len(runs) or [kind_of(identity) for identity in slots.ids]
    return _OF_ID.get(named[0]) if len(named) == 1 else None


def refined(guess: Guess, slots: Slots, tools: frozenset[str] | None) -> Guess:
    """The guess, where the sentence names what only another tool of the kind can do: several values, ranges of them, a split."""
    ask, args = guess.label.ask, guess.label.args
    of = (ask, f"{ask.split(maxsplit=1)[0]} ...")
    other = next((other for asks, fits, other in _INSTEAD if any(one in asks for one in of) and fits(slots)), ask)
    if other != ask and other.startswith("journal_search "):
        args = {**args, "kinds": other.partition(" ")[2]}
    if tools is not None and other.partition(" ")[0] not in tools:  # what this role has of the same
        if other == "attribution sleeves":
            other, args = "trips", {**args, "by": "symbol" if re.search(r"\b(?:coin|symbol|market)", slots.text) else "sleeve"}
        elif other == "judge" and not slots.span.start:
            other, args = "performance", {}
        elif other == "backtest":
            other = ask
    return guess if other == ask else Guess(AskLabel(other, args), guess.probability)


def _of_strategy(slots: Slots) -> bool:
    """Whether a sentence speaks of a strategy itself, not of a sleeve at a time."""
    return bool(slots.places.get("strategies")) and not slots.places.keys() & {"sleeves", "symbols", "span", "ids"}


def _is_share(slots: Slots) -> bool:
    """Whether a sentence asks for the share of something that round trips are split by."""
    parts = slots.by or slots.sleeves or slots.side or any(word in EXITS for word in slots.text.rstrip("?.! ").split())
    return bool(parts and SHARE.search(slots.text))


def _runs(slots: Slots) -> list[str]:
    return [*slots.handles, *(identity for identity in slots.ids if identity.startswith("r-"))]


SHARE, TO_STOP = PATTERNS["slots.share"], PATTERNS["choose.to_stop"]
MONEY_BY_TIME = PATTERNS["choose.money_by_time"]
SPOKEN_RUN = PATTERNS["choose.spoken_run"]
SHAPE, REACH = PATTERNS["choose.shape"], PATTERNS["choose.reach"]  # what a chat does not draw; MAE and MFE by their names
_OF_TRIPS = ("pnl", "attribution", "attribution sleeves", "attribution costs", "exposure", "performance")
_OF_EVENTS = ("journal_search ...", "explain_event ...")
_DEFLATED = re.compile(r"\b(?:deflated|dsr|overfit\w*|how many (?:tries|trials))\b")
_CHANGES = ("propose_config", "propose_tightening", "what_if", "compare")
_TEST_FIRST, _WOULD = PATTERNS["choose.test_first"], re.compile(r"\b(?:how|what|would|does|do)\b")
_OF_EACH = [PATTERNS[f"run_plans.{name}"] for name in ("sleeves", "symbols", "strategies")]


def _of_each(s: Slots) -> bool:
    """Whether a run is asked of each sleeve, coin or strategy: `which coin does trend work best on`."""
    sleeves, symbols, strategies = (pattern.search(s.text) for pattern in _OF_EACH)
    runs = re.search(r"\bback-?test|\bruns?\b|\btest\b", s.text) or s.span.start
    return bool((sleeves and runs) or (symbols and s.strategies and not s.axes) or (strategies and s.symbols))


# what is asked (`...`: of any kind), what a sentence names beside it, and which tool has that
_INSTEAD: tuple[tuple[tuple[str, ...], Callable[[Slots], object], str], ...] = (
    (("backtest",), lambda s: PATTERNS["choose.stored"].search(s.text), "run"),
    (("pauses",), lambda s: s.span.start and not s.span.to_now, "journal_search breaker"),  # `paused in november`
    (("compare", "version_effect"), lambda s: s.periods and not (s.strategies or s.common or s.variants), "pnl"),
    (("backtest", "compare", "propose_config", "propose_tightening"), lambda s: s.axes, "sweep"),
    (("way all_symbols", "sweep", "judge", "performance", "trips", "list_strategies"), _of_each, "backtest"),
    (("what_if",), lambda s: s.strategies and s.symbols and s.common, "compare"),
    (_OF_TRIPS, lambda s: s.periods and s.strategies and s.symbols and "sleeves" not in s.places, "backtest"),
    (("run", "run list", "performance"), lambda s: _DEFLATED.search(s.text) and SPOKEN_RUN.search(s.text), "trials"),
    (("run", "run list"), lambda s: s.span.start and re.search(r"\b(?:re-?run|again|repeat)\b", s.text), "backtest"),
    (("sleeves", "desk", "exposure", "what_if"), lambda s: not s.percent and TO_STOP.search(s.text), "joint_risk"),
    (("desk",), lambda s: (s.sleeves and not s.everything) or re.search(r"\bcash\b", s.text), "sleeves"),  # `how much cash`
    (("exposure",), lambda s: "sleeves" in s.text and PATTERNS["choose.one_bet"].search(s.text), "joint_risk"),
    (("exposure",), lambda s: s.by == ("sleeve",) and PATTERNS["choose.earns"].search(s.text), "attribution sleeves"),
    (("trips",), lambda s: s.by == ("day",) and PATTERNS["slots.ranks"].search(s.text), "pnl"),  # `biggest single day loss`
    (("exposure",), lambda s: re.search(r"\b(?:p&l|profits?|loss(?:es)?)\b", s.text), "trips"),
    (("attribution", "attribution costs"), lambda s: PATTERNS["figure_plans.per_trade"].search(s.text), "trips"),
    # of round trips the best and the worst are listed, of fills the last
    (
        ("trips",),
        lambda s: s.which == "last" and s.count and not (s.by or PATTERNS["choose.figure"].search(s.text)),
        "journal_search fill",
    ),
    # `when does reversion get out of a trade`: its rules
    (_OF_EVENTS, lambda s: PATTERNS["choose.in_general"].search(s.text) and _of_strategy(s), "list_strategies"),
    # `did something crash around 04:00`: what was, not what is
    (("health",), lambda s: (s.span.at or s.span.start) and not re.search(r"\bre-?(?:start|boot)", s.text), "journal_search"),
    # `I want the stop of btc-trend at 3 ATR`
    (("sleeves", "sleeves settings", "list_strategies"), lambda s: s.common and not QUESTION.match(s.text), "propose_config"),
    (("backtest", "define", "sleeves settings", "list_strategies"), lambda s: len(s.variants) > 1 and not s.axes, "compare"),
    (
        ("way costs",),
        lambda s: s.common and not re.search(r"\b(?:fees?|costs?|slippage|fills?|maker|taker)\b", s.text),
        "compare",
    ),
    (("run", "performance"), lambda s: s.strategies and s.symbols and s.span.start and "stored" not in s.text, "backtest"),
    (_OF_TRIPS, lambda s: s.out is not None or _is_share(s), "trips"),  # what is left out, or a part of it: trips split by it
    (_OF_EVENTS, lambda s: s.out is not None and s.out[0] in ("outcome", "exit", "side") and not s.ids, "trips"),
    # of a run by time its equity says what it made; the rest of a run's P&L is in its round trips
    (("run", "trips", "performance"), lambda s: _by_time(s) and (_runs(s) or SPOKEN_RUN.search(s.text)), "pnl"),
    (("pnl",), lambda s: (_runs(s) and not _by_time(s)) or _splits_otherwise(s, "pnl"), "trips"),
    (("way excursions",), lambda s: not SHAPE.search(s.text) or REACH.search(s.text), "excursions"),
    (("performance",), lambda s: _splits_otherwise(s, "performance"), "trips"),
    (("run",), lambda s: _splits_otherwise(s, "run"), "trips"),
)


def _by_time(slots: Slots) -> bool:
    """Whether money is asked for by day, week or month, or as a curve: no count or rate of round trips."""
    by = slots.by and set(slots.by) <= {"day", "week", "month"} and MONEY_BY_TIME.search(slots.text)
    return bool(by or (slots.by in ((), ("day",)) and PATTERNS["choose.equity_curve"].search(slots.text)))


def _splits_otherwise(slots: Slots, ask: str) -> bool:
    """Whether a sentence asks for a split of a figure that round trips have, and that the tool asked does not split by."""
    return bool(slots.by) and not entry_of(ask).entry.splits(slots.by) and not PATTERNS["choose.of_all"].search(slots.text)


_SLOTS: Mapping[str, str] = {"by": "by", "side": "side", "outcome": "outcome", "which": "which"}
_TAKEN: Mapping[str, tuple[str, ...]] = {"by": ("by", "unit"), "which": ("worst", "best", "number", "limit")}
_SAYS: Mapping[str, re.Pattern[str]] = {name: PATTERNS[f"says.{name}"] for name in ("gap", "side", "exit", "outcome")}
_AT_TIMES = PATTERNS["choose.at_times"]


def with_label(slots: Slots, label: AskLabel) -> Slots:
    """The slots, with the closed arguments that were learned where the sentence's words name none."""
    entry, text, by = catalog.entry_of(label.ask), slots.text, slots.by
    args = {
        name: value for name, value in label.args.items() if entry is None or any(map(entry.takes, _TAKEN.get(name, (name,))))
    }
    for name in [name for name, said in _SAYS.items() if name in args and not said.search(text)]:
        args.pop(name)  # nothing in the sentence says it, so that no answer may be narrowed to it
    if PATTERNS["choose.both"].search(text):
        args.pop("side", None)
    if "by" in args and entry is not None and not (entry.splits((args["by"],)) or by):
        args.pop("by")  # learned of another tool's sentences
    found: dict[str, Any] = {}
    for name in _SLOTS.keys() & args.keys():
        if not getattr(slots, name):
            found[name] = (args[name],) if name == "by" else args[name]
    if entry is not None and by and "by" in args and entry.takes("by") and not entry.splits(by):
        found["by"] = (args["by"],)  # `blocked orders by reason`
    if "unit" in args and not by and "by" not in found:
        found["by"] = (args["unit"],)
    of_trips = entry is not None and entry.tool.name == "trips"
    if of_trips and not (by or "by" in found or slots.which) and _AT_TIMES.search(text):
        found["by"] = ("hour",)  # no argument narrows to the night: each hour is shown
    if found.get("which") in ("worst", "best") and by:
        found.pop("which")
    read = replace(slots, closed=args, **found)
    return _every_window(read) if label.ask == "pnl" else read


def _every_window(slots: Slots) -> Slots:
    """`today, and over the last 7 days`: the P&L of both is in every answer of the tool, so that neither narrows it."""
    today, other = PATTERNS["choose.today"].search(slots.text), PATTERNS["choose.spans"].search(slots.text)
    if today is None or other is None or slots.by:
        return slots
    places = (*slots.places.get("span", ()), today.span(), other.span())
    return replace(slots, span=NO_SPAN, places={**slots.places, "span": places})
