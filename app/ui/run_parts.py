"""Panels' insides as HTML: figures in a strip, tables, notes, pairs. Called by app/ui/run.py, runs.py and run_compare.py.

Turns texts, also those of strategy files and people, into st.html: everything is escaped here, nothing is passed through.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import streamlit as st

from app.ui.figures import is_number

Cell = str | tuple[str, str]  # text, or text and the class of its colour
MINUS, NONE, THIN = "\u2212", "–", "\u202f"
CLASSES = ("pos", "neg", "mut", "wrn")
TONES = ("accent", "hold", "series2", "edge")


def sheet() -> None:
    """The look of these parts; once on each drawing of a page."""
    st.html(f"<style>{(Path(__file__).with_name('runs.css')).read_text(encoding='utf-8')}</style>")


def text(value: object, length: int = 400) -> str:
    """Outside text as HTML text, one line."""
    bare = " ".join(str(value).split())
    return escape(bare if len(bare) <= length else bare[: length - 1] + "…")


def number(value: Any, digits: int = 2, *, sign: bool = False) -> str:
    """`1,234.50` with a real minus; a dash for what is not known."""
    if not is_number(value):
        return NONE
    shown = f"{abs(value):,.{digits}f}"
    return shown if not shown.strip("0.,") else (MINUS if value < 0 else "+" if sign else "") + shown


def percent(value: Any, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction in percent."""
    return f"{number(value * 100, digits, sign=sign)}{THIN}%" if is_number(value) else NONE


def in_r(value: Any) -> str:
    """A multiple of the money at risk."""
    return f"{number(value, sign=True)}{THIN}R" if is_number(value) else NONE


def price(value: Any) -> str:
    """A price, with fewer digits the larger it is."""
    return number(value, 1 if abs(value) >= 10_000 else 2 if abs(value) >= 10 else 5) if is_number(value) else NONE


def tone(value: Any) -> str:
    """The class of a result's colour."""
    return ("pos" if value > 0 else "neg" if value < 0 else "") if is_number(value) else ""


def title(name: str, about: Sequence[Mapping[str, Any]], ident: str = "") -> None:
    """The name of the page's thing, and a grey line about it; what is unusual is amber."""
    said = [f'<span class="wrn">{text(part["text"])}</span>' if part.get("loud") else text(part["text"]) for part in about]
    said += [f"<code>{text(ident)}</code>"] if ident else []
    st.html(f'<h1 class="t">{text(name, 120)}</h1><p class="sub">{" · ".join(said)}</p>')


def head(name: str, sub: str = "", legend: Iterable[Mapping[str, str]] = ()) -> None:
    """A panel's head, with the legend of its chart."""
    keys = "".join(_key(line) for line in legend)
    st.html(f'<h2 class="t">{text(name)} <small>{text(sub)}{keys}</small></h2>')


def _key(line: Mapping[str, str]) -> str:
    """A line of a chart in its head."""
    look = f"{line['tone'] if line['tone'] in TONES else 'edge'} {'dot' if line['dash'] else ''}"
    return f'<i class="key {look}"></i>{text(line["name"], 60)}'


def soft(line: str) -> None:
    """A grey sentence."""
    if line:
        st.html(f'<p class="sub">{text(line, 1000)}</p>')


def note(strong: str, rest: str, kind: str) -> None:
    """A verdict or a warning. kind: bad, warn or calm."""
    look = {"bad": "bad", "warn": "wrn"}.get(kind, "")
    st.html(f'<div class="note {look}"><b>{text(strong)}</b> {text(rest, 600)}</div>')


def tiles(items: Sequence[Mapping[str, str]]) -> None:
    """Figures in a strip; the first is the large one."""
    cells = (
        f'<div class="kpi{"" if n else " big"}"><div class="l">{text(t["name"])}</div>'
        f'<div class="v {_class(t.get("tone", ""))}">{text(t["value"])}</div><div class="n">{text(t["note"])}</div></div>'
        for n, t in enumerate(items)
    )
    st.html(f'<div class="kpis">{"".join(cells)}</div>')


def table(
    heads: Sequence[str], rows: Iterable[Sequence[Cell]], left: Sequence[int] = (0,), *, total: bool = False, scroll: bool = False
) -> None:
    """Numbers to the right, the columns of `left` to the left; the last row is a sum with `total`."""
    rows = list(rows)
    top = "".join(f'<th class="{"t" if n in left else ""}">{escape(name)}</th>' for n, name in enumerate(heads))
    lines = []
    for k, row in enumerate(rows):
        cells = "".join(_cell(cell, left=n in left) for n, cell in enumerate(row))
        lines.append(f"<tr{' class=sum' if total and k == len(rows) - 1 else ''}>{cells}</tr>")
    frame = f'<table class="n"><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    st.html(f'<div class="{"scroll tall" if scroll else "scroll"}">{frame}</div>')


def _cell(cell: Cell, *, left: bool) -> str:
    said, look = (cell, "") if isinstance(cell, str) else cell
    return f'<td class="{"t " if left else ""}{_class(look)}">{text(said)}</td>'


def pairs(items: Iterable[tuple[str, Cell]]) -> None:
    """Labels with their values."""
    lines = []
    for name, cell in items:
        said, look = (cell, "") if isinstance(cell, str) else cell
        lines.append(f'<span class="mut">{text(name)}</span><span class="{_class(look)}">{text(said)}</span>')
    st.html(f'<div class="kv">{"".join(lines)}</div>')


def _class(look: str) -> str:
    return look if look in CLASSES else ""
