"""``/v1/models``: what can be asked."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends

from weft.core.errors import NotFoundError
from weft.server.caller import Caller
from weft.server.control.routes import allowed
from weft.server.openai.targets import Targets

By = Annotated[Caller, Depends(allowed("workflows:read"))]


def router(targets: Targets) -> APIRouter:
    """The routes of models."""
    api = APIRouter(prefix="/models", tags=["openai"])

    @api.get("")
    async def list_models(by: By) -> dict[str, Any]:
        """Every workflow and agent, ``weft/auto``, and the models that may be asked as they stand."""
        return {"object": "list", "data": targets.all(by)}

    @api.get("/{model:path}")
    async def show_model(model: str, by: By) -> dict[str, Any]:
        """One of them."""
        for one in targets.all(by):
            if one["id"] == model:
                return one
        targets.find(model, by)  # one of `provider/*` is not listed
        if "/" not in model:
            raise NotFoundError(f"there is no model {model!r}", param="model")
        return {"id": model, "object": "model", "created": 0, "owned_by": model.partition("/")[0]}

    return api
