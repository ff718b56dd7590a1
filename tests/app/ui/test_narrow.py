"""Tables of answers on a phone: what fits stays as it is, what does not is two columns with every figure still in it."""

from app.ui import narrow, reading, safe

HEADS = "| venue | symbol | market | series | tag | source | rows | first | last |\n" + "|---" * 9 + "|\n"
LINE = "| synthetic | {}-USDT | perp | {} | - | synthetic | 7,200 | 2025-01-0{} 00:00Z | 2025-03-16 23:45Z |"
SERIES = HEADS + "\n".join(
    LINE.format(c, series, n) for n, c in enumerate(("BTC", "ETH", "SOL"), 1) for series in ("15m", "funding")
)
TRIPS = """| trip | side | net, USDT | r |
|---|---|---|---|
| t1 | long | -39.41 | -1.06 |
| t2 | short | -33.60 | -0.80 |"""
SMALL = """| exit | trips | net |
|---|---|---|
| stop | 3 | -19.00 |"""
PNL = """| day | strategy | realised, USDT | fees, USDT | note |
|---|---|---|---|---|
| 2025-01-01 | trend | [-12.5](run:r-20260101-1a2b3c4d) | 1.25 | - |
| 2025-01-02 | trend | 3.5 | 0.75 | stopped |"""


def test_a_small_table_fits_and_a_wide_one_does_not() -> None:
    """By its longest words; one that is turned is measured as it is shown."""
    assert narrow.fits(reading.cells_of(SMALL))
    assert not narrow.fits(reading.cells_of(SERIES))
    runs = [["", "stop 2", "stop 3", "stop 4"], ["run", *(f"r-20261129-7d74ba4{n}" for n in range(3))]] + [
        ["trips", "1", "2", "3"]
    ] * 6
    assert not narrow.fits(runs), "an id does not break"
    many = [[f"figure {n}" for n in range(12)], [str(n) for n in range(12)]]
    assert safe.turns(many)
    assert narrow.fits(many)


def test_a_row_is_named_by_what_sets_it_apart() -> None:
    """What all rows have alike is said once, a dash not at all; figures keep their heads."""
    shown = safe.markdown(narrow.table(reading.cells_of(SERIES)))
    first, *lines = filter(None, shown.split("\n"))
    alike = (
        "venue\u00a0synthetic",
        "market\u00a0perp",
        "source\u00a0synthetic",
        "rows\u00a07,200",
        "last\u00a016 Mar 2025 23:45Z",
    )
    assert first.replace("\\", "").replace("\u2060", "") == f"Every row: {' · '.join(alike)}"
    assert lines[:2] == ["| symbol, series |   |", "|---|---|"]
    assert lines[2].replace("\\", "").replace("\u2060", "") == "| BTC-USDT · 15m | first\u00a01 Jan 2025 00:00Z |"
    assert len(lines) == 2 + 6


def test_a_unit_goes_back_to_its_figure_and_links_stay() -> None:
    """`fees 1.25 USDT`; a receipt's link is still one, a minus a real one."""
    first, second = safe.markdown(narrow.table(reading.cells_of(PNL))).split("\n")[-2:]
    assert "realised\u00a0[\u221212\\.5](?tab=runs&run=r-20260101-1a2b3c4d)\u00a0USDT · fees\u00a01\\.25\u00a0USDT |" in first
    assert second.endswith("fees\u00a00\\.75\u00a0USDT · note\u00a0stopped |")
    assert first.startswith("| 2025\\-01\\-01 |")


def test_what_people_look_for_keeps_a_column() -> None:
    """The net of a round trip is read down the page, the rest beside it."""
    lines = narrow.table(reading.cells_of(TRIPS)).split("\n")
    assert lines[0] == "| trip | net, USDT |  |"
    assert lines[2] == "| t1 | -39.41 | side\u00a0long · r\u00a0-1.06 |"


def test_a_comparison_has_a_row_for_each_configuration() -> None:
    """What stood on its side is turned back; each of them is named once, and keeps its return in sight."""
    rows = [
        ["", "stop 2", "stop 3", "stop 4"],
        ["traded", "all", "all", "all"],
        ["return", "1 %", "2 %", "3 %"],
        ["trips", "7", "8", "9"],
    ]
    first, *lines = filter(None, safe.markdown(narrow.table(rows)).split("\n"))
    assert first == "Every row: traded\u00a0all"
    assert lines[0] == "| what | return |   |"
    assert lines[2] == "| stop 2 | 1\u202f% | trips\u00a07 |"
    assert len(lines) == 2 + 3


def test_one_row_and_rows_that_nothing_tells_apart_are_shown_whole() -> None:
    """A single row has no column alike; two equal ones neither lose a column nor fail."""
    one = narrow.table([["a", "b"], ["1", "2"]])
    assert one.split("\n") == ["| a |  |", "| --- | --- |", "| 1 | b\u00a02 |"]
    assert narrow.table([["a", "b"], ["1", "2"], ["1", "2"]]).startswith("Every row: a\u00a01 · b\u00a02")
    assert narrow.table([["a", "b"]]) == "| a |  |\n| --- | --- |"
