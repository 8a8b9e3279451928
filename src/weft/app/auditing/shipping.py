"""Shipping the audit log to where it is kept apart from this machine: each entry in order, none left out, none twice unseen."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from uuid import uuid4

from weft.app.auditing.proof import head_line
from weft.app.parts import load
from weft.core.clock import Clock
from weft.core.errors import MismatchError, NotFoundError, TransientError, UnsupportedError, WeftError
from weft.core.settings_model import AuditShipping
from weft.store.audit_chain import GENESIS, Row, line
from weft.store.journal import Journal
from weft.store.shipments import Shipment, arrived, claim, let_go

_LOG = logging.getLogger("weft.audit")
_MAX_BYTES = 8_388_608
_HELD_S = 300.0
"""How long a batch may take before another process may try."""
_STOP_S = 20.0
_TRIES = 4
_FIRST_S, _MOST_S = 1.0, 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Entries `first` to `last` of a tenant as lines of an export, with their times; `head` is the signed end when it is theirs.

    `again` says that they, or the first of them, may have arrived already.
    """

    tenant: str
    first: int
    last: int
    lines: Sequence[bytes]
    times: Sequence[int]
    hash: str
    head: bytes | None = None
    again: bool = False


class Target(Protocol):
    """A place that the log is shipped to."""

    @property
    def name(self) -> str:
        """What is remembered of it; another place has another name."""
        ...

    def put(self, batch: Batch) -> None:
        """Return once the batch is kept there.

        Raises:
            WeftError: it is not, or not known to be.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """Entries that have arrived."""

    tenant: str
    first: int
    last: int


def targets(own: AuditShipping) -> list[Target]:
    """The places that the settings name.

    Raises:
        WeftError: one of them cannot be reached from this installation.
    """
    if own.s3_bucket is None and own.log_group is None:
        return []
    try:
        aws = load("audit-aws")
    except ImportError as error:
        raise UnsupportedError("shipping the audit log to AWS needs an extra", fix="pip install 'weft[aws]'") from error
    found: list[Target] = []
    where = {"region": own.aws_region, "endpoint": own.aws_endpoint}
    if own.s3_bucket is not None:
        found.append(aws.Bucket(own.s3_bucket, own.s3_prefix, **where))
    if own.log_group is not None:
        found.append(aws.LogGroup(own.log_group, **where))
    return found


class Shipper:
    """Ships from one process; any number of them may share a journal, and one at a time ships a tenant's log to a target."""

    def __init__(self, journal: Journal, targets: Sequence[Target], clock: Clock, *, batch: int) -> None:
        self._journal = journal
        self._targets = targets
        self._clock = clock
        self._batch = batch
        self._holder = uuid4().hex
        self._stopping = threading.Event()

    async def run(self, *, every_s: float) -> None:
        """Ship what is new, again and again, until it is cancelled; what cannot be sent is tried later, and later each time."""
        await asyncio.gather(*(self._serve(target, every_s) for target in self._targets))

    def ship(self, target: Target) -> Iterator[Shipped]:
        """Ship what is new to a target; blocks.

        Raises:
            WeftError: something could not be sent. What has arrived is remembered, and the logs of other tenants were sent.
        """
        refused: WeftError | None = None
        for tenant in self._journal.audit.tenants():
            try:
                while not self._stopping.is_set() and (shipped := self._next(target, tenant)) is not None:
                    yield shipped
            except WeftError as error:
                refused = refused or error
        if refused is not None:
            raise refused

    def patiently(self, target: Target) -> Iterator[Shipped]:
        """Ship what is new as `ship` does, and try a few times before giving up; blocks."""
        for attempt in range(1, _TRIES + 1):
            try:
                yield from self.ship(target)
            except TransientError:
                if attempt == _TRIES:
                    raise
                time.sleep(_pause(attempt, _FIRST_S))
            else:
                return

    async def _serve(self, target: Target, every_s: float) -> None:
        failures = 0
        while True:
            work = asyncio.ensure_future(asyncio.to_thread(self._all, target))
            try:
                failures = 0 if await asyncio.shield(work) else failures + 1
            except asyncio.CancelledError:
                self._stopping.set()
                # A batch that is on its way ends by itself: the journal has to stay open for as long.
                await asyncio.wait([work], timeout=_STOP_S)
                raise
            await self._clock.sleep(_pause(failures, every_s) if failures else every_s)

    def _all(self, target: Target) -> bool:
        try:
            for one in self.ship(target):
                _LOG.info("audit entries %d to %d of %s shipped to %s", one.first, one.last, one.tenant, target.name)
        except WeftError as error:
            _LOG.warning("the audit log was not shipped to %s: %s", target.name, error.message)
            return False
        except Exception:  # noqa: BLE001 -- told in the log
            # A defect here is no reason to stop what the process is there for.
            _LOG.exception("a defect while shipping the audit log to %s", target.name)
            return False
        return True

    def _next(self, target: Target, tenant: str) -> Shipped | None:
        known = self._journal.shipments.get(tenant, target.name)
        head = self._journal.audit.head(tenant)
        if head is None or (not known.sending and head.seq <= known.seq):
            return None
        # How many they are is decided once, before anything is sent.
        last = known.sending or self._read(tenant, known.seq, min(head.seq, known.seq + self._batch)).last
        now = self._clock.micros()
        work = claim(tenant, target.name, self._holder, last=last, now=now, until=now + int(_HELD_S * 1e6))
        one: Shipment | None = self._journal.writer.call(work)
        if one is None:
            return None
        own = replace(one, sending=one.sending or last)
        try:
            batch = self._read(tenant, own.seq, own.sending, whole=True)
            known_head = head_line(head) if head.seq == batch.last else None
            target.put(replace(batch, head=known_head, again=bool(one.sending)))
        except WeftError:
            self._journal.writer.call(let_go(own))
            raise
        self._journal.writer.call(arrived(own))
        return Shipped(tenant=tenant, first=batch.first, last=batch.last)

    def _read(self, tenant: str, after: int, last: int, *, whole: bool = False) -> Batch:
        """The entries after one up to another, or as many of them as a batch holds.

        Raises:
            MismatchError: an entry is missing.
        """
        prev = GENESIS if not after else self._journal.audit.hash_of(tenant, after)
        if prev is None:
            raise NotFoundError(
                f"entry {after} of the audit log of {tenant} is gone",
                fix="compare it with what was shipped: `weft audit verify`",
            )
        lines: list[bytes] = []
        times: list[int] = []
        size, expected = 0, after
        for row in self._rows(tenant, after, last):
            expected += 1
            if row.seq != expected:
                break
            made = line(row, prev)
            if lines and not whole and size + len(made) > _MAX_BYTES:
                last = expected - 1
                break
            lines.append(made)
            times.append(row.at)
            prev, size = row.hash, size + len(made) + 1
        if after + len(lines) != last:
            missing = after + len(lines) + 1
            raise MismatchError(
                f"entry {missing} of the audit log of {tenant} is missing", fix="see `weft audit verify`"
            )
        return Batch(tenant=tenant, first=after + 1, last=last, lines=lines, times=times, hash=prev)

    def _rows(self, tenant: str, after: int, last: int) -> Iterator[Row]:
        for row in self._journal.audit.rows(tenant, after=after):
            if row.seq > last:
                return
            yield row


def beside(journal: Journal, own: AuditShipping, clock: Clock) -> Callable[[], Awaitable[None]] | None:
    """What a process does beside its work, if the settings name a place to ship to."""
    found = targets(own)
    return partial(Shipper(journal, found, clock, batch=own.batch).run, every_s=own.every_s) if found else None


def _pause(failures: int, first_s: float) -> float:
    """Twice as long each time, by chance up to a half less, so that processes do not come back together."""
    return min(_MOST_S, first_s * float(2 ** min(failures, 12))) * random.uniform(0.5, 1.0)  # noqa: S311 -- no secret
