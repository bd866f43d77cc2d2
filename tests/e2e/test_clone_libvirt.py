"""Clones of libvirt's domains, through its monitor: a real libvirtd of the test's own, with domains under TCG."""
import ctypes
import json
import os
import pathlib
import shutil
import signal
import subprocess
import unittest

from mortem_test import GUESTS, KERNEL, is_alive, wait_until
from ssh_server import SshServer
from test_clone import CloneTest

LIBVIRTD = shutil.which("libvirtd", path=os.environ["PATH"] + ":/usr/sbin")
CLONE_NEWNS, MS_BIND, MS_REC, MS_PRIVATE = 0x20000, 0x1000, 0x4000, 0x40000

DOMAIN = """<domain type='qemu'>
  <name>{name}</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='{machine}'>hvm</type>
    <kernel>{kernel}</kernel><cmdline>on-crash=reboot</cmdline></os>
  <features><acpi/></features><cpu mode='maximum'/>
  <devices>
    <disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{image}'/>
      <target dev='vda' bus='virtio'/></disk>
    <interface type='user'><model type='virtio'/></interface>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <serial type='file'><source path='{place}/{name}.log'/></serial>
  </devices>
</domain>"""


def qemu_release():
    text = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True).stdout
    return int(text.split("version ")[1].split(".")[0])


class LibvirtTest(CloneTest):
    """Its daemon's files are all below the test's place."""
    connection = None

    def setUp(self):
        super().setUp()
        self.assertTrue(LIBVIRTD and shutil.which("virsh"), "there is no libvirt; run tools/setup programs")
        self.prepare()
        (self.place / "libvirtd.conf").write_text(
            'log_outputs = "3:stderr"\nauth_unix_rw = "none"\nauth_unix_ro = "none"\n')
        with (self.place / "libvirtd.log").open("w") as log:
            self.libvirtd = subprocess.Popen([LIBVIRTD, "--config", self.place / "libvirtd.conf"], stderr=log,
                                             env=self.environment, **self.user)
        self.addCleanup(self.libvirtd.wait)
        self.addCleanup(self.libvirtd.terminate)
        wait_until(self.socket.exists, "libvirtd's socket")

    def uri(self, name):
        return f"{self.connection}/{name}"

    def virsh(self, *words):
        done = subprocess.run(["virsh", "-q", "-c", self.connection, *words], capture_output=True, text=True,
                              timeout=120, env=self.environment, **self.user)
        self.assertEqual(done.returncode, 0, f"virsh {words}: {done.stderr}\n"
                                             f"{(self.place / 'libvirtd.log').read_text()[-2000:]}")
        return done.stdout.strip()

    def start_domain(self, name, program, *arguments, machine="q35", says):
        image, log = self.files / f"{name}.img", self.files / f"{name}.log"
        self.mortem("image", "create", program, "-o", image, *["--", *arguments] * bool(arguments))
        (self.place / "domain.xml").write_text(DOMAIN.format(name=name, machine=machine, kernel=KERNEL, image=image,
                                                             place=self.files))
        (self.place / "domain.xml").chmod(0o644)
        self.virsh("create", str(self.place / "domain.xml"))
        self.addCleanup(self.virsh, "destroy", name)
        wait_until(lambda: log.exists() and says in log.read_text(errors="replace"), f"{says!r} from the domain", 60)

    def state(self, name):
        """What must be the same after a clone: for libvirt, and of the disks for QEMU."""
        nodes = self.virsh("qemu-monitor-command", name, '{"execute":"query-named-block-nodes","arguments":{"flat":true}}')
        settings = self.virsh("qemu-monitor-command", name, '{"execute":"query-migrate-capabilities"}')
        return (self.virsh("domstate", name), self.virsh("dumpxml", name), sorted(nodes.split('"node-name": "')[1:]),
                settings.split('"id"')[0])

    def bridges(self):
        found = subprocess.run(["pgrep", "-x", "mortem-libvirt"], capture_output=True, text=True).stdout.split()
        return [one for one in found if is_alive(one)]

    def check_clones(self):
        self.start_domain("dormouse", GUESTS / "sleeper", says="sleeping")
        before = self.state("dormouse")
        self.assertEqual(before[0], "running")
        for number in range(2):
            done = self.mortem("clone", self.uri("dormouse"), "-o", f"clone-{number}", "--json")
            facts = json.loads(done.stdout)
            # Of this memory QEMU before 9.0 would miss what is written meanwhile.
            self.assertEqual(facts["method"] == "pre-copy", "pre-copy is not to be had" not in done.stderr, done.stderr)
            if qemu_release() < 9:
                self.assertIn(facts["method"], ("background-snapshot", "stop-and-copy"))
            self.assertGreater(facts["pause_ms"], 0)
            (thread,) = self.facts("bt", f"clone-{number}")["threads"]
            self.assertIn("sleeper.c", next(frame for frame in thread["frames"] if frame["function"] == "main")["file"])
            self.assertEqual(self.state("dormouse"), before)
        # The copy under the domain's own options, beside it.
        self.facts("resume", "clone-1", "--name", "copy")
        self.assertRegex(self.mortem("gdb", "copy", "--", "-batch", "-ex", "x/i $rip").stdout, r"=> 0x[0-9a-f]+:\t\w+")
        self.mortem("stop", "copy")
        self.assertEqual(self.state("dormouse"), before)
        # It is libvirt's as ever.
        self.virsh("suspend", "dormouse")
        self.assertEqual(self.virsh("domstate", "dormouse"), "paused")
        self.facts("clone", self.uri("dormouse"), "-o", "held")
        self.assertEqual(self.virsh("domstate", "dormouse"), "paused")
        self.virsh("resume", "dormouse")
        self.assertEqual(self.virsh("domstate", "dormouse"), "running")
        wait_until(lambda: self.bridges() == [], "the end of what spoke with libvirt")
        self.assertEqual(self.guards(), [])


class System(LibvirtTest):
    """qemu:///system, which is root's, in a mount namespace of this process's own: the machine's libvirt is left
    alone."""
    connection = "qemu:///system"
    user = {}
    socket = pathlib.Path("/run/libvirt/libvirt-sock")

    def prepare(self):
        if os.geteuid() != 0:
            self.skipTest("libvirt's system daemon needs root")
        libc = ctypes.CDLL(None, use_errno=True)

        def check(result):
            if result != 0:
                raise OSError(ctypes.get_errno(), "a mount namespace")
        check(libc.unshare(CLONE_NEWNS))
        check(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None))
        for folder in ("/run", "/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
            os.makedirs(folder, exist_ok=True)
            check(libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, None))
        if os.path.exists("/dev/kvm"):  # it may be one that only looks like KVM
            check(libc.mount(b"/dev/null", b"/dev/kvm", None, MS_BIND, None))
        for name in ("passwd", "group"):  # libvirtd looks for its user, whoever qemu.conf names
            lines, copy = pathlib.Path("/etc", name).read_text(), self.place / name
            if "\nlibvirt-qemu:" in lines:
                continue
            lines += "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin\n" if name == "passwd" else \
                "libvirt-qemu:x:64055:\n"
            copy.write_text(lines)
            check(libc.mount(str(copy).encode(), f"/etc/{name}".encode(), None, MS_BIND, None))
        pathlib.Path("/etc/libvirt/qemu.conf").write_text(
            'security_driver = "none"\nuser = "root"\ngroup = "root"\ndynamic_ownership = 0\nremember_owner = 0\n'
            'cgroup_controllers = []\nnamespaces = []\nstdio_handler = "file"\n')

    def test_clones(self):
        self.check_clones()

    def test_killed(self):
        self.start_domain("writer", GUESTS / "dirties_memory", "64", machine="pc", says="writing")
        before = self.state("writer")
        for method in ("stop-and-copy", "background-snapshot"):
            clone = self.start("clone", self.uri("writer"), "-o", "never", "--method", method)
            wait_until(lambda: list(self.files.glob(".never.*/memory")), "the clone's begin")
            clone.send_signal(signal.SIGKILL)
            clone.wait()
            wait_until(lambda: self.guards() == [] and self.bridges() == [], "the guard's end", 60)
            self.assertEqual(self.state("writer"), before)
            self.assertEqual(list(self.files.glob(".never*")), [])
        facts = self.facts("clone", self.uri("writer"), "-o", "last", "--patience", "0.5")
        self.assertNotEqual(facts["method"], "pre-copy")
        self.assertEqual(self.state("writer"), before)
        self.mortem("bt", "last")

    def test_refusals(self):
        done = self.mortem("clone", self.uri("nobody"), "-o", "never", status=1)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("no domain nobody runs at", done.stderr)
        for source, text in (("qemu:///system", "NAME"), ("qemu:///system/", "NAME"), ("qemu:///elsewhere/web", "NAME"),
                             ("qemu+ssh://host/system/web", "ssh://HOST/qemu:///system/NAME"),
                             ("qemu+unix:///system/web?socket=/nowhere/sock", "/nowhere/sock")):
            self.assert_refused("clone", source, "-o", "never", naming=[text])
        self.assertEqual(self.bridges(), [])


class Afar(SshServer, System):
    """ssh://host/qemu:///system: a domain of another machine's."""

    def test_clones(self):
        self.start_domain("dormouse", GUESTS / "sleeper", says="sleeping")
        self.start_sshd()  # in the mount namespace of the daemon
        before = self.state("dormouse")
        facts = self.facts("clone", f"{self.host}/{self.uri('dormouse')}", "-o", "over", *self.options())
        self.assertEqual(facts["name"], "dormouse")
        self.assertGreater(facts["pause_ms"], 0)
        self.assertIn("sleeper.c", self.mortem("bt", "over").stdout)
        self.assertEqual(self.state("dormouse"), before)
        # Without a folder it is started here, under the options of the domain there.
        self.facts("clone", f"{self.host}/{self.uri('dormouse')}", "--name", "copy", *self.options())
        self.assertRegex(self.mortem("gdb", "copy", "--", "-batch", "-ex", "x/i $rip").stdout, r"=> 0x[0-9a-f]+:\t\w+")
        self.mortem("stop", "copy")
        self.facts("resume", "over", "--name", "later")
        self.mortem("stop", "later")
        done = self.mortem("clone", f"{self.host}/{self.uri('nobody')}", "-o", "never", *self.options(), status=2)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("no domain nobody runs at", done.stderr)
        self.assertEqual(self.state("dormouse"), before)
        wait_until(lambda: self.guards() == [] and self.bridges() == [], "the guards' ends")
        self.assertEqual(self.facts("ps")["instances"], [])
        self.assertEqual(list((self.place / "tmp").iterdir()), [])

    def test_killed(self):
        """The command here: the domain goes on, and nothing is left on either side."""
        self.start_domain("writer", GUESTS / "dirties_memory", "64", machine="pc", says="writing")
        self.start_sshd()
        before = self.state("writer")
        clone = self.start("clone", f"{self.host}/{self.uri('writer')}", "-o", "never", "--method", "stop-and-copy",
                           *self.options())
        wait_until(lambda: list((self.place / "tmp").glob("mortem-clone.*/.clone.*/memory")), "the clone's begin")
        clone.kill()
        clone.communicate()
        wait_until(lambda: self.guards() == [] and self.bridges() == [] and
                   not list((self.place / "tmp").glob("mortem-clone.*")), "both sides' ends", 60)
        self.assertEqual(self.state("writer"), before)
        self.assertEqual(list(self.files.glob("*never*")), [])

    test_refusals = None  # System's


class Session(LibvirtTest):
    """qemu:///session, of an ordinary user."""
    connection = "qemu:///session"

    def prepare(self):
        self.environment["HOME"] = str(self.place)
        self.environment["XDG_CONFIG_HOME"] = str(self.place / "config")
        self.socket = self.place / "run" / "libvirt" / "libvirt-sock"
        if os.geteuid() != 0:
            return
        self.become_ordinary()

    def test_clones(self):
        self.check_clones()


if __name__ == "__main__":
    unittest.main()
