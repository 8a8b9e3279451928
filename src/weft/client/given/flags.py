"""Written by scripts/client from the OpenAPI document. What ``flags`` is given."""

from __future__ import annotations

from typing import TypedDict


class NewValue(TypedDict):
    """What a flag is to say; null for what it says by default."""

    value: bool | int | None
