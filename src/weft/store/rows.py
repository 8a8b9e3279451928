"""A run's row as it is stored, for whoever compares it with the run's events: nothing in it is taken to be what it should be."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from weft.core.errors import MismatchError, NotFoundError, StorageError
from weft.store.sealing import CONTENT, Seal, Spot, open_text
from weft.store.sql import Transaction
from weft.store.tables import runs

_NAMES = [column.name for column in runs.c]
_BY_ID = f"SELECT {', '.join(_NAMES)} FROM runs WHERE id=?"  # noqa: S608 -- our own names
_JSON = frozenset({*CONTENT["runs"].texts, "usage"})


@dataclass(frozen=True, slots=True)
class Row:
    """The columns of a run's row, JSON decoded. `broken` says of a column why it cannot be read, `hidden` which are sealed without a key."""

    columns: dict[str, Any]
    broken: dict[str, str] = field(default_factory=dict)
    hidden: frozenset[str] = frozenset()


def read_row(connection: Transaction, run_id: str, seal: Seal | None = None) -> Row:
    """The row of a run as it is at this moment.

    Raises:
        NotFoundError: there is no such run.
    """
    found = connection.execute(_BY_ID, (run_id,)).fetchone()
    if found is None:
        raise NotFoundError(f"there is no run {run_id!r}", fix="`weft runs list` shows the runs", run=run_id)
    columns = dict(zip(_NAMES, found, strict=True))
    broken, hidden = {}, set()
    for name in _JSON:
        if columns[name] is None:
            continue
        try:
            spot = Spot(columns["tenant"], "runs", name, (run_id,))
            columns[name] = json.loads(open_text(seal, spot, columns[name]))
        except StorageError:
            hidden.add(name)
        except (ValueError, TypeError, AttributeError, RecursionError):
            broken[name] = "no JSON"
        except MismatchError:
            broken[name] = "not what was sealed there"
    return Row(columns, broken, frozenset(hidden))
