"""Detached guests, and what becomes of a VM when its parts are killed."""
import os
import signal
import unittest

from mortem_test import GUESTS, MortemTest, is_alive, wait_until
from slot_states import COMPLETE, SlotStates


class Instances(SlotStates, MortemTest):
    def start_sleeper(self, name):
        self.mortem("run", GUESTS / "sleeper", "--name", name, "--detach")
        self.addCleanup(self.mortem, "stop", name, status=None)
        wait_until(lambda: "sleeping" in self.mortem("logs", name).stdout, "the sleeper's first line in its log")

    def names(self):
        return [instance["name"] for instance in self.facts("ps")["instances"]]

    def test_life(self):
        self.start_sleeper("dormouse")
        self.assertEqual(self.names(), ["dormouse"])
        self.assertEqual(len(self.qemu_processes()), 1)
        again = self.mortem("run", GUESTS / "sleeper", "--name", "dormouse", "--detach", status=2)
        self.assertIn("dormouse", again.stderr)
        self.mortem("stop", "dormouse")
        self.assertEqual(self.names(), [])
        self.assert_nothing_left()

    def test_unknown_name(self):
        for verb in ("stop", "logs"):
            done = self.mortem(verb, "nobody", status=1)
            self.assertIn("nobody", done.stderr)

    def test_killed_qemu_disappears_from_ps(self):
        self.start_sleeper("dormouse")
        (process,) = self.qemu_processes()
        os.kill(process, signal.SIGKILL)
        wait_until(lambda: not is_alive(process), "QEMU's end")
        wait_until(lambda: self.names() == [], "ps without the dead guest")

    def test_killed_command_leaves_no_qemu(self):
        command = self.start("run", GUESTS / "sleeper")
        wait_until(self.qemu_processes, "a QEMU")
        self.assertEqual(command.stdout.read(8), b"sleeping")
        command.kill()
        wait_until(lambda: self.qemu_processes() == [], "QEMU's end after its mortem was killed")

    def test_killed_command_loses_no_dump(self):
        """The guest crashes while nobody looks after it, and its mortem is killed: all is in the temporary image."""
        command = self.start("run", GUESTS / "null_read", "--name", "victim")
        facts = self.place / "run" / "mortem" / "victim" / "instance.json"
        wait_until(facts.exists, "the guest's QEMU")  # not the one that probes the accelerator
        command.send_signal(signal.SIGSTOP)  # before the guest has booted
        (image,) = (self.place / "tmp").glob("*/disk.img")
        wait_until(lambda: self.slot_states(image)[0] == COMPLETE, "the dump in its slot", 60)
        command.kill()
        wait_until(lambda: self.qemu_processes() == [], "QEMU's end after its mortem was killed")
        told = "victim was killed and left a dump in its image: mortem pull victim --release"
        for verb in (["ps"], ["run", GUESTS / "hello"]):
            self.assertIn(told, self.mortem(*verb).stderr)
        refused = self.mortem("run", GUESTS / "hello", "--name", "victim", status=2)
        self.assertIn("mortem pull victim --release", refused.stderr)
        self.mortem("pull", "victim", "-o", "dump", "--release")
        functions = [frame["function"] for frame in self.facts("bt", self.files / "dump")["threads"][0]["frames"]]
        self.assertEqual(functions[:2], ["die", "step_inlined"])
        self.assertNotIn("victim", self.mortem("ps").stderr)
        self.assert_nothing_left()

    def test_interrupted_command_ends_its_guest(self):
        command = self.start("run", GUESTS / "sleeper")
        self.assertEqual(command.stdout.read(8), b"sleeping")
        command.send_signal(signal.SIGINT)
        command.wait(30)
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
