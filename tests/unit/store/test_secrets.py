"""Secrets at rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidegate.store.secrets import KEY_BYTES, Sealer, SecretError


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "master.key"


def test_what_is_sealed_is_unsealed_by_a_later_process(path: Path) -> None:
    """The key is made once and used again."""
    sealed = Sealer.open(path).seal(b"secret", b"key/1")
    assert Sealer.open(path).unseal(sealed, b"key/1") == b"secret"
    assert Sealer.open(path).unseal(Sealer.open(path).seal(b"", b""), b"") == b""


def test_the_secret_cannot_be_seen(path: Path) -> None:
    """The sealed text shows nothing, and sealing twice gives two texts."""
    sealer = Sealer.open(path)
    first, second = sealer.seal(b"secret" * 4, b"c"), sealer.seal(b"secret" * 4, b"c")
    assert b"secret" not in first
    assert first != second


def test_the_key_file_is_private(path: Path) -> None:
    """The file is 0600 in a directory 0700, and nothing else is left there."""
    Sealer.open(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_may_use_is_refused(path: Path, mode: int) -> None:
    """Group and others have no rights to the key file at all."""
    Sealer.open(path)
    path.chmod(mode)
    with pytest.raises(SecretError, match="others may read it"):
        Sealer.open(path)


@pytest.mark.parametrize("size", [0, KEY_BYTES - 1, KEY_BYTES + 1])
def test_a_file_that_is_no_key_is_refused(path: Path, size: int) -> None:
    """A truncated or foreign file is not taken for a key, nor overwritten."""
    Sealer.open(path)
    path.write_bytes(bytes(size))
    with pytest.raises(SecretError, match="bytes, not 32"):
        Sealer.open(path)


def test_a_link_is_not_followed(path: Path) -> None:
    """A symbolic link in the key's place is refused."""
    Sealer.open(path)
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")
    with pytest.raises(OSError):
        Sealer.open(path)


def test_another_context_key_or_a_changed_text_is_refused(path: Path) -> None:
    """Sealed texts can't be swapped between records, changed, shortened, or read with another key."""
    sealer = Sealer.open(path)
    sealed = sealer.seal(b"secret", b"key/1")
    for text, context in [
        (sealed, b"key/2"),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), b"key/1"),
        (sealed[:-1], b"key/1"),
        (sealed[:10], b"key/1"),
        (b"\x03" + sealed[1:], b"key/1"),
        (b"\x01" + sealed[9:], b"key/1"),
        (sealed[:1] + bytes(8) + sealed[9:], b"key/1"),
        (b"", b"key/1"),
    ]:
        with pytest.raises(SecretError, match="cannot unseal a secret"):
            sealer.unseal(text, context)
    with pytest.raises(SecretError):
        Sealer(bytes(KEY_BYTES)).unseal(sealed, b"key/1")
