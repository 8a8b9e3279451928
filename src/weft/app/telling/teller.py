"""The teller: finds what webhooks are to be told, and tells them until it arrives."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from weft.app.lasting import lasting
from weft.app.telling.news import envelope, topic_of
from weft.bus.envelope import DELTA
from weft.bus.local import LocalBus
from weft.core.clock import Clock
from weft.core.errors import NotFoundError, PolicyError, WeftError
from weft.core.event import Event
from weft.store import webhooks as store
from weft.store.journal import Journal
from weft.store.runs import Run
from weft.store.webhooks import Delivery, Webhook

_LOG = logging.getLogger("weft.telling")
_WAITS_S = (5, 30, 120, 600, 3_600, 4 * 3_600, 12 * 3_600)
"""Seconds between attempts; after the last one a delivery has failed."""
_SWEEP_S = 30.0
_SLACK_US = 60_000_000
"""How far back a sweep looks behind the newest thing that was found (microseconds): what is found twice is told once."""
_AT_ONCE = 16
_RUNS = 1_000


class Carrier(Protocol):
    """Carries deliveries of one form."""

    async def carry(self, webhook: Webhook, delivery: Delivery) -> str:
        """Deliver, and say what was answered.

        Raises:
            WeftError: it did not arrive; one of policy is not tried again.
        """
        ...


class Teller:
    """Tells the webhooks of one journal, in the forms that `carriers` know."""

    def __init__(self, journal: Journal, bus: LocalBus, clock: Clock, carriers: Mapping[str, Carrier]) -> None:
        self._journal = journal
        self._bus = bus
        self._clock = clock
        self._carriers = carriers
        self._tasks: list[asyncio.Task[None]] = []
        self._rung = asyncio.Event()
        self._known: list[Webhook] = []

    def open(self) -> None:
        """Begin."""
        self.refresh()
        works = (self._listen, self._sweep, self._deliver)
        self._tasks = [asyncio.ensure_future(lasting("the telling of webhooks", work)) for work in works]

    async def close(self) -> None:
        """Stop; what was not delivered is, by the next process."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def refresh(self) -> None:
        """Take note of webhooks that were added or changed."""
        self._known = self._journal.webhooks.active(*self._carriers)

    def ring(self) -> None:
        """There is something to deliver."""
        self._rung.set()

    async def _listen(self) -> None:
        """Take what the bus tells of runs that this process drives."""
        async with self._bus.subscribe("run", max_queue=10_000) as heard:
            async for one in heard:
                if self._known and one.type != DELTA and isinstance(one.data, Event):
                    await self._safely([one.data])

    async def _safely(self, events: Iterable[Event]) -> None:
        try:
            await self._find(events, self._known)
        except WeftError as error:
            _LOG.warning("what webhooks are to be told could not be kept: %s", error.message)

    async def _sweep(self) -> None:
        """Find what was missed: what other processes did, and what happened while nobody listened."""
        while True:
            try:
                self.refresh()
                for webhook in self._known:
                    since = self._journal.webhooks.latest(webhook) - _SLACK_US
                    for run in self._changed(webhook, since):
                        events = [
                            event
                            for event in self._journal.events(run.id)
                            if event.at >= max(since, webhook.created_at)
                        ]
                        await self._find(events, [webhook])
            except WeftError as error:
                _LOG.warning("webhooks could not be looked after: %s", error.message)
            self._rung.set()
            await self._clock.sleep(_SWEEP_S)

    def _changed(self, webhook: Webhook, since: int) -> list[Run]:
        if webhook.run_id is not None:
            try:
                run = self._journal.runs.get(webhook.run_id)
            except NotFoundError:
                return []
            return [run] if run.updated_at >= since else []
        return [run for run in self._journal.runs.list(tenant=webhook.tenant, limit=_RUNS) if run.updated_at >= since]

    async def _find(self, events: Iterable[Event], hooks: list[Webhook]) -> None:
        found: list[Delivery] = []
        now = self._clock.micros()
        for event in events:
            wanted = [hook for hook in hooks if _wants(hook, event)]
            if not wanted:
                continue
            run = self._journal.runs.get(event.run_id)
            for hook in wanted:
                if hook.tenant == run.tenant:
                    body = json.dumps(envelope(event, run.workflow, _topic(event)), ensure_ascii=False)
                    found.append(
                        Delivery(
                            tenant=hook.tenant,
                            webhook=hook.id,
                            id=f"{event.run_id}:{event.seq}",
                            body=body,
                            next_at=now,
                            created_at=now,
                        )
                    )
        if found and await self._journal.writer.submit(store.enqueue(found)):
            self._rung.set()

    async def _deliver(self) -> None:
        while True:
            try:
                due = self._journal.webhooks.due(self._clock.micros(), limit=_AT_ONCE)
                await asyncio.gather(*(self._attempt(one) for one in due))
            except WeftError as error:
                _LOG.warning("webhooks could not be told: %s", error.message)
                due = []
            if not due:
                self._rung.clear()
                try:
                    async with asyncio.timeout(1.0):
                        await self._rung.wait()
                except TimeoutError:
                    pass

    async def _attempt(self, delivery: Delivery) -> None:
        now = self._clock.micros()
        # Kept before it is tried: when the process dies meanwhile, nobody tries again at once.
        attempts = delivery.attempts + 1
        last = attempts > len(_WAITS_S)
        next_at = now + 1_000_000 * (_WAITS_S[attempts - 1] if not last else _WAITS_S[-1])
        tried = replace(delivery, attempts=attempts, next_at=next_at)
        await self._journal.writer.submit(store.settle(tried))
        try:
            webhook = self._journal.webhooks.get(delivery.webhook, tenant=delivery.tenant)
            answer = await self._carriers[webhook.kind].carry(webhook, tried)
            done = replace(tried, status="delivered", answer=answer[:300])
        except WeftError as error:
            over = last or isinstance(error, PolicyError | NotFoundError)
            done = replace(tried, status="failed" if over else "due", answer=f"{error.code}: {error.message}"[:300])
            _LOG.info("webhook %s was not told: %s", delivery.webhook, error.message)
        await self._journal.writer.submit(store.settle(done))


def _wants(hook: Webhook, event: Event) -> bool:
    if hook.run_id is not None and hook.run_id != event.run_id:
        return False
    return f"run/{event.run_id}" in hook.topics or _topic(event) in hook.topics


def _topic(event: Event) -> str:
    return topic_of(event.kind) or f"run/{event.run_id}"


def as_told(delivery: Delivery) -> Mapping[str, Any]:
    """What a delivery says."""
    told: Mapping[str, Any] = json.loads(delivery.body)
    return told
