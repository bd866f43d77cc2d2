"""Real programs, unmodified from Debian or built by their own stock toolchain, each spoken to by its own real client.
The configurations they are packed by are in ../programs. Label `programs`: tests/run programs."""
import shutil
import socket
import subprocess
import unittest

from mortem_test import ROOT, MortemTest, wait_until

PROGRAMS = ROOT / "tests" / "programs"
READY = 150  # seconds until a server answers, on a busy machine


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def client(*words, deadline=60, status=0, **more):
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=deadline,
                          stdin=more.pop("stdin", subprocess.DEVNULL), **more)
    if status is not None and done.returncode != status:
        raise AssertionError(f"{words}: status {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class RealProgram(MortemTest):
    def serve(self, *source, guest_port=8000, options=(), name="server"):
        """Starts a server in the background; returns the port of this host that leads to it."""
        port = free_port()
        self.mortem("run", source[0], "-p", f"{port}:{guest_port}", "--detach", "--name", name, *options,
                    *(["--", *source[1:]] if source[1:] else []))
        self.addCleanup(self.mortem, "stop", name, status=None)
        return port

    def stop(self, name="server"):
        """Asks the program to end; it must, without a crash, and leave nothing."""
        self.mortem("stop", name)
        self.assertEqual([path.name for path in self.files.iterdir() if path.suffix == ".zst"], [], "it left a dump")
        self.assert_nothing_left()

    def until_answer(self, *words):
        def answers():
            done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=READY)
            return (done.stdout,) if done.returncode == 0 else None
        try:
            return wait_until(answers, f"an answer to {words}", READY)[0]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.mortem('logs', 'server', status=None).stdout}")

    def compile(self, *words):
        environment = {**self.environment, "GOCACHE": str(self.place / "gocache"),
                       "GO111MODULE": "off", "GOFLAGS": ""}
        client(*words, deadline=300, env=environment)
        shutil.rmtree(self.place / "tmp")
        (self.place / "tmp").mkdir()


class Alone(RealProgram):
    """Without network."""

    def test_sqlite3(self):
        """A database of the host is read, and one is made, by the same statements on both sides."""
        database = self.files / "there.db"
        client("sqlite3", database, "create table t(a integer, b text); insert into t values(1,'one'),(2,'two');")
        query = "select count(*), sum(a), group_concat(b) from t; pragma integrity_check;"
        done = self.mortem("run", "sqlite3", "--file", f"{database}:/there.db", "--", "/there.db", query)
        self.assertEqual(done.stdout, client("sqlite3", database, query))
        script = ("create table w(n integer primary key, v text); begin; "
                  "with recursive c(x) as (select 1 union all select x+1 from c where x<2000) "
                  "insert into w select x, hex(x*x) from c; commit; create index i on w(v); "
                  "select count(*), min(v), max(v) from w; pragma integrity_check;")
        done = self.mortem("run", "sqlite3", "--", "/tmp/new.db", script)
        self.assertEqual(done.stdout, client("sqlite3", ":memory:", script))

    def test_perl(self):
        script = 'my %h = map { $_ => $_ ** 2 } 1..10; print join(",", map { "$_=$h{$_}" } sort { $a <=> $b } keys %h), "\\n"'
        self.assertEqual(self.mortem("run", "perl", "--", "-e", script).stdout, client("perl", "-e", script))

    def test_python(self):
        script = ("import ctypes, decimal, hashlib, json, os, re, ssl, sqlite3, struct, sys, threading, zlib\n"
                  "print(json.dumps({'a': [1, 2.5, None]}), hashlib.sha256(b'x').hexdigest())\n"
                  "print(decimal.Decimal(1) / 7, zlib.crc32(b'x'), struct.pack('<Q', 7), sys.version)\n"
                  "found = []\n"
                  "threads = [threading.Thread(target=lambda n=n: found.append(n)) for n in range(8)]\n"
                  "[t.start() for t in threads]; [t.join() for t in threads]; print(sorted(found))\n"
                  "print(sqlite3.connect(':memory:').execute('select 6*7').fetchone(), os.path.basename(sys.executable))\n")
        done = self.mortem("run", "/usr/bin/python3", "--dir", "/usr/lib/python3.11", "--", "-c", script)
        self.assertEqual(done.stdout, client("/usr/bin/python3", "-c", script))

    def test_python_exception(self):
        """An exception ends in exit_group(1): a dump is there, with the interpreter's frames."""
        dump = self.files / "dump.zst"
        self.mortem("run", "/usr/bin/python3", "--dir", "/usr/lib/python3.11", "--dump", dump, "--", "-c", "1/0", status=1)
        self.assertIn("ZeroDivisionError", self.mortem("report", dump).stdout.splitlines()[0])
        modules = [module["path"] for module in self.facts("info", dump)["modules"]]
        self.assertIn("/usr/bin/python3", modules)

    def test_node(self):
        script = ("const c = require('crypto'); console.log(c.createHash('sha256').update('x').digest('hex'));"
                  "console.log([1,2,3].map(x => x ** 20), JSON.stringify({a: [1n].map(String)}), process.version);"
                  "let s = 0; for (let i = 0; i < 3e6; i++) s = (s * 31 + i) | 0; console.log(s);"
                  "setTimeout(() => console.log('later'), 5)")
        first, rest = self.mortem("run", "node", "--", "-e", script).stdout.split("\n", 1)
        # Its JIT is told of, once.
        self.assertRegex(first, r"^mortem: security: mprotect of .* writable and executable at once.*/node\)$")
        self.assertEqual(rest, client("node", "-e", script))


class Servers(RealProgram):
    def test_redis(self):
        port = self.serve(PROGRAMS / "redis.json", guest_port=6379)
        redis = ["redis-cli", "-p", port]
        self.assertEqual(self.until_answer(*redis, "ping"), "PONG\n")
        self.assertEqual(client(*redis, "set", "key", "value"), "OK\n")
        self.assertEqual(client(*redis, "get", "key"), "value\n")
        client(*redis, "eval", "for i = 1, 1000 do redis.call('rpush', 'list', i) end", "0")
        self.assertEqual(client(*redis, "llen", "list"), "1000\n")
        self.assertIn("redis_version:", client(*redis, "info", "server"))
        client("redis-benchmark", "-p", port, "-q", "-n", 2000, "-c", 20, "-t", "set,get,lpush", deadline=120)
        # A background save is a fork: refused, and the server lives on.
        self.assertIn("ERR", client(*redis, "bgsave", status=None))
        self.assertEqual(client(*redis, "get", "key"), "value\n")
        self.stop()

    def test_memcached(self):
        port = self.serve("memcached", "-u", "root", "-p", "11211", "-U", "0", "-t", "2", guest_port=11211)
        self.until_answer("memcping", f"--servers=127.0.0.1:{port}")
        (self.files / "key").write_text("a value of memcached")
        client("memccp", f"--servers=127.0.0.1:{port}", self.files / "key")
        self.assertEqual(client("memccat", f"--servers=127.0.0.1:{port}", "key").strip(), "a value of memcached")
        self.assertIn("curr_items", client("memcstat", f"--servers=127.0.0.1:{port}"))
        self.stop()

    def test_nginx(self):
        site = self.files / "www"
        site.mkdir()
        (site / "index.html").write_text("<p>a page</p>\n")
        (site / "big").write_bytes(bytes(range(256)) * 20000)
        port = self.serve(PROGRAMS / "nginx.json", options=["--dir", f"{site}:/www"])
        self.assertEqual(self.until_answer("curl", "-sf", f"http://127.0.0.1:{port}/"), "<p>a page</p>\n")
        client("curl", "-sf", "-o", self.files / "got", f"http://127.0.0.1:{port}/big")
        self.assertTrue((self.files / "got").read_bytes() == (site / "big").read_bytes(), "the big file differs")
        self.assertEqual(client("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/no"), "404")
        self.assertIn("requests in", client("wrk", "-c", 8, "-t", 1, "-d", 2, f"http://127.0.0.1:{port}/status"))
        self.stop()

    def test_python_http_server(self):
        page = self.files / "page.txt"
        page.write_text("served by python\n")
        port = self.serve(PROGRAMS / "python.json", options=["--file", f"{page}:/page.txt"])
        self.assertEqual(self.until_answer("curl", "-sf", f"http://127.0.0.1:{port}/page.txt"), "served by python\n")
        self.assertIn("page.txt", client("curl", "-sf", f"http://127.0.0.1:{port}/"))
        self.stop()

    def test_python_asyncio(self):
        port = self.serve("/usr/bin/python3", "/server.py", options=[
            "--dir", "/usr/lib/python3.11", "--file", f"{PROGRAMS / 'asyncio_server.py'}:/server.py"])

        def talk():
            try:
                with socket.create_connection(("127.0.0.1", port), 5) as connection:
                    connection.sendall(b"hello\nticks\n")
                    lines = connection.makefile("rb")
                    return lines.readline(), int(lines.readline())
            except (OSError, ValueError):
                return None
        self.assertEqual(wait_until(talk, "an echo", READY)[0], b"echo hello\n")
        wait_until(lambda: (talk() or (b"", 0))[1] > 10, "ticks of the timer")
        self.stop()

    def test_node_http(self):
        port = self.serve("node", "/server.js", options=["--file", f"{PROGRAMS / 'server.js'}:/server.js"])
        self.assertEqual(self.until_answer("curl", "-sf", f"http://127.0.0.1:{port}/x"), "hello /x from node on linux\n")
        self.assertEqual(client("curl", "-sf", f"http://127.0.0.1:{port}/self"), (PROGRAMS / "server.js").read_text())
        self.assertEqual(client("curl", "-sf", f"http://127.0.0.1:{port}/later"), "later\n")
        self.stop()

    def test_go_http(self):
        self.compile("go", "build", "-o", self.files / "server", PROGRAMS / "go_server.go")
        port = self.serve(self.files / "server")
        self.assertEqual(self.until_answer("curl", "-sf", f"http://127.0.0.1:{port}/x"), "hello /x from Go\n")
        self.assertEqual(client("curl", "-sf", f"http://127.0.0.1:{port}/goroutines"), "4950\n")
        self.assertIn("requests in", client("wrk", "-c", 32, "-t", 1, "-d", 2, f"http://127.0.0.1:{port}/"))
        self.stop()

    def test_rust_tcp(self):
        self.compile("rustc", "-O", "-o", self.files / "server", PROGRAMS / "rust_server.rs")
        port = self.serve(self.files / "server")
        self.assertIn("to GET /x HTTP", self.until_answer("curl", "-sf", f"http://127.0.0.1:{port}/x"))
        for _ in range(20):
            client("curl", "-sf", f"http://127.0.0.1:{port}/")
        self.stop()


if __name__ == "__main__":
    unittest.main()
