"""Route of the strategies that a backtest may name, with their parameters for the forms of the page. Registered by factory.py.

A person's own strategy file is parsed, never run, in this process: its parameters are known to the backtest alone.
"""

from typing import Any

from fastapi import APIRouter

from app.api.context import At, Who
from app.api.models import ApiModel

router = APIRouter(prefix="/api/strategies", tags=["runs"])


class ParamView(ApiModel):
    """A parameter; a number within its bounds, or a word among `choices`."""

    key: str
    default: int | float | str
    low: float | None
    high: float | None
    unit: str
    choices: list[str]
    zero: str  # what 0 means where it is not an amount
    about: str


class StrategyView(ApiModel):
    """A strategy; `params` is null for a person's own."""

    name: str
    shipped: bool
    about: str
    params: list[ParamView] | None


class Strategies(ApiModel):
    """All strategies, the shipped ones first."""

    items: list[StrategyView]


@router.get("")
def strategies(at: At, _: Who) -> Strategies:
    """The strategies by name, with what their parameters mean and how far they go."""
    from engine.strategies.base import SHIPPED, load_strategy, params_table
    from tools.market import own_strategies

    items = []
    for name in SHIPPED:
        module = load_strategy(name)
        about = (module.__doc__ or "").strip().splitlines()[0]
        params = [_param(row) for row in params_table(module)]
        items.append(StrategyView(name=name, shipped=True, about=about, params=params))
    own = own_strategies(at.path)
    items += [StrategyView(name=name, shipped=False, about=text[:400], params=None) for name, text in own.items()]
    return Strategies(items=items)


def _param(row: dict[str, Any]) -> ParamView:
    texts = {name: str(row[name] or "") for name in ("unit", "zero", "about")}
    known = {name: row[name] for name in ("key", "default", "low", "high")}
    return ParamView(**known, **texts, choices=[str(c) for c in row["choices"]])
