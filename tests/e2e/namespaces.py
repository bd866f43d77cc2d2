"""Network namespaces for tests, which need root: each exists as long as its object, without a name anywhere."""
import ctypes
import os
import pathlib
import subprocess

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        raise PermissionError(ctypes.get_errno(), f"{what}: a network namespace needs root")


class Namespace:
    """`with namespace:` the calling thread, and what it starts, are inside."""

    def __init__(self):
        self.outside = []
        before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        _check(_libc.unshare(CLONE_NEWNET), "unshare")
        self.descriptor = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        self.ip("link set lo up")
        _check(_libc.setns(before, CLONE_NEWNET), "setns")
        os.close(before)

    @property
    def path(self):
        """For `ip link set … netns`."""
        return f"/proc/{os.getpid()}/fd/{self.descriptor}"

    def close(self):
        os.close(self.descriptor)

    def __enter__(self):
        self.outside.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
        _check(_libc.setns(self.descriptor, CLONE_NEWNET), "setns")
        return self

    def __exit__(self, *_):
        before = self.outside.pop()
        _check(_libc.setns(before, CLONE_NEWNET), "setns")
        os.close(before)

    def ip(self, *commands):
        """In whatever namespace the caller is."""
        for command in commands:
            subprocess.run(["ip", *command.split()], check=True)

    @staticmethod
    def set(name, value):
        """A sysctl of the namespace that the caller is in."""
        pathlib.Path("/proc/sys", name.replace(".", "/")).write_text(str(value))

    @staticmethod
    def counter(file, line, name):
        """Of /proc/net/snmp and the like, in the namespace that the caller is in: two lines, names and values."""
        rows = [row.split() for row in pathlib.Path("/proc/thread-self/net", file).read_text().splitlines()]
        names, values = (row for row in rows if row[0] == line)
        return int(values[names.index(name)])
