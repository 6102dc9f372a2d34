"""What goes wrong in the ledger; every message names what, where and the remedy, and never holds a key or a record."""

from storage.errors import StorageError


class LedgerError(StorageError):
    """A file of the ledger is missing, damaged or not what it must be."""


class ProofError(LedgerError):
    """A Merkle proof does not prove what it is offered for."""


class NoteError(LedgerError):
    """A signed note, a checkpoint or a verifier key is malformed, or no trusted key signed it."""
