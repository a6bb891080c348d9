"""
What parameters may be called, and what requests call them: a name, a name with a version or label, an ARN.

Sources: User Guide, "Requirements and constraints for parameter names"; texts as observed at PutParameter and
GetParametersByPath. Those of too many levels and of too long a name are ours.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from tidegate.api import ssm
from tidegate.api.shape import Context
from tidegate.model.arn import arn
from tidegate.model.parameter import Parameter
from tidegate.services.ssm.errors import AccessDeniedException, ValidationException
from tidegate.store.store import Store

MAX_LEVELS = 15
MAX_NAME = 1011

_CHARACTERS = re.compile(r"[A-Za-z0-9_.\-/]+")
_PATH = re.compile(r"/|(/[A-Za-z0-9_.\-]+)+/?")
_RESERVED = ("aws", "ssm")
_NAME_TEXT = 'Parameter name: can\'t be prefixed with "aws" or "ssm" (case-insensitive).'
_PATH_TEXT = (
    'Parameter name: can\'t be prefixed with "ssm" (case-insensitive). If formed as a path, it can consist of '
    "sub-paths divided by slash symbol; each sub-path can be formed as a mix of letters, numbers and the following 3 "
    "symbols .-_"
)
_BAD_PATH = (
    "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash "
    '"/". It can\'t be prefixed with "aws" or "ssm" (case-insensitive). It must use only letters, numbers, or the '
    "following symbols: . (period), - (hyphen), _ (underscore). Special characters are not allowed. All sub-paths, if "
    'specified, must use the forward slash symbol "/". Valid example: /get/parameters2-/by1./path0_.'
)


class Wanted(NamedTuple):
    """What a request asks for: the first of `names` that there is, in a version."""

    names: tuple[str, ...]
    selector: str
    """A version's number or a label, or nothing."""


def check_new_name(name: str) -> None:
    """Refuse a name that a parameter can't have."""
    plain = name.lower().lstrip("/")
    if plain.startswith(_RESERVED):
        if name.lower().startswith("/aws") and name.count("/") > 1:
            raise AccessDeniedException(f"No access to reserved parameter name: {name}.")
        raise ValidationException(_PATH_TEXT if name.count("/") > 1 else _NAME_TEXT)
    if "/" in name and not name.startswith("/") and _CHARACTERS.fullmatch(name):
        raise ValidationException("Parameter name must be a fully qualified name.")
    if not _CHARACTERS.fullmatch(name) or "//" in name or name.endswith("/"):
        raise ValidationException(_PATH_TEXT)
    if name.count("/") > MAX_LEVELS:
        raise ssm.HierarchyLevelLimitExceededException(f"A hierarchy can have a maximum of {MAX_LEVELS} levels.")
    if len(name) > MAX_NAME:
        raise ValidationException(f"Parameter name can have at most {MAX_NAME} characters.")


def check_path(path: str) -> str:
    """A path as it begins the names below it: with a slash at both ends. Raises ValidationException."""
    if not _PATH.fullmatch(path):
        raise ValidationException(_BAD_PATH)
    return path if path.endswith("/") else f"{path}/"


def parameter_arn(ctx: Context, name: str) -> str:
    """arn:aws:ssm:<region>:<account>:parameter/<name>; a name's leading slash is that of the ARN."""
    return arn("ssm", ctx.region, ctx.account, f"parameter/{name.removeprefix('/')}")


def parse_wanted(ctx: Context, text: str) -> Wanted:
    """
    What `text` names, by name or ARN; nothing, for an ARN that is not of a parameter of this account and region.

    The name in an ARN has lost its leading slash, if it had one.
    """
    if not text.startswith("arn:"):
        name, _, selector = text.partition(":")
        return Wanted((name,), selector)
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[2:5] != ["ssm", ctx.region, ctx.account] or not parts[5].startswith("parameter/"):
        return Wanted((), "")
    name, _, selector = parts[5].removeprefix("parameter/").partition(":")
    return Wanted((f"/{name}",) if "/" in name else (f"/{name}", name), selector)


def find_parameter(store: Store, wanted: Wanted) -> Parameter | None:
    """Whatever the selector."""
    found = (store.get(Parameter, name) for name in wanted.names)
    return next((parameter for parameter in found if parameter is not None), None)


def get_parameter(store: Store, ctx: Context, text: str) -> Parameter:
    """The parameter that a request names without a selector. Raises ParameterNotFound."""
    wanted = parse_wanted(ctx, text)
    found = None if wanted.selector else find_parameter(store, wanted)
    if found is None:
        raise ssm.ParameterNotFound
    return found
