"""Tables of the trial ledger: every variation of a hypothesis that was ever run, once. Part of tables.py's database.

Written and read through engine/store/trials.py.
"""

from sqlalchemy import Column, Index, Text
from sqlmodel import Field, SQLModel

from engine.store.columns import json_column, ms_column


class CodeFamily(SQLModel, table=True):
    """Which hypothesis a strategy's code belongs to: the strategy that the same code, but for names and constants, was first run
    as."""

    __tablename__ = "code_families"
    fingerprint: str = Field(primary_key=True)  # engine.research.family.fingerprint
    strategy: str = Field(primary_key=True)  # the name it was run under
    family: str
    created_ms: int = Field(sa_column=ms_column())


class Trial(SQLModel, table=True):
    """One distinct set of parameters, span, costs and code of a hypothesis. A rerun is the same trial."""

    __tablename__ = "trials"
    __table_args__ = (Index("one_number_a_hypothesis", "hypothesis", "number", unique=True),)
    id: str = Field(primary_key=True)
    hypothesis: str = Field(index=True)  # engine.research.family.Hypothesis.name
    number: int  # its place among the trials of the hypothesis, from 1
    strategy: str
    setting: str = Field(index=True)  # hash of everything but the parameters: trials of one setting can be compared
    cache_key: str  # of data, configuration, code and versions: what its figures were computed from
    source: str  # command | chat | notebook | sweep | walkforward | judge | api
    sweep: str | None = Field(default=None, index=True)  # of a sweep: which
    run_id: str | None = None
    params: str = Field(default="{}", sa_column=json_column())
    first_ms: int = Field(sa_column=ms_column())  # of the span, bar opens
    last_ms: int = Field(sa_column=ms_column())
    sharpe: float | None = None  # a year
    total_return_frac: float
    max_drawdown_frac: float
    trips: int
    days: int  # daily returns in `daily`
    daily_from_ms: int = Field(sa_column=ms_column())  # the midnight before the first of them
    daily: str = Field(default="", sa_column=Column(Text, nullable=False))  # float32, little endian, base64
    created_ms: int = Field(sa_column=ms_column(index=True))
    body: str = Field(default="{}", sa_column=json_column())
