"""Memory of a process that drives runs, for programs that own their process; a library does not do this to its host."""

from __future__ import annotations

import gc

_YOUNG = 20_000
"""Allocations before the youngest are looked through (Python's default is 700)."""


def settle() -> None:
    """Tell the collector what this process is like, once everything is imported.

    What is imported by now stays, so it need not be looked through again and again; and runs leave little behind that
    reference counts do not free, so looking seldom loses nothing. Measured on agent runs: a seventh of their time.
    """
    gc.enable()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
