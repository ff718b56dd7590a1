"""An answer's text in the order people read it: verdicts, what follows, tables, then notes and next steps. Called by answer.py.

Turns the markdown of an answer into its parts; nothing is added but for the sentence that a table's verdict makes, nothing left
out. What is not recognised stays where it was. The parts are still outside text: they pass safe.markdown before they are shown.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

NOTES = ("Note: ", "Left out ", "Interval: ", "Desk time ", "Row 0 is ")
STOPPED = "Stopped by "
NEXT = "Next: "
READ_AS, STAMP = "*Read as: ", "*desk time "
_SENTENCE = re.compile(
    r"(?<=[.!?])\s+(?=[A-Z*\[`\u27e6])|(?<=[.!?]\u27e7)\s+(?=[A-Z*\[`\u27e6])|(?<=[.!?])\s+(?=[a-z_]+ [\d.]+: )"
)
IDENTICAL = re.compile(r"Left out as identical to row 0(?: or another row)?: (\w+) (-?\d+(?:\.\d+)?)\.(?=\s|$)")
LIVE = re.compile(r"live configuration \((v\d{1,6})\)")
_BASE = re.compile(r"\brow 0\b")
_CODE = re.compile(r"`([^`\n]{1,300})`")
_OTHER = re.compile(r"^\s*([-*+] |\d{1,3}[.)] |>|#|```|    )")
_MARKED = re.compile(r"\u27e6([^\n\u27e6\u27e7]+)\u27e7")  # a run of sentences that nothing proves: each gets its own mark
RUN = re.compile(r"r-\d{8}-[0-9a-f]{6,12}")


METRICS = {  # names that tools use for their figures, in the words of the page
    "win_frac": "won",
    "mean_r": "mean R",
    "median_hold_ms": "median time",
    "total_return_frac": "return",
    "optimistic_return_frac": "return, optimistic fills",
    "cagr_frac": "return a year",
    "max_drawdown_frac": "max drawdown",
    "max_drawdown": "max drawdown in money",
    "exposure_frac": "exposure, of the bars",
    "net_profit": "net profit",
    "win_rate": "win rate",
    "open_trades": "open trips",
    "sharpe_low": "Sharpe, interval from",
    "sharpe_high": "Sharpe, interval to",
    "recovery_factor": "recovery factor",
    "sharpe_adjusted": "Sharpe, autocorrelation-adjusted",
    "var_95_frac": "value at risk a day, 95 %",
    "es_95_frac": "expected shortfall a day, 95 %",
    "worst_day_frac": "worst day",
    "under_water_frac": "time under water",
    "under_water_days": "longest time under water",
    "ambiguous_bars": "ambiguous bars",
    "traded_days": "days traded",
    "today_r": "today, R",
    "today_trips": "trips today",
    "d7": "7 days",
    "d7_r": "7 days, R",
    "d7_trips": "trips of 7 days",
    "d30": "30 days",
    "d30_r": "30 days, R",
    "d30_trips": "trips of 30 days",
    "entry_ms": "in, UTC",
    "exit_ms": "out, UTC",
}
HEADS = {"r": "R", "reason": "exit", "sharpe": "Sharpe"}  # words that mean so in the head of a table alone
UNIT = re.compile(r"^[-\u2212+]?[\d,.]+ (USDT|USD|bps|R)$")
UNKNOWN = ("", "-", "n/a")
_METRIC = re.compile(rf"`[^`\n]*`|(?<![\w.])({'|'.join(METRICS)})(?!\w)")  # not in code


class Reading(NamedTuple):
    """The parts of an answer, markdown each; `steps` are questions to ask next, `names` what a run is called in the answer."""

    verdicts: tuple[str, ...]
    blocks: tuple[str, ...]
    notes: tuple[str, ...]
    steps: tuple[str, ...]
    foot: tuple[str, ...]
    names: dict[str, str]


def in_words(text: str) -> str:
    """The names of figures in the page's words; code stays as it is."""
    return _METRIC.sub(lambda found: METRICS[found[1]] if found[1] else found[0], text)


def read(text: str) -> Reading:
    """The parts of an answer."""
    text = _MARKED.sub(lambda found: " ".join(f"\u27e6{one}\u27e7" for one in sentences(found[1])), in_words(text))
    found = [block.strip("\n") for block in re.split(r"\n\s*\n", text.replace("\r\n", "\n")) if block.strip()]
    verdicts, blocks, notes, steps, foot = ([] for _ in range(5))  # type: list[str], list[str], list[str], list[str], list[str]
    names: dict[str, str] = {}
    for n, block in enumerate(found):
        if block.startswith((READ_AS, STAMP)):
            foot.append(block)
        elif block.startswith(NEXT):
            steps += _CODE.findall(block)
            notes.append(block)
        elif is_table(block):
            shown = _headed(block)
            rows = _by_value(cells_of(shown), text)
            said, turned = compared(rows)
            if said:  # turned, the table has no row 0 to look at
                verdicts[:], blocks[:] = (_of_base(lines, rows) for lines in (verdicts, blocks))
            verdicts += [line for line, row in zip(said, rows[2:], strict=False) if not _is_said(row, rows[0], verdicts)]
            names |= named(rows)
            blocks.append(turned or shown)
        elif _OTHER.match(block) or "\n" in block:
            blocks.append(block)
        else:
            begins = n == 0 or (n + 1 < len(found) and is_table(found[n - 1]) and is_table(found[n + 1]))
            lead = begins or not (verdicts or blocks)  # a further paragraph keeps its sentences together
            comparison = n + 1 < len(found) and is_table(found[n + 1]) and bool(compared(cells_of(found[n + 1]))[0])
            first, rest, aside = _sorted(sentences(block), lead=lead and not comparison)
            verdicts += first
            blocks += [" ".join(rest)] if rest else []
            notes += aside
    return Reading(tuple(verdicts), tuple(blocks), tuple(notes), tuple(steps), tuple(foot), names)


def _sorted(found: Sequence[str], *, lead: bool) -> tuple[list[str], list[str], list[str]]:
    """(the verdict, what follows it, notes) of a paragraph's sentences; one without a verdict keeps its order."""
    aside, kept = list[str](), list[str]()
    for sentence in found:
        noted = sentence.startswith(NOTES) or (sentence.startswith(STOPPED) and bool(aside) and aside[-1].startswith(NOTES[-1]))
        (aside if noted else kept).append(sentence)
    return (kept[:1], kept[1:], aside) if lead else ([], kept, aside)


def sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph; none ends inside a link, code or bold."""
    found: list[str] = []
    for piece in _SENTENCE.split(paragraph.strip()):
        whole = not found or all(found[-1].count(a) == found[-1].count(b) for a, b in ("[]", "()"))
        even = not found or (found[-1].count("`") % 2 == 0 and found[-1].count("**") % 2 == 0)
        if found and not (whole and even):
            found[-1] += f" {piece}"
        else:
            found.append(piece)
    return found


def _headed(block: str) -> str:
    """A table with the page's words as heads, and a unit that every figure of a column has once, in its head."""
    heads, *rows = cells_of(block)
    if any(len(row) != len(heads) for row in rows):
        return block
    heads = [HEADS.get(head, head) for head in heads]
    for n, column in enumerate(zip(*rows, strict=True)):
        units = {found[1] if (found := UNIT.match(cell)) else None for cell in column if cell not in UNKNOWN}
        if len(units) == 1 and (unit := units.pop()):
            heads[n] = f"{heads[n]}, {unit}"
            rows = [[*row[:n], row[n].removesuffix(f" {unit}"), *row[n + 1 :]] for row in rows]
    return "\n".join([_line(heads), "|" + "---|" * len(heads), *map(_line, rows)])


def is_table(block: str) -> bool:
    """Whether every line is a row."""
    lines = block.split("\n")
    return len(lines) > 2 and all(line.lstrip().startswith("|") for line in lines)


def cells_of(block: str) -> list[list[str]]:
    """The rows of a table, its head first."""
    lines = [line.strip() for line in block.split("\n") if not re.fullmatch(r"\|?[\s:|-]+\|?", line.strip())]
    return [[part.strip() for part in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def compared(rows: Sequence[Sequence[str]]) -> tuple[list[str], str]:
    """Of a comparison (a column of configurations, one of verdicts): its verdicts as sentences, and the table with the
    configurations as heads, how long each traded first. Nothing of another table."""
    heads = list(rows[0])
    if not {"configuration", "verdict"} <= set(heads) or any(len(row) != len(heads) for row in rows) or len(rows) < 3:
        return [], ""
    at = heads.index("configuration")
    base, *others = rows[1:]
    said = [_verdict(row[at], row[heads.index("verdict")], base[at]) for row in others]
    order = sorted(
        (n for n, head in enumerate(heads) if n != at and head != "#"), key=lambda n: (heads[n] != "traded", heads[n] == "run")
    )
    rows = [rows[0], [_BASE.sub("-", cell) for cell in base], *others]
    lines = [["", *(row[at] for row in rows[1:])], *([heads[n], *(_loud(heads[n], row[n]) for row in rows[1:])] for n in order)]
    return said, "\n".join([_line(lines[0]), "|" + "---|" * len(lines[0]), *map(_line, lines[1:])])


def _by_value(rows: list[list[str]], text: str) -> list[list[str]]:
    """A comparison whose first configuration is what runs now, and of which the answer says to which value that is identical,
    with that value in its name: `stop_atr 2 (live, v1)` beside `stop_atr 3`. The others differ in the same setting alone, so that
    none of them is identical."""
    heads, same = rows[0], IDENTICAL.findall(text)
    if "configuration" not in heads or len(same) != 1 or len(rows) < 3 or any(len(row) != len(heads) for row in rows):
        return rows
    at, (key, value) = heads.index("configuration"), same[0]
    others = [row[at].rpartition(" ") for row in rows[2:]]
    live = LIVE.fullmatch(rows[1][at])
    if not live or any(name != key or other == value for name, _, other in others):
        return rows
    base = [*rows[1][:at], f"{key} {value} (live, {live[1]})", *rows[1][at + 1 :]]
    return [heads, base, *rows[2:]]


def _of_base(lines: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Sentences about a comparison with the name of its first configuration in place of `row 0`."""
    base = rows[1][list(rows[0]).index("configuration")]
    return [_BASE.sub(lambda _: base, line) for line in lines]


def _verdict(name: str, verdict: str, base: str) -> str:
    """`stop_atr 3 cannot be told apart from live configuration (v1).`"""
    if verdict in ("better", "worse"):
        return f"{name} is {verdict} than {base}."
    return f"{name} cannot be told apart from {base}." if verdict == "cannot be told apart" else f"{name}: {verdict}."


def _is_said(row: Sequence[str], heads: Sequence[str], verdicts: Sequence[str]) -> bool:
    """Whether the answer itself says of this configuration (`stop_atr=4`) what its table does."""
    name, verdict = (row[list(heads).index(head)] for head in ("configuration", "verdict"))
    return any(f" {name} " in f" {line.replace('=', ' ')} " and verdict in line for line in verdicts)


def _loud(head: str, cell: str) -> str:
    """A run that ended early carries its sign."""
    return f"▲ {cell}" if head == "traded" and "stopped" in cell else cell


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def named(rows: Sequence[Sequence[str]]) -> dict[str, str]:
    """What the runs of a comparison are called."""
    heads = list(rows[0])
    if not {"configuration", "run"} <= set(heads):
        return {}
    pairs = [(row[heads.index("run")], row[heads.index("configuration")]) for row in rows[1:] if len(row) == len(heads)]
    return {found[0]: name for run, name in pairs if (found := RUN.search(run))}
