"""Where randomness comes from on machines that lack one source or all: the processor's RDRAND, virtio's entropy device."""
import fcntl
import os
import struct
import termios
import unittest

from mortem_test import GUESTS, MortemTest
from qemu_wrapper import without_device, wrap_qemu


class Entropy(MortemTest):
    def boot(self, image, *options):
        """What the program saw, by the name of the line."""
        done = self.mortem("run", image, *options)
        return dict(line.split(" ", 1) for line in done.stdout.splitlines())

    def check_two_boots(self, *options, rdrand):
        self.mortem("image", "create", GUESTS / "entropy", "-o", "entropy.img")
        one, two = (self.boot("entropy.img", *options) for _ in range(2))
        for facts in (one, two):
            self.assertEqual(facts["rdrand"], rdrand)
        values = [facts[name] for facts in (one, two) for name in ("getrandom", "auxv", "urandom")]
        self.assertEqual(len({value[:32] for value in values}), 6, values)
        # No byte stands at one place in both boots more often than chance has it (1 in 256; 8 of 80 is 1 in 10^9).
        same = sum(a == b for name in ("getrandom", "auxv", "urandom")
                   for a, b in zip(bytes.fromhex(one[name]), bytes.fromhex(two[name])))
        self.assertLess(same, 8)

    def test_without_rdrand(self):
        self.check_two_boots("--cpu", "qemu64", rdrand="0")

    def test_without_any_device_for_it(self):
        """The time alone: what the time stamp counter says while the machine comes up."""
        wrap_qemu(self, without_device("virtio-rng"))
        self.check_two_boots("--cpu", "qemu64", rdrand="0")

    def test_the_device_is_asked(self):
        """QEMU's side of it reads from a pipe of ours."""
        pipe = self.files / "pipe"
        os.mkfifo(pipe)
        ours = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
        self.addCleanup(os.close, ours)
        given = os.write(ours, os.urandom(4096))
        wrap_qemu(self, without_device("virtio-rng") +
                  f"\nline += ['-object', 'rng-random,id=ours,filename={pipe}', '-device',"
                  " 'virtio-rng-pci,rng=ours,disable-legacy=on']")
        self.boot(GUESTS / "entropy", "--cpu", "qemu64")
        left, = struct.unpack("i", fcntl.ioctl(ours, termios.FIONREAD, bytes(4)))
        self.assertGreaterEqual(given - left, 32)


if __name__ == "__main__":
    unittest.main()
