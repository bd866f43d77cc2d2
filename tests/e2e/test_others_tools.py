"""What others made for cores, on the plain cores that we hand out: delve on a Go program, drgn, gdb's helpers for
CPython. `tests/run programs` installs them."""
import re
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest

GO_PROGRAM = """package main

import (
	"fmt"
	"time"
)

type node struct {
	next *node
	name string
}

func waiter(c chan int, number int) {
	value := <-c
	fmt.Println(number, value)
}

func last(n *node, depth int) string {
	if depth == 0 {
		return n.next.name
	}
	return last(n, depth-1)
}

func main() {
	c := make(chan int)
	for i := 0; i < 3; i++ {
		go waiter(c, i)
	}
	time.Sleep(50 * time.Millisecond)
	fmt.Println(last(&node{name: "first"}, 3))
}
"""

PYTHON_PROGRAM = """import ctypes
def inner(depth):
    secret = "a value of the program"
    if depth == 0:
        ctypes.string_at(8)
    return inner(depth - 1)
def outer():
    return inner(2)
outer()
"""

DRGN = """import sys, drgn
program = drgn.Program()
program.set_core_dump(sys.argv[1])
program.load_debug_info([sys.argv[2]])
for thread in program.threads():
    print("thread", thread.tid)
    print(thread.stack_trace())
"""


class OthersTools(MortemTest):
    def core_of(self, dump):
        core = self.files / "core"
        self.mortem("core", dump, "-o", core)
        return core

    def said(self, *command, text=""):
        done = subprocess.run(list(map(str, command)), input=text, capture_output=True, text=True, timeout=200,
                              env={**self.environment, "HOME": str(self.place)}, cwd=self.files)
        return done.stdout + done.stderr

    def test_delve(self):
        (self.files / "main.go").write_text(GO_PROGRAM)
        subprocess.run(["go", "build", "-o", "program", "main.go"], cwd=self.files, check=True, timeout=280,
                       capture_output=True, env={**self.environment, "GOCACHE": str(self.place / "gocache"),
                                                 "GO111MODULE": "off", "CGO_ENABLED": "0", "HOME": str(self.place)})
        _, dump = self.crash(self.files / "program", status=2)
        core = self.core_of(dump)
        script = self.files / "script"
        script.write_text("goroutines\ngoroutine 1 bt\nthreads\nexit\n")
        text = self.said("dlv", "core", self.files / "program", core, "--init", script,
                         "--allow-non-terminal-interactive=true")
        self.assertRegex(text, r"\* Goroutine 1 - User: .*main\.go:\d+ main\.last")
        self.assertEqual(len(re.findall(r"Goroutine \d+ - User: .*main\.go:14 main\.waiter .*\[chan receive", text)), 3)
        self.assertEqual(len(re.findall(r"in main\.last\n", text)), 4)
        for function in ("runtime.sigpanic", "main.main", "runtime.goexit"):
            self.assertIn(f"in {function}\n", text)
        self.assertGreater(len(re.findall(r"^[* ] Thread \d+ at 0x", text, re.M)), 1)

    def test_drgn(self):
        script = self.files / "look.py"
        script.write_text(DRGN)
        _, dump = self.crash(GUESTS / "threads_null_read", status=139)
        text = self.said("/usr/bin/python3", script, self.core_of(dump), GUESTS / "threads_null_read")
        self.assertEqual(len(re.findall(r"^thread \d+$", text, re.M)), 9)
        self.assertEqual(len(re.findall(r"run_worker \(.*threads_null_read\.cpp:\d+:\d+\)", text)), 8)
        self.assertRegex(text, r"(?s)thread 2\n.*main \(.*threads_null_read\.cpp:\d+:\d+\)")

    def test_py_bt(self):
        script = self.files / "crash.py"
        script.write_text(PYTHON_PROGRAM)
        _, dump = self.crash("/usr/bin/python3.11", "--file", f"{script}:/app/crash.py", "--dir", "/usr/lib/python3.11",
                             "--memory", "512M", status=139, arguments=["/app/crash.py"], deadline=240)
        lines = ['File "/app/crash.py", line 5, in inner', 'File "/app/crash.py", line 6, in inner',
                 'File "/app/crash.py", line 8, in outer', 'File "/app/crash.py", line 9, in <module>']
        words = ["-nx", "-batch", "-iex", "set debuginfod enabled off", "-iex", "add-auto-load-safe-path /usr/share/gdb",
                 "-ex", "py-bt", "-ex", "py-up", "-ex", "py-up", "-ex", "py-locals"]
        for way, text in (("on the core", self.said("gdb", *words, "/usr/bin/python3.11", self.core_of(dump))),
                          ("on the dump", self.mortem("gdb", dump, "--", *words, deadline=240).stdout)):
            with self.subTest(way):
                places = [text.find(line) for line in lines]
                self.assertNotIn(-1, places, text)
                self.assertEqual(places, sorted(places))
                self.assertIn("secret = 'a value of the program'", text)


if __name__ == "__main__":
    unittest.main()
