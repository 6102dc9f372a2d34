"""What a call costs by the token: what a price list and a price file both come down to."""

from decimal import Decimal
from typing import NamedTuple


class Rates(NamedTuple):
    """USD: `fixed` a call, the others a token."""

    fixed: Decimal
    input: Decimal
    output: Decimal
    cache_read: Decimal
    cache_write: Decimal

    @property
    def only_fixed(self) -> bool:
        """Whether a call costs the same whatever its tokens."""
        return not any(self[1:])
