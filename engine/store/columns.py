"""Columns that every table of the database uses. Imported by tables.py and research_tables.py."""

from sqlalchemy import BigInteger, Column, Text


def ms_column(*, nullable: bool = False, index: bool = False) -> Column[int]:
    """A column of UTC milliseconds: 64 bits also on PostgreSQL, whose INTEGER has 32."""
    return Column(BigInteger, nullable=nullable, index=index)


def json_column(default: str = "{}") -> Column[str]:
    """A column of JSON text, of any length."""
    return Column(Text, nullable=False, server_default=default)
