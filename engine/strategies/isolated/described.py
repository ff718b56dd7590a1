"""What a person's strategy file says of itself, obtained without running it here: its file runs in a process that holds nothing.

Called by control/, live/ and whoever reads a configuration: worker, API and approvals never run a person's file. Turns a name
into a module that has NAME, FEATURES, Params and what the strategy reads, and no code of the file; a shipped strategy is itself.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

from pydantic import Field, create_model

from engine import errors
from engine.data.sources import OutsideSeries
from engine.errors import BadInput, DeskError, StrategyError
from engine.features.catalog import BY_NAME
from engine.features.reads import check_declared
from engine.strategies.base import SOURCE, load_strategy, strategy_file
from engine.strategies.isolated.process import START_S, ProcessFault, StrategyProcess
from engine.strategies.params import PARSES, StrategyParams
from engine.strategies.stored_models import check_models

LIMIT_S = 10.0  # for what a file says of itself, and for its own checks of parameters
KINDS: Mapping[str, Any] = {"int": int, "float": float, "bool": bool, "str": str, "any": Any}
FIELDS_MAX, TEXT_MAX, FILE_BYTES_MAX = 200, 2_000, 1_000_000
KEPT_MAX, FAILED_S = 200, 30.0  # answers kept; how long a failure is believed
_kept: dict[Any, tuple[float, Any]] = {}
_may_start: ContextVar[bool] = ContextVar("may_start", default=True)


def read_strategy(name: str, folder: Path | None = None) -> ModuleType:
    """The strategy called `name`; of a person's file a description that has its Params and cannot be run.

    Raises BadInput for an unknown name, StrategyError for a file that cannot be read, does not import, ends its process or
    takes too long.
    """
    path = strategy_file(name, folder)
    if path is None:
        return load_strategy(name, folder)
    try:
        text = path.read_text(encoding="utf-8") if path.stat().st_size <= FILE_BYTES_MAX else None
    except (OSError, UnicodeDecodeError) as error:
        raise StrategyError(f"{path.name} cannot be read: {error}", f"fix {path}") from error
    if text is None:
        raise StrategyError(f"{path.name} is larger than {FILE_BYTES_MAX:,} bytes", "a strategy is one short file")
    said = _answer("describe", path, text, {})
    return _kept_or(("module", str(path), text), lambda: module_of(path, text, said))


@contextmanager
def from_memory() -> Iterator[None]:
    """No process is started inside: what was not read before refuses. For a database transaction, which must not wait."""
    token = _may_start.set(False)
    try:
        yield
    finally:
        _may_start.reset(token)


def module_of(path: Path, text: str, said: Mapping[str, Any]) -> ModuleType:
    """The description as a module, each part of it checked. Raises StrategyError for one that is not a strategy's."""
    module = ModuleType(f"strategy_{path.stem}")
    module.__file__ = str(path)
    try:
        if not set(said["features"]) <= set(BY_NAME) or len(said["fields"]) > FIELDS_MAX:
            raise ValueError("features or fields")
        described = {
            "__doc__": str(said["about"])[:TEXT_MAX],
            "NAME": path.stem,
            "FEATURES": tuple(said["features"]),
            "INSTRUMENTS": tuple(str(name) for name in said["instruments"]),
            "SERIES": {str(alias): OutsideSeries(*declared) for alias, declared in said["series"].items()},
            "MODELS": tuple(str(name) for name in said["models"]),
            "Params": params_class(said["fields"]),
        }
        parses = said["parses"] is True
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise StrategyError(f"{path.name} describes itself as no strategy does", f"fix {path}") from error
    for name, value in described.items():
        setattr(module, name, value)
    check_declared(module, path.name)
    check_models(module, path.name)
    setattr(module, SOURCE, text)
    if parses:
        setattr(module, PARSES, lambda values: _answer("check", path, text, {"params": values})["params"])
    return module


def params_class(rows: list[Mapping[str, Any]]) -> type[StrategyParams]:
    """The file's Params with its bounds, units and how each moves risk; its own checks stay in its process."""
    fields = {}
    for row in rows:
        if not str(row["key"]).isidentifier():
            raise ValueError("a parameter's name")
        more: Any = {name: None if row.get(name) is None else str(row[name])[:TEXT_MAX] for name in ("unit", "risk", "zero")}
        bounds: Any = {end: float(row["bounds"][end]) for end in ("ge", "gt", "le", "lt") if end in row["bounds"]}
        about = None if row.get("about") is None else str(row["about"])[:TEXT_MAX]
        default = row.get("default", ...)
        kind = Literal.__getitem__(tuple(map(str, row["choices"]))) if row["kind"] == "choice" else KINDS[row["kind"]]
        fields[row["key"]] = (kind, Field(default, description=about, json_schema_extra=more, **bounds))
    return create_model("Params", __base__=StrategyParams, **fields)  # type: ignore[call-overload]  # fields by name


def _answer(do: str, path: Path, text: str, more: Mapping[str, Any]) -> Any:
    """One question to a process of its own, or its answer of before. A failure is believed for a while, then asked again."""

    def ask() -> Any:
        if not _may_start.get():
            raise StrategyError(f"{path.name} changed just now", "try again")
        return _ask({"do": do, "file": str(path), "text": text, **more}, path)

    return _kept_or((do, str(path), text, repr(sorted(more.get("params", {}).items()))), ask)


def _ask(request: dict[str, Any], path: Path) -> dict[str, Any]:
    process = StrategyProcess()
    try:
        process.begun(time.monotonic() + START_S)
        process.ask(request, answers=1)
        answer = process.answer("", time.monotonic() + LIMIT_S)
    except ProcessFault as fault:
        raise StrategyError(f"{path.name} cannot be read: {fault}", f"fix {path}") from None
    except TypeError as error:
        raise BadInput(f"{path.stem}: parameters must be numbers or text: {error}") from None
    finally:
        process.close()
    if "error" in answer:
        raise _error_of(answer["error"])
    return answer


def _error_of(said: Any) -> DeskError:
    """The error that the process met: BadInput or StrategyError, its text cut."""
    kind, what, hint = (str(part)[:TEXT_MAX] for part in (*said, "", "", "")[:3]) if isinstance(said, list) else ("", "", "")
    return errors.BadInput(what, hint) if kind == "BadInput" else StrategyError(what, hint)


def _kept_or(key: Any, ask: Any) -> Any:
    """What was found under `key` before, else now; the oldest is forgotten. Failures are raised again."""
    now = time.monotonic()
    found = _kept.get(key)
    if found is None or (isinstance(found[1], DeskError) and now - found[0] > FAILED_S and _may_start.get()):
        try:
            found = now, ask()
        except DeskError as error:
            found = now, error
            if not _may_start.get():
                raise
        while len(_kept) >= KEPT_MAX:
            _kept.pop(next(iter(_kept)))
        _kept[key] = found
    if isinstance(found[1], DeskError):
        raise found[1]
    return found[1]
