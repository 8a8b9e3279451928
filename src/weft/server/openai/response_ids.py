"""Ids of responses: each names a run and, where the response goes on after people were asked, the place at which it begins."""

from __future__ import annotations

import re
from dataclasses import dataclass

from weft.app.serving.places import BEGINNING, Place
from weft.core.errors import NotFoundError

_FORM = re.compile(r"resp_([0-9a-f]{32})(?:_([0-9]{1,12})_([0-9]{1,18}))?")


@dataclass(frozen=True, slots=True)
class ResponseId:
    """A run, and the place at which the response begins: see `weft.app.serving.places`."""

    run_id: str
    place: Place = BEGINNING

    @property
    def _name(self) -> str:
        place = self.place
        return self.run_id.replace("-", "") + (f"_{place.after}_{place.since}" if place.after else "")

    def __str__(self) -> str:
        return f"resp_{self._name}"

    @classmethod
    def parse(cls, text: str) -> ResponseId:
        """Read an id.

        Raises:
            NotFoundError: this is none.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise NotFoundError(f"there is no response {text[:80]!r}", param="response_id")
        hex_, after, since = found.groups()
        run_id = f"{hex_[:8]}-{hex_[8:12]}-{hex_[12:16]}-{hex_[16:20]}-{hex_[20:]}"
        return cls(run_id, Place(int(after), int(since)) if after else BEGINNING)

    def part(self, kind: str, number: int) -> str:
        """The id of something in the response."""
        return f"{kind}_{self._name}_{number}"
