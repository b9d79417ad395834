# SPDX-License-Identifier: GPL-2.0-or-later
"""The driver goes into a kernel tree, becomes patches, and has one version."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ehealab import sources
from ehealab.apt import require

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

# pylint: disable=wrong-import-position,import-error
import kerneltree                                       # noqa: E402

NEEDED = ("Makefile", *kerneltree.CHANGED)


@pytest.fixture(name="tree", params=["6.12", "7.2"])
def make_tree(request, tmp_path):
    """What of a kernel tree concerns the driver, and an old driver in it."""
    require("unifdef")
    origin, _ = sources.get(f"linux-{request.param}")
    for name in NEEDED:
        target = tmp_path / "linux" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / name, target)
    old = tmp_path / "linux" / kerneltree.DRIVER
    old.mkdir()
    (old / "old.c").write_text("int old;\n", encoding="utf-8")
    return tmp_path / "linux"


def _run(*args):
    done = subprocess.run([str(a) for a in args], check=False, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout


def _content(tree):
    return {p.relative_to(tree): p.read_bytes()
            for p in tree.rglob("*") if p.is_file()}


def test_intree_replaces_the_old_driver_and_is_repeatable(tree):
    _run(ROOT / "scripts" / "intree", tree)
    driver = tree / kerneltree.DRIVER
    assert not (driver / "old.c").exists()
    assert (driver / "ehea_main.c").exists()
    kconfig = (tree / kerneltree.KCONFIG).read_text()
    assert kerneltree.SOURCE_LINE in kconfig
    assert "config EHEA" not in kconfig
    entries = (tree / "MAINTAINERS").read_text().split("\n\n")
    assert len([e for e in entries if kerneltree.DRIVER in e]) == 1
    before = _content(tree)
    _run(ROOT / "scripts" / "intree", tree)
    assert _content(tree) == before


def test_driver_in_tree_knows_no_other_release(tree):
    _run(ROOT / "scripts" / "intree", tree)
    for path in (tree / kerneltree.DRIVER).rglob("*.[ch]"):
        text = path.read_text()
        assert "LINUX_VERSION_CODE" not in text, path
        assert "EHEA_HAVE_" not in text, path
    makefile = (tree / kerneltree.DRIVER / "Makefile").read_text()
    assert "KERNELRELEASE" not in makefile


def test_patches_add_up_to_what_intree_makes(tree, tmp_path):
    out = tmp_path / "patches"
    _run(ROOT / "scripts" / "patches", "-o", out, tree)
    series = sorted(out.glob("*.patch"))
    assert 2 <= len(series) <= 15
    for path in series:
        # As somebody does who got it by mail.
        _run("patch", "-s", "-p1", "-d", tree, "-i", path)
    other = tmp_path / "other"
    shutil.copytree(tree, other)
    _run(ROOT / "scripts" / "intree", other)
    assert _content(other) == _content(tree)


def test_package_and_dkms_have_one_version():
    dkms = (ROOT / "dkms.conf").read_text()
    changelog = (ROOT / "debian" / "changelog").read_text()
    version = re.search(r'^PACKAGE_VERSION="(.*)"$', dkms, re.M)[1]
    assert re.match(rf"ehea \({re.escape(version)}\) ", changelog)
