"""A full disk: the program hears of it, goes on, and nothing is damaged. `Programs`: label programs."""
import unittest

from mortem_test import GUESTS, wait_until
from test_real_programs import READY, RealProgram, PROGRAMS, client


def pieces(size):
    """What tests/guests/fills_disk.c writes."""
    number, content = 0, bytearray()
    while len(content) < size:
        content += bytes((number * 31 + index * 7 + index // 251) & 0xFF for index in range(65536))
        number += 1
    return bytes(content[:size])


class FullDisk(RealProgram):
    def test_program(self):
        printed = self.run_to_end(GUESTS / "fills_disk").splitlines()
        self.assertEqual(printed, [
            "full after more than 16 MiB: 1, error No space left on device, 0 blocks free",
            "fsync: 0", "big: as written, kept: as written",
            "full: file Success, folder No space left on device, write No space left on device",
            "over: 1", "behind: -1 No space left on device", "half: as written",
            "again at least a quarter: 1, error No space left on device", "more: as written",
            "with room: file Success, folder Success, write Success", "kept: as written, big: as written"])
        self.assertEqual(self.root.read("/var/lib/small"), b"small")
        self.assertEqual(self.root.read("/var/lib/kept"), pieces(65536))
        big = self.root.read("/var/lib/big")
        self.assertEqual(big[:1 << 20], pieces(1 << 20))
        self.assertNotIn(b"more", self.root.ask("ls /var/lib"))

    def test_many_files(self):
        self.assertEqual(self.run_to_end(GUESTS / "many_files"), "4000 files, 4000 as written\n")
        self.assertEqual(self.root.read("/many/3999"), b"number 3999")


class Programs(RealProgram):
    def test_full_sqlite3(self):
        """Statements fail, the shell goes on, and the database is whole; there is room again when something goes."""
        fill = "insert into t(b) values(randomblob(4000000));\n"
        statements = ("create table t(a integer primary key, b); insert into t(b) values('first');\n" + fill * 20 +
                      "select 'integrity', * from pragma_integrity_check;\nselect 'rows', count(*) > 4, min(b) from t;\n"
                      "pragma journal_mode=memory; delete from t where a > 2;\ninsert into t(b) values('last');\n"
                      "select 'integrity', * from pragma_integrity_check;\nselect 'rows', count(*) from t;\n")
        # Its status says that statements failed; with a dump the journal would be left to the next start.
        self.pack("sqlite3", "/var/lib/t.db", options=["--dump-on-exit", "never"])
        done = self.mortem("run", self.image, status=1, given=statements.encode())
        self.root.check()
        self.assertIn("database or disk is full", done.stdout + done.stderr)
        self.assertEqual([line for line in done.stdout.splitlines() if line.startswith(("integrity", "rows"))],
                         ["integrity|ok", "rows|1|first", "integrity|ok", "rows|3"])
        made = self.root.extract("/var/lib/t.db", self.files)
        self.assertEqual(client("sqlite3", made, "pragma integrity_check; select count(*), max(b) from t where a <> 2"),
                         "ok\n2|last\n")

    def test_full_redis(self):
        """Writes are refused with the reason, reads go on; its log on the disk ends with a whole command."""
        port = self.serve(PROGRAMS / "redis.json", guest_port=6379)
        redis = ["redis-cli", "-p", port]
        wait_until(lambda: client(*redis, "ping", status=None) == "PONG\n", "an answer", READY)
        client(*redis, "set", "first", "value")
        big = "return redis.pcall('set', KEYS[1], string.rep(KEYS[1], 500000))"
        answer, stored = "", 0
        for number in range(100):
            answer = client(*redis, "eval", big, "1", f"key-{number:06}")
            if "OK" not in answer:
                break
            stored += 1
        self.assertIn("No space left on device", answer)
        self.assertGreater(stored, 3)
        self.assertEqual(client(*redis, "get", "first"), "value\n")
        self.assertIn("MISCONF", client(*redis, "set", "first", "changed", status=None))
        self.assertEqual(client(*redis, "config", "set", "appendonly", "no"), "OK\n")
        self.assertEqual(client(*redis, "set", "first", "changed"), "OK\n")
        # Compressed it would fit into what the log's last command left, which was cut off again.
        self.assertEqual(client(*redis, "config", "set", "rdbcompression", "no"), "OK\n")
        self.assertIn("ERR", client(*redis, "save", status=None))
        self.assertEqual(client(*redis, "get", "first"), "changed\n")
        self.stop()
        data = self.root.extract("/var/lib", self.files)
        self.assertIn("All AOF files and manifest are valid",
                      client("redis-check-aof", data / "appendonlydir" / "appendonly.aof.manifest"))


if __name__ == "__main__":
    unittest.main()
