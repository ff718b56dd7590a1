"""The strategy process (`python -m engine.strategies.isolated.serve`): runs strategies for a desk and nothing else.

Started by process.py with a clean environment; it gives up its rights (confine.py), then answers requests from standard input:
what a file says of itself (`describe`), whether parameters pass its own checks (`check`), bars (`load`) and what a strategy
says at the closes of some of them (`bars`); stored models that it reads (`model`) come before its bars, each once. A person's
file only ever sees the bars up to the close that is asked for, and a fresh copy of it is asked each time; a shipped strategy is
computed over all bars at once (law 2: its value at t is the same bits then).
"""

import os
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np

from engine.errors import DeskError
from engine.features.frame import FeatureFrame
from engine.models.column import ModelColumn
from engine.models.packed import unpack_model
from engine.strategies.base import SignalFrame, check_module, fresh_copy, import_file, load_strategy, parse_params
from engine.strategies.isolated.bars import unpack_frame
from engine.strategies.isolated.confine import confine
from engine.strategies.isolated.process import READY
from engine.strategies.isolated.wire import encode_answer, read_request
from engine.strategies.params import StrategyParams, choices, extra
from engine.strategies.signals import Signals, evaluate, exits_of, limits_of, signals_of
from engine.venues.instruments import Costs

PLAIN_KINDS = {int: "int", float: "float", bool: "bool", str: "str"}
BOUNDS = ("ge", "gt", "le", "lt")
MODEL_PARTS = {"model_config", "model_fields", "model_computed_fields"}  # what pydantic puts into every class


class OwnStrategy(NamedTuple):
    """A person's file with the bars it will be asked about."""

    module: ModuleType
    params: Any
    frame: FeatureFrame
    first: int

    def at(self, t: int) -> dict[str, Any]:
        """What it says at the close of bar t, counted from `first`; it sees no later one."""
        t += self.first
        seen = self.frame.prefix(t + 1)
        found = evaluate(fresh_copy(self.module), self.params, seen)
        limit = limits_of(found.hints, found.direction, seen, None, seen.reader(), self.params.atr_bars)[t]
        stop, target, leave, hold, size_frac, reverse = (values[t].item() for values in exits_of(found.hints, len(seen)))
        return {
            "side": int(found.direction[t]),
            "strength": float(found.strength[t]),
            "limit": float(limit),
            "post_only": int(found.hints.post_only),
            "good_for": int(found.hints.good_for_bars),
            "stop": stop,
            "target": target,
            "leave": leave,
            "hold": hold,
            "size_frac": size_frac,
            "reverse": reverse,
            "read": {label: float(values[t]) for label, values in found.used.items()},
        }


class OurStrategy(NamedTuple):
    """A shipped strategy's signals at all bars from the first that will be asked for."""

    computed: Signals

    def at(self, t: int) -> dict[str, Any]:
        """What it says at the close of bar t."""
        signal = [values[t].item() for values in self.computed[:-1]]
        return {"signal": signal, "read": {label: float(values[t]) for label, values in self.computed.used.items()}}


def _mute(f: FeatureFrame, _params: Any) -> SignalFrame:
    return SignalFrame(np.zeros(len(f), np.int8), np.zeros(len(f)))


MUTE = SimpleNamespace(NAME="none", FEATURES=(), signals=_mute)  # what sizing and slippage need, without a strategy


def describe(request: dict[str, Any], _arrays: list[bytes]) -> dict[str, Any]:
    """What the file says of itself, without its functions."""
    module = own_module(request)
    fields = module.Params.model_fields
    changed = {key: field for key, field in fields.items() if repr(field) != repr(StrategyParams.model_fields.get(key))}
    return {
        "about": (module.__doc__ or "")[:2_000],
        "features": list(module.FEATURES),
        "instruments": list(getattr(module, "INSTRUMENTS", ())),
        "series": {alias: list(declared) for alias, declared in getattr(module, "SERIES", {}).items()},
        "models": list(getattr(module, "MODELS", ())),
        "fields": [field_row(key, field) for key, field in changed.items()],
        "parses": parses(module.Params, changed),
    }


def field_row(key: str, field: Any) -> dict[str, Any]:
    """One parameter: a number with bounds, a word out of a list, or `any` other kind."""
    marks = {end: getattr(mark, end) for mark in field.metadata for end in BOUNDS if getattr(mark, end, None) is not None}
    more = {name: extra(field).get(name) for name in ("unit", "risk", "zero")}
    kind, words = PLAIN_KINDS.get(field.annotation, "any"), choices(field)
    default = {} if field.is_required() else {"default": field.get_default(call_default_factory=True)}
    return {
        "key": key,
        "kind": "choice" if words else kind,
        "choices": words,
        "about": field.description,
        "bounds": marks,
        **default,
        **more,
    }


def parses(params: type[StrategyParams], changed: dict[str, Any]) -> bool:
    """Whether the file checks parameters in a way of its own, so that only running it can tell whether they pass."""
    above = params.__mro__[: params.__mro__.index(StrategyParams)]
    own = {name for each in above for name in vars(each) if not name.startswith("_")}
    made_otherwise = any(name in vars(each) for each in above for name in ("__init__", "__new__"))
    odd = any(field.annotation not in PLAIN_KINDS and not choices(field) for field in changed.values())
    odd |= any(not any(hasattr(mark, end) for end in BOUNDS) for field in changed.values() for mark in field.metadata)
    return made_otherwise or odd or bool(own - MODEL_PARTS - set(params.model_fields))


def check(request: dict[str, Any], _arrays: list[bytes]) -> dict[str, Any]:
    """The parameters as the file's own class makes them."""
    return {"params": parse_params(own_module(request), request["params"]).model_dump()}


def own_module(request: dict[str, Any]) -> ModuleType:
    """A person's file, run. Raises DeskError for what it lacks."""
    path = Path(request["file"])
    return check_module(import_file(path, request["text"]), path)


def loaded(request: dict[str, Any], arrays: list[bytes], models: dict[str, ModelColumn]) -> OwnStrategy | OurStrategy:
    """A strategy with its bars."""
    frame, first = unpack_frame(request["frame"], arrays, models), int(request["first"])
    if request.get("text") is not None:
        module = own_module(request)
        return OwnStrategy(module, parse_params(module, request["params"]), frame, first)
    strategy = load_strategy(request["name"]) if request["name"] else MUTE
    if request["name"]:
        params = parse_params(strategy, request["params"])
    else:  # a person's Params may have bounds of its own; its file has checked them
        params = StrategyParams.model_construct(**{key: request["params"][key] for key in StrategyParams.model_fields})
    found = signals_of(strategy, params, frame, Costs(**request["costs"]), request["side"])
    used = {label: values[first:].copy() for label, values in found.used.items()}
    rest = (values[first:].copy() for values in found[:-1])
    return OurStrategy(Signals._make((*rest, used)))


def serve() -> None:
    """Answer until the desk closes its end."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):  # what a file prints goes nowhere
        os.dup2(nowhere, number)
    confine()

    def send(key: str, answer: dict[str, Any]) -> None:
        answers.write(encode_answer(answer | {"key": key}))
        answers.flush()

    send(READY, {})
    sleeves: dict[str, OwnStrategy | OurStrategy | DeskError] = {}
    models: dict[str, ModelColumn] = {}
    while (found := read_request(requests)) is not None:
        request, arrays = found
        key = request.get("key", "")
        try:
            if request["do"] == "load":
                sleeves[key] = loaded(request, arrays, models)
            elif request["do"] == "model":
                given = unpack_model(request["model"], arrays)
                models[given.key] = ModelColumn(given)
            elif request["do"] == "drop":
                sleeves.pop(key, None)
            elif request["do"] == "bars":
                for t in range(request["t"], request["until"]):
                    send(request["tag"], {"t": t} | answer_at(sleeves[key], t))
            else:
                send(key, {"describe": describe, "check": check}[request["do"]](request, arrays))
        except DeskError as error:
            if request["do"] == "load":
                sleeves[key] = error
            else:
                send(key, {"error": [type(error).__name__, error.what, error.hint]})


def answer_at(strategy: OwnStrategy | OurStrategy | DeskError, t: int) -> dict[str, Any]:
    """What it says at a bar, or what was wrong."""
    try:
        return {"wrong": str(strategy)} if isinstance(strategy, DeskError) else strategy.at(t)
    except DeskError as error:
        return {"wrong": str(error)}


if __name__ == "__main__":
    serve()
    sys.exit(0)
