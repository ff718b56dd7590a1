"""Which hypothesis a run tests: a family of strategy code on a set of instruments.

Called by research/ledger.py. A copy under another name, with other variable names or other constants, has the same fingerprint as
its original: it stays in the family, and what was tried with one counts for the other.
"""

import ast
import builtins
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

from engine.features.catalog import BY_NAME
from engine.features.normalised import NORMAL_FORMS
from engine.strategies.base import SignalFrame, source_of

FRAME = {*BY_NAME, *NORMAL_FORMS, "at", "of", "series", "open", "high", "low", "close", "volume", "close_ms", "reader"}
ENGINE = {"StrategyParams", "SignalFrame", "FeatureFrame", "knob", "choice", "signals", "Params", *SignalFrame._fields}
IMPORTS = (ast.Import, ast.ImportFrom)  # what is used of them is seen where it is used
NOTES = ("annotation", "returns", "type_comment")  # fields of a node that change nothing
LABELS = ("NAME", "FEATURES")  # assignments that name things


ON, MADE = " on ", " (synthetic bars)"  # of a hypothesis's name


class Hypothesis(NamedTuple):
    """What a trial tests."""

    family: str  # the strategy that its code was first run as
    instruments: str  # `BTC-USDT perp, ETH-USDT perp`
    synthetic: bool

    @property
    def name(self) -> str:
        """As people read it: `trend on BTC-USDT perp`."""
        return f"{self.family}{ON}{self.instruments}{MADE if self.synthetic else ''}"

    def shares(self, other: "Hypothesis") -> bool:
        """Whether a choice among trials of the other is a choice on these bars too: same code, an instrument in common."""
        mine, its = set(self.instruments.split(", ")), set(other.instruments.split(", "))
        return self.family == other.family and self.synthetic == other.synthetic and not mine.isdisjoint(its)


def hypothesis_in(name: str) -> Hypothesis:
    """The hypothesis of a name."""
    family, _, rest = name.partition(ON)
    return Hypothesis(family, rest.removesuffix(MADE), rest.endswith(MADE))


def fingerprint(strategy: Any) -> str:
    """Digest of a strategy's code without its names, constants, comments and documentation."""
    tree = ast.parse(source_of(strategy))
    fields = set(strategy.Params.model_fields)
    body = [statement for statement in tree.body if not _labels(statement) and not isinstance(statement, IMPORTS)]
    arguments = next((s.args.args for s in body if isinstance(s, ast.FunctionDef) and s.name == "signals"), [])
    shape = _Shape(fields, arguments[1].arg if len(arguments) > 1 else "", _given_in(tree) - {"signals", "Params"})
    text = "\n".join(shape.of(statement) for statement in body)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def instruments_of(symbols: Sequence[tuple[str, str]]) -> str:
    """(symbol, market) pairs as one text, sorted, each once: a venue does not make another hypothesis."""
    return ", ".join(sorted({f"{symbol} {market}" for symbol, market in symbols}))


def _labels(statement: ast.stmt) -> bool:
    """Whether a statement only names or describes."""
    if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
        return True
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(target, ast.Name) and target.id in LABELS for target in targets)


class _Shape:
    """Code as text in which every name is a number, in the order in which they come."""

    def __init__(self, fields: set[str], params: str, given: set[str]) -> None:
        self.fields, self.params = fields, params  # names of parameters, and what `signals` calls them by
        self.given = given  # names that the file itself gives
        self.names: dict[str, int] = {}

    def of(self, node: Any) -> str:
        """One node with all below it."""
        if isinstance(node, list):
            return "[" + ",".join(self.of(item) for item in node if not _documents(item)) + "]"
        if isinstance(node, ast.Constant):
            return str(node.value) if node.value in BY_NAME else _kind(node.value)
        if isinstance(node, ast.Name):
            return self.name(node.id)
        if isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id == self.params  # p.low is a parameter, f.low a column
            kept = not own and (node.attr in FRAME or node.attr not in self.fields)
            return f"{self.of(node.value)}.{node.attr if kept else self.name(node.attr)}"
        if isinstance(node, ast.UnaryOp) and isinstance(node.operand, ast.Constant):
            return _kind(node.operand.value)  # -1 is a constant, too
        if isinstance(node, ast.AST):
            if isinstance(node, ast.keyword) and node.arg in ENGINE:
                return f"{node.arg}={self.of(node.value)}"  # of the engine, whatever the file calls its own variables
            found = ((field, value) for field, value in ast.iter_fields(node) if value is not None and field not in NOTES)
            return f"{type(node).__name__}({';'.join(f'{field}={self.part(field, value)}' for field, value in found)})"
        return repr(node)

    def part(self, field: str, value: Any) -> str:
        """A field of a node: identifiers are names, everything else is as it is."""
        named = isinstance(value, str) and field in ("id", "arg", "name", "asname", "attr")
        return self.name(value) if named else self.of(value)

    def name(self, text: str) -> str:
        """A number for a name of the file's own; what Python or the engine calls so stays."""
        if text not in self.given and (hasattr(builtins, text) or text in ENGINE):
            return text
        return f"n{self.names.setdefault(text, len(self.names))}"


def _kind(constant: Any) -> str:
    """What a constant is: 2 and 2.0 are numbers."""
    number = isinstance(constant, int | float) and not isinstance(constant, bool)
    return "number" if number else type(constant).__name__


def _given_in(tree: ast.Module) -> set[str]:
    """The names that a file gives: of variables, arguments, functions and classes."""
    nodes = list(ast.walk(tree))
    found = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    return found | {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}


def _documents(node: Any) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
