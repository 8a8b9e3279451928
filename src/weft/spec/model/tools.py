# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from weft.spec.model.approval import Approval
from weft.spec.model.base import Identifier, Name, Section, Text, addition, by_shape
from weft.spec.model.runtime import Url

Effect = Literal["pure", "idempotent", "reconcile", "once"]
Method = Literal["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"]
Bytes = Annotated[int, Field(ge=1024, le=16_777_216)]
CallSeconds = Annotated[float, Field(gt=0, le=3600)]


class PythonTool(Section):
    """A built-in tool by its id, or a function as ``package.module:function``."""

    callable: Name
    id: Identifier | None = addition()
    effect: Effect | None = addition()
    timeout_s: CallSeconds | None = addition()
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
    timeout_ms: Annotated[int, Field(ge=1, le=3_600_000)] | None = None
    description: str = ""
    examples: list[HttpExample] = []
    common_endpoints: list[HttpEndpoint] = []
    response_format: str | None = None
    authentication_info: str | None = None
    effect: Effect | None = addition()
    timeout_s: CallSeconds | None = addition()
    max_bytes: Bytes | None = addition()
    approval: Approval | None = addition()


class McpLimits(Section):
    """What the process of an MCP server may take."""

    memory_mb: Annotated[int, Field(ge=64, le=1_048_576)] = 2048
    cpu_s: Annotated[int, Field(ge=1, le=31_536_000)] = 3600
    files: Annotated[int, Field(ge=16, le=1_048_576)] = 1024
    file_mb: Annotated[int, Field(ge=0, le=1_048_576)] = 1024


class McpOauth(Section):
    """How Weft is authorized at a remote MCP server; tokens are kept in ``WEFT_HOME`` and are for this server alone."""

    grant: Literal["authorization_code", "client_credentials"] = "authorization_code"
    client_id: str | None = None
    client_secret: str | None = None
    scope: str | None = None
    issuer: Url | None = None


class McpOptions(Section):
    """What can be said of every MCP server."""

    id: Identifier
    optional: bool = addition(default=False)
    tools: list[Name] | None = addition()
    effect: Effect | None = addition()
    effects: dict[str, Effect] = addition(default={})
    approval: Approval | None = addition()
    approvals: dict[str, Approval] = addition(default={})
    timeout_s: CallSeconds | None = addition()
    startup_timeout_s: Annotated[float, Field(gt=0, le=600)] | None = addition()
    max_bytes: Bytes | None = addition()


class McpCommand(McpOptions):
    """An MCP server that is started as a process. Values of `env` may hold ``${NAME}``, resolved from `env.secrets` at the start."""

    command: Text
    args: list[str] = []
    env: dict[str, str] = {}
    limits: McpLimits | None = addition()


class McpUrl(McpOptions):
    """An MCP server that is reached over HTTP. Headers may hold ``${NAME}``, resolved from `env.secrets` when they are sent."""

    url: Url
    headers: dict[str, str] = {}
    oauth: McpOauth | None = addition()


class McpPreset(McpOptions):
    """A common MCP server by its short name; reading is allowed, `write: true` allows the rest."""

    preset: Literal["filesystem", "git", "sqlite", "postgres", "fetch"] = addition(default=...)
    paths: list[Name] = addition(default=[])
    address: Text | None = addition()
    write: bool = addition(default=False)
    env: dict[str, str] = addition(default={})
    limits: McpLimits | None = addition()


def _transport(value: Any) -> str:
    if isinstance(value, dict):
        return next((f"<{key}>" for key in ("url", "preset") if key in value), "<command>")
    if isinstance(value, McpUrl):
        return "<url>"
    return "<preset>" if isinstance(value, McpPreset) else "<command>"


McpServer = Annotated[
    Annotated[McpCommand, Tag("<command>")] | Annotated[McpUrl, Tag("<url>")] | Annotated[McpPreset, Tag("<preset>")],
    Discriminator(_transport),
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
