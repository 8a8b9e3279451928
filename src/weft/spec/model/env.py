# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Literal

from pydantic import Field

from weft.spec.model.base import Name, Section


class Secret(Section):
    """A secret by reference: `key` names it in its source, `name` is the alias that headers use as ``${NAME}``.

    `path` leads to the value inside a secret that is JSON, with dots between.
    """

    key: Name
    source: Literal["env", "file", "secrets_manager", "ssm", "azure_key_vault", "vault"]
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    path: str | None = None

    @property
    def alias(self) -> str:
        """The name under which the workflow refers to the secret."""
        return self.name or self.key


class Env(Section):
    """What a run takes from its surroundings."""

    secrets: list[Secret] = []
    mounts: dict[str, str] = {}
