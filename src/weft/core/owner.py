"""Whose something is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Owner:
    """The tenant that something belongs to, the principal who asked for it, and the session in which they did."""

    tenant: str = "local"
    principal: str = "local"
    session: str = ""

    def as_json(self) -> dict[str, str]:
        """What the first event of a run says of it."""
        return {"tenant": self.tenant, "principal": self.principal, "session": self.session}


LOCAL = Owner()
"""The one tenant and principal of a machine that is used by one person."""
