"""The names under which the tools of a document are used."""

from __future__ import annotations

from weft.spec.model.tools import HttpExecutor, McpServer, PythonTool
from weft.spec.model.workflow import Workflow
from weft.spec.support import builtin_id


def tool_name(tool: PythonTool) -> str:
    """The name of a `python` entry: its `id`, the id of a built-in tool, or the name of the function."""
    return tool.id or builtin_id(tool.callable) or tool.callable.rpartition(":")[2].rpartition(".")[2]


def tool_names(workflow: Workflow) -> dict[str, PythonTool | HttpExecutor]:
    """The declared tools by name, and again by the full name of their callable, which a file may use as well."""
    python = workflow.tools.python_tools()
    http = workflow.tools.http_executors
    return (
        {tool.callable: tool for tool in python}
        | {tool_name(tool): tool for tool in python}
        | {tool.id: tool for tool in http}
    )


def resolved(name: str, workflow: Workflow) -> str:
    """The name that `name` stands for: that of a declared tool, or a built-in one's short id."""
    tool = tool_names(workflow).get(name)
    if isinstance(tool, PythonTool):
        return tool_name(tool)
    return name if tool else builtin_id(name) or name


def mcp_tool(name: str, workflow: Workflow) -> McpServer | None:
    """The MCP server that `name` speaks of: its id stands for all its tools, ``id:tool`` for one of them."""
    found = (server for server in workflow.tools.mcp if name == server.id or name.startswith(f"{server.id}:"))
    return next(found, None)
