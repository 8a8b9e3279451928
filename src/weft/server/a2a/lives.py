"""A reopened run is a new task: each life of a run has a task of its own, and the tasks of its past stay as they ended."""

from __future__ import annotations

from dataclasses import replace

from weft.store.journal import Journal
from weft.store.runs import Run

_ENDS = {"run.failed": "failed", "run.cancelled": "cancelled"}


def task_id(run: Run) -> str:
    """The id of the task that a run is in this life: the run's own in its first, ``ID.2`` in its second."""
    return run.id if not run.generation else f"{run.id}.{run.generation + 1}"


def parted(task: str) -> tuple[str, int]:
    """The run that a task is, and its generation."""
    run_id, _, life = task.partition(".")
    if life.isdecimal() and len(life) < 10 and int(life) > 1:
        return run_id, int(life) - 1
    return task, 0


def as_it_ended(journal: Journal, run: Run, generation: int) -> Run:
    """`run` as an earlier life of it ended."""
    ends = [event for event in journal.events(run.id) if event.kind in _ENDS]
    if generation >= len(ends):
        return run
    end = ends[generation]
    return replace(
        run,
        generation=generation,
        status=_ENDS[end.kind],
        error=end.data.get("error") if isinstance(end.data, dict) else None,
        waits=(),
        outputs=None,
        head_seq=end.seq,
        updated_at=end.at,
    )


def begins(journal: Journal, run: Run) -> int:
    """The number of the last event before this life of `run`."""
    if not run.generation:
        return 0
    return max((event.seq for event in journal.events(run.id) if event.kind == "run.reopened"), default=0)
