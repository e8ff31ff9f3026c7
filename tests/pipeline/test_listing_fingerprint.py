"""A folder is known by its files' names, sizes and times, whatever their order."""

from __future__ import annotations

import os
from pathlib import Path

from threatray.core.manifest import MANIFEST_NAME
from threatray.pipeline.stage import listing_fingerprint


def tree(root: Path, names: list[str]) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text("x")
        os.utime(root / name, ns=(10**18, 10**18))
    return root


def test_the_order_in_which_files_were_made_does_not_matter_and_all_else_does(tmp_path: Path) -> None:
    names = ["a.png", "b/a.png", "b/c/칼.png"]
    first = listing_fingerprint(tree(tmp_path / "1", names))
    assert listing_fingerprint(tree(tmp_path / "2", names[::-1])) == first
    changed = tree(tmp_path / "3", names)
    os.utime(changed / "a.png", ns=(10**18, 10**18 + 1))
    moved = tree(tmp_path / "4", ["b/a.png", "b/b.png", "b/c/칼.png"])
    grown = tree(tmp_path / "5", names)
    (grown / "a.png").write_text("xx")
    os.utime(grown / "a.png", ns=(10**18, 10**18))
    more = tree(tmp_path / "6", [*names, "d.png"])
    assert len({first, *map(listing_fingerprint, (changed, moved, grown, more))}) == 5


def test_manifests_and_links_that_lead_nowhere_do_not_count(tmp_path: Path) -> None:
    first = listing_fingerprint(tree(tmp_path / "1", ["a.png"]))
    other = tree(tmp_path / "2", ["a.png", MANIFEST_NAME, f"b/{MANIFEST_NAME}"])
    (other / "loop").symlink_to("loop")
    (other / "gone").symlink_to("nowhere")
    (other / "up").symlink_to("..")
    assert listing_fingerprint(other) == first
