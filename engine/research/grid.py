"""The variations of a sweep: `stop_atr=1,2,3` and `fast_bars=10:50:10` as values, every combination, or some of them at random.

Called by research/sweep.py and research/walkforward.py. Turns a strategy, its base parameters and what is varied into
Variations: complete parameters that the strategy accepts, and how many combinations it refuses. Nothing is simulated here, and no
combination is made before their number is known to be within bounds.
"""

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from itertools import islice, product
from math import prod
from typing import Any, NamedTuple

from engine.errors import BadInput
from engine.strategies.base import parse_params
from engine.strategies.params import StrategyParams, bounds, bounds_text, choices

VARIATIONS_MAX = 20_000  # of one sweep: 30 s on one core over a year of 15m bars
VALUES_MAX = 2_000  # of one parameter
KEYS_MAX = 6
MAGNITUDE_MAX = 30  # powers of ten: far beyond every bound, and cheap to compute with
SEED_MAX = 2**32 - 1
BASES_MAX = 1_000  # combinations that a base is looked for among
DRAWS_TIMES = 50  # random search: draws for each variation that is wanted, before it ends with fewer
EXAMPLE = "example: --vary stop_atr=1,2,3 or --vary stop_atr=1:3:0.5"


class Variation(NamedTuple):
    """One set of parameters. `values`: of the varied ones, in their order."""

    values: tuple[Any, ...]
    params: StrategyParams


class Variations(NamedTuple):
    """What a sweep runs."""

    keys: tuple[str, ...]
    axes: tuple[tuple[Any, ...], ...]  # the values of each key, ascending
    chosen: tuple[Variation, ...]
    refused: int  # combinations that the strategy does not accept
    why: str  # of the first of them


def parse_vary(pairs: Sequence[str]) -> dict[str, str]:
    """`key=values` texts as a mapping; BadInput for a missing part or a key given twice."""
    found: dict[str, str] = {}
    for pair in pairs:
        key, equals, text = str(pair).partition("=")
        if not equals or not key.strip() or not text.strip():
            raise BadInput(f"--vary {str(pair)[:80]!r} is not KEY=VALUES", EXAMPLE)
        if key.strip() in found:
            raise BadInput(f"--vary gives {key.strip()} twice", "give each key once")
        found[key.strip()] = text.strip()
    return found


def axis(strategy: Any, key: str, given: Any) -> tuple[Any, ...]:
    """The values of one parameter, ascending, each once: a list, `a,b,c`, or `lo:hi:step` with both ends.

    Raises BadInput for an unknown key, one value alone, a value out of bounds, or too many of them.
    """
    field = strategy.Params.model_fields.get(key)
    if field is None:
        parse_params(strategy, {str(key)[:80]: 0})  # names the nearest key
        raise BadInput(f"{strategy.NAME} has no parameter {str(key)[:80]!r}")
    texts = spread_of(key, given) if isinstance(given, str) and ":" in given else listed(given)
    if len(texts) > VALUES_MAX:
        raise BadInput(f"{key}: {len(texts):,} values", f"at most {VALUES_MAX:,}: take a larger step")
    words = choices(field)
    values = [text if words else number(strategy, key, text, whole=field.annotation is int) for text in texts]
    for value in values:
        low, high = bounds(field)
        if words and value not in words:
            raise BadInput(f"{strategy.NAME}: {key} = {str(value)[:80]!r} is not one of {', '.join(words)}")
        if not words and ((low is not None and value < low) or (high is not None and value > high)):
            raise BadInput(f"{strategy.NAME}: {key} = {value:g} is out of bounds", f"allowed is {bounds_text(field)}")
    found = tuple(dict.fromkeys(values)) if words else tuple(sorted(set(values)))
    if len(found) < 2:
        raise BadInput(f"{key} has one value, {found[0]}", f"give two or more, or set it with --set {key}={found[0]}")
    return found


def listed(given: Any) -> list[Any]:
    """`a,b,c`, or a sequence, as a list of texts and numbers."""
    several = isinstance(given, Iterable) and not isinstance(given, Mapping)  # of a notebook: a range, an array
    parts = given.split(",") if isinstance(given, str) else list(islice(given, VALUES_MAX + 1)) if several else [given]
    found = [part.strip() if isinstance(part, str) else part for part in parts]
    if not found or any(part == "" for part in found):
        raise BadInput(f"{str(given)[:80]!r} is not a list of values", EXAMPLE)
    return found


def spread_of(key: str, text: str) -> list[Any]:
    """`lo:hi:step` as decimal numbers, exact: 0.1:0.3:0.1 has three."""
    short = text[:80]
    try:
        low, high, step = (Decimal(part.strip()) for part in text.split(":"))
    except (ValueError, InvalidOperation):
        raise BadInput(f"{key}={short!r} is not LOW:HIGH:STEP", EXAMPLE) from None
    if not all(part.is_finite() for part in (low, high, step)):
        raise BadInput(f"{key}={short}: LOW, HIGH and STEP are not all finite numbers", EXAMPLE)
    if step <= 0 or high < low:
        raise BadInput(f"{key}={short}: LOW <= HIGH and a STEP above 0 are needed", EXAMPLE)
    if not all(within_reach(part) for part in (low, high, step)):
        raise BadInput(f"{key}={short}: a number beyond 1e{MAGNITUDE_MAX}, or nearer to 0 than 1e-{MAGNITUDE_MAX}", EXAMPLE)
    count = int((high - low) / step) + 1
    if count > VALUES_MAX:
        raise BadInput(f"{key}: {count:,} values", f"at most {VALUES_MAX:,}: take a larger step")
    return [low + step * n for n in range(count)]


def within_reach(value: Decimal) -> bool:
    """Whether a finite number is 0, or neither so large nor so small that computing with it takes minutes (1e999999)."""
    return value.is_zero() or abs(value.adjusted()) <= MAGNITUDE_MAX


def number(strategy: Any, key: str, value: Any, *, whole: bool) -> float | int:
    """A value of a number parameter. Raises BadInput for text, NaN, infinity, and a fraction of a whole number."""
    try:
        exact = Decimal(str(value))
    except InvalidOperation:
        raise BadInput(f"{strategy.NAME}: {key} = {str(value)[:80]!r} is not a number", EXAMPLE) from None
    if isinstance(value, bool) or not exact.is_finite():
        raise BadInput(f"{strategy.NAME}: {key} = {str(value)[:80]} is not a finite number", EXAMPLE)
    if not within_reach(exact):
        raise BadInput(
            f"{strategy.NAME}: {key} = {str(value)[:80]} is out of bounds",
            f"allowed is {bounds_text(strategy.Params.model_fields[key])}",
        )
    if whole and exact != exact.to_integral_value():
        raise BadInput(f"{strategy.NAME}: {key} = {str(value)[:80]} is not a whole number", EXAMPLE)
    return int(exact) if whole else float(exact) + 0.0  # -0.0 is 0.0


def axes_of(strategy: Any, vary: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """The values of every varied parameter; BadInput for none, too many keys, or too many combinations."""
    if not vary or not isinstance(vary, Mapping):
        raise BadInput("nothing to vary", EXAMPLE)
    if len(vary) > KEYS_MAX:
        raise BadInput(f"{len(vary)} parameters are varied", f"at most {KEYS_MAX} at once")
    return {key: axis(strategy, key, given) for key, given in vary.items()}


def base_of(strategy: Any, given: Mapping[str, Any], vary: Mapping[str, Any]) -> StrategyParams:
    """The parameters that variations differ from: as given, or with the first varied values that the strategy accepts them with.

    `stop_atr=0` alone is no setting, with `stop_frac=0.03,0.05` varied it is. Raises BadInput where no value makes it one.
    """
    found: StrategyParams
    try:
        found = parse_params(strategy, given)
    except BadInput:
        axes = axes_of(strategy, vary) if vary else {}
        source = random.Random(0)  # noqa: S311 - a search, not a secret
        some = (tuple(source.choice(values) for values in axes.values()) for _ in range(BASES_MAX))
        every = product(*axes.values()) if prod(len(values) for values in axes.values()) <= BASES_MAX else some
        for values in every:
            with suppress(BadInput):
                found = parse_params(strategy, {**given, **dict(zip(axes, values, strict=True))})
                return found
        raise
    return found


def check_once(given: Mapping[str, Any] | None, vary: Mapping[str, Any]) -> None:
    """BadInput for a parameter that is set and varied."""
    if both := sorted({*(given or {})} & {*vary}):
        raise BadInput(f"{both[0]} is set to {str((given or {})[both[0]])[:40]} and varied", "do one of the two")


def repeats_of(vary: Mapping[str, Any], keys: Sequence[str], axes: Sequence[Sequence[Any]]) -> list[str]:
    """A sentence for each parameter with values that were given more than once."""
    found = []
    for key, values in zip(keys, axes, strict=True):
        given = vary[key]
        many = 0 if isinstance(given, str) and ":" in given else len(listed(given))
        if many > len(values):
            found.append(f"{key}: {many} values given, {len(values)} of them different: each is run once")
    return found


def grid(strategy: Any, base: StrategyParams, vary: Mapping[str, Any]) -> Variations:
    """Every combination, in the order of the keys; BadInput above VARIATIONS_MAX, before any is made."""
    axes = axes_of(strategy, vary)
    count = prod(len(values) for values in axes.values())
    if count > VARIATIONS_MAX:
        many = " x ".join(f"{len(values)} {key}" for key, values in axes.items())
        raise BadInput(f"{count:,} variations ({many})", f"at most {VARIATIONS_MAX:,}; --search random --trials N draws some")
    return accepted(strategy, base, axes, product(*axes.values()))


def drawn(strategy: Any, base: StrategyParams, vary: Mapping[str, Any], trials: int, seed: int = 0) -> Variations:
    """`trials` different combinations, drawn at random with the seed; fewer when there are not so many that it accepts."""
    axes = axes_of(strategy, vary)
    check_trials(trials)
    if prod(len(values) for values in axes.values()) <= trials:
        return grid(strategy, base, vary)
    source = random.Random(seed)  # noqa: S311 - a search, not a secret
    draws = (tuple(source.choice(values) for values in axes.values()) for _ in range(trials * DRAWS_TIMES))
    return accepted(strategy, base, axes, draws, trials)


def whole_number(given: Any, name: str, low: int, high: int) -> int:
    """A whole number of a search's own arguments. Raises BadInput."""
    try:
        found = int(given)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"--{name} {str(given)[:40]!r} is not a whole number") from None
    if not low <= found <= high:
        raise BadInput(f"--{name} {str(given)[:40]} is out of bounds", f"allowed is {low:,} to {high:,}")
    return found


def check_trials(trials: int) -> None:
    """BadInput for a number of trials that no sweep runs."""
    if not 1 <= trials <= VARIATIONS_MAX:
        raise BadInput(f"--trials {trials} is out of bounds", f"allowed is 1 to {VARIATIONS_MAX:,}")


def accepted(
    strategy: Any,
    base: StrategyParams,
    axes: Mapping[str, tuple[Any, ...]],
    wanted: Iterator[tuple[Any, ...]],
    most: int = VARIATIONS_MAX,
) -> Variations:
    """The combinations that the strategy's own checks accept, each once, at most `most`; BadInput when it accepts none."""
    keys, chosen, refused, why = tuple(axes), dict[tuple[Any, ...], Variation](), 0, ""
    given = base.model_dump()
    for values in wanted:
        if len(chosen) >= most:
            break
        if values in chosen:
            continue
        try:
            chosen[values] = Variation(values, parse_params(strategy, {**given, **dict(zip(keys, values, strict=True))}))
        except BadInput as error:
            refused, why = refused + 1, why or error.what
    if not chosen:
        raise BadInput(f"{strategy.NAME} accepts none of the {refused:,} variations: {why}", "vary other values")
    return Variations(keys, tuple(axes.values()), tuple(chosen.values()), refused, why)
