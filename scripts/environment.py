"""Make a virtual environment hold what its lock file says, and do nothing when it already does.

Run by `scripts/bootstrap` with any Python 3.11 or newer. uv does the work when it is on PATH, pip when it is not or when uv
cannot reach a registry that pip is configured for. Two of these at once take turns.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST_PIP = (21, 3)
"""The first pip that can install a project with a build backend in editable form."""
EXACTLY = ("--no-deps", "--require-hashes")
"""A lock names everything that is needed. Left to resolve, a pip before 23.3 forgets the pin of a package that is also wanted with an
extra, takes the newest release for it, and stops at its hash: a fresh machine would fail on the day that release comes out."""
ELSEWHERE = ("PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON", "PIP_DRY_RUN")
"""Settings of pip that would send packages past the environment, as its `user` would, which may stand in a file and is told no.
Those that say where packages come from are honoured."""


@dataclass(frozen=True)
class Level:
    """One thing an environment can be good for. `within` names a level of the same environment that includes this one."""

    name: str
    venv: Path
    lock: Path
    editable: bool = True
    within: str | None = None

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def stamp(self) -> Path:
        """Written last, when everything is installed."""
        return self.venv / f".weft-{self.name}"

    @property
    def home(self) -> Path:
        """Remembers where the environment was made: its scripts hold absolute paths."""
        return self.venv / ".weft-home"


LEVELS = {
    level.name: level
    for level in (
        Level("run", ROOT / ".venv", ROOT / "requirements" / "run.lock", within="dev"),
        Level("dev", ROOT / ".venv", ROOT / "requirements" / "dev.lock"),
        Level("bench", ROOT / ".venv-bench", ROOT / "benchmarks" / "requirements.lock", editable=False),
    )
}


class SetupError(Exception):
    """The environment cannot be made; the message is for the person at the terminal."""


def fingerprint(level: Level) -> str:
    """What must not have changed for an environment to be reused: the pins, and the project that is installed beside them."""
    project = (ROOT / "pyproject.toml").read_bytes() if level.editable else b""
    return hashlib.sha256(level.lock.read_bytes() + b"\0" + project).hexdigest()


def ready(level: Level) -> bool:
    """Whether the environment already satisfies `level`, by itself or through the level that includes it."""
    if level.stamp.is_file() and level.stamp.read_text(encoding="utf-8") == fingerprint(level):
        return True
    return level.within is not None and ready(LEVELS[level.within])


def usable(level: Level) -> bool:
    """Whether the environment runs, is new enough and was made at this place."""
    moved = level.home.is_file() and level.home.read_text(encoding="utf-8") != str(ROOT)
    check = [str(level.python), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    return not moved and attempt(check, quiet=True)


def attempt(command: list[str], *, quiet: bool = False) -> bool:
    """Run `command` from the project's root; its words are shown unless `quiet`."""
    sink = subprocess.DEVNULL if quiet else None
    try:
        return subprocess.run(command, cwd=ROOT, check=False, stdout=sink, stderr=sink).returncode == 0
    except OSError:
        return False


def create(level: Level, uv: str | None) -> None:
    """Make the environment anew, on the Python that runs this or the one that it was made from."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    shutil.rmtree(level.venv, ignore_errors=True)
    if level.venv.exists():
        raise SetupError(f"cannot remove the old {level.venv}; remove it by hand and run the command again")
    made = uv and attempt([uv, "venv", "--quiet", "--no-project", "--python", base, str(level.venv)])
    if not made and not attempt([base, "-m", "venv", str(level.venv)]):
        shutil.rmtree(level.venv, ignore_errors=True)
        raise SetupError(
            f"{base} could not make a virtual environment in {level.venv}. Is the folder writable? On Debian and Ubuntu"
            f" install python3.{sys.version_info.minor}-venv; elsewhere a Python with venv and ensurepip, or uv."
        )
    level.home.write_text(str(ROOT), encoding="utf-8")


def install_with_uv(level: Level, uv: str) -> bool:
    """Install by uv: from its cache alone when that is enough (it also works without a network), else from the registry."""
    base = [uv, "pip", "install", "--quiet", "--python", str(level.python)]
    pins = [*EXACTLY, "--requirement", str(level.lock)]
    if not attempt([*base, "--offline", *pins], quiet=True) and not attempt([*base, *pins]):
        return False
    return not level.editable or attempt(
        [*base, "--offline", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    )


def install_with_pip(level: Level) -> bool:
    """Install by the environment's own pip, with the machine's pip configuration."""
    pip = [str(level.python), "-m", "pip", "--disable-pip-version-check", "--quiet", "--quiet"]
    if not attempt([*pip, "--version"], quiet=True) and not attempt(
        [str(level.python), "-m", "ensurepip", "--upgrade"]
    ):
        raise SetupError(f"{level.python} has no pip and no ensurepip; install the venv package of Python, or uv")
    version = subprocess.run([*pip, "--version"], check=False, capture_output=True, text=True).stdout.split()
    if len(version) > 1 and tuple(int(part) for part in version[1].split(".")[:2]) < OLDEST_PIP:
        oldest = ".".join(map(str, OLDEST_PIP))
        if not attempt([*pip, "install", "--upgrade", f"pip>={oldest}"]):
            raise SetupError(
                f"pip {version[1]} in {level.venv} is too old ({oldest} is needed) and could not be upgraded"
            )
    if not attempt([*pip, "install", *EXACTLY, "--requirement", str(level.lock)]):
        return False
    return not level.editable or attempt(
        [*pip, "install", "--no-deps", "--no-build-isolation", "--editable", str(ROOT)]
    )


def prepare(level: Level) -> None:
    """Bring the environment to `level`.

    Raises:
        SetupError: it cannot be made, or a package can be fetched neither from a cache nor from a registry.
    """
    uv = shutil.which("uv")
    if not usable(level):
        create(level, uv)
    tell(f"preparing {level.venv.name} ({level.name}) with {'uv' if uv else 'pip'}, once")
    for one in LEVELS.values():
        if one.venv == level.venv:
            one.stamp.unlink(missing_ok=True)
    if not (uv and install_with_uv(level, uv)) and not install_with_pip(level):
        raise SetupError(
            f"the packages of {level.lock.relative_to(ROOT)} could not be installed (see the lines above). Is the package"
            " registry reachable? PIP_INDEX_URL, PIP_FIND_LINKS and a warm uv cache are honoured. Then run it again."
        )
    level.stamp.write_text(fingerprint(level), encoding="utf-8")


def tell(message: str) -> None:
    """One line for the person at the terminal."""
    print(f"weft: {message}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Prepare the level that is asked for; one sentence and status 1 when that fails."""
    name = arguments[0] if arguments else "dev"
    level = LEVELS.get(name)
    if level is None:
        tell(f"unknown environment {name!r}; choose one of: {', '.join(LEVELS)}")
        return 2
    for setting in ELSEWHERE:
        os.environ.pop(setting, None)
    os.environ["PIP_USER"] = "0"
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        if not (ready(level) and usable(level)):
            prepare(level)
    except SetupError as error:
        tell(str(error))
        return 1
    except OSError as error:
        tell(f"cannot prepare {level.venv}: {error}")
        return 1
    except KeyboardInterrupt:
        tell("interrupted; run the command again to continue")
        return 130
    finally:
        os.close(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
