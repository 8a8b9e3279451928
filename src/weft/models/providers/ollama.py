from __future__ import annotations

from urllib.parse import urlsplit

from pydantic_ai.models.ollama import OllamaModel
from pydantic_ai.providers.ollama import OllamaProvider

from weft.models.ref import ModelRef
from weft.models.registry import Access

_DEFAULT = "http://localhost:11434"


def open_model(ref: ModelRef, access: Access) -> OllamaModel:
    """An Ollama server, through the OpenAI-compatible API that it serves under ``/v1``."""
    host = ref.base_url or access.variable("OLLAMA_BASE_URL", "OLLAMA_HOST") or _DEFAULT
    provider = OllamaProvider(
        base_url=base_url(host), api_key=access.variable("OLLAMA_API_KEY"), http_client=access.http_client
    )
    provider.client.max_retries = 0
    return OllamaModel(ref.name, provider=provider)


def base_url(host: str) -> str:
    """The API's address for a host as Ollama users write it: with or without scheme, port and path."""
    address = host if "://" in host else f"http://{host}"
    parts = urlsplit(address)
    port = "" if parts.port or parts.scheme == "https" else ":11434"
    # A server that listens everywhere is reached here.
    place = (parts.netloc + port).replace("0.0.0.0", "127.0.0.1", 1)  # noqa: S104 -- read, not bound
    return f"{parts.scheme}://{place}{parts.path.rstrip('/') or '/v1'}"
