"""How root file systems are made: what is asked of mmdebstrap, and what may be copied where."""

from __future__ import annotations

import json
import subprocess
import tarfile
from pathlib import Path

import pytest

import build_image
from devkit.steps import StepFailed
from imagebuild.recipe import CopiedFile, Recipe
from imagebuild.rootfs import Host, copy_into, plan_mmdebstrap, plan_sources, plan_transport

TARGETS = """\
MetaKey: main/binary-amd64/Packages
Origin: Debian
Component: main
Release: bookworm
Repo-URI: http://mirror.example/debian/
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Origin: Debian
Component: main
Release: bookworm-security
Repo-URI: http://mirror.example/security/

Origin: Debian
Component: main
Release: bookworm-backports
Repo-URI: http://mirror.example/debian/

Origin: Docker
Component: stable
Release: bookworm
Repo-URI: https://vendor.example/debian/

Origin: LP-PPA-somebody
Component: main
Release: bookworm
Repo-URI: https://vendor.example/ppa/
"""


def test_only_the_distributions_own_sources_are_used() -> None:
    """An image holds no package of another vendor that the host happens to use."""
    assert plan_sources(TARGETS, "bookworm", "bookworm") == (
        "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian/ bookworm main",
        "deb http://mirror.example/security/ bookworm-security main",
    )


def test_sources_are_found_before_apt_has_ever_fetched_its_lists() -> None:
    """Without lists apt does not know the origin; the release and the component decide."""
    assert plan_sources("Component: main\nRelease: trixie\nRepo-URI: http://mirror.example/\n", "trixie", "trixie") == (
        "deb http://mirror.example/ trixie main",
    )


def test_another_release_comes_from_the_same_mirrors() -> None:
    """A recipe may name a suite of its own."""
    assert [line.split()[-2] for line in plan_sources(TARGETS, "bookworm", "trixie")] == ["trixie", "trixie-security"]


def test_the_hosts_way_to_its_archives_is_kept_and_nothing_else() -> None:
    """Proxies and date checks go along; hooks and other settings of the host don't."""
    configuration = (
        'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::Check-Date "false";\nAcquire::http "";\n'
        'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";\nDPkg::Post-Invoke:: "rm -f /var/cache";\n'
    )
    assert plan_transport(configuration) == (
        'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::Check-Date "false";\n'
    )


def test_mmdebstraps_arguments() -> None:
    """The plan, word for word: mounts of its own, the recipe's packages, documentation left out."""
    recipe = Recipe(path=Path("r.toml"), name="r", packages=("a", "b"), exclude=("/usr/lib/big*",))
    plan = plan_mmdebstrap(recipe, Host("bookworm", ("deb X",), ""), Path("/t/root"), Path("/t/apt.conf"))
    assert plan[:6] == ["unshare", "--mount", "--propagation", "private", "mmdebstrap", "--mode=root"]
    assert "--include=a,b" in plan
    assert "--dpkgopt=path-exclude=/usr/lib/big*" in plan
    assert plan[-4:] == ["--aptopt=/t/apt.conf", "bookworm", "/t/root", "deb X"]


def test_files_are_copied_in_with_their_mode(tmp_path: Path) -> None:
    """Directories on the way are made."""
    source = tmp_path / "source"
    source.write_text("hello")
    copy_into(tmp_path / "root", CopiedFile(source, "/opt/app/file", 0o750))
    target = tmp_path / "root" / "opt" / "app" / "file"
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("hello", 0o750)


@pytest.mark.parametrize("link", ["etc", "etc/file"])
def test_no_file_is_copied_out_of_the_image(tmp_path: Path, link: str) -> None:
    """A symbolic link in the image can't make us write on the host."""
    outside = tmp_path / "outside"
    outside.mkdir()
    path = tmp_path / "root" / link
    path.parent.mkdir(parents=True)
    path.symlink_to(outside if link == "etc" else outside / "file")
    source = tmp_path / "source"
    source.write_text("hello")
    with pytest.raises(StepFailed, match="leads elsewhere"):
        copy_into(tmp_path / "root", CopiedFile(source, "/etc/file", 0o644))
    assert list(outside.iterdir()) == []


@pytest.mark.host
@pytest.mark.slow
def test_an_image_is_really_built_and_then_found_in_the_cache(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From a recipe to an archive with the package's files, our file and our configuration; then from the cache."""
    (tmp_path / "hello").write_text("hello\n")
    (tmp_path / "tiny.toml").write_text(
        'variant = "extract"\npackages = ["busybox-static"]\nsetup = [["/bin/busybox", "ln", "-s", "/hello", "/hi"]]\n'
        '[[files]]\nfrom = "hello"\nto = "/hello"\n[config]\nCmd = ["/bin/busybox", "cat", "/hi"]\n'
    )
    arguments = [str(tmp_path / "tiny.toml"), "--cache", str(tmp_path / "cache")]
    assert build_image.main(arguments) == 0, capsys.readouterr().err
    archive = Path(capsys.readouterr().out.strip())
    assert [path.name for path in archive.parent.iterdir()] == [archive.name], "nothing half done is left"
    unpacked = tmp_path / "unpacked"
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    layer = max((unpacked / "blobs" / "sha256").iterdir(), key=lambda path: path.stat().st_size)
    with tarfile.open(layer) as tar:
        members = {member.name: member for member in tar}
    assert members["hi"].linkname == "/hello"
    assert any(name.endswith("bin/busybox") for name in members)
    shown = subprocess.run(["skopeo", "inspect", "--config", f"oci-archive:{archive}"], capture_output=True, check=True)
    assert json.loads(shown.stdout)["config"] == {"Cmd": ["/bin/busybox", "cat", "/hi"]}
    before = archive.stat()
    assert build_image.main(arguments) == 0
    assert archive.stat().st_mtime_ns == before.st_mtime_ns
    assert "in the cache" in capsys.readouterr().err


@pytest.mark.host
def test_a_failed_build_shows_why_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tail of the tool's own log is shown, and no half-made root file system stays behind."""
    (tmp_path / "bad.toml").write_text('variant = "extract"\npackages = ["no-such-package-anywhere"]\n')
    assert build_image.main([str(tmp_path / "bad.toml"), "--cache", str(tmp_path / "cache")]) == 1
    assert "Unable to locate package no-such-package-anywhere" in capsys.readouterr().err
    assert list((tmp_path / "cache" / "images").iterdir()) == []
