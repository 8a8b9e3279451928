from __future__ import annotations

from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from weft.models.ref import ModelRef
from weft.models.registry import Access


def open_model(ref: ModelRef, access: Access) -> AnthropicModel:
    """Anthropic's Messages API."""
    provider = AnthropicProvider(
        api_key=access.variable("ANTHROPIC_API_KEY"),
        base_url=ref.base_url or access.variable("ANTHROPIC_BASE_URL"),
        http_client=access.http_client,
    )
    provider.client.max_retries = 0
    return AnthropicModel(ref.name, provider=provider)
