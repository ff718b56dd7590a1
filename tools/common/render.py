"""Makes untrusted text safe to show, and formats facts. Called by agents, by app/cli and by app/mcp: whoever hands text out.

`safe` turns untrusted markdown into markdown that fetches nothing and links nowhere else: no images, no raw HTML, no address
that a page would make a link, links to ids of this thread only, no control or direction-changing characters.
`value_text` turns a fact into value and unit; `markdown_table` renders a table.
"""

import re
from collections.abc import Callable, Collection, Mapping

from engine.clock import DAY_MS, HOUR_MS, MINUTE_MS, utc
from tools.common.contract import Evidence, Fact, Table, Value, clean

OWN = ("run", "event", "proposal", "config", "page", "job", "thread", "alert")  # kinds of evidence that a link may lead to

_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010fffd]")  # grounding's own place marks may not come from outside
_TARGET = re.compile(rf"\]\((?:{'|'.join(OWN)}):([\w.-]+)\)")
_ADDRESS = re.compile(r"(?i)(?<=\w):(?=//)|(?<=\bwww)\.|(?<=\bjavascript):|(?<=\bmailto):|(?<=\bdata):(?=\w+/)")
_LINE_ENDS = re.compile(r"\r\n?|[\u0085\u2028\u2029\v\f]")
UNCHECKED = ("\u27e6", "\u27e7")  # around the words of a model that nothing proves; a model cannot write them itself
UNCHECKED_LEGEND = "the model's own words; nothing in this thread proves them, and no figure in them was checked."
ANSWER_MAX = 20_000  # characters of one answer


def safe(text: str, own_ids: Collection[str] = ()) -> str:
    """Untrusted markdown made harmless; a link survives only as `[words](kind:id)` with an id of `own_ids`."""
    text = _PRIVATE.sub("", clean(_LINE_ENDS.sub("\n", text), ANSWER_MAX))
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        if found[1] not in own_ids:
            return found[0]
        kept.append(found[0])
        return "\ue000"

    text = _TARGET.sub(keep, text)
    text = re.sub("[\u27e6\u27e7]", "", text)
    text = re.sub(r"~{2,}", "", text)  # striking out is ours: a model's own marks would turn ours inside out
    text = re.sub(r"(?<!!)!++\[", "[", text)
    text = text.replace("](", "] (").replace("][", "] [").replace("]:", "] :")
    text = re.sub(r"<(?=[A-Za-z/!?])", "&lt;", text)
    text = _ADDRESS.sub(lambda found: found[0] + " ", text)
    for target in kept:
        text = text.replace("\ue000", target, 1)
    return text


def one_line(text: object, length: int = 300) -> str:
    """Outside text for one line of a terminal or a table cell: no line breaks, no control characters, not too long."""
    return clean(" ".join(str(text).split()), length)


def cell(text: str) -> str:
    """Text inside a markdown table: a bar would end the cell."""
    return one_line(text).replace("|", "\\|")


# --------------------------------------------------------------------------- facts


def _money(value: float) -> str:
    return f"{value:,.2f} USDT"


def _price(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= 100 else f"{value:.6g}"


def _percent(value: float) -> str:
    part = value * 100
    return f"{part:,.2f} %" if abs(part) >= 0.1 or part == 0 else f"{part:.4f} %"


def _ratio(value: float) -> str:
    return f"{value:,.2f}" if abs(value) >= 0.1 or value == 0 else f"{value:.4f}"


def _count(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def duration(ms: float) -> str:
    """A length of time in its two largest units: `2 h 15 min`."""
    left, parts = abs(ms), []
    for size, name in ((DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "min"), (1000, "s")):
        whole, left = divmod(left, size)
        if whole:
            parts.append(f"{whole:.0f} {name}")
    return ("-" if ms < 0 else "") + (" ".join(parts[:2]) or f"{left:.0f} ms")


_UNIT_TEXT: Mapping[str, Callable[[float], str]] = {
    "frac": _percent,
    "usd": _money,
    "price": _price,
    "bps": lambda value: f"{value:,.2f} bps",
    "ratio": _ratio,
    "bars": lambda value: f"{_count(value)} bars",
    "count": _count,
    "base": lambda value: f"{value:.8g}",
    "days": lambda value: f"{value:,.4g} days",
    "ms": utc,
    "duration_ms": duration,
}


def value_text(fact: Fact) -> str:
    """A fact's value and unit; `n/a` without a value; words cleaned."""
    if fact.value is None:
        return "n/a"
    if isinstance(fact.value, bool):
        return "yes" if fact.value else "no"
    if isinstance(fact.value, str) or fact.unit not in _UNIT_TEXT:
        return safe(cell(str(fact.value)))
    return _UNIT_TEXT[fact.unit](float(fact.value))


def link(words: str, evidence: Evidence) -> str:
    """`words` as a link to our own evidence; plain words for what no page shows (a calculation, the desk)."""
    return f"[{words}]({evidence.kind}:{evidence.id})" if evidence.kind in OWN else words


def _cell_text(value: Value) -> str:
    if value is None:
        return "n/a"
    return cell(value) if isinstance(value, str) else str(value)


def markdown_table(made: Table) -> str:
    """A tool's table as markdown; references in its cells stay references for grounding to render."""
    head = "| " + " | ".join(cell(name) for name in made.columns) + " |"
    rule = "|" + "---|" * len(made.columns)
    rows = ("| " + " | ".join(_cell_text(value) for value in row) + " |" for row in made.rows)
    return "\n".join((head, rule, *rows))


def unlinked(markdown: str) -> tuple[str, list[str]]:
    """For a terminal: own links reduced to their words, and the `kind id` of each, in order, once."""
    named: list[str] = []

    def reduce(found: re.Match[str]) -> str:
        name = f"{found[2]} {found[3]}"
        if name not in named and found[1] != found[3]:
            named.append(name)
        return found[1]

    return re.sub(rf"\[([^\]\n]{{0,500}})\]\(({'|'.join(OWN)}):([\w.-]+)\)", reduce, markdown), named
