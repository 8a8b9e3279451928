# ruff: noqa: RUF012 -- Pydantic copies mutable defaults
from typing import Annotated, Literal

from pydantic import Field

from weft.spec.model.base import Name, Section


class Secret(Section):
    """A secret by reference: `key` names it in its source, `name` is the alias that headers use as ``${NAME}``."""

    key: Name
    source: Literal["env", "secrets_manager", "ssm", "file"]
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
