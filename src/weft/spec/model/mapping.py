from typing import Literal

from weft.spec.model.base import Section, addition
from weft.spec.model.flow import AnyStep, MapRule


class MapConfig(MapRule):
    """The same steps for each item of a list, and a step that puts the results together."""

    reduce: AnyStep | None = None


class MapPattern(Section):
    """``type: map``."""

    type: Literal["map"] = addition(default=...)
    config: MapConfig
