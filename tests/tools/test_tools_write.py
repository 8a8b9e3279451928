"""`file_write` and `search`: inside the working folder, whole or not at all, never over what is there."""

import os
import threading

import pytest

from weft.core.errors import ToolError
from weft.tools.registry import build_tools
from weft.tools.runner import run_tool

TOOLS = build_tools({name: {"kind": "builtin"} for name in ("file_write", "search")})


async def write(context, path, content="text", **rest):
    return await run_tool(TOOLS["file_write"], {"path": path, "content": content, **rest}, context)


async def test_a_file_is_written_whole(context, workdir):
    assert await write(context, "a.txt", "ä\n") == {"path": "a.txt", "bytes": 3, "written": True}
    assert (workdir / "a.txt").read_bytes() == "ä\n".encode()
    assert not (workdir / "a.txt").stat().st_mode & 0o111
    assert [path.name for path in workdir.iterdir()] == ["a.txt"]


async def test_what_is_there_is_kept_unless_it_is_the_same_or_may_go(context, workdir):
    (workdir / "a.txt").write_text("mine")
    with pytest.raises(ToolError, match="there already"):
        await write(context, "a.txt", "other")
    assert (workdir / "a.txt").read_text() == "mine"
    # As after a crash between writing and the record of it.
    assert (await write(context, "a.txt", "mine"))["written"]
    await write(context, "a.txt", "other", overwrite=True)
    assert (workdir / "a.txt").read_text() == "other"
    assert [path.name for path in workdir.iterdir()] == ["a.txt"]


async def test_folders_are_made_when_that_is_asked_for(context, workdir):
    with pytest.raises(ToolError, match="cannot open"):
        await write(context, "x/y/a.txt")
    await write(context, "x/y/a.txt", create_dirs=True)
    assert (workdir / "x/y/a.txt").read_text() == "text"


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "path", ["../a", "/tmp/a", "x/../../a", "link/a", "to-file", "pipe", "folder", "", "a\0b", "n/a"]
)
async def test_nothing_is_written_elsewhere_or_over_what_is_no_file(path, overwrite, context, workdir, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").write_text("theirs")
    (workdir / "link").symlink_to(outside)
    (workdir / "to-file").symlink_to(outside / "file")
    (workdir / "folder").mkdir()
    (workdir / "n").write_text("")
    os.mkfifo(workdir / "pipe")
    with pytest.raises(ToolError) as caught:
        await write(context, path, overwrite=overwrite, create_dirs=True)
    assert caught.value.fix
    assert [each.name for each in outside.iterdir()] == ["file"]
    assert (outside / "file").read_text() == "theirs"
    assert sorted(each.name for each in workdir.iterdir()) == ["folder", "link", "n", "pipe", "to-file"]


async def test_of_many_writers_of_one_name_one_wins_whole(workdir):
    from weft.tools.builtin.jail import write_file

    won: list[int] = []

    def one(number: int) -> None:
        data = str(number).encode() * 50_000
        if write_file(workdir, "a", data, overwrite=False, create_folders=False, mark=str(number)):
            won.append(number)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(10, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert (workdir / "a").read_bytes() == str(won[0]).encode() * 50_000
    assert [path.name for path in workdir.iterdir()] == ["a"]


async def test_a_search_takes_a_text_to_the_letter_unless_it_is_a_pattern(context, workdir):
    (workdir / "a.md").write_text("one (two)\nthree TWO\n")
    (workdir / "b.md").write_text("(Two)\n")

    async def found(**args):
        return await run_tool(TOOLS["search"], args, context)

    assert await found(query="(two)") == "a.md:1:one (two)\nb.md:1:(Two)"
    assert await found(query="t.o$", is_regex=True, path="a.md") == "a.md:2:three TWO"
    assert await found(query="(two)", ignore_case=False) == "a.md:1:one (two)"
    assert "cut here" in await found(query="two", max_matches=1)
    with pytest.raises(ToolError):
        await found(query="x", path="../")
