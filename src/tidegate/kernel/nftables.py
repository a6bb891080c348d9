"""nftables by libnftables, in this process: a transaction costs a third of a millisecond, a child process three."""

from __future__ import annotations

import ctypes
import threading
from functools import cache


class NftablesError(Exception):
    """The kernel or the parser refused a transaction; nothing of it holds. str() is nft's own message."""


@cache
def _library() -> ctypes.CDLL:
    try:
        library = ctypes.CDLL("libnftables.so.1")
    except OSError as error:
        raise NftablesError(f"cannot load libnftables.so.1: {error}; install libnftables1") from error
    library.nft_ctx_new.restype = ctypes.c_void_p
    library.nft_ctx_new.argtypes = [ctypes.c_uint32]
    library.nft_ctx_free.argtypes = [ctypes.c_void_p]
    library.nft_ctx_buffer_output.argtypes = [ctypes.c_void_p]
    library.nft_ctx_buffer_error.argtypes = [ctypes.c_void_p]
    library.nft_ctx_get_output_buffer.argtypes = [ctypes.c_void_p]
    library.nft_ctx_get_output_buffer.restype = ctypes.c_char_p
    library.nft_ctx_get_error_buffer.argtypes = [ctypes.c_void_p]
    library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
    library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
    return library


class Nftables:
    """A connection to the packet filter of the network namespace it was opened in. Safe for several threads."""

    def __init__(self) -> None:
        """Raises NftablesError."""
        self._library = _library()
        self._lock = threading.Lock()
        self._context: int | None = self._library.nft_ctx_new(0)
        if not self._context:
            raise NftablesError("cannot open nftables: no context")
        self._library.nft_ctx_buffer_output(self._context)
        self._library.nft_ctx_buffer_error(self._context)

    def run(self, commands: str) -> str:
        """Run commands in nft's language as one transaction, and return what they print. Raises NftablesError."""
        with self._lock:
            if self._context is None:
                raise NftablesError("cannot run commands: closed")
            result = self._library.nft_run_cmd_from_buffer(self._context, commands.encode())
            output = self._library.nft_ctx_get_output_buffer(self._context)
            errors = self._library.nft_ctx_get_error_buffer(self._context)
        if result != 0:
            raise NftablesError((errors or b"unknown error").decode(errors="replace").strip())
        return (output or b"").decode(errors="replace")

    def close(self) -> None:
        """Idempotent."""
        with self._lock:
            if self._context is not None:
                self._library.nft_ctx_free(self._context)
                self._context = None
