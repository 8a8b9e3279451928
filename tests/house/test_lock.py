"""The lock pins everything, and leaves the registry to the machine."""

import re
import tomllib

import pytest

LOCKS = ("requirements/run.lock", "requirements/dev.lock", "benchmarks/requirements.lock")
PIN = re.compile(r"^([a-z0-9.-]+)==(\S+)", re.MULTILINE)


def pins(root, lock) -> dict[str, str]:
    return dict(PIN.findall((root / lock).read_text(encoding="utf-8")))


def bare(requirement: str) -> str:
    return re.split(r"[\[<>=~! ;]", requirement)[0].lower().replace("_", "-")


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry(root, lock):
    text = (root / lock).read_text(encoding="utf-8")
    assert "://" not in text
    assert "index" not in text
    assert "find-links" not in text


@pytest.mark.parametrize("lock", LOCKS)
def test_each_pin_is_exact_and_hashed(root, lock):
    entries = re.split(r"\n(?=\S)", (root / lock).read_text(encoding="utf-8").strip())
    assert len(entries) > 20
    assert [entry.splitlines()[0] for entry in entries if "==" not in entry or "--hash=sha256:" not in entry] == []


def test_what_the_project_declares_is_locked(root):
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    groups = project["dependency-groups"]
    runtime = {bare(name) for name in project["project"]["dependencies"]} | {bare(name) for name in groups["build"]}
    extras = {bare(name) for names in project["project"]["optional-dependencies"].values() for name in names} - {"weft"}
    tools = {bare(name) for name in groups["dev"] if isinstance(name, str)}
    assert runtime - pins(root, "requirements/run.lock").keys() == set()
    assert (runtime | extras | tools) - pins(root, "requirements/dev.lock").keys() == set()


def test_running_and_testing_use_the_same_versions(root):
    run, dev = pins(root, "requirements/run.lock"), pins(root, "requirements/dev.lock")
    assert {name: version for name, version in run.items() if dev.get(name) != version} == {}
