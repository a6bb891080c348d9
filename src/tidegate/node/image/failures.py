"""From what Python and the kernel raise to the errors that the contract names."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from tidegate.node.image.images import ImageError, ImageNoSpace


@contextmanager
def image_errors(verb: str) -> Iterator[None]:
    """
    Whatever fails in the block comes out as an ImageError: `cannot VERB: why`.

    Of several tasks that fail at once, a full disk tells why first: it makes the others fail as well.
    """
    try:
        yield
    except OSError as error:
        raise _from_os(verb, error) from error
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        for kind in (ImageNoSpace, ImageError, OSError):
            for leaf in leaves:
                if isinstance(leaf, kind):
                    raise _from_os(verb, leaf) if isinstance(leaf, OSError) else leaf from None
        raise


def _from_os(verb: str, error: OSError) -> ImageError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ImageNoSpace(f"cannot {verb}: no space left on device")
    return ImageError(f"cannot {verb}: {error.strerror or error}")


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
