import pytest
from mcp_bench import Bench


@pytest.fixture
async def bench(tmp_path):
    """One process of Weft with nothing started yet; whatever it starts is ended."""
    one = Bench(tmp_path)
    yield one
    await one.pool.aclose()
