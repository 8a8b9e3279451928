"""How a drive of a run ends: its last event, and what the caller is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from weft.core.canonical import dumps, loads
from weft.core.errors import MismatchError, TemplateError, WeftError
from weft.core.usage import Usage
from weft.engine.port import Failure, Outcome, Success, Suspended
from weft.engine.recorder import Recorder


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """How a drive of a run ended. `status` is ``completed``, ``failed``, ``cancelled``, ``waiting`` or ``stalled``."""

    run_id: str
    status: str
    outputs: Any = None
    error: WeftError | None = None
    waits: tuple[Mapping[str, Any], ...] = ()
    usage: Usage = field(default_factory=Usage)


async def concluded(recorder: Recorder, outcome: Outcome, scope: Mapping[str, Any]) -> RunResult:
    """The walk is over: the run has succeeded, failed or waits."""
    if isinstance(outcome, Success):
        return await _completed(recorder, outcome.value, scope)
    if isinstance(outcome, Suspended):
        return await _waiting(recorder, outcome)
    return await _failed(recorder, outcome)


async def stalled(recorder: Recorder, error: MismatchError) -> RunResult:
    """The journal does not fit the plan."""
    data = error.as_json()
    await recorder.record("run.stalled", "", {"error": data}, recorder.final_patch("stalled", error=data))
    return RunResult(run_id=recorder.run_id, status="stalled", error=error, usage=recorder.state.total())


async def interrupted(recorder: Recorder) -> None:
    """This process lets go of the run, which another drive can take up."""
    waits = [{"kind": "driver"}]
    patch = recorder.final_patch("waiting") | {"waits": json.dumps(waits)}
    await recorder.record("run.waiting", "", {"waits": waits}, patch)


async def cancelled(recorder: Recorder, reason: str) -> RunResult:
    """Somebody has cancelled the run, and nothing of it is performed any more."""
    await recorder.record("run.cancelled", "", {"reason": reason}, recorder.final_patch("cancelled"))
    return RunResult(run_id=recorder.run_id, status="cancelled", usage=recorder.state.total())


async def _completed(recorder: Recorder, value: Any, scope: Mapping[str, Any]) -> RunResult:
    references = recorder.state.references
    own = value.get("response", value) if isinstance(value, dict) else value
    outputs: Any = {"response": scope.get("last_response", own), "value": value}
    try:
        named = loads(dumps(references.name(outputs)))
    except (TypeError, ValueError, RecursionError) as error:
        what = f"the run's value is not JSON: {error}"
        return await _failed(recorder, Failure(TemplateError(what, fix="mend the expressions that compute it")))
    outputs = references.restore(named)
    patch = recorder.final_patch("completed", outputs={"response": _short(outputs["response"])})
    await recorder.record("run.completed", "", {"outputs": named}, patch)
    return RunResult(run_id=recorder.run_id, status="completed", outputs=outputs, usage=recorder.state.total())


async def _failed(recorder: Recorder, outcome: Failure) -> RunResult:
    error = outcome.error.as_json()
    await recorder.record("run.failed", "", {"error": error}, recorder.final_patch("failed", error=error))
    return RunResult(run_id=recorder.run_id, status="failed", error=outcome.error, usage=recorder.state.total())


async def _waiting(recorder: Recorder, outcome: Suspended) -> RunResult:
    waits = sorted((dict(wait) for wait in outcome.waits), key=lambda wait: (str(wait.get("path")), str(wait["kind"])))
    # What wakes the run without anybody's doing: the row says when, for whoever looks after runs that are due.
    due = min((wait["wake"] for wait in waits if wait.get("wake") is not None), default=None)
    patch = recorder.final_patch("waiting") | {"waits": json.dumps(waits), "due": due}
    await recorder.record("run.waiting", "", {"waits": waits}, patch)
    return RunResult(run_id=recorder.run_id, status="waiting", waits=tuple(waits), usage=recorder.state.total())


def _short(value: Any) -> Any:
    """`value` for the row that lists read; the whole of it is in the journal."""
    text = value if isinstance(value, str) else dumps(value).decode()
    return value if len(text) <= 2_000 else f"{text[:2_000]}…"
