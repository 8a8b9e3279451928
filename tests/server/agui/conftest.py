"""A shop with an agent that may refund, on a provider that speaks OpenAI's protocol and answers from a script."""

import json
import uuid

import httpx2
import pytest

from tests.server.served import Served
from weft.testing.providers import FakeProvider, call, say

SHOP = '''\
from pathlib import Path


def refund(customer: str, amount: int) -> str:
    """Pay money back.

    Args:
        customer: Who gets it.
        amount: How much, in euro.
    """
    with Path("refunds.log").open("a", encoding="utf-8") as log:
        log.write(f"{customer} {amount}\\n")
    return f"{customer} gets {amount}"
'''
CLERK = """\
version: 1
name: clerk
description: Handles complaints.
runtime: {provider: openai, model_id: test}
inputs: {required: {message: string}}
agents: {clerk: {prompt: Handle the complaint.}}
tools:
  python:
    - {callable: "shop:refund", id: refund, effect: once, approval: always}
pattern: {type: chain, config: {steps: [{agent: clerk, input: "{{ message }}"}]}}
"""
TALK = """\
version: 1
name: talk
description: Talks.
runtime: {provider: openai, model_id: test}
agents: {friend: {prompt: Be kind.}}
pattern: {type: chain, config: {steps: [{agent: friend, input: hello}]}}
"""


def texts(body) -> list[tuple[str, str]]:
    return [(one["role"], one.get("content") or "") for one in body["messages"]]


def brain(request):
    """Refunds before it answers; where there is no tool, it says how many messages it was given."""
    messages = request.body["messages"]
    if request.body.get("tools") and messages[-1]["role"] != "tool":
        return call("refund", {"customer": messages[-1]["content"].split()[-1], "amount": 120})
    if messages[-1]["role"] == "tool":
        return say(f"Done: {messages[-1]['content']}")
    said = [one for one in messages if one["role"] in ("user", "assistant")]
    return say(f"I was told {len(said)} messages, the last one {said[-1]['content']!r}.")


class Front:
    """A chat front end by hand: posts inputs, reads events."""

    def __init__(self, served, target):
        self.url = f"{served.url}/ag-ui/{target}"

    def body(self, thread, *, run=None, text="", messages=None, **rest):
        said = messages if messages is not None else [{"id": "m1", "role": "user", "content": text}] if text else []
        base = {"threadId": thread, "runId": run or str(uuid.uuid4()), "state": {"mine": 1}, "messages": said}
        return base | {"tools": [], "context": [], "forwardedProps": {}} | rest

    def post(self, body, **rest):
        return httpx2.post(self.url, json=body, timeout=60, **rest)

    def events(self, *args, **rest):
        response = self.post(self.body(*args, **rest))
        assert response.status_code == 200, response.text
        assert response.headers["content-type"].startswith("text/event-stream")
        return read(response.text)


def read(text):
    return [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]


def kinds(events):
    return [event["type"] for event in events]


def said(events):
    return "".join(event["delta"] for event in events if event["type"] == "TEXT_MESSAGE_CONTENT")


@pytest.fixture(scope="module")
def provider():
    with FakeProvider("openai", brain) as fake:
        yield fake


@pytest.fixture(scope="module")
def shop(provider, tmp_path_factory):
    one = Served(tmp_path_factory.mktemp("shop"), WEFT_TOOLS__ALLOWED_MODULES="shop", **provider.environ)
    (one.folder / "shop.py").write_text(SHOP)
    one.add("clerk", CLERK)
    one.add("talk", TALK)
    yield one.start()
    one.kill()


@pytest.fixture
def thread():
    return str(uuid.uuid4())
