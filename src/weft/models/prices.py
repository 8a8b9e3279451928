"""Prices: what a request cost, from the price list that the installed `genai-prices` brings; nothing is downloaded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from weft.core.usage import Usage
from weft.models.ref import ModelRef

if TYPE_CHECKING:  # the price list is large: it is imported with the first question about a price
    from pydantic_ai.messages import ModelResponse
    from pydantic_ai.usage import RequestUsage

_LISTS: Mapping[str, str] = {
    "openai": "openai",
    "azure": "azure",
    "anthropic": "anthropic",
    "bedrock": "aws",
    "google": "google",
}
_REGION = re.compile(r"^(?:us|eu|apac|jp|au|ca|us-gov|global)\.(?=[a-z0-9-]+\.)")
_FREE = frozenset({"offline"})


def price(usage: RequestUsage, ref: ModelRef) -> Decimal | None:
    """The price of one request in US dollars at today's list price, or None when the list does not know the model.

    A model behind a base URL of its own is priced by its name, as if its provider served it. What runs on Ollama has no
    list price; ``offline`` costs nothing.
    """
    if ref.provider in _FREE:
        return Decimal(0)
    listed = _LISTS.get(ref.provider)
    if listed is None or usage.unmeasured_requests:
        return None
    from genai_prices import calc_price  # noqa: PLC0415 -- see above

    try:
        return calc_price(usage, _listed_name(ref), provider_id=listed).total_price
    except (LookupError, ValueError):
        return None


def is_priced(ref: ModelRef) -> bool:
    """Whether a money budget can hold for this model."""
    if ref.provider in _FREE:
        return True
    listed = _LISTS.get(ref.provider)
    if listed is None:
        return False
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 -- see above

    try:
        _, model = get_snapshot().find_provider_model(_listed_name(ref), None, listed, None)
    except LookupError:
        return False
    return bool(model.prices)


def _listed_name(ref: ModelRef) -> str:
    return _REGION.sub("", ref.name) if ref.provider == "bedrock" else ref.name


def usage_of(response: ModelResponse, ref: ModelRef) -> Usage:
    """What one response consumed, priced; ``unpriced`` is 1 when its price is not known."""
    used = response.usage
    cost = price(used, ref)
    return Usage(
        requests=1,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cache_read_tokens=used.cache_read_tokens,
        cache_write_tokens=used.cache_write_tokens,
        cost=cost or Decimal(0),
        unpriced=int(cost is None),
    )
