"""Where a file really is, as `Path.resolve` says it, for every way to write it."""

import os

import pytest

from weft.app.real_paths import RealPaths


@pytest.fixture
def there(tmp_path, monkeypatch):
    (tmp_path / "flows" / "deep").mkdir(parents=True)
    (tmp_path / "flows" / "one.yaml").write_text("")
    (tmp_path / "linked").symlink_to(tmp_path / "flows")
    (tmp_path / "flows" / "other.yaml").symlink_to("one.yaml")
    (tmp_path / "lost").symlink_to("nowhere")
    monkeypatch.chdir(tmp_path / "flows")
    return tmp_path


@pytest.mark.parametrize(
    "written",
    [
        "flows/one.yaml", "linked/one.yaml", "linked/other.yaml", "flows/deep/../one.yaml", "linked/deep/..", "lost/x", "none/x",
        "flows", "linked", "lost", ".",
    ],
)  # fmt: skip
def test_it_is_where_the_system_says(there, written):
    path = there / written
    paths = RealPaths()
    for _ in range(2):
        assert paths.of(path) == os.path.realpath(path)


def test_relative_ones_begin_where_the_process_stands(there):
    paths = RealPaths()
    for written in ("one.yaml", "other.yaml", "../linked/one.yaml", ".", "deep"):
        assert paths.of(type(there)(written)) == os.path.realpath(written)
    assert paths.of(type(there)("/")) == "/"
    assert paths.of(type(there)("/nothing-there")) == "/nothing-there"


def test_a_folder_that_leads_elsewhere_now_is_seen_in_a_moment(there, monkeypatch):
    paths = RealPaths()
    assert paths.of(there / "linked" / "x") == str(there / "flows" / "x")
    (there / "linked").unlink()
    (there / "linked").symlink_to(there / "flows" / "deep")
    monkeypatch.setattr("weft.app.real_paths.monotonic", lambda: float("inf"))
    assert paths.of(there / "linked" / "x") == str(there / "flows" / "deep" / "x")
