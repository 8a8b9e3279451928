"""The examples of the page about clients, against a running service."""

import os
import subprocess
import sys

import pytest

from tests.docs.pages import ROOT, blocks_of
from tests.processes import write_program

BLOCKS = [one for one in blocks_of(ROOT / "docs" / "clients.md") if one.language in {"python", "sh"}]


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_an_example_works(block, service, tmp_path):
    programs = tmp_path / "bin"
    programs.mkdir()
    write_program(programs / "weft")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    environ = kept | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "WEFT_HOME": str(tmp_path / "home")}
    text = block.text.replace("http://127.0.0.1:8480", service.url)
    command = [sys.executable, "-W", "error", "-c", text] if block.language == "python" else ["/bin/sh", "-ec", text]
    done = subprocess.run(
        command,
        env=environ | {"WEFT_SERVER_URL": service.url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout
