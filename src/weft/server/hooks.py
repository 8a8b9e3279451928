"""Messages from outside that start runs: ``POST /hooks/<trigger>``, signed, each of them once."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse

from weft.app.auditing.acts import Act
from weft.app.automation.firing import run_id_of
from weft.app.automation.rules import HookTrigger, read
from weft.app.hosting import Host
from weft.app.telling.signing import UnprovenError, verify, verify_github
from weft.core.errors import AuthError, ConflictError, InputError, TransientError
from weft.core.owner import LOCAL, Owner
from weft.server.rooms import Rooms
from weft.store.automations import Automation, Firing, fire

PREFIX = "/hooks/"
MAX_BYTES = 262_144
"""The largest message that becomes an input."""


def install(app: FastAPI, rooms: Rooms) -> None:
    """Put the door for webhook triggers into `app`. Their signature is their credential: no other is asked for."""
    host = rooms.host
    router = APIRouter(tags=["hooks"])

    @router.post(PREFIX + "{name}", operation_id="hooks_receive", status_code=202)
    async def receive(name: str, request: Request) -> JSONResponse:
        """Start a run of the trigger's workflow; the same message again is answered with the same run."""
        return await received(LOCAL.tenant, name, request)

    @router.post(PREFIX + "{tenant}/{name}", operation_id="hooks_receive_of", status_code=202)
    async def receive_of(tenant: str, name: str, request: Request) -> JSONResponse:
        """The same for a trigger of one of several tenants."""
        return await received(tenant, name, request)

    async def received(tenant: str, name: str, request: Request) -> JSONResponse:
        body = await request.body()
        if len(body) > MAX_BYTES:
            raise InputError(
                f"a message may have {MAX_BYTES} bytes", fix="send a reference to what is longer", status=413
            )
        given = {key.lower(): value for key, value in request.headers.items()}
        try:
            automation, rule, message_id = _admitted(host, tenant, name, given, body)
        except AuthError as error:
            rooms.doorkeeper.note_refusal(error)
            raise
        if not host.flags.value("hooks.accept", tenant=automation.tenant):
            raise TransientError("no messages are taken at the moment", fix="send it again later", retry_after_s=60)
        found = await _fire(host, automation, rule, message_id, body)
        return JSONResponse({"run": found.run_id}, 202)

    app.include_router(router)


def trigger_secret(host: Host, tenant: str, name: str, version: int) -> str:
    """The secret with which messages to a trigger are signed."""
    place = name if tenant == LOCAL.tenant else f"{tenant}/{name}"
    return host.keys.secret(f"trigger:{place}", version)


def _admitted(
    host: Host, tenant: str, name: str, given: Mapping[str, str], body: bytes
) -> tuple[Automation, HookTrigger, str]:
    """The trigger of this name, and the id of the message.

    Raises:
        AuthError: the message proves nothing; where there is no such trigger, none does.
    """
    known = host.journal.automations.of_kind("webhook", tenant=tenant)
    found = next((one for one in known if one.name == name), None)
    rule = HookTrigger() if found is None else read(found.kind, found.rule)
    assert isinstance(rule, HookTrigger)
    secret = trigger_secret(host, tenant, "" if found is None else found.name, rule.version)
    try:
        if rule.scheme == "github":
            message_id = verify_github(secret, given, body)
        else:
            message_id = verify(secret, given, body, now=host.clock.micros() / 1_000_000)
    except UnprovenError:
        found, message_id = None, ""
    if found is None:
        # One answer for all: another one would tell that there is such a trigger, or in which way it is signed to.
        raise AuthError(
            "the message is not signed with the secret of a trigger of this name",
            fix="send Webhook-Id, Webhook-Timestamp (seconds) and Webhook-Signature over `id.timestamp.body`, or what GitHub sends",
        )
    return found, rule, message_id


async def _fire(host: Host, automation: Automation, rule: HookTrigger, message_id: str, body: bytes) -> Firing:
    if automation.paused:
        raise ConflictError("the trigger is paused", fix="let it go on, then send the message again")
    try:
        text = body.decode()
    except UnicodeDecodeError:
        raise InputError("the message is not UTF-8", fix="send JSON or text in UTF-8") from None
    now = host.clock.micros()
    firing = Firing(
        automation=automation.name,
        tenant=automation.tenant,
        key=message_id,
        status="due",
        run_id=run_id_of(automation, message_id, automation.created_at),
        nominal=now,
        at=now,
        variables={rule.variable: text},
    )
    await host.journal.writer.submit(fire([firing]))
    host.journal.inbox.ring()
    act = Act("trigger.fire", f"trigger/{automation.name}", {"message": message_id})
    await host.trail.note(host.trail.of(Owner(automation.tenant, "hook"), act))
    return firing
