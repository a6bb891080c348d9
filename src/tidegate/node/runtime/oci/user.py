"""
Which user a container's process runs as: names looked up in the image's own /etc/passwd and /etc/group.

These files are hostile input: they are opened so that no symbolic link leads out of the root file system, must be
regular files, and are read up to a limit.
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from tidegate.kernel.inroot import open_in_root
from tidegate.node.runtime.runtime import RuntimeFailure

_FILE_LIMIT_BYTES = 4 << 20
_MAX_ID = (1 << 31) - 1
_ID_DIGITS = 10


@dataclass(frozen=True, slots=True)
class ProcessUser:
    """Numbers as the kernel wants them; home as passwd has it, `/` for a user that is not in there."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    home: str = "/"


def find_user(rootfs: Path, user: str) -> ProcessUser:
    """
    Resolve `user`, `uid`, `user:group`, `uid:gid`, `user:gid` or `uid:group`; empty means root.

    As docker does it: a uid without entry gets group 0; a group that is named replaces the supplementary ones.
    Raises RuntimeFailure("start") for names that are not there, with docker's text.
    """
    name, colon, group = user.partition(":")
    name = name or "0"
    entry = _find_passwd(_read(rootfs, "etc/passwd"), name)
    if entry is None:
        if not _is_number(name):
            raise RuntimeFailure("start", f"unable to find user {name}: no matching entries in passwd file")
        entry = ("", _number(name), 0, "/")
    login, uid, gid, home = entry
    groups = _read(rootfs, "etc/group")
    if colon and group:
        return ProcessUser(uid, _find_gid(groups, group), (), home)
    return ProcessUser(uid, gid, _supplementary(groups, login, gid), home)


def _read(rootfs: Path, path: str) -> list[list[str]]:
    """Rows of a colon-separated file; none if it can't be read. O_NONBLOCK: a named pipe must not hold us."""
    try:
        fd = open_in_root(rootfs, path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return []
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return []
        text = file.read(_FILE_LIMIT_BYTES).decode(errors="replace")
    return [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]


def _find_passwd(rows: list[list[str]], name: str) -> tuple[str, int, int, str] | None:
    """(login, uid, gid, home) of a name or, failing that, a uid."""
    valid = [row for row in rows if len(row) >= 4 and _is_id(row[2]) and _is_id(row[3])]
    for column in (0, 2):
        for row in valid:
            if row[column] == name:
                return row[0], int(row[2]), int(row[3]), row[5] if len(row) > 5 and row[5] else "/"
    return None


def _find_gid(rows: list[list[str]], group: str) -> int:
    for row in rows:
        if row[0] == group and len(row) >= 3 and _is_id(row[2]):
            return int(row[2])
    if _is_number(group):
        return _number(group)
    raise RuntimeFailure("start", f"unable to find group {group}: no matching entries in group file")


def _supplementary(rows: list[list[str]], login: str, gid: int) -> tuple[int, ...]:
    members = (row for row in rows if len(row) >= 4 and _is_id(row[2]) and login in row[3].split(","))
    return tuple(sorted({int(row[2]) for row in members if login} - {gid}))


def _is_number(text: str) -> bool:
    """ASCII digits alone: str.isdigit() takes characters that int() does not."""
    return text.isascii() and text.isdigit()


def _is_id(text: str) -> bool:
    # By length first: int() of thousands of digits raises.
    return _is_number(text) and len(text) <= _ID_DIGITS and int(text) <= _MAX_ID


def _number(text: str) -> int:
    if not _is_id(text):
        raise RuntimeFailure("start", f"uids and gids must be in range 0-{_MAX_ID}")
    return int(text)
