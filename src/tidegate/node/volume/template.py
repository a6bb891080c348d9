"""
Empty ext4 file systems as data: mkfs.ext4 makes one of each size once, what it wrote is written again for each task.

The choice of features keeps that small (84 KiB for 20 GiB): no journal, since nothing of a task outlives a crash of the
host; no copies of the superblock, no room to grow, no checksums; inode tables that the kernel may take for zero.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel.spawn import Spawner
from tidegate.node.volume.scratch import BYTES_A_FILE, MIB

BLOCK_BYTES = 4096
_MOST_RESERVED_BYTES = 16 * MIB
MKFS_OPTIONS = (
    *("-q", "-F", "-m", "0", "-b", str(BLOCK_BYTES), "-i", str(BYTES_A_FILE), "-I", "256"),
    *("-O", "^has_journal,^resize_inode,^metadata_csum,^64bit,uninit_bg,sparse_super2"),
    *("-E", "num_backup_sb=0,lazy_itable_init=1,nodiscard,root_owner=0:0"),
)
_GROUP_BLOCKS = 8 * BLOCK_BYTES
_BLOCKS_OF_GROUP = 2 + _GROUP_BLOCKS * BLOCK_BYTES // BYTES_A_FILE * 256 // BLOCK_BYTES
"""Two bitmaps and an inode table."""
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
_ERROR_BYTES = 500


@dataclass(frozen=True, slots=True)
class Template:
    """pieces: (offset, bytes) of all that is not zero."""

    file_bytes: int
    pieces: tuple[tuple[int, bytes], ...]

    def write(self, fd: int) -> None:
        """Make an empty file this file system. Raises OSError."""
        os.ftruncate(fd, self.file_bytes)
        for offset, data in self.pieces:
            os.pwrite(fd, data, offset)


def plan_file_bytes(size_bytes: int) -> int:
    """How large the file must be for `size_bytes` to be free in it."""
    needed = -(-(size_bytes + reserve_bytes(size_bytes)) // BLOCK_BYTES)
    blocks = needed
    while True:
        groups = -(-blocks // _GROUP_BLOCKS)
        descriptors = -(-groups * 32 // BLOCK_BYTES)
        overhead = 1 + descriptors + groups * _BLOCKS_OF_GROUP
        if blocks - overhead - 8 >= needed:
            return blocks * BLOCK_BYTES
        blocks = needed + overhead + 8


def reserve_bytes(size_bytes: int) -> int:
    """What ext4 keeps from users for its own needs: a fiftieth, at most 16 MiB (ext4_calculate_resv_clusters)."""
    return min(size_bytes // 50, _MOST_RESERVED_BYTES)


def find_mkfs() -> str | None:
    """mkfs.ext4, wherever root would find it."""
    return shutil.which("mkfs.ext4", path=_PATH)


async def make_template(spawner: Spawner, size_bytes: int, directory: Path) -> Template:
    """Run mkfs.ext4 on a file in `directory` that is gone afterwards. Raises OSError."""
    program = find_mkfs()
    if program is None:
        raise FileNotFoundError("mkfs.ext4 is not installed (apt install e2fsprogs)")
    with tempfile.NamedTemporaryFile(dir=directory, prefix=".template-") as file, tempfile.TemporaryFile() as said:
        os.ftruncate(file.fileno(), plan_file_bytes(size_bytes))
        child = spawner.spawn([program, *MKFS_OPTIONS, file.name], stderr=said.fileno())
        code = await child.wait()
        if code != 0:
            said.seek(0)
            why = " ".join(said.read(_ERROR_BYTES).decode(errors="replace").split())
            raise OSError(f"cannot make a file system: mkfs.ext4 ended with {code}: {why}")
        return read_template(file.fileno())


def read_template(fd: int) -> Template:
    """What a file holds, without its holes. Raises OSError."""
    size = os.fstat(fd).st_size
    pieces = []
    at = 0
    while at < size:
        try:
            start = os.lseek(fd, at, os.SEEK_DATA)
        except OSError:  # ENXIO: a hole up to the end
            break
        at = os.lseek(fd, start, os.SEEK_HOLE)
        pieces += _without_zeros(fd, start, at)
    return Template(size, tuple(pieces))


def _without_zeros(fd: int, start: int, end: int) -> list[tuple[int, bytes]]:
    """By blocks: file systems that know no holes name the whole file as data."""
    found: list[tuple[int, bytes]] = []
    for offset in range(start, end, MIB):
        data = os.pread(fd, min(MIB, end - offset), offset)
        for begin in range(0, len(data), BLOCK_BYTES):
            block = data[begin : begin + BLOCK_BYTES]
            if block.count(0) == len(block):
                continue
            if found and found[-1][0] + len(found[-1][1]) == offset + begin:
                found[-1] = (found[-1][0], found[-1][1] + block)
            else:
                found.append((offset + begin, block))
    return found
