"""Whether a store is sound: the database by its own word, the schema, and every run by its proof."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from weft.core.errors import NotFoundError, WeftError
from weft.store.history import Verdict
from weft.store.journal import Journal
from weft.store.schema import HEAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Soundness:
    """What a check has found: each of the `problems` is one sentence. `sealed` payloads were not looked into, for want of the key."""

    where: str
    schema: str
    runs: int
    events: int
    problems: tuple[str, ...]
    sealed: int = 0

    @property
    def sound(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


def check(journal: Journal, prove: Callable[[str], Verdict]) -> Soundness:
    """Look at everything; `prove` says of a run what there is to say. Runs that go on meanwhile do not disturb it.

    Raises:
        StorageError: the database cannot be read.
    """
    problems = [f"the database says: {said}" for said in journal.database.flaws()]
    runs = events = sealed = 0
    for run_id in list(_ids(journal)):
        runs += 1
        try:
            verdict = prove(run_id)
        except NotFoundError:
            # It has been removed meanwhile.
            continue
        except WeftError as error:
            problems.append(error.message)
            continue
        events += verdict.events
        sealed += verdict.sealed
        problems += [f"run {run_id}: in its row, {flaw}" for flaw in verdict.row]
        if verdict.bad_seq is not None:
            problems.append(f"run {run_id}: event {verdict.bad_seq} is not what was appended: {verdict.reason}")
    return Soundness(
        where=str(journal.database.path),
        schema=HEAD,
        runs=runs,
        events=events,
        problems=tuple(problems),
        sealed=sealed,
    )


def _ids(journal: Journal) -> Iterator[str]:
    with journal.database.reading() as connection:
        yield from (
            run_id for (run_id,) in connection.execute("SELECT id FROM runs ORDER BY created_at, id").fetchall()
        )
