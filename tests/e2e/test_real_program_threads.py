"""zstd, unchanged, compresses with four threads: its output is the host's byte for byte, and when memory runs out in the
middle of it, the dump shows what every thread was at."""
import json
import random
import subprocess
import unittest

import debuggers
from json_frames import keys
from mortem_test import ZSTD, MortemTest

MIB = 1 << 20


def log_lines(size):
    """Text that compresses to a fourteenth: the console is slow, and zstd does its work all the same."""
    choose = random.Random(3).randrange
    lines = [f"worker {i % 16}: request /item/{i * 7919 % 1000} from 10.0.{i % 7}.{i % 251}: "
             f"status {200 if i % 9 else 404}, {i * 31 % 977} us\n".encode() for i in range(300)]
    text = b"".join(lines[choose(len(lines))] for _ in range(size // min(map(len, lines))))
    return text[:size]


class Zstd(MortemTest):
    def image(self, content, memory, *arguments):
        """An image that has `content` as /data/input."""
        tree = self.files / "tree"
        tree.mkdir()
        (tree / "input").write_bytes(content)
        config, image = self.files / "zstd.json", self.files / "zstd.raw"
        config.write_text(json.dumps({"Program": str(ZSTD), "Args": ["-T4", *arguments, "/data/input"],
                                      "MapDirs": {str(tree): "/data"}, "RunConfig": {"Memory": memory}}))
        self.mortem("image", "create", config, "-o", image)
        return image

    def test_same_output_as_on_the_host(self):
        image = self.image(log_lines(24 * MIB), "512M", "-c")
        wanted = subprocess.run([ZSTD, "-T4", "-c", self.files / "tree" / "input"], stdout=subprocess.PIPE, check=True,
                                stderr=subprocess.DEVNULL, timeout=120).stdout
        self.assertGreater(len(wanted), MIB // 2)
        done = self.mortem("run", image, text=False, deadline=300)
        self.assertEqual(len(done.stdout), len(wanted))
        self.assertTrue(done.stdout == wanted, "other bytes than on the host")
        self.assert_nothing_left()

    def test_out_of_memory_under_load(self):
        """Noise does not compress: its output in /tmp and the workers' tables take up the memory. At levels below 5 the
        workers can be done before what they have made is written."""
        image = self.image(random.Random(7).randbytes(64 * MIB), "96M", "-9", "-o", "/tmp/output")
        dump, core = self.files / "dump.zst", self.files / "core"
        done = self.mortem("run", image, "--on-crash", "stop", "--dump", dump, status=None, deadline=240)
        # Who asks for the page that is not there: the program's own access ends it (SIGKILL, as Linux does), a read or
        # write fails (zstd's errors 37 and 70), a table cannot be had (11).
        self.assertIn(done.returncode, (137, 37, 70, 11), done.stdout + done.stderr)
        self.assertTrue(dump.exists(), done.stdout + done.stderr)
        if done.returncode == 137:
            self.assertIn("out of memory", self.mortem("report", dump).stdout)
        self.mortem("core", dump, "-o", core)
        threads = self.facts("bt", dump)["threads"]
        self.assertEqual([thread["crashed"] for thread in threads].count(True), 1)
        functions = {thread["id"]: [frame["function"] for frame in thread["frames"]] for thread in threads}
        workers = [thread for thread, names in functions.items() if "POOL_thread" in names]
        self.assertGreaterEqual(len(workers), 4)
        self.assertGreater(len([thread for thread in workers if "ZSTDMT_compressionJob" in functions[thread]]), 0)
        self.assertEqual(len([names for names in functions.values() if "main" in names]), 1)
        # eu-stack shows what is on the stack; gdb, as we do, frames too that a tail call has taken away.
        by_eu_stack, by_gdb = debuggers.stacks_by_eu_stack(ZSTD, core), debuggers.stacks_by_gdb(ZSTD, core)
        self.assertEqual(sorted(by_eu_stack), sorted(functions))
        self.assertEqual(sorted(by_gdb), sorted(functions))
        for thread in threads:
            ours = keys(thread["frames"])
            inside = 1 + max(at for at, frame in enumerate(ours) if frame[0] in ("main", "POOL_thread"))
            on_stack = keys([frame for frame in thread["frames"][:inside] if frame["trust"] != "tail call"])
            if ours[0][0] == "pc":
                # In one of the linker's stubs for functions that are chosen at run time: no symbol, no call frame
                # information. eu-stack ends there.
                on_stack = on_stack[:1]
            self.assertEqual(by_eu_stack[thread["id"]][:len(on_stack)], on_stack, f"eu-stack, thread {thread['id']}")
            frames = iter([frame[0] for frame in by_gdb[thread["id"]]])
            for at, frame in enumerate(ours[:inside]):
                if frame[0] == "pc":  # gdb shows it as ??
                    continue
                self.assertIn(frame[0], frames, f"gdb has not frame {at} of thread {thread['id']}: {ours[:at + 1]}")
        self.assert_nothing_left()


if __name__ == "__main__":
    unittest.main()
