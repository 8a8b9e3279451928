"""Embeddings for clients: of the models that the settings allow, noted in the audit trail with what they took."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from weft.app.addresses import check_model_addresses
from weft.app.auditing.acts import Act
from weft.app.egress import egress_policy
from weft.app.hosting import Host
from weft.app.serving.passing import is_allowed
from weft.core.errors import InputError, NotFoundError, PolicyError
from weft.core.owner import Owner
from weft.models.embedding import Embedded, embed
from weft.models.ref import ModelRef
from weft.models.registry import ModelPool, check_credentials

MAX_TEXTS, MAX_TEXT, MAX_ALL = 2_048, 200_000, 2_000_000
"""Texts of one request, characters of one text, and of all of them."""


class Embeddings:
    """Makes embeddings for the callers of one host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._pool = ModelPool()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """The time in which it is used; connections are closed behind it."""
        try:
            yield
        finally:
            await self._pool.aclose()

    async def embed(self, model: str, texts: Sequence[str], *, dimensions: int | None, owner: Owner) -> Embedded:
        """The vectors of `texts`.

        Raises:
            NotFoundError: there is no such model, or it may not be asked.
            InputError: there is nothing to embed, or too much.
            WeftError: the provider failed.
        """
        ref = self._ref(model)
        if not texts or not all(texts):
            raise InputError("there is nothing to embed", fix="send texts that are not empty", param="input")
        if len(texts) > MAX_TEXTS or any(len(one) > MAX_TEXT for one in texts) or sum(map(len, texts)) > MAX_ALL:
            raise InputError(
                f"one request may have {MAX_TEXTS} texts of {MAX_TEXT} characters, {MAX_ALL} in all",
                fix="send them in several",
                param="input",
            )
        await self._host.limits.start(owner)

        def told(made: Embedded) -> Act:
            return replace(act, data={**act.data, "usage": made.usage.as_json()})

        act = Act("model.embed", f"model/{ref.id}", {"texts": len(texts)})
        asking = embed(self._pool, ref, texts, dimensions=dimensions)
        return await self._host.trail.act(owner, act, asking, told=told)

    def _ref(self, model: str) -> ModelRef:
        if not is_allowed(model, self._host.settings.server.models):
            raise NotFoundError(
                f"there is no model {model!r}", fix="name it in the setting server.models", param="model"
            )
        choice = self._host.choice
        if choice.offline and not model.startswith("offline/"):
            raise PolicyError(f"the service runs offline and cannot ask {model}", fix="start it without --offline")
        ref = ModelRef.parse(model, base_url=choice.base_url)
        if ref.provider == "offline":
            return ModelRef.parse(model)
        check_model_addresses(
            {"agents": {model: {"model": model, "base_url": choice.base_url}}},
            egress_policy(self._host.settings),
            chosen=choice.base_url,
            environ=os.environ,
        )
        check_credentials(ref, os.environ)
        return ref
