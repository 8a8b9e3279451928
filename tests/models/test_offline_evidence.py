"""What the offline model takes for evidence, and how it answers questions of several parts."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic_ai import Agent

from weft.agents.instructions import instructions_for
from weft.models.offline.model import OfflineModel

ROOT = Path(__file__).resolve().parents[2]
REPORT = """The storm cut power to 40,000 homes. The cause of the fire was a fallen line, because nobody had cut the trees.
The report says that 61 barns were destroyed. The repair cost 214,000 crowns."""
MEMO = """The number of destroyed barns is thus 74 and not 61. The repair has cost 263,400 crowns so far.
A second crew would have cost 26,000 crowns. The rule is now that trees near a line must be cut each spring."""
ARCHIVE = f"=== docs/report.md ===\n{REPORT}\n\n=== docs/memo.md ===\n{MEMO}"
QUESTION = "What caused the fire, how many barns were destroyed, what did the repair cost in crowns, and which rule came of it?"
PARTS = {
    "What caused the fire": ["The cause of the fire was a fallen line"],
    "how many barns were destroyed": ["61 barns were destroyed", "74 and not 61"],
    "what did the repair cost in crowns": ["cost 214,000 crowns", "cost 263,400 crowns"],
    "which rule came of it": ["The rule is now"],
}


async def ask(prompt: str, instructions: str | None = None) -> str:
    return (await Agent(OfflineModel(), instructions=instructions).run(prompt)).output


def standing(prompt: str, description: str = "Answers a question about storms,\n\nwith quotations.") -> str:
    """Instructions as an agent of a workflow gets them."""
    about = {"name": "storms", "description": description, "tags": ["storms", "power"]}
    plan: Any = SimpleNamespace(definitions=about, workflow="storms")
    return instructions_for("writer", {"prompt": prompt}, plan, {})


@pytest.mark.parametrize(
    "prompt",
    [
        f"Summarise in 9 bullets what is said about storms.\n\n{REPORT}",
        f"What is said about storms, power and questions? Answer with nine quotations.\n\n{REPORT}",
        f"Write a report on storms.\n\n{ARCHIVE}",
    ],
)
async def test_instructions_and_the_place_in_the_workflow_are_no_evidence(prompt: str) -> None:
    answer = await ask(
        prompt, standing("You write summaries about storms.\n\nStorms are strong winds with much power.")
    )
    assert "40,000 homes" in answer
    for line in ("You write", "strong winds", "Description", "Answers a question", "Tags", "with quotations."):
        assert line not in answer


async def test_history_ranks_before_instructions() -> None:
    agent = Agent(OfflineModel(), instructions=standing("Storms have names such as Otto."))
    first = await agent.run("The storm of Tuesday had the name Ingrid.")
    second = await agent.run("What was the name of the storm?", message_history=first.all_messages())
    assert "Ingrid" in second.output
    assert "Otto" not in second.output


async def test_facts_in_instructions_answer_only_where_there_is_no_other_text() -> None:
    role = standing("You are a help desk.\n\nRefunds take ten days.", description="Refunds take a while.")
    assert await ask("How long do refunds take?", role) == '"Refunds take ten days."'
    assert "ten days" not in await ask("How long do refunds take?\n\nText:\n\nRefunds by post take a month.", role)


@pytest.mark.parametrize(
    "first",
    [
        "How do whales migrate across the northern ocean?\n\n" + REPORT,
        "What is the capital of Peru?\n\n" + REPORT,
        "What caused the fire, and who is the king of Sweden?\n\n" + REPORT,
        "Translate this:\n\n" + REPORT,
        "Who are you?",
        "Write a poem about rivers",
    ],
)
async def test_its_own_remarks_are_no_evidence_for_the_next_step(first: str) -> None:
    said = await ask(first)
    prompts = (
        f"What does the text say about a question, a task, Peru, Sweden, barns, the fire and a model?\n\n{said}\n\n{MEMO}",
        f"Summarise in 9 bullets.\n\n{said}\n\n{MEMO}",
        f"Write a report on all of it.\n\n{said}\n\n{MEMO}",
    )
    for prompt in prompts:
        answer = (await ask(prompt)).splitlines()
        quotes = [line for line in answer if line.startswith(("- ", '"'))]
        assert quotes
        assert not [q for q in quotes if any(own in q for own in ("The text", "offline/extract", "nearest", "On "))]


async def test_every_part_of_a_question_is_answered_and_contradictions_stand_side_by_side() -> None:
    groups = {}
    for group in (await ask(f"{QUESTION}\n\n{ARCHIVE}")).split("\n\n"):
        head, *lines = group.splitlines()
        groups[head.removeprefix('On "').removesuffix('":')] = "\n".join(lines)
    assert list(groups) == list(PARTS)
    for part, held in PARTS.items():
        assert [text for text in held if text not in groups[part]] == []


async def test_a_number_of_quotations_is_dealt_out_over_the_parts() -> None:
    answer = await ask(f"{QUESTION} Answer with four quotations.\n\n{ARCHIVE}")
    assert answer.count("\n- ") == 4
    assert answer.count('On "') == 4


async def test_a_part_without_an_answer_is_named() -> None:
    answer = await ask(f"What caused the fire, and who is the king of Sweden?\n\n{REPORT}")
    assert answer.splitlines()[0].startswith('"The cause of the fire')
    assert answer.splitlines()[-1] == "The text does not say: who is the king of Sweden"


async def test_a_report_on_a_question_has_a_section_for_each_part_over_several_steps() -> None:
    findings = [
        await ask(f"{QUESTION}\n\n=== docs/{n}.md ===\n{text}") for n, text in (("report", REPORT), ("memo", MEMO))
    ]
    prompt = f"Write a report on the answers to this question: {QUESTION}\n\n# One\n\n{findings[0]}\n\n# Two\n\n{findings[1]}"
    report = await ask(prompt)
    sections = dict(section.split("\n", 1) for section in report.split("\n## ")[1:])
    for part, held in PARTS.items():
        assert [text for text in held if text not in sections[f"{part[0].upper()}{part[1:]}?"]] == []
    assert sections["Sources"].split() == ["-", "docs/report.md", "-", "docs/memo.md"]


@pytest.mark.parametrize(
    ("question", "title"),
    [("Why did the barn of Otto Meier burn?", "# Report: Otto Meier"), ("Why did the barn burn?", "# Report")],
)
async def test_a_report_on_a_question_is_titled_by_the_name_in_it(question: str, title: str) -> None:
    prompt = f"Write a report on what the text answers to this question: {question}\n\n# Findings\n\n{REPORT} The barn burned."
    assert (await ask(prompt)).splitlines()[0] == title


@pytest.mark.parametrize("task", ["Summarise in 6 bullets.", "What did a crew cost?", "Write a report on crews."])
async def test_nearly_the_same_is_not_quoted_twice(task: str) -> None:
    text = (
        "=== docs/memo.md ===\nA second crew would have cost 26,000 crowns. Trees fell.\n\n"
        "=== docs/plan.md ===\nA second crew would have cost 26,000 crowns and a weekend. It was windy on Tuesday."
    )
    assert (await ask(f"{task}\n\n{text}")).count("26,000") == 1


@pytest.mark.parametrize(
    "order",
    [
        "Read the files docs/a.md, docs/b.md and docs/c.md.",
        "Please read the files docs/a.md,\ndocs/b.md and docs/c.md.",
        "Read docs/a.md, docs/b.md and docs/c.md.",
        "Read all of these, please: docs/a.md, docs/b.md and docs/c.md.",
    ],
)
async def test_an_order_with_commas_is_an_order(order: str) -> None:
    read: list[str] = []
    agent = Agent(OfflineModel())

    @agent.tool_plain
    def file_read(path: str) -> str:
        """Read a text file of the working folder."""
        read.append(path)
        return (
            f"The file {path} says that the barn burned down in the night of the storm, and that nobody was hurt. " * 3
        )

    await agent.run(f"{order}\n\nWho was hurt?")
    assert sorted(read) == ["docs/a.md", "docs/b.md", "docs/c.md"]


async def test_a_question_with_a_comma_and_a_full_stop_stays_text() -> None:
    answer = await ask("Summarise in 3 bullets.\n\nWhen the storm came, the barn burned. It was empty.")
    assert "When the storm came, the barn burned." in answer


@pytest.mark.parametrize("width", [30, 45, 60])
async def test_a_task_broken_into_lines_is_read_to_its_end(width: int) -> None:
    words, lines = QUESTION.split(), [""]
    for word in words:
        if len(lines[-1]) + len(word) > width:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    assert await ask("\n".join(lines) + f"\n\n{ARCHIVE}") == await ask(f"{QUESTION}\n\n{ARCHIVE}")


async def test_a_number_at_the_start_of_a_broken_line_opens_no_list() -> None:
    answer = await ask("How many barns burned?\n\nThe number of barns that burned is 74 and not\n61. Both are counted.")
    assert answer == '"The number of barns that burned is 74 and not 61."'


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
async def test_separated_values_are_a_table(gap: str, mark: str) -> None:
    rows = ["year,ships,port", "2018,401,Kell", "2019,412,Asker", "2020,388,Kell"]
    answer = await ask(f"How many ships were there in 2019?{gap}" + "\n".join(row.replace(",", mark) for row in rows))
    assert answer == "year: 2019; ships: 412; port: Asker"


async def test_a_row_keeps_its_source_through_a_second_agent() -> None:
    table = "=== docs/ships.csv ===\nyear,ships\n2018,401\n2019,412\n2020,388"
    first = await ask(f"How many ships were there in 2019?\n\n{table}")
    assert first == "year: 2019; ships: 412 [docs/ships.csv]"
    assert await ask(f"How many ships were there in 2019?\n\nNotes:\n\n- {first}") == first


@pytest.mark.slow
@pytest.mark.parametrize("unit", ["The barn {n} burned in the storm and cost {n} crowns. ", "what, and who {n}? "])
async def test_many_quotations_of_a_long_text_are_found_in_seconds(unit: str) -> None:
    text = "".join(unit.format(n=n) for n in range(10_000))
    started = time.process_time()
    await ask(f"What burned, what did it cost, and why, and when? Answer with 999 quotations.\n\nText:\n\n{text}")
    assert time.process_time() - started < 10


@pytest.mark.slow
def test_the_research_example_answers_each_part_of_its_question(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "weft",
        "run",
        "examples/research/research.yaml",
        "--offline",
        "--out",
        str(tmp_path),
    ]
    environment = {"WEFT_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin:/bin"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, timeout=60)
    report = (tmp_path / "report.md").read_text(encoding="utf-8")
    sections = {section.split("\n", 1)[0]: section for section in report.split("\n## ")[1:]}
    assert "outdated ferry timetable" in sections["What caused the loss of cold at Calder Quay?"]
    assert {"61 had to be destroyed", "74 and not 61"} <= {
        text
        for text in ("61 had to be destroyed", "74 and not 61")
        if text in sections["How many pallets were destroyed?"]
    }
    assert "214,000" in sections["What did it cost in crowns?"]
    assert "263,400" in sections["What did it cost in crowns?"]
    assert "rule" in sections["Which rules were changed afterwards?"].split("\n", 1)[1]
    quotes = [line for line in report.splitlines() if line.startswith('- "')]
    flat = " ".join(
        " ".join(p.read_text(encoding="utf-8").split()) for p in ROOT.glob("examples/research/archive/*.md")
    )
    assert [q for q in quotes if q[3 : q.rindex('"')] not in flat.replace("**", "")] == []
