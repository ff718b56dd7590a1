"""Routes of the strategies that a backtest may name, for the forms of the page. Registered by app.api.factory.

A person's own strategy file never runs in this process: another one, which holds nothing, says what its parameters are.
"""

from typing import Annotated

from fastapi import APIRouter, Path

from app.api.context import At, NotFound, Who
from app.api.models import ApiModel
from app.api.models_sleeve import ParamEntry
from engine.strategies.base import BASKETS, OURS, params_table
from engine.strategies.isolated.described import read_strategy
from tools.market import first_line, own_strategies, strategy_lines

router = APIRouter(prefix="/api/strategies", tags=["runs"])
StrategyName = Annotated[str, Path(max_length=60, pattern=r"^\w[\w-]*$", examples=["trend"])]
ABOUT_MAX = 400


class StrategyLine(ApiModel):
    """A strategy in the list; `shipped`: it comes with Nightdesk, the others are a person's own."""

    name: str
    shipped: bool
    about: str


class StrategyView(StrategyLine):
    """A strategy with its parameters; `basket`: it trades several instruments in one sleeve, named with commas as `symbol`."""

    params: list[ParamEntry]
    basket: bool


class Strategies(ApiModel):
    """All strategies, the shipped ones first."""

    items: list[StrategyLine]


@router.get("")
def strategies(at: At, _: Who) -> Strategies:
    """The strategies by name."""
    lines = strategy_lines(at.path)
    return Strategies(items=[StrategyLine(name=name, shipped=shipped, about=about[:ABOUT_MAX]) for name, shipped, about in lines])


@router.get("/{name}")
def one(at: At, _: Who, name: StrategyName) -> StrategyView:
    """A strategy's parameters, with what they mean and how far they go. Of a person's file that cannot be read, why."""
    if name not in (*OURS, *own_strategies(at.path)):
        raise NotFound(f"unknown strategy {name!r}", "see /api/strategies")
    module = read_strategy(name, at.home.strategies)
    params = [ParamEntry(**{**row, "choices": list(row["choices"])}) for row in params_table(module)]
    about, basket = first_line(module.__doc__)[:ABOUT_MAX], name in BASKETS
    return StrategyView(name=name, shipped=name in OURS, about=about, params=params, basket=basket)
