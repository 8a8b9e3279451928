"""Ids of responses: each names a run and, where the response goes on after people were asked, the event after which it begins."""

from __future__ import annotations

import re
from dataclasses import dataclass

from weft.core.errors import NotFoundError

_FORM = re.compile(r"resp_([0-9a-f]{32})(?:_([0-9]{1,12}))?")


@dataclass(frozen=True, slots=True)
class ResponseId:
    """A run, and the number of the event after which the response begins."""

    run_id: str
    after: int = 0

    def __str__(self) -> str:
        return f"resp_{self.run_id.replace('-', '')}" + (f"_{self.after}" if self.after else "")

    @classmethod
    def parse(cls, text: str) -> ResponseId:
        """Read an id.

        Raises:
            NotFoundError: this is none.
        """
        found = _FORM.fullmatch(text)
        if found is None:
            raise NotFoundError(f"there is no response {text[:80]!r}", param="response_id")
        hex_, after = found.groups()
        run_id = f"{hex_[:8]}-{hex_[8:12]}-{hex_[12:16]}-{hex_[16:20]}-{hex_[20:]}"
        return cls(run_id, int(after or 0))

    def part(self, kind: str, number: int) -> str:
        """The id of something in the response."""
        return f"{kind}_{self.run_id.replace('-', '')}_{self.after}_{number}"
