"""LangGraph's side of patterns: a graph with a cycle, and an orchestrator that sends work to workers, over a model that answers at once.

The checkpointer is that of `langgraph_steps.py`: SQLite, durability "sync", fsync at every commit.
"""

import asyncio
import operator
import sys
from importlib.metadata import version
from itertools import count
from pathlib import Path
from typing import Annotated, TypedDict

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from langgraph_steps import checkpointer, config

from report import paced, publish

SUBTASKS = ["one", "two", "three", "four", "five"]
CALLS = {"graph": 10, "supervisor": 7}


class Model(BaseChatModel):
    """Answers at once, and counts."""

    calls: int = 0

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _generate(self, messages, stop=None, run_manager=None, **kwargs) -> ChatResult:
        self.calls += 1
        text = " ".join(SUBTASKS) if messages[0].content == "You split." else "done"
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=text))])

    async def _agenerate(self, messages, stop=None, run_manager=None, **kwargs) -> ChatResult:
        return self._generate(messages)


class Loop(TypedDict):
    """What the nodes of the graph have said, and how often the draft was reviewed."""

    plan: str
    facts: str
    style: str
    draft: str
    reviews: int
    published: str


class Survey(TypedDict):
    """What the workers have found, and what was written of it."""

    tasks: list
    found: Annotated[list, operator.add]
    text: str


def asking(model: Model):
    async def ask(prompt: str, system: str = "You work.") -> str:
        return (await model.ainvoke([SystemMessage(system), HumanMessage(prompt)])).content

    return ask


def looping(model: Model) -> StateGraph:
    ask = asking(model)

    async def plan(state):
        return {"plan": await ask("Plan it.")}

    async def facts(state):
        return {"facts": await ask(f"Facts for: {state['plan']}")}

    async def style(state):
        return {"style": await ask(f"Style for: {state['plan']}")}

    async def write(state):
        return {"draft": await ask(f"Write: {state['facts']} {state['style']}")}

    async def review(state):
        await ask(f"Review: {state['draft']}")
        return {"reviews": state.get("reviews", 0) + 1}

    async def publish_(state):
        return {"published": await ask(f"Publish: {state['draft']}")}

    graph = StateGraph(Loop)
    nodes = {"planning": plan, "facting": facts, "styling": style, "write": write, "review": review, "end": publish_}
    for name, node in nodes.items():
        graph.add_node(name, node)
    graph.add_edge(START, "planning")
    graph.add_edge("planning", "facting")
    graph.add_edge("planning", "styling")
    graph.add_edge(["facting", "styling"], "write")
    graph.add_edge("write", "review")
    graph.add_conditional_edges("review", lambda state: "write" if state["reviews"] < 3 else "end", ["write", "end"])
    graph.add_edge("end", END)
    return graph


def supervising(model: Model) -> StateGraph:
    ask = asking(model)

    async def lead(state):
        return {"tasks": (await ask("Survey it.", "You split.")).split()}

    async def worker(state):
        return {"found": [await ask(state["task"])]}

    async def writeup(state):
        return {"text": await ask(" ".join(state["found"]))}

    graph = StateGraph(Survey)
    graph.add_node("lead", lead)
    graph.add_node("worker", worker)
    graph.add_node("writeup", writeup)
    graph.add_edge(START, "lead")
    graph.add_conditional_edges(
        "lead", lambda state: [Send("worker", {"task": task}) for task in state["tasks"]], ["worker"]
    )
    graph.add_edge("worker", "writeup")
    graph.add_edge("writeup", END)
    return graph


async def pattern(case: str) -> dict:
    model, threads = Model(), count()
    async with checkpointer() as saver:
        compiled = (looping if case == "graph" else supervising)(model).compile(checkpointer=saver)

        async def one(_) -> None:
            result = await compiled.ainvoke({}, config(str(next(threads))), durability="sync")
            assert result.get("published") or result.get("text"), result

        await one(None)
        assert model.calls == CALLS[case], f"{model.calls} requests"
        return await paced(one)


if __name__ == "__main__":
    publish("langgraph", version("langgraph"), {case: lambda case=case: asyncio.run(pattern(case)) for case in CALLS})
