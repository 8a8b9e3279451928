"""Pydantic AI alone, in Weft's own environment: what an agent costs before anything about it is durable.

The model is a function that answers at once: with text, or first with one tool call and then with text.
"""

import asyncio
import statistics
import sys
import time
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel

from report import publish

RUNS, ROUNDS = 50, 7


def answer(messages, info) -> ModelResponse:
    returned = any(isinstance(part, ToolReturnPart) for part in messages[-1].parts)
    if info.function_tools and not returned:
        return ModelResponse(parts=[ToolCallPart("double", {"n": 21})])
    return ModelResponse(parts=[TextPart("done")])


def double(n: int) -> int:
    """Twice the number."""
    return 2 * n


def bare(*, tool: bool):
    """Runs the agent once, each time it is called."""
    agent = Agent(FunctionModel(answer), tools=[double] if tool else [])

    async def one() -> None:
        result = await agent.run("go")
        assert result.output == "done"

    return one


async def measure(*, tool: bool) -> dict:
    one = bare(tool=tool)
    await asyncio.gather(*(one() for _ in range(10)))
    together, alone = [], []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        await asyncio.gather(*(one() for _ in range(RUNS)))
        together.append((time.perf_counter() - start) / RUNS)
        start = time.perf_counter()
        for _ in range(20):
            await one()
        alone.append((time.perf_counter() - start) / 20)
    return {"ms_per_run_at_50": statistics.median(together) * 1000, "ms_per_run_alone": statistics.median(alone) * 1000}


if __name__ == "__main__":
    publish(
        "pydantic-ai",
        version("pydantic-ai-slim"),
        {
            "agent": lambda: asyncio.run(measure(tool=False)),
            "agent_tool": lambda: asyncio.run(measure(tool=True)),
        },
    )
