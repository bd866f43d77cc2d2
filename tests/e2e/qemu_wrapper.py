"""QEMU under other options than the command gives it: a program of its name that stands first in PATH."""
import os
import shutil


def wrap_qemu(test, change):
    """`change`: Python source that changes `line`, the list of QEMU's arguments."""
    name = "qemu-system-x86_64"
    folder = test.place / "qemu"
    folder.mkdir(exist_ok=True)
    real = shutil.which(name)
    (folder / name).write_text(f"#!/usr/bin/env python3\nimport os, sys\nline = sys.argv[1:]\n{change}\n"
                               f"os.execv({real!r}, [{real!r}, *line])\n")
    (folder / name).chmod(0o755)
    test.environment["PATH"] = f"{folder}:{os.environ['PATH']}"


def without_device(name):
    """For wrap_qemu: none of the -device options that begin so."""
    return (f"for at in reversed(range(len(line) - 1)):\n"
            f"    if line[at] == '-device' and line[at + 1].startswith({name!r}):\n"
            f"        del line[at:at + 2]")
