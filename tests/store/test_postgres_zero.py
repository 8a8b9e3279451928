"""The character NUL, which Postgres cannot hold in a text: what is asked for by it is not there, and it is refused where it would be kept."""

import pytest

from tests.store.test_postgres_narrow import begun
from weft.core.canonical import dumps
from weft.core.errors import InputError, NotFoundError
from weft.store import sessions
from weft.store.append import Append, Draft
from weft.store.journal import Journal

pytestmark = pytest.mark.slow


async def test_what_is_asked_for_by_it_is_not_there(postgres):
    journal = Journal(postgres)
    await journal.append(begun("r", "north"))
    for name in ("\0", "r\0", "\0r"):
        with pytest.raises(NotFoundError):
            journal.runs.get(name)
        with pytest.raises(NotFoundError):
            journal.runs.get("r", tenant=name)
        assert journal.events(name) == []
        assert journal.runs.list(tenant=name) == journal.runs.list(tenant="north", workflow=name) == []
        with pytest.raises(NotFoundError):
            journal.workflows.get(name, tenant="north")
    journal.close()


async def test_it_is_kept_in_values_and_refused_in_names_and_the_next_one_is_written(postgres):
    journal = Journal(postgres)
    await journal.append(begun("r", "north"))
    await journal.append(Append("r", 0, [Draft(1, "step.note", "/a", dumps({"said": "a\0b"}))]))
    assert journal.events("r")[-1].data == {"said": "a\0b"}
    with pytest.raises(InputError, match="NUL"):
        await journal.append(Append("r", 0, [Draft(1, "step.note", "/a\0", dumps("b"))]))
    session = sessions.Session(id="s", target="w", principal="p", title="a\0b", tenant="north")
    with pytest.raises(InputError, match="NUL"):
        await journal.writer.submit(sessions.open_session(session))
    await journal.append(Append("r", 0, [Draft(1, "step.note", "/c", dumps("c"))]))
    assert [event.path for event in journal.events("r")] == ["", "/a", "/c"]
    assert journal.verify("r").intact
    journal.close()
