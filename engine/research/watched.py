"""Which parameters a strategy reads: so that variations which differ in none of them share one evaluation.

Called by research/sweep.py. A strategy is a function of bars and parameters, so what it read, with the values that it read, says
what it would answer to other parameters: the same for all that agree on those. What asks for the parameters as a whole
(model_dump, repr, ==) reads all of them.
"""

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from engine.strategies.params import StrategyParams


class WatchedParams:
    """Looks like the params it is made of, and notes in `reads` the fields that are read of them."""

    def __init__(self, params: StrategyParams) -> None:
        self.__dict__["_params"] = params
        self.__dict__["reads"] = set[str]()

    @property
    def __class__(self) -> Any:
        """Its params' class: isinstance(p, Params) holds, as for the params themselves."""
        return type(self.__dict__["_params"])

    def __getattr__(self, name: str) -> Any:
        params, fields = self.__dict__["_params"], type(self.__dict__["_params"]).model_fields
        if name in fields:
            self.__dict__["reads"].add(name)
            return getattr(params, name)
        own = next((vars(kind)[name] for kind in type(params).__mro__ if kind is not StrategyParams and name in vars(kind)), None)
        mine = name not in dir(StrategyParams)  # of the strategy's file: it reads through this object, too
        if mine and isinstance(own, property) and own.fget is not None:
            return own.fget(self)
        if mine and isinstance(own, FunctionType):
            return own.__get__(self, type(self))
        return getattr(self._all(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._all(), name, value)  # frozen: it refuses as the params do

    def _all(self) -> StrategyParams:
        """The params; from now on all of them count as read."""
        params: StrategyParams = self.__dict__["_params"]
        self.__dict__["reads"].update(type(params).model_fields)
        return params

    def __iter__(self) -> Iterator[Any]:
        return iter(self._all())

    def __eq__(self, other: object) -> bool:
        return self._all() == (other._all() if type(other) is WatchedParams else other)

    def __hash__(self) -> int:
        return hash(self._all())

    def __repr__(self) -> str:
        return repr(self._all())

    def __reduce__(self) -> Any:
        return self._all().__reduce__()
