from __future__ import annotations

from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles.openai import OpenAIModelProfile
from pydantic_ai.providers.openai import OpenAIProvider

from weft.models.ref import ModelRef
from weft.models.registry import Access

_OFFICIAL = "https://api.openai.com/v1"
_NO_KEY = "no-key"


def open_model(ref: ModelRef, access: Access) -> OpenAIChatModel | OpenAIResponsesModel:
    """OpenAI, or any server that speaks its Chat Completions or Responses API."""
    base_url = ref.base_url or access.variable("OPENAI_BASE_URL") or _OFFICIAL
    provider = OpenAIProvider(
        base_url=base_url, api_key=access.variable("OPENAI_API_KEY") or _NO_KEY, http_client=access.http_client
    )
    provider.client.max_retries = 0
    if ref.api == "responses":
        return OpenAIResponsesModel(ref.name, provider=provider)
    if base_url.rstrip("/") == _OFFICIAL:
        return OpenAIChatModel(ref.name, provider=provider)
    # Servers that are compatible rather than OpenAI's own know the older name of the limit for certain.
    profile = OpenAIModelProfile(openai_chat_supports_max_completion_tokens=False)
    return OpenAIChatModel(ref.name, provider=provider, profile=profile)
