"""What every test shares: a machine that is busy with something else makes no test fail, and the fast suite is brief."""

import gc
import os
import re
import shutil
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.postgres_server import all_databases, all_on_postgres, databases, on_postgres, postgres, postgres_server
from tests.sealed import all_sealed

__all__ = ["all_databases", "all_on_postgres", "all_sealed", "databases", "on_postgres", "postgres", "postgres_server"]

_ALL_SLOW = re.compile(r"^pytestmark = \[?pytest\.mark\.slow\b", re.MULTILINE)
# No database of failing examples: a test that is tried once more tries others, and what failed is printed so that it can be tried again.
settings.register_profile(
    "search", deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None, print_blob=True
)
settings.register_profile("brief", settings.get_profile("search"), max_examples=15)
# The gate asks whether a change broke something, so that it tries what it tried before the change.
settings.register_profile("gate", settings.get_profile("search"), derandomize=True)
# Journals wait for the disk at each commit. In memory the same calls are made and nothing is waited for, and no test cuts the power.
_IN_MEMORY = Path("/dev/shm")
_ROOM = 2 * 1024**3
if _IN_MEMORY.is_dir() and os.access(_IN_MEMORY, os.W_OK) and shutil.disk_usage(_IN_MEMORY).free > _ROOM:
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(_IN_MEMORY))
# As the commands have it: what is imported need not be looked through again and again.
gc.set_threshold(20_000, 20, 20)


def pytest_configure(config):
    """Without the slow tests, each property is tried with few examples as well (see `tests.examples`), and with new ones each time."""
    if config.option.markexpr == "not slow":
        settings.load_profile("brief")
    else:
        settings.load_profile("gate" if config.getoption("hypothesis_seed") is None else "search")


def pytest_ignore_collect(collection_path, config):
    """Without the slow tests, files of which all tests are slow are not even imported: that takes longer than many tests."""
    if config.option.markexpr == "not slow" and collection_path.suffix == ".py":
        return True if _ALL_SLOW.search(collection_path.read_text(encoding="utf-8")) else None
    return None
