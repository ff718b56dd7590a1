"""Which versions of stored models a sleeve's configuration names: `models = "vol-btc=1.2.0"`, one of its fields.

Called when a configuration is read (config.py), proposed (draft.py), gone back to (proposals.py) and decided on (apply.py), and
for a backtest that names none. Turns a sleeve with some of its models named into one with all of them, so that a version that is
trained later changes no running desk.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from engine.errors import BadInput, DeskError, Refused


class ReadingSleeve(Protocol):
    """What is needed of a SleeveConfig."""

    @property
    def name(self) -> str: ...
    @property
    def strategy(self) -> str: ...
    @property
    def symbol(self) -> str: ...
    @property
    def instrument(self) -> str: ...
    @property
    def timeframe(self) -> str: ...
    @property
    def models(self) -> str | None: ...
    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """A copy with other fields."""


S = TypeVar("S", bound=ReadingSleeve)


def with_models(sleeve: S, strategy: Any, strategies: Path | None) -> S:
    """The sleeve with the version of every model that its strategy reads; the latest stored where it names none.

    Raises BadInput for a model that the strategy does not read, or of which nothing is stored. No artifact is opened.
    """
    if not sleeve.models and not getattr(strategy, "MODELS", ()):
        return sleeve
    from engine.strategies.base import home_folder  # bring numpy: 18 MB that a supervisor need not hold
    from engine.strategies.stored_models import folder_of, pinned, pins_of, pins_text, require_read

    pins, root = pins_of(sleeve.models or ""), folder_of(strategies or home_folder())
    require_read(strategy, sleeve.symbol, pins)
    found = {one.name: one.version for one in pinned(strategy, sleeve.symbol, pins, root)}
    return sleeve.model_copy(update={"models": pins_text(found) or None})


def require_models(sleeves: Iterable[ReadingSleeve], strategies: Path) -> None:
    """Raise BadInput, naming the sleeve, for a model that it could not read: missing, damaged, of another instrument, timeframe
    or feature code. Every byte is compared, once for each stored version.
    """
    from engine.strategies.isolated.described import read_strategy
    from engine.strategies.stored_models import folder_of, sleeve_models

    for sleeve in sleeves:
        if not sleeve.models:
            continue
        strategy, root = read_strategy(sleeve.strategy, strategies), folder_of(strategies)
        try:
            sleeve_models(strategy, sleeve.instrument, sleeve.timeframe, sleeve.models, {}, root)
        except DeskError as error:
            raise BadInput(f"sleeve {sleeve.name}: {error.what}", error.hint) from error


def promoted(old: str | None, new: str | None, strategies: Path) -> dict[str, str]:
    """`vol-btc@1.2.0` -> digest, of each version that a sleeve would read anew. Every byte is compared.

    Raises Refused, naming the gates, for one that they stop; the figures are those stored with it.
    """
    from engine.models import gates
    from engine.strategies.stored_models import folder_of, loaded, pins_of

    before, found = pins_of(old or ""), dict[str, str]()
    for name, version in pins_of(new or "").items():
        if before.get(name) == version:
            continue
        model = loaded(folder_of(strategies), name, version).model
        if stopped := gates.stopped_by(model.metrics, model.about["label"]):
            what = "; ".join(f"{gate.name}: {gate.text}" for gate in stopped)
            raise Refused(f"{name}@{version} is stopped by its gates: {what}"[:1_000], "train a version that passes them")
        found[f"{name}@{version}"] = model.sha256
    return found


def changed_models(old: str | None, value: Any) -> str | None:
    """The models of a sleeve after a change that names some of them. Raises BadInput."""
    from engine.strategies.stored_models import pins_of, pins_text

    if not isinstance(value, str):
        raise BadInput(f"models = {value!r} names no version", "write vol-btc=1.2.0")
    return pins_text(pins_of(old or "") | pins_of(value)) or None


def newest_named(sleeves: Iterable[ReadingSleeve]) -> dict[str, str]:
    """The version of each model that sleeves read; of one that they read in several, the newest."""
    found: dict[str, list[str]] = {}
    for text in filter(None, (sleeve.models for sleeve in sleeves)):
        from engine.strategies.stored_models import pins_of

        for name, version in pins_of(text).items():
            found.setdefault(name, []).append(version)
    return {name: max(own, key=lambda text: [int(part) for part in text.split(".")]) for name, own in found.items()}
