"""Which parameters a strategy reads: so that variations which differ in none of them share one evaluation.

Called by research/sweep.py. A strategy is a function of bars and parameters, so what it read, with the values that it read, says
what it would answer to other parameters: the same for all that agree on those. What asks for the parameters as a whole
(model_dump, vars, repr, ==) reads all of them. The strategy is given its own Params, no look-alike, so that nothing which works
in a backtest fails in a sweep, or answers otherwise there: `type(p)`, `p[...]`, `if p`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any

from engine.strategies.params import StrategyParams

GETTER = "__getattribute__"
FREE = {"__class__", "__doc__", "__module__"}  # say nothing of the values
# how a file reads past its params' own __getattribute__: it is then taken to have read all of them
PAST = ("__getattribute__", "__dict__", "ctypes", "import gc", "from gc")
_LOCK = Lock()
_NOTES: dict[int, set[str]] = {}  # of the params that are watched at this moment, by identity: what was read
_WATCHING: dict[type, int] = {}  # how many of a class


@contextmanager
def watched(params: StrategyParams) -> Iterator[tuple[StrategyParams, set[str]]]:
    """A copy of the params to give to a strategy, and the names of the fields that are read of it, filled as it reads."""
    kind = type(params)
    shown = params.model_copy()
    for name in [name for name in vars(shown) if name not in kind.model_fields]:
        del vars(shown)[name]  # a cached property that was computed before: it must read its fields again
    reads = set[str]()
    with noting(kind):
        _NOTES[id(shown)] = reads
        try:
            yield shown, reads
        finally:
            del _NOTES[id(shown)]


def reads_past(source: str) -> bool:
    """Whether a strategy's text could read its params where nothing notes it."""
    return any(word in source for word in PAST)


@contextmanager
def noting(kind: type[StrategyParams]) -> Iterator[None]:
    """Meanwhile a class of params notes what is read of those that are watched; of all others it answers as ever.

    On the class, because Python looks `__getattribute__` up nowhere else, and vars(p), hash(p) and p == q go through it, too.
    Taken off again, because it slows every read by a tenth of a microsecond.
    """
    with _LOCK:
        _WATCHING[kind] = _WATCHING.get(kind, 0) + 1
        if _WATCHING[kind] == 1:
            type.__setattr__(kind, GETTER, getter_of(kind))
    try:
        yield
    finally:
        with _LOCK:
            _WATCHING[kind] -= 1
            if not _WATCHING[kind]:
                del _WATCHING[kind]
                own = vars(kind)[GETTER].own
                type.__delattr__(kind, GETTER) if own is None else type.__setattr__(kind, GETTER, own)


def getter_of(kind: type[StrategyParams]) -> Any:
    """A `__getattribute__` that notes; `own` is the one that the class has itself, to be put back."""
    before: Any = kind.__getattribute__
    fields = frozenset(kind.model_fields)
    mine = FREE | {name for base in kind.__mro__[: kind.__mro__.index(StrategyParams)] for name in vars(base)} - fields

    def getter(self: StrategyParams, name: str) -> Any:
        reads = _NOTES.get(id(self))
        if reads is not None:
            if name in fields:
                reads.add(name)
            elif name not in mine:  # of the file's own: it reads what it needs through here
                reads.update(fields)
        return before(self, name)

    getter.own = vars(kind).get(GETTER)  # type: ignore[attr-defined]  # a note for whoever takes it off
    return getter
