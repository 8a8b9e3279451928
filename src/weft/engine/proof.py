"""The proof of a run: that its events are what was appended, and that its row says what they say."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from weft.core.canonical import digest, dumps
from weft.core.errors import MismatchError, NotFoundError, StorageError
from weft.core.event import Event
from weft.core.usage import Usage
from weft.engine.told import Said, Told
from weft.store.history import RowFlaw, Verdict
from weft.store.journal import Journal
from weft.store.rows import Row
from weft.store.runs import Run

_PAGE = 1_000
_SHOWN = 200
_MISSING = object()
_AT_LEAST = frozenset({"epoch", "due"})
"""Columns that others move too, each in one direction."""


def proof(journal: Journal, run_id: str) -> Verdict:
    """Prove the events of a run, and then its row by them; also of a run that is driven now.

    Raises:
        NotFoundError: there is no such run, or it has been removed meanwhile.
    """
    # First, for a row is written together with the events that it follows from, and those are never changed.
    row = journal.row(run_id)
    verdict = journal.verify(run_id)
    if not verdict.intact:
        return verdict
    head, after = row.columns["head_seq"], 0
    told = Told(row.columns["base_seq"] or 0)
    while after < head:
        page = journal.readable_events(run_id, after=after, limit=min(_PAGE, head - after))
        if not page:
            # It has been removed meanwhile: this says so.
            journal.row(run_id)
            break
        for event in page:
            told.take(event)
        after = page[-1].seq
    unproven = (told.unproven | row.hidden) - set(row.broken)
    flaws = [*_compared(row, told, unproven), *_plan_flaw(journal, told)]
    return Verdict(
        run_id,
        verdict.events,
        erased=verdict.erased,
        sealed=verdict.sealed,
        row=tuple(flaws),
        unproven=_sorted(unproven),
    )


def demand_plan(run: Run, first: Event) -> None:
    """See to it that a run goes on with the plan that it was started with, as its `first` event names it.

    Raises:
        MismatchError: its row names another one.
    """
    pinned = first.data.get("plan_hash", run.plan_hash) if isinstance(first.data, Mapping) else run.plan_hash
    if pinned != run.plan_hash:
        raise MismatchError(
            f"the row of run {run.id} names the plan {run.plan_hash[:12]}, its first event {str(pinned)[:12]}",
            fix=f"somebody has changed the database: `weft verify {run.id}` says what; restore it from a backup",
            run=run.id,
        )


def _compared(row: Row, told: Told, unproven: set[str]) -> Iterator[RowFlaw]:
    for column, said in told.columns.items():
        if column in row.broken:
            yield _flaw(column, "", row.broken[column], said)
        elif column in _AT_LEAST:
            if column not in unproven and (flaw := _moved(row, told, column, said)):
                yield flaw
        elif column not in unproven:
            stored = row.columns[column]
            if column == "usage":
                stored = _usage(stored)
            if not any(_same(stored, value) for value in said.values):
                at, one, other = _first_difference(stored, said.values[0])
                yield _flaw(column, at, one, said, other)


def _moved(row: Row, told: Told, column: str, said: Said) -> RowFlaw | None:
    stored, least = row.columns[column], said.values[0]
    if column == "epoch":
        # Each claim raises it, whether or not anything is appended then.
        return None if isinstance(stored, int) and stored >= least else _flaw(column, "", stored, said)
    if row.columns["status"] != "waiting" or least is None:
        return None
    # What comes from outside makes a run due at once; so does the end of a child.
    late = stored is None or (stored > least and not told.has_children)
    return _flaw(column, "", stored, said) if late else None


def _plan_flaw(journal: Journal, told: Told) -> Iterator[RowFlaw]:
    said = told.columns.get("plan_hash")
    if said is None or not isinstance(said.values[0], str):
        return
    try:
        held = digest(journal.plans.get(said.values[0]))
    except NotFoundError:
        yield _flaw("plan", "", "not there", said)
    except StorageError:
        # It is sealed, and its key is not there.
        return
    except (MismatchError, ValueError, RecursionError):
        yield _flaw("plan", "", "not readable", said)
    else:
        if held != said.values[0]:
            yield _flaw("plan", "", held, said)


def _usage(stored: Any) -> Usage | None:
    if not isinstance(stored, Mapping | None):
        return None
    try:
        return Usage.from_json(stored or {})
    except (TypeError, ValueError, ArithmeticError):
        return None


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, Usage) or isinstance(other, Usage):
        return bool(one == other)
    try:
        return dumps(one) == dumps(other)
    except (TypeError, ValueError, RecursionError):
        return False


def _first_difference(stored: Any, told: Any, at: str = "") -> tuple[str, Any, Any]:
    """Where in two values the first difference is, and what stands there in each."""
    if isinstance(stored, Mapping) and isinstance(told, Mapping):
        for key in sorted({*stored, *told}):
            one, other = stored.get(key, _MISSING), told.get(key, _MISSING)
            if _MISSING in (one, other) or not _same(one, other):
                return _first_difference(one, other, f"{at}/{key.replace('~', '~0').replace('/', '~1')}")
    if isinstance(stored, list) and isinstance(told, list) and len(stored) == len(told):
        for place, (one, other) in enumerate(zip(stored, told, strict=True)):
            if not _same(one, other):
                return _first_difference(one, other, f"{at}/{place}")
    return at, stored, told


def _flaw(column: str, at: str, stored: Any, said: Said, told: Any = _MISSING) -> RowFlaw:
    right = said.values[0] if told is _MISSING and not at else told
    return RowFlaw(field=column, at=at, stored=_shown(stored), told=_shown(right), seq=said.seq, kind=said.kind)


def _shown(value: Any) -> str:
    if value is _MISSING:
        return "nothing"
    if isinstance(value, Usage):
        value = value.as_json()
    text = value if isinstance(value, str) else repr(value) if isinstance(value, bytes) else dumps(value).decode()
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _sorted(names: set[str]) -> tuple[str, ...]:
    return tuple(sorted(names))
