"""A sweep that learns where to look: optuna's TPE over the same values as the grid.

Called by app/jobs/research.py with `search = optuna`. Each trial costs some milliseconds of optuna's own, more than a run over a
year of 15m bars: for a grid that can be run whole, run it whole. The same values asked for twice are one trial.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from engine.errors import BadInput
from engine.research.grid import Variation, Variations, axes_of, check_trials
from engine.research.sweep import Tried
from engine.strategies.base import parse_params
from engine.strategies.params import StrategyParams

ASKED_TIMES = 3  # questions to optuna for each new trial that is wanted, before the search ends with fewer
WORST = -1e9  # the ratio of what failed or never traded, for optuna


def searched(
    strategy: Any,
    base: StrategyParams,
    vary: Mapping[str, Any],
    trials: int,
    run: Callable[[Variation], Tried],
    seed: int = 0,
) -> Iterator[Tried]:
    """Up to `trials` different variations, each run before the next is chosen; the highest Sharpe ratio is looked for."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    axes, given = axes_of(strategy, vary), base.model_dump()
    check_trials(trials)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    seen: dict[tuple[Any, ...], float] = {}
    for _ in range(trials * ASKED_TIMES):
        if len(seen) >= trials:
            return
        asked = study.ask()
        values = tuple(axis[asked.suggest_int(key, 0, len(axis) - 1)] for key, axis in axes.items())
        if values not in seen:
            try:
                params = parse_params(strategy, {**given, **dict(zip(axes, values, strict=True))})
            except BadInput:
                study.tell(asked, WORST)
                continue
            found = run(Variation(values, params))
            ratio = None if found.figures is None else found.figures.sharpe
            seen[values] = WORST if ratio is None else ratio
            yield found
        study.tell(asked, seen[values])


def space_of(strategy: Any, vary: Mapping[str, Any]) -> Variations:
    """Keys and values of the search, with nothing chosen yet."""
    axes = axes_of(strategy, vary)
    return Variations(tuple(axes), tuple(axes.values()), (), 0, "")
