"""Sessions of browsers: which of them count, and the end of one of them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, Field

from weft.app.auditing import acts
from weft.core.clock import iso
from weft.core.errors import NotFoundError
from weft.server.caller import Caller, calling
from weft.server.control.routes import MAX_ID, At, errors, routes

api = routes("signins")
By = Annotated[Caller, Depends(calling)]
SignInId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]


class SignInView(BaseModel):
    """One session of a browser."""

    id: str
    user: str
    how: str = Field(description="`login` for the provider, `link` for a one-time link.")
    agent: str = Field(description="What the browser calls itself.")
    created_at: str
    expires_at: str
    current: bool = Field(description="Whether this very request was made in it.")


@api.get("", name="list")
async def list_signins(
    by: By,
    host: At,
    user: Annotated[
        str | None,
        Query(max_length=200, description="Whose, yours when it is left out; `*` for everybody in your tenant."),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="So many at most.")] = 100,
) -> list[SignInView]:
    """The sessions of browsers that count, the newest first: your own, or with `users:read` those of others."""
    if user not in {None, by.principal}:
        by.demand("users:read", "signins")
    whose = None if user == "*" else user or by.principal
    return [
        SignInView(
            id=one.id,
            user=one.principal,
            how=one.how,
            agent=one.agent,
            created_at=iso(one.created_at),
            expires_at=iso(one.expires_at),
            current=one.id == by.signin,
        )
        for one in host.identity.signins(tenant=by.tenant, principal=whose, limit=limit)
    ]


@api.delete("/{signin_id}", status_code=204, name="end", responses=errors(404))
async def end_signin(signin_id: SignInId, by: By, host: At) -> Response:
    """End a session of your own, or with `users:write` anybody's; what is being read in its name ends too."""
    # Who may end their own alone is not told whether somebody else has one of this id.
    whose = None if by.may("users:write") else by.principal

    async def ending() -> str:
        ended = await host.identity.end_signin(signin_id, tenant=by.tenant, principal=whose)
        if ended is None:
            raise NotFoundError(f"there is no session {signin_id!r}", fix="list the sessions to see those there are")
        return ended

    told = partial(acts.signin_end, signin_id)
    await host.trail.act(by.owner, told(), ending(), told=told)
    return Response(status_code=204)
