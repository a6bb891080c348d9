"""Whatever an archive says, its files stay under the layer's root, and whiteouts become overlayfs's."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterable

import pytest

from fixtures.images import member, tar_of
from tidegate.node.image.budget import Limits
from tidegate.node.image.layertree import LayerTree, Node
from tidegate.node.image.tarstream import TarError, TarReader

DIR, SYM, LNK, CHR = tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE


def tree_of(*entries: tarfile.TarInfo | tuple[tarfile.TarInfo, bytes], limits: Limits | None = None) -> LayerTree:
    tree = LayerTree(limits or Limits())
    for entry in TarReader(io.BytesIO(tar_of(entries)).read):
        tree.add(entry)
    tree.count_links()
    return tree


def paths(tree: LayerTree) -> dict[str, Node]:
    """Every node by its path."""
    found: dict[str, Node] = {}

    def collect(prefix: str, node: Node) -> None:
        for name, child in (node.children or {}).items():
            found[prefix + name.decode()] = child
            collect(f"{prefix}{name.decode()}/", child)

    collect("", tree.root)
    return found


@pytest.mark.parametrize(
    "name, place",
    [
        ("/etc/passwd", "etc/passwd"),
        ("../../etc/passwd", "etc/passwd"),
        ("a/../../b", "b"),
        ("./a/./b", "a/b"),
        ("//a//b", "a/b"),
    ],
)
def test_a_name_that_leads_outside_ends_at_the_root(name: str, place: str) -> None:
    """`..` and leading slashes go no further up, as in a chroot."""
    assert place in paths(tree_of(member(name)))


@pytest.mark.parametrize("name", ["..", "a/..", "/", ".", ""])
def test_a_file_that_names_a_directory_by_dots_is_left_out(name: str) -> None:
    """There is no file of such a name."""
    assert not any(stat.S_ISREG(node.mode) for node in paths(tree_of(member(name))).values())


@pytest.mark.parametrize("target", ["/outside", "../../outside", "../../../../outside"])
def test_a_symbolic_link_to_outside_is_followed_inside(target: str) -> None:
    """What is written through it lands where a container would see it."""
    found = paths(tree_of(member("d/link", SYM, linkname=target), (member("d/link/file"), b"x")))
    assert "outside/file" in found
    assert stat.S_ISLNK(found["d/link"].mode)


def test_symbolic_links_in_a_circle_are_refused() -> None:
    """As the kernel does: too many levels."""
    with pytest.raises(TarError, match="too many levels"):
        tree_of(member("a", SYM, linkname="b"), member("b", SYM, linkname="a"), member("a/file"))


def test_symbolic_links_that_grow_are_refused() -> None:
    """Each step of such a chain doubles the path; forty of them would not fit into memory."""
    links = [member(f"l{n}", SYM, linkname=f"l{n + 1}/l{n + 1}") for n in range(60)]
    with pytest.raises(TarError, match="too many levels"):
        tree_of(*links, member("l0/file"))


@pytest.mark.parametrize("target", ["../../etc/shadow", "/etc/shadow", "missing", "", "d", "gone"])
def test_a_hard_link_must_name_a_file_of_the_same_layer(target: str) -> None:
    """Not the host's, not a directory, not what a whiteout hides."""
    with pytest.raises(TarError, match="hard link"):
        tree_of(member("d", DIR), member(".wh.gone"), member("h", LNK, linkname=target))


def test_hard_links_share_one_file() -> None:
    """One node under several names; a link to itself changes nothing."""
    tree = tree_of(
        (member("a"), b"x"),
        member("d/b", LNK, linkname="a"),
        member("c", LNK, linkname="/d/b"),
        member("a", LNK, linkname="a"),
    )
    found = paths(tree)
    assert found["a"] is found["d/b"] is found["c"]
    assert found["a"].nlink == 3


def test_the_last_of_several_entries_of_one_name_stands() -> None:
    """A file for a directory, a directory for a link; a directory that comes again keeps its files."""
    found = paths(
        tree_of(
            member("a/inner"),
            (member("a"), b"now a file"),
            member("b", SYM, linkname="/etc"),
            member("b", DIR, mode=0o711),
            member("c/inner"),
            member("c", DIR, mode=0o700),
        )
    )
    assert "a/inner" not in found
    assert found["a"].size == 10
    assert found["b"].mode == stat.S_IFDIR | 0o711
    assert found["c"].mode == stat.S_IFDIR | 0o700
    assert "c/inner" in found


def test_a_file_is_no_directory() -> None:
    """A name under a file of the same layer is an archive gone wrong."""
    with pytest.raises(TarError, match="not a directory"):
        tree_of(member("a"), member("a/b"))


def test_whiteouts_become_devices_0_0() -> None:
    """As overlayfs marks what is gone (layer.md of the OCI image specification)."""
    found = paths(tree_of(member("etc/.wh.passwd"), member(".wh.opt")))
    assert {path for path, node in found.items() if node.is_whiteout} == {"etc/passwd", "opt"}
    assert not any(".wh." in path for path in found)


def test_an_opaque_directory_hides_what_is_below() -> None:
    """By overlayfs's attribute, wherever the marker stands, and whatever describes the directory later."""
    for entries in (
        [member("d", DIR), member("d/.wh..wh..opq"), member("d/new")],
        [member("d/new"), member("d/.wh..wh..opq"), member("d", DIR, mode=0o700)],
    ):
        found = paths(tree_of(*entries))
        assert found["d"].xattrs == {b"trusted.overlay.opaque": b"y"}
        assert set(found) == {"d", "d/new"}


@pytest.mark.parametrize("whiteout_first", [True, False])
def test_a_directory_in_the_place_of_one_that_is_gone_is_opaque(whiteout_first: bool) -> None:
    """Both are in one layer; nothing of the old one may show through, in either order."""
    marker, directory = member(".wh.d"), member("d", DIR)
    found = paths(tree_of(*([marker, directory] if whiteout_first else [directory, marker])))
    assert found["d"].xattrs == {b"trusted.overlay.opaque": b"y"}


def test_a_file_in_the_place_of_one_that_is_gone_stands() -> None:
    """In either order."""
    for entries in ([member(".wh.f"), (member("f"), b"x")], [(member("f"), b"x"), member(".wh.f")]):
        assert paths(tree_of(*entries))["f"].size == 1


@pytest.mark.parametrize("name", [".wh..", ".wh...", ".wh.", ".wh..wh.plnk", ".wh..wh.aufs"])
def test_a_whiteout_of_nothing_is_left_out(name: str) -> None:
    """Neither the directory itself nor its parent can go; aufs's own files are no files."""
    assert paths(tree_of(member("d", DIR), member(f"d/{name}"))).keys() == {"d"}


def test_attributes_that_steer_overlayfs_or_the_host_are_dropped() -> None:
    """An image can't redirect directories or set labels; capabilities and the user's own attributes stay."""
    names = [
        "trusted.overlay.redirect",
        "trusted.overlay.metacopy",
        "user.overlay.opaque",
        "security.selinux",
        "security.ima",
        "security.capability",
        "user.note",
    ]
    found = paths(tree_of(member("f", pax={f"SCHILY.xattr.{name}": "x" for name in names})))
    assert found["f"].xattrs.keys() == {b"security.capability", b"user.note"}


def test_the_root_takes_its_mode_and_owner_from_the_archive() -> None:
    """`./` is an entry like others; without it, root's with mode 0755."""
    assert (tree_of(member("./", DIR, mode=0o1777, uid=5)).root.mode, tree_of().root.mode) == (
        stat.S_IFDIR | 0o1777,
        stat.S_IFDIR | 0o755,
    )


@pytest.mark.parametrize(
    "entries, limits",
    [
        ([member(f"f{n}") for n in range(11)], Limits(entries=10)),
        ([member("a/b/c/d/e/f/g/h/i/j/k")], Limits(entries=10)),
        ([(member("f"), b"x" * 600), (member("g"), b"x" * 600)], Limits(bytes=1000)),
        ([member("/".join("d" * 300))], Limits()),
        ([member(f"{n}" * 60) for n in range(5)], Limits(metadata_bytes=200)),
        ([member("f", pax={"SCHILY.xattr.user.x": "x" * 70_000})], Limits()),
        ([member("x" * 256)], Limits()),
        ([member("x" * 256 + "/f")], Limits()),
        ([member("s", SYM, linkname="x" * 4096)], Limits()),
        ([member("f", uid=2**32 - 1)], Limits()),
        ([member("c", CHR, devmajor=1 << 13)], Limits()),
    ],
)
def test_what_costs_too_much_or_is_not_possible_is_refused(
    entries: Iterable[tarfile.TarInfo | tuple[tarfile.TarInfo, bytes]], limits: Limits
) -> None:
    """Files, bytes, depth, memory, names, owners and devices have limits."""
    with pytest.raises(TarError, match="cannot unpack"):
        tree_of(*entries, limits=limits)
