"""The Linux guest that Mortem is measured beside, and that it clones: Debian's cloud kernel, downloaded (not installed) into
build/tests/bench/linux, and an initial file system with one program in it."""
import os
import pathlib
import re
import stat
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("MORTEM_BUILD", ROOT / "build"))
BENCH = BUILD / "tests" / "bench"
KEPT = BENCH / "linux"
# Mitigations off and the time stamp counter as the clock is where Linux is fastest.
KERNEL_ARGUMENTS = "console=ttyS0 quiet panic=-1 mitigations=off tsc=reliable clocksource=tsc"
# In the order in which they need each other.
NETWORK_MODULES = ["virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "failover",
                   "net_failover", "virtio_net"]


def kernel():
    """The newest kernel for virtual machines of this Debian."""
    found = list(KEPT.glob("boot/vmlinuz-*"))
    if found:
        return found[0]
    KEPT.mkdir(parents=True, exist_ok=True)
    meta = subprocess.run(["apt-cache", "show", "linux-image-cloud-amd64"], capture_output=True, text=True, check=True)
    package = re.search(r"^Depends: (linux-image-\S+)", meta.stdout, re.M)[1]
    print(f"downloading {package}", file=sys.stderr)
    subprocess.run(["apt-get", "-qq", "-o", "APT::Sandbox::User=", "download", package], cwd=KEPT, check=True)
    (archive,) = KEPT.glob("*.deb")
    subprocess.run(["dpkg-deb", "--extract", archive, KEPT], check=True)
    archive.unlink()
    return next(KEPT.glob("boot/vmlinuz-*"))


def archive(files):
    """A cpio archive, "newc" (Linux: Documentation/driver-api/early-userspace/buffer-format.rst), of {path: (mode,
    content)}; folders are made as they are needed."""
    whole = {}
    for path, (mode, content) in files.items():
        parts = path.strip("/").split("/")
        for depth in range(1, len(parts)):
            whole.setdefault("/".join(parts[:depth]), (stat.S_IFDIR | 0o755, b""))
        whole["/".join(parts)] = (stat.S_IFREG | mode, content)
    text = b""
    for number, (name, (mode, content)) in enumerate([*whole.items(), ("TRAILER!!!", (0, b""))], 1):
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0]
        text += b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
        text += bytes(-len(text) % 4)
        text += content + bytes(-len(content) % 4)
    return text


def libraries(program):
    """The interpreter and shared libraries of a dynamic program; none of a static one."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True)
    return re.findall(r"(/\S+) \(0x", done.stdout) if done.returncode == 0 else []


def network_archive(command, address, more_modules=()):
    """One that brings up eth0 with `address` and runs `command` (linux_init.c)."""
    modules = []
    files = {}
    for name in [*NETWORK_MODULES, *more_modules]:
        for path in KEPT.glob(f"lib/modules/*/kernel/**/{name}.ko"):
            files[f"modules.d/{name}.ko"] = (0o644, path.read_bytes())
            modules.append(f"/modules.d/{name}.ko")
    program = pathlib.Path(command[0])
    for path in libraries(program):
        files[path] = (0o755, pathlib.Path(path).read_bytes())
    files |= {"init": (0o755, (BENCH / "bench_linux_init").read_bytes()),
              "program": (0o755, program.read_bytes()),
              "modules": (0o644, "".join(line + "\n" for line in modules).encode()),
              "address": (0o644, f"{address}\n".encode()),
              "command": (0o644, "".join(f"{word}\n" for word in ["/program", *command[1:]]).encode())}
    return archive(files)
