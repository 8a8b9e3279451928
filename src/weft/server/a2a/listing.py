"""Lists of tasks: filters, pages, and how much of each is shown."""

from __future__ import annotations

import base64
import binascii

from a2a.types import a2a_pb2
from a2a.utils.errors import InvalidParamsError

from weft.app.hosting import Host
from weft.server.a2a import states
from weft.server.a2a.targets import Targets
from weft.server.a2a.tasks import Tasks
from weft.server.caller import Caller
from weft.store.tasks import TaskFilter

_USUAL, _MOST, _LOOKED_AT = 50, 100, 2_000
"""Tasks on a page, and how many are looked at when the state has to be found out one by one."""
_BY_GATES = frozenset({states.State.TASK_STATE_WORKING, *states.INTERRUPTED})


class Listing:
    """Makes lists of tasks."""

    def __init__(self, host: Host, targets: Targets, tasks: Tasks) -> None:
        self._journal = host.journal
        self._targets = targets
        self._tasks = tasks

    async def page(self, asked: a2a_pb2.ListTasksRequest, caller: Caller, routed: str) -> a2a_pb2.ListTasksResponse:
        """The tasks that are asked for and that the caller may see, the latest change first.

        Raises:
            InvalidParamsError: the page or a filter cannot be.
        """
        size = asked.page_size if asked.HasField("page_size") else _USUAL
        if not 1 <= size <= _MOST:
            raise InvalidParamsError(message=f"pageSize is 1 to {_MOST}")
        if asked.HasField("history_length") and asked.history_length < 0:
            raise InvalidParamsError(message="historyLength is not negative")
        before = _place(asked.page_token)
        wanted = self._filter(asked, caller, routed)
        if asked.status == states.State.TASK_STATE_REJECTED:
            return a2a_pb2.ListTasksResponse(page_size=size)
        if asked.status in _BY_GATES:
            found, total = self._by_state(asked.status, wanted, before, size)
        else:
            found, total = (
                self._journal.tasks.page(wanted, before=before, limit=size + 1),
                self._journal.tasks.count(wanted),
            )
        history = asked.history_length if asked.HasField("history_length") else None
        shown = [
            await self._tasks.now(run_id, history=history, results=asked.include_artifacts) for run_id in found[:size]
        ]
        token = self._token(found[size - 1]) if len(found) > size else ""
        return a2a_pb2.ListTasksResponse(tasks=shown, next_page_token=token, page_size=size, total_size=total)

    def _filter(self, asked: a2a_pb2.ListTasksRequest, caller: Caller, routed: str) -> TaskFilter:
        since = asked.status_timestamp_after
        return TaskFilter(
            tenant=caller.tenant,
            session=asked.context_id,
            workflow=self._targets.get(routed, tenant=caller.tenant).name if routed else "",
            statuses=states.STATUSES.get(asked.status, ()),
            since=since.seconds * 1_000_000 + since.nanos // 1_000 if asked.HasField("status_timestamp_after") else 0,
        )

    def _by_state(
        self, state: int, wanted: TaskFilter, before: tuple[int, str] | None, size: int
    ) -> tuple[list[str], int]:
        """Tasks whose state depends on the gates that are open; those of the latest `_LOOKED_AT` that are open at all."""
        candidates = self._journal.tasks.page(wanted, limit=_LOOKED_AT)
        asking = self._journal.tasks.asking(candidates)
        fitting = [run_id for run_id in candidates if self._state(run_id, may_ask=run_id in asking) == state]
        if before is not None:
            fitting = [run_id for run_id in fitting if self._key(run_id) < before]
        return fitting[: size + 1], len(fitting)

    def _state(self, run_id: str, *, may_ask: bool) -> int:
        run = self._journal.runs.get(run_id)
        return int(states.status(run, self._tasks.gates(run) if may_ask else ()).state)

    def _key(self, run_id: str) -> tuple[int, str]:
        run = self._journal.runs.get(run_id)
        return run.updated_at, run.id

    def _token(self, run_id: str) -> str:
        at, last = self._key(run_id)
        return base64.urlsafe_b64encode(f"{at}:{last}".encode()).decode()


def _place(token: str) -> tuple[int, str] | None:
    if not token:
        return None
    try:
        at, _, run_id = base64.urlsafe_b64decode(token[:500].encode()).decode().partition(":")
        return int(at), run_id
    except (ValueError, binascii.Error) as error:
        raise InvalidParamsError(message="the page token is none of ours") from error
