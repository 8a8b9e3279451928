"""The registry of providers, and the pool that opens models and keeps them for the next step."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, cast
from weakref import WeakKeyDictionary

from weft.core.errors import AuthError, UnsupportedError
from weft.models.ref import ModelRef

if TYPE_CHECKING:  # the agent library costs more than a second to import, and `validate` reads only the table
    from httpx2 import AsyncClient
    from pydantic_ai.models import Model

    from weft.net.egress import EgressPolicy
    from weft.net.transport import Resolver

_CONNECTIONS = 1_000
_LOCAL = frozenset({"ollama"})
"""Providers that are made to run on this machine."""
OFFLINE_HINT = "or run with --offline, which needs no key"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEntry:
    """How a provider is reached: the module that opens it, the extra that brings its client, its credentials.

    Any one of the variables in `keys` will do. Where one of `keyless` is set, or the model has a base URL of its own, a
    key is not asked for, since servers that only speak the provider's protocol often want none. `addresses` are the
    variables that say where the provider is, whatever a workflow says.
    """

    module: str
    extra: str | None = None
    keys: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    keyless: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


PROVIDERS: Mapping[str, ProviderEntry] = {
    "openai": ProviderEntry(
        module="weft.models.providers.openai",
        extra="openai",
        keys=("OPENAI_API_KEY",),
        keyless=("OPENAI_BASE_URL",),
        addresses=("OPENAI_BASE_URL",),
    ),
    "azure": ProviderEntry(
        module="weft.models.providers.azure",
        extra="openai",
        keys=("AZURE_OPENAI_API_KEY",),
        needs=("AZURE_OPENAI_ENDPOINT",),
        addresses=("AZURE_OPENAI_ENDPOINT",),
    ),
    "anthropic": ProviderEntry(
        module="weft.models.providers.anthropic",
        extra="anthropic",
        keys=("ANTHROPIC_API_KEY",),
        addresses=("ANTHROPIC_BASE_URL",),
    ),
    "bedrock": ProviderEntry(
        module="weft.models.providers.bedrock",
        extra="bedrock",
        secrets=("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_BEARER_TOKEN_BEDROCK"),
        addresses=("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", "AWS_ENDPOINT_URL"),
    ),
    "google": ProviderEntry(
        module="weft.models.providers.google",
        extra="google",
        keys=("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        addresses=("GOOGLE_GEMINI_BASE_URL",),
    ),
    "ollama": ProviderEntry(
        module="weft.models.providers.ollama",
        extra="openai",
        secrets=("OLLAMA_API_KEY",),
        addresses=("OLLAMA_BASE_URL",),
    ),
    "offline": ProviderEntry(module="weft.models.providers.offline"),
}
"""Every provider by the first part of a model id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a provider's module gets: the environment, the shared HTTP client and the limit on one answer in seconds."""

    environ: Mapping[str, str]
    http_client: AsyncClient
    timeout_s: float
    closers: list[Callable[[], object]]
    """What `ModelPool.aclose` calls; a provider that makes a client of its own adds to it."""

    def variable(self, *names: str) -> str | None:
        """The first of the variables that is set and not empty."""
        return next((value for name in names if (value := self.environ.get(name))), None)


class OpensModels(Protocol):
    """A provider's module."""

    def open_model(self, ref: ModelRef, access: Access) -> Model[Any]:
        """Make the model; clients use `access.http_client` and never retry by themselves."""
        ...


def entry(ref: ModelRef) -> ProviderEntry:
    """The provider of `ref`.

    Raises:
        UnsupportedError: there is no such provider.
    """
    found = PROVIDERS.get(ref.provider)
    if found is None:
        raise UnsupportedError(
            f"there is no provider called {ref.provider!r}",
            fix=f"use one of: {', '.join(PROVIDERS)}",
            model=ref.id,
        )
    return found


def redirected(ref: ModelRef, environ: Mapping[str, str]) -> ModelRef:
    """`ref` as the environment has it: where the provider's own variable goes over the address of a workflow file.

    Raises:
        UnsupportedError: there is no such provider.
    """
    if not ref.declared:
        return ref
    address = next((value for name in entry(ref).addresses if (value := environ.get(name))), None)
    return ref if address is None else replace(ref, base_url=address, declared=False)


def check_credentials(ref: ModelRef, environ: Mapping[str, str]) -> None:
    """Refuse a model whose credentials are not in `environ`, before anything is imported or sent.

    Bedrock's chain (profiles, roles, metadata) cannot be told from variables, so it is never refused here.

    Raises:
        UnsupportedError: there is no such provider.
        AuthError: a variable is missing; the error names it.
    """
    provider = entry(ref)
    lacking: str | None = None
    if provider.needs and not ref.base_url:
        lacking = next((name for name in provider.needs if not environ.get(name)), None)
    keyless = bool(provider.keyless and (ref.base_url or any(environ.get(name) for name in provider.keyless)))
    if provider.keys and not keyless and not any(environ.get(name) for name in provider.keys):
        lacking = " or ".join(provider.keys)
    if lacking:
        raise AuthError(
            f"the model {ref.id} needs {lacking}, which is not set",
            fix=f"set {lacking} in the environment, {OFFLINE_HINT}",
            model=ref.id,
        )


def open_model(ref: ModelRef, access: Access) -> Model[Any]:
    """Open a model without keeping it; steps go through `ModelPool`.

    Raises:
        UnsupportedError: there is no such provider, or its client library is not installed.
        AuthError: a credential is missing.
    """
    ref = redirected(ref, access.environ)
    check_credentials(ref, access.environ)
    provider = entry(ref)
    try:
        module = cast("OpensModels", import_module(provider.module))
    except ImportError as error:
        raise UnsupportedError(
            f"the client library for {ref.provider} is not installed",
            fix=f"run: pip install 'weft[{provider.extra}]'" if provider.extra else "",
            model=ref.id,
        ) from error
    return module.open_model(ref, access)


@dataclass
class _Opened:
    """The clients and models that live on one event loop."""

    http_client: AsyncClient
    held: dict[EgressPolicy, AsyncClient] = field(default_factory=dict)
    """Clients that go only where a policy allows."""
    models: dict[ModelRef, Model[Any]] = field(default_factory=dict)
    closers: list[Callable[[], object]] = field(default_factory=list)


class ModelPool:
    """Opens each model once for each event loop and hands out the same object again, with one HTTP client behind all.

    Models raise Weft errors only (see `weft.models.guarded`), and no client retries: the engine does.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str] | None = None,
        timeout_s: float = 600.0,
        policy: EgressPolicy | None = None,
        resolver: Resolver | None = None,
    ) -> None:
        """`environ` is `os.environ` by default; `timeout_s` limits the silence of a server, not a step.

        An address that a workflow gives is held to `policy` at each connection, whatever its name answers then; `resolver` looks
        names up, by default as the system does.
        """
        self._environ = os.environ if environ is None else environ
        self._timeout_s = timeout_s
        self._policy, self._resolver = policy, resolver
        self._opened: WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = WeakKeyDictionary()

    def open(self, ref: ModelRef) -> Model[Any]:
        """The model for `ref`; call it on a running event loop.

        Raises:
            UnsupportedError: there is no such provider, or its client library is not installed.
            AuthError: a credential is missing.
        """
        from weft.models.guarded import GuardedModel  # noqa: PLC0415 -- the agent library is loaded with the first model

        loop = asyncio.get_running_loop()
        opened = self._opened.get(loop)
        if opened is None:
            opened = self._opened[loop] = _Opened(_http_client(self._timeout_s))
        model = opened.models.get(ref)
        if model is None:
            access = Access(
                environ=self._environ,
                http_client=self._client_for(ref, opened),
                timeout_s=self._timeout_s,
                closers=opened.closers,
            )
            model = opened.models[ref] = GuardedModel(open_model(ref, access), ref=ref, secrets=self.secrets(ref))
        return model

    def _client_for(self, ref: ModelRef, opened: _Opened) -> AsyncClient:
        if self._policy is None or not ref.declared or redirected(ref, self._environ) is not ref:
            return opened.http_client
        rules = declared_rules(ref, self._policy)
        client = opened.held.get(rules)
        if client is None:
            client = opened.held[rules] = _http_client(self._timeout_s, rules, self._resolver)
        return client

    def secrets(self, ref: ModelRef) -> tuple[str, ...]:
        """The values that must not be seen in errors or logs about `ref`."""
        provider = entry(ref)
        return tuple(value for name in (*provider.keys, *provider.secrets) if (value := self._environ.get(name)))

    async def aclose(self) -> None:
        """Close the clients of the running event loop; the next `open` starts anew."""
        opened = self._opened.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            for close in opened.closers:
                close()
            for client in (opened.http_client, *opened.held.values()):
                await client.aclose()


def declared_rules(ref: ModelRef, policy: EgressPolicy) -> EgressPolicy:
    """`policy` for the address that a workflow gives a model: one of a local provider may be this machine."""
    return replace(policy, allow_loopback=policy.allow_loopback or ref.provider in _LOCAL)


def _http_client(timeout_s: float, rules: EgressPolicy | None = None, resolver: Resolver | None = None) -> AsyncClient:
    from httpx2 import AsyncClient, Limits, Timeout  # noqa: PLC0415 -- only a process that opens models needs it

    from weft.models.bounded import bound_answer  # noqa: PLC0415 -- same
    from weft.net.authorities import authorities  # noqa: PLC0415 -- same

    held: dict[str, Any] = {}
    if rules is not None:
        from weft.net.transport import EgressTransport, system_resolver  # noqa: PLC0415 -- same

        transport = EgressTransport(rules, resolver=resolver or system_resolver, connections=_CONNECTIONS)
        held = {"transport": transport, "trust_env": False}
    return AsyncClient(
        **held,
        verify=authorities(),
        event_hooks={"response": [bound_answer]},
        timeout=Timeout(timeout_s, connect=min(10.0, timeout_s)),
        limits=Limits(max_connections=_CONNECTIONS, max_keepalive_connections=100),
    )
