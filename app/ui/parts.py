"""Panels' insides as HTML: figures in a strip, tables, notes, pairs, links. Called by the pages.

Turns texts, also those of strategy files and people, into st.html: everything is escaped here, nothing is passed through. A
link leads to a page of ours (links.py) and nowhere else.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import streamlit as st

from app.ui.links import IDS, TABS
from app.ui.safe import one_line, typeset
from app.ui.tokens import variables

CLASSES = ("pos", "neg", "mut", "wrn", "desk-time")
TONES = ("accent", "hold", "series2", "edge", "text")
SPARK, LINE = (90, 20), "#3d85dd"  # a small line's size in pixels, and its colour: 3:1 on the panels of both themes
NAME_MAX = 24  # characters of a cell that stay on one line; a longer name would push the figures off a phone
HEAT_MAX = 34  # percent of colour behind a figure: its contrast stays above 4.5
SIGNS = {"bad": "■", "warn": "▲", "calm": ""}


class Linked(NamedTuple):
    """A text that leads to a page of ours."""

    text: str
    where: Mapping[str, str]
    look: str = ""


class Ladder(NamedTuple):
    """Where the mark stands between stop and target; the stop at the left, also of a short."""

    stop: float
    entry: float
    mark: float
    target: float | None
    title: str


class Step(NamedTuple):
    """One step of a line of states: its sign, word, time, and why (on hover)."""

    sign: str
    word: str
    at: str = ""
    about: str = ""
    look: str = ""


class Track(NamedTuple):
    """A life as a line of steps."""

    steps: Sequence[Step]


class Spark(NamedTuple):
    """A small line of values, oldest first; what is not a number is left out."""

    values: Sequence[Any]
    title: str


Cell = (
    str | tuple[str, str] | Linked | Ladder | Track | Spark
)  # text; text and the class of its colour; a link; a ladder; a line of steps; a small line


@st.cache_resource(show_spinner=False)
def _sheet() -> str:
    written = Path(__file__).with_name("sheet.css").read_text(encoding="utf-8")
    return f"<style>:root {{ {variables()} }}\n{written}</style>"


def sheet() -> None:
    """The look of the page; once on each drawing."""
    st.html(_sheet())


def phone() -> bool:
    """Whether the browser says that it is one of a phone."""
    return "Mobi" in str(st.context.headers.get("User-Agent") or "")


def text(value: object, length: int = 400) -> str:
    """Outside text as HTML text, one line."""
    return escape(one_line(value, length))


def link(to: Linked) -> str:
    """A link within this browser tab (catcher.py); text alone where the page is none of ours."""
    where = {name: ident for name, ident in to.where.items() if name in IDS and ident}
    look = f' class="{_class(to.look)}"' if _class(to.look) else ""
    if where.get("tab") not in TABS:
        return text(to.text)
    return f'<a{look} href="{escape("?" + urlencode({"tab": where.pop("tab"), **where}))}">{text(to.text)}</a>'


def title(name: str, about: Sequence[Mapping[str, Any]], ident: str = "") -> None:
    """The name of the page's thing, and a grey line about it; what is unusual is amber."""
    shown = [f'<span class="wrn">{text(part["text"])}</span>' if part.get("loud") else text(part["text"]) for part in about]
    shown += [f"<code>{text(ident)}</code>"] if ident else []
    st.html(f'<h1 class="t">{text(name, 120)}</h1><p class="sub">{" · ".join(shown)}</p>')


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


def tagged(tag: str, look: str, rest: str) -> None:
    """A grey sentence behind a word in its colour."""
    st.html(f'<p class="sub"><b class="{_class(look)}">{text(tag, 40)}</b> {text(rest, 600)}</p>')


def note(strong: str, rest: str, kind: str, *, command: str = "", to: Linked | None = None) -> None:
    """A verdict or a warning, with the command or the page that helps. kind: bad, warn or calm."""
    look = {"bad": "bad", "warn": "wrn"}.get(kind, "")
    next_step = f" <code>{text(command)}</code>" if command else ""
    next_step += f" {link(to)}" if to else ""
    st.html(f'<div class="note {look}"><b>{text(typeset(strong))}</b> {text(typeset(rest), 1000)}{next_step}</div>')


def tiles(items: Sequence[Mapping[str, str]]) -> None:
    """Figures in a strip; the first is the large one."""
    cells = (
        f'<div class="kpi{"" if n else " big"}"><div class="l">{text(t["name"])}</div>'
        f'<div class="v {_class(t.get("tone", ""))}">{text(t["value"])}</div><div class="n">{text(t["note"])}</div></div>'
        for n, t in enumerate(items)
    )
    st.html(f'<div class="kpis">{"".join(cells)}</div>')


def table(
    heads: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    left: Sequence[int] = (0,),
    *,
    thin: Sequence[int] = (),
    wrap: Sequence[int] = (),
    total: bool = False,
    scroll: bool = False,
) -> None:
    """Numbers to the right, the columns of `left` to the left; a phone leaves out those of `thin`; those of `wrap` may take
    several lines; `total`: the last row is a sum."""
    rows, kinds = list(rows), (("t", left), ("wide", thin), ("long", wrap))
    looks = [" ".join(look for look, chosen in kinds if n in chosen) for n in range(len(heads))]
    top = "".join(f'<th class="{look}">{escape(name)}</th>' for look, name in zip(looks, heads, strict=True))
    lines = []
    for k, row in enumerate(rows):
        cells = "".join(_cell(cell, look) for look, cell in zip(looks, row, strict=True))
        lines.append(f"<tr{' class=sum' if total and k == len(rows) - 1 else ''}>{cells}</tr>")
    frame = f'<table class="n"><thead><tr>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    st.html(f'<div class="{"scroll tall" if scroll else "scroll"}">{frame}</div>')


def heat(across: Sequence[str], down: Sequence[str], rows: Sequence[Sequence[str]], shades: Sequence[Sequence[float]]) -> None:
    """A grid of figures, shaded from -1 (loss) to 1 (gain) behind text that stays readable."""
    top = "".join(f"<th>{text(name, 24)}</th>" for name in across)
    lines = [
        f'<tr><td class="t mut">{text(name, 24)}</td>{"".join(map(_shaded, row, strength))}</tr>'
        for name, row, strength in zip(down, rows, shades, strict=True)
    ]
    frame = f'<table class="n heat"><thead><tr><th></th>{top}</tr></thead><tbody>{"".join(lines)}</tbody></table>'
    st.html(f'<div class="scroll">{frame}</div>')


def _shaded(figure: str, strength: float) -> str:
    share = round(min(1.0, abs(strength)) * HEAT_MAX)
    back = f"color-mix(in srgb, var(--{'up' if strength > 0 else 'down'}) {share}%, transparent)"
    return f'<td style="background:{back}">{text(figure, 24)}</td>'


def _cell(cell: Cell, column: str) -> str:
    inner, look = _inner(cell)
    words = cell.text if isinstance(cell, Linked) else cell[0] if isinstance(cell, tuple) else cell
    if isinstance(words, str) and len(words) > NAME_MAX and "long" not in column:
        column += " long name"
    return f'<td class="{f"{column} {look}".strip()}">{inner}</td>'


def _inner(cell: Cell) -> tuple[str, str]:
    """A cell as HTML, and its class."""
    if isinstance(cell, Linked):
        return link(cell), ""
    if isinstance(cell, Ladder):
        return _ladder(cell), ""
    if isinstance(cell, Track):
        return _track(cell.steps), ""
    if isinstance(cell, Spark):
        return _spark(cell), ""
    shown, look = (cell, "") if isinstance(cell, str) else cell
    return text(shown), _class(look)


def _ladder(of: Ladder) -> str:
    """Stop bar, entry ring, mark dot, target diamond, to scale; the stretch from entry to mark in the colour of its result."""
    end = of.target if of.target is not None else max(of.entry, of.mark, key=lambda price: abs(price - of.stop))
    if end == of.stop:
        return ""
    entry, mark = (min(100.0, max(0.0, 100 * (price - of.stop) / (end - of.stop))) for price in (of.entry, of.mark))
    look, low, long = ("up" if mark >= entry else "down"), min(entry, mark), abs(mark - entry)
    marks = f'<b class="{look}" style="left:{low:.1f}%;width:{long:.1f}%"></b><i class="s"></i>'
    marks += f'<i class="e" style="left:{entry:.1f}%"></i>'
    marks += f'<i class="m {look}" style="left:{mark:.1f}%"></i>' + ('<i class="g"></i>' if of.target is not None else "")
    return f'<span class="ladder" role="img" aria-label="{text(of.title)}" title="{text(of.title)}">{marks}</span>'


def _spark(of: Spark) -> str:
    """As an image, since st.html drops what is drawn inline; one colour that is read on both themes."""
    values = [float(value) for value in of.values if isinstance(value, int | float)]
    if len(values) < 2:
        return ""
    low, high = min(values), max(values)
    step, span = SPARK[0] / (len(values) - 1), (high - low) or 1.0
    points = " ".join(f"{n * step:.1f},{1 + (SPARK[1] - 2) * (high - value) / span:.1f}" for n, value in enumerate(values))
    drawn = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SPARK[0]} {SPARK[1]}">'
        f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="1.4"/></svg>'
    )
    return f'<img class="spark" alt="{text(of.title)}" title="{text(of.title)}" src="data:image/svg+xml,{quote(drawn)}">'


def _track(steps: Iterable[Step]) -> str:
    """Steps in a row that wraps; each says its why on hover."""
    shown = (
        f'<span title="{text(step.about)}"><b class="{_class(step.look)}">{text(step.sign)} {text(step.word, 60)}</b>'
        f"{f' <i>{text(step.at, 40)}</i>' if step.at else ''}</span>"
        for step in steps
    )
    return f'<span class="track">{"".join(shown)}</span>'


def track_line(steps: Iterable[Step]) -> None:
    """A line of steps by itself."""
    st.html(_track(steps))


class Gauge(NamedTuple):
    """How much of a limit is used: its name, value and limit in words, the share, and whether it is reached."""

    name: str
    value: str
    share: float
    full: bool = False


def gauges(items: Iterable[Gauge]) -> None:
    """Limits as bars; one that is reached is full and red, and says so."""
    rows = []
    for bar in items:
        look = "neg" if bar.full else ""
        width = 100.0 if bar.full else min(100.0, max(0.0, 100 * bar.share))
        rows.append(f'<div class="named"><span>{text(bar.name)}</span><span class="{look}">{text(bar.value)}</span></div>')
        rows.append(f'<div class="gauge"><i class="{"full" if bar.full else ""}" style="width:{width:.1f}%"></i></div>')
    st.html(f'<div class="gauges">{"".join(rows)}</div>')


class Line(NamedTuple):
    """A line of a list: its sign, what it says first, the rest, and where it leads."""

    sign: str
    strong: str
    rest: str = ""
    look: str = ""
    to: Linked | None = None


def listed(items: Iterable[Line]) -> None:
    """Lines with a sign each: what is loud is strong, what goes on by itself grey."""
    rows = []
    for one in items:
        look = _class(one.look)
        rest = f"<b>{text(typeset(one.strong))}</b> {text(typeset(one.rest))} {link(one.to) if one.to else ''}"
        rows.append(
            f'<div><span class="{look}">{text(one.sign)}</span><span class="{look if look == "mut" else ""}">{rest}</span></div>'
        )
    st.html(f'<div class="list">{"".join(rows)}</div>')


def pairs(items: Iterable[tuple[str, Cell]], *, said: bool = False) -> None:
    """Labels with their values; `said`: sentences, to the left."""
    lines = []
    for name, cell in items:
        inner, look = _inner(cell)
        lines.append(f'<span class="mut">{text(name)}</span><span class="{look}">{inner}</span>')
    st.html(f'<div class="kv{" said" if said else ""}">{"".join(lines)}</div>')


def _class(look: str) -> str:
    return look if look in CLASSES else ""


class Badge(NamedTuple):
    """A word of the head: text, why (on hover), class of its colour; `wide` is left out on a phone, `wider` below 1100 px."""

    text: str
    about: str = ""
    look: str = ""
    width: str = ""
    where: Mapping[str, str] | None = None
    more: str = ""  # words that a phone leaves out


def badges(mode: Badge, items: Iterable[Badge]) -> None:
    """The head's words: the mode framed, then the others in a row."""
    live = " live" if mode.look == "neg" else ""
    shown = [f'<span class="mode{live}" title="{text(mode.about)}">{text(mode.text, 20)}</span>', *map(_badge, items)]
    st.html(f'<div class="status">{"".join(shown)}</div>')


def _badge(badge: Badge) -> str:
    width = badge.width if badge.width in ("wide", "wider") else ""
    look = f"{_class(badge.look)} {width}".strip()
    inner = link(Linked(badge.text, badge.where, badge.look)) if badge.where else text(badge.text, 80)
    strong = f"<b>{inner}</b>" if badge.look else inner
    strong += f' <span class="wide">{text(badge.more, 40)}</span>' if badge.more else ""
    return f'<span class="{look}" title="{text(badge.about, 600)}">{strong}</span>'
