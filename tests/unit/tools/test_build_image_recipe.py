"""Recipes of images: what is read, what is refused, and what makes a cached image stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from imagebuild.build import cache_key
from imagebuild.recipe import BadRecipe, Recipe, read_recipe

WHOLE = """
packages = ["nginx-light", "libc6:amd64", "busybox=1:1.35.0-4"]
exclude = ["/usr/share/doc/*"]
setup = [["rm", "-f", "/etc/motd"]]
[[files]]
from = "nginx.conf"
to = "/etc/nginx/nginx.conf"
mode = "0640"
[config]
Env = ["A=b"]
Entrypoint = ["nginx"]
User = "www-data"
ExposedPorts = ["80/tcp"]
StopSignal = "SIGQUIT"
"""


def _write(directory: Path, text: str) -> Path:
    (directory / "nginx.conf").write_text("events {}")
    path = directory / "front.toml"
    path.write_text(text)
    return path


def test_a_whole_recipe_is_read(tmp_path: Path) -> None:
    """Every member arrives in its place; the name is the file's unless it is given."""
    recipe = read_recipe(_write(tmp_path, WHOLE))
    assert recipe.name == "front"
    assert recipe.packages == ("nginx-light", "libc6:amd64", "busybox=1:1.35.0-4")
    assert recipe.exclude == ("/usr/share/doc/*",)
    assert recipe.setup == (("rm", "-f", "/etc/motd"),)
    assert [(file.source.name, file.target, file.mode) for file in recipe.files] == [
        ("nginx.conf", "/etc/nginx/nginx.conf", 0o640)
    ]
    assert recipe.config == {
        "Env": ["A=b"],
        "Entrypoint": ["nginx"],
        "User": "www-data",
        "ExposedPorts": {"80/tcp": {}},
        "StopSignal": "SIGQUIT",
    }


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("packages = []", "packages is empty"),
        ("packages = ['--customize-hook=reboot']", "is not the name of a package"),
        ("packages = ['a,b']", "is not the name of a package"),
        ("packages = ['nginx']\nsuite = '../etc'", "is not the name of a suite"),
        ("packages = ['nginx']\npackage = 1", "has no member package"),
        ("packages = ['nginx']\nvariant = 'minbase'", "variant is `minbase`"),
        ("packages = ['nginx']\nexclude = ['usr']", "is not an absolute path"),
        ("packages = ['nginx']\nsetup = ['rm -rf /']", "setup is not a list of lists"),
        ("packages = ['nginx']\nsetup = [[]]", "program first"),
        ("packages = ['nginx']\n[config]\nEntryPoint = ['a']", "config has no member EntryPoint"),
        ("packages = ['nginx']\n[config]\nCmd = 'a b'", "Cmd is not a list of texts"),
        ("packages = ['nginx']\n[[files]]\nfrom = 'absent'\nto = '/a'", "there is no file"),
        ("packages = ['nginx']\n[[files]]\nfrom = 'nginx.conf'\nto = '/a/../../b'", "not an absolute path"),
        ("packages = ['nginx']\n[[files]]\nfrom = 'nginx.conf'\nto = 'a'", "not an absolute path"),
        ("packages = ['nginx']\n[[files]]\nfrom = 'nginx.conf'\nto = '/a'\nmode = 'rw'", "write it like 0755"),
        ("packages = [", "cannot read"),
    ],
)
def test_a_bad_recipe_is_refused_with_the_reason(tmp_path: Path, text: str, complaint: str) -> None:
    """Nothing is accepted that would be ignored, or that could reach beyond what its member is for."""
    with pytest.raises(BadRecipe, match=complaint):
        read_recipe(_write(tmp_path, text))


def _key(recipe: Recipe, suite: str = "bookworm", machine: str = "x86_64", epoch: int = 1) -> str:
    return cache_key(recipe, suite, machine, epoch)


def test_the_cache_key_follows_what_goes_into_the_image(tmp_path: Path) -> None:
    """The same inputs give the same key; another recipe, copied file, suite or machine gives another."""
    path = _write(tmp_path, WHOLE)
    recipe = read_recipe(path)
    first = _key(recipe)
    assert _key(read_recipe(path)) == first
    keys = {first, _key(recipe, suite="trixie"), _key(recipe, machine="aarch64"), _key(recipe, epoch=2)}
    (tmp_path / "nginx.conf").write_text("events { }")
    keys.add(_key(recipe))
    path.write_text(WHOLE + "# a comment\n")
    keys.add(_key(read_recipe(path)))
    assert len(keys) == 6


@pytest.mark.parametrize("name", ["nginx", "web", "db"])
def test_the_demos_recipes_are_good(name: str) -> None:
    """What the demo is made of can be read."""
    checkout = Path(__file__).resolve().parents[3]
    assert read_recipe(checkout / "demo" / "images" / name / f"{name}.toml").name == f"demo-{name}"
