"""What `weft up` says to a person, which is true, and the deep look at what it stands on."""

import json
import re
import shlex
import subprocess

import httpx2
import pytest

from tests.processes import PIPE, start
from tests.server.control.service import FLOWS

pytestmark = pytest.mark.slow


def test_the_first_thing_to_try_works_and_a_broken_file_is_named(tmp_path):
    flows = tmp_path / "flows"
    flows.mkdir()
    (flows / "brief.yaml").write_text(FLOWS["brief"])
    (flows / "torn.yaml").write_text("version: 1\nname: torn\npattern: [")
    process = start(
        ["up", flows, "--port", "0"],
        env={"WEFT_HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"},
        cwd=tmp_path,
        stderr=PIPE,
    )
    try:
        lines = []
        while not lines or not lines[-1].startswith("Try it:"):
            line = process.stderr.readline()
            assert line, lines
            lines.append(line.decode() if isinstance(line, bytes) else line)
        text = "".join(lines)
        url = re.search(r"http://127\.0\.0\.1:\d+", text)[0]
        for path in ("/api/v1", "/openapi.json", "/v1", "/a2a", "/.well-known/agent-card.json", "/mcp"):
            assert f"{url}{path}" in text, text
        assert "not served: torn.yaml" in text
        command = shlex.split(lines[-1].removeprefix("Try it:"))
        answer = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
        assert answer["choices"][0]["message"]["content"]
        deep = httpx2.get(f"{url}/health/deep", timeout=60).json()
        assert (deep["status"], deep["checks"]["journal"]["status"]) == ("ok", "ok")
        assert deep["checks"]["library"] == {"status": "degraded", "served": 2, "broken": ["torn.yaml"]}
        assert httpx2.get(f"{url}/health/ready", timeout=60).json() == {"status": "ok"}
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
