"""What numba lacks for our NamedTuples: `_replace`, load / store between a record array and a (nested) NamedTuple, short errors.

Imported by kernel.py alone. Plain Python needs none of it: there `_replace` exists, and load and store are list indexing.
A record array holds one NamedTuple an element, field by field, nested ones too; `dtype_of(Sleeve)` is its dtype.
"""

import functools
import inspect
import re
import textwrap
import typing
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.errors import TypingError
from numba.core.typing.templates import AbstractTemplate, AttributeTemplate, infer_getattr, signature
from numba.extending import intrinsic, lower_builtin, overload
from numba.np import linalg
from numba.np.numpy_support import from_dtype

from .memory import keep_mark, keep_watch, load, store
from .state import Signal, Sleeve


def _no_blas() -> None:
    raise ImportError("not looked for yet")


# Numba looks for a BLAS before it runs anything, which loads scipy.linalg: 0.2 to 0.3 s of CPU in every process with a backtest,
# and the core multiplies no matrices. A strategy of a person's own that does finds it: numba looks again at each such call.
_looked_for, linalg.ensure_blas = linalg.ensure_blas, _no_blas
try:
    from numba.np import arraymath
finally:
    linalg.ensure_blas = _looked_for
arraymath.ensure_blas, arraymath._HAVE_BLAS = _looked_for, True  # scipy is one of our own dependencies


def named_by(entry: Any, digest: str) -> Any:
    """`entry` under a name that has its sources' digest, so that numba's cache has a file for each: the types in a file of other
    sources may be gone by now, and then not even its key can be read.
    """
    entry.__qualname__ = f"{entry.__qualname__}.{digest[:16]}"
    return entry


def is_tuple(kind: Any) -> bool:
    """True for an annotation `tuple[X, X, ...]`."""
    return typing.get_origin(kind) is tuple


@functools.cache
def hints_of(kind: Any) -> dict[str, Any]:
    """Type hints of a NamedTuple class, asked once: typing takes longer to answer than a small run."""
    return typing.get_type_hints(kind)


@functools.cache
def dtype_of(kind: Any) -> np.dtype:
    """The numpy dtype that holds an int, a float, a NamedTuple, or a tuple of equals."""
    if kind in (int, float):
        return np.dtype("i8" if kind is int else "f8")
    if is_tuple(kind):
        args = typing.get_args(kind)
        return np.dtype((dtype_of(args[0]), (len(args),)))
    return np.dtype([(name, dtype_of(part)) for name, part in hints_of(kind).items()])


def numba_type(kind: Any) -> types.Type:
    """The numba type of an int, a float, a NamedTuple class, or a tuple of equals."""
    if kind in (int, float):
        return types.int64 if kind is int else types.float64
    if is_tuple(kind):
        args = typing.get_args(kind)
        return types.UniTuple(numba_type(args[0]), len(args))
    return types.NamedTuple([numba_type(part) for part in hints_of(kind).values()], kind)


def nested(value: tuple[Any, ...]) -> tuple[Any, ...] | list[Any]:
    """A NamedTuple as numpy takes a record: nested tuples, and lists where it holds a tuple of equals."""
    items = [nested(v) if isinstance(v, tuple) else v for v in value]
    return tuple(items) if hasattr(value, "_fields") else items


def to_records(values: Sequence[Any], kind: Any) -> np.ndarray:
    """A list of NamedTuples as a record array (len(values),)."""
    return np.array([nested(v) for v in values], dtype_of(kind))


def from_record(record: Any, kind: Any) -> Any:
    """One element of a record array as the NamedTuple `kind`."""
    if kind in (int, float):
        return kind(record)
    if is_tuple(kind):
        return tuple(from_record(r, part) for r, part in zip(record, typing.get_args(kind), strict=True))
    values = record.item() if isinstance(record, np.void) else record  # all at once: a field by its name takes longer than a copy
    if is_flat(kind):
        return kind(*values)
    return kind(*(from_record(value, part) for value, part in zip(values, hints_of(kind).values(), strict=True)))


@functools.cache
def is_flat(kind: Any) -> bool:
    """True for a NamedTuple of numbers alone."""
    return all(part in (int, float) for part in hints_of(kind).values())


def check_fits(have: types.Type, want: types.Type, path: str) -> None:
    """Refuse a float in an int field and a foreign tuple, naming the field; an int in a float field is converted."""
    have = types.unliteral(have)
    if not isinstance(want, types.BaseTuple):
        if have != want and not isinstance(have, types.Integer | types.Boolean):
            raise TypingError(f"{path} holds {want}, got {have}")
        return
    if not isinstance(have, types.BaseTuple) or len(have) != len(want):
        raise TypingError(f"{path} holds {want.name.split('(')[0]}, got {have}")
    named = isinstance(want, types.NamedTuple)
    if named and getattr(have, "instance_class", None) is not want.instance_class:
        raise TypingError(f"{path} holds {want.instance_class.__name__}, got {have}")
    for k, (part, wanted) in enumerate(zip(have.types, want.types, strict=True)):
        check_fits(part, wanted, f"{path}.{want.fields[k]}" if named else f"{path}[{k}]")


def fit(context: Any, builder: Any, value: Any, have: types.Type, want: types.Type) -> Any:
    """The value converted to the type `want`, field by field."""
    if have == want:
        return value
    if not isinstance(want, types.BaseTuple):
        return context.cast(builder, value, have, want)
    parts = zip(cgutils.unpack_tuple(builder, value, len(have)), have.types, want.types, strict=True)
    return context.make_tuple(builder, want, [fit(context, builder, *part) for part in parts])


@infer_getattr
class ReplaceAttribute(AttributeTemplate):
    """Types `value._replace(field=...)`: a method whose keywords are the tuple's fields."""

    key = types.BaseNamedTuple

    def resolve__replace(self, this: Any) -> types.BoundFunction:
        """The bound method for tuples of type `this`."""

        class Replace(AbstractTemplate):
            key = "NamedTuple._replace"

            def generic(self, args: Any, kws: Any) -> Any:  # noqa: ARG002 - numba's interface
                name = this.instance_class.__name__
                for field, kind in kws.items():
                    if field not in this.fields:
                        raise TypingError(f"{name}._replace: unknown field {field}")
                    check_fits(kind, this.types[this.fields.index(field)], f"{name}._replace: {field}")
                given = [types.unliteral(kws[f]) if f in kws else types.none for f in this.fields]
                parameter = inspect.Parameter
                by_name = [parameter(f, parameter.POSITIONAL_OR_KEYWORD, default=None) for f in this.fields]
                return signature(this, *given, recvr=this).replace(pysig=inspect.Signature(by_name))

        return types.BoundFunction(Replace, this)


@lower_builtin("NamedTuple._replace", types.BaseNamedTuple, types.VarArg(types.Any))
def lower_replace(context: Any, builder: Any, sig: Any, args: Any) -> Any:
    """Code for `_replace`: unpack, change the given fields, pack."""
    this = sig.args[0]
    items = cgutils.unpack_tuple(builder, args[0], len(this))
    for n, (value, have) in enumerate(zip(args[1:], sig.args[1:], strict=True)):
        if have != types.none:
            items[n] = fit(context, builder, value, have, this.types[n])
    return context.make_tuple(builder, this, items)


def element(context: Any, builder: Any, array: Any, value: Any, i: Any, kind: types.Type) -> Any:
    """Pointer to element i of a record array, as a pointer to the tuple type."""
    data = context.make_array(array)(context, builder, value).data
    offset = builder.mul(i, context.get_constant(types.intp, array.dtype.size))
    pointer = cgutils.pointer_add(builder, data, offset)
    return builder.bitcast(pointer, context.get_value_type(kind).as_pointer())


def leaves(builder: Any, pointer: Any, kind: types.Type) -> Iterator[tuple[Any, tuple[int, ...]]]:
    """(pointer, path) of every int and float behind a pointer to a nested tuple."""
    if not isinstance(kind, types.BaseTuple):
        yield pointer, ()
        return
    for k, part in enumerate(kind.types):
        for inner, path in leaves(builder, cgutils.gep_inbounds(builder, pointer, 0, k), part):
            yield inner, (k, *path)


def check_array(array: Any, kind: Any) -> None:
    """load and store compute addresses themselves: one contiguous row of exactly these records, or no code."""
    if array.layout != "C" or array.ndim != 1 or array.dtype != from_dtype(dtype_of(kind)):
        raise TypingError(f"not a contiguous one-dimensional array of {kind.__name__} (see dtype_of): {array.dtype}")


@intrinsic(prefer_literal=False)
def load_record(_typing: Any, array: Any, _i: Any, like: Any) -> Any:
    """Element i of a record array as a NamedTuple value."""
    want = numba_type(like.instance_class)
    check_array(array, like.instance_class)

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = element(context, builder, sig.args[0], args[0], args[1], want)
        value = ir.Constant(context.get_value_type(want), ir.Undefined)
        for leaf, path in leaves(builder, pointer, want):
            value = builder.insert_value(value, builder.load(leaf), path)
        return value

    return want(array, types.intp, like), code


@intrinsic(prefer_literal=False)
def store_record(_typing: Any, array: Any, _i: Any, value: Any) -> Any:
    """A NamedTuple value into element i of a record array."""
    want = numba_type(value.instance_class)
    check_array(array, value.instance_class)
    check_fits(value, want, value.instance_class.__name__)

    def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
        pointer = element(context, builder, sig.args[0], args[0], args[1], want)
        item = fit(context, builder, args[2], value, want)
        for leaf, path in leaves(builder, pointer, want):
            builder.store(builder.extract_value(item, path), leaf)
        return context.get_dummy_value()

    return types.none(array, types.intp, value), code


@overload(load, inline="always")
def load_overload(items, i, kind):  # type: ignore[no-untyped-def]  # noqa: ARG001 - numba compares signatures, names and annotations
    """desk.load for record arrays, and for Signals: one array a field, read where they lie instead of packed into records."""
    if isinstance(items, types.BaseTuple):
        return lambda items, i, kind: Signal(  # noqa: ARG005 - the overloaded signature
            np.int64(items[0][i]),
            items[1][i],
            items[2][i],
            items[3][i],
            items[4][i],
            items[5][i],
            items[6][i],
            np.int64(items[7][i]),
            np.int64(items[8][i]),
            items[9][i],
            items[10][i],
            items[11][i],
            items[12][i],
            np.int64(items[13][i]),
            np.int64(items[14][i]),
            items[15][i],
            np.int64(items[16][i]),
        )
    return lambda items, i, kind: load_record(items, i, kind)  # noqa: PLW0108 - numba wants a Python function


@overload(store, inline="always")
def store_overload(items, i, value):  # type: ignore[no-untyped-def]  # noqa: ARG001 - the same
    """desk.store for record arrays."""
    return lambda items, i, value: store_record(items, i, value)  # noqa: PLW0108 - the same


def named_leaves(kind: Any, path: tuple[str, ...] = (), at: tuple[int, ...] = ()) -> Iterator[tuple[str, tuple[int, ...]]]:
    """("position.best", (0, 3)) for every leaf of a NamedTuple class that is not inside a tuple of equals."""
    for k, (name, part) in enumerate(hints_of(kind).items()):
        if part in (int, float):
            yield ".".join((*path, name)), (*at, k)
        elif not is_tuple(part):
            yield from named_leaves(part, (*path, name), (*at, k))


def part_store(kind: Any, names: tuple[str, ...]) -> Any:
    """An intrinsic that writes only the leaves `names` of a NamedTuple value into its record."""
    paths = dict(named_leaves(kind))
    chosen = [paths[name] for name in names]

    @intrinsic(prefer_literal=False)
    def store_leaves(_typing: Any, array: Any, _i: Any, value: Any) -> Any:
        want = numba_type(kind)
        check_array(array, kind)
        check_fits(value, want, kind.__name__)

        def code(context: Any, builder: Any, sig: Any, args: Any) -> Any:
            pointer = element(context, builder, sig.args[0], args[0], args[1], want)
            item = fit(context, builder, args[2], value, want)
            for path in chosen:
                builder.store(builder.extract_value(item, path), cgutils.gep_inbounds(builder, pointer, 0, *path))
            return context.get_dummy_value()

        return types.none(array, types.intp, value), code

    return store_leaves


store_mark = part_store(Sleeve, ("ledger.equity", "ledger.notional", "guard.day", "guard.day_equity", "guard.day_entries"))
store_watch = part_store(
    Sleeve, ("position.best", "position.trail", "guard.refused", "guard.refused_ms", "cost.slip_frac", "cost.impact")
)


@overload(keep_mark, inline="always")
def keep_mark_overload(items, i, sleeve):  # type: ignore[no-untyped-def]  # noqa: ARG001 - numba compares signatures
    """desk.keep_mark for record arrays."""
    return lambda items, i, sleeve: store_mark(items, i, sleeve)  # noqa: PLW0108 - numba wants a Python function


@overload(keep_watch, inline="always")
def keep_watch_overload(items, i, sleeve):  # type: ignore[no-untyped-def]  # noqa: ARG001 - the same
    """desk.keep_watch for record arrays."""
    return lambda items, i, sleeve: store_watch(items, i, sleeve)  # noqa: PLW0108 - the same


def shorter(message: str) -> str:
    """The innermost cause in a numba typing error: what and where, the types of our tuples cut to their names."""
    lines = message.splitlines()
    first = max((k for k, x in enumerate(lines) if "Failed in nopython mode" in x), default=-1) + 1
    last = next((k for k in range(first, len(lines)) if "During: Pass" in lines[k]), len(lines))
    noise = ("Resolution failure for", "During: resolving", "During: typing of", "<source elided>", "Enable logging")
    kept = [x for x in lines[first:last] if x.strip() not in ("", "None") and not any(n in x for n in noise)]
    kept = [x for k, x in enumerate(kept) if x not in kept[:k]]
    inner = r"[^()]*"
    for _ in range(3):  # parentheses three deep: a sleeve holds a position holds layers
        inner = rf"(?:[^()]|\({inner}\))*"
    names = "Sleeve|Position|Order|Ledger|Desk|Rules|Limits|Bar|Signal|Decision|Layer"
    return re.sub(rf"\b({names})\({inner}\)", r"\1", textwrap.dedent("\n".join(kept)))
