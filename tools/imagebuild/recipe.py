"""
Reads the description of an image: a small TOML file.

    packages = ["nginx-light", "busybox"]
    exclude = ["/usr/lib/*/libLLVM*"]                  # files of packages that are left out (dpkg's patterns)
    setup = [["rm", "-f", "/etc/nginx/sites-enabled/default"]]   # run in the image, one argument list each

    [[files]]
    from = "nginx.conf"                                # beside the recipe
    to = "/etc/nginx/nginx.conf"
    mode = "0644"

    [config]                                           # as the OCI image specification names it
    Entrypoint = ["nginx", "-g", "daemon off;"]

Unknown members are errors: a misspelt one would be an image that is silently not what was asked for.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]{1,100}(:[a-z0-9]+)?(=[A-Za-z0-9.+:~-]{1,100})?")
_SUITE = re.compile(r"[a-z0-9][a-z0-9.-]{0,60}")
_MODE = re.compile(r"0[0-7]{3,4}")
_VARIANTS = ("essential", "extract")

_CONFIG_LISTS = frozenset({"Env", "Entrypoint", "Cmd"})
_CONFIG_TEXTS = frozenset({"User", "WorkingDir", "StopSignal"})
_CONFIG_SETS = frozenset({"ExposedPorts", "Volumes"})
_CONFIG_MAPS = frozenset({"Labels"})


class BadRecipe(Exception):
    """The recipe can't be used; the message names the file, the member and what is wrong with it."""


@dataclass(frozen=True)
class CopiedFile:
    """One file that is copied in, owned by root."""

    source: Path
    target: str
    """Absolute, in the image."""
    mode: int


@dataclass(frozen=True)
class Recipe:
    """What an image is made of."""

    path: Path
    name: str
    packages: tuple[str, ...]
    suite: str = ""
    """Empty: the host's own distribution."""
    variant: str = "essential"
    """essential: packages are installed on top of the essential ones. extract: their files alone, no scripts run."""
    exclude: tuple[str, ...] = ()
    files: tuple[CopiedFile, ...] = ()
    setup: tuple[tuple[str, ...], ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    """The `config` object of an OCI image configuration."""


def read_recipe(path: Path) -> Recipe:
    """Parse and check. Raises BadRecipe."""
    try:
        data = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise BadRecipe(f"cannot read {path}: {error}") from error
    try:
        return _parse(path, data)
    except BadRecipe as error:
        raise BadRecipe(f"cannot use {path}: {error}") from error


def _parse(path: Path, data: dict[str, Any]) -> Recipe:
    _reject_unknown(data, {"name", "packages", "suite", "variant", "exclude", "files", "setup", "config"}, "the recipe")
    packages = _texts(data, "packages")
    for package in packages:
        if not _PACKAGE.fullmatch(package):
            raise BadRecipe(f"`{package}` is not the name of a package")
    if not packages:
        raise BadRecipe("packages is empty")
    suite = _text(data, "suite")
    if suite and not _SUITE.fullmatch(suite):
        raise BadRecipe(f"`{suite}` is not the name of a suite")
    variant = _text(data, "variant") or "essential"
    if variant not in _VARIANTS:
        raise BadRecipe(f"variant is `{variant}`, not one of {', '.join(_VARIANTS)}")
    exclude = _texts(data, "exclude")
    for pattern in exclude:
        if not pattern.startswith("/") or not pattern.isprintable():
            raise BadRecipe(f"exclude: `{pattern}` is not an absolute path or pattern")
    return Recipe(
        path=path,
        name=_text(data, "name") or path.stem,
        packages=packages,
        suite=suite,
        variant=variant,
        exclude=exclude,
        files=tuple(_file(path.parent, entry) for entry in _list(data, "files", dict)),
        setup=tuple(_command(entry) for entry in _list(data, "setup", list)),
        config=_config(data.get("config", {})),
    )


def _file(directory: Path, entry: dict[str, Any]) -> CopiedFile:
    _reject_unknown(entry, {"from", "to", "mode"}, "files")
    source, target, mode = _text(entry, "from"), _text(entry, "to"), _text(entry, "mode") or "0644"
    if not target.startswith("/") or target.endswith("/") or ".." in target.split("/"):
        raise BadRecipe(f"files: `to` is `{target}`, not an absolute path of a file")
    if not _MODE.fullmatch(mode):
        raise BadRecipe(f"files: mode is `{mode}`; write it like 0755")
    path = directory / source
    if not path.is_file():
        raise BadRecipe(f"files: there is no file {path}")
    return CopiedFile(path, target, int(mode, 8))


def _command(entry: list[Any]) -> tuple[str, ...]:
    if not entry or not all(isinstance(word, str) for word in entry):
        raise BadRecipe("setup: each command is a list of words, program first")
    return tuple(entry)


def _config(data: Any) -> Mapping[str, Any]:
    if not isinstance(data, dict):
        raise BadRecipe("config is not a table")
    _reject_unknown(data, _CONFIG_LISTS | _CONFIG_TEXTS | _CONFIG_SETS | _CONFIG_MAPS, "config")
    config: dict[str, Any] = {}
    for key, value in sorted(data.items()):
        if key in _CONFIG_TEXTS:
            config[key] = _text(data, key)
        elif key in _CONFIG_LISTS:
            config[key] = list(_texts(data, key))
        elif key in _CONFIG_SETS:
            config[key] = {name: {} for name in _texts(data, key)}
        else:
            config[key] = _labels(value)
    return config


def _labels(value: Any) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
        raise BadRecipe("config: Labels is not a table of texts")
    return value


def _reject_unknown(data: Mapping[str, Any], known: set[str] | frozenset[str], where: str) -> None:
    if unknown := sorted(data.keys() - known):
        raise BadRecipe(f"{where} has no member {', '.join(unknown)} (it has {', '.join(sorted(known))})")


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data.get(key, "")
    if not isinstance(value, str):
        raise BadRecipe(f"{key} is not a text")
    return value


def _texts(data: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(_list(data, key, str))


def _list(data: Mapping[str, Any], key: str, kind: type) -> list[Any]:
    value = data.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, kind) for item in value):
        raise BadRecipe(f"{key} is not a list of {'tables' if kind is dict else 'lists' if kind is list else 'texts'}")
    return value
