"""References: which model is meant, and how it is reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from weft.core.errors import InputError

Api = Literal["chat", "responses"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A model and where it is served.

    `api` picks between OpenAI's two APIs and means nothing elsewhere. `base_url` is the server's address for any provider,
    `region` is for Bedrock. `declared` says that the address is that of a workflow file, which the provider's own variable
    redirects.
    """

    provider: str
    name: str
    api: Api = "chat"
    base_url: str | None = None
    region: str | None = None
    declared: bool = False

    @property
    def id(self) -> str:
        """``provider/name``."""
        return f"{self.provider}/{self.name}"

    @classmethod
    def parse(cls, model_id: str, **rest: Any) -> ModelRef:
        """Read ``provider/name``; the name may hold further slashes.

        Raises:
            InputError: there is no provider or no name.
        """
        provider, slash, name = model_id.partition("/")
        if not (slash and provider.strip() and name.strip()):
            raise InputError(
                f"a model id is provider/name, and this is {model_id!r}",
                fix="write for example openai/gpt-4o-mini, anthropic/claude-sonnet-4-5 or offline/extract",
            )
        return cls(provider=provider.strip(), name=name.strip(), **rest)


OFFLINE = ModelRef(provider="offline", name="extract")
"""The built-in model that needs no network and no key."""
