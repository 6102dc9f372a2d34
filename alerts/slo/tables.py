"""The table of counts in `<data>/alerts.sqlite`: one row an hour of an SLO. It can be emptied at any time: it is counted again."""

from typing import Final

from sqlalchemy import Column, Integer, Table, Text

from alerts.tables import METADATA, Time

HOURS: Final = Table(
    "slo_hours",
    METADATA,
    Column("slo", Text, primary_key=True),  # digest of its queries, parameters and lookback
    Column("hour", Integer, primary_key=True),  # since 1970
    Column("counted_at", Time, nullable=False),  # the lake was read as of this time
    Column("through", Integer, nullable=False),  # minutes of the hour that were over then
    Column("counts", Text, nullable=False),  # JSON: [[labels, {minute: [bad, total]}], …]
)
