"""Tools of the client: whoever started the run calls them, and hands in what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from weft.core.errors import InputError, ToolError
from weft.tools.port import MAX_RESULT_BYTES, TIMEOUT_S, Effect, Json, ToolContext, ToolSpec

MAX_RESULT = 1_000_000
RESULT: Mapping[str, Any] = {
    "type": "object",
    "properties": {"result": {"type": "string", "maxLength": MAX_RESULT}},
    "required": ["result"],
    "additionalProperties": False,
}
"""The form in which a result is handed in."""


class ClientTool:
    """A tool that is only described here: an agent that calls it waits for the client."""

    def __init__(
        self,
        name: str,
        definition: Mapping[str, Json],
        *,
        timeout_s: float = TIMEOUT_S,
        max_result_bytes: int = MAX_RESULT_BYTES,
    ) -> None:
        schema = definition.get("parameters") or {"type": "object", "properties": {}}
        if not isinstance(schema, Mapping) or schema.get("type", "object") != "object":
            raise InputError(f"the parameters of the tool {name!r} are no JSON Schema of an object")
        self.spec = ToolSpec(
            name=name,
            description=str(definition.get("description") or ""),
            input_schema={"type": "object", **schema},
            effect="pure",
            timeout_s=timeout_s,
            max_result_bytes=max_result_bytes,
        )

    def effect_of(self, args: Mapping[str, Json]) -> Effect:  # noqa: ARG002 -- the same for all
        """Here nothing happens: what the client does is its own."""
        return "pure"

    async def call(self, args: Mapping[str, Json], context: ToolContext) -> Json:
        """It cannot be called from here."""
        del args, context
        raise ToolError(f"the tool {self.spec.name!r} is the client's", fix="have an agent ask for it")

    async def check(self, key: str, context: ToolContext) -> Json | None:
        """There is nothing to find out."""
        del key, context
        return None
