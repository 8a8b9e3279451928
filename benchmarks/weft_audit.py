"""The audit log: what adding an entry costs the processor, and how fast a log is proved, from either database and from an export."""

import tempfile
import time
from importlib.metadata import version
from pathlib import Path

from postgres_server import postgres
from report import publish
from weft.app.auditing.keys import AuditKey
from weft.app.auditing.proof import lines, verify, verify_file
from weft.store.audit import Entry, note
from weft.store.journal import Journal

ENTRIES, BATCH, ALONE = 200_000, 100, 2_000


def entry(number: int) -> Entry:
    run = "01a228ef-7d43-7131-b584-c92df5576c90"
    return Entry(
        principal="ann@example.org",
        act="tool.call",
        target="tool/knowledge_search",
        at=1_780_000_000_000_000 + number,
        data={"run": run, "path": f"/draft/agent/model[{number}]"},
    )


def proved_on_postgres(key: AuditKey) -> float:
    with postgres() as url:
        journal = Journal(url, durability="fast")
        for number in range(0, ENTRIES, 10 * BATCH):
            journal.writer.call(note([entry(number + n) for n in range(10 * BATCH)], key))
        begun = time.process_time()
        [found] = verify(journal.audit, key.public)
        proved = found.entries / (time.process_time() - begun)
        assert found.bad is None
        journal.close()
    return proved


def measured() -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        journal, key = Journal(Path(folder) / "journal.db", durability="fast"), AuditKey(Path(folder))
        for number in range(0, ENTRIES - ALONE, BATCH):
            journal.writer.call(note([entry(number + n) for n in range(BATCH)], key))
        begun = time.process_time()
        for number in range(ALONE):
            journal.writer.call(note([entry(number)], key))
        alone_us = (time.process_time() - begun) / ALONE * 1e6
        begun = time.process_time()
        for number in range(0, ALONE, BATCH):
            journal.writer.call(note([entry(number + n) for n in range(BATCH)], key))
        together_us = (time.process_time() - begun) / ALONE * 1e6
        begun = time.process_time()
        [found] = verify(journal.audit, key.public)
        database = found.entries / (time.process_time() - begun)
        assert found.bad is None
        export = Path(folder) / "audit.jsonl"
        export.write_bytes(b"\n".join(lines(journal.audit, "local")) + b"\n")
        begun = time.process_time()
        found = verify_file(export, key.public)
        exported = found.entries / (time.process_time() - begun)
        assert found.bad is None
        journal.close()
        on_postgres = proved_on_postgres(key)
    return {
        "append_alone_us": alone_us,
        "append_together_us": together_us,
        "verified_per_s": database,
        "postgres_verified_per_s": on_postgres,
        "export_verified_per_s": exported,
    }


if __name__ == "__main__":
    publish("weft", version("weft"), {"audit": measured})
