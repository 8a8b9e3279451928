from __future__ import annotations

from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.providers.azure import AzureProvider

from weft.models.ref import ModelRef
from weft.models.registry import Access


def open_model(ref: ModelRef, access: Access) -> OpenAIChatModel | OpenAIResponsesModel:
    """A deployment on Azure OpenAI; its v1 API unless ``OPENAI_API_VERSION`` asks for a dated one."""
    endpoint = (ref.base_url or access.environ["AZURE_OPENAI_ENDPOINT"]).rstrip("/")
    version = access.variable("AZURE_OPENAI_API_VERSION", "OPENAI_API_VERSION")
    if endpoint.endswith("/v1") or version is None:
        endpoint, version = endpoint.removesuffix("/openai/v1") + "/openai/v1", None
    provider = AzureProvider(
        azure_endpoint=endpoint,
        api_version=version,
        api_key=access.variable("AZURE_OPENAI_API_KEY"),
        http_client=access.http_client,
    )
    provider.client.max_retries = 0
    if ref.api == "responses":
        return OpenAIResponsesModel(ref.name, provider=provider)
    return OpenAIChatModel(ref.name, provider=provider)
