"""Common servers by a short name: the command that starts them, and what of them is safe without asking.

Versions are pinned, so that a run today and a run tomorrow start the same program. A server that is already installed under
its own name is used as it is; else the launcher of its registry (``npx`` or ``uvx``) fetches it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from typing import Any

from weft.core.errors import InputError

_READ_FILES = (
    "read_text_file",
    "read_multiple_files",
    "list_directory",
    "list_directory_with_sizes",
    "directory_tree",
    "search_files",
    "get_file_info",
    "list_allowed_directories",
)
_WRITE_FILES = ("write_file", "edit_file", "create_directory", "move_file")
_READ_GIT = (
    "git_status",
    "git_diff_unstaged",
    "git_diff_staged",
    "git_diff",
    "git_log",
    "git_show",
    "git_branch",
)
_WRITE_GIT = ("git_add", "git_commit", "git_reset", "git_create_branch", "git_checkout")
_READ_SQLITE = ("read_query", "list_tables", "describe_table")
_WRITE_SQLITE = ("write_query", "create_table")


def _filesystem(given: Mapping[str, Any]) -> dict[str, Any]:
    program = _npm("@modelcontextprotocol/server-filesystem@2026.8.31", "mcp-server-filesystem")
    return {**_command(program, given.get("paths") or ["."]), **_tools(given, _READ_FILES, _WRITE_FILES)}


def _git(given: Mapping[str, Any]) -> dict[str, Any]:
    program = _python("mcp-server-git==2026.10.19", "mcp-server-git")
    return {**_command(program, ["--repository", _one(given, "git", ".")]), **_tools(given, _READ_GIT, _WRITE_GIT)}


def _sqlite(given: Mapping[str, Any]) -> dict[str, Any]:
    # The last version of this server is older than the second major version of the library it needs.
    program = _python("mcp-server-sqlite==2025.4.25", "mcp-server-sqlite", "--with", "mcp<2")
    tools = _tools(given, _READ_SQLITE, _WRITE_SQLITE)
    effects = {**dict.fromkeys(_READ_SQLITE, "pure"), **dict.fromkeys(_WRITE_SQLITE, "once")}
    return {**_command(program, ["--db-path", _one(given, "sqlite", None)]), **tools, "effects": effects}


def _postgres(given: Mapping[str, Any]) -> dict[str, Any]:
    address = given.get("address")
    if not address:
        raise InputError("the preset postgres needs an `address`", fix="write address: postgresql://host/database")
    # The server runs each query in a transaction that may only read.
    program = _npm("@modelcontextprotocol/server-postgres@0.6.2", "mcp-server-postgres")
    return {**_command(program, [address]), "tools": ["query"], "effects": {"query": "pure"}}


def _fetch(_given: Mapping[str, Any]) -> dict[str, Any]:
    program = _python("mcp-server-fetch==2026.10.24", "mcp-server-fetch")
    return {**_command(program, []), "tools": ["fetch"]}


def _npm(package: str, name: str) -> list[str]:
    return [name] if shutil.which(name) else ["npx", "--yes", package]


def _python(package: str, name: str, *options: str) -> list[str]:
    return [name] if shutil.which(name) else ["uvx", *options, "--from", package, name]


def _command(program: list[str], args: list[str]) -> dict[str, Any]:
    return {"command": program[0], "args": [*program[1:], *args]}


def _one(given: Mapping[str, Any], preset: str, default: str | None) -> str:
    paths = given.get("paths") or ([] if default is None else [default])
    if len(paths) != 1:
        raise InputError(f"the preset {preset} takes one path", fix="write paths: [PATH]")
    return str(paths[0])


def _tools(given: Mapping[str, Any], read: tuple[str, ...], write: tuple[str, ...]) -> dict[str, Any]:
    return {"tools": [*read, *(write if given.get("write") else ())]}


PRESETS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "filesystem": _filesystem,
    "git": _git,
    "sqlite": _sqlite,
    "postgres": _postgres,
    "fetch": _fetch,
}
"""The presets: from the fields of a file to a definition with a command."""
