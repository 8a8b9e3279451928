"""A real server over HTTP on loopback, in the library of the protocol, with its own authorization server and faults on demand."""

import asyncio
import contextlib
import json
import logging
import secrets
import socket
from urllib.parse import parse_qs, urlencode

import uvicorn
from mcp.server.mcpserver import MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route


class WebServer:
    """`refuse` makes requests fail with that status, `location` sends them elsewhere, `guarded` asks them for a token."""

    def __init__(self, *, guarded=False, expires_in=3600):
        self.seen = []
        self.refuse = 0
        self.location = ""
        self.guarded = guarded
        self.expires_in = expires_in
        self.tokens = {}
        self.grants = []
        self.codes = {}
        self.port = 0

    @property
    def origin(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self):
        return f"{self.origin}/mcp"

    def app(self):
        server = MCPServer("web")

        @server.tool()
        def shout(text: str) -> str:
            """Makes a text loud."""
            return text.upper()

        @server.tool()
        def long(size: int) -> str:
            """A long text."""
            return "x" * size

        inner = server.streamable_http_app(streamable_http_path="/mcp")

        async def gate(scope, receive, send):
            request = Request(scope, receive)
            self.seen.append(dict(request.headers))
            answer = self._answer(request)
            await (answer or inner)(scope, receive, send)

        routes = [
            Route("/.well-known/oauth-protected-resource/mcp", self._resource),
            Route("/.well-known/oauth-authorization-server", self._metadata),
            Route("/register", self._register, methods=["POST"]),
            Route("/authorize", self._authorize),
            Route("/token", self._token, methods=["POST"]),
            Mount("/", gate),
        ]
        return Starlette(routes=routes, lifespan=lambda _: server.session_manager.run())

    def _answer(self, request):
        if self.refuse:
            return Response(status_code=self.refuse)
        if self.location:
            return RedirectResponse(self.location, status_code=307)
        if self.guarded and request.headers.get("authorization", "").removeprefix("Bearer ") not in self.tokens:
            where = f'Bearer resource_metadata="{self.origin}/.well-known/oauth-protected-resource/mcp"'
            return Response(status_code=401, headers={"www-authenticate": where})
        return None

    async def _resource(self, _):
        return JSONResponse({"resource": self.url, "authorization_servers": [f"{self.origin}/"]})

    async def _metadata(self, _):
        return JSONResponse(
            {
                "issuer": f"{self.origin}/",
                "authorization_endpoint": f"{self.origin}/authorize",
                "token_endpoint": f"{self.origin}/token",
                "registration_endpoint": f"{self.origin}/register",
                "response_types_supported": ["code"],
                "code_challenge_methods_supported": ["S256"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
                "token_endpoint_auth_methods_supported": ["none", "client_secret_basic"],
            }
        )

    async def _register(self, request):
        return JSONResponse({**json.loads(await request.body()), "client_id": "registered"}, status_code=201)

    async def _authorize(self, request):
        asked = dict(request.query_params)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_hex(8)
        self.codes[code] = asked
        answer = urlencode({"code": code, "state": asked["state"], "iss": f"{self.origin}/"})
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}")

    async def _token(self, request):
        form = {name: values[0] for name, values in parse_qs((await request.body()).decode()).items()}
        self.grants.append(form | {"basic": request.headers.get("authorization", "")})
        if form["grant_type"] == "authorization_code" and form["code"] not in self.codes:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        token = f"canary-token-{secrets.token_hex(8)}"
        self.tokens[token] = form
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.expires_in}
        if form["grant_type"] != "client_credentials":
            answer["refresh_token"] = f"canary-refresh-{secrets.token_hex(8)}"
        return JSONResponse(answer)


@contextlib.asynccontextmanager
async def served(web):
    listener = socket.create_server(("127.0.0.1", 0))
    web.port = listener.getsockname()[1]
    config = uvicorn.Config(web.app(), log_level=logging.CRITICAL, lifespan="on", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    task = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield web
    finally:
        server.should_exit = True
        await task
        listener.close()
