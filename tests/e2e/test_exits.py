"""Ends that are not signals: an exit status other than 0 leaves a dump, and the report says what the program said."""
import re
import resource
import subprocess
import unittest

from mortem_test import GUESTS, MortemTest

GO_PANIC = """package main

import (
	"fmt"
	"os"
	"time"
)

func serve(values []int, index int) int {
	return values[index]
}

func main() {
	go func() { time.Sleep(time.Hour) }()
	fmt.Println("serving")
	fmt.Println(serve([]int{1, 2, 3}, len(os.Args)+4))
}
"""
RUST_PANIC = """fn main() {
    println!("serving");
    std::thread::spawn(|| std::thread::sleep(std::time::Duration::from_secs(3600)));
    let answer: Result<u32, String> = Err("no route to host".to_string());
    println!("{}", answer.unwrap());
}
"""


# Panics in the way that the first argument names. With a second one nothing is printed, and another panic came before.
RUST_PANICS = """use std::env;
fn serve(kind: &str, number: usize) -> usize {
    let values = [1usize, 2, 3];
    match kind {
        "text" => panic!("plain text"),
        "formatted" => panic!("cannot serve {} of {}", number, "seven"),
        "index" => values[number],
        "unwrap" => { let answer: Result<usize, String> = Err("no route to host".to_string()); answer.unwrap() }
        "any" => std::panic::panic_any("a text of any type"),
        "number" => std::panic::panic_any(17i32),
        _ => 0,
    }
}
fn main() {
    if env::args().count() > 2 {
        std::panic::set_hook(Box::new(|_| {}));
    }
    println!("{}", serve(&env::args().nth(1).unwrap(), 7));
}
"""


class Exits(MortemTest):
    def test_what_it_said_and_all_threads(self):
        done, dump = self.crash(GUESTS / "says_why", status=3)
        self.assertIn("crashed: exit status 3; dump in", done.stderr)
        report = self.facts("report", dump)
        self.assertEqual(report["reason"],
                         "exited with status 3; it said last: cannot bind to port 80: Permission denied")
        self.assertEqual(report["last_words"], "cannot bind to port 80: Permission denied")
        self.assertEqual(report["standard_error"][0], "warning: port 80 is low")
        self.assertEqual(report["standard_output"], ["configuration read"])
        self.assertEqual((report["reason_kind"], report["exit_status"], report["signal"]), ("exit", 3, None))
        threads = [[frame["function"] for frame in thread["frames"]] for thread in report["threads"]]
        self.assertEqual(len(threads), 2)
        self.assertIn("exit", threads[0])
        self.assertIn("wait_for_ever", threads[1])
        text = self.mortem("report", dump).stdout
        self.assertIn("Standard error, last 2 lines:\n  warning: port 80 is low\n", text)

    def test_it_said_nothing(self):
        _, dump = self.crash(GUESTS / "exit_status", status=3)
        self.assertRegex(self.facts("report", dump)["reason"], r"^exited with status 3, called from die \(")

    def test_no_dump_if_none_is_wanted(self):
        for place in ([], ["config"]):
            program, options = GUESTS / "says_why", ["--dump-on-exit", "never"]
            if place:
                program, options = self.files / "config.json", []
                program.write_text('{"Program": "%s", "DumpOnExit": "never"}' % (GUESTS / "says_why"))
            done = self.mortem("run", program, *options, "--dump", self.files / "dump.zst", status=3)
            self.assertNotIn("crashed", done.stderr)
            self.assertFalse((self.files / "dump.zst").exists())

    def test_another_process_is_refused_and_told(self):
        """Each a line on the console, the caller's stack in the kernel log; the program goes on."""
        done = self.mortem("run", GUESTS / "spawns", "--log-console")
        self.assertIn("fork: -1 errno 38\n", done.stdout.replace("\r", ""))
        self.assertIn("execve: errno 38\n", done.stdout.replace("\r", ""))
        events = [line for line in done.stdout.splitlines() if "security: " in line and " refused " in line]
        self.assertEqual(len(events), 2, done.stdout)
        self.assertRegex(events[0], r"clone refused \(ENOSYS: .*\) by thread 2 \"spawns\"")
        self.assertIn('execve of "/bin/sh" refused', events[1])
        self.assertRegex(done.stdout, r"security:   #0  0x[0-9a-f]+ /bin/spawns\+0x[0-9a-f]+")
        quiet = self.mortem("run", GUESTS / "spawns")
        self.assertEqual(quiet.stdout.count("security: "), 2, "one line for each without --log-console")

    def test_another_program_can_be_a_crash(self):
        config = self.files / "config.json"
        config.write_text('{"Program": "%s", "OnExec": "crash"}' % (GUESTS / "spawns"))
        for program, options in ((config, []), (GUESTS / "spawns", ["--on-exec", "crash"])):
            done, dump = self.crash(program, *options, status=128 + 31)
            self.assertNotIn("execve", done.stdout)
            report = self.facts("report", dump)
            self.assertRegex(report["reason"], r"^SIGSYS: clone refused .*on-exec=crash")
            self.assertIn("main", [frame["function"] for frame in report["threads"][0]["frames"]])
            dump.unlink()
        self.assert_refused("run", GUESTS / "spawns", "--on-exec", "allow", naming=["--on-exec allow", "refuse or crash"])


class Toolchains(MortemTest):
    """Programs of other languages; `tests/run programs` installs their compilers."""

    def build(self, source, *command):
        """A static program built by a language's stock compiler."""
        place = self.place / "build"
        place.mkdir(exist_ok=True)
        for name, text in source.items():
            (place / name).write_text(text)
        subprocess.run([*command, "-o", str(place / "program"), *source], cwd=place, check=True, timeout=280,
                       env={**self.environment, "GOCACHE": str(place / "cache"), "CGO_ENABLED": "0"},
                       capture_output=True)
        return place / "program"

    def test_go_panic(self):
        program = self.build({"main.go": GO_PANIC}, "go", "build")
        _, dump = self.crash(program, status=2)
        report = self.facts("report", dump, "--symbols", program)
        self.assertIn("exited with status 2", report["reason"])
        self.assertIn("panic: runtime error: index out of range [5] with length 3", report["reason"])
        said = "\n".join(report["standard_error"])
        self.assertIn("goroutine 1 [running]:", said)
        self.assertIn("main.serve(", said)
        self.assertEqual(report["standard_output"], ["serving"])
        self.assertGreater(len(report["threads"]), 1)

    def test_rust_panic(self):
        program = self.build({"main.rs": RUST_PANIC}, "rustc", "-g", "-C", "target-feature=+crt-static",
                             "-C", "relocation-model=static")
        _, dump = self.crash(program, status=101)
        report = self.facts("report", dump)
        self.assertIn("exited with status 101", report["reason"])
        self.assertIn("panicked at", report["reason"])
        self.assertIn("no route to host", report["reason"])
        self.assertEqual(len(report["threads"]), 2)

    def test_rust_panics_in_memory(self):
        """Of a program that aborts and says nothing: the message that Rust's own hook prints of the same panic."""
        for optimisation in ([], ["-O"]):
            program = self.build({"main.rs": RUST_PANICS}, "rustc", "-g", "-C", "panic=abort", *optimisation)
            for kind in ("text", "formatted", "index", "unwrap", "any", "number"):
                said = subprocess.run([program, kind], capture_output=True, text=True, timeout=60,
                                      env=self.environment).stderr
                # Before Rust 1.73 the message stood in quotes before the place.
                wanted = re.search(r" panicked at '(.*)', \S+:\d+:\d+\n| panicked at \S+:\n(.*)\n", said)
                with self.subTest(kind=kind, optimisation=optimisation):
                    report = self.facts("report", self.core_of(program, kind, "silent"))
                    if kind == "number":  # no text: nothing is made up
                        self.assertIsNone(report["panic"])
                        continue
                    self.assertEqual(report["panic"], "panicked: " + (wanted[1] or wanted[2]), said)
                    self.assertIn("main::serve (main.rs:", report["reason"])

    def core_of(self, *command):
        place = self.files / "core"
        place.mkdir(exist_ok=True)
        for old in place.iterdir():
            old.unlink()
        hard = resource.getrlimit(resource.RLIMIT_CORE)[1]
        subprocess.run(command, cwd=place, capture_output=True, timeout=60, env=self.environment,
                       preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CORE, (hard, hard)))
        (core,) = place.glob("core*")
        return core


if __name__ == "__main__":
    unittest.main()
