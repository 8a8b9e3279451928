"""``weft signins``: the sessions of browsers, and the end of one of them."""

from __future__ import annotations

from functools import partial
from typing import Annotated

import typer

from weft.app.auditing.acts import signin_end
from weft.cli.deskwork import LOCAL, Desk, Tenant, at_desk, print_rows
from weft.cli.options import AsJson
from weft.cli.render.figures import when
from weft.cli.terminal import clean, say, say_json
from weft.core.clock import iso
from weft.core.errors import NotFoundError
from weft.store.signins import SignIn


def list_signins(
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="USER", help="Whose; everybody's when left out.", show_default=False),
    ] = None,
    tenant: Tenant = LOCAL,
    as_json: AsJson = False,
) -> None:
    """List the sessions of browsers that count, the newest first."""

    async def look(desk: Desk) -> list[SignIn]:
        return desk.identity.signins(tenant=tenant, principal=user)

    found = at_desk(look)
    if as_json:
        say_json({"signins": [_view(one) for one in found]})
        return
    print_rows(
        ("SESSION", "USER", "BY", "SINCE", "UNTIL", "BROWSER"),
        [(one.id, one.principal, one.how, when(one.created_at), when(one.expires_at), one.agent[:40]) for one in found],
    )


def end_signin(
    session: Annotated[str, typer.Argument(metavar="SESSION", help="The id of the session.", show_default=False)],
    tenant: Tenant = LOCAL,
    as_json: AsJson = False,
) -> None:
    """End a session; it counts no more from this moment, and what is being read in its name ends."""

    async def end(desk: Desk) -> None:
        async def ending() -> str:
            ended = await desk.identity.end_signin(session, tenant=tenant)
            if ended is None:
                raise NotFoundError(
                    f"there is no session {session!r}", fix="see those there are with `weft signins list`"
                )
            return ended

        told = partial(signin_end, session)
        await desk.act(tenant, told(), ending(), told=told)

    at_desk(end)
    if as_json:
        say_json({"ended": session})
        return
    say(f"{clean(session)} counts no more.")


def _view(one: SignIn) -> dict[str, str]:
    return {
        "id": one.id,
        "user": one.principal,
        "how": one.how,
        "agent": one.agent,
        "tenant": one.tenant,
        "created_at": iso(one.created_at),
        "expires_at": iso(one.expires_at),
    }
