"""
Reads a tar archive front to back, as hostile input.

Knows the formats that images are written in: ustar, pax (long names, sizes, times, extended attributes, sparse 0.1 and
1.0) and GNU (long names, base-256 numbers, sparse). Says what is in the archive; where it may go is for `layertree` to
decide.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

BLOCK = 512
MAX_HEADER_BYTES = 1 << 20
"""Of one pax header or long name; longer ones only serve to eat memory."""
MAX_SPARSE_CHUNKS = 100_000

REGULAR, HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO = b"0", b"1", b"2", b"3", b"4", b"5", b"6"
_REGULAR_KINDS = {b"0", b"\0", b"7", b"S"}
_KINDS = {HARD_LINK, SYMLINK, CHARACTER, BLOCK_DEVICE, DIRECTORY, FIFO}
_PAX, _PAX_GLOBAL, _PAX_SOLARIS, _LONG_NAME, _LONG_LINK = b"x", b"g", b"X", b"L", b"K"
_ZERO = bytes(BLOCK)
_OCTAL = re.compile(rb"\s*([0-7]*)[\s\0]*\Z")
_XATTR = b"SCHILY.xattr."


class TarError(Exception):
    """The archive is broken, cut off, or uses what no image needs."""


@dataclass(slots=True)
class Entry:
    """One member; `name` and `link` are bytes as written, `size` is that of the file once holes are filled."""

    name: bytes
    kind: bytes
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    link: bytes
    rdev: tuple[int, int]
    xattrs: dict[bytes, bytes] = field(default_factory=dict)
    sparse: list[tuple[int, int]] | None = None
    """(offset, length) of what the archive holds; None: everything."""


def read_number(raw: bytes) -> int:
    """A header field: octal text, or base-256 where its first bit is set (GNU). Raises TarError."""
    if raw[0] & 0x80:
        value = int.from_bytes(raw, "big", signed=False) & ((1 << (8 * len(raw) - 1)) - 1)
        return value - (1 << (8 * len(raw) - 1)) if raw[0] & 0x40 else value
    match = _OCTAL.match(raw.split(b"\0", 1)[0])
    if match is None:
        raise TarError(f"cannot read the tar header: {raw!r} is not a number")
    return int(match[1] or b"0", 8)


def _text(raw: bytes) -> bytes:
    return raw.split(b"\0", 1)[0]


def _decimal(raw: bytes) -> int:
    if not raw.isdigit() or len(raw) > 20:
        raise TarError(f"cannot read the tar header: {raw[:32]!r} is not a number")
    return int(raw)


def _time_ns(raw: bytes) -> int:
    whole, _, fraction = raw.partition(b".")
    negative = whole.startswith(b"-")
    value = _decimal(whole.lstrip(b"-") or b"0") * 10**9 + int(_decimal(fraction[:9].ljust(9, b"0")))
    return -value if negative else value


def parse_pax(raw: bytes) -> dict[bytes, bytes]:
    """`LENGTH KEY=VALUE\\n` records; values may hold any byte. Raises TarError."""
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(raw) and raw[at] != 0:
        space = raw.find(b" ", at, at + 12)
        length = _decimal(raw[at:space]) if space > 0 else 0
        end = at + length
        if length < 5 or end > len(raw) or raw[end - 1 : end] != b"\n":
            raise TarError("cannot read the tar header: a pax record is broken")
        key, equals, value = raw[space + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise TarError("cannot read the tar header: a pax record has no value")
        records[key] = value
        at = end
    return records


class TarReader:
    """
    Iterates over the entries of what `read` gives; the data of a regular entry may be read before going on, or not.

    `read(n)` returns exactly n bytes, fewer only at the end. Raises TarError.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read
        self._data_left = 0
        self._padding = 0
        self._globals: dict[bytes, bytes] = {}

    def read_data(self, count: int) -> bytes:
        """At most `count` bytes of the entry's data as stored (without holes); empty at its end."""
        count = min(count, self._data_left)
        if count == 0:
            return b""
        data = self._read(count)
        if len(data) != count:
            raise TarError("cannot read the tar archive: it ends in the middle of a file")
        self._data_left -= count
        return data

    def __iter__(self) -> Iterator[Entry]:
        while True:
            entry = self._next()
            if entry is None:
                return
            yield entry

    def _skip_data(self) -> None:
        while self._data_left:
            self.read_data(1 << 20)
        if self._padding:
            self._exactly(self._padding)
            self._padding = 0

    def _exactly(self, count: int) -> bytes:
        data = self._read(count)
        if len(data) != count:
            raise TarError("cannot read the tar archive: it ends too early")
        return data

    def _whole(self, size: int) -> bytes:
        """The data of a header that describes the next one."""
        if size > MAX_HEADER_BYTES:
            raise TarError(f"cannot read the tar archive: a header of {size} bytes is too large")
        return self._exactly(size + -size % BLOCK)[:size]

    def _header(self) -> bytes | None:
        block = self._read(BLOCK)
        if not block or block == _ZERO:
            return None
        if len(block) != BLOCK:
            raise TarError("cannot read the tar archive: it ends in the middle of a header")
        stored = read_number(block[148:156])
        if stored != sum(block) - sum(block[148:156]) + 256:
            raise TarError("cannot read the tar archive: the checksum of a header is wrong")
        return block

    def _next(self) -> Entry | None:
        self._skip_data()
        pax: dict[bytes, bytes] = {}
        long_name = long_link = None
        while (block := self._header()) is not None:
            kind, size = block[156:157], read_number(block[124:136])
            if size < 0:
                raise TarError("cannot read the tar archive: a size is negative")
            if kind in (_PAX, _PAX_SOLARIS):
                pax = parse_pax(self._whole(size))
            elif kind == _PAX_GLOBAL:
                self._globals.update(parse_pax(self._whole(size)))
                if sum(map(len, self._globals)) + sum(map(len, self._globals.values())) > MAX_HEADER_BYTES:
                    raise TarError("cannot read the tar archive: its global headers are too large")
            elif kind == _LONG_NAME:
                long_name = _text(self._whole(size))
            elif kind == _LONG_LINK:
                long_link = _text(self._whole(size))
            else:
                return self._entry(block, kind, size, {**self._globals, **pax}, long_name, long_link)
        return None

    def _entry(
        self,
        block: bytes,
        kind: bytes,
        size: int,
        pax: dict[bytes, bytes],
        long_name: bytes | None,
        long_link: bytes | None,
    ) -> Entry:
        name = _text(block[:100])
        if block[257:263] == b"ustar\0" and block[345]:
            name = _text(block[345:500]) + b"/" + name
        name = pax.get(b"path", long_name or name)
        if kind in _REGULAR_KINDS:
            # Before POSIX a directory was a file whose name ends in a slash.
            kind = DIRECTORY if name.endswith(b"/") and kind == b"\0" else kind
        elif kind not in _KINDS:
            raise TarError(f"cannot read the tar archive: {kind!r} is no kind of file")
        entry = Entry(
            name=name,
            kind=REGULAR if kind in _REGULAR_KINDS else kind,
            mode=read_number(block[100:108]) & 0o7777,
            uid=_decimal(pax[b"uid"]) if b"uid" in pax else read_number(block[108:116]),
            gid=_decimal(pax[b"gid"]) if b"gid" in pax else read_number(block[116:124]),
            mtime_ns=_time_ns(pax[b"mtime"]) if b"mtime" in pax else read_number(block[136:148]) * 10**9,
            size=0,
            link=pax.get(b"linkpath", long_link or _text(block[157:257])),
            rdev=(read_number(block[329:337]), read_number(block[337:345]))
            if kind in (CHARACTER, BLOCK_DEVICE)
            else (0, 0),
            xattrs={k[len(_XATTR) :]: v for k, v in pax.items() if k.startswith(_XATTR)} if pax else {},
        )
        stored = _decimal(pax[b"size"]) if b"size" in pax else size
        if entry.kind == REGULAR:
            self._data_left, self._padding = stored, -stored % BLOCK
            entry.size = stored
            self._find_holes(entry, block, kind, pax)
        return entry

    def _find_holes(self, entry: Entry, block: bytes, kind: bytes, pax: dict[bytes, bytes]) -> None:
        if kind == b"S":
            entry.size, entry.sparse = read_number(block[483:495]), self._gnu_chunks(block)
        elif pax.get(b"GNU.sparse.major") == b"1":
            entry.name = pax.get(b"GNU.sparse.name", entry.name)
            entry.size, entry.sparse = _decimal(pax.get(b"GNU.sparse.realsize", b"")), self._stored_chunks()
        elif b"GNU.sparse.map" in pax:
            entry.name = pax.get(b"GNU.sparse.name", entry.name)
            numbers = [_decimal(part) for part in pax[b"GNU.sparse.map"].split(b",")]
            entry.size, entry.sparse = _decimal(pax.get(b"GNU.sparse.size", b"")), _pairs(numbers)
        elif b"GNU.sparse.offset" in pax:
            raise TarError(f"cannot read {entry.name!r}: sparse files of GNU tar's format 0.0 are not supported")
        if entry.sparse is not None:
            _check_chunks(entry, self._data_left)

    def _gnu_chunks(self, block: bytes) -> list[tuple[int, int]]:
        numbers: list[int] = []
        at, count, more = 386, 4, block[482]
        while True:
            numbers += [read_number(block[i : i + 12]) for i in range(at, at + count * 24, 12) if block[i]]
            if not more:
                return _pairs(numbers)
            block = self._exactly(BLOCK)
            at, count, more = 0, 21, block[504]
            if len(numbers) > 2 * MAX_SPARSE_CHUNKS:
                raise TarError("cannot read the tar archive: a sparse file has too many pieces")

    def _stored_chunks(self) -> list[tuple[int, int]]:
        """Format 1.0: the map stands before the data, one decimal a line, padded to a block."""
        text = b""
        wanted = None
        while wanted is None or text.count(b"\n") < wanted:
            part = self.read_data(BLOCK)
            if len(part) != BLOCK or len(text) > 42 * MAX_SPARSE_CHUNKS:
                raise TarError("cannot read the tar archive: the map of a sparse file is broken")
            text += part
            if wanted is None and b"\n" in text:
                wanted = 1 + 2 * _decimal(text.split(b"\n", 1)[0])
        lines = text.split(b"\n")[1:wanted]
        return _pairs([_decimal(line) for line in lines])


def _pairs(numbers: list[int]) -> list[tuple[int, int]]:
    if len(numbers) % 2 or len(numbers) > 2 * MAX_SPARSE_CHUNKS:
        raise TarError("cannot read the tar archive: the map of a sparse file is broken")
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _check_chunks(entry: Entry, stored: int) -> None:
    end = 0
    for offset, length in entry.sparse or ():
        if offset < end or length < 0:
            raise TarError(f"cannot read {entry.name!r}: the pieces of the sparse file overlap")
        end = offset + length
    if end > entry.size or sum(length for _, length in entry.sparse or ()) != stored:
        raise TarError(f"cannot read {entry.name!r}: the map of the sparse file does not fit its data")
