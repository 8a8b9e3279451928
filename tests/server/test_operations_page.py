"""The story on the page about operating the service, from its start to the upgrade, in one shell."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks_of
from tests.ports import free_port

PAGE = ROOT / "docs" / "operations.md"


@pytest.mark.slow
def test_the_service_is_started_stopped_copied_and_started_again(tmp_path):
    blocks = list(blocks_of(PAGE))
    (flow,) = [block.text for block in blocks if block.language == "yaml"]
    (tmp_path / "flows").mkdir()
    (tmp_path / "flows" / "nap.yaml").write_text(flow)
    story = "".join(block.text for block in blocks if block.language == "sh").replace("8480", str(free_port()))
    kept = {name: value for name, value in os.environ.items() if not name.startswith("WEFT_")}
    environ = {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"}
    # Whatever goes wrong on the way, no service stays behind.
    script = f"set -eu\ntrap 'kill -9 $SERVICE 2>/dev/null || true' EXIT\nSERVICE=\n{story}"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stderr + (tmp_path / "up.log").read_text()
    assert '"status":"ok"' in done.stdout
    assert (tmp_path / "copy.db").stat().st_size > 0
