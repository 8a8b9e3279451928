"""A server as a plan defines it, read into data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.canonical import dumps
from weft.core.errors import InputError
from weft.tools.mcp.presets import PRESETS
from weft.tools.port import MAX_RESULT_BYTES, Effect

CALL_S = 60.0
START_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the process of a server may take: megabytes of memory, seconds of CPU, open files, megabytes of one file."""

    memory_mb: int = 2048
    cpu_s: int = 3600
    files: int = 1024
    file_mb: int = 1024

    def text(self) -> str:
        """The limits as `weft.tools.mcp.launch` takes them."""
        limits = {
            "RLIMIT_CORE": 0,
            "RLIMIT_CPU": self.cpu_s,
            "RLIMIT_DATA": self.memory_mb * 1024 * 1024,
            "RLIMIT_FSIZE": self.file_mb * 1024 * 1024,
            "RLIMIT_NOFILE": self.files,
        }
        return ",".join(f"{name}={value}" for name, value in limits.items())


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """How a remote server's authorization is obtained. `client_secret` may hold ``${NAME}``."""

    kind: str = "authorization_code"
    client_id: str = ""
    client_secret: str = ""
    scope: str = ""
    issuer: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One MCP server: a command to start, or an address.

    `env`, `headers` and the secret of `grant` may hold ``${NAME}``, filled in when the server is reached. `tools` are the
    only ones that may be used, all of them when None. `effects` holds declared effects by tool, `effect` that of the others.
    """

    id: str
    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    grant: Grant | None = None
    tools: tuple[str, ...] | None = None
    effect: Effect | None = None
    effects: Mapping[str, Effect] = field(default_factory=dict)
    optional: bool = False
    timeout_s: float = CALL_S
    startup_timeout_s: float = START_S
    max_bytes: int = MAX_RESULT_BYTES
    limits: Limits = Limits()

    @property
    def identity(self) -> str:
        """What is the same for the same server in another workflow or run: 128 bits in hex."""
        what = [self.url] if self.url else [self.command, *self.args]
        return hashlib.sha256(dumps(what)).hexdigest()[:32]

    @property
    def shown(self) -> str:
        """The server for messages."""
        return f"the MCP server {self.id!r}"


_PLAIN = ("command", "url", "optional", "timeout_s", "startup_timeout_s", "max_bytes", "effect")


def read_server(name: str, definition: Mapping[str, Any]) -> Server:
    """The server that `definition` describes, its preset spelled out.

    Raises:
        InputError: it names a preset that is not there or does not fit.
    """
    preset = definition.get("preset")
    if preset is not None:
        if preset not in PRESETS:
            raise InputError(f"there is no MCP preset {preset!r}", fix=f"use one of: {', '.join(PRESETS)}")
        definition = {**PRESETS[preset](definition), **{key: value for key, value in definition.items() if value}}
    fields: dict[str, Any] = {key: definition[key] for key in _PLAIN if definition.get(key) is not None}
    tools = definition.get("tools")
    oauth = definition.get("oauth")
    return Server(
        id=name,
        args=tuple(definition.get("args") or ()),
        env=definition.get("env") or {},
        headers=definition.get("headers") or {},
        tools=None if tools is None else tuple(tools),
        effects=definition.get("effects") or {},
        limits=Limits(**(definition.get("limits") or {})),
        grant=None if oauth is None else Grant(**_grant(oauth)),
        **fields,
    )


def _grant(oauth: Mapping[str, Any]) -> dict[str, str]:
    return {"kind" if key == "grant" else key: value for key, value in oauth.items() if value is not None}
