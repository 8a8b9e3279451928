"""The event: one fact in a run's journal. Every room may read one; only `store` writes them."""

from __future__ import annotations

from typing import Any, NamedTuple


class Event(NamedTuple):
    """One fact, as appended.

    `at` is in microseconds since the epoch. `kind` is ``run.*``, ``step.*``, ``node.*`` or ``budget.*``; `path` names the
    step or node (empty for the run itself). `data` is JSON. A kind that a reader does not know is carried, not guessed.
    """

    run_id: str
    seq: int
    at: int
    kind: str
    path: str
    data: Any
    hash: str = ""

    def as_json(self) -> dict[str, Any]:
        """The event as plain data."""
        return {
            "run_id": self.run_id,
            "seq": self.seq,
            "at": self.at,
            "kind": self.kind,
            "path": self.path,
            "data": self.data,
            "hash": self.hash,
        }
