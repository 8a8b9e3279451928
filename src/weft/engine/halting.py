"""A journal that refuses halts the run, which can be resumed; it is no failure of the step that happens to ask it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from weft.core.errors import StorageError
from weft.engine.port import RunHalted


@contextmanager
def halting() -> Iterator[None]:
    """While inside, the journal is read and written for a run.

    Raises:
        RunHalted: it refused.
    """
    try:
        yield
    except StorageError as error:
        raise RunHalted(error) from error
