"""Forks: a new run that shares the past of another one up to an event, and goes its own way from there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from weft.core.canonical import strict_loads
from weft.core.clock import Clock
from weft.core.errors import InputError, NotFoundError, WeftError
from weft.core.ids import uuid7
from weft.core.owner import Owner
from weft.engine.fold import edited
from weft.engine.limits import given
from weft.store.append import Append, Draft, NewRun
from weft.store.journal import Journal
from weft.store.runs import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What is different in a fork: names of the scope, and recorded values, each with the keys that lead to the new part."""

    scope: Mapping[str, Any]
    edits: tuple[tuple[str, tuple[str, ...], Any], ...] = ()


class Forks:
    """Makes forks. None of it depends on how long the past is."""

    def __init__(self, journal: Journal, clock: Clock, *, new_id: Callable[[], str] = uuid7) -> None:
        self._journal = journal
        self._clock = clock
        self._new_id = new_id

    def point(self, run_id: str, at: str) -> int:
        """The event that `at` means: a number, or the end of the step or composite at a path.

        Raises:
            InputError: the run has no such event, or the step has not ended.
            NotFoundError: the run has no such step.
        """
        run = self._journal.runs.get(run_id)
        if at.isdecimal():
            seq = int(at)
            if not 1 <= seq <= run.head_seq:
                raise InputError(
                    f"the run has no event {at}", fix=f"its events are 1 to {run.head_seq}: `weft events {run_id}`"
                )
            return seq
        path = as_path(at)
        found = self._journal.forks.end_of(run_id, path)
        if found is not None:
            return found
        if self._journal.forks.beginning_of(run_id, path) is not None:
            raise InputError(
                f"{path} has not ended in this run",
                fix=f"`weft rerun {run_id} --from {path}` forks just before it; or give the number of an event",
            )
        raise self._unknown(run_id, path)

    def before(self, run_id: str, step: str) -> int:
        """The last event before the step or composite at the path `step` began.

        Raises:
            NotFoundError: it never began.
        """
        path = as_path(step)
        first = self._journal.forks.beginning_of(run_id, path)
        if first is None:
            raise self._unknown(run_id, path)
        return first - 1

    def changes(self, run_id: str, seq: int, assignments: Mapping[str, str]) -> Changes:
        """What assignments such as ``topic=…`` or ``/draft.response=…`` mean for a fork at event `seq`.

        A new value is read as the kind that the old one is: text stays text, anything else is JSON.

        Raises:
            InputError: a name or a value does not fit.
            NotFoundError: there is no such name or step at that point.
        """
        scope: dict[str, Any] = {}
        edits: list[tuple[str, tuple[str, ...], Any]] = []
        known: Mapping[str, Any] | None = None
        for name, text in assignments.items():
            if name.startswith("/"):
                edits.append(self._edit(run_id, seq, name, text))
                continue
            known = self._journal.events(run_id, limit=1)[0].data["scope"] if known is None else known
            if name not in known:
                raise NotFoundError(f"the run has no value {name!r}", fix=_near(name, known, "its values"), run=run_id)
            scope[name] = _as_old(text, known[name], name)
        return Changes(scope=scope, edits=tuple(edits))

    async def fork(
        self,
        run_id: str,
        seq: int,
        changes: Changes | None = None,
        *,
        new_id: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> str:
        """Create a fork of a run at its event `seq`, durably, and return its id. Nobody drives it yet.

        `new_id` is the id that it is to have; `options` go over those of the run.

        Raises:
            NotFoundError: there is no such run or event any more.
            InputError: what is to be changed is too long.
            StorageError: the journal refused.
        """
        run, changes = self._journal.runs.get(run_id), changes or Changes(scope={})
        owner = self._journal.forks.owner(run_id, seq)
        # What the run changed after this event, being a fork itself, is not in its past here.
        past = run if owner == run_id else self._journal.runs.get(owner)
        edits = [{"path": path, "at": list(at), "value": value} for path, at, value in changes.edits]
        data = {"of": run_id, "base": {"run": owner, "seq": seq}, "scope": dict(changes.scope), "edits": edits}
        data |= {"options": dict(options)} if options else {}
        data["owner"] = Owner(run.tenant, run.principal, run.session).as_json()
        new_id = new_id or self._new_id()
        forked = Draft(self._clock.micros(), "run.forked", "", given(data))
        create = NewRun(
            id=new_id,
            workflow=run.workflow,
            plan_hash=run.plan_hash,
            plan=None,
            inputs=json.dumps(_inputs(past, changes)),
            options=json.dumps({**past.options, **(options or {})}),
            tenant=run.tenant,
            principal=run.principal,
            session=run.session,
            base=(owner, seq),
        )
        await self._journal.append(Append(new_id, 0, [forked], create=create))
        return new_id

    def _edit(self, run_id: str, seq: int, name: str, text: str) -> tuple[str, tuple[str, ...], Any]:
        path, *keys = _split(name)
        end = self._journal.forks.end_of(run_id, path, until=seq)
        if end is None:
            if self._journal.forks.beginning_of(run_id, path) is None:
                raise self._unknown(run_id, path)
            raise InputError(f"{path} has not ended at event {seq}", fix=f"fork where it has: --at {path}")
        for above in _above(path):
            if self._journal.forks.end_of(run_id, above, until=seq) is not None:
                raise InputError(
                    f"{path} is inside {above}, which has ended at event {seq} and is not done again",
                    fix=f"fork at {path}, or set a value of {above}",
                )
        (event,) = self._journal.events(run_id, after=end - 1, limit=1)
        if event.kind not in {"step.completed", "step.failed"}:
            raise InputError(
                f"{path} is no step but holds steps, and its value follows from theirs",
                fix="set a value of a step in it",
            )
        old = event.data.get("value")
        try:
            part: Any = old
            for key in keys:
                part = part.get(key) if isinstance(part, dict) else None
            value = _as_old(text, part if part is not None else "", name)
            edited(old, list(keys), value)
        except TypeError as error:
            raise InputError(
                f"cannot set {name}: {error}", fix=f"`weft show {run_id} --json` shows its value"
            ) from error
        return path, tuple(keys), value

    def _unknown(self, run_id: str, path: str) -> WeftError:
        fix = _near(path, self._journal.forks.paths(run_id), "its steps")
        return NotFoundError(f"the run has no step {path!r}", fix=fix, run=run_id)


def as_path(step: str) -> str:
    """The path that people mean by `step`, with or without its first slash."""
    return "/" + step.strip("/")


def _split(name: str) -> list[str]:
    """A path and the keys after it: a dot in the last segment begins them, unless it stands inside brackets."""
    start = name.rfind("/")
    depth, parts = 0, [name[:start]]
    for char in name[start:]:
        depth += (char == "[") - (char == "]")
        if char == "." and not depth:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _above(path: str) -> Iterable[str]:
    """Every path that could be of a composite or call around `path`."""
    return [path[:place] for place, char in enumerate(path) if char in "/[" and place]


def _as_old(text: str, old: Any, name: str) -> Any:
    if isinstance(old, str):
        return text
    try:
        return strict_loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"the value of {name} is not JSON: {text[:80]!r}", fix="give a value such as it had"
        ) from error


def _inputs(run: Run, changes: Changes) -> dict[str, Any]:
    return {name: changes.scope.get(name, value) for name, value in run.inputs.items()}


def _near(word: str, known: Iterable[str], noun: str) -> str:
    names = sorted(set(known))[:2_000]
    near = get_close_matches(word[:200], names, 1)
    return f"did you mean {near[0]!r}?" if near else f"{noun}: {', '.join(names[:8]) or 'none'}"
