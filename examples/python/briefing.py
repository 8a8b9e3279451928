"""A briefing from several documents, as a workflow function.

What it shows: agents, a tool and a person as awaited calls; siblings at the same time; typed answers; and that all of it is durable.
Kill it at any moment and `weft resume last` goes on where it was.

    weft run examples/python/briefing.py:briefing --offline --var question="What did the doors cost?"
    weft approve last --answer publish
"""

import asyncio
from pathlib import Path

from pydantic import BaseModel, Field

import weft

ARCHIVE = Path(__file__).parent.parent / "research" / "archive"
DOCUMENTS = (
    "07-incident-report-calder-quay.md",
    "12-finance-memo.md",
    "13-letters-from-members.md",
)


class Briefing(BaseModel):
    """What the editor answers."""

    summary: str = Field(description="a summary of the notes")


@weft.tool(effect="pure")
def document(name: str) -> str:
    """Read a document of the archive.

    Args:
        name: the name of its file.
    """
    return (ARCHIVE / name).read_text(encoding="utf-8")


@weft.agent(input="{{ question }} Answer with two quotations.\n\nText:\n\n{{ text }}")
async def reader(question: str, text: str) -> str:
    """You are a careful reader. Quote word for word, and add nothing."""


@weft.agent
async def editor(notes: str) -> Briefing:
    """You are an editor. Keep quotations word for word."""


async def notes_on(name: str, question: str) -> str:
    """What one document says: two steps of their own, below /notes_on[n]."""
    return f"{name}:\n{await reader(question, await document(name))}"


@weft.workflow(provider="openai", model_id="gpt-4o-mini", budgets={"max_steps": 50})
async def briefing(question: str) -> str:
    """Ask every document the same question, and have a person look at what comes of it."""
    notes = await asyncio.gather(*[notes_on(name, question) for name in DOCUMENTS])
    made = await editor("\n\n".join(notes))
    decision = await weft.gate(
        "Publish this briefing?", show="\n\n".join(notes), choices=["publish", "drop"], deadline_s=7 * 86_400
    )
    return "\n\n".join([made.summary, *notes]) if decision.choice == "publish" else "dropped"
