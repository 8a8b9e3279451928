"""``/v1/embeddings``."""

from __future__ import annotations

import base64
import struct
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from weft.app.serving.embedding import Embeddings
from weft.core.errors import UnsupportedError
from weft.server.caller import Caller
from weft.server.control.routes import allowed
from weft.server.rooms import Rooms

By = Annotated[Caller, Depends(allowed("runs:start"))]


class EmbeddingRequest(BaseModel):
    """The body of a request for embeddings; fields that are not known are ignored."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False)

    model: str = Field(min_length=1, max_length=200)
    input: str | list[str] | list[int] | list[list[int]]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(default=None, ge=1)

    def texts(self) -> list[str]:
        """What is to be embedded.

        Raises:
            UnsupportedError: it is not text.
        """
        if isinstance(self.input, str):
            return [self.input]
        texts = [one for one in self.input if isinstance(one, str)]
        if len(texts) != len(self.input):
            raise UnsupportedError(
                "numbers of tokens are not read here, for each model counts its own",
                fix="send texts (LangChain: check_embedding_ctx_length=False)",
                param="input",
            )
        return texts


def router(rooms: Rooms) -> APIRouter:
    """The route of embeddings."""
    api = APIRouter(tags=["openai"])
    embeddings = Embeddings(rooms.host)
    rooms.openings.append(embeddings.opened)

    @api.post("/embeddings")
    async def embed(body: EmbeddingRequest, by: By) -> dict[str, Any]:
        """Texts as vectors."""
        made = await embeddings.embed(body.model, body.texts(), dimensions=body.dimensions, owner=by.owner)
        data = [
            {"object": "embedding", "index": at, "embedding": _encoded(vector, body.encoding_format)}
            for at, vector in enumerate(made.vectors)
        ]
        usage = {"prompt_tokens": made.usage.input_tokens, "total_tokens": made.usage.input_tokens}
        return {"object": "list", "data": data, "model": body.model, "usage": usage}

    return api


def _encoded(vector: Any, form: str) -> Any:
    """A vector as numbers, or as the bytes of 32-bit floats in base64."""
    if form == "float":
        return list(vector)
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
