"""
Mounts that are held by a descriptor and in nobody's sight until they are put in their place (Linux 5.2: fsopen(2),
fsmount(2), open_tree(2), move_mount(2)).

Such a mount goes with the last descriptor, so with a process that is killed: nothing has to be cleaned up.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

_SYS_OPEN_TREE, _SYS_MOVE_MOUNT, _SYS_FSOPEN, _SYS_FSCONFIG, _SYS_FSMOUNT = 428, 429, 430, 431, 432
_AT_FDCWD, _AT_EMPTY_PATH = -100, 0x1000
_CLOEXEC = 1
_SET_FLAG, _SET_STRING, _CREATE = 0, 1, 6
_MOVE_FROM_EMPTY_PATH = 0x4
_CLONE_TREE = 1
_MESSAGE_BYTES = 4096

ATTRIBUTE_NOSUID, ATTRIBUTE_NODEV = 0x2, 0x4

_libc = ctypes.CDLL(None, use_errno=True)


def make_mount(kind: str, source: str, options: Sequence[str], attributes: int = 0) -> int:
    """
    A descriptor of a new mount of `source`, mounted nowhere yet. options: `name` or `name=value`.

    Raises OSError, with what the file system says.
    """
    context = _call(_SYS_FSOPEN, f"open file system {kind}", _text(kind), _number(_CLOEXEC))
    try:
        try:
            _set(context, "source", source)
            for option in options:
                name, _, value = option.partition("=")
                _set(context, name, value or None)
            _call(_SYS_FSCONFIG, "configure", _number(context), _number(_CREATE), None, None, _number(0))
            flags = _number(_CLOEXEC)
            return _call(_SYS_FSMOUNT, "mount", _number(context), flags, _number(attributes))
        except OSError as error:
            said = _message(context) or os.strerror(error.errno or 0)
            raise OSError(error.errno, f"cannot mount {source} as {kind}: {said}") from error
    finally:
        os.close(context)


def clone_mount(directory: int) -> int:
    """A descriptor of a mount of the open directory, without what is mounted below it. Raises OSError."""
    flags = _number(_CLONE_TREE | os.O_CLOEXEC | _AT_EMPTY_PATH)
    return _call(_SYS_OPEN_TREE, "clone a mount", _number(directory), _text(""), flags)


def place_mount(mount: int, path: Path) -> None:
    """Put a detached mount onto a directory. Raises OSError."""
    what = f"put a mount at {path}"
    target = ctypes.c_char_p(os.fsencode(path))
    flags = _number(_MOVE_FROM_EMPTY_PATH)
    _call(_SYS_MOVE_MOUNT, what, _number(mount), _text(""), _number(_AT_FDCWD), target, flags)


def is_mounted(path: Path) -> bool:
    """
    Whether a directory is the root of a mount; False if there is none.

    By the numbers of mounts: os.path.ismount() takes what shows a directory of the same file system for none.
    """
    try:
        return _mount_id(path) != _mount_id(path.parent)
    except FileNotFoundError:
        return False


def _mount_id(path: Path) -> str:
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as lines:
            return next(line for line in lines if line.startswith("mnt_id:"))
    finally:
        os.close(fd)


def _set(context: int, name: str, value: str | None) -> None:
    command = _SET_FLAG if value is None else _SET_STRING
    given = None if value is None else ctypes.c_char_p(os.fsencode(value))
    _call(_SYS_FSCONFIG, f"set {name}", _number(context), _number(command), _text(name), given, _number(0))


def _message(context: int) -> str:
    """The first that the kernel said of this context (fsopen(2)): `e ext4: what is wrong`."""
    try:
        return os.read(context, _MESSAGE_BYTES).decode(errors="replace").strip()[2:]
    except OSError:
        return ""


def _call(number: int, what: str, *arguments: object) -> int:
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"cannot {what}: {os.strerror(code)}")
    return int(result)


def _number(value: int) -> ctypes.c_long:
    return ctypes.c_long(value)


def _text(value: str) -> ctypes.c_char_p:
    return ctypes.c_char_p(value.encode())
