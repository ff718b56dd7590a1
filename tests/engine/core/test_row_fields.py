"""What a writer of rows puts in is what every reader takes out, under the field's name."""

import pytest

from engine.core import rows, state
from engine.core.compiled import to_records
from engine.core.kernel import ROW_VIEW
from engine.core.row_fields import (
    COLUMN_OF,
    KIND_OF,
    BreakerRow,
    CapsRow,
    DecisionRow,
    Fields,
    FillRow,
    FundingRow,
    SizeRow,
    decode,
)
from engine.core.state import CAPS, KINDS, NO_LAYER, NO_ORDER, Bar, Decision, Fill, Position, Row, Signal, Size
from engine.sim import trips

LAYER = NO_LAYER._replace(lots=50, entry=100.0, stop=96.5, target=108.5)
POSITION = Position(-1, 1, 7, 99.0, 0.0, 2.0, 100.0, 9_000.0, 40.0, (LAYER, *[NO_LAYER] * 4))
START = state.start(10_000.0)
OPEN = START._replace(
    position=POSITION, order=NO_ORDER._replace(key=12, side=1), ledger=START.ledger._replace(cash=9_100.0, equity=9_200.5)
)
FLAT_AFTER = OPEN._replace(position=state.FLAT)
BAR = Bar(900_000, 100.0, 102.0, 98.0, 101.5, 40.0, 0.0001, 101.25)
SIGNAL = Signal(-1, 0.625, 2.0, 0.5, 0.0, 0.0, 0.0, 0, 1)
SIZE = Size(33, 0.75, state.CAP_NOTIONAL, 0.0025, 1.1, 2.2, 3.3, 4.4, 5.5)
REFUSED = Decision(state.REFUSED, state.R_GROSS, 101.75, 4.25, 8.25, SIZE, 1)
FILL = Fill(state.TARGET_SLOT, 1, 300, 12, 2, 50, 108.5, 0.31, 1, state.TARGET, 108.25, 900_000)

CASES: list[tuple[Row, int, Fields]] = [
    (
        rows.decision_row(3, OPEN, BAR, SIGNAL, REFUSED, -50),
        3,
        DecisionRow(state.REFUSED, state.R_GROSS, -1, 1, 12, -50, 101.5, 0.625, 9_200.5, 96.5, 108.5),
    ),
    (
        rows.size_row(3, OPEN, BAR, SIGNAL, REFUSED),
        3,
        SizeRow(state.REFUSED, state.R_GROSS, -1, 1, state.CAP_NOTIONAL, 12, 33, 101.75, 0.0025, 0.75, 4.25, 8.25),
    ),
    (rows.caps_row(3, BAR, REFUSED), 3, CapsRow(1.1, 2.2, 3.3, 4.4, 5.5)),
    (
        rows.fill_row(3, OPEN, FLAT_AFTER, FILL),
        3,
        FillRow(state.TARGET_SLOT, state.TARGET, 1, 2, 1, 1, 300, 12, 50, 108.5, 0.31, 9_100.0, 108.25, 100.0),
    ),
    (rows.funding_row(3, OPEN, 101.25, 0.0001, -900.0, 900_000), 3, FundingRow(-1, -50, 101.25, -900.0, 9_100.0, 0.0001)),
    (
        rows.breaker_row(state.DESK_ROW, state.DESK_DRAWDOWN, 900_000, 850.0, 0),
        state.DESK_ROW,
        BreakerRow(state.DESK_DRAWDOWN, 850.0, 0.0),
    ),
]
IDS = [type(fields).__name__ for _, _, fields in CASES]


@pytest.mark.parametrize(("row", "sleeve", "fields"), CASES, ids=IDS)
def test_each_writer_is_read_back_by_name(row: Row, sleeve: int, fields: Fields) -> None:
    """The journal's reader finds every number of every kind where the writer put it."""
    assert decode(row) == (sleeve, fields)


@pytest.mark.parametrize(("row", "sleeve", "fields"), CASES, ids=IDS)
def test_a_frame_of_rows_says_the_same(row: Row, sleeve: int, fields: Fields) -> None:
    """The backtest's reader finds the same numbers by the same names; a frame holds neither leg, pair nor key."""
    frame = trips.frame_of(to_records([row], Row).view(ROW_VIEW))
    kind = type(fields)
    named = {name: value for name, value in fields._asdict().items() if COLUMN_OF[kind][name] in frame.columns}
    found = trips.only(frame, kind).select("sleeve", *(trips.field(kind, name) for name in named))
    assert found.to_dicts() == [{"sleeve": sleeve, **named}]


def test_every_kind_has_its_fields_and_no_column_means_two_things() -> None:
    """The kinds of state.KINDS, each once; within a kind a column has one name."""
    assert sorted(KIND_OF.values()) == list(range(1, len(KINDS)))
    for kind, columns in COLUMN_OF.items():
        assert len(set(columns.values())) == len(columns), kind
    assert (
        len(CapsRow._fields) == len(CAPS) - 2
    )  # all but the fixed quantity and the size that a strategy says, which are none of the rules
