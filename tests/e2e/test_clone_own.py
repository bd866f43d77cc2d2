"""What a started clone has of its own, as its program tells it: hardware address, random bytes, wall clock, network."""
import json
import re
import socket
import subprocess
import threading
import time
import unittest

from mortem_test import GUESTS, KERNEL, MortemTest, wait_until

LINE = re.compile(r"^round (\d+) mac (\S+) random (\S+) clock (\d+\.\d+) reaches (\S+)$", re.M)


class Own(MortemTest):
    def setUp(self):
        super().setUp()
        # What the guests ask for: who is reached there is this machine.
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.addCleanup(self.listener.close)
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.take, daemon=True).start()
        self.mortem("run", GUESTS / "tells_itself", "--name", "teller", "--detach", "--", self.port)
        self.addCleanup(self.mortem, "stop", "teller", status=None)
        self.told("teller")
        facts = self.facts("clone", "teller", "-o", "moment")
        self.moment = facts["moment_us"] / 1e6

    def take(self):
        while True:
            try:
                self.listener.accept()[0].close()
            except OSError:  # closed
                return

    def told(self, name, after=0):
        """Its lines, at least two whole ones behind the first `after`."""
        def lines():
            found = LINE.findall(self.mortem("logs", name).stdout)[after:]
            return found if len(found) >= 2 else None
        return wait_until(lines, f"what {name} tells", 60)

    def start_clone(self, name, *options):
        self.addCleanup(self.mortem, "stop", name, status=None)
        self.facts("resume", "moment", "--name", name, "--run", *options)
        return self.told(name)

    def test_address_and_entropy(self):
        original = self.told("teller")
        copies = [self.start_clone(f"copy-{number}") for number in range(2)]
        # The first whole line may have been begun by the original: its end is the copy's. From the second on all is.
        addresses = {lines[1][1] for lines in copies}
        self.assertEqual(len(addresses), 2, copies)
        for address in addresses:
            self.assertRegex(address, r"^52:54:00:")
            self.assertNotEqual(address, "52:54:00:00:00:00")
        self.assertNotIn(original[0][1], addresses)
        self.assertEqual(len({line[1] for line in original}), 1)
        # The same rounds of both, from the same state of the generator. (What the copy is told and the processor's clock,
        # which the kernel mixes in with each request, both make them different; this cannot tell which of them did.)
        by_round = [{line[0]: line[2] for line in lines[1:]} for lines in copies]
        both = by_round[0].keys() & by_round[1].keys()
        self.assertTrue(both, by_round)
        for number in both:
            self.assertNotEqual(by_round[0][number], by_round[1][number])
        everything = [line[2] for lines in (original, *copies) for line in lines[1:]]
        self.assertEqual(len(set(everything)), len(everything))
        self.assertFalse({"0" * 32} & set(everything))

    def test_clock(self):
        wait_until(lambda: time.time() > self.moment + 5, "some seconds after the clone's moment")
        before = time.time()
        lines = self.start_clone("goes-on", "--clock", "goes-on")
        took = time.time() - before
        clocks = [float(line[3]) for line in lines[1:]]
        self.assertGreaterEqual(clocks[0], self.moment - 0.5)
        self.assertLessEqual(clocks[0], self.moment + took + 0.5)
        self.assertEqual(clocks, sorted(clocks))
        self.mortem("stop", "goes-on")
        lines = self.start_clone("by-default")
        self.assertLess(float(lines[1][3]), time.time() - 4)
        self.mortem("stop", "by-default")
        before = time.time()
        lines = self.start_clone("now", "--clock", "now")
        after = time.time()
        clock = float(lines[1][3])
        self.assertGreaterEqual(clock, before - 0.5)
        self.assertLessEqual(clock, after + 0.5)
        self.assertIn("--clock yesterday: goes-on or now",
                      self.mortem("resume", "moment", "--clock", "yesterday", status=2).stderr)

    def test_network(self):
        self.assertEqual(self.told("teller")[-1][4], "host")
        self.assertEqual({line[4] for line in self.start_clone("none")[1:]}, {"nobody"})
        self.assertEqual({line[4] for line in self.start_clone("isolated", "--net", "isolated")[1:]}, {"nobody"})
        self.assertIn("host", {line[4] for line in self.start_clone("user", "--net", "user")[1:]})
        self.assertEqual(self.told("teller")[-1][4], "host")
        for words, text in ((("--net", "tap=t0"), "--net tap=t0"), (("--net", "none", "-p", "8080:80"), "-p")):
            done = self.mortem("resume", "moment", *words, status=2)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
            self.assertIn(text, done.stderr)

    def test_options_that_would_have_no_effect(self):
        for words in (("--run",), ("--net", "none"), ("--net", "user"), ("--clock", "now"), ("--name", "other"),
                      ("-p", "8080:80")):
            done = self.mortem("clone", "teller", "-o", "another", *words, status=2)
            name = {"-p": "--port"}.get(words[0], words[0])
            self.assertRegex(done.stderr, rf"^mortem: {name} is for a copy that is started, .*mortem resume another .*\n$")
        for words in (("--ssh", "ssh"), ("--remote-mortem", "mortem")):
            done = self.mortem("clone", "teller", "-o", "another", *words, status=2)
            self.assertRegex(done.stderr, rf"^mortem: {words[0]} is for ssh://.*\n$")
        self.assertEqual([path.name for path in self.files.iterdir()], ["moment"])

    def test_both_stubs(self):
        """gdb on the guest's own stub and on QEMU's, which the verb names."""
        self.addCleanup(self.mortem, "stop", "held", status=None)
        facts = self.facts("resume", "moment", "--name", "held")
        said = self.mortem("gdb", "held", "--qemu", "--", "-nx", "-batch", "-ex", "print/x $cr3", "-ex", "bt", "-ex",
                           "info symbol $pc").stdout
        self.assertRegex(said, r"\$1 = (0x[0-9a-f]+|\[)")  # of the machine: no stub of a program has that
        self.assertRegex(said, r"#\d+ .* in (kernel::|\S+ \()|kernel::")
        self.assertEqual(self.mortem("gdb", "held", "--qemu", "--print").stdout, f"target remote {facts['qemu_gdb']}\n")
        plain = subprocess.run(["gdb", "-nx", "-batch", "-ex", "set architecture i386:x86-64", "-ex",
                                f"target remote {facts['qemu_gdb']}", "-ex", "info registers rip"],
                               capture_output=True, text=True, timeout=60, env=self.environment)
        self.assertRegex(plain.stdout, r"rip +0x[0-9a-f]+", plain.stderr)
        # Afterwards the guest's own works as before.
        self.assertRegex(self.mortem("gdb", "held", "--", "-nx", "-batch", "-ex", "bt").stdout, r"main .*tells_itself\.c")
        self.assertIn("--qemu is for running guests",
                      self.mortem("gdb", self.files / "moment", "--qemu", status=2).stderr)

    def test_a_machine_that_cannot(self):
        """One line, before QEMU is asked."""
        self.mortem("stop", "teller")
        self.wait_for_ends()
        description = self.files / "moment" / "clone.json"
        facts = json.loads(description.read_text())
        self.assertEqual((facts["processor"], facts["processor_flags"]), ("", ""))  # TCG's is the same everywhere

        def refused(naming, machine, **more):
            description.write_text(json.dumps({**facts, **more, "machine": {**facts["machine"], **machine}}))
            self.assert_refused("resume", "moment", naming=["moment", *naming])
        refused(["a machine that mortem does not know"], {"processor": "EPYC"})
        refused(["ran under KVM on Some Processor", "avx_of_tomorrow"], {"accelerator": "kvm"},
                processor="Some Processor", processor_flags="sse2 avx_of_tomorrow fpu")
        refused(["taken from QEMU 9.1.0"], {}, qemu_version="9.1.0")
        # Without KVM that works (as /dev/kvm says, or a probe of it): not a processor of ours, so nothing is missing.
        verdict = self.place / "cache" / "mortem" / "kvm-probe.json"
        if not verdict.exists() or json.loads(verdict.read_text())["why_not"]:
            refused(["ran under KVM", "KVM"], {"accelerator": "kvm"})
        else:
            print("KVM works here: what happens without is not tested")


if __name__ == "__main__":
    unittest.main()
