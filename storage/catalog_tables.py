"""The tables of the catalog. Columns are only added; a change that older software cannot read raises `CATALOG_SCHEMA_VERSION`."""

from typing import Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, Table, Text

CATALOG_SCHEMA_VERSION: Final = 1
METADATA: Final = MetaData()

META: Final = Table("meta", METADATA, Column("key", Text, primary_key=True), Column("value", BigInteger, nullable=False))

FILES: Final = Table(
    "files",
    METADATA,
    Column("path", Text, primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("date", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("level", Integer, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("min_ns", BigInteger, nullable=False),
    Column("max_ns", BigInteger, nullable=False),
    Column("min_entry", BigInteger, nullable=False),
    Column("max_entry", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("sealed_ns", BigInteger, nullable=False),
    Column("retired_ns", BigInteger),
    Column("damaged", Text),
    Index("files_by_time", "table_name", "retired_ns", "max_ns"),
)

ENTRIES: Final = Table(
    "entries",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    Column("sealed_ns", BigInteger, nullable=False),
    Column("first_received_ns", BigInteger),
    Column("last_received_ns", BigInteger),
    Column("received", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),
    Column("rejected", BigInteger, nullable=False),
    Column("deduplicated", BigInteger, nullable=False),
    Column("quarantined", BigInteger, nullable=False),
    Column("withheld", BigInteger, nullable=False),
    Column("own", BigInteger, nullable=False),
    Column("bytes", BigInteger, nullable=False),
    Column("policy_hash", Text, nullable=False),
    Column("descriptor", Text, nullable=False),
    Index("entries_by_time", "sealed_ns"),
)

DELIVERIES: Final = Table(
    "deliveries",
    METADATA,
    Column("digest", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("entry", BigInteger, primary_key=True),
    Column("received_ns", BigInteger, nullable=False),
    Column("copy", Integer, nullable=False),  # 1: another delivery of the same request counts
    Index("deliveries_by_time", "received_ns"),
)

TRACE_RUNS: Final = Table(
    "trace_runs",
    METADATA,
    Column("trace_id", Text, primary_key=True),
    Column("run_id", Text),  # NULL: it was taken out of the run again
    Column("changed", BigInteger, nullable=False),  # the catalog's version that said so first: readers fetch what is newer
    Index("trace_runs_by_change", "changed"),
    Index("trace_runs_by_run", "run_id"),
)

RUNS: Final = Table(
    "runs",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("first_ns", BigInteger, nullable=False),
    Column("last_ns", BigInteger, nullable=False),
    Index("runs_by_time", "last_ns"),
)

JOINS: Final = Table(
    "joins",
    METADATA,
    Column("trace_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("ns", BigInteger, nullable=False),
    Index("joins_by_key", "key"),
)

LOG: Final = Table(  # what the ledger's logs hold, in order: an entry is written here in the transaction that makes it true
    "log",
    METADATA,
    Column("origin", Text, primary_key=True),
    Column("idx", BigInteger, primary_key=True),  # from 0, without gaps
    Column("kind", Text, nullable=False),  # segment | erasure | expiry | key
    Column("entry", BigInteger),  # of a segment: its number
    Column("body", Text, nullable=False),  # the entry as the log has it; emptied when the log has had it for long
    Index("log_by_entry", "origin", "entry"),
)

HOLDS: Final = Table(
    "holds",
    METADATA,
    Column("id", Text, primary_key=True),
    Column("created_ns", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("reason", Text, nullable=False),  # as the policy cleaned it
    Column("selector", Text, nullable=False),  # JSON: which rows must stay
    Column("released_ns", BigInteger),
    Column("released_by", Text),
    Column("release_reason", Text),
)

ORDERS: Final = Table(  # erasures and expiries: what was taken out of the lake, by whom and why
    "orders",
    METADATA,
    Column("id", Text, primary_key=True),  # uuid
    Column("kind", Text, nullable=False),  # erasure | expiry
    Column("at_ns", BigInteger, nullable=False),
    Column("subject", Text, nullable=False),  # of an erasure: actor | run | tenant, not whom; of an expiry: the rules
    Column("fingerprint", Text, nullable=False),  # keyed: recognises the same order when it is given again
    Column("reason", Text, nullable=False),
    Column("ordered_by", Text, nullable=False),
    Column("state", Text, nullable=False),  # begun: nothing is gone yet | removed: copies may be left | done
    Column("rows", BigInteger, nullable=False),
    Column("done_ns", BigInteger),
    Column("remains", Text, nullable=False),  # JSON list: what could not be taken out, and why
)

REMOVALS: Final = Table(  # which rows of the entries are gone
    "removals",
    METADATA,
    Column("order_id", Text, primary_key=True),
    Column("origin", Text, primary_key=True),
    Column("table_name", Text, primary_key=True),
    Column("first_entry", BigInteger, primary_key=True),
    Column("last_entry", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),  # gone from these entries together
    Column("whole", Integer, nullable=False),  # 1: no row of the table is left in these entries
    Index("removals_by_entry", "origin", "first_entry"),
)

REFERENCES: Final = Table(  # to values outside of the lake, from rows that are gone: those that stand nowhere else are to be destroyed
    "references_gone",
    METADATA,
    Column("reference", Text, primary_key=True),
)
