"""The verbs that look into any target: threads and search on dumps, and every one of them on a running guest, which goes
on. What they must find is what the guests' sources say."""
import re
import subprocess
import unittest

from expectations import MASK, VECTOR_FACTOR
from mortem_test import GUESTS, MORTEM, MortemTest, marked_lines, wait_until


class Search(MortemTest):
    def found(self, *arguments, status=0):
        return self.facts("search", self.dump, *arguments, status=status)

    # memory_patterns writes address * VECTOR_FACTOR at each address: a word that stands nowhere else.
    def test_memory_of_every_kind(self):
        _, self.dump = self.crash(GUESTS / "memory_patterns", status=139)
        text = self.mortem("gdb", self.dump, "--", "-nx", "-batch", "-ex", "p/x (long)&pattern_data", "-ex",
                           "p/x (long)pattern_heap", "-ex", "p/x (long)pattern_mapped", "-ex",
                           "p/x (long)&pattern_heap").stdout
        data, heap, mapped, heap_pointer = (int(value, 16) for value in re.findall(r"= (0x[0-9a-f]+)", text))
        for begin in (data, heap, mapped):
            for index in (0, 511, 512, 64 * 1024 - 1):  # at the edges of pages, and of the whole
                address = begin + 8 * index
                word = (address * VECTOR_FACTOR & MASK).to_bytes(8, "little").hex()
                facts = self.found("--bytes", word)
                self.assertEqual([hit["address"] for hit in facts["hits"]], [hex(address)])
                self.assertFalse(facts["more"])
                self.assertEqual(facts["hits"][0]["bytes"][:16], word)
        # Any byte at its place: the word again, and others that agree in the rest of it.
        word = (data * VECTOR_FACTOR & MASK).to_bytes(8, "little").hex()
        facts = self.found("--bytes", f"{word[:2]} ?? {word[4:]}")
        self.assertIn(hex(data), [hit["address"] for hit in facts["hits"]])
        with self.subTest("pointers"):
            facts = self.found("--pointer", hex(heap))
            self.assertIn(hex(heap_pointer), [hit["address"] for hit in facts["hits"]])
            self.assertEqual({hit["value"] for hit in facts["hits"]}, {hex(heap)})
            inside = self.found("--pointer", hex(heap - 24), "--range", 64)
            self.assertIn(hex(heap_pointer), [hit["address"] for hit in inside["hits"]])
            self.assertTrue(all(heap - 24 <= int(hit["value"], 16) < heap + 40 for hit in inside["hits"]))
            self.assertGreaterEqual(len(inside["hits"]), len(facts["hits"]))
            module = next(hit for hit in facts["hits"] if hit["address"] == hex(heap_pointer))
            self.assertEqual(module["module"], "/bin/memory_patterns")
            self.found("--pointer", "die", status=None)
            self.assertEqual(self.mortem("search", self.dump, "--pointer", "no_such_symbol", status=1).stdout, "")
        with self.subTest("texts"):
            facts = self.found("--string", "memory_patterns")
            self.assertGreater(len(facts["hits"]), 1)
            self.assertEqual({hit["bytes"][:30] for hit in facts["hits"]}, {b"memory_patterns".hex()})
            self.assertEqual(len(self.found("--string", "memory_patterns", "--limit", 1)["hits"]), 1)
            self.assertTrue(self.found("--string", "memory_patterns", "--limit", 1)["more"])
            self.assertEqual(self.found("--string", "what stands " + "nowhere", status=1)["hits"], [])
        with self.subTest("bad input"):
            for pattern in ("", "d", "xx", "?? ??", "de a"):
                self.assertEqual(len(self.mortem("search", self.dump, "--bytes", pattern, status=2).stderr.splitlines()), 1)
            self.mortem("search", self.dump, "--string", "", status=2)
            self.mortem("search", self.dump, "--string", "a", "--range", "4", status=2)

    def test_threads(self):
        _, self.dump = self.crash(GUESTS / "threads_null_read", status=139)
        threads = {one["name"]: one for one in self.facts("threads", self.dump)["threads"]}
        self.assertEqual([name for name, one in threads.items() if one["crashed"]], ["crashes"])
        for name, call in (("in futex", "futex"), ("in read", "read"), ("in poll", "poll"), ("spins", None),
                           ("crashes", None)):
            self.assertEqual(threads[name]["system_call"], call, threads[name])
        self.assertIn(threads["in sleep"]["system_call"], ("nanosleep", "clock_nanosleep"))
        self.assertEqual(len({one["group"] for one in threads.values()}), len(threads))
        text = self.mortem("threads", self.dump, "--stacks").stdout
        self.assertRegex(text, r"in futex +in futex ")
        self.assertIn("1 thread: ", text)
        self.assertNotIn("\033", text)
        program = GUESTS / "threads_null_read"
        said = self.mortem("bt", self.dump, "--symbols", GUESTS / "hello", "--symbols", program).stderr
        self.assertEqual([line for line in said.splitlines() if "is of no module" in line],
                         [f"mortem: {GUESTS / 'hello'}: is of no module of {self.dump} and not used; mortem info {self.dump} "
                          "names them"])
        for verb in (["threads", self.dump, "--stacks"], ["bt", self.dump], ["bt", self.dump, "--lines", "2"],
                     ["report", self.dump], ["info", self.dump], ["print", self.dump], ["print", self.dump, "$rip"],
                     ["search", self.dump, "--string", "threads_null_read"],
                     ["symbolize", "--obj", program, threads["crashes"]["name"]]):
            with self.subTest("colours on a terminal only", verb=verb[0]):
                self.assert_colours_on_a_terminal_only(*verb)


class Live(MortemTest):
    MARKS = marked_lines("debuggee.c")

    def test_a_running_guest(self):
        self.mortem("run", GUESTS / "debuggee", "--name", "d", "--detach")
        self.addCleanup(self.mortem, "stop", "d", status=None)
        wait_until(lambda: "ready" in self.mortem("logs", "d").stdout, "the guest")
        names = ["debuggee", "reader", "worker 0", "worker 1", "worker 2"]
        facts = self.facts("bt", "d")
        self.assertEqual(sorted(thread["name"] for thread in facts["threads"]), names)
        self.assertFalse(any(thread["crashed"] for thread in facts["threads"]))
        places = {thread["name"]: [(frame["function"], frame["line"]) for frame in thread["frames"]]
                  for thread in facts["threads"]}
        self.assertIn(("main", self.MARKS["main_waits"]), places["debuggee"])
        self.assertIn(("wait_in_read", self.MARKS["reader_waits"]), places["reader"])
        for thread in facts["threads"]:
            self.assertEqual(thread["end"], "thread start")
        with self.subTest("the other verbs"):
            self.assertEqual(sorted(one["name"] for one in self.facts("threads", "d")["threads"]), names)
            report = self.facts("report", "d")
            self.assertIn("nothing crashed", report["reason"])
            self.assertEqual(report["standard_output"], ["ready"])
            self.assertEqual(report["standard_error"], [])
            self.assertTrue(any("/bin/debuggee starts at" in line for line in report["kernel_log"]), report["kernel_log"])
            facts = self.facts("info", "d")
            self.assertEqual(len(facts["threads"]), 5)
            self.assertEqual([one["kind"] for one in facts["modules"]], ["program", "vdso"])
            self.assertTrue(all(one["extended_state"] for one in facts["threads"]))
            self.assertGreater(len(self.facts("search", "d", "--string", "own words")["hits"]), 0)
        with self.subTest("it has gone on in between, and ends as it does by itself"):
            self.assertEqual([one["name"] for one in self.facts("ps")["instances"]], ["d"])
            self.mortem("gdb", "d", "--", "-nx", "-batch", "-ex", "set var keep_going = 0")
            wait_until(lambda: not self.qemu_processes(), "the end of the program", 60)

    def test_another_debugger_is_there(self):
        self.mortem("run", GUESTS / "debuggee", "--name", "d", "--detach", "--wait")
        self.addCleanup(self.mortem, "stop", "d", status=None)
        gdb = subprocess.Popen([str(MORTEM), "gdb", "d", "--", "-nx"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, env=self.environment)
        self.addCleanup(gdb.communicate)
        self.addCleanup(gdb.kill)
        said = b""
        while b"_start" not in said:
            part = gdb.stdout.read1()
            self.assertTrue(part, said)
            said += part
        done = self.mortem("bt", "d", status=2)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn("another debugger", done.stderr)


if __name__ == "__main__":
    unittest.main()
