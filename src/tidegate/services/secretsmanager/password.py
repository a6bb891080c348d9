"""GetRandomPassword."""

from __future__ import annotations

import secrets
import string

from tidegate.api import secretsmanager as api
from tidegate.api.shape import Context

DEFAULT_LENGTH = 32
_PUNCTUATION = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"


class RandomPassword:
    """The operation."""

    async def get_random_password(
        self, ctx: Context, request: api.GetRandomPasswordRequest
    ) -> api.GetRandomPasswordResponse:
        """Of the kinds of characters that are not excluded; of each at least one, if nothing else is asked."""
        kinds = [kind for kind in _kinds(request) if kind]
        length = DEFAULT_LENGTH if request.password_length is None else request.password_length
        if not kinds:
            raise api.InvalidParameterException("You can't exclude all character types.")
        is_each_required = request.require_each_included_type is not False
        if is_each_required and length < len(kinds):
            raise api.InvalidParameterException("Password length is too short based on the required types.")
        chosen = [secrets.choice(kind) for kind in kinds] if is_each_required else []
        every = "".join(kinds)
        chosen += [secrets.choice(every) for _ in range(length - len(chosen))]
        secrets.SystemRandom().shuffle(chosen)
        return api.GetRandomPasswordResponse(random_password="".join(chosen))


def _kinds(request: api.GetRandomPasswordRequest) -> list[str]:
    kinds = [
        "" if request.exclude_lowercase else string.ascii_lowercase,
        "" if request.exclude_uppercase else string.ascii_uppercase,
        "" if request.exclude_numbers else string.digits,
        "" if request.exclude_punctuation else _PUNCTUATION,
        " " if request.include_space else "",
    ]
    excluded = set(request.exclude_characters or "")
    return ["".join(character for character in kind if character not in excluded) for kind in kinds]
