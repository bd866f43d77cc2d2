"""Clones of guests on another machine: `mortem clone ssh://…`, with an sshd of the test's own on loopback."""
import os
import signal
import subprocess
import unittest

from mortem_test import GUESTS, wait_until
from ssh_server import SshServer
from test_clone import CloneTest
from test_clone_foreign import ForeignTest
from test_network import free_port


class Remote(SshServer, CloneTest):
    def setUp(self):
        super().setUp()
        self.start_sshd()

    def connections(self):
        """Processes that sshd has started for us."""
        children = subprocess.run(["pgrep", "-P", str(self.sshd.pid)], capture_output=True, text=True).stdout.split()
        return [int(one) for one in children]

    def test_a_guest_over_there(self):
        self.start_guest(GUESTS / "sleeper", "dormouse", says="sleeping")
        disks = self.disk_of("dormouse")
        facts = self.facts("clone", f"{self.host}/dormouse", "-o", "over", *self.options())
        self.assertEqual(facts["method"], "pre-copy")
        self.assertGreater(facts["pause_ms"], 0)
        self.assertLess((self.files / "over" / "memory").stat().st_blocks * 512, 32 << 20, "zeros came over")
        self.assertIn("sleeper.c", self.mortem("bt", "over").stdout)
        self.assertEqual(self.disk_of("dormouse"), disks)
        self.facts("clone", f"{self.host}/dormouse", "--name", "here", *self.options())
        self.mortem("stop", "here")
        done = self.mortem("clone", f"{self.host}/nobody", "-o", "never", *self.options(), status=2)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
        self.assertIn("no guest named nobody", done.stderr)
        (instance,) = self.facts("ps")["instances"]
        self.facts("clone", f"{self.host}/qmp:{instance['instance']}/qmp", "-o", "by-socket", *self.options())
        self.assertIn("sleeper.c", self.mortem("bt", "by-socket").stdout)
        self.facts("resume", "by-socket", "--name", "by-socket")
        self.mortem("stop", "by-socket")
        self.mortem("stop", "dormouse")
        wait_until(lambda: list((self.place / "tmp").iterdir()) == [], "the other side's end")
        self.assert_nothing_left()

    def test_the_connection_breaks(self):
        """While the clone is taken there, and while it comes over; and the command here is killed."""
        self.start_guest(GUESTS / "dirties_memory", "writer", arguments=["64"], says="writing")
        disks = self.disk_of("writer")

        def taken():
            return list((self.place / "tmp").glob("mortem-clone.*/clone"))

        def begun():
            return list((self.place / "tmp").glob("mortem-clone.*/.clone.*/memory"))

        for moment, breaks in ((begun, True), (taken, True), (begun, False), (taken, False)):
            clone = self.start("clone", f"{self.host}/writer", "-o", "never", "--method", "stop-and-copy",
                               *self.options())
            wait_until(moment, "the clone over there")
            if breaks:
                for connection in self.connections():
                    os.kill(connection, signal.SIGKILL)
                _, errors = clone.communicate(timeout=60)
                self.assertEqual(clone.returncode, 2)
                self.assertIn(b"127.0.0.1: ", errors.splitlines()[-1])
            else:
                clone.kill()
                clone.communicate()
            wait_until(lambda: self.guards() == [] and not list((self.place / "tmp").glob("mortem-clone.*")), "both sides' ends", 60)
            self.assertEqual(list(self.files.iterdir()), [])
            self.assertEqual(self.disk_of("writer"), disks)
        self.facts("clone", f"{self.host}/writer", "-o", "last", "--method", "stop-and-copy", *self.options())
        self.mortem("bt", "last")
        self.mortem("stop", "writer")

    def test_refusals(self):
        for source, text in ((f"ssh://127.0.0.1:{free_port()}/web", "Connection refused"), ("ssh:///web", "HOST"),
                             ("ssh://host", "HOST"), ("ssh://-oProxyCommand=x/web", "HOST"),
                             ("ssh://host:x/web", "HOST"), (f"{self.host}/web", "no/such/mortem")):
            said = self.assert_refused("clone", source, "-o", "never", "--ssh", self.ssh, "--remote-mortem",
                                       "no/such/mortem", naming=[text])
            self.assertNotIn("\\x", said)  # ssh's lines end as on a terminal
        self.assert_refused("clone", f"{self.host}/web", "-o", "never", "--ssh", "no-such-ssh", naming=["no-such-ssh"])


class ForeignRemote(SshServer, ForeignTest):
    def test_a_qemu_over_there(self):
        """Which nobody told of mortem; its copy starts here."""
        port = self.port
        self.start_sshd()
        self.port = port
        self.start_qemu()
        self.socket = f"{self.host}/{self.socket}"
        facts, registers = self.clone(*self.options())
        self.assertEqual(facts["memory_bytes"], 256 << 20)
        self.check("c", registers)
        self.client.end()
        self.assertEqual(list((self.place / "tmp").glob("mortem-clone.*")), [])
        self.assertIsNone(self.qemu.poll())


if __name__ == "__main__":
    unittest.main()
