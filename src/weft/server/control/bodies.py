"""Bodies that were just sent, kept for a moment: where many watch one run, it is read and written out once for all of them."""

from __future__ import annotations

from collections import OrderedDict
from time import monotonic

_KEPT_S = 1.0
_MOST, _LARGEST = 256, 65_536


class Bodies:
    """Bodies by their ETag, which stands for everything that they were made of. So many of them, so large, for a second."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, bytes]] = OrderedDict()

    def get(self, etag: str) -> bytes | None:
        """The body that was sent with this tag within the last second."""
        until, body = self._kept.get(etag, (0.0, b""))
        return body if monotonic() < until else None

    def keep(self, etag: str, body: bytes) -> None:
        """Keep a body for those who ask for the same in a moment."""
        if len(body) <= _LARGEST:
            self._kept[etag] = (monotonic() + _KEPT_S, body)
            self._kept.move_to_end(etag)
            if len(self._kept) > _MOST:
                self._kept.popitem(last=False)
