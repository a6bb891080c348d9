"""Secrets at rest."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tidegate.store.keyfile import MAX_KEYS, KeyFile
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


def test_either_key_reads_while_one_replaces_the_other(path: Path) -> None:
    """What is sealed next is sealed with the new one; each text names its key."""
    old = Sealer.open(path)
    before = old.seal(b"secret", b"c")
    both = Sealer(*KeyFile(path).add())
    after = both.seal(b"secret", b"c")
    assert both.unseal(before, b"c") == both.unseal(after, b"c") == b"secret"
    assert (both.is_current(before), both.is_current(after)) == (False, True)
    assert both.keys == (both.current_key, old.current_key)
    with pytest.raises(SecretError):
        old.unseal(after, b"c")
    new = Sealer(*KeyFile(path).keep_first())
    assert new.unseal(after, b"c") == b"secret"
    with pytest.raises(SecretError):
        new.unseal(before, b"c")


def test_texts_of_the_first_version_are_read(path: Path) -> None:
    """They name no key: every key is tried."""
    key = KeyFile(path).ensure()[0]
    nonce = bytes(range(12))
    text = b"\x01" + nonce + AESGCM(key).encrypt(nonce, b"secret", b"c")
    assert Sealer.open(path).unseal(text, b"c") == b"secret"
    both = Sealer(*KeyFile(path).add())
    assert both.unseal(text, b"c") == b"secret"
    assert not both.is_current(text)
    with pytest.raises(SecretError):
        both.unseal(text, b"d")


def test_a_text_can_not_be_given_another_keys_name(path: Path) -> None:
    """The key's id is bound to the text."""
    keys = (*KeyFile(path).ensure(), bytes(32))
    sealer = Sealer(*keys)
    sealed = sealer.seal(b"secret", b"c")
    with pytest.raises(SecretError):
        sealer.unseal(sealed[:1] + sealer.keys[1] + sealed[9:], b"c")


def test_the_key_file_while_there_are_two(path: Path) -> None:
    """One a line, in hex, the new one first; 0600; and 32 bytes again afterwards."""
    (first,) = KeyFile(path).ensure()
    keys = KeyFile(path).add()
    assert keys[1] == first
    assert path.read_text() == "".join(f"{key.hex()}\n" for key in keys)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyFile(path).ensure() == keys
    KeyFile(path).keep_first()
    assert path.read_bytes() == keys[0]
    assert [file.name for file in path.parent.iterdir()] == ["master.key"]


def test_keys_do_not_pile_up(path: Path) -> None:
    """A replacement that never ends can't be begun for ever."""
    KeyFile(path).ensure()
    for _ in range(MAX_KEYS - 1):
        KeyFile(path).add()
    with pytest.raises(SecretError, match="let their replacement end first"):
        KeyFile(path).add()


@pytest.mark.parametrize("text", ["zz" * 32 + "\n", "00" * 32 + "\n" + "g" * 65, "\n" * 65])
def test_lines_that_are_no_keys(path: Path, text: str) -> None:
    """Are refused, and left as they are."""
    KeyFile(path).ensure()
    path.write_text(text)
    with pytest.raises(SecretError, match="each line has to be 32 bytes in hex"):
        Sealer.open(path)
    assert path.read_text() == text


def test_drafts_of_a_crash_go(path: Path) -> None:
    """They hold keys; what else lies there stays."""
    KeyFile(path).ensure()
    path.with_name("master.key.0123456789abcdef").write_bytes(bytes(32))
    path.with_name("master.key.bak").touch()
    KeyFile(path).remove_drafts()
    assert sorted(file.name for file in path.parent.iterdir()) == ["master.key", "master.key.bak"]
