"""How a drive of a run ended, for people and for programs: the result on standard output, the rest beside it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weft.app.artifacts import safe_name, write_file
from weft.app.service import Service
from weft.app.view import RunView
from weft.cli.drive import Drove
from weft.cli.failures import error_json, error_lines
from weft.cli.render.figures import consumed, duration, size, usage_json
from weft.cli.terminal import clean, paint, result, say_json, symbol, tell
from weft.core.canonical import dumps
from weft.core.errors import EXIT_CODES
from weft.core.usage import Usage
from weft.engine.why import WakeSource

WAITING = 19
FAILED = 10
_OWN_CODES = ("budget", "policy", "auth", "io", "unsupported")
"""Errors with which a run that fails gives its own exit code; any other failure while it runs is `FAILED`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """A drive that is over, with everything that is to be said about it. `files` are the artifacts, `trace` is where it went.

    `here` says whether this process drove it, `row` what status the run has after a drive that was interrupted.
    """

    drove: Drove
    workflow: str
    row: str
    waits: Sequence[WakeSource]
    files: Sequence[Mapping[str, Any]]
    trace: Path | None = None
    here: bool = True

    @property
    def status(self) -> str:
        """The status that the run has now."""
        return self.drove.result.status if self.drove.result else self.row

    @property
    def exit_code(self) -> int:
        """What the command exits with."""
        result_ = self.drove.result
        if result_ is None:
            return 128 + (self.drove.interrupted_by or signal.SIGINT)
        if result_.status == "failed":
            code = result_.error.code if result_.error else ""
            if code == "template" and result_.error and (result_.error.place.path or "").startswith("/$artifact"):
                # A file that cannot be filled is a file that cannot be written.
                code = "io"
            return EXIT_CODES[code] if code in _OWN_CODES else FAILED
        return {"completed": 0, "waiting": WAITING, "stalled": EXIT_CODES["mismatch"]}.get(result_.status, FAILED)


async def ending(service: Service, drove: Drove, *, trace: bool) -> Ending:
    """Collect what is to be said about the end of a drive; write the trace when it is wanted."""
    run = service.find(drove.run_id)
    waits = service.why(run.id) if drove.result and drove.result.status == "waiting" else []
    file = None
    if trace:
        folder = Path(str(run.options.get("out") or "artifacts"))
        file = write_trace(folder, run.workflow, run.id, service.trace(run.id), force=bool(run.options.get("force")))
    files = await service.fetch(run.id, artifacts(drove.view))
    return Ending(
        drove=drove, workflow=run.workflow, row=run.status, waits=waits, files=files, trace=file, here=service.here
    )


def artifacts(view: RunView) -> list[Mapping[str, Any]]:
    """The files that a run has written: ``path``, ``file``, ``bytes`` and ``sha256`` of each."""
    found = {}
    for step in view.root.walk():
        if step.type == "artifact" and step.status == "completed" and isinstance(step.value, Mapping):
            found[step.value.get("file")] = step.value
    return [value for file, value in found.items() if file]


def write_trace(folder: Path, workflow: str, run_id: str, trace: Mapping[str, Any], *, force: bool) -> Path:
    """Write the trace of a run into `folder`; the file of another run is not overwritten but stands beside it.

    Raises:
        StorageError: the folder refuses.
    """
    content = json.dumps(trace, indent=2, ensure_ascii=False).encode(errors="replace")
    target = folder / safe_name(workflow, "-trace.json")
    if target.exists() and not force and not _is_of(target, trace):
        target = target.with_name(f"{target.stem}-{run_id[-12:]}.json")
    write_file(folder, target, content)
    return target


def tell_ending(end: Ending, *, as_json: bool, quiet: bool) -> int:
    """Print how it ended and return the exit code."""
    if as_json:
        say_json(_as_json(end))
        return end.exit_code
    done = end.drove.result
    if done is not None and done.status == "completed":
        response = done.outputs.get("response") if isinstance(done.outputs, Mapping) else done.outputs
        if response is not None:
            result(response if isinstance(response, str) else dumps(response).decode())
            sys.stdout.flush()
    if not quiet:
        _summary(end)
    _trouble(end)
    return end.exit_code


def _as_json(end: Ending) -> dict[str, Any]:
    done = end.drove.result
    data: dict[str, Any] = {
        "run_id": end.drove.run_id,
        "workflow": end.workflow,
        "status": end.status,
        "outputs": done.outputs if done else None,
        "artifacts": [dict(file) for file in end.files],
        "usage": usage_json(_used(end)),
        "error": error_json(done.error) if done and done.error else None,
        "waits_for": [source.as_json() for source in end.waits],
    }
    if end.trace is not None:
        data["trace"] = str(end.trace)
    if done is None:
        data["interrupted"] = True
    return data


def _summary(end: Ending) -> None:
    root = end.drove.view.root
    good = end.status == "completed"
    mark = paint(symbol("✓", "+", sys.stderr), "green", sys.stderr) if good else paint("!", "yellow", sys.stderr)
    took = duration((root.ended or root.started) - root.started)
    facts = [part for part in (took, consumed(_used(end))) if part]
    status = "interrupted" if end.drove.result is None else end.status
    tell(f"{mark} {clean(end.workflow)} {paint(status, 'bold', sys.stderr)}  {'  '.join(facts)}")
    for file in end.files:
        tell(f"  wrote {clean(str(file['file']))} ({size(int(file.get('bytes', 0)))})")
    if end.trace is not None:
        tell(f"  wrote {clean(str(end.trace))}")
    tell(f"  run   {end.drove.run_id}")
    if good:
        tell(paint(f"  weft show {end.drove.run_id}", "dim", sys.stderr))


def _trouble(end: Ending) -> None:
    """Say what went wrong or is to be done; also when only the result was wanted."""
    run_id, done = end.drove.run_id, end.drove.result
    if done is None and not end.here:
        tell(f"Left to the service, where it goes on.\n  weft events {run_id} --follow\n  weft cancel {run_id}")
    elif done is None:
        tell(f"Interrupted. What is done is kept; this makes it go on:\n  weft resume {run_id}")
    elif done.status == "waiting":
        for source in end.waits:
            tell(f"{paint('waiting:', 'bold yellow', sys.stderr)} {clean(source.path)} {clean(source.text)}")
            tell(f"  {paint('fix:', 'bold', sys.stderr)} {clean(source.fix)}")
    elif done.status == "cancelled":
        tell(f"The run was cancelled. `weft resume {run_id}` opens it again.")
    elif done.error is not None:
        for line in error_lines(done.error):
            tell(line)
        tell(f"  weft show {run_id}     what happened, step by step")
        tell(f"  weft resume {run_id}   try again from there; what succeeded is kept")


def _used(end: Ending) -> Usage:
    return end.drove.result.usage if end.drove.result else end.drove.view.root.usage


def _is_of(target: Path, trace: Mapping[str, Any]) -> bool:
    """Whether the file there is an earlier trace of the same run."""
    try:
        with target.open("rb") as file:
            there = file.read(4_096).decode(errors="replace")
    except OSError:
        return False
    return str(trace.get("trace_id") or "?") in there
