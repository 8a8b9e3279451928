"""What tests of logs share."""

import logging

import pytest


@pytest.fixture(autouse=True)
def restore():
    """Leave our logger as it was."""
    root = logging.getLogger("weft")
    before = root.handlers[:], root.level, root.propagate
    yield
    root.handlers[:], root.propagate = before[0], before[2]
    root.setLevel(before[1])
