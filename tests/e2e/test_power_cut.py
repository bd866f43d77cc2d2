"""The power goes while a guest writes, or while it boots: QEMU is killed at random moments. Each time e2fsck -p is content
with the root, what the guest called synced is there, and the guest boots again from it.

MORTEM_POWER_CUTS: how often (100). What a killed QEMU had written stays in the host's cache: the order of flushes is the
unit test's (tests/unit/ext3_power_cut_test.cpp)."""
import os
import random
import re
import select
import shutil
import signal
import time
import unittest

from mortem_test import GUESTS, MortemTest, VM_DEADLINE, wait_until
from root_files import RootFiles, tool

CUTS = int(os.environ.get("MORTEM_POWER_CUTS", "100"))
CUTS_OF_AN_IMAGE = 25  # a quick guest fills its disk in the time of 90
RECORD = 64
SHAPE = bytes((at + at // 256) % 251 for at in range(60001))


class PowerCut(MortemTest):
    def check_root(self, image):
        """A copy of the root, as it is when its journal was replayed."""
        root = self.files / "root"
        RootFiles(image).copy_to(root)
        tool("e2fsck", "-f", "-p", root, most=1)
        tool("e2fsck", "-f", "-n", root)
        return root


class Records(PowerCut):
    def cut_once(self, image, after):
        """Boots, kills QEMU `after` seconds behind the guest's first line; what it had found and what it said."""
        process = self.start("run", image, "--no-dump")
        output, killed_at = b"", None
        end = time.monotonic() + VM_DEADLINE
        while True:
            self.assertLess(time.monotonic(), end, output)
            if killed_at is None and b"found " in output and b"\n" in output.split(b"found ")[1]:
                killed_at = time.monotonic() + after
            if killed_at is not None and time.monotonic() >= killed_at:
                for process_id in self.qemu_processes():
                    os.kill(process_id, signal.SIGKILL)
                break
            if select.select([process.stdout], [], [], 0.005)[0]:
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    self.fail(f"the guest ended by itself: {output[-300:]!r} {process.communicate()[1]!r}")
                output += part
        output += process.stdout.read()
        process.wait(timeout=30)
        wait_until(lambda: not self.qemu_processes(), "QEMU's end")
        found = int(re.search(rb"found (\d+)", output)[1])
        return found, max([found] + [int(number) for number in re.findall(rb"synced (\d+)\n", output)])

    def test_any_moment(self):
        random.seed(4)
        image = self.files / "writer.img"
        synced = most = 0
        for cut in range(CUTS):
            if cut % CUTS_OF_AN_IMAGE == 0:
                image.unlink(missing_ok=True)
                self.mortem("image", "create", GUESTS / "record_writer", "-o", image)
                synced = 0
            with self.subTest(cut=cut):
                found, said = self.cut_once(image, random.uniform(0, 1.5))
                self.assertGreaterEqual(found, synced, "the guest lost what it had synced before")
                synced = said
                most = max(most, synced)
                root = self.check_root(image)
                records = tool("debugfs", "-R", "cat /records", root)
                self.assertGreaterEqual(len(records), synced * RECORD)
                for number in range(synced):
                    expected = f"record {number}\0".encode().ljust(RECORD, b".")
                    self.assertEqual(records[number * RECORD:(number + 1) * RECORD], expected)
        self.assertGreater(most, 10 * CUTS)


class Changes(PowerCut):
    """Files that are replaced, cut, moved and removed; from the guest's first line on, or from the machine's start: then the
    root is mounted, and the journal that the last cut left replayed."""

    def run_and_cut(self, image, first, after, from_start):
        """The lines that came."""
        process = self.start("run", image, "--no-dump", "--", first, random.randrange(1 << 30))
        wait_until(self.qemu_processes, "QEMU's start")
        output, killed_at = b"", time.monotonic() + after if from_start else None
        end = time.monotonic() + VM_DEADLINE
        while killed_at is None or time.monotonic() < killed_at:
            self.assertLess(time.monotonic(), end, output)
            if killed_at is None and b"ready\n" in output:
                killed_at = time.monotonic() + after
            if select.select([process.stdout], [], [], 0.005)[0]:
                part = os.read(process.stdout.fileno(), 65536)
                if not part:
                    self.fail(f"the guest ended by itself: {output[-300:]!r} {process.communicate()[1]!r}")
                output += part
        for process_id in self.qemu_processes():
            os.kill(process_id, signal.SIGKILL)
        output += process.stdout.read()
        process.wait(timeout=30)
        wait_until(lambda: not self.qemu_processes(), "QEMU's end")
        text = output.decode(errors="replace")
        return text[:text.rfind("\n") + 1].splitlines()

    @staticmethod
    def content(number):
        """tests/guests/churns_files.c"""
        shift = bytes((value + number * 7) % 251 for value in range(251)) + bytes(5)
        return SHAPE[:number * 3701 % 60000 + 1].translate(shift)

    def changed(self, states, words):
        """What a change makes of {name: content}."""
        after = dict(states)
        kind, name, *more = words
        if kind == "replace":
            after[name] = self.content(int(more[0]))
        elif kind == "cut":
            after[name] = after[name][:int(more[0])]
        elif kind == "move":
            after[more[0]] = after.pop(name)
        else:
            del after[name]
        return after

    def found(self, root):
        """{name: content} below /churn."""
        folder = self.files / "found"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        tool("debugfs", "-R", f'rdump "/churn" "{folder}"', root)
        return {path.name: path.read_bytes() for path in folder.glob("churn/*") if path.name != "new"}

    @staticmethod
    def half_cut(states, words):
        """As in Linux's ordered mode: zeros stand behind the new end in its block before the file has its new length, for
        whoever makes it longer again."""
        content, end = states[words[1]], int(words[2])
        zeros = min(-end % 4096, len(content) - end)
        return {**states, words[1]: content[:end] + bytes(zeros) + content[end + zeros:]}

    def check_cuts(self, cuts, longest, from_start):
        image, states, number, changes = self.files / "churn.img", {}, 0, 0
        self.mortem("image", "create", GUESTS / "churns_files", "-o", image)
        for cut in range(cuts):
            with self.subTest(cut=cut):
                is_early = from_start and cut % 3 != 0  # each third makes something to be lost
                lines = self.run_and_cut(image, number, random.uniform(0, longest), is_early)
                begun = None
                for line in lines:
                    words = line.split()
                    if words[:1] == ["begin"]:
                        begun = words[1:]
                        number += 1
                    elif line == "done":
                        states, begun, changes = self.changed(states, begun), None, changes + 1
                found = self.found(self.check_root(image))
                expected = [states]
                if begun:
                    expected.append(self.changed(states, begun))
                if begun and begun[0] == "cut":
                    expected.append(self.half_cut(states, begun))
                wrong = {name for name in {*states, *found} if states.get(name) != found.get(name)}
                self.assertTrue(found in expected, f"begun: {begun}, other than before: {wrong}")
                states = found
        return changes

    def test_under_load(self):
        random.seed(5)
        self.assertGreater(self.check_cuts(CUTS // 2, 1.5, from_start=False), CUTS)

    def test_from_the_start_on(self):
        random.seed(6)
        self.assertGreater(self.check_cuts(CUTS // 2, 1.0, from_start=True), CUTS // 2)


if __name__ == "__main__":
    unittest.main()
