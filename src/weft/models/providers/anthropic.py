from __future__ import annotations

import warnings

from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.providers.anthropic import AnthropicProvider

from weft.models.ref import ModelRef
from weft.models.registry import Access

_AGED = r"(The model '.*' is deprecated|Using Claude with )"
"""How the client's warnings about models that its makers would rather see replaced begin."""


def open_model(ref: ModelRef, access: Access) -> AnthropicModel:
    """Anthropic's Messages API."""
    # Which model is asked is for the workflow to say. Whoever makes warnings errors means those of their own program.
    for category in (DeprecationWarning, UserWarning):
        warnings.filterwarnings("ignore", message=_AGED, category=category)
    provider = AnthropicProvider(
        api_key=access.variable("ANTHROPIC_API_KEY"),
        base_url=ref.base_url or access.variable("ANTHROPIC_BASE_URL"),
        http_client=access.http_client,
    )
    provider.client.max_retries = 0
    return AnthropicModel(ref.name, provider=provider)
