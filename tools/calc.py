"""Derived numbers with a receipt: `calc` evaluates a small expression over facts shown in this thread.

Turns `r2.sharpe - r1.sharpe` into a fact of its own whose subject names what went in. No eval: the expression is parsed
to a tree of which a dozen node kinds are known. Units propagate or the expression is refused.
"""

import ast
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

from pydantic import Field

from engine.errors import Refused
from tools.common.contract import Args, Effect, Evidence, Fact, ToolContext, ToolResult, make_facts, no_data, tool

EXPRESSION_MAX = 300
# scale factors; anything else must be a fact, or an invented number would get a receipt
CONSTANTS = (2, 10, 12, 24, 30, 60, 100, 365, 1000, 10_000, 0.5)
PLAIN = ""  # the unit of a constant


class Quantity(NamedTuple):
    """A value on its way through an expression."""

    value: float
    unit: str


class UndefinedFact(Exception):
    """A fact of the expression has no value; the message names it."""


class CalcArgs(Args):
    """`expression`: facts by reference, + - * / and parentheses, min(a, b), max(a, b), abs(a), mean(a, ...), change(from, to), share(part, whole)."""  # noqa: E501 - one line of a schema

    expression: str = Field(max_length=EXPRESSION_MAX)


@tool("calc", Effect.READ)
def calc(ctx: ToolContext, args: CalcArgs) -> ToolResult:
    """Compute a number from facts shown in this thread, such as `r2.sharpe - r1.sharpe`, `change(r1.fees, r2.fees)` or
    `share(d1.fees, d1.equity)`. The result is a new fact with a receipt. Use it for every derived number."""
    used: dict[str, Fact] = {}
    tree = parse(args.expression)
    try:
        number = evaluate(tree, ctx.facts, used)
    except UndefinedFact as missing:
        return no_data(f"{missing} has no value, so the expression is undefined")
    if not used:
        raise Refused("the expression uses no fact", "use references such as r1.sharpe")
    text = ast.unparse(tree)
    handle = ctx.handle("c", text)
    subject = "; ".join(dict.fromkeys(fact.subject for fact in used.values()))
    facts = make_facts(handle, subject, Evidence("calc", text), {"value": (number.value, number.unit or "ratio")})
    evidence = tuple(dict.fromkeys(fact.evidence for fact in used.values()))
    return ToolResult("ok", f"{text} = {{{handle}.value}}", facts, evidence, data={"expression": text})


def parse(expression: str) -> ast.expr:
    """The expression's tree; Refused when it is not one."""
    bare = expression.replace("{", "").replace("}", "").strip()
    try:
        return ast.parse(bare, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise Refused("not a valid expression", "use facts, + - * /, min, max, abs, mean, change, share") from None


def evaluate(node: ast.expr, facts: Mapping[str, Fact], used: dict[str, Fact]) -> Quantity:
    """The value and unit of `node`; the facts it read are put into `used`. Refused for anything it does not know."""
    match node:
        case ast.Attribute(value=ast.Name(id=handle), attr=metric):
            return _fact(f"{handle}.{metric}", facts, used)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if value not in CONSTANTS:
                raise Refused(f"{value} is not a fact", f"use facts, or the constants {', '.join(map(str, CONSTANTS))}")
            return Quantity(float(value), PLAIN)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            number = evaluate(inner, facts, used)
            return Quantity(-number.value, number.unit)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _finite(_OPERATORS[type(op)](evaluate(left, facts, used), evaluate(right, facts, used)))
        case ast.Call(func=ast.Name(id=name), args=parts, keywords=[]) if name in _FUNCTIONS:
            arity, apply = _FUNCTIONS[name]
            if not parts or arity not in (0, len(parts)):
                raise Refused(f"{name} takes {arity} argument{'' if arity == 1 else 's'}")
            return _finite(apply(*(evaluate(part, facts, used) for part in parts)))
    raise Refused(f"{ast.unparse(node)[:60]!r} is not supported", "use facts, + - * /, min, max, abs, mean, change, share")


def _fact(ref: str, facts: Mapping[str, Fact], used: dict[str, Fact]) -> Quantity:
    fact = facts.get(ref)
    if fact is None:
        raise Refused(f"no fact {ref} was shown in this thread", "first call the tool that returns it")
    used[ref] = fact
    if fact.value is None:
        raise UndefinedFact(ref)
    if isinstance(fact.value, str | bool):
        raise Refused(f"{ref} is a word, not a number")
    return Quantity(float(fact.value), fact.unit)


def _finite(number: Quantity) -> Quantity:
    if not math.isfinite(number.value):
        raise Refused("the result is not a finite number")
    return number


def _same(a: Quantity, b: Quantity, word: str) -> str:
    if a.unit != b.unit:
        raise Refused(f"cannot {word} {a.unit or 'a plain number'} and {b.unit or 'a plain number'}")
    return a.unit


def _add(a: Quantity, b: Quantity) -> Quantity:
    if {a.unit, b.unit} == {"ms", "duration_ms"}:
        return Quantity(a.value + b.value, "ms")
    if a.unit == b.unit == "ms":
        raise Refused("two instants cannot be added", "subtract them for the time between")
    return Quantity(a.value + b.value, _same(a, b, "add"))


def _subtract(a: Quantity, b: Quantity) -> Quantity:
    if (a.unit, b.unit) == ("ms", "duration_ms"):
        return Quantity(a.value - b.value, "ms")
    unit = _same(a, b, "subtract")
    return Quantity(a.value - b.value, "duration_ms" if unit == "ms" else unit)


_SCALES = (PLAIN, "ratio", "frac", "count")  # what multiplies another unit and leaves it as it is


def _multiply(a: Quantity, b: Quantity) -> Quantity:
    value = a.value * b.value
    if "ms" not in (a.unit, b.unit):
        if {a.unit, b.unit} == {"price", "base"}:
            return Quantity(value, "usd")
        for scale in _SCALES:
            if scale in (a.unit, b.unit):
                return Quantity(value, b.unit if a.unit == scale else a.unit)
    raise Refused(f"cannot multiply {a.unit} by {b.unit}")


def _divide(a: Quantity, b: Quantity) -> Quantity:
    if b.value == 0:
        raise Refused("the expression divides by zero")
    value = a.value / b.value
    if a.unit == b.unit != "ms":
        return Quantity(value, "ratio" if a.unit else PLAIN)
    if (a.unit, b.unit) in (("usd", "base"), ("usd", "price")):
        return Quantity(value, "price" if b.unit == "base" else "base")
    if b.unit in _SCALES and a.unit not in (PLAIN, "ms"):
        return Quantity(value, a.unit)
    raise Refused(f"cannot divide {a.unit or 'a plain number'} by {b.unit}")


def _change(old: Quantity, new: Quantity) -> Quantity:
    _same(old, new, "compare")
    if old.unit == "ms" or old.value == 0:
        raise Refused("the change from zero (or of an instant) has no meaning as a percentage")
    return Quantity((new.value - old.value) / abs(old.value), "frac")


def _share(part: Quantity, whole: Quantity) -> Quantity:
    _same(part, whole, "compare")
    if whole.unit == "ms" or whole.value == 0:
        raise Refused("a share of zero (or of an instant) has no meaning")
    return Quantity(part.value / whole.value, "frac")


def _pick(choose: Callable[[float, float], float]) -> Callable[[Quantity, Quantity], Quantity]:
    return lambda a, b: Quantity(choose(a.value, b.value), _same(a, b, "compare"))


def _mean(*values: Quantity) -> Quantity:
    total = values[0]
    for value in values[1:]:
        total = _add(total, value)
    return Quantity(total.value / len(values), total.unit)


_OPERATORS: dict[type, Callable[[Quantity, Quantity], Quantity]] = {
    ast.Add: _add,
    ast.Sub: _subtract,
    ast.Mult: _multiply,
    ast.Div: _divide,
}
_FUNCTIONS: dict[str, tuple[int, Callable[..., Quantity]]] = {
    "min": (2, _pick(min)),
    "max": (2, _pick(max)),
    "mean": (0, _mean),  # 0: of any number
    "abs": (1, lambda a: Quantity(abs(a.value), a.unit)),
    "change": (2, _change),
    "share": (2, _share),
}
