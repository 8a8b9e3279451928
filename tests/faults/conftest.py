"""A journal on Postgres, and processes that drive what is in it."""

import pytest

from tests.faults.processes import line, spawn
from weft.store.journal import Journal


@pytest.fixture
def journal(postgres):
    journal = Journal(postgres)
    yield journal
    journal.close()


@pytest.fixture
def crew(tmp_path, postgres):
    """Starts processes that take up whatever is ready on that database, or do as they are told; none outlives the test."""
    made = []

    def start(*arguments, **env):
        made.append(spawn(tmp_path, *(arguments or ("serve",)), **{"JOURNAL": postgres, **env}))
        assert line(made[-1]) == "ready"
        return made[-1]

    yield start
    for process in made:
        process.kill()
        process.communicate()
