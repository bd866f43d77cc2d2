"""Checks any core of a guest against its expectations, also one that Linux or gdb wrote: so the expectations are known
to be true of the program and not only of our kernel.
usage: check_core.py GUEST CORE"""
import pathlib
import sys
import unittest

from core_checks import CoreChecks
from mortem_test import GUESTS


class CheckCore(CoreChecks, unittest.TestCase):
    def test_core(self):
        self.open_core(sys.argv[1], GUESTS / sys.argv[1], pathlib.Path(sys.argv[2]))
        self.check_core()
        self.check_debuggers()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
