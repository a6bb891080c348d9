"""The uncompressed bytes of a layer, whatever it is packed with, hashed as they pass and read ahead by a thread."""

from __future__ import annotations

import hashlib
import queue
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Literal

from isal import igzip

from tidegate.node.image.tarstream import TarError

_BLOCK = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
# A window of 128 MiB, the most that a decoder has to take by the format's recommendation for `--long=27`.
_ZSTD_COMMAND = ("-d", "-c", "-q", "--memory=128MB")

Packing = Literal["gzip", "zstd", "plain"]


class Unsupported(TarError):
    """The layer is sound but this host can't read it."""


def find_packing(head: bytes) -> Packing:
    """By the first bytes of a file."""
    if head.startswith(_GZIP):
        return "gzip"
    return "zstd" if head.startswith(_ZSTD) else "plain"


@contextmanager
def open_unpacked(path: Path) -> Iterator[IO[bytes]]:
    """
    A file's uncompressed bytes. Reading raises TarError if the packing is broken, Unsupported if its tool is missing.
    """
    # Unbuffered: a child that is given the file starts to read where we stand.
    with open(path, "rb", buffering=0) as raw:
        packing = find_packing(raw.read(4))
        raw.seek(0)
        if packing == "gzip":
            with igzip.open(raw, "rb") as unpacked:  # type: ignore[no-untyped-call]
                yield unpacked
        elif packing == "zstd":
            with _zstd(raw) as unpacked:
                yield unpacked
        else:
            yield raw


@contextmanager
def _zstd(raw: IO[bytes]) -> Iterator[IO[bytes]]:
    program = shutil.which("zstd")
    if program is None:
        raise Unsupported("cannot unpack a layer packed with zstd: the program zstd is not installed")
    child = subprocess.Popen([program, *_ZSTD_COMMAND], stdin=raw, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stderr is not None
    try:
        yield child.stdout
        child.stdout.close()
        # zstd writes a line or two at most: its pipe can't fill up.
        message = child.stderr.read().decode(errors="replace").strip()
        if child.wait() != 0:
            raise TarError(f"cannot unpack the layer: {message[:200]}")
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
        child.stderr.close()


class LayerStream:
    """
    Reads ahead in a thread (decompression gives the interpreter free), hashes what passes.

    After `drain`: `digest` is the DiffID's 32 bytes, `size` the bytes that passed. Raises TarError where the packing is
    broken, or gives more than `most_bytes` (`refusal` says why that is too much); what `check` raises, before each
    block of a MiB is given out.
    """

    def __init__(
        self,
        source: IO[bytes],
        most_bytes: int,
        tee: Callable[[bytes], object] | None = None,
        *,
        refusal: str = "",
        check: Callable[[], None] | None = None,
    ) -> None:
        self.size = 0
        self._tee = tee
        self._refusal = refusal or f"it unpacks to more than {most_bytes >> 20} MiB"
        self._check = check
        self._hash = hashlib.sha256()
        self._most_bytes = most_bytes
        self._block = b""
        self._at = 0
        self._ended = False
        self._stopped = threading.Event()
        self._queue: queue.Queue[bytes | Exception] = queue.Queue(4)
        self._thread = threading.Thread(target=self._read_ahead, args=(source,), daemon=True)
        self._thread.start()

    @property
    def digest(self) -> bytes:
        return self._hash.digest()

    def read(self, count: int) -> bytes:
        """`count` bytes, fewer only at the end."""
        end = self._at + count
        if end <= len(self._block):
            data = self._block[self._at : end]
            self._at = end
            return data
        parts = [self._block[self._at :]]
        have = len(parts[0])
        while have < count and self._next_block():
            part = self._block[: count - have]
            self._at = len(part)
            have += len(part)
            parts.append(part)
        return b"".join(parts)

    def drain(self) -> None:
        """Read what follows the archive's end: it counts for the digest."""
        while self._next_block():
            pass

    def close(self) -> None:
        self._stopped.set()
        while self._thread.is_alive():
            try:
                self._queue.get(timeout=0.05)
            except queue.Empty:
                continue

    def _next_block(self) -> bool:
        self._block, self._at = b"", 0
        if self._ended:
            return False
        item = self._queue.get()
        if isinstance(item, Exception):
            self._ended = True
            raise item
        if not item:
            self._ended = True
            return False
        self._hash.update(item)
        self.size += len(item)
        if self.size > self._most_bytes:
            raise TarError(f"cannot unpack the layer: {self._refusal}")
        if self._check is not None:
            self._check()
        if self._tee is not None:
            self._tee(item)
        self._block = item
        return True

    def _read_ahead(self, source: IO[bytes]) -> None:
        try:
            while not self._stopped.is_set():
                data = source.read(_BLOCK)
                self._queue.put(data)
                if not data:
                    return
        except (
            Exception
        ) as error:  # The top of the thread; the stream is hostile, and its reader tells what went wrong.
            self._queue.put(TarError(f"cannot unpack the layer: {error}"))
