"""The root file system inside an image, judged and read by the host's own tools, where it stands."""
import os
import struct
import subprocess

TOOLS = {**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin:/sbin", "LC_ALL": "C"}


def tool(*words, most=0):
    """Runs one of the host's tools; its standard output. An exit status above `most` is an error."""
    done = subprocess.run([str(word) for word in words], capture_output=True, timeout=120, stdin=subprocess.DEVNULL,
                          env=TOOLS)
    if done.returncode > most:
        raise AssertionError(f"{words}: status {done.returncode}\n{done.stdout!r}\n{done.stderr!r}")
    return done.stdout


class RootFiles:
    def __init__(self, image):
        with open(image, "rb") as file:
            file.seek(2 * 512)  # the first entry of the partition table is the root's
            first, last = struct.unpack("<QQ", file.read(48)[32:48])
        self.place = f"{image}?offset={first * 512}"  # as libext2fs names a part of a file
        self.image, self.offset, self.length = image, first * 512, (last + 1 - first) * 512

    def check(self):
        """A clean end leaves nothing to do: no journal to replay, nothing to mend."""
        text = tool("dumpe2fs", "-h", self.place).decode()
        if "needs_recovery" in text or "clean" not in text:
            raise AssertionError("not unmounted:\n" + text)
        tool("e2fsck", "-fn", self.place)

    def copy_to(self, path):
        with open(self.image, "rb") as file:
            file.seek(self.offset)
            path.write_bytes(file.read(self.length))

    def ask(self, command):
        return tool("debugfs", "-R", command, self.place)

    def read(self, path):
        return self.ask(f'cat "{path}"')

    def extract(self, path, to):
        """A file, or a folder with all below it, into the folder `to`; where it is then."""
        what = "rdump" if b"Type: directory" in self.ask(f'stat "{path}"') else "dump"
        copy = to / path.rsplit("/", 1)[1]
        self.ask(f'{what} "{path}" "{to if what == "rdump" else copy}"')
        if not copy.exists():
            raise AssertionError(f"{path} is not in {self.image}")
        return copy
