"""Searching the web with Tavily."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from weft.core.errors import AuthError, ProviderError, RateLimitError
from weft.tools.port import ToolContext

KEY = "TAVILY_API_KEY"
"""The environment variable, and the name of the secret, that holds the key."""


async def tavily_search(
    context: ToolContext,
    query: Annotated[str, Field(min_length=1, max_length=1000)],
    max_results: Annotated[int, Field(ge=1, le=20)] = 5,
    include_answer: bool = False,
) -> dict[str, Any]:
    """Search the web. The result has query, results (title, url, content, score) and, if wanted, a short answer.

    Args:
        context: What the call may use.
        query: What to look for.
        max_results: Give no more than so many.
        include_answer: Whether to give a short answer beside the results.
    """
    answer = await context.http.request(
        "POST",
        f"{context.options.tavily_url.rstrip('/')}/search",
        headers={"authorization": f"Bearer {context.secrets.resolve(KEY)}"},
        json={"query": query, "max_results": max_results, "include_answer": include_answer},
    )
    if answer.status in {401, 403}:
        raise AuthError("the search service does not accept the key", fix=f"set {KEY} to a key that is valid")
    if answer.status in {429, 432}:
        raise RateLimitError("the search service asks to slow down", fix="wait, or raise the plan of the key")
    if answer.status != 200:
        raise ProviderError(
            f"the search service answered {answer.status}", fix="try again later, or use duckduckgo_search"
        )
    data = answer.json()
    if not isinstance(data, dict) or not isinstance(data.get("results"), list):
        raise ProviderError("the answer of the search service cannot be read", fix="try again later")
    results = [
        {name: one.get(name) for name in ("title", "url", "content", "score")}
        for one in data["results"]
        if isinstance(one, dict)
    ]
    found: dict[str, Any] = {"query": query, "results": results[:max_results]}
    return found | ({"answer": data.get("answer")} if include_answer else {})
