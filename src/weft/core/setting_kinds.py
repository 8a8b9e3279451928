"""The kinds of values that settings have."""

from __future__ import annotations

from json import loads
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode


def split(value: Any) -> Any:
    """A text as a list: its parts between commas, as environment variables have them, or what it lists as JSON."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            listed = loads(value)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and all(isinstance(part, str) for part in listed):
            return listed
    return [part.strip() for part in value.split(",") if part.strip()]


def _url(value: str | None) -> str | None:
    if value is not None and not _is_address(value):
        raise ValueError("must be an address such as http://127.0.0.1:4318")
    return value


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _url_or_console(value: str | None) -> str | None:
    return value if value == "console" else _url(value)


def absolute(path: Path) -> Path:
    """`path` from the root, ``~`` resolved.

    Raises:
        ValueError: ``~`` names nobody.
    """
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:
        raise ValueError(str(error)) from error


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split)]
Url = Annotated[str | None, AfterValidator(_url)]
Address = Annotated[str, AfterValidator(_url)]
UrlOrConsole = Annotated[str | None, AfterValidator(_url_or_console)]
Folder = Annotated[Path, AfterValidator(absolute)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Group(BaseModel):
    """Settings of one concern."""

    model_config = ConfigDict(frozen=True, extra="forbid")
