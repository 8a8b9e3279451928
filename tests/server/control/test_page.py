"""The commands on the page of the control API work against a running service."""

import json
import subprocess

import pytest

from tests.docs.pages import ROOT, blocks_of
from tests.server.control.service import LETTER

pytestmark = pytest.mark.slow
THINGS = {"workflows", "runs", "gates", "schedules", "triggers", "plans"}
"""Those whose operations the page names one by one."""
PAGE = ROOT / "docs" / "control-api.md"
COMMANDS = [block for block in blocks_of(PAGE) if block.language == "sh"]


def test_the_workflow_of_the_page_is_the_one_that_is_served():
    (shown,) = [block.text for block in blocks_of(PAGE) if block.language == "yaml"]
    assert shown == LETTER


@pytest.mark.parametrize("block", COMMANDS, ids=str)
def test_the_commands_of_the_page_work(service, block):
    script = "set -eu\n" + block.text.replace("127.0.0.1:8480", f"127.0.0.1:{service.port}")
    done = subprocess.run(
        ["/bin/sh", "-c", script], check=False, cwd=service.folder, capture_output=True, timeout=60, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_right_and_operation_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    document = json.loads((ROOT / "schema" / "openapi.json").read_text(encoding="utf-8"))
    for path in document["paths"]:
        if path.startswith("/api/v1/"):
            parts = [part for part in path.removeprefix("/api/v1/").split("/") if not part.startswith("{")]
            assert f"`/{parts[0]}`" in text, path
            if parts[0] in THINGS:
                assert all(f"`{part}`" in text for part in parts[1:]), path
    source = "".join(file.read_text() for file in (ROOT / "src" / "weft" / "server" / "control").glob("*.py"))
    rights = {part.split('"')[1] for part in source.split("allowed(")[1:] if part.startswith('"')}
    assert len(rights) > 12
    assert all(f"`{right}`" in text for right in rights)
