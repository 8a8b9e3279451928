"""What is generated is what the document gives, and every operation of the document has a method in both clients."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

from weft import AsyncClient, Client

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("shapes", "given", "blocking", "awaiting")
DOCUMENT = json.loads((ROOT / "schema" / "openapi.json").read_text())
OPERATIONS = [one["operationId"] for ops in DOCUMENT["paths"].values() for one in ops.values()]


def generated(folder):
    files = [folder / "operations.py", *(path for part in PARTS for path in (folder / part).glob("*.py"))]
    return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_the_generated_modules_are_what_the_document_gives(tmp_path):
    subprocess.run([sys.executable, ROOT / "scripts" / "client", tmp_path], check=True, timeout=120)
    fresh, kept = generated(tmp_path), generated(ROOT / "src" / "weft" / "client")
    assert [name for name in fresh.keys() | kept.keys() if fresh.get(name) != kept.get(name)] == [], (
        "run scripts/client"
    )


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_a_method_of_both_clients(operation):
    group, _, name = operation.partition("_")
    methods = [getattr(getattr(kind("http://127.0.0.1:1"), group), name) for kind in (Client, AsyncClient)]
    one, other = (list(inspect.signature(method).parameters.values()) for method in methods)
    assert one == other
    assert methods[0].__doc__ == methods[1].__doc__
