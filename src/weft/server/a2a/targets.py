"""What a client reaches: the `tenant` of a request names a workflow or an agent, and grants nothing."""

from __future__ import annotations

from weft.app.serving.library import Library, Published
from weft.core.errors import InputError, NotFoundError


def tenant_of(name: str) -> str:
    """The name of something that is served as one segment of a path."""
    return name.replace("/", "~")


class Targets:
    """Finds what is meant. `main` is what answers requests that name nothing."""

    def __init__(self, library: Library, main: str) -> None:
        self._library = library
        self._main = main

    def all(self, *, tenant: str) -> list[Published]:
        """Everything that can be asked."""
        return self._library.all(tenant=tenant)

    def main(self, *, tenant: str) -> Published | None:
        """What answers requests that name nothing: what the settings say, or the only workflow."""
        served = self.all(tenant=tenant)
        if self._main:
            return next((one for one in served if one.name == self._main), None)
        whole = [one for one in served if not one.agent]
        return whole[0] if len(whole) == 1 else None

    def get(self, routed: str, *, tenant: str) -> Published:
        """What a request to `routed` (the `tenant` of the wire) is for.

        Raises:
            NotFoundError: nothing is served there.
            InputError: it names nothing, and several things are served.
        """
        if routed:
            for one in self.all(tenant=tenant):
                if tenant_of(one.name) == routed:
                    return one
            raise NotFoundError(
                f"nothing is served under the tenant {routed[:200]!r}", fix="the card names the tenants"
            )
        found = self.main(tenant=tenant)
        if found is None:
            names = ", ".join(tenant_of(one.name) for one in self.all(tenant=tenant)[:50])
            raise InputError(
                "several things are served, and the request names none of them",
                fix=f"name one as the request's tenant: {names or 'nothing is served yet'}",
            )
        return found
