"""Written by scripts/client from the OpenAPI document. What ``settings`` answers with."""

from __future__ import annotations

from typing import Any

from weft.client.operation import Shape


class SettingView(Shape):
    """One setting. `source` is a variable, a line of a file, or `default`."""

    name: str
    value: Any
    """Secrets are masked."""
    source: str
    variable: str
    description: str


class SettingPage(Shape):
    """Some settings, in the order of the documentation."""

    items: list[SettingView]
    next: str | None = None
    """The cursor of the next page."""
