"""The ledger: the append-only record of a run, and the count of its steps."""

from also_wrappers.ledger.accounting import Accounting
from also_wrappers.ledger.ledger import Ledger, read_ledger

__all__ = ["Accounting", "Ledger", "read_ledger"]
