from __future__ import annotations

from google.genai.types import HttpRetryOptions
from pydantic_ai.models.google import GoogleModel
from pydantic_ai.providers.google import GoogleProvider

from weft.models.ref import ModelRef
from weft.models.registry import Access


def open_model(ref: ModelRef, access: Access) -> GoogleModel:
    """The Gemini API."""
    provider = GoogleProvider(
        api_key=access.variable("GOOGLE_API_KEY", "GEMINI_API_KEY"),
        base_url=ref.base_url or access.variable("GOOGLE_GEMINI_BASE_URL"),
        http_client=access.http_client,
        retry_options=HttpRetryOptions(attempts=1),
    )
    return GoogleModel(ref.name, provider=provider)
