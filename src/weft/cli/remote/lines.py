"""The lines to a service: one that waits, for questions, and one that does not, for what takes its time."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing

from weft.bus.envelope import Envelope
from weft.cli.remote.records import event_of
from weft.client import AsyncClient, Client, Tls
from weft.core.event import Event

_PAGE = 200
_OVER = frozenset({"run.stalled", "run.completed", "run.failed", "run.cancelled"})
_BY_ITSELF = frozenset({"timer", "limit"})


class Lines:
    """Both clients of one service, and how far each run has been read."""

    def __init__(self, url: str, token: str | None, tls: Tls) -> None:
        self.client = Client(url, token=token, tls=tls)
        self.waiting = AsyncClient(url, token=token, tls=tls)
        self.read: dict[str, int] = {}
        self.going: dict[str, int] = {}
        """Runs that the service was just made to go on with, and the number of their last event before that."""

    async def close(self) -> None:
        """Let go of every connection."""
        self.client.close()
        await self.waiting.close()

    def events(self, run_id: str, after: int) -> list[Event]:
        """The events of a run after a number. Of one that was just made to go on, those before that: the rest is watched."""
        begun = self.going.get(run_id)
        found = [event_of(one) for one in self.client.runs.events(run_id, after=after, limit=_PAGE)]
        found = [event for event in found if begun is None or event.seq <= begun]
        self.read[run_id] = max(self.read.get(run_id, 0), after, found[-1].seq if found else 0)
        return found

    async def envelopes(self, run_id: str, after: int) -> AsyncIterator[Envelope]:
        """What happens to a run after an event, streamed text included.

        The stream says that there is something; events themselves are read whole, with their hashes.
        """
        async with aclosing(self.waiting.runs.stream(run_id, after=after)) as stream:
            async for heard in stream:
                if heard.delta:
                    yield Envelope(heard.seq, heard.topic, heard.type, heard.at, heard.data)
                elif heard.seq > after:
                    async for view in self.waiting.runs.events(run_id, after=after, limit=_PAGE):
                        event = event_of(view)
                        after = event.seq
                        yield Envelope(event.seq, heard.topic, event.kind, event.at, event)

    async def until_it_stops(self, run_id: str, after: int) -> Event | None:
        """The event with which a run ends, or waits for what does not come by itself; None when there is none any more."""
        async with aclosing(self.envelopes(run_id, after)) as envelopes:  # type: ignore[type-var]  # a generator has it
            async for envelope in envelopes:
                if isinstance(event := envelope.data, Event) and stops(event):
                    return event
        return None


def stops(event: Event) -> bool:
    """Whether the service lets go of the run with this event until somebody does something."""
    if event.kind != "run.waiting":
        return event.kind in _OVER
    waits = event.data.get("waits") or ()
    return any(
        wait.get("kind") not in _BY_ITSELF and not (wait.get("kind") == "signal" and wait.get("due")) for wait in waits
    )
