"""What a workflow that a user registered may do on the machine of the service: less than one that stands in a folder of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from weft.core.errors import PolicyError
from weft.core.owner import LOCAL
from weft.spec.model.env import Secret
from weft.spec.model.tools import McpUrl
from weft.spec.model.workflow import Workflow

_SOURCES = ("env", "file", "secrets_manager", "ssm", "azure_key_vault", "vault")
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})
_PLAIN = re.compile(r"[^%\\?#\x00-\x20]+")
"""What stands under a pattern is written as it is: nothing in it is decoded on the way."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What the settings allow workflows that others than the user of this machine registered.

    The tenant `local` is that of whoever runs the service: it needs no list of its own secrets and addresses.

    `programs`: to start programs. `secrets`: the secrets that they may name, each ``KEY`` of the environment or ``source:key``, with
    ``*`` for any text. `addresses`: the hosts at which they may say their models are (``*.example.org`` for those below one), for
    that is where the service sends its keys.
    """

    programs: bool = False
    secrets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()

    def demand(self, workflow: Workflow, tenant: str, principal: str) -> None:
        """See to it that a registered workflow may do what it says, unless the user of this machine registered it.

        Raises:
            PolicyError: it may not.
        """
        if (tenant, principal) == (LOCAL.tenant, LOCAL.principal):
            return
        programs = [server.id for server in workflow.tools.mcp if not isinstance(server, McpUrl)]
        if programs and not self.programs:
            raise PolicyError(
                f"a workflow that is registered here may not start programs, as its MCP server {programs[0]!r} is",
                fix="use an MCP server with a url, or allow it with the setting `server.registered_programs`",
            )
        if tenant == LOCAL.tenant:
            return
        for secret in workflow.env.secrets:
            if not any(_names(pattern, secret) for pattern in self.secrets):
                named = secret.key if secret.source == "env" else f"{secret.source}:{secret.key}"
                raise PolicyError(
                    f"a workflow that is registered here may not read the secret {named[:200]!r}",
                    fix="leave it out (models are asked with the keys of the service), "
                    "or allow it with the setting `server.registered_secrets`",
                )
        for name, host in _model_hosts(workflow):
            if not _is_among(host, self.addresses):
                raise PolicyError(
                    f"a workflow that is registered here may not send the keys of the service to {host!r}, as {name} would",
                    fix="leave the address out, or allow the host with the setting `server.registered_addresses`",
                )


def _names(pattern: str, secret: Secret) -> bool:
    """Whether a pattern of the settings lets a secret through."""
    source, colon, key = pattern.partition(":")
    if not colon or source not in _SOURCES:
        source, key = "env", pattern
    if source != secret.source:
        return False
    if "*" not in key:
        return secret.key == key
    parts = secret.key.split("/")
    # What leads out of where the pattern points is under it in writing alone.
    if not _PLAIN.fullmatch(secret.key) or {".", ".."} & set(parts) or "" in parts[1:]:
        return False
    return re.fullmatch(".*".join(map(re.escape, key.split("*"))), secret.key) is not None


def _model_hosts(workflow: Workflow) -> Iterator[tuple[str, str]]:
    """The hosts at which models are by the word of the workflow, and what says so. A local provider on this machine needs no key."""
    runtime = workflow.runtime
    said = [("`runtime`", runtime.provider, runtime.host)]
    for name, agent in workflow.inline_agents().items():
        said += [
            (f"its agent {name!r}", agent.provider or runtime.provider, url) for url in (agent.base_url, agent.host)
        ]
    for what, provider, url in said:
        host = urlsplit(url).hostname or "" if url is not None else ""
        if url is not None and not (provider == "ollama" and host in _HERE):
            yield what, host


def _is_among(host: str, allowed: Iterable[str]) -> bool:
    name = host.lower().rstrip(".")
    return any(
        name.endswith(one[1:].lower()) and len(name) >= len(one) if one.startswith("*.") else name == one.lower()
        for one in allowed
    )
