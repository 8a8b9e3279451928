"""The engine over Postgres: tests that are written for any store, once more with a database each.

WEFT_TEST_POSTGRES=1 runs all of them that way; here are those in which stores could differ most.
"""

import pytest

from tests.engine import test_signals, test_wake

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("on_postgres")]

for module in (test_signals, test_wake):
    globals().update({name: value for name, value in vars(module).items() if not name.startswith(("_", "pytestmark"))})
