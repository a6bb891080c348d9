"""The OCI archives that are built: reproducible, complete, and readable by other tools."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from imagebuild.archive import write_archive, write_layer

EPOCH = 1_700_000_000


def _tree(root: Path) -> None:
    """Something of everything that a root file system has."""
    for name in ("bin", "etc", "dev", "tmp"):
        (root / name).mkdir(parents=True)
    (root / "bin" / "tool").write_bytes(b"#!/bin/sh\n")
    (root / "bin" / "tool").chmod(0o4755)
    os.link(root / "bin" / "tool", root / "bin" / "twin")
    (root / "etc" / "link").symlink_to("/bin/tool")
    (root / "dev" / "left-over").write_text("x")
    (root / "tmp" / "left-over").write_text("x")
    os.mkfifo(root / "etc" / "pipe")
    os.utime(root / "etc", (1_000_000_000, 1_000_000_000))
    (root / "etc" / "ünï").write_text("name beyond ASCII")


def _layer_members(path: Path) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(path) as tar:
        return {member.name: member for member in tar}


def test_a_layer_holds_the_tree_and_nothing_of_the_runtimes(tmp_path: Path) -> None:
    """Modes, hard links and symbolic links are kept; the content of /dev and /tmp and special files are not."""
    _tree(tmp_path / "root")
    layer, _ = write_layer(tmp_path / "root", tmp_path / "layer", EPOCH)
    members = _layer_members(layer.path)
    assert sorted(members) == ["bin", "bin/tool", "bin/twin", "dev", "etc", "etc/link", "etc/ünï", "tmp"]
    assert members["bin/tool"].mode == 0o4755
    assert members["bin/twin"].islnk()
    assert members["bin/twin"].linkname == "bin/tool"
    assert members["etc/link"].linkname == "/bin/tool"
    assert max(member.mtime for member in members.values()) == EPOCH


def test_a_layers_digests_are_those_of_its_bytes(tmp_path: Path) -> None:
    """The digest is of the compressed layer, the DiffID of the tar inside."""
    _tree(tmp_path / "root")
    layer, diff_id = write_layer(tmp_path / "root", tmp_path / "layer", EPOCH)
    content = (tmp_path / "layer").read_bytes()
    assert layer.digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
    assert layer.size == len(content)
    assert diff_id == f"sha256:{hashlib.sha256(gzip.decompress(content)).hexdigest()}"


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    """Neither the time of building nor the order of creation is in an image."""
    digests = set()
    for name, later in (("one", 0), ("two", 5_000)):
        _tree(tmp_path / name)
        now = EPOCH + 100 + later
        os.utime(tmp_path / name / "bin" / "tool", (now, now))
        layer, _ = write_layer(tmp_path / name, tmp_path / f"{name}.layer", EPOCH)
        digests.add(layer.digest)
        if later:
            (tmp_path / name / "etc" / "more").write_text("")
            changed, _ = write_layer(tmp_path / name, tmp_path / "changed.layer", EPOCH)
            assert changed.digest not in digests
    assert len(digests) == 1


def _archive(tmp_path: Path) -> tuple[Path, str, str]:
    _tree(tmp_path / "root")
    layer, diff_id = write_layer(tmp_path / "root", tmp_path / "layer", EPOCH)
    config = {"Entrypoint": ["tool"], "Env": ["A=b"]}
    path = tmp_path / "image.oci.tar"
    digest = write_archive(path, layer, diff_id, config, architecture="amd64", name="thing:latest", epoch=EPOCH)
    return path, digest, diff_id


def test_an_archive_leads_from_its_index_to_its_layer(tmp_path: Path) -> None:
    """Each descriptor names a blob that is there, of that size and digest."""
    path, digest, diff_id = _archive(tmp_path)
    with tarfile.open(path) as tar:
        content = {member.name: (tar.extractfile(member) or io.BytesIO()).read() for member in tar}
    assert json.loads(content["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}

    def blob(descriptor: dict[str, object]) -> bytes:
        data = content[f"blobs/{str(descriptor['digest']).replace(':', '/')}"]
        assert descriptor["size"] == len(data)
        assert descriptor["digest"] == f"sha256:{hashlib.sha256(data).hexdigest()}"
        return data

    (described,) = json.loads(content["index.json"])["manifests"]
    assert described["digest"] == digest
    manifest = json.loads(blob(described))
    image = json.loads(blob(manifest["config"]))
    assert image["config"] == {"Entrypoint": ["tool"], "Env": ["A=b"]}
    assert image["rootfs"]["diff_ids"] == [diff_id]
    (layer,) = manifest["layers"]
    assert f"sha256:{hashlib.sha256(gzip.decompress(blob(layer))).hexdigest()}" == diff_id


@pytest.mark.host
def test_skopeo_reads_the_archive(tmp_path: Path) -> None:
    """Another tool of the field agrees on what the archive is, and finds its layer whole."""
    path, digest, _ = _archive(tmp_path)
    shown = subprocess.run(["skopeo", "inspect", f"oci-archive:{path}"], capture_output=True, check=True)
    inspected = json.loads(shown.stdout)
    assert inspected["Digest"] == digest
    assert (inspected["Architecture"], inspected["Os"], inspected["Env"]) == ("amd64", "linux", ["A=b"])
    copy = ["skopeo", "copy", "--quiet", f"oci-archive:{path}", f"dir:{tmp_path / 'copy'}"]
    assert subprocess.run(copy, capture_output=True, check=False).returncode == 0
