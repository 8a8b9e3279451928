"""How the offline model calls tools, seen through an agent."""

from __future__ import annotations

import time
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry

from weft.models.offline.model import OfflineModel
from weft.models.offline.tool_choice import MAX_CALLS, Tool, choose_calls

FILES = {
    "docs/a.md": "Retries back off with jitter. A rate limit parks the step for as long as the server asks. " * 4,
    "docs/b.md": "The fleet sells its catch at the quay. Quotas have reduced the fleet by half. " * 4,
}


def agent_with_tools(log: list[Any], **rest: Any) -> Agent[None, Any]:
    agent = Agent(OfflineModel(), **rest)

    @agent.tool_plain
    def file_read(path: str) -> str:
        """Read a text file of the working folder."""
        log.append(("file_read", path))
        if path not in FILES:
            raise ModelRetry(f"There is no file {path}.")
        return FILES[path]

    @agent.tool_plain
    def file_list(path: str = ".") -> list[str]:
        """List the files in a folder."""
        log.append(("file_list", path))
        return sorted(FILES)

    @agent.tool_plain
    def grep(pattern: str, path: str = ".") -> list[str]:
        """Search files for lines that match a pattern."""
        log.append(("grep", pattern))
        return [f"{name}:1: {text[:60]}" for name, text in FILES.items() if pattern in text]

    @agent.tool_plain
    def calculator(expression: str) -> float:
        """Evaluate an arithmetic expression."""
        log.append(("calculator", expression))
        return {"12*7": 84, "15 / 100 * 80": 12}[expression]

    @agent.tool_plain
    def file_delete(path: str) -> str:
        """Delete a file."""
        log.append(("file_delete", path))
        return "gone"

    return agent


@pytest.mark.parametrize(
    ("prompt", "called", "said"),
    [
        ("What is 12*7?", [("calculator", "12*7")], "84"),
        ("How much is 15 percent of 80?", [("calculator", "15 / 100 * 80")], "12"),
        ("Read docs/a.md: what parks the step?", [("file_read", "docs/a.md")], "A rate limit parks the step"),
        ("Which files are in the docs folder?", [("file_list", "docs")], "docs/b.md"),
        ("Search for Quotas in the files.", [("grep", "Quotas")], "docs/b.md:1"),
        (
            "Compare docs/a.md with docs/b.md in 4 bullets.",
            [("file_read", "docs/a.md"), ("file_read", "docs/b.md")],
            "[docs/b.md]",
        ),
        (
            "Read all files in the docs folder and summarise them in 2 bullets.",
            [("file_list", "docs"), ("file_read", "docs/a.md"), ("file_read", "docs/b.md")],
            "[docs/a.md]",
        ),
        ("Who are you?", [], "offline/extract"),
        ("Summarise in 1 bullet:\n\nThe quay of the harbour was rebuilt in stone. It took two years.", [], "rebuilt"),
    ],
)
async def test_a_tool_that_fits_is_called_and_its_result_used(prompt: str, called: list[Any], said: str) -> None:
    log: list[Any] = []
    result = await agent_with_tools(log).run(prompt)
    # Calls of one response run side by side.
    assert sorted(log) == sorted(called)
    assert said in result.output


async def test_a_tool_that_changes_something_is_called_only_by_its_word() -> None:
    log: list[Any] = []
    agent = agent_with_tools(log)
    await agent.run("Read docs/a.md")
    assert ("file_delete", "docs/a.md") not in log
    await agent.run("Delete docs/a.md")
    assert ("file_delete", "docs/a.md") in log


async def test_a_failed_call_is_not_made_again_and_is_reported() -> None:
    log: list[Any] = []
    result = await agent_with_tools(log).run("Read docs/missing.md")
    assert log == [("file_read", "docs/missing.md")]
    assert "file_read failed" in result.output
    assert "no file docs/missing.md" in result.output


async def test_calls_end_even_when_the_task_names_more() -> None:
    log: list[Any] = []
    await agent_with_tools(log).run("Read " + ", ".join(f"docs/{i}.md" for i in range(20)))
    assert 0 < len(log) <= MAX_CALLS


async def test_a_typed_output_comes_after_the_tools() -> None:
    class Found(BaseModel):
        quote: str
        source: str

    log: list[Any] = []
    result = await agent_with_tools(log, output_type=Found).run("Read docs/b.md and quote what it says about quotas.")
    assert log == [("file_read", "docs/b.md")]
    assert result.output == Found(quote="Quotas have reduced the fleet by half.", source="docs/b.md")


async def test_a_new_question_may_call_the_same_tool_again() -> None:
    log: list[Any] = []
    agent = agent_with_tools(log)
    first = await agent.run("What is 12*7?")
    await agent.run("Once more: what is 12*7?", message_history=first.all_messages())
    assert log == [("calculator", "12*7")] * 2


async def test_tool_choice_is_heeded() -> None:
    log: list[Any] = []
    result = await agent_with_tools(log).run("What is 12*7?", model_settings={"tool_choice": "none"})
    assert log == []
    assert result.output


def tool(name: str, description: str, **parameters: str) -> Tool:
    properties = {key.rstrip("_"): {"type": kind} for key, kind in parameters.items()}
    required = [key for key in parameters if not key.endswith("_")]
    return Tool(name, description, {"type": "object", "properties": properties, "required": required})


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        ("Show the first 10 lines of README.md", ("head", {"path": "README.md", "lines": 10})),
        ("the last 3 lines of log.txt", ("tail", {"path": "log.txt", "lines": 3})),
        ("What is the weather in New York?", ("get_weather", {"city": "New York"})),
        ('call convert with {"amount": 3, "unit": "km"}', ("convert", {"amount": 3, "unit": "km"})),
        ("What time is it?", ("current_time", {})),
        ("Explain how forks work.", None),
        ("On 2024-01-05 about 3-4 people met.", None),
        ("What does e.g. mean?", None),
    ],
)
def test_arguments_are_found_in_the_task(task: str, expected: Any) -> None:
    tools = [
        tool("head", "The first lines of a file.", path="string", lines_="integer"),
        tool("tail", "The last lines of a file.", path="string", lines_="integer"),
        tool("file_read", "Read a text file.", path="string"),
        tool("get_weather", "The weather of a city.", city="string"),
        tool("convert", "Convert an amount to another unit.", amount="number", unit="string"),
        tool("current_time", "The current date and time."),
        tool("calculator", "Evaluate an arithmetic expression.", expression="string"),
    ]
    found = choose_calls(task, tools)
    assert [(call.tool, dict(call.arguments)) for call in found] == ([expected] if expected else [])


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["a-", "a/", "a.", "1+", "1-", "(", "word-", "a@b.", '"', "2024-", "A b "])
def test_a_hostile_task_is_read_in_seconds(seed: str) -> None:
    tools = [tool(name, name, **{name: "string"}) for name in ("path", "expression", "pattern", "url", "email", "city")]
    started = time.process_time()
    choose_calls("what is " + (seed * 3_000)[:5_900], tools)
    assert time.process_time() - started < 5


SERVICE = Tool(
    "shop",
    "Our shop. An HTTP service.",
    {
        "type": "object",
        "properties": {"method": {"enum": ["GET", "POST"], "default": "GET"}, "path": {"type": "string"}},
        "required": ["path"],
    },
)
GREP = Tool(
    "grep",
    "Search files for lines that match a pattern.",
    {
        "type": "object",
        "properties": {"pattern": {"type": "string"}, "path": {"type": "string"}},
        "required": ["pattern", "path"],
    },
)
LISTING = Tool(
    "list_files", "List the files of a folder.", {"type": "object", "properties": {"path": {"type": "string"}}}
)


@pytest.mark.parametrize(
    ("task", "tool", "arguments"),
    [
        ("Use shop to POST to /items/7.", SERVICE, {"method": "POST", "path": "/items/7"}),
        ("Fetch /repos/a/b with the shop", SERVICE, {"path": "/repos/a/b"}),
        ("Search for 'pier' in docs", GREP, {"pattern": "pier", "path": "docs"}),
        ("How many files are in the folder docs?", LISTING, {"path": "docs"}),
        ("List the files in the folder.", LISTING, {}),
    ],
)
def test_addresses_and_folders_are_read_from_the_task(task: str, tool: Tool, arguments: dict[str, Any]) -> None:
    assert [dict(call.arguments) for call in choose_calls(task, [tool])] == [arguments]
