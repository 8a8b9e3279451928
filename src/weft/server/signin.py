"""Signing in with a browser: at the provider of the settings, or with a link that the user of this machine was given."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from weft.app.admission.cookies import LOGIN, SESSION, use_link
from weft.app.admission.login import Login
from weft.app.auditing.acts import Act
from weft.app.identity import Known
from weft.core.errors import AuthError
from weft.server.caller import Caller, caller_of, cookie_of
from weft.server.rooms import Rooms

_LOGIN_S = 600


def install(app: FastAPI, rooms: Rooms) -> None:
    """Serve ``/auth``."""
    router = APIRouter(prefix="/auth", include_in_schema=False)
    host = rooms.host
    secure = rooms.url.startswith("https://")
    login = Login(host.settings.identity, host.http, host.tokens, host.sealed, url=rooms.url)

    @router.get("/login")
    async def begin(to: Annotated[str, Query(max_length=500)] = "/") -> Response:
        """Go to the provider."""
        away = await login.begin(to)
        response = RedirectResponse(away.url, 303)
        response.set_cookie(
            LOGIN, away.cookie, max_age=_LOGIN_S, httponly=True, samesite="lax", secure=secure, path="/auth"
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    @router.get("/callback")
    async def finish(
        request: Request,
        state: Annotated[str, Query(max_length=500)] = "",
        code: Annotated[str, Query(max_length=4_000)] = "",
        error: Annotated[str, Query(max_length=200)] = "",
    ) -> Response:
        """Come back from the provider."""
        try:
            if error or not code:
                raise AuthError("the provider did not sign you in", fix="begin again at /auth/login")
            known, to = await login.finish(cookie_of(request, LOGIN), state, code)
        except AuthError as refusal:
            host.refused(refusal.message)
            raise
        return await _entered(rooms, request, known, to, "login")

    _others(router, rooms)
    app.include_router(router)


def _others(router: APIRouter, rooms: Rooms) -> None:
    """What needs no provider."""
    host = rooms.host

    @router.get("/link")
    async def link(request: Request, code: Annotated[str, Query(max_length=2_000)]) -> Response:
        """Sign the user of this machine in, once."""
        try:
            known = await use_link(host.sealed, host.journal, host.identity, host.clock, code)
        except AuthError as refusal:
            host.refused(refusal.message)
            raise
        return await _entered(rooms, request, known, "/", "link")

    @router.post("/logout")
    async def leave(by: Annotated[Caller, Depends(caller_of)]) -> Response:
        """End the session of this browser, and what is being read in its name."""

        async def leaving() -> None:
            if by.signin:
                await host.identity.end_signin(by.signin, tenant=by.tenant)

        await host.trail.act(by.owner, Act("sign-out", "service"), leaving())
        response = Response(status_code=204)
        response.delete_cookie(SESSION)
        return response

    @router.get("/me")
    async def me(by: Annotated[Caller, Depends(caller_of)]) -> JSONResponse:
        """Who calls, and what they may do."""
        known: dict[str, Any] = {"tenant": by.tenant, "principal": by.principal, "rights": sorted(by.rights)}
        return JSONResponse(known | {"identity": "off" if rooms.doorkeeper.open else "on"})


async def _entered(rooms: Rooms, request: Request, known: Known, to: str, how: str) -> Response:
    """What a browser gets that has signed in: its session, and the way on."""
    rooms.host.signed_in(known.owner, how)
    cookies = rooms.host.cookies
    session = await cookies.enter(known, how, request.headers.get("user-agent", ""))
    response = RedirectResponse(to, 303)
    response.set_cookie(
        SESSION,
        session,
        max_age=int(cookies.for_s),
        httponly=True,
        samesite="lax",
        secure=rooms.url.startswith("https://"),
    )
    response.delete_cookie(LOGIN, path="/auth")
    response.headers["Cache-Control"] = "no-store"
    return response
