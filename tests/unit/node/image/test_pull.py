"""Images come from a real registry, once, whole and unchanged; or not at all, with the reason that AWS would give."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from fixtures.images import DOCKER_MANIFEST, MadeImage, assemble, digest_of, files_tar, make_image, member, tar_of
from fixtures.imagestore import no_mounts_left, open_store
from fixtures.registry import PASSWORD, USER, Registry, missing_for_registry, running_registry
from tidegate.kernel import syscalls
from tidegate.model.execution import RegistryLogin
from tidegate.model.image import ImageConfig
from tidegate.node.image.images import (
    ImageCorrupt,
    ImageError,
    ImageNoSpace,
    ImageNotFound,
    ImageUnauthorized,
    ImageUnreachable,
    PullTimeout,
)
from tidegate.node.image.skopeo import RegistryOptions
from tidegate.node.image.store import ImageStore

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.host,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root"),
    pytest.mark.skipif(bool(missing_for_registry), reason=f"needs {missing_for_registry}"),
]

INTEL = "x86_64"


@pytest.fixture
def anyio_backend() -> str:
    """A real registry: real time."""
    return "asyncio"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def private(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """One that wants a password."""
    with running_registry(tmp_path_factory.mktemp("private"), with_password=True) as running:
        yield running


@pytest.fixture(autouse=True)
def clean(tmp_path: Path) -> Iterator[None]:
    with no_mounts_left(tmp_path):
        yield


def watch_skopeo(directory: Path, then: str = "") -> dict[str, str]:
    """An environment in which every call of skopeo is written down in `directory`/calls."""
    real = shutil.which("skopeo")
    program = directory / "bin/skopeo"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >>"{directory}/calls"\n{real} "$@" || exit\n{then}\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}


def copies(directory: Path) -> int:
    """How often `watch_skopeo` has seen an image fetched."""
    return sum("--dest-shared-blob-dir" in line for line in (directory / "calls").read_text().splitlines())


@asynccontextmanager
async def store_in(directory: Path, **options: Any) -> AsyncIterator[ImageStore]:
    registries = RegistryOptions(**{"retries": 0, "stall_seconds": 10, **options})
    async with open_store(directory / "store", registries=registries, layer_format="directory") as store:
        yield store


def some_image(**options: Any) -> MadeImage:
    """Two layers that no other test has."""
    return make_image([files_tar({"a": os.urandom(200_000)}), files_tar({"b": os.urandom(300)})], **options)


@pytest.mark.parametrize("media_type", [None, DOCKER_MANIFEST])
async def test_an_image_is_pulled(registry: Registry, tmp_path: Path, media_type: str | None) -> None:
    """It has the digest that the registry knows it by, in OCI's format or docker's; its progress is told."""
    image = some_image(config={"Cmd": ["run"]}, **({"media_type": media_type} if media_type else {}))
    reference = registry.push("team/app", "pulled", image)
    lines: list[str] = []
    async with store_in(tmp_path) as store:
        pulled = await store.ensure(reference, INTEL, lines.append)
        assert (pulled.digest, pulled.layers, pulled.references) == (image.digest, image.diff_ids, (reference,))
        assert pulled.config == ImageConfig(command=("run",))
        assert pulled == store.find(reference)
        by_digest = f"{registry.host}/team/app@{image.digest}"
        assert (await store.ensure(by_digest, INTEL)).digest == image.digest
        rootfs = await store.mount_rootfs(pulled, tmp_path / "task")
        assert sorted(os.listdir(rootfs)) == ["a", "b"]
        await store.unmount_rootfs(tmp_path / "task")
    assert lines[0] == f"resolving {reference}"
    assert any(line.startswith("layer 1/2: ") for line in lines)


async def test_an_index_gives_the_image_for_the_architecture(registry: Registry, tmp_path: Path) -> None:
    """Both may be here under one name; one that the index does not have is not found."""
    intel, arm = some_image(), some_image(architecture="arm64")
    reference = registry.push_index("team/index", "v1", [intel, arm])
    async with store_in(tmp_path) as store:
        assert (await store.ensure(reference, "arm64")).digest == arm.digest
        assert (await store.ensure(reference, INTEL)).digest == intel.digest
        assert len(store.list()) == 2
        with pytest.raises(ImageNotFound, match="does not contain descriptor matching platform 'linux/s390x'"):
            await store.ensure(reference, "s390x")


async def test_an_image_for_another_architecture_is_not_found(registry: Registry, tmp_path: Path) -> None:
    """Also if it is no index, and also if it is here already under another name."""
    arm = some_image(architecture="arm64")
    reference, other = registry.push("team/arm", "v1", arm), registry.push("team/arm", "v2", arm)
    async with store_in(tmp_path) as store:
        with pytest.raises(ImageNotFound, match="platform 'linux/amd64'"):
            await store.ensure(reference, INTEL)
        assert store.list() == []
        await store.ensure(other, "arm64")
        with pytest.raises(ImageNotFound, match="platform 'linux/amd64'"):
            await store.ensure(reference, INTEL)


async def test_many_who_want_an_image_at_once_fetch_it_once(registry: Registry, tmp_path: Path) -> None:
    """All get it, and all hear of its progress."""
    image = some_image()
    reference = registry.push("team/once", "v1", image)
    heard: list[int] = []

    async with store_in(tmp_path, environment=watch_skopeo(tmp_path)) as store:

        async def ensure(number: int) -> None:
            pulled = await store.ensure(reference, INTEL, lambda line: heard.append(number))
            assert pulled.digest == image.digest

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(ensure, number)
    assert copies(tmp_path) == 1
    assert set(heard) == set(range(20))


async def test_different_images_come_side_by_side(registry: Registry, tmp_path: Path) -> None:
    """More of them than there are places; they share a layer."""
    base = files_tar({"base": os.urandom(100_000)})
    images = [make_image([base, files_tar({"n": str(number)})]) for number in range(6)]
    references = [registry.push("team/side", f"v{number}", image) for number, image in enumerate(images)]
    async with store_in(tmp_path) as store:
        async with anyio.create_task_group() as group:
            for reference in references:
                group.start_soon(store.ensure, reference, INTEL)
        assert {image.digest for image in store.list()} == {image.digest for image in images}
    assert len(os.listdir(tmp_path / "store/layers")) == 7


async def test_a_caller_who_leaves_does_not_stop_the_others(registry: Registry, tmp_path: Path) -> None:
    """The work goes on while one of them waits."""
    reference = registry.push("team/leave", "v1", some_image())
    async with store_in(tmp_path) as store, anyio.create_task_group() as group:
        leaver = anyio.CancelScope()

        async def ensure_and_leave() -> None:
            with leaver:
                await store.ensure(reference, INTEL)

        group.start_soon(ensure_and_leave)
        await anyio.lowlevel.checkpoint()
        group.start_soon(store.ensure, reference, INTEL)
        await anyio.lowlevel.checkpoint()
        leaver.cancel()
    assert (tmp_path / "store/index.json").read_text().count(reference) == 1


async def test_when_all_have_left_the_pull_ends(registry: Registry, tmp_path: Path) -> None:
    """Its processes are gone, its staging is empty, and it can be asked for again."""
    reference = registry.push("team/left", "v1", some_image())
    environment = watch_skopeo(tmp_path, f"[ -e {tmp_path}/go ] || exec sleep 1000")
    async with store_in(tmp_path, environment=environment) as store:
        with anyio.move_on_after(1):
            await store.ensure(reference, INTEL)
            pytest.fail("pulled although skopeo hangs")
        with anyio.fail_after(10):
            while os.listdir(tmp_path / "store/staging"):  # noqa: ASYNC110
                await anyio.sleep(0.02)
        (tmp_path / "go").touch()
        await store.ensure(reference, INTEL)


NOT_FOUND = "pull image manifest has been retried 1 time(s): failed to resolve ref "


@pytest.mark.parametrize("name", ["team/app:missing", "no/such:v1", "team/app@sha256:" + "0" * 64])
async def test_a_missing_image_is_not_found(registry: Registry, tmp_path: Path, name: str) -> None:
    """A tag, a repository, a digest."""
    registry.push("team/app", "there", some_image())
    async with store_in(tmp_path) as store:
        with pytest.raises(ImageNotFound, match="manifest unknown") as caught:
            await store.ensure(f"{registry.host}/{name}", INTEL)
    assert str(caught.value).startswith(f"{NOT_FOUND}{registry.host}/{name}: ")


async def test_without_credentials_a_private_image_is_refused(private: Registry, tmp_path: Path) -> None:
    """And with wrong ones."""
    reference = private.push("team/app", "v1", some_image())
    for options in ({}, {"auth_file": private.write_auth_file(tmp_path / "wrong", "wrong")}):
        async with store_in(tmp_path, **options) as store:
            with pytest.raises(ImageUnauthorized, match="pull access denied, repository does not exist or may require"):
                await store.ensure(reference, INTEL)


@pytest.mark.parametrize("way", ["option", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG", "HOME"])
async def test_credentials_are_found_where_docker_keeps_them(private: Registry, tmp_path: Path, way: str) -> None:
    """In its configuration, wherever that is; they are in no argument of any process."""
    image = some_image()
    reference = private.push("team/way", "v1", image)
    (tmp_path / ".docker").mkdir()
    file = private.write_auth_file(tmp_path / ".docker/config.json")
    environment = watch_skopeo(tmp_path)
    options: dict[str, Any] = {"environment": environment}
    if way == "option":
        options["auth_file"] = file
    else:
        environment[way] = str({"HOME": tmp_path, "DOCKER_CONFIG": file.parent}.get(way, file))
    async with store_in(tmp_path, **options) as store:
        assert (await store.ensure(reference, INTEL)).digest == image.digest
    calls = (tmp_path / "calls").read_text()
    token = json.loads(file.read_text())["auths"][private.host]["auth"]
    assert not any(secret in calls for secret in (USER, PASSWORD, token))


async def test_a_task_pulls_with_its_own_login(private: Registry, tmp_path: Path) -> None:
    """It is in a file 0600 for as long as the pull, and in no argument; a wrong one is refused, here or elsewhere."""
    image = some_image()
    reference = private.push("team/login", "v1", image)
    logins = tmp_path / "logins"
    logins.mkdir()
    environment = watch_skopeo(tmp_path, f'stat -c "%a %n" {logins}/.login-* >>{tmp_path}/modes')
    async with store_in(tmp_path, environment=environment, login_directory=logins) as store:
        with pytest.raises(ImageUnauthorized):
            await store.ensure(reference, INTEL, login=RegistryLogin(USER, "wrong"))
        pulled = await store.ensure(reference, INTEL, login=RegistryLogin(USER, PASSWORD))
    assert pulled.digest == image.digest
    assert {line.split()[0] for line in (tmp_path / "modes").read_text().splitlines()} == {"600"}
    assert list(logins.iterdir()) == []
    calls = (tmp_path / "calls").read_text()
    assert f"authfile {logins}/.login-" in calls
    assert not any(secret in calls for secret in (USER, PASSWORD))


async def test_a_registry_that_is_not_there_is_unreachable(tmp_path: Path) -> None:
    """Its message says whom we could not reach."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        async with store_in(tmp_path) as store:
            with pytest.raises(ImageUnreachable, match="connection refused"):
                await store.ensure(f"{host}/a/b:v1", INTEL)


async def test_a_registry_that_does_not_answer_is_unreachable(tmp_path: Path) -> None:
    """It takes the connection, and that is all; the wait has an end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        async with store_in(tmp_path, resolve_seconds=0.5) as store:
            with pytest.raises(ImageUnreachable, match=r"no answer within 0\.5 seconds"):
                await store.ensure(f"127.0.0.1:{silent.getsockname()[1]}/a/b:v1", INTEL)


async def test_a_pull_that_stands_still_is_ended(registry: Registry, tmp_path: Path) -> None:
    """Without a byte for the time that is allowed."""
    reference = registry.push("team/stall", "v1", some_image())
    environment = watch_skopeo(tmp_path, 'case "$*" in *copy*) exec sleep 1000;; esac')
    async with store_in(tmp_path, environment=environment, stall_seconds=1) as store:
        with pytest.raises(ImageUnreachable, match="no byte received for 1 seconds"):
            await store.ensure(reference, INTEL)


async def test_a_pull_has_a_time_limit(registry: Registry, tmp_path: Path) -> None:
    """Over all."""
    reference = registry.push("team/limit", "v1", some_image())
    environment = watch_skopeo(tmp_path, 'case "$*" in *copy*) exec sleep 1000;; esac')
    async with store_in(tmp_path, environment=environment, pull_seconds=1) as store:
        with pytest.raises(PullTimeout, match="not done within 1 seconds"):
            await store.ensure(reference, INTEL)


def flip_a_byte(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.write_bytes(raw)


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


@pytest.mark.parametrize("damage", [flip_a_byte, cut_off])
@pytest.mark.parametrize("part", ["layer", "config"])
async def test_a_blob_that_was_tampered_with_is_refused(
    registry: Registry, tmp_path: Path, damage: Callable[[Path], None], part: str
) -> None:
    """In the registry, behind its back; nothing of it is kept."""
    image = some_image()
    reference = registry.push("team/tampered", "v1", image)
    digest = image.layers[0] if part == "layer" else next(iter(image.blobs))
    damage(registry.blob_file(digest))
    async with store_in(tmp_path) as store:
        with pytest.raises(ImageError) as caught:
            await store.ensure(reference, INTEL)
        assert type(caught.value) in (ImageCorrupt, ImageUnreachable)
        assert store.list() == []
    assert not (tmp_path / "store/blobs/sha256" / digest.removeprefix("sha256:")).exists()


async def test_a_manifest_that_was_tampered_with_is_refused(registry: Registry, tmp_path: Path) -> None:
    """By its tag and by its digest."""
    image = some_image()
    reference = registry.push("team/forged", "v1", image)
    registry.blob_file(image.digest).write_bytes(image.manifest + b" ")
    async with store_in(tmp_path) as store:
        for name in (reference, f"{registry.host}/team/forged@{image.digest}"):
            with pytest.raises(ImageCorrupt):
                await store.ensure(name, INTEL)


async def test_layers_that_are_not_the_configurations_are_refused(registry: Registry, tmp_path: Path) -> None:
    """Every digest is right, and yet this is not the image that its author made."""
    true, other = some_image(), some_image()
    config = next(iter(true.blobs.values()))
    swapped = assemble(config, [other.blobs[digest] for digest in other.layers], true.diff_ids)
    reference = registry.push("team/swapped", "v1", swapped)
    async with store_in(tmp_path) as store:
        with pytest.raises(ImageCorrupt, match="layers are not those that its configuration names"):
            await store.ensure(reference, INTEL)


@pytest.mark.parametrize(
    "layer",
    [
        b"no tar at all" * 100,
        files_tar({"a": "b" * 2000})[:700],
        tar_of([member("h", tarfile.LNKTYPE, linkname="/etc/passwd")]),
    ],
)
async def test_a_layer_that_can_not_be_read_is_refused(registry: Registry, tmp_path: Path, layer: bytes) -> None:
    """Whole layers of the same image are no use without it."""
    reference = registry.push("team/unreadable", "v1", make_image([files_tar({"good": "x"}), layer]))
    async with store_in(tmp_path) as store:
        with pytest.raises(ImageCorrupt, match=r"cannot (read|unpack)"):
            await store.ensure(reference, INTEL)
        assert store.list() == []


async def test_what_a_broken_pull_has_brought_is_not_fetched_again(registry: Registry, tmp_path: Path) -> None:
    """The first try ends at a layer that is missing; for the second the other one is."""
    image = some_image()
    reference = registry.push("team/resumed", "v1", image)
    first, second = (registry.blob_file(digest) for digest in image.layers)
    second.rename(tmp_path / "aside")
    async with store_in(tmp_path) as store:
        with pytest.raises(ImageError):
            await store.ensure(reference, INTEL)
    with anyio.fail_after(10):
        # The two come side by side: the first may not have been done.
        while not (tmp_path / "store/blobs/sha256" / image.layers[0].removeprefix("sha256:")).exists():
            async with store_in(tmp_path) as store:
                with pytest.raises(ImageError):
                    await store.ensure(reference, INTEL)
    (tmp_path / "aside").rename(second)
    first.unlink()
    async with store_in(tmp_path) as store:
        assert (await store.ensure(reference, INTEL)).digest == image.digest


async def test_a_blob_that_a_crash_has_broken_is_fetched_again(registry: Registry, tmp_path: Path) -> None:
    """A power cut can leave a file of zeros under a blob's name."""
    image = some_image()
    reference = registry.push("team/broken", "v1", image)
    place = tmp_path / "store/blobs/sha256" / image.layers[0].removeprefix("sha256:")
    place.parent.mkdir(parents=True)
    place.write_bytes(bytes(len(image.blobs[image.layers[0]])))
    async with store_in(tmp_path) as store:
        assert (await store.ensure(reference, INTEL)).layers == image.diff_ids
    assert digest_of(place.read_bytes()) == image.layers[0]


async def test_garbage_collection_leaves_a_pull_alone(registry: Registry, tmp_path: Path) -> None:
    """However often it runs meanwhile, the image is whole in the end."""
    image = make_image([files_tar({f"f{number}": os.urandom(100_000)}) for number in range(8)])
    reference = registry.push("team/collected", "v1", image)
    async with store_in(tmp_path) as store:
        done = anyio.Event()

        async def collect() -> None:
            while not done.is_set():
                await store.collect_garbage(set())

        async with anyio.create_task_group() as group:
            group.start_soon(collect)
            pulled = await store.ensure(reference, INTEL)
            done.set()
        await store.collect_garbage(set())
        rootfs = await store.mount_rootfs(pulled, tmp_path / "task")
        assert len(os.listdir(rootfs)) == 8
        await store.unmount_rootfs(tmp_path / "task")
        await store.export_archive(reference, tmp_path / "out.tar", "oci")


@pytest.mark.parametrize("megabytes", [1, 4])
async def test_a_full_disk_is_said_to_be_full(registry: Registry, tmp_path: Path, megabytes: int) -> None:
    """Before the layers are here, or while they are unpacked; with room, the same store goes on."""
    reference = registry.push("team/full", "v1", make_image([files_tar({"a": os.urandom(3_000_000)})]))
    (tmp_path / "store").mkdir()
    syscalls.mount("tmpfs", str(tmp_path / "store"), "tmpfs", 0, f"size={megabytes}m")
    try:
        async with store_in(tmp_path) as store:
            with pytest.raises(ImageNoSpace, match="no space left on device"):
                await store.ensure(reference, INTEL)
            syscalls.mount("tmpfs", str(tmp_path / "store"), "tmpfs", syscalls.MS_REMOUNT, "size=64m")
            assert (await store.ensure(reference, INTEL)).size_bytes > 3_000_000
    finally:
        syscalls.umount(str(tmp_path / "store"))


async def test_without_skopeo_the_message_says_what_is_missing(tmp_path: Path) -> None:
    """A user can install it."""
    async with store_in(tmp_path, environment={"PATH": str(tmp_path)}) as store:
        with pytest.raises(ImageError, match="skopeo is not installed"):
            await store.ensure("127.0.0.1:1/a:b", INTEL)
