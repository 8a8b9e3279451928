# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.approval import Approval
from weft.spec.model.base import Identifier, Name, Seconds, Section, Text, addition, by_shape
from weft.spec.model.runtime import Url

Effect = Literal["pure", "idempotent", "reconcile", "once"]
Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
Bytes = Annotated[int, Field(ge=1, le=100_000_000)]


class PythonTool(Section):
    """A built-in tool by its id, or a function as ``package.module:function``."""

    callable: Name
    id: Identifier | None = addition()
    effect: Effect | None = addition()
    timeout_s: Seconds | None = addition()
    max_bytes: Bytes | None = addition()
    approval: Approval | None = addition()


class HttpExample(Section):
    """A call that shows an agent how to use an HTTP tool."""

    description: str = ""
    method: Method = "GET"
    path: str = ""
    json_data: Any = None


class HttpEndpoint(Section):
    """A path that an HTTP tool is often used with."""

    path: Name
    description: str
    method: Method = "GET"


class HttpExecutor(Section):
    """An HTTP service as a tool. Headers may hold ``${NAME}``, resolved from `env.secrets` only when a request is sent."""

    id: Identifier
    base_url: Url
    headers: dict[str, str] = {}
    timeout_ms: Annotated[int, Field(ge=1)] | None = None
    description: str = ""
    examples: list[HttpExample] = []
    common_endpoints: list[HttpEndpoint] = []
    response_format: str | None = None
    authentication_info: str | None = None
    effect: Effect | None = addition()
    timeout_s: Seconds | None = addition()
    max_bytes: Bytes | None = addition()
    approval: Approval | None = addition()


class McpCommand(Section):
    """An MCP server that is started as a process."""

    id: Identifier
    command: Text
    args: list[str] = []
    env: dict[str, str] = {}
    optional: bool = addition(default=False)


class McpUrl(Section):
    """An MCP server that is reached over HTTP."""

    id: Identifier
    url: Url
    headers: dict[str, str] = {}
    optional: bool = addition(default=False)


def _transport(value: Any) -> str:
    has_url = "url" in value if isinstance(value, dict) else isinstance(value, McpUrl)
    return "<url>" if has_url else "<command>"


McpServer = Annotated[
    Annotated[McpCommand, Tag("<command>")] | Annotated[McpUrl, Tag("<url>")], Discriminator(_transport)
]
PythonEntry = Annotated[Annotated[Name, Tag("<text>")] | Annotated[PythonTool, Tag("<map>")], by_shape()]


class Tools(Section):
    """What agents and steps may use."""

    python: list[PythonEntry] = []
    http_executors: list[HttpExecutor] = []
    mcp: list[McpServer] = []

    def python_tools(self) -> list[PythonTool]:
        """The `python` entries, shorthands spelled out, in declared order."""
        return [PythonTool(callable=entry) if isinstance(entry, str) else entry for entry in self.python]
