"""A fake provider: a loopback server that speaks a provider's wire format and answers from a script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

from weft.testing.providers.script import Brain, Request, Script, Turn, fail
from weft.testing.providers.server import Reply, ThreadedServer
from weft.testing.providers.wire import Wire, encode
from weft.testing.providers.wire.anthropic import Anthropic
from weft.testing.providers.wire.bedrock import Bedrock
from weft.testing.providers.wire.google import Google
from weft.testing.providers.wire.openai_chat import Azure, Ollama, OpenAIChat
from weft.testing.providers.wire.openai_responses import OpenAIResponses

Kind = Literal["openai", "openai-responses", "azure", "anthropic", "bedrock", "google", "ollama"]

_WIRES: Mapping[str, Wire] = {
    "openai": OpenAIChat(),
    "openai-responses": OpenAIResponses(),
    "azure": Azure(),
    "anthropic": Anthropic(),
    "bedrock": Bedrock(),
    "google": Google(),
    "ollama": Ollama(),
}
_PATHS: Mapping[str, str] = {"openai": "/v1", "openai-responses": "/v1"}
_TEST_KEY = "test-key-0123456789"


class FakeProvider:
    """A provider on this machine: ``with FakeProvider("openai", say("hello")) as fake: ...``.

    `script` is a turn, a `Script` of turns, or a function from a request to a turn. Every request is kept in `requests`, so that
    a test can count effects. With `key`, a request that does not carry it gets the provider's own 401.
    """

    def __init__(self, kind: Kind, script: Turn | Brain | None = None, *, key: str | None = None) -> None:
        self.kind = kind
        self.requests: list[Request] = []
        self._wire = _WIRES[kind]
        self._brain: Brain = script if callable(script) else Script(*((script,) if script is not None else ()))
        self._key = key
        self._server = ThreadedServer(self._handle)

    def __enter__(self) -> Self:
        """Start to serve."""
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, and drop the connections that are open."""
        self._server.stop()

    @property
    def base_url(self) -> str:
        """The address that the provider's client is given."""
        return f"http://127.0.0.1:{self._server.port}{_PATHS.get(self.kind, '')}"

    @property
    def connections(self) -> int:
        """How many connections were made."""
        return self._server.accepted

    @property
    def environ(self) -> dict[str, str]:
        """Environment variables that make this provider's client come here."""
        key, url = self._key or _TEST_KEY, self.base_url
        return {
            "openai": {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": url},
            "openai-responses": {"OPENAI_API_KEY": key, "OPENAI_BASE_URL": url},
            "azure": {"AZURE_OPENAI_API_KEY": key, "AZURE_OPENAI_ENDPOINT": url},
            "anthropic": {"ANTHROPIC_API_KEY": key, "ANTHROPIC_BASE_URL": url},
            "bedrock": {
                "AWS_ACCESS_KEY_ID": "AKIATEST",
                "AWS_SECRET_ACCESS_KEY": key,
                "AWS_REGION": "us-east-1",
                "AWS_ENDPOINT_URL_BEDROCK_RUNTIME": url,
            },
            "google": {"GOOGLE_API_KEY": key, "GOOGLE_GEMINI_BASE_URL": url},
            "ollama": {"OLLAMA_BASE_URL": url},
        }[self.kind]

    def _handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
        path = target.partition("?")[0]
        try:
            data: Any = json.loads(body) if body else {}
        except ValueError:
            data = {}
        request = Request(
            number=len(self.requests) + 1,
            method=method,
            target=target,
            headers=headers,
            body=data,
            stream=self._wire.streams(path, data),
            model=self._wire.model(path, data),
            prompt=self._wire.prompt(data),
        )
        self.requests.append(request)
        turn = self._brain(request) if self._allowed(headers) else fail(401, "The key is not valid.")
        return self._reply(turn, request)

    def _allowed(self, headers: Mapping[str, str]) -> bool:
        names = ("authorization", "api-key", "x-api-key", "x-goog-api-key")
        return self._key is None or any(self._key in headers.get(name, "") for name in names)

    def _reply(self, turn: Turn, request: Request) -> Reply:
        wire, more = self._wire, dict(turn.headers)
        cut = turn.cut_after is not None
        if turn.silent:
            return Reply(silent=True)
        if turn.status >= 400:
            data, headers = wire.error(turn, request)
            more = {"content-type": wire.content_type, **headers, **more}
            return Reply(status=turn.status, headers=more, frames=[encode(data)], delay_s=turn.delay_s)
        if request.stream:
            frames = [turn.raw] if turn.raw is not None else wire.stream(turn, request)[: turn.cut_after]
            more = {"content-type": wire.stream_type, "cache-control": "no-cache", **more}
            return Reply(headers=more, frames=frames, chunked=True, cut=cut, delay_s=turn.delay_s, pause_s=turn.pause_s)
        whole = turn.raw if turn.raw is not None else encode(wire.answer(turn, request))
        whole = whole[: len(whole) // 2] if cut else whole
        return Reply(headers={"content-type": wire.content_type, **more}, frames=[whole], cut=cut, delay_s=turn.delay_s)
