"""The desk's own code behind a feature, as a digest. Called by manifest.py.

Turns a FeatureCall into the sha256 of the text of every function that has a part in its value, found from the function itself by
the names that it uses, and of the numbers and words that those are given. Files are not hashed: a new feature in a file leaves
the others of that file as they were. Docstrings are left out, comments are not.
"""

import ast
import hashlib
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from engine.data.sources import asof
from engine.features import anchor
from engine.features.calls import FeatureCall
from engine.features.feature import Feature, unbroken_runs
from engine.features.frame import by_anchor
from engine.features.higher import aggregated, higher_clock, on_base_clock
from engine.features.normalised import NORMAL_FORMS, by_part

OURS = "engine."


def code_sha256_of(call: FeatureCall) -> str:
    """Digest of the code behind a call, with how runs, anchors, higher bars, normal forms and outside series reach it."""
    roots: list[Any] = [call.feature, by_anchor, unbroken_runs, anchor.anchored_spans, anchor.within, anchor.quarters_back]
    if call.feature.series:
        roots.append(asof)
    if call.timeframe:
        roots += [higher_clock, aggregated, on_base_clock]
    if call.form:
        roots += [NORMAL_FORMS[call.form].compute, by_part]
    return digest_of(tuple(function for root in roots for function in functions_in(root)))


@cache
def digest_of(roots: tuple[FunctionType, ...]) -> str:
    """Digest of these functions and all of the desk's own that they use."""
    texts, waiting, seen = dict[str, str](), list(roots), set[FunctionType]()
    while waiting:
        function = waiting.pop()
        if function in seen or not function.__module__.startswith(OURS):
            continue
        seen.add(function)
        if function.__name__ != "<lambda>":  # a lambda is in the text of what declares it
            texts[f"{function.__module__}.{function.__qualname__}"] = source_text(function)
        for name, value in globals_used(function):
            waiting += functions_in(value)
            if is_constant(value):
                texts[f"{function.__module__}.{name}"] = repr(value)
    joined = "\0".join(f"{name}\0{text}" for name, text in sorted(texts.items()))
    return hashlib.sha256(joined.encode()).hexdigest()


def functions_in(value: Any) -> list[FunctionType]:
    """The functions that a value stands for: itself, what a cache wraps, or those of a Feature."""
    parts = (value.compute, value.first, value.check) if isinstance(value, Feature) else (value,)
    return [found for part in parts if isinstance(found := inspect.unwrap(part) if callable(part) else None, FunctionType)]


def globals_used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """(name, value) of every global that a function or one inside it names; of a module of ours what is named of it."""
    names = set(names_in(function.__code__))
    for name in sorted(names & function.__globals__.keys()):
        value = function.__globals__[name]
        if isinstance(value, ModuleType) and value.__name__.startswith(OURS):
            yield from ((f"{name}.{part}", getattr(value, part)) for part in sorted(names) if hasattr(value, part))
        else:
            yield name, value


def names_in(code: CodeType) -> Iterator[str]:
    """Every global and attribute that a function's code names, those of inner functions too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from names_in(constant)


def is_constant(value: Any) -> bool:
    """Whether a global is a number, a word, or a tuple of these."""
    return isinstance(value, int | float | str) or (isinstance(value, tuple) and all(map(is_constant, value)))


def source_text(function: FunctionType) -> str:
    """The function's text with its decorators, without docstrings: a better sentence makes no other feature."""
    text = textwrap.dedent(inspect.getsource(function))
    lines: list[str | None] = [line.rstrip() for line in text.splitlines()]
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef) and ast.get_docstring(node) is not None:
            first = node.body[0]
            lines[first.lineno - 1 : first.end_lineno] = [None] * ((first.end_lineno or first.lineno) - first.lineno + 1)
    return "\n".join(line for line in lines if line is not None)
