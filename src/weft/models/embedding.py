"""Embeddings: texts as vectors, by a provider's model or, without a network, by ``offline/embed``."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Any

from pydantic_ai.embeddings import Embedder, EmbeddingModel, EmbeddingSettings, infer_embedding_model
from pydantic_ai.models.wrapper import WrapperModel

from weft.core.errors import InputError, ProviderError, UnsupportedError
from weft.core.usage import Usage
from weft.models.errors import translate
from weft.models.prices import price
from weft.models.ref import ModelRef
from weft.models.registry import ModelPool

OFFLINE_EMBED = ModelRef(provider="offline", name="embed")
DIMENSIONS = 256
MAX_DIMENSIONS = 8_192
_NAMES: Mapping[str, str] = {"bedrock": "bedrock", "google": "google"}
"""Providers whose embeddings are not asked for as OpenAI's are."""
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector for each text, and what they took."""

    vectors: Sequence[Sequence[float]]
    usage: Usage


async def embed(pool: ModelPool, ref: ModelRef, texts: Sequence[str], *, dimensions: int | None = None) -> Embedded:
    """The vectors of `texts`, in their order.

    Raises:
        UnsupportedError: the provider has no embeddings.
        WeftError: the provider failed.
    """
    if dimensions is not None and not 1 <= dimensions <= MAX_DIMENSIONS:
        raise InputError(f"a vector may have 1 to {MAX_DIMENSIONS} dimensions", param="dimensions")
    if ref.provider == OFFLINE_EMBED.provider:
        return _offline(ref, texts, dimensions or DIMENSIONS)
    model = _model(pool, ref)
    settings: EmbeddingSettings = {"dimensions": dimensions} if dimensions is not None else {}
    try:
        result = await Embedder(model, settings=settings).embed(list(texts), input_type="document")
    except Exception as error:  # every provider's client has exceptions of its own
        raise translate(error, ref, secrets=pool.secrets(ref)) from error
    if len(result.embeddings) != len(texts):
        raise ProviderError(f"{ref.id} gave {len(result.embeddings)} vectors for {len(texts)} texts")
    cost = price(result.usage, ref)
    used = Usage(requests=1, input_tokens=result.usage.input_tokens, unpriced=int(cost is None))
    return Embedded(result.embeddings, used if cost is None else used + Usage(cost=cost))


def _model(pool: ModelPool, ref: ModelRef) -> EmbeddingModel:
    """The embedding model of the provider that chat models of `ref` come from, with its client and its credentials."""
    opened: Any = pool.open(ref)
    while isinstance(opened, WrapperModel):
        opened = opened.wrapped
    provider = opened.provider
    if ref.provider == "anthropic" or provider is None:
        raise UnsupportedError(f"{ref.provider} has no embeddings", fix="use a model of another provider", model=ref.id)
    kind = _NAMES.get(ref.provider, "openai")
    return infer_embedding_model(f"{kind}:{ref.name}", provider_factory=lambda _: provider)


def _offline(ref: ModelRef, texts: Sequence[str], dimensions: int) -> Embedded:
    if ref != OFFLINE_EMBED:
        raise UnsupportedError(f"there is no offline model called {ref.name!r} for embeddings", fix="use offline/embed")
    words = [_WORD.findall(text.casefold()) for text in texts]
    vectors = [_hashed(found, dimensions) for found in words]
    return Embedded(vectors, Usage(requests=1, input_tokens=sum(len(found) for found in words)))


def _hashed(words: Sequence[str], dimensions: int) -> list[float]:
    """A bag of words and of pairs of them, each hashed to a place and a sign, of length 1.

    Texts that share words are near each other; what words mean is not known here.
    """
    vector = [0.0] * dimensions
    for term in [*words, *(" ".join(pair) for pair in pairwise(words))]:
        number = int.from_bytes(blake2b(term.encode(errors="replace"), digest_size=8).digest(), "big")
        vector[number % dimensions] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector))
    return [value / length for value in vector] if length else vector
