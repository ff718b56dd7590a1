"""What tests would work out again and again from the same words, once a process: parsed TOML, and the synthetic markets of homes.

tests/conftest.py puts `parsed` and `market` in the place of the functions that do it. Each caller has objects of its own.
"""

import pickle
import tomllib
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import polars as pl

from engine.data import synthetic

Frames = dict[str, pl.DataFrame]
PARSE, MAKE = tomllib.loads, synthetic.synthetic


@lru_cache(512)
def _pickled(text: str) -> bytes:
    return pickle.dumps(PARSE(text))


def parsed(text: str, /, *, parse_float: Callable[[str], Any] = float) -> dict[str, Any]:
    """As tomllib.loads. What cannot be parsed is tried each time."""
    if parse_float is not float or not isinstance(text, str):
        return PARSE(text, parse_float=parse_float)
    found: dict[str, Any] = pickle.loads(_pickled(text))  # noqa: S301 - what this module pickled
    return found


@lru_cache(4)
def _made(symbols: tuple[str, ...], *more: int) -> tuple[Frames, Frames]:
    return MAKE(symbols, *more)


def market(symbols: Sequence[str], *more: int) -> tuple[Frames, Frames]:
    """As engine.data.synthetic.synthetic; nobody can change a frame."""
    bars, funding = _made(tuple(symbols), *more)
    return dict(bars), dict(funding)
