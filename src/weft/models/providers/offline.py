from __future__ import annotations

from weft.core.errors import UnsupportedError
from weft.models.offline.model import OfflineModel
from weft.models.offline.reply import NAME
from weft.models.ref import ModelRef
from weft.models.registry import Access


def open_model(ref: ModelRef, access: Access) -> OfflineModel:  # noqa: ARG001 -- it needs no access at all
    """The built-in extractive model.

    Raises:
        UnsupportedError: the name is not ``extract``.
    """
    if ref.id != NAME:
        raise UnsupportedError(f"there is no offline model called {ref.name!r}", fix=f"use {NAME}", model=ref.id)
    return OfflineModel()
