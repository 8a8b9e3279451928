"""How a drive of a run ends: its last event, and what the caller is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.canonical import dumps, loads
from weft.core.errors import ConflictError, InputError, MismatchError, TemplateError, WeftError, from_json
from weft.core.usage import Usage
from weft.engine.fold import RunState, fold
from weft.engine.port import Failure, Outcome, Suspended
from weft.engine.recorder import Recorder
from weft.engine.references import References
from weft.store.append import Append, Draft

CANCELLED = ConflictError("the run is cancelled")
"""Why nothing new begins in a run that is walked back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a drive of a run ended. `status` is ``completed``, ``failed``, ``cancelled``, ``waiting`` or ``stalled``."""

    run_id: str
    status: str
    outputs: Any = None
    error: WeftError | None = None
    waits: tuple[Mapping[str, Any], ...] = ()
    usage: Usage = field(default_factory=Usage)


def last_event(outcome: Outcome, scope: Mapping[str, Any], references: References) -> tuple[str, dict[str, Any]]:
    """The kind and data of the event with which a walk that ended like this ends the drive."""
    if isinstance(outcome, Suspended):
        waits = sorted(
            (dict(wait) for wait in outcome.waits), key=lambda wait: (str(wait.get("path")), str(wait["kind"]))
        )
        return "run.waiting", {"waits": waits}
    if isinstance(outcome, Failure):
        return "run.failed", {"error": outcome.error.as_json()}
    value = outcome.value
    own = value.get("response", value) if isinstance(value, dict) else value
    outputs: Any = {"response": scope.get("last_response", own), "value": value}
    try:
        return "run.completed", {"outputs": loads(dumps(references.name(outputs)))}
    except (TypeError, ValueError, RecursionError) as error:
        what = f"the run's value is not JSON: {error}"
        failed = TemplateError(what, fix="mend the expressions that compute it")
        return "run.failed", {"error": failed.as_json()}


async def concluded(recorder: Recorder, outcome: Outcome, scope: Mapping[str, Any]) -> RunResult:
    """The walk is over: the run has succeeded, failed or waits."""
    references = recorder.state.references
    kind, data = last_event(outcome, scope, references)
    how: dict[str, Any] = {"run_id": recorder.run_id, "status": kind.removeprefix("run.")}
    if kind == "run.completed":
        how["outputs"] = references.restore(data["outputs"])
        patch = recorder.final_patch("completed", outputs={"response": shortened(how["outputs"]["response"])})
    elif kind == "run.failed":
        how["error"] = outcome.error if isinstance(outcome, Failure) else from_json(data["error"])
        patch = recorder.final_patch("failed", error=data["error"])
    else:
        how["waits"] = tuple(data["waits"])
        # What wakes the run without anybody's doing: the row says when, for whoever looks after runs that are due.
        due = min((wait["wake"] for wait in data["waits"] if wait.get("wake") is not None), default=None)
        patch = recorder.final_patch("waiting") | {"waits": json.dumps(data["waits"]), "due": due}
    await recorder.record(kind, "", data, patch)
    return RunResult(**how, usage=recorder.state.total())


def as_it_ended(run_id: str, state: RunState) -> RunResult:
    """How the last drive of a run ended, as its events say."""
    return RunResult(
        run_id=run_id,
        status=state.status,
        outputs=state.outputs,
        error=None if state.error is None else from_json(state.error),
        waits=state.waits,
        usage=state.total(),
    )


async def stalled(recorder: Recorder, error: MismatchError) -> RunResult:
    """The journal does not fit the plan."""
    data = error.as_json()
    await recorder.record_stall({"error": data}, recorder.final_patch("stalled", error=data))
    return RunResult(run_id=recorder.run_id, status="stalled", error=error, usage=recorder.state.total())


async def reopened(recorder: Recorder, *, at: int) -> None:
    """A run that had ended is to go on."""
    journal, run_id = recorder.journal, recorder.run_id
    # A cancel that came before says nothing about the run's second life.
    await journal.writer.submit(journal.inbox.take([run_id]))
    draft = Draft(at, "run.reopened", "", dumps({"epoch": recorder.epoch}))
    await journal.append(Append(run_id, recorder.epoch, [draft], {"status": "queued", "error": None}, reopen=True))
    recorder.go_on_from(fold(journal.events(run_id)))


async def interrupted(recorder: Recorder) -> None:
    """This process lets go of the run, which another drive can take up."""
    waits = [{"kind": "driver"}]
    patch = recorder.final_patch("waiting") | {"waits": json.dumps(waits)}
    await recorder.record("run.waiting", "", {"waits": waits}, patch)


async def cancelled(recorder: Recorder, reason: str) -> RunResult:
    """Somebody has cancelled the run, and nothing of it is performed any more."""
    await recorder.record("run.cancelled", "", {"reason": reason}, recorder.final_patch("cancelled"))
    return RunResult(run_id=recorder.run_id, status="cancelled", usage=recorder.state.total())


def demand_doubt(state: RunState, run_id: str, path: str) -> None:
    """See to it that the step at `path` is in doubt.

    Raises:
        InputError: it is not.
    """
    doubts = state.doubts()
    if path not in doubts:
        fix = f"in doubt: {', '.join(doubts) or 'none'}"
        raise InputError(f"no step {path!r} of this run is in doubt", fix=fix, run=run_id)


def shortened(value: Any) -> Any:
    """`value` for the row that lists read; the whole of it is in the journal."""
    text = value if isinstance(value, str) else dumps(value).decode()
    return value if len(text) <= 2_000 else f"{text[:2_000]}…"
