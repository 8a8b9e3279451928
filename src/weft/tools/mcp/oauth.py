"""Authorization for remote servers: OAuth 2.1 with PKCE, or client credentials; tokens are for one server and go nowhere else."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable
from html import escape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp.client.auth import OAuthClientProvider
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from weft.core.errors import AuthError, InputError
from weft.tools.mcp.server import Server
from weft.tools.mcp.tokens import TokenFile

Expand = Callable[[str], str]
_PATH = "/callback"
_LOGIN_S = 300.0
_REQUEST = 16_384


async def authorization(
    server: Server, home: Path, expand: Expand, *, on_secret: Callable[[str], object]
) -> httpx2.Auth | None:
    """What adds a token to the requests to `server`, and refreshes it; None for a server without `oauth`.

    Raises:
        AuthError: a person has to log in first, or the secret is missing.
        InputError: the definition lacks something.
    """
    if server.grant is None:
        return None
    tokens = token_file(server, home, expand, on_secret=on_secret)
    if server.grant.kind == "client_credentials":
        return _Machine(server, tokens, expand)

    async def ask(_: str) -> None:
        raise _login_needed(server)

    async def never() -> AuthorizationCodeResult:
        raise _login_needed(server)

    if not tokens.present:
        raise _login_needed(server)
    return _Person(server, tokens, "http://127.0.0.1" + _PATH, ask, never)


def token_file(server: Server, home: Path, expand: Expand, *, on_secret: Callable[[str], object]) -> TokenFile:
    """Where the tokens for `server` are kept."""
    assert server.grant is not None
    secret = expand(server.grant.client_secret)
    if secret:
        on_secret(secret)
    grant = dataclasses.replace(server.grant, client_secret=secret)
    return TokenFile(home / "tokens", server.url, grant, on_secret=on_secret)


class Login:
    """One login of a person: a listener on this machine that the browser is sent back to, and the flow that waits for it."""

    def __init__(self, server: Server, tokens: TokenFile, show: Callable[[str], Awaitable[None]]) -> None:
        self._server = server
        self._tokens = tokens
        self._show = show
        self._answer: asyncio.Future[AuthorizationCodeResult] = asyncio.get_running_loop().create_future()
        self._listener: asyncio.Server | None = None

    async def begin(self) -> httpx2.Auth:
        """Listen, and give what authorizes requests from now on; the first one starts the login."""
        self._tokens.forget()
        self._listener = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_REQUEST)
        port = self._listener.sockets[0].getsockname()[1]
        return _Person(self._server, self._tokens, f"http://127.0.0.1:{port}{_PATH}", self._show, self._wait)

    async def end(self) -> None:
        """Stop listening."""
        self._answer.cancel()
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()

    async def _wait(self) -> AuthorizationCodeResult:
        try:
            async with asyncio.timeout(_LOGIN_S):
                return await self._answer
        except TimeoutError as error:
            raise AuthError(f"nobody logged in within {_LOGIN_S:g} s", fix="run the command again") from error

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(10):
                head = await reader.readuntil(b"\r\n\r\n")
            status, text = self._answered(head.split(b" ", 2)[1].decode("ascii", "replace"))
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            status, text = "400 Bad Request", "not a request"
        body = f"<!doctype html><title>Weft</title><p>{escape(text)}</p>".encode()
        head_out = f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {len(body)}"
        writer.write(f"{head_out}\r\nconnection: close\r\n\r\n".encode() + body)
        try:
            await writer.drain()
        except ConnectionError:
            return
        finally:
            writer.close()

    def _answered(self, target: str) -> tuple[str, str]:
        parts = urlsplit(target)
        if parts.path != _PATH:
            return "404 Not Found", "there is nothing here"
        found = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self._answer.done():
            return "409 Conflict", "this login is over"
        if "code" not in found:
            reason = found.get("error_description") or found.get("error") or "no code"
            self._answer.set_exception(AuthError(f"the login was refused: {reason[:300]}", fix="run the command again"))
            return "400 Bad Request", "The login was refused. You can close this window."
        result = AuthorizationCodeResult(code=found["code"], state=found.get("state"), iss=found.get("iss"))
        self._answer.set_result(result)
        return "200 OK", "You are logged in. You can close this window."


class _Person(OAuthClientProvider):
    """The flow with a browser: authorization code with PKCE, the token asked for this server alone."""

    def __init__(
        self,
        server: Server,
        tokens: TokenFile,
        redirect: str,
        show: Callable[[str], Awaitable[None]],
        wait: Callable[[], Awaitable[AuthorizationCodeResult]],
    ) -> None:
        grant = server.grant
        assert grant is not None
        metadata = OAuthClientMetadata(
            redirect_uris=[AnyUrl(redirect)],
            client_name="Weft",
            grant_types=["authorization_code", "refresh_token"],
            token_endpoint_auth_method="client_secret_basic" if grant.client_secret else "none",
            scope=grant.scope or None,
        )
        super().__init__(server.url, metadata, tokens, show, wait)
        self._tokens = tokens
        tokens.context = self.context

    async def _initialize(self) -> None:
        await super()._initialize()
        self._tokens.restore(self.context)


class _Machine(ClientCredentialsOAuthProvider):
    """The flow without a person; the credentials go to the named issuer only."""

    def __init__(self, server: Server, tokens: TokenFile, expand: Expand) -> None:
        grant = server.grant
        assert grant is not None
        if not (grant.client_id and grant.client_secret and grant.issuer):
            raise InputError(
                f"the client credentials of {server.shown} are not complete",
                fix="give client_id, client_secret (as ${NAME}) and issuer under oauth",
            )
        super().__init__(
            server.url,
            tokens,
            grant.client_id,
            expand(grant.client_secret),
            scope=grant.scope or None,
            issuer=grant.issuer,
        )
        self._tokens = tokens
        tokens.context = self.context

    async def _initialize(self) -> None:
        await super()._initialize()
        self._tokens.restore(self.context)


def _login_needed(server: Server) -> AuthError:
    return AuthError(f"{server.shown} wants somebody to log in", fix=f"run: weft mcp login FILE {server.id}")
