"""Which statuses of a run are its last ones."""

from __future__ import annotations

TERMINAL = frozenset({"completed", "failed", "cancelled"})
OPEN = " AND status<>'completed' AND status<>'failed' AND status<>'cancelled'"
"""The end of a condition that keeps to runs that go on. Written out, for SQLite makes a table of a list of three each time that it
runs the statement."""
