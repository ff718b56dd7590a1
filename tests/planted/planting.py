"""How a bug is planted: in memory, in whatever module of the engine holds the name by now; no file is edited."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

Plant = pytest.MonkeyPatch
Planted = Callable[[Plant], None]


def everywhere(plant: Plant, old: Any, new: Any) -> None:
    """Put `new` in the place of `old` in each module of engine and tests that has it by name."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("engine", "tests", "app"):
            for key, value in list(vars(module).items()):
                if value is old:
                    plant.setattr(module, key, new)


class Instead:
    """Something with other attributes; what is not given is its own."""

    def __init__(self, of: Any, **more: Any) -> None:
        self._of = of
        self.__dict__ |= more

    def __getattr__(self, name: str) -> Any:
        return getattr(self._of, name)


def both(*planted: Planted) -> Planted:
    """A bug with the guard's twin disabled."""

    def plant_all(plant: Plant) -> None:
        for one in planted:
            one(plant)

    return plant_all


def nothing(*_: Any, **__: Any) -> None:
    """A duty that was deleted."""


async def nothing_later(*_: Any, **__: Any) -> None:
    """The same of one that is awaited."""
