"""The page about Postgres names the test that shows each fault: those tests are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_NAMED = re.compile(r"`(test_\w+\.py)::(test_\w+)`")


def test_every_test_that_the_page_names_is_there():
    named = _NAMED.findall((ROOT / "docs" / "postgres.md").read_text(encoding="utf-8"))
    assert len(named) > 20
    for file, test in named:
        assert f"def {test}(" in (ROOT / "tests" / "faults" / file).read_text(encoding="utf-8"), test
