"""A tool of a server as a tool of ours."""

from __future__ import annotations

from collections.abc import Mapping

from weft.core.errors import InputError
from weft.tools.mcp.descriptor import Descriptor
from weft.tools.mcp.link import Link
from weft.tools.mcp.server import Server
from weft.tools.port import Difference, Effect, Json, ToolContext, ToolSpec

_MARGIN_S = 5.0


def spec_of(name: str, server: Server, descriptor: Descriptor) -> ToolSpec:
    """What agents and the engine know of a tool of `server`, which agents call `name`.

    Its time limit is longer than that of a call, for it may first have to open a session.
    """
    return ToolSpec(
        name=name,
        description=descriptor.shown_description or descriptor.name,
        input_schema=descriptor.shown_schema,
        effect=descriptor.effect(server.effects.get(descriptor.name, server.effect)),
        timeout_s=server.timeout_s + server.startup_timeout_s + _MARGIN_S,
        max_result_bytes=server.max_bytes,
        group=server.id,
        origin=descriptor.name,
    )


class McpTool:
    """Calls one tool of one server, as it was pinned for the run."""

    def __init__(self, spec: ToolSpec, link: Link) -> None:
        self.spec = spec
        self._link = link
        self._tool = spec.origin

    def effect_of(self, args: Mapping[str, Json]) -> Effect:  # noqa: ARG002 -- the same for all
        """The effect that the file declares, or that the server's hints stand for."""
        return self.spec.effect

    async def call(self, args: Mapping[str, Json], context: ToolContext) -> Json:
        """Make the call."""
        return await self._link.call(self._tool, args, context)

    async def check(self, key: str, context: ToolContext) -> Json | None:  # noqa: ARG002 -- the port's
        """A server cannot be asked about a key.

        Raises:
            InputError: always.
        """
        raise InputError(
            f"the tool {self.spec.name!r} cannot say whether a call happened",
            fix="declare the effect idempotent or once",
        )

    async def difference(self, context: ToolContext) -> Difference | None:
        """How the server describes the tool otherwise now, if the settings have a person asked and nobody was yet."""
        return await self._link.difference(self._tool, context)

    async def accept(self, difference: Difference) -> None:
        """Remember that a person accepted the new description; the next call goes on with it."""
        self._link.accept(self._tool, difference)
