"""What goes to Postgres in arrays of our own making is what comes back."""

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weft.store.postgres.arrays import Bigints, Blobs, Texts, taken_by

pytestmark = pytest.mark.slow

TEXTS = st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])))
BLOBS = st.lists(st.none() | st.binary())
BIGINTS = st.lists(st.none() | st.integers(-(2**63), 2**63 - 1))


@pytest.fixture(scope="module")
def connection(postgres_server):
    with psycopg.connect(postgres_server.get_uri(), cursor_factory=psycopg.RawCursor, autocommit=True) as made:
        taken_by(made)
        yield made


@given(TEXTS, BLOBS, BIGINTS)
def test_every_array_comes_back_as_it_was_given(connection, texts, blobs, bigints):
    row = connection.execute(
        "SELECT $1::text[], $2::bytea[], $3::bigint[]", [Texts.of(texts), Blobs.of(blobs), Bigints.of(bigints)]
    ).fetchone()
    assert row == (texts, blobs, bigints)


def test_what_the_server_does_not_take_is_a_fault_of_the_data(connection):
    for make in (lambda: Texts.of(["\ud800"]), lambda: Bigints.of([2**63])):
        with pytest.raises(psycopg.DataError):
            make()
    with pytest.raises(psycopg.DataError):
        connection.execute("SELECT $1::text[]", [Texts.of(["a\0b"])])
