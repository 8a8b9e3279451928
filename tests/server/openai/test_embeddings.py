"""Embeddings with the official client and LangChain's."""

from __future__ import annotations

import math

import openai
import pytest
from langchain_openai import OpenAIEmbeddings
from openai import OpenAI
from pydantic import SecretStr

from tests.server.served import Served
from weft.store.journal import Journal
from weft.testing.providers import FakeProvider

pytestmark = pytest.mark.slow


def near(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


def test_texts_that_share_words_are_near_without_a_network(client: OpenAI) -> None:
    texts = ["the loom weaves cloth", "a loom weaves fine cloth", "the stock market fell"]
    for form in ("base64", "float"):
        made = client.embeddings.create(model="offline/embed", input=texts, encoding_format=form)
        vectors = [one.embedding for one in made.data]
        if form == "base64":
            made = client.embeddings.create(model="offline/embed", input=texts)
            vectors = [one.embedding for one in made.data]
        assert [len(one) for one in vectors] == [256] * 3
        assert all(math.isclose(near(one, one), 1.0, abs_tol=1e-5) for one in vectors)
        assert near(vectors[0], vectors[1]) > near(vectors[0], vectors[2]) + 0.3
        assert made.usage.total_tokens == 13


def test_a_provider_is_asked_and_what_it_took_is_noted(client: OpenAI, provider: FakeProvider, service: Served) -> None:
    made = client.embeddings.create(model="openai/gpt-4o-mini", input=["abc", "four"], dimensions=2)
    assert [one.embedding for one in made.data] == [[3.0, 1.0], [4.0, 2.0]]
    assert provider.requests[-1].body["dimensions"] == 2
    journal = Journal(service.journal)
    out = str([(entry.act, entry.target, entry.data) for entry in journal.audit.list()])
    journal.close()
    assert "model.embed" in out
    assert "input_tokens" in out


def test_langchain_embeds(service: Served) -> None:
    embeddings = OpenAIEmbeddings(
        base_url=f"{service.url}/v1",
        api_key=SecretStr("unused"),
        model="offline/embed",
        check_embedding_ctx_length=False,
    )
    assert len(embeddings.embed_query("looms")) == 256


def test_what_cannot_be_embedded_is_refused(client: OpenAI) -> None:
    for wrong in ([], "", ["a", ""], [1, 2, 3]):
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="offline/embed", input=wrong)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="openai/text-embedding-3-small", input="a")
