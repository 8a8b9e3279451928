"""Strands Agents' side of patterns: its graph, and an agent whose tools are agents, over a model that answers at once.

Nothing is kept: without a session manager, as it comes, a run lives in memory alone. An agent serves one call at a time, so each run
has agents of its own, which are made before the time is taken.
"""

import asyncio
import sys
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from strands import Agent
from strands.models import Model
from strands.multiagent import GraphBuilder

from report import paced, publish

SUBTASKS = ["one", "two", "three", "four", "five"]
CALLS = {"graph": 10, "supervisor": 7}


class Instant(Model):
    """Answers at once, and counts. An agent with tools first calls all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def update_config(self, **config) -> None:
        pass

    def get_config(self) -> dict:
        return {}

    async def structured_output(self, output_model, prompt, system_prompt=None, **kwargs):
        raise NotImplementedError
        yield

    async def stream(self, messages, tool_specs=None, system_prompt=None, **kwargs):
        self.calls += 1
        yield {"messageStart": {"role": "assistant"}}
        asked = any("toolResult" in block for block in messages[-1]["content"])
        if tool_specs and not asked:
            for number, spec in enumerate(tool_specs):
                use = {"name": spec["name"], "toolUseId": f"call-{number}"}
                yield {"contentBlockStart": {"start": {"toolUse": use}}}
                yield {"contentBlockDelta": {"delta": {"toolUse": {"input": '{"input": "find out"}'}}}}
                yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "tool_use"}}
        else:
            yield {"contentBlockStart": {"start": {}}}
            yield {"contentBlockDelta": {"delta": {"text": "done"}}}
            yield {"contentBlockStop": {}}
            yield {"messageStop": {"stopReason": "end_turn"}}
        usage = {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}
        yield {"metadata": {"usage": usage, "metrics": {"latencyMs": 0}}}


def agent(model: Instant, name: str, **more) -> Agent:
    return Agent(name=name, model=model, system_prompt="You work.", callback_handler=None, **more)


def reviews(state) -> int:
    return sum(node.node_id == "review" for node in state.execution_order)


def looping(model: Instant):
    graph = GraphBuilder()
    for name in ("plan", "facts", "style", "write", "review", "publish"):
        graph.add_node(agent(model, name), name)
    graph.add_edge("plan", "facts")
    graph.add_edge("plan", "style")
    graph.add_edge("facts", "write")
    graph.add_edge("style", "write")
    graph.add_edge("write", "review")
    graph.add_edge("review", "write", condition=lambda state: reviews(state) < 3)
    graph.add_edge("review", "publish", condition=lambda state: reviews(state) >= 3)
    graph.set_entry_point("plan")
    graph.reset_on_revisit(enabled=True)
    graph.set_max_node_executions(100)
    return graph.build()


def supervising(model: Instant) -> Agent:
    workers = [agent(model, name).as_tool(name=name, description=f"finds out {name}") for name in SUBTASKS]
    return agent(model, "lead", tools=workers)


async def pattern(case: str) -> dict:
    model = Instant()

    def fresh():
        return looping(model) if case == "graph" else supervising(model)

    async def one(made) -> None:
        result = await made.invoke_async("Do it.")
        if case == "graph":
            assert result.status.value == "completed", result.status
        else:
            assert result.stop_reason == "end_turn", result.stop_reason

    await one(fresh())
    assert model.calls == CALLS[case], f"{model.calls} requests"
    return await paced(one, fresh)


if __name__ == "__main__":
    publish(
        "strands", version("strands-agents"), {case: lambda case=case: asyncio.run(pattern(case)) for case in CALLS}
    )
