"""What a strategy is, and how one is loaded by name. A strategy file imports its building blocks from here.

A strategy is a module with NAME, FEATURES (names of the catalog it reads), Params (a StrategyParams) and
`signals(f: FeatureFrame, p: Params) -> SignalFrame`: causal, vectorised, stateless; where needed INSTRUMENTS, SERIES
(features/reads.py) and MODELS (stored_models.py).
load_strategy is called by sim/, live/, control/ and the CLI; it turns a name into such a module, shipped or from
$NIGHTDESK_HOME/strategies/NAME.py.
"""

import hashlib
import importlib
import linecache
import os
import re
import sys
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from engine.data.sources import OutsideSeries
from engine.errors import BadInput, DeskError, StrategyError
from engine.features.catalog import BY_NAME
from engine.features.normalised import NORMAL_FORMS
from engine.features.reads import check_declared
from engine.strategies.params import StrategyParams, choice, first_error, knob, params_table, parse_params, risk_move
from engine.strategies.stored_models import check_models

__all__ = [
    "BASKETS",
    "ON_MODELS",
    "OURS",
    "SHIPPED",
    "OutsideSeries",
    "SignalFrame",
    "StrategyParams",
    "choice",
    "code_sha256",
    "fresh_copy",
    "knob",
    "list_strategies",
    "load_strategy",
    "params_table",
    "parse_params",
    "risk_move",
    "source_of",
    "strategy_file",
]

SHIPPED = ("trend", "reversion", "cross")
ON_MODELS = ("volscaled", "regime", "mlsignal")  # shipped too, but of use only where the model that they read is trained
BASKETS = ("pairs",)  # one sleeve over several instruments
OURS = (*SHIPPED, *ON_MODELS, *BASKETS)
NAMES = re.compile(r"[a-z][a-z0-9_]{0,40}")
SOURCE = "__source__"  # a person's module keeps the source text it was run from here
NEEDED = ("NAME", "FEATURES", "Params", "signals")


class SignalFrame(NamedTuple):
    """What signals() returns, one entry per bar."""

    direction: npt.NDArray[np.int8]  # -1 short, 0 nothing, 1 long
    strength: npt.NDArray[np.float64]  # 0..1; compared with `fade_below`
    limit_price: npt.NDArray[np.float64] | None = None  # entry by limit at this price; NaN at a bar with a signal refuses
    limit_offset_atr: npt.NDArray[np.float64] | float | None = None  # or so many ATRs better than the close
    post_only: bool = False  # a limit that would take is cancelled instead
    good_for_bars: int = 1  # how long a limit may rest
    # what a strategy may say of its exits and its size; one entry a bar, or None (docs/strategies.md)
    stop_price: npt.NDArray[np.float64] | None = None  # own stop level for a position on `direction`; 0: none
    target_price: npt.NDArray[np.float64] | None = None  # own target level; NaN at a bar with a signal refuses the entry
    exit_long: npt.NDArray[np.bool_] | None = None  # a long is left at the next open
    exit_short: npt.NDArray[np.bool_] | None = None
    hold_bars: int = 0  # a position is left after so many bars; 0: not by time
    size_frac: npt.NDArray[np.float64] | float | None = None  # most notional of an entry, as a fraction of sleeve equity
    reverse: npt.NDArray[np.bool_] | bool | None = None  # a position of the other side is left and this one entered at one open


class StrategyEntry(NamedTuple):
    """A strategy in a list."""

    name: str
    shipped: bool
    path: Path
    about: str  # first line of its docstring
    error: str  # why it cannot be loaded; empty when it can


def home_folder() -> Path:
    """Folder of people's own strategies."""
    return Path(os.environ.get("NIGHTDESK_HOME") or "var").expanduser() / "strategies"


def own_names(folder: Path) -> list[str]:
    """Names of the strategy files in `folder`, sorted; private files (`_x.py`) are left out."""
    return sorted(path.stem for path in folder.glob("*.py") if not path.stem.startswith("_"))


def load_strategy(name: str, folder: Path | None = None) -> ModuleType:
    """The strategy module called `name`; `folder` has people's own files ($NIGHTDESK_HOME/strategies). It runs a person's file:
    only a command or job of its own calls it for one. Everyone else reads it with isolated.described.read_strategy.

    Raises BadInput for an unknown name (with the list) or a file named like a shipped strategy, StrategyError for a
    file that does not import or lacks a part.
    """
    path = strategy_file(name, folder)
    return importlib.import_module(f"engine.strategies.{name}") if path is None else check_module(import_file(path), path)


def strategy_file(name: str, folder: Path | None = None) -> Path | None:
    """A person's file of that name; None for a shipped strategy. Raises BadInput as load_strategy does; nothing is run."""
    folder = home_folder() if folder is None else Path(folder)
    path = folder / f"{name}.py"
    if name in OURS:
        if path.exists():
            raise BadInput(f"{path} has the name of the shipped strategy {name}", "rename the file and its NAME")
        return None
    names = [*OURS, *own_names(folder)]
    if name in names and not NAMES.fullmatch(name):
        raise BadInput(f"invalid strategy name {name}", "use lower-case letters, digits and _, a letter first")
    if name not in names:
        near = get_close_matches(name, names, 1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise BadInput(f"unknown strategy {name!r}", f"{hint}available: {', '.join(names)}; your own go into {folder}")
    return path


def fresh_copy(strategy: Any) -> Any:
    """A newly loaded copy of a person's strategy, to reveal state it keeps; a shipped one is returned as it is."""
    text = getattr(strategy, SOURCE, None)
    return strategy if text is None else import_file(Path(strategy.__file__), text)


def import_file(path: Path, text: str | None = None) -> ModuleType:
    """Run the file (or the `text` read from it before) as a new module."""
    module = ModuleType(f"strategy_{path.stem}")
    module.__file__ = str(path)
    try:
        text = path.read_text(encoding="utf-8") if text is None else text
        setattr(module, SOURCE, text)
        linecache.cache[str(path)] = (len(text), None, text.splitlines(keepends=True), str(path))
        # pydantic resolves annotations through sys.modules; the name is ours alone
        sys.modules[module.__name__] = module
        exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102 - running the person's own file is the feature
    except BaseException as error:
        if not is_its_own(error, module.__name__):
            raise
        raise StrategyError(f"{path.name} does not import: {error_line(error, path)}", f"fix {path}") from error
    return module


def is_its_own(error: BaseException, module: str) -> bool:
    """Whether an exception is the file's fault, whatever it derives from; Ctrl-C and a time limit of ours are not."""
    return isinstance(error, Exception | SystemExit | GeneratorExit) or type(error).__module__ == module


def error_line(error: BaseException, path: Path) -> str:
    """The exception as one line of text, with the last line of `path` in its traceback."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.lineno:
        lines = [error.lineno]
    text = error.what if isinstance(error, DeskError) else f"{type(error).__name__}: {error}"
    if isinstance(error, SyntaxError):
        text = f"{type(error).__name__}: {error.msg}"
    first = (text.splitlines() or [""])[0]
    return f"{first} (line {lines[-1]})" if lines else first


def check_module(module: ModuleType, path: Path) -> ModuleType:
    """The module, if it has all parts of a strategy. Raises StrategyError naming the first fault."""
    lacking = [part for part in NEEDED if not hasattr(module, part)]
    if lacking:
        raise StrategyError(f"{path.name} lacks {', '.join(lacking)}", "a strategy has NAME, FEATURES, Params and signals(f, p)")
    if path.stem != module.NAME:
        raise StrategyError(f"{path.name} says NAME = {module.NAME!r}", "file name and NAME must be the same")
    if not isinstance(module.FEATURES, tuple | list) or not all(isinstance(x, str) for x in module.FEATURES):
        raise StrategyError(f"{path.name}: FEATURES is not a tuple of names", 'write FEATURES = ("sma",)')
    if forms := [feature for feature in module.FEATURES if feature in NORMAL_FORMS]:
        what = f"{path.name}: FEATURES lists {forms[0]}, a form of any feature"
        raise StrategyError(what, f'list the feature that it is of: FEATURES = ("rsi",) for f.{forms[0]}("rsi", 14)')
    unknown = [feature for feature in module.FEATURES if feature not in BY_NAME]
    if unknown:
        raise StrategyError(f"{path.name}: no feature {unknown[0]!r}", f"available: {', '.join(BY_NAME)}")
    check_declared(module, path.name)
    check_models(module, path.name)
    for feature in module.FEATURES:
        lacking = [name for name in BY_NAME[feature].series if name not in getattr(module, "SERIES", {})]
        if lacking:
            what = f"{path.name}: {feature} reads the series {lacking[0]}, which SERIES does not list"
            raise StrategyError(what, f'add SERIES = {{"{lacking[0]}": OutsideSeries(...)}}')
    if not (isinstance(module.Params, type) and issubclass(module.Params, StrategyParams)):
        raise StrategyError(f"{path.name}: Params is not a StrategyParams", "write class Params(StrategyParams): ...")
    try:
        module.Params()
    except ValidationError as error:
        if any(one["type"] != "missing" for one in error.errors()):
            raise StrategyError(f"{path.name}: invalid defaults: {first_error(module, error.errors()[0])}") from None
    if not callable(module.signals):
        raise StrategyError(f"{path.name}: signals is not a function", "write def signals(f, p): ...")
    return module


def list_strategies(folder: Path | None = None) -> list[StrategyEntry]:
    """All strategies, shipped ones first; a broken file is listed with its error, never fatal."""
    folder = home_folder() if folder is None else Path(folder)
    found = []
    for name in [*OURS, *(name for name in own_names(folder) if name not in OURS)]:
        shipped = name in OURS
        path = Path(__file__).with_name(f"{name}.py") if shipped else folder / f"{name}.py"
        try:
            about, error = (load_strategy(name, folder).__doc__ or "").strip().split("\n")[0], ""
        except DeskError as caught:
            about, error = "", str(caught)
        found.append(StrategyEntry(name, shipped, path, about, error))
    return found


def source_of(strategy: Any) -> str:
    """The text of a strategy's file as it was run."""
    own = getattr(strategy, SOURCE, None)
    return Path(strategy.__file__).read_text(encoding="utf-8") if own is None else str(own)


def code_sha256(strategy: Any) -> str:
    """Digest of all code behind the strategy's signals: its own file, the features and this folder's shared code."""
    here = Path(__file__).parent
    shared = [here / name for name in ("answer.py", "base.py", "params.py", "rules.py", "signals.py", "stored_models.py")]
    if getattr(strategy, "MODELS", ()):
        shared += [here.parent / "models" / name for name in ("artifact.py", "column.py", "regime.py", "trees.py")]
    if strategy.NAME in ON_MODELS:
        shared += [here / name for name in ("two_rules.py", "trend.py", "reversion.py")]
    digest = hashlib.sha256(source_of(strategy).encode())
    for file in [*shared, *sorted((here.parent / "features").glob("*.py"))]:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()
