"""The providers under test: each through its real client library against its fake."""

from __future__ import annotations

from dataclasses import dataclass, replace

from weft.models.ref import ModelRef
from weft.models.registry import ModelPool
from weft.testing.providers import FakeProvider, Kind


@dataclass(frozen=True)
class Case:
    kind: Kind
    ref: ModelRef

    def at(self, fake: FakeProvider) -> ModelRef:
        return replace(self.ref, base_url=fake.base_url)


CASES = [
    Case("openai", ModelRef.parse("openai/gpt-4o-mini")),
    Case("openai-responses", ModelRef.parse("openai/gpt-4o-mini", api="responses")),
    Case("azure", ModelRef.parse("azure/gpt-4o-mini")),
    Case("anthropic", ModelRef.parse("anthropic/claude-sonnet-5")),
    Case("bedrock", ModelRef.parse("bedrock/us.anthropic.claude-3-5-sonnet-20241022-v2:0", region="us-east-1")),
    Case("google", ModelRef.parse("google/gemini-2.5-flash")),
    Case("ollama", ModelRef.parse("ollama/gpt-oss")),
]


def pool_for(fake: FakeProvider, *, timeout_s: float = 4.0) -> ModelPool:
    return ModelPool(environ=fake.environ, timeout_s=timeout_s)
