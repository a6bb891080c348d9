"""Layers are unpacked by processes of their own, whose ends are noticed."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import anyio
import pytest

from fixtures.images import digest_of, files_tar
from tidegate.node.image import unpack, workers
from tidegate.node.image.budget import Limits
from tidegate.node.image.images import ImageCorrupt, ImageError
from tidegate.node.image.workers import Unpackers

pytestmark = pytest.mark.anyio

LAYER = files_tar({"a": "b"})


@pytest.fixture
def anyio_backend() -> str:
    """Real processes."""
    return "asyncio"


@pytest.fixture
def blob(tmp_path: Path) -> Path:
    path = tmp_path / "blob"
    path.write_bytes(LAYER)
    return path


async def test_a_layer_is_unpacked(tmp_path: Path, blob: Path) -> None:
    """The answer has its DiffID, its size and the number of its files."""
    unpackers = Unpackers(2, "erofs", Limits())
    try:
        answer = await unpackers.unpack(blob, tmp_path / "out")
    finally:
        await unpackers.close_idle()
    assert answer == {"diff_id": digest_of(LAYER), "bytes": len(LAYER), "entries": 1}
    assert (tmp_path / "out").stat().st_size % 4096 == 0


async def test_a_tar_is_taken_in_with_its_packed_form(tmp_path: Path, blob: Path) -> None:
    """Packed with gzip, the same bytes each time, so that the same tar is the same image."""
    unpackers = Unpackers(1, "erofs", Limits())
    try:
        answers = [await unpackers.take_in(blob, tmp_path / f"packed{n}", tmp_path / f"out{n}") for n in range(2)]
    finally:
        await unpackers.close_idle()
    assert answers[0] == answers[1]
    assert answers[0]["digest"] == digest_of((tmp_path / "packed0").read_bytes())
    assert (answers[0]["diff_id"], answers[0]["packing"]) == (digest_of(LAYER), "gzip")


async def test_a_broken_layer_is_an_error_and_the_next_is_unpacked(tmp_path: Path, blob: Path) -> None:
    """By the same process."""
    broken = tmp_path / "broken"
    broken.write_bytes(LAYER[:600] + b"x" * 5000)
    unpackers = Unpackers(1, "erofs", Limits())
    try:
        with pytest.raises(ImageCorrupt, match="cannot"):
            await unpackers.unpack(broken, tmp_path / "out1")
        await unpackers.unpack(blob, tmp_path / "out2")
    finally:
        await unpackers.close_idle()


async def test_a_process_that_dies_is_an_error_and_the_next_is_a_new_one(
    tmp_path: Path, blob: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the kernel ends it for its memory."""
    killed = tmp_path / "killed"
    script = f"""
import os, signal, sys
sys.stdin.readline()
if not os.path.exists({str(killed)!r}):
    open({str(killed)!r}, "w").close()
    os.kill(os.getpid(), signal.SIGKILL)
print('{{"diff_id": "x"}}')
"""
    monkeypatch.setattr(workers, "_COMMAND", ("python3", "-c", script))
    unpackers = Unpackers(1, "erofs", Limits())
    try:
        with pytest.raises(ImageError, match=f"ended with code -{signal.SIGKILL:d}"):
            await unpackers.unpack(blob, tmp_path / "out")
        assert await unpackers.unpack(blob, tmp_path / "out") == {"diff_id": "x"}
    finally:
        await unpackers.close_idle()


async def test_a_job_that_is_cancelled_ends_with_its_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes on writing behind our back."""
    pid_file = tmp_path / "pid"
    script = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(1000)"
    monkeypatch.setattr(workers, "_COMMAND", ("python3", "-c", script))
    unpackers = Unpackers(1, "erofs", Limits())
    async with anyio.create_task_group() as group:
        group.start_soon(unpackers.unpack, tmp_path / "blob", tmp_path / "out")
        with anyio.fail_after(10):
            while not pid_file.exists() or not pid_file.read_text():  # noqa: ASYNC110
                await anyio.sleep(0.02)
        group.cancel_scope.cancel()
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


@pytest.mark.parametrize(
    "limits, message",
    [({"entries": 0}, "more than 0 files"), ({"bytes": 100}, "MiB"), ({"metadata_bytes": 0}, "memory")],
)
def test_limits_reach_the_process(tmp_path: Path, blob: Path, limits: dict[str, int], message: str) -> None:
    """As part of the job."""
    job = {"blob": str(blob), "target": str(tmp_path / "out"), "format": "erofs", "limits": limits}
    answer = unpack.run_job(json.loads(json.dumps(job)))
    assert answer["error"] == "corrupt"
    assert message in answer["message"]
