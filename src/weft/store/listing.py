"""Finding runs: what a list may be narrowed to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, or_

from weft.store.tables import runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs. `text` is part of an id; times are microseconds since the epoch and about when runs were created.

    Without `children`, only those that no other run has started.
    """

    statuses: tuple[str, ...] = ()
    workflow: str | None = None
    session: str | None = None
    parent: str | None = None
    base: str | None = None
    plan: str | None = None
    children: bool = True
    since: int | None = None
    until: int | None = None
    text: str | None = None

    def conditions(self) -> Iterable[Any]:
        """The filter in the words of the database."""
        for column, value in (
            (runs.c.workflow, self.workflow),
            (runs.c.session, self.session),
            (runs.c.parent, self.parent),
            (runs.c.base_run, self.base),
            (runs.c.plan_hash, self.plan),
        ):
            if value is not None:
                yield column == value
        if not self.children and self.parent is None:
            yield runs.c.parent.is_(None)
        if self.statuses:
            yield runs.c.status.in_(self.statuses)
        if self.since is not None:
            yield runs.c.created_at >= self.since
        if self.until is not None:
            yield runs.c.created_at < self.until
        if self.text is not None:
            yield runs.c.id.contains(self.text, autoescape=True)


def page(query: Select[Any], which: RunFilter, before: tuple[int, str] | None, limit: int) -> Select[Any]:
    """`query` narrowed, the newest first; `before` is the (created_at, id) of the last run of the page before."""
    query = query.where(*which.conditions())
    if before is not None:
        at, run_id = before
        query = query.where(or_(runs.c.created_at < at, (runs.c.created_at == at) & (runs.c.id < run_id)))
    return query.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
