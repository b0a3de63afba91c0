"""Keeps the append-only record of a run, and counts the run's steps."""

from also_wrappers.ledger.accounting import Accounting, Counts
from also_wrappers.ledger.events import Event
from also_wrappers.ledger.ledger import (
    Ledger,
    LedgerReader,
    follow,
    last_event,
    read_ledger,
    salvage_ledger,
)
from also_wrappers.ledger.lineage import of_the_lineage

__all__ = [
    "Accounting",
    "Counts",
    "Event",
    "Ledger",
    "LedgerReader",
    "follow",
    "last_event",
    "of_the_lineage",
    "read_ledger",
    "salvage_ledger",
]
