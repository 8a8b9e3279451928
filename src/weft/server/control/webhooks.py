"""Webhooks: whom to tell what happens, by signed requests or by mail, and what came of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal
from urllib.parse import urlsplit

from fastapi import Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from weft.app.auditing.acts import Act
from weft.app.hosting import Host
from weft.app.telling.carriers import check_address
from weft.app.telling.news import TOPICS
from weft.core.clock import iso
from weft.core.errors import InputError, PolicyError
from weft.core.ids import uuid7
from weft.net.egress import check_url
from weft.server.caller import Caller
from weft.server.control.pages import MOST
from weft.server.control.routes import MAX_ID, At, allowed, errors, own_run, routes
from weft.store.port import Work
from weft.store.webhooks import Delivery, Webhook, add, change, enqueue, remove

api = routes("webhooks")
Reader = Annotated[Caller, Depends(allowed("webhooks:read"))]
Editor = Annotated[Caller, Depends(allowed("webhooks:write"))]
HookId = Annotated[str, Path(min_length=1, max_length=MAX_ID)]
_MOST_HOOKS = 1_000
_KINDS = ("weft", "smtp")


class NewWebhook(BaseModel):
    """Somebody to tell: `weft` posts signed JSON to an address, `smtp` sends mail to one."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"url": "https://example.org/hooks/weft", "topics": ["gates"]}}
    )

    url: str = Field(min_length=3, max_length=2_000, description="Where to: an https address, or a mail address.")
    topics: list[str] = Field(
        min_length=1, max_length=20, description="What about: `runs`, `gates`, `budgets`, or `run/<id>` for one run."
    )
    kind: Literal["weft", "smtp"] = "weft"


class ChangedWebhook(BaseModel):
    """What is to change of a webhook."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": {"paused": True}})

    paused: bool | None = None
    new_secret: bool = Field(default=False, description="Sign with another secret from now on; it is told once.")


class WebhookView(BaseModel):
    """One webhook."""

    id: str
    kind: str
    url: str
    topics: list[str]
    paused: bool
    created_at: str
    secret: str | None = Field(
        default=None, description="What its messages are signed with; told when it is made, and never again."
    )


class DeliveryView(BaseModel):
    """Something that a webhook was told or is to be told. `answer` is what came of the last attempt."""

    id: str
    status: str
    attempts: int
    next_at: str
    answer: str
    created_at: str


def _view(webhook: Webhook, secret: str | None = None) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        kind=webhook.kind,
        url=webhook.url,
        topics=list(webhook.topics),
        paused=webhook.paused,
        created_at=iso(webhook.created_at),
        secret=secret,
    )


def _own(host: Host, webhook_id: str, by: Caller) -> Webhook:
    return host.journal.webhooks.get(webhook_id, tenant=by.tenant)


@api.get("", name="list")
async def list_webhooks(by: Reader, host: At) -> list[WebhookView]:
    """All webhooks, the oldest first."""
    return [_view(one) for one in host.journal.webhooks.of(tenant=by.tenant, kinds=_KINDS)]


@api.post("", status_code=201, responses=errors(404))
async def create(body: NewWebhook, by: Editor, host: At) -> WebhookView:
    """Add a webhook. Where requests may go is what the settings of the service allow."""
    if len(host.journal.webhooks.of(tenant=by.tenant)) >= _MOST_HOOKS:
        raise InputError(f"there may be {_MOST_HOOKS} webhooks", fix="remove one first")
    for topic in body.topics:
        if topic.startswith("run/"):
            own_run(host, topic.removeprefix("run/"), by)
        elif topic not in TOPICS:
            raise InputError(f"there is no topic {topic[:60]!r}", fix=f"topics are {', '.join(TOPICS)} and run/<id>")
    url = await _address(host, by, body)
    made = Webhook(
        id=uuid7(),
        kind=body.kind,
        url=url,
        topics=tuple(body.topics),
        principal=by.principal,
        created_at=host.clock.micros(),
        tenant=by.tenant,
    )
    # The way behind the host may hold what only its owner should know.
    where = {"host": urlsplit(url).hostname or url.rpartition("@")[2]}
    await _changed(host, by, Act("webhook.add", f"webhook/{made.id}", where), add(made))
    return _view(made, host.keys.secret(made.id) if made.kind == "weft" else None)


@api.get("/{webhook_id}", responses=errors(404))
async def show(webhook_id: HookId, by: Reader, host: At) -> WebhookView:
    """One webhook."""
    return _view(_own(host, webhook_id, by))


@api.patch("/{webhook_id}", name="change", responses=errors(404))
async def change_webhook(webhook_id: HookId, body: ChangedWebhook, by: Editor, host: At) -> WebhookView:
    """Pause a webhook, let it go on, or give it another secret."""
    found = _own(host, webhook_id, by)
    version = int(found.config.get("version", 1)) + body.new_secret
    paused = found.paused if body.paused is None else body.paused
    changed = replace(found, paused=paused, config={**found.config, "version": version})
    await _changed(host, by, Act("webhook.change", f"webhook/{webhook_id}", body.model_dump()), change(changed))
    return _view(changed, host.keys.secret(changed.id, version) if body.new_secret else None)


@api.delete("/{webhook_id}", status_code=204, responses=errors(404))
async def delete(webhook_id: HookId, by: Editor, host: At) -> Response:
    """Tell it no more."""
    found = _own(host, webhook_id, by)
    await _changed(host, by, Act("webhook.remove", f"webhook/{webhook_id}"), remove(found))
    return Response(status_code=204)


@api.get("/{webhook_id}/deliveries", responses=errors(404))
async def deliveries(
    webhook_id: HookId, by: Reader, host: At, limit: Annotated[int, Query(ge=1, le=MOST)] = 50
) -> list[DeliveryView]:
    """What it was told and is to be told, the latest first."""
    return [
        DeliveryView(
            id=one.id,
            status=one.status,
            attempts=one.attempts,
            next_at=iso(one.next_at),
            answer=one.answer,
            created_at=iso(one.created_at),
        )
        for one in host.journal.webhooks.told(_own(host, webhook_id, by), limit=limit)
    ]


@api.post("/{webhook_id}/test", status_code=202, responses=errors(404))
async def test(webhook_id: HookId, by: Editor, host: At) -> DeliveryView:
    """Tell it something of the type `test`, to see whether it arrives."""
    found, now = _own(host, webhook_id, by), host.clock.micros()
    body = f'{{"seq":0,"topic":"test","type":"test","at":{now},"data":{{"run":"","workflow":""}}}}'
    made = Delivery(webhook=found.id, id=f"test:{uuid7()}", body=body, next_at=now, created_at=now, tenant=found.tenant)
    await _changed(host, by, Act("webhook.test", f"webhook/{webhook_id}"), enqueue([made]))
    host.teller.ring()
    return DeliveryView(id=made.id, status="due", attempts=0, next_at=iso(now), answer="", created_at=iso(now))


async def _address(host: Host, by: Caller, body: NewWebhook) -> str:
    """Where a new webhook is to be told; that somebody wants what the rules for egress deny is an entry of the audit log."""
    try:
        return check_address(body.url) if body.kind == "smtp" else check_url(body.url, host.http.policy).url
    except PolicyError as error:
        act = Act("webhook.add", "webhook/", {"reason": error.message[:200]})
        await host.trail.note(host.trail.of(by.owner, act, outcome="denied"))
        raise


async def _changed(host: Host, by: Caller, act: Act, work: Work) -> None:
    async def changing() -> None:
        await host.journal.writer.submit(work)
        host.teller.refresh()

    await host.trail.act(by.owner, act, changing())
