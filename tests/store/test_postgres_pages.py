"""Pages of events on Postgres, whose server hands over all of an answer before the first row of it can be read."""

import pytest

from weft.core.canonical import dumps
from weft.store.append import Append, Draft, NewRun
from weft.store.journal import Journal
from weft.store.postgres.statements import Statements

pytestmark = pytest.mark.slow


async def test_no_more_is_handed_over_than_a_page(postgres, monkeypatch):
    journal = Journal(postgres)
    new = NewRun("r", "w", "h", b"{}", "{}", "{}")
    said = [Draft(1, "step.note", f"/{number}", dumps("a word")) for number in range(300)]
    await journal.append(Append("r", 0, [Draft(1, "run.created", "", dumps({})), *said], create=new))
    send, rows = Statements.send, []

    def counted(self, statement, parameters=()):
        answer = send(self, statement, parameters)
        rows.append(answer.rowcount)
        return answer

    monkeypatch.setattr(Statements, "send", counted)
    assert [event.seq for event in journal.events("r", after=10, limit=5)] == [11, 12, 13, 14, 15]
    assert max(rows) == 5
    assert len(journal.events("r", after=10)) == 291
    assert max(rows) == 291
    assert journal.events("r", limit=0) == []
    assert journal.verify("r").events == 301
    journal.close()
