"""Providers on this machine: servers that speak each provider's wire format and answer from a script.

with FakeProvider("openai", Script(call("search", {"query": "weft"}), say("Found it."))) as fake:
    pool = ModelPool(environ=fake.environ)
    ...
    assert len(fake.requests) == 2
"""

from weft.testing.providers.fake import FakeProvider, Kind
from weft.testing.providers.script import (
    Brain,
    Request,
    Script,
    ToolCall,
    Turn,
    call,
    calls,
    fail,
    garbage,
    half,
    hang,
    say,
    slow,
)

__all__ = [
    "Brain",
    "FakeProvider",
    "Kind",
    "Request",
    "Script",
    "ToolCall",
    "Turn",
    "call",
    "calls",
    "fail",
    "garbage",
    "half",
    "hang",
    "say",
    "slow",
]
