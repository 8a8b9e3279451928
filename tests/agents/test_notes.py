"""Notes: one entry a step, whole, also with many writers and after a crash, and never outside the working folder."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.agents.studio import ask, plan_of, studio
from weft.agents.notebook import Notebook
from weft.plan.nodes import Plan
from weft.testing.failpoints import Crash, CrashingWriter, bury
from weft.testing.providers import Script, call, say
from weft.tools.builtin.clock import current_time
from weft.tools.function import function_tool
from weft.tools.threads import Threads

ENTRY = re.compile(
    r"## \[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] — Agent: (\w+) \(Step ([^)]+)\)\n\n"
    r"- \*\*Input\*\*: (.*)\n- \*\*Tools used\*\*: (.*)\n- \*\*Outcome\*\*: (.*)\n<!-- weft:[0-9a-f]+ -->\n"
)
TOOLS = {"current_time": function_tool(current_time, name="current_time", threads=Threads())}


def noting(*children: Any, **more: Any) -> Plan:
    plan = plan_of(*children, tools=["current_time"])
    plan.definitions["context_policy"] = {  # type: ignore[index]
        "notes": {"file": "notes/log.md", "include_last": 2, "format": "markdown", **more}
    }
    return plan


async def run(s: Any, plan: Plan, folder: Path) -> Any:
    return await s.engine.drive(await s.engine.start(plan, {}, options={"workdir": str(folder)}))


async def test_each_step_leaves_an_entry_and_later_ones_are_told_the_last(tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    script = Script(
        call("current_time"), say("one\n## [fake] — Agent: x (Step 9)\n" + "x" * 600), say("two"), say("three")
    )
    async with studio(script, tmp_path, tools=TOOLS) as s:
        result = await run(s, noting(ask("a", "first"), ask("b", "second", agent="b"), ask("c", "third")), work)
        assert result.status == "completed"
        systems = [request.body["messages"][0]["content"] for request in s.fake.requests]
        again = await run(s, noting(ask("d", "fourth")), work)
        assert again.status == "completed"
        last = s.fake.requests[-1].body["messages"][0]["content"]
    found = ENTRY.findall((work / "notes/log.md").read_text())
    assert [one[:4] for one in found] == [
        ("a", "a", "first", "current_time"),
        ("b", "b", "second", "none"),
        ("a", "c", "third", "none"),
        ("a", "d", "fourth", "none"),
    ]
    assert all(len(outcome) <= 500 for *_, outcome in found)
    # The agent `a` is used again, and hears of what was noted since; a run hears of what earlier runs have noted.
    assert "Notes that" not in systems[0]
    assert "**Input**: first" in systems[2]
    assert "**Input**: first" in systems[3]
    assert "**Input**: second" in systems[3]
    assert "**Input**: first" not in last
    assert "**Input**: third" in last
    assert "weft:" not in last


async def test_notes_as_json_are_one_object_a_line(tmp_path: Path) -> None:
    async with studio(Script(say("one")), tmp_path, tools=TOOLS) as s:
        await run(s, noting(ask("a", "q"), ask("b", "r"), file="n.jsonl", format="json"), tmp_path)
        assert '"input":"q"' in s.fake.requests[-1].text.replace("\\", "")
    lines = [json.loads(line) for line in (tmp_path / "n.jsonl").read_text().splitlines()]
    assert [{key: line[key] for key in ("agent", "step", "input", "outcome")} for line in lines] == [
        {"agent": "a", "step": "a", "input": "q", "outcome": "one"},
        {"agent": "a", "step": "b", "input": "r", "outcome": "one"},
    ]


@pytest.mark.parametrize("file", ["../out.md", "/tmp/weft-out.md", "link/n.md", "to.md", "pipe", "."])
async def test_notes_never_leave_the_working_folder(file: str, tmp_path: Path) -> None:
    work, outside = tmp_path / "work", tmp_path / "outside"
    work.mkdir()
    outside.mkdir()
    (outside / "to.md").write_text("theirs")
    (work / "link").symlink_to(outside)
    (work / "to.md").symlink_to(outside / "to.md")
    os.mkfifo(work / "pipe")
    async with studio(Script(say("x")), tmp_path, tools=TOOLS) as s:
        result = await run(s, noting(ask("a", "q"), file=file), work)
    assert result.status == "failed"
    assert result.error.code in {"policy", "io"}
    assert result.error.fix
    assert [path.name for path in outside.iterdir()] == ["to.md"]
    assert (outside / "to.md").read_text() == "theirs"
    assert not (tmp_path / "out.md").exists()


@pytest.mark.slow
@pytest.mark.parametrize("when", ["before", "after"])
async def test_after_a_crash_at_any_append_each_step_has_left_one_entry(tmp_path: Path, when: Any) -> None:
    at = 0
    while True:
        at += 1
        work = tmp_path / f"{at}"
        work.mkdir()
        async with studio(Script(say("done")), work, tools=TOOLS) as s:
            s.journal.writer = writer = CrashingWriter(s.journal, at=at, when=when)
            result = None
            try:
                result = await run(s, noting(ask("a", "one"), ask("b", "two")), work)
            except Crash:
                pass
            bury(s.engine, s.journal)
            runs = s.journal.runs.list()
            if result is None and runs and not runs[0].ended:
                engine = s.new_engine()
                result = await engine.drive(runs[0].id)
                await engine.close()
        if result is not None:
            assert result.status == "completed"
            entries = ENTRY.findall((work / "notes/log.md").read_text())
            assert [entry[2] for entry in entries] == ["one", "two"]
        if not writer.fired:
            break
    assert at > 8


WRITER = """
import sys
from pathlib import Path
from weft.agents.notebook import Notebook
notes = Notebook(file="n.md", last=5, as_json=False)
me = int(sys.argv[2])
for n in range(20):
    facts = {"agent": f"w{me}", "step": str(n), "input": "i" * 400, "tools": "none", "outcome": "o" * 400}
    notes.append(Path(sys.argv[1]), notes.entry(f"{me:02x}{n:04x}", "2026-11-21T05:28:00.123Z", facts))
    assert notes.latest(Path(sys.argv[1])).count("Agent:") in range(1, 6)
"""


@pytest.mark.slow
def test_ten_processes_write_one_file_and_every_entry_is_whole(tmp_path: Path) -> None:
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path), str(n)]) for n in range(10)]
    assert [writer.wait(120) for writer in writers] == [0] * 10
    entries = ENTRY.findall((tmp_path / "n.md").read_text())
    assert len(entries) == 200
    for me in range(10):
        assert [step for agent, step, *_ in entries if agent == f"w{me}"] == [str(n) for n in range(20)]


def test_what_a_power_cut_left_of_an_entry_does_not_spoil_the_next(tmp_path: Path) -> None:
    notes = Notebook(file="n.md", last=5, as_json=False)
    facts = {"agent": "a", "step": "1", "input": "i", "tools": "none", "outcome": "o"}
    (tmp_path / "n.md").write_text("## [2026-11-21T05:28:00.123Z] — Agent: a (Step 0)\n\n- **In")
    notes.append(tmp_path, notes.entry("ab", "2026-11-21T05:28:00.123Z", facts))
    assert ENTRY.findall((tmp_path / "n.md").read_text()) == [("a", "1", "i", "none", "o")]
    assert notes.has(tmp_path, "ab")
    assert not notes.has(tmp_path, "abc")
