"""How a text file spells its lines and numbers -> the spelling that everything behind reads: UTF-8, line feeds, a decimal point.

Called by dialects/containers.py. Which of point, comma and apostrophe divides thousands is decided by numbers that can be read in
one way alone, for the whole file; where none can, or two contradict each other, the file is refused.
"""

import codecs
import re
from pathlib import Path

import polars as pl

from engine.errors import DataError

UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
NUMERIC = r"^\s*[-+]?\d[\d.,'\u00a0\u202f ]*$"  # a number with any marks in it
MARKED = r"[,'\u00a0\u202f]|\d \d"
COMMA = r"^\s*[-+]?([1-9]\d{0,2}((\.\d{3})+|([ '\u00a0\u202f]\d{3})+)|\d+),\d+\s*$"  # 95.000,5 and 0,5
POINT = r"^\s*[-+]?[1-9]\d{0,2}((,\d{3})+|([ '\u00a0\u202f]\d{3})+)(\.\d*)?\s*$"  # 95,000.5 and 95'000
EITHER = r"^\s*[-+]?[1-9]\d{0,2},\d{3}\s*$"  # 85,074
GROUPED = r"^\s*[-+]?[1-9]\d{0,2}(\.\d{3})+\s*$"  # 95.000 beside decimal commas
TWICE = r"^\s*[-+]?[1-9]\d{0,2}(\.\d{3}){2,}\s*$"  # 1.234.567
WHOLE = r"^\s*[-+]?\d+\s*$"
DECIMAL = r"^\s*[-+]?(\d+\.(\d{1,2}|\d{4,})|0\d*\.\d+|\d{4,}\.\d+)([eE][-+]?\d+)?\s*$"  # its point is a decimal one
ADVICE = "write numbers with a decimal point and nothing between thousands"


def utf8(content: bytes, path: Path) -> bytes:
    """The text as UTF-8 with line feeds and without a mark in front. DataError for another encoding."""
    try:
        if content.startswith(UTF16):
            content = content.decode("utf-16").encode()
        content = content.removeprefix(codecs.BOM_UTF8)
        codecs.getincrementaldecoder("utf-8")().decode(content[: 2**20])
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is not UTF-8 text (byte {error.start:,})", "save it as UTF-8") from error
    if b"\0" in content[:1_000]:
        raise DataError(f"{path} is not UTF-8 text (it has zero bytes: UTF-16 without its mark?)", "save it as UTF-8")
    return content.replace(b"\r", b"\n") if b"\n" not in content else content


def plain_numbers(table: pl.DataFrame, path: Path, mark: str = ",") -> tuple[pl.DataFrame, tuple[str, ...]]:
    """(the table with numbers that have a decimal point alone, a note where that was a choice). Times and names stay.

    `mark`: what stands between cells; between semicolons, as where a comma is decimal, a point may divide thousands.
    """
    if mark == ";":
        table, notes = _without_points(table, path)
        if notes:
            return table, notes
    marked = [name for name in table.columns if _marked(table[name])]
    if not marked:
        return table, ()
    comma, point, either = (_first(table, marked, form, but) for form, but in ((COMMA, EITHER), (POINT, EITHER), (EITHER, None)))
    if comma and point:
        raise DataError(f"{path} has numbers with a decimal comma ({comma!r}) and with another one ({point!r})", ADVICE)
    if not comma and not point:
        if either:
            where = f"{either!r} may be {either.replace(',', '.')} or {either.replace(',', '')}"
            raise DataError(f"{path}: every number of this kind can be read in two ways: {where}", ADVICE)
        return table, ()
    if comma:
        bare = [name for name in table.columns if name not in marked and _only(table[name], GROUPED)]
        if bare:
            what = (
                f"column {bare[0]} may have thousands ({_first(table, bare, GROUPED, None)!r}) beside decimal commas ({comma!r})"
            )
            raise DataError(f"{path}: {what}", ADVICE)
    change = [_with_point(pl.col(name), comma=bool(comma)).alias(name) for name in marked]
    note = f"numbers have a decimal comma, as in {comma}" if comma else f"thousands are divided, as in {point}"
    return table.with_columns(change), (note,)


def _without_points(table: pl.DataFrame, path: Path) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """(the table without points between thousands, a note) where a number has two of them, as 1.234.567; else as it is.

    Raises DataError where every number with a point has three digits behind it, and none says what the point is.
    """
    names = [n for n in table.columns if table.schema[n] == pl.String]
    grouped = [n for n in names if table[n].str.contains(GROUPED).any() and _only(table[n], f"{GROUPED}|{WHOLE}")]
    if not grouped or _first(table, names, DECIMAL, None) or _first(table, names, COMMA, EITHER):
        return table, ()
    twice = _first(table, grouped, TWICE, None)
    if not twice:
        one = _first(table, grouped, GROUPED, None)
        where = f"{one!r} may be {float(one):g} or {one.replace('.', '')}"
        raise DataError(f"{path}: every number with a point can be read in two ways: {where}", ADVICE)
    bare = [pl.col(n).str.replace_all(".", "", literal=True) for n in grouped]
    return table.with_columns(bare), (f"thousands are divided, as in {twice}",)


def _marked(column: pl.Series) -> bool:
    """Whether a column has numbers alone, and one of them a mark that is not a decimal point."""
    if column.dtype != pl.String or not column.str.contains(MARKED).any():
        return False
    return bool((column.str.contains(NUMERIC) | (column.str.strip_chars() == "")).fill_null(value=True).all())


def _only(column: pl.Series, form: str) -> bool:
    """Whether a column has cells of one form alone."""
    cells = column.drop_nulls() if column.dtype == pl.String else column.clear()
    return bool(cells.len()) and bool(cells.str.contains(form).all())


def _first(table: pl.DataFrame, names: list[str], form: str, but: str | None) -> str:
    """The first cell of a form, and not of the other; empty without one."""
    for name in names:
        fits = table[name].str.contains(form)
        if but is not None:
            fits &= ~table[name].str.contains(but)
        places = fits.fill_null(value=False).arg_true()
        if places.len():
            return str(table[name][int(places[0])]).strip()
    return ""


def _with_point(cell: pl.Expr, *, comma: bool) -> pl.Expr:
    """A cell without what divides thousands, its decimal mark a point."""
    bare = cell.str.replace_all("['\u00a0\u202f ]", "")
    if comma:
        return bare.str.replace_all(".", "", literal=True).str.replace(",", ".", literal=True)
    return bare.str.replace_all(",", "", literal=True)


def one_header(table: pl.DataFrame) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """The table without the second and third line of yfinance's header (Price, Ticker, Date), with a note."""
    first = table.columns[0]
    heads = [str(cell or "").strip().lower() for cell in table[first][:2]]
    if first.strip().lower() != "price" or heads[:1] != ["ticker"]:
        return table, ()
    more = 2 if heads[1:] in (["date"], ["datetime"]) else 1
    return table[more:].rename({first: heads[1] if more == 2 else "date"}), (
        f"a header of {more + 1} lines, as yfinance writes it",
    )


def refuse_lost_header(lines: list[str], skip: int, mark: str, path: Path) -> None:
    """Raise DataError when the line above rows without a header is one, with another number of names: a decimal comma."""
    above = lines[skip - 1].split(mark) if skip else []
    if len(above) > 2 and not any(re.search(r"\d", cell) for cell in above):
        rows = len(re.sub(r'"[^"]*"', "", lines[skip]).split(mark))
        where = "a decimal comma, or one in a date, between commas?"
        what = f"the header has {len(above)} names, the rows have {rows} cells: {where}"
        raise DataError(f"{path}: {what}", ADVICE)
