"""Names of images mean what docker means by them."""

from __future__ import annotations

import pytest

from tidegate.node.image.images import ImageError
from tidegate.node.image.reference import is_loopback, parse_reference

DIGEST = "sha256:" + "a1" * 32


@pytest.mark.parametrize(
    "text, whole",
    [
        ("nginx", "docker.io/library/nginx:latest"),
        ("nginx:1.27", "docker.io/library/nginx:1.27"),
        ("team/app", "docker.io/team/app:latest"),
        ("docker.io/nginx", "docker.io/library/nginx:latest"),
        ("index.docker.io/team/app:v1", "docker.io/team/app:v1"),
        ("localhost/app", "localhost/app:latest"),
        ("localhost:5000/app:v1", "localhost:5000/app:v1"),
        ("127.0.0.1:5000/a/b/c:x", "127.0.0.1:5000/a/b/c:x"),
        ("[::1]:5000/app", "[::1]:5000/app:latest"),
        ("public.ecr.aws/docker/library/redis:7", "public.ecr.aws/docker/library/redis:7"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:b", "123456789012.dkr.ecr.eu-west-1.amazonaws.com/a:b"),
        ("Registry/app", "Registry/app:latest"),
        (f"nginx@{DIGEST}", f"docker.io/library/nginx@{DIGEST}"),
        (f"host:1/app:v1@{DIGEST}", f"host:1/app@{DIGEST}"),
        ("a__b/c.d-e--f", "docker.io/a__b/c.d-e--f:latest"),
    ],
)
def test_a_short_name_becomes_a_whole_one(text: str, whole: str) -> None:
    """Registry, repository and tag get docker's defaults; with a digest the tag does not matter."""
    assert str(parse_reference(text)) == whole


@pytest.mark.parametrize("text", ["nginx", f"host.example:1/app@{DIGEST}", "localhost:5000/app:v1"])
def test_a_whole_name_stays_as_it_is(text: str) -> None:
    """Reading a name again changes nothing."""
    whole = parse_reference(text)
    assert parse_reference(str(whole)) == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Nginx",
        "ngi nx",
        "nginx:",
        "nginx:a b",
        ":tag",
        "a//b",
        "-a",
        "a/../b",
        "nginx@sha256:abc",
        "nginx@",
        "nginx@md5:" + "a" * 32,
        "a" * 64,
        "host.example/" + "a" * 300,
        "nginx:" + "t" * 129,
        "app\n",
        "--help",
        "host.example/app:v1 --creds=x",
        "docker://nginx",
    ],
)
def test_what_is_no_name_is_refused_in_dockers_words(text: str) -> None:
    """Nothing that could be taken for something else reaches a command line."""
    with pytest.raises(ImageError, match="invalid reference format"):
        parse_reference(text)


@pytest.mark.parametrize(
    "registry, answer",
    [
        ("localhost", True),
        ("localhost:5000", True),
        ("127.0.0.1:5000", True),
        ("127.9.9.9", True),
        ("[::1]:5000", True),
        ("[::1]", True),
        ("10.0.0.1:5000", False),
        ("docker.io", False),
        ("localhost.example.com", False),
        ("127.0.0.1.example.com", False),
    ],
)
def test_only_registries_of_this_machine_may_be_plain_http(registry: str, answer: bool) -> None:
    """As docker: loopback, and nothing that merely looks like it."""
    assert is_loopback(registry) is answer
