"""The host: it starts runs for whoever asks, drives them in this process, and takes up those that nobody drives."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from weft.app.admission.cookies import Cookies, Sealed
from weft.app.admission.keyset import KeySet
from weft.app.admission.tokens import Tokens
from weft.app.auditing.acts import Act, gate_decide, run_cancel
from weft.app.auditing.configured import note_file
from weft.app.auditing.trail import Trail
from weft.app.automation.desk import Desk
from weft.app.egress import egress_policy
from weft.app.expiring import Reminder
from weft.app.flags import Flags
from weft.app.identity import Identity
from weft.app.lasting import lasting
from weft.app.limits import Limits
from weft.app.local import LocalService
from weft.app.service import ModelChoice, NewFork, RunRequest
from weft.app.serving.automatic import Automatic
from weft.app.serving.conversations import Conversations
from weft.app.serving.drives import Drives
from weft.app.serving.library import Library
from weft.app.serving.replies import Replies
from weft.app.serving.sessions import Sessions
from weft.app.serving.tails import Tails
from weft.app.serving.trust import Trust
from weft.app.serving.turns import Begun, Turn, differs, new_run_id, request_of
from weft.app.telling.carriers import HttpCarrier, MailCarrier
from weft.app.telling.news import News
from weft.app.telling.signing import Keyring
from weft.app.telling.teller import Carrier, Teller
from weft.core.clock import SystemClock
from weft.core.errors import ConflictError, NotFoundError, RateLimitError, TransientError, WeftError
from weft.core.owner import Owner
from weft.core.settings import Settings
from weft.engine.answering import Decided, NewSignal
from weft.engine.questions import Answer
from weft.net.client import HttpClient
from weft.store.gates import mark_due
from weft.store.rates import forget as forget_rates
from weft.store.requests import Request, find, hold, let_go
from weft.store.runs import Run
from weft.store.signins import forget_signins

_LOG = logging.getLogger("weft.host")
_HOUSE_S = 600.0
_OVER_US = 86_400_000_000
"""Sessions of browsers are kept for a day after their end: what was being read then is read to its end."""
_GUESTS = 16
"""So many runs begin at once beyond those that are driven at most, of tenants of whom nothing is driven."""


class Host:
    """Everything that the service does, in the words of no protocol.

    Runs are driven as tasks of this process, `settings.server.runs` at most at once; what is asked for beyond that waits in the
    queue. `choice` goes over what workflows say of their models; `url` is the address under which the service is
    reached.
    """

    def __init__(self, settings: Settings, *, choice: ModelChoice | None = None, url: str = "") -> None:
        self.settings = settings
        self.choice = choice or ModelChoice(
            provider=settings.provider, model=settings.model, base_url=settings.base_url
        )
        self.clock = SystemClock()
        self.service = LocalService(settings, streaming=True, audits=False)
        self.journal = self.service.journal
        self.trail = Trail(self.journal, self.clock, settings.home)
        own = settings.server
        trust = Trust(own.registered_programs, own.registered_secrets, own.registered_addresses)
        told = partial(note_file, self.trail)
        self.library = Library(self.journal, settings.home, own.folders, told=told, trust=trust)
        self.automatic = Automatic(settings, self.library, self.choice)
        self.tails = Tails(self.journal, self.service.bus)
        self.replies = Replies(self.journal, self.tails)
        self.sessions = Sessions(self.journal, self.replies, self.clock, keep_days=settings.server.session_days)
        self.conversations = Conversations(self.journal, self.replies, self.tails, self.sessions, self.clock)
        self.identity = Identity(self.journal, self.clock)
        self.sealed = Sealed(settings.home, self.clock)
        self.cookies = Cookies(
            self.sealed, self.identity, self.journal, self.clock, hours=settings.identity.session_hours
        )
        self.limits = Limits(settings.rates, self.journal, self.clock, denied=self._limited)
        self.flags = Flags(self.journal, self.clock)
        self.news = News(self.journal, self.service.bus)
        self.keys = Keyring(settings.home)
        self.http = HttpClient(egress_policy(settings))
        shown = {"server.tls_cert": settings.server.tls_cert, "server.tls_clients": settings.server.tls_clients}
        self.certificates = Reminder(shown, self.clock, warn_days=settings.server.tls_warn_days)
        self.tokens = Tokens(settings.identity, self.identity, KeySet(self.http, self.clock, settings.identity))
        self.teller = Teller(self.journal, self.service.bus, self.clock, self._carriers(url))
        self.draining = False
        self._worker = self.service.worker(concurrency=settings.server.runs, report=_report)
        self._work: asyncio.Task[None] | None = None
        self._keeping: asyncio.Task[None] | None = None
        self._drives = Drives(self.service, self.tails)

    async def open(self) -> None:
        """Begin to take up runs that nobody drives, and those that schedules and triggers start."""
        work = partial(self._worker.run, drain_s=self.settings.server.drain_s)
        self._work = asyncio.ensure_future(lasting("the worker", work))
        self._keeping = asyncio.ensure_future(lasting("the keeping of sessions", self._keep_house))
        self.teller.open()

    def _carriers(self, url: str) -> dict[str, Carrier]:
        server = self.settings.server
        smtp = server.smtp_url.get_secret_value() if server.smtp_url is not None else None
        return {
            "weft": HttpCarrier(self.http, self.keys, self.clock),
            "smtp": MailCarrier(smtp, server.mail_from, url, self._asked),
        }

    def _asked(self, gate: str) -> Mapping[str, Any]:
        try:
            return self.journal.gates.get(gate).request
        except NotFoundError:
            return {}

    async def _keep_house(self) -> None:
        """Forget what has had its time, now and then."""
        while True:
            self.certificates.remind()
            try:
                await self.sessions.expire()
                await self.journal.writer.submit(forget_rates(self.clock.micros()))
                await self.journal.writer.submit(forget_signins(self.clock.micros() - _OVER_US))
            except WeftError as error:
                _LOG.warning("sessions could not be forgotten: %s", error.message)
            await self.clock.sleep(_HOUSE_S)

    async def drain(self) -> None:
        """Take up nothing new, and let running work go on for as long as the settings allow; what is left can be resumed."""
        self.draining = True
        self._worker.stop()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        left = await self._drives.stop(self.settings.server.drain_s)
        if self._work is not None:
            with suppress(asyncio.CancelledError):
                await self._work
        for run_id in left:
            # Nobody has asked for this run to stop: the next process is to take it up at once.
            await self.journal.writer.submit(partial(mark_due, run_id=run_id, at=self.clock.micros()))

    async def close(self) -> None:
        """Let go of everything."""
        self.news.close()
        self.tails.close()
        await self.teller.close()
        await self.tokens.keys.close()
        await self.http.aclose()
        await self.trail.finish()
        await self.service.close()

    async def converse(self, turn: Turn, *, after: str | None = "", queue: bool = False) -> Begun:
        """Begin a turn of a session: after its latest turn, or after the one named. A repeat under its key is no new turn.

        With `queue`, a turn that is running is waited for.

        Raises:
            ConflictError: a turn of the session is running, or waits for an answer.
            WeftError: as for `begin`.
        """
        if turn.key and (known := await self._known(turn)) is not None:
            return known
        if queue:
            await self.sessions.free(turn.owner, turn.session)
        async with self.sessions.lock(turn.owner, turn.session):
            prepared = await self.sessions.prepare(turn, after=after)
            # What the key stands for is what was asked, not what the session adds to it.
            begun = await self._begin(prepared, body=turn.digest())
            await self.sessions.begun(prepared, begun)
            return begun

    async def begin(self, turn: Turn) -> Begun:
        """Start the run that a turn asks for, or find the one that it has become before; nobody has to wait for its end.

        Raises:
            InputError: inputs are missing or wrong.
            ConflictError: its key was used for something else, or the service is about to stop.
            WeftError: the run cannot be started.
        """
        return await self._begin(turn, body=turn.digest() if turn.key else "")

    async def _known(self, turn: Turn) -> Begun | None:
        """What a turn has become under its key before."""
        held = await self.journal.writer.submit(find(turn.owner.tenant, turn.owner.principal, turn.scope, turn.key))
        if held is None or held.until <= self.clock.micros() or not self.journal.runs.has(held.run_id):
            return None
        if held.body != turn.digest():
            raise differs(turn)
        return Begun(held.run_id, first=False)

    async def _begin(self, turn: Turn, *, body: str) -> Begun:
        run_id = new_run_id()
        owner = Owner(turn.owner.tenant, turn.owner.principal, turn.session)
        if not turn.key:
            await self.limits.start(owner)
            return Begun(run_id, first=True, run=await self.start(request_of(turn, run_id, self.settings.home)))
        now = self.clock.micros()
        request = Request(
            tenant=turn.owner.tenant,
            principal=turn.owner.principal,
            scope=turn.scope,
            key=turn.key,
            body=body,
            run_id=run_id,
            at=now,
            until=now + int(turn.key_s * 1_000_000),
        )
        held = await self.journal.writer.submit(hold(request))
        if not held.same:
            raise differs(turn)
        if not held.first and self.journal.runs.has(held.run_id):
            return Begun(held.run_id, first=False)
        try:
            # A repeat costs nothing; only what begins a run does.
            await self.limits.start(owner)
            # The process that was the first may have died before there was a run: then this one makes it.
            run = await self.start(request_of(turn, held.run_id, self.settings.home))
        except ConflictError:
            if not self.journal.runs.has(held.run_id):
                raise
            return Begun(held.run_id, first=False)
        except BaseException:  # a client that leaves is one, too
            # The first request came to nothing: asking again, with what was wrong put right, is no repeat.
            await self.journal.writer.submit(let_go(replace(request, run_id=held.run_id)))
            raise
        return Begun(held.run_id, first=held.first, run=run)

    async def known(self, turn: Turn) -> str | None:
        """The run that a turn has become before, or is about to; None for a new one, and for another one under its key."""
        owner = turn.owner
        held = await self.journal.writer.submit(find(owner.tenant, owner.principal, turn.scope, turn.key))
        same = held is not None and held.until > self.clock.micros() and held.body == turn.digest()
        return held.run_id if held is not None and same else None

    async def forget(self, turn: Turn, run_id: str) -> None:
        """Lead repeats of a turn to its run no more: it came to nothing, and asking again is to start another."""
        if turn.key:
            owner = turn.owner
            held = await self.journal.writer.submit(find(owner.tenant, owner.principal, turn.scope, turn.key))
            if held is not None and held.run_id == run_id:
                await self.journal.writer.submit(let_go(held))

    async def start(self, request: RunRequest) -> Run | None:
        """Start a run and drive it in the background; how it began, unless it has to wait in the queue."""
        if self.draining:
            raise TransientError("the service is about to stop", fix="ask again in a moment", retry_after_s=5)
        self._admit(request.owner.tenant)
        tenant = request.owner.tenant
        full = len(self._drives) >= self.settings.server.runs and (
            self._drives.has(tenant) or len(self._drives) >= self.settings.server.runs + _GUESTS
        )
        if full:
            request = replace(request, queued=True)
        run_id = await self.service.start(request)
        run = self.service.fresh(run_id)
        if run is not None:
            self.tails.hold(run_id, run.head_seq)
            self._drives.begin(run_id, tenant=tenant)
        return run

    def _admit(self, tenant: str) -> None:
        """Let a run begin, as far as the flags allow it now."""
        if not self.flags.value("runs.accept", tenant=tenant):
            raise TransientError("no new runs are taken at the moment", fix="ask again later", retry_after_s=60)
        most = self.flags.value("runs.open_most", tenant=tenant)
        if most and len(self._drives) >= most:
            raise RateLimitError(f"{most} runs are open, and no more may be", fix="ask again later", retry_after_s=5)

    async def fork(
        self, run_id: str, *, at: str | None = None, before: str | None = None, changes: Mapping[str, str]
    ) -> str:
        """Create a run that shares the past of another one; see `Service.fork`. Its artifacts have a folder of their own."""
        run = self.journal.runs.get(run_id)
        await self.limits.start(Owner(run.tenant, run.principal))
        new = new_run_id()
        fork = NewFork(run_id=new, out=self.settings.home / "artifacts" / new)
        return await self.service.fork(run_id, at=at, before=before, changes=changes, new=fork)

    def go_on(self, run_id: str, *, reopen: bool = False) -> None:
        """Have a run driven on in the background, unless somebody drives it already."""
        if not self.draining:
            self._drives.begin(run_id, reopen=reopen)

    async def decide(self, run_id: str, gate: str | None, answer: Answer, *, principal: str = "") -> Decided:
        """Answer a gate; the run goes on at once. `principal` is who says it, where that is not whose answer it is."""
        by = Owner(self.journal.runs.get(run_id).tenant, principal or answer.by)
        whose = answer.by if by.principal != answer.by else ""

        def told(made: Decided) -> Act:
            return gate_decide(run_id, made.gate.id, whose)

        act = gate_decide(run_id, gate or "", whose)
        return await self.trail.act(by, act, self._decide(run_id, gate, answer), told=told)

    async def _decide(self, run_id: str, gate: str | None, answer: Answer) -> Decided:
        decided = await self.service.decide(run_id, gate, answer)
        self._wake(run_id)
        return decided

    async def signal(self, run_id: str, signal: NewSignal) -> bool:
        """Send a signal; the run goes on at once."""
        new = await self.service.signal(run_id, signal)
        self._wake(run_id)
        return new

    def desk(self, owner: Owner) -> Desk:
        """Where the schedules and triggers of a tenant are changed."""
        return Desk(self.journal, self.clock, owner)

    async def cancel(self, run_id: str, *, reason: str = "", principal: str = "local") -> bool:
        """Cancel a run, whoever drives it; False when it had ended."""
        by = Owner(self.journal.runs.get(run_id).tenant, principal)
        told = partial(run_cancel, run_id, reason)
        return await self.trail.act(by, told(), self.service.cancel(run_id, reason=reason), told=told)

    def signed_in(self, owner: Owner, how: str) -> None:
        """Note that somebody has come in."""
        self.trail.later(self.trail.of(owner, Act("sign-in", "service", {"by": how})), soon=True)

    def refused(self, reason: str, *, more: int = 0) -> None:
        """Note that somebody was turned away, and how many `more` were before whom nobody noted."""
        facts = {"reason": reason, **({"more": more} if more else {})}
        self.trail.later(self.trail.entry("", "sign-in", "service", facts, outcome="denied"), soon=True)

    def _limited(self, owner: Owner, reason: str) -> None:
        act = Act("limit", "service", {"reason": reason})
        self.trail.later(self.trail.of(owner, act, outcome="denied"), soon=True)

    def denied(self, tenant: str, principal: str, right: str, where: str) -> None:
        """Note, without anybody waiting for it, that somebody had not the right to do something."""
        self.trail.later(self.trail.entry(principal, right, where[:300], outcome="denied", tenant=tenant), soon=True)

    def _wake(self, run_id: str) -> None:
        """What a run waits for has come: drive it now rather than when the worker looks next."""
        run = self.journal.runs.get(run_id)
        if run.status == "waiting" and not run.driven:
            self.go_on(run_id)


def _report(what: str, about: Mapping[str, Any]) -> None:
    """What the worker does, in the log."""
    level = logging.WARNING if what in {"trouble", "storage"} else logging.DEBUG
    _LOG.log(level, "%s %s", what, dict(about))
