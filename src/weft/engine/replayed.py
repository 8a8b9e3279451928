"""What a replay finds: that the same events came out, or the first place where journal and replay part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from weft.core.canonical import digest
from weft.core.errors import MismatchError, Place
from weft.core.event import Event

_SHORT = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """The first place where journal and replay part: what each of them says there, in short."""

    seq: int
    path: str
    recorded: str
    replayed: str

    def as_json(self) -> dict[str, Any]:
        """The difference as plain data."""
        return {name: getattr(self, name) for name in self.__slots__}


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay found. `derived` of the `events` came out of the plan again; the rest was taken as recorded."""

    run_id: str
    events: int
    derived: int
    difference: Difference | None = None

    def demand(self) -> None:
        """Do nothing if the same events came out.

        Raises:
            MismatchError: they did not.
        """
        if self.difference is not None:
            first = self.difference
            raise MismatchError(
                f"event {first.seq} of run {self.run_id} does not come out again: the journal says {first.recorded}, "
                f"the replay {first.replayed}",
                fix=f"`weft verify {self.run_id}` proves the journal; replay with the Weft that recorded it",
                place=Place(path=first.path or None),
                run=self.run_id,
                seq=first.seq,
            )


class Parted(Exception):  # noqa: N818 -- a signal, not an error
    """Here journal and replay part."""

    def __init__(self, event: Event, replayed: str) -> None:
        super().__init__(replayed)
        self.difference = Difference(
            seq=event.seq, path=event.path, recorded=said(event.kind, event.path, event.data), replayed=replayed
        )


def said(kind: str, path: str, data: Any) -> str:
    """An event in short."""
    text = f"{kind}{' at ' if path else ''}{path}"
    if data is None:
        return text
    content = str(data)
    shown = content if len(content) <= _SHORT else f"{content[:_SHORT]}…"
    return f"{text} with {shown} (hash {digest(data)[:12]})"
