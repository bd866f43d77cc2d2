"""Real programs, unmodified from Debian or built by their own stock toolchain, each spoken to by its own real client.
The configurations they are packed by are in ../programs. Label `programs`: tests/run programs."""
import os
import pathlib
import shutil
import socket
import subprocess
import time
import unittest

from mortem_test import ROOT, MortemTest, wait_until
from root_files import RootFiles

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
    """Each runs from an image, whose root file system must be clean after its end."""
    image, root = None, None

    def pack(self, *source, options=()):
        self.image = self.files / "program.img"
        self.mortem("image", "create", source[0], "-o", self.image, *options,
                    *(["--", *source[1:]] if source[1:] else []))
        self.root = RootFiles(self.image)

    def serve(self, *source, guest_port=8000, options=(), name="server", machine=()):
        """Starts a server in the background; returns the port of this host that leads to it."""
        port = free_port()
        self.pack(*source, options=options)
        self.mortem("run", self.image, "-p", f"{port}:{guest_port}", "--detach", "--name", name, *machine)
        self.addCleanup(self.mortem, "stop", name, status=None)
        return port

    def stop(self, name="server"):
        """Asks the program to end; it must, without a crash, and leave nothing but clean files."""
        self.mortem("stop", name)
        self.assertEqual([path.name for path in self.files.iterdir() if path.suffix == ".zst"], [], "it left a dump")
        self.assert_nothing_left()
        self.root.check()

    def run_to_end(self, *source, options=(), **more):
        """Packs a program, runs it to its end, and checks its files; what it printed."""
        self.pack(*source, options=options)
        done = self.mortem("run", self.image, **more)
        self.root.check()
        return done.stdout

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
        printed = self.run_to_end("sqlite3", "/there.db", query, options=["--file", f"{database}:/there.db"])
        self.assertEqual(printed, client("sqlite3", database, query))
        script = ("create table w(n integer primary key, v text); begin; "
                  "with recursive c(x) as (select 1 union all select x+1 from c where x<2000) "
                  "insert into w select x, hex(x*x) from c; commit; create index i on w(v); "
                  "select count(*), min(v), max(v) from w; pragma integrity_check;")
        for mode in ("delete", "wal"):
            with self.subTest(journal_mode=mode):
                statements = f"pragma journal_mode={mode}; {script}"
                printed = self.run_to_end("sqlite3", "/var/lib/new.db", statements)
                self.assertEqual(printed, client("sqlite3", self.files / f"{mode}.db", statements))
                made = self.root.extract("/var/lib/new.db", self.files)
                self.assertEqual(client("sqlite3", made, "pragma integrity_check; select count(*), max(v) from w"),
                                 client("sqlite3", self.files / f"{mode}.db",
                                        "pragma integrity_check; select count(*), max(v) from w"))

    def test_sqlite3_conversation(self):
        """Its shell reads statements from standard input."""
        statements = "create table t(a);\ninsert into t values(1),(2);\nselect sum(a) from t;\n.quit\n"
        self.assertEqual(self.run_to_end("sqlite3", "/var/lib/t.db", given=statements.encode()), "3\n")
        self.assertEqual(client("sqlite3", self.root.extract("/var/lib/t.db", self.files), "select a from t"), "1\n2\n")

    def test_postgres(self):
        """Single-user mode: a cluster that the host made takes statements in two boots; the host goes on with it."""
        programs = pathlib.Path("/usr/lib/postgresql/15/bin")
        self.place.chmod(0o755)  # who owns the cluster is not root, which the program insists on
        home = self.place / "postgres"
        home.mkdir()
        shutil.chown(home, 65534, 65534)
        as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        client(*as_nobody, programs / "initdb", "-D", home / "data", "-U", "postgres", "--locale=C", "--no-sync",
               deadline=120, cwd=home)
        self.pack(programs / "postgres", "--single", "-D", "/data", "postgres", options=[
            "--user", "101:104", "--dir", f"{home / 'data'}:/data", "--dir", "/usr/share/postgresql/15",
            "--dir", programs.parent / "lib", "--dir", "/usr/share/zoneinfo"])
        first = self.mortem("run", self.image, deadline=READY, given=(
            b"create table t(a int primary key, b text);\n"
            b"insert into t select g, md5(g::text) from generate_series(1, 2000) g;\n"
            b"select count(*), min(b) from t;\nselect abs(extract(epoch from now()) - %d) < 3600 as clock;\n"
            % time.time())).stdout
        self.assertIn('count = "2000"', first)
        self.assertIn('min = "0004d0b59e19461ff126e3a08a814c33"', first)
        self.assertIn('clock = "t"', first)
        self.root.check()
        second = self.mortem("run", self.image, deadline=READY, given=(
            b"select sum(a) from t;\nupdate t set b = 'changed' where a % 3 = 0;\nselect 1/0;\nvacuum;\n")).stdout
        self.assertIn('sum = "2001000"', second)
        self.assertIn("division by zero", second)
        self.root.check()
        # The server forks for each of its parts: it says so, and so does the guest.
        server = self.mortem("run", self.image, "--", "-D", "/data", "-k", "/tmp", deadline=READY, status=1)
        self.assertRegex(server.stdout, "could not fork .*: Function not implemented")
        self.assertRegex(server.stdout, r"(?m)^mortem: security: clone refused \(ENOSYS: a VM runs one process")
        # The host's own program finds a cluster in order, and every row.
        copy = self.root.extract("/data", self.place)
        client("chown", "-R", "65534:65534", copy)
        (self.files / "question").write_text("select count(*), sum(a), count(distinct b) from t;\n")
        with open(self.files / "question") as question:
            answer = client(*as_nobody, programs / "postgres", "--single", "-D", copy, "postgres", stdin=question)
        for row in ('count = "2000"', 'sum = "2001000"', 'count = "1335"'):
            self.assertIn(row, answer)

    def test_perl(self):
        script = 'my %h = map { $_ => $_ ** 2 } 1..10; print join(",", map { "$_=$h{$_}" } sort { $a <=> $b } keys %h), "\\n"'
        self.assertEqual(self.run_to_end("perl", "-e", script), client("perl", "-e", script))

    def test_python(self):
        script = ("import ctypes, decimal, hashlib, json, os, re, ssl, sqlite3, struct, sys, threading, zlib\n"
                  "print(json.dumps({'a': [1, 2.5, None]}), hashlib.sha256(b'x').hexdigest())\n"
                  "print(decimal.Decimal(1) / 7, zlib.crc32(b'x'), struct.pack('<Q', 7), sys.version)\n"
                  "found = []\n"
                  "threads = [threading.Thread(target=lambda n=n: found.append(n)) for n in range(8)]\n"
                  "[t.start() for t in threads]; [t.join() for t in threads]; print(sorted(found))\n"
                  "print(sqlite3.connect(':memory:').execute('select 6*7').fetchone(), os.path.basename(sys.executable))\n")
        printed = self.run_to_end("/usr/bin/python3", "-c", script, options=["--dir", "/usr/lib/python3.11"])
        self.assertEqual(printed, client("/usr/bin/python3", "-c", script))

    def test_python_files(self):
        """shutil, tempfile, zipfile and dbm on the root; the host finds what they left."""
        script = ("import dbm.dumb, os, shutil, tempfile, zipfile\n"
                  "os.makedirs('/var/lib/deep/er'); os.chdir('/var/lib/deep')\n"
                  "with open('new', 'w') as file: file.write('x' * 100000); file.flush(); os.fsync(file.fileno())\n"
                  "os.rename('new', 'er/there'); os.symlink('er/there', 'link'); shutil.copy2('link', 'copy')\n"
                  "with zipfile.ZipFile('a.zip', 'w', zipfile.ZIP_DEFLATED) as packed: packed.write('copy')\n"
                  "with dbm.dumb.open('db', 'n') as store: store['key'] = 'value'\n"
                  "with tempfile.TemporaryDirectory(dir='.') as place: open(place + '/gone', 'w').close()\n"
                  "shutil.copytree('er', 'tree'); shutil.rmtree('er'); print(sorted(os.listdir('.')))\n")
        printed = self.run_to_end("/usr/bin/python3", "-c", script, options=["--dir", "/usr/lib/python3.11"])
        self.assertEqual(printed, "['a.zip', 'copy', 'db.bak', 'db.dat', 'db.dir', 'link', 'tree']\n")
        deep = self.root.extract("/var/lib/deep", self.files)
        self.assertEqual((deep / "tree" / "there").read_text(), "x" * 100000)
        self.assertEqual(os.readlink(deep / "link"), "er/there")
        self.assertIn("copy", client("/usr/bin/python3", "-m", "zipfile", "-t", deep / "a.zip") +
                      client("/usr/bin/python3", "-m", "zipfile", "-l", deep / "a.zip"))
        self.assertEqual(client("/usr/bin/python3", "-c", "import dbm.dumb, sys; "
                                "print(dbm.dumb.open(sys.argv[1])[b'key'])", deep / "db"), "b'value'\n")

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
                  "const f = require('fs'); f.writeFileSync(process.env.OUT, 'n'.repeat(70000));"
                  "f.promises.appendFile(process.env.OUT, 'end').then(() => console.log(f.statSync(process.env.OUT).size))"
                  ".then(() => setTimeout(() => console.log('later'), 5))")
        printed = self.run_to_end("node", "-e", script, options=["--env", "OUT=/var/lib/out"])
        first, rest = printed.split("\n", 1)
        # Its JIT is told of, once.
        self.assertRegex(first, r"^mortem: security: mprotect of .* writable and executable at once.*/node\)$")
        self.assertEqual(rest, client("node", "-e", script, env={**self.environment, "OUT": self.files / "out"}))
        self.assertEqual(self.root.read("/var/lib/out"), (self.files / "out").read_bytes())


class Servers(RealProgram):
    def test_redis(self):
        # Its I/O threads wait for each other by spinning: on one CPU they cost speed, and must not cost more.
        port = self.serve(PROGRAMS / "redis.json", "/redis.conf", "--io-threads", "3", "--io-threads-do-reads", "yes",
                          guest_port=6379)
        redis = ["redis-cli", "-p", port]
        self.assertEqual(self.until_answer(*redis, "ping"), "PONG\n")
        self.assertEqual(client(*redis, "set", "key", "value"), "OK\n")
        self.assertEqual(client(*redis, "get", "key"), "value\n")
        client(*redis, "eval", "for i = 1, 1000 do redis.call('rpush', 'list', i) end", "0")
        self.assertEqual(client(*redis, "llen", "list"), "1000\n")
        self.assertIn("redis_version:", client(*redis, "info", "server"))
        client("redis-benchmark", "-p", port, "-q", "-n", 400, "-c", 10, "-t", "set,get,lpush", deadline=120)
        # A background save is a fork: refused, and the server lives on. So is the shortening of its log.
        for background in ("bgsave", "bgrewriteaof"):
            self.assertIn("ERR", client(*redis, background, status=None))
            self.assertEqual(client(*redis, "get", "key"), "value\n")
        self.assertEqual(client(*redis, "save"), "OK\n")
        client(*redis, "set", "after", "the save")
        self.assertIn("io_threads_active:", client(*redis, "info", "server"))
        self.stop()
        # The host's Redis judges both files, and serves what is in the log.
        data = self.root.extract("/var/lib", self.files)
        self.assertIn("RDB looks OK", client("redis-check-rdb", data / "dump.rdb"))
        self.assertIn("All AOF files and manifest are valid",
                      client("redis-check-aof", data / "appendonlydir" / "appendonly.aof.manifest"))
        here = self.files / "socket"
        with subprocess.Popen(["redis-server", "--port", "0", "--unixsocket", here, "--dir", data, "--appendonly", "yes",
                               "--save", ""], stdout=subprocess.DEVNULL) as server:
            try:
                redis = ["redis-cli", "-s", here]
                wait_until(lambda: client(*redis, "ping", status=None) == "PONG\n", "the host's Redis", READY)
                for question, answer in (("get key", "value\n"), ("get after", "the save\n"), ("llen list", "1000\n")):
                    self.assertEqual(client(*redis, *question.split()), answer)
            finally:
                server.kill()

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
        log = self.root.read("/var/log/access.log").decode().splitlines()
        for line, status in (("GET / ", 200), ("GET /big ", 200), ("GET /no ", 404)):
            self.assertEqual(len([text for text in log if line in text and f'" {status} ' in text]), 1, line)
        self.assertGreater(len([text for text in log if "GET /status" in text]), 10)

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

    def dies_and_serves_again(self, crash, *question):
        """After `crash` the next boot answers, and the dump has every thread's stack."""
        (boot,) = self.facts("ps")["instances"]
        asking = subprocess.Popen([*map(str, crash)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: self.facts("ps")["instances"][0]["crashes"] == boot["crashes"] + 1, "the crash", READY)
        finally:  # nobody answers it
            asking.kill()
            asking.wait()
        self.until_answer(*question)
        (dump,) = self.files.glob("*.zst")
        report = self.facts("report", dump)
        self.assertGreater(min(len(thread["frames"]) for thread in self.facts("bt", dump)["threads"]), 1)
        dump.unlink()
        return report

    def test_go_in_16_mebibytes(self):
        self.compile("go", "build", "-o", self.files / "server", PROGRAMS / "go_server.go")
        port = self.serve(self.files / "server", machine=["--memory", "16M"])
        question = ["curl", "-sf", f"http://127.0.0.1:{port}/x"]
        self.assertEqual(self.until_answer(*question), "hello /x from Go\n")
        for _ in range(100):
            client(*question)
        self.dies_and_serves_again(["curl", f"http://127.0.0.1:{port}/crash"], *question)
        self.stop()

    def test_redis_in_18_mebibytes(self):
        # Its own test of all its memory after a crash writes into all of it: that is more than there is.
        port = self.serve("redis-server", "--protected-mode", "no", "--save", "", "--enable-debug-command", "yes",
                          "--crash-memcheck-enabled", "no", guest_port=6379, machine=["--memory", "18M"])
        redis = ["redis-cli", "-p", port]
        self.assertEqual(self.until_answer(*redis, "ping"), "PONG\n")
        client("redis-benchmark", "-p", port, "-q", "-n", 2000, "-c", 10, "-t", "set,get", deadline=120)
        self.dies_and_serves_again([*redis, "debug", "segfault"], *redis, "ping")
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
