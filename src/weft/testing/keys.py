"""A keyring for tests: with it, whatever is written to a store is sealed, and whoever has it opens it."""

from __future__ import annotations

from typing import Any

from weft.store.keyring import Keyring, MasterKey

MASTER = MasterKey(bytes(range(32)))
"""Known to everybody: nothing that matters may be sealed with it."""


def keyring(**how: Any) -> Keyring:
    """A keyring of its own, as every journal needs one, with the master key of tests; `how` is for `Keyring`."""
    return Keyring(MASTER, **how)
