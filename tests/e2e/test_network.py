"""The guest on the network: behind QEMU's own (--net user) with ports of the host, and on a tap device in a network
namespace of this test's own, which needs root."""
import ctypes
import fcntl
import json
import os
import pathlib
import socket
import struct
import subprocess
import termios
import threading
import unittest

from mortem_test import GUESTS, MortemTest, wait_until

SERVER = GUESTS / "network_server"
TAP, HOST, GUEST, PORT = "mortemtest0", "10.78.0.1", "10.78.0.2", 7000
HOST6, GUEST6 = "fd78::1", "fd78::2"
ANSWER = 30.0


def free_port(kind=socket.SOCK_STREAM):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def receive(connection, size):
    parts = []
    while size > 0:
        part = connection.recv(min(size, 1 << 20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class NetworkTest(MortemTest):
    def serve(self, *options):
        """Starts the server and waits until it says that it serves; its line."""
        self.process = self.start("run", SERVER, *options, "--", PORT)
        line = self.process.stdout.readline().decode()
        if not line.startswith("serving"):
            self.process.kill()
            self.fail(f"no server: {line!r} {self.process.stderr.read().decode()}")
        return line

    def connect(self, address=GUEST, port=PORT):
        return socket.create_connection((address, port), timeout=ANSWER)

    def echo(self, bytes_sent, **where):
        with self.connect(**where) as connection:
            connection.sendall(bytes_sent)
            return receive(connection, len(bytes_sent))

    def datagram(self, text, address=GUEST, port=PORT):
        """Its answer; UDP loses what it likes, so it is asked again."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as asking:
            asking.settimeout(1.0)
            for _ in range(int(ANSWER)):
                asking.sendto(text, (address, port))
                try:
                    return asking.recv(65536)
                except (TimeoutError, ConnectionRefusedError):
                    continue
        self.fail(f"no answer to {text!r}")

    def open_connections(self):
        return tuple(map(int, self.datagram(b"status").split()))


class UserNetwork(NetworkTest):
    def test_ports(self):
        tcp, udp = free_port(), free_port(socket.SOCK_DGRAM)
        line = self.serve("--name", "echo", "-p", f"{tcp}:{PORT}", "-p", f"{udp}:{PORT}/udp")
        self.assertEqual(line, "serving, nameserver 10.0.2.3\n")  # from DHCP, by /etc/resolv.conf's target
        self.assertEqual(self.echo(b"hello", address="127.0.0.1", port=tcp), b"hello")
        self.assertEqual(self.datagram(b"hello", address="127.0.0.1", port=udp), b"hello")
        (instance,) = self.facts("ps")["instances"]
        self.assertEqual(instance["ports"], [f"{tcp}:{PORT}", f"{udp}:{PORT}/udp"])
        self.assertIn(f"{tcp}:{PORT},{udp}:{PORT}/udp", self.mortem("ps").stdout)
        taken = self.mortem("run", SERVER, "-p", f"{tcp}:{PORT}", status=2)
        self.assertRegex(taken.stderr, rf"^mortem: -p {tcp}:{PORT}: TCP port {tcp} of 127.0.0.1: Address already in use\n$")

    def test_12_mebibytes(self):
        """The smallest machine serves, and has room left to dump."""
        port, dump = free_port(), self.files / "small.core.zst"
        self.serve("--memory", "12M", "-p", f"{port}:{PORT}", "--on-crash", "stop", "--dump", dump)
        where = {"address": "127.0.0.1", "port": port}
        many = os.urandom(300_000).replace(b"!", b"?")  # as above
        self.assertEqual(self.echo(many, **where), many)
        with self.connect(**where) as connection:
            connection.sendall(b"!crash")
            self.assertEqual(self.process.wait(ANSWER * 2), 128 + 11)
        self.assertIn("network_server.c", self.mortem("bt", dump).stdout)

    def test_bad_options(self):
        for options, words in ((("-p", "0:80"), "ports from 1 to 65535"),
                               (("-p", "80:80:80:80"), "HOST:GUEST"), (("-p", "8080:80/sctp"), "HOST:GUEST"),
                               (("-p", "host:8080:80"), "HOST:GUEST"), (("-p", "8080:x"), "HOST:GUEST"),
                               (("--net", "bridge"), "user, none, or tap"), (("--net", "tap="), "user, none, or tap"),
                               (("--net", "tap=t0,address=1.2.3.4"), "address=ADDRESS/PREFIX"),
                               (("--net", "none", "-p", "8080:80"), "there is no network")):
            done = self.mortem("run", SERVER, *options, status=2)
            self.assertIn(words, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)

    def test_no_network(self):
        self.assertEqual(self.serve("--net", "none"), "serving, none\n")

    def test_ports_of_config(self):
        port = free_port()
        config = self.files / "config.json"
        config.write_text('{"Program": "%s", "Args": ["%d"], "RunConfig": {"Ports": ["%d:%d"]}}' %
                          (SERVER, PORT, port, PORT))
        process = self.start("run", config)
        self.assertTrue(process.stdout.readline().startswith(b"serving"))
        self.assertEqual(self.echo(b"by config", address="127.0.0.1", port=port), b"by config")


    def static_config(self, name, **run_config):
        config = self.files / name
        config.write_text(json.dumps({"Program": str(SERVER), "Args": [str(PORT)], "NameServers": ["10.99.0.53"],
                                      "RunConfig": run_config}))
        return config

    def test_address_of_config(self):
        """QEMU's own network is the one that the configuration speaks of."""
        port = free_port()
        config = self.static_config("static.json", IPAddress="10.99.0.7", NetMask="255.255.0.0", Gateway="10.99.1.1",
                                    Ports=[f"{port}:{PORT}"])
        process = self.start("run", config, "--name", "static")
        self.assertEqual(process.stdout.readline(), b"serving, nameserver 10.99.0.53\n")
        with self.connect(address="127.0.0.1", port=port) as connection:
            connection.sendall(b"where it is")
            self.assertEqual(receive(connection, 11), b"where it is")
            self.assertIn(f"10.99.0.7:{PORT} 10.99.1.1:", " ".join(self.mortem("net", "static").stdout.split()))

    def test_bad_networks_of_config(self):
        for run_config, words in (({"IPAddress": "10.99.0.300"}, ("RunConfig.IPAddress", "10.99.0.300")),
                                  ({"IPAddress": "10.99.0.7", "NetMask": "24"}, ("RunConfig.NetMask", "255.255.255.0")),
                                  ({"IPAddress": "10.99.0.7", "Gateway": "10.98.0.1"}, ("RunConfig.Gateway", "10.99.0.0/24")),
                                  ({"Gateway": "10.98.0.1"}, ("RunConfig.IPAddress",))):
            config = self.static_config("bad.json", **run_config)
            self.assert_refused("run", config, naming=("bad.json", *words))
            self.assert_refused("image", "create", config, "-o", "bad.img", naming=("bad.json", *words))
        config = self.static_config("small.json", IPAddress="10.99.0.7", NetMask="255.255.255.254")
        self.assert_refused("run", config, naming=("small.json", "--net tap="))


class TapTest(NetworkTest):
    @classmethod
    def setUpClass(cls):
        # This process, alone, moves into a network of its own; it does not come back.
        if ctypes.CDLL(None, use_errno=True).unshare(0x40000000) != 0:  # CLONE_NEWNET
            raise PermissionError("a network namespace of its own needs root")
        for command in ("link set lo up", f"tuntap add dev {TAP} mode tap", f"addr add {HOST}/24 dev {TAP}",
                        f"addr add {HOST6}/64 dev {TAP} nodad", f"link set {TAP} up"):
            subprocess.run(["ip", *command.split()], check=True)

    def serve_on_tap(self, *options, more=""):
        return self.serve("--net", f"tap={TAP},address={GUEST}/24,dns={HOST}{more}", *options)


class TapNetwork(TapTest):
    def test_address_of_config(self):
        """Of a packed program and of an image; there is no DHCP server here. The command line's own words go before."""
        config = self.files / "static.json"
        config.write_text(json.dumps({"Program": str(SERVER), "Args": [str(PORT)], "NameServers": ["9.9.9.9"],
                                      "RunConfig": {"IPAddress": GUEST, "IPv6Address": GUEST6, "Gateway": HOST,
                                                    "MTU": 1300}}))
        self.mortem("image", "create", config, "-o", "static.img")
        other = "10.78.0.9"
        for source, words, address, segment in ((config, "", GUEST, 1260), ("static.img", "", GUEST, 1260),
                                                ("static.img", f",address={other}/24,dns=9.9.9.9", other, 1460)):
            with self.subTest(source=source, words=words):
                process = self.start("run", source, "--net", f"tap={TAP}{words}")
                self.assertEqual(process.stdout.readline(), b"serving, nameserver 9.9.9.9\n")
                with self.connect(address) as connection:
                    connection.sendall(b"static")
                    self.assertEqual(connection.recv(6), b"static")
                    self.assertEqual(connection.getsockopt(socket.IPPROTO_TCP, 2), segment)  # TCP_MAXSEG
                if not words:
                    self.wait_for_ipv6()
                    self.assertEqual(self.echo(b"six", address=GUEST6), b"six")
                process.kill()
                process.wait()

    def wait_for_ipv6(self):
        """Nobody else has the address only when that was asked for: a second or two."""
        wait_until(lambda: subprocess.run(["ping", "-6", "-c", "1", "-W", "1", GUEST6], stdout=subprocess.DEVNULL)
                   .returncode == 0, "ICMPv6 echo")

    def test_both_families(self):
        line = self.serve_on_tap("--kernel-argument", f"net={GUEST6}/64")
        self.assertEqual(line, f"serving, nameserver {HOST}\n")
        self.assertEqual(self.echo(b"four"), b"four")
        self.assertEqual(self.datagram(b"four"), b"four")
        self.assertEqual(self.datagram(b"x" * 9000), b"x" * 9000)  # in fragments
        self.wait_for_ipv6()
        self.assertEqual(self.echo(b"six", address=GUEST6), b"six")
        self.assertEqual(self.datagram(b"six", address=GUEST6), b"six")
        subprocess.run(["ping", "-c", "3", "-i", "0.2", GUEST], check=True, stdout=subprocess.DEVNULL)

    def test_counters(self):
        """The guest's card has counted what the tap has, each the other's way."""
        def of_tap(name):
            line, = [line for line in pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines() if TAP in line]
            numbers = line.split(":")[1].split()
            return int(numbers[{"rx_bytes": 0, "rx_packets": 1, "tx_bytes": 8, "tx_packets": 9}[name]])

        def of_guest(name):
            return int(self.datagram(f"read /sys/class/net/eth0/statistics/{name}".encode()))
        def count():
            """What the guest has counted, between two looks at the tap."""
            return {guest: (of_tap(tap), of_guest(guest), of_tap(tap)) for guest, tap in (
                ("rx_bytes", "tx_bytes"), ("rx_packets", "tx_packets"), ("tx_bytes", "rx_bytes"),
                ("tx_packets", "rx_packets"))}
        self.serve_on_tap()
        begin = count()  # the tap had sent some (MLD) before the guest could hear it
        many = os.urandom(300_000).replace(b"!", b"?")
        self.assertEqual(self.echo(many), many)
        for name, (before, counted, after) in count().items():
            before_begin, at_begin, after_begin = begin[name]
            least, most = before - after_begin, after - before_begin
            self.assertTrue(least <= counted - at_begin <= most, (name, least, counted - at_begin, most))
            if name.endswith("bytes"):
                self.assertGreater(counted - at_begin, 300_000)
                self.assertLess(most - least, 1000)
        line, = [line for line in self.datagram(b"read /proc/net/dev").decode().splitlines() if "eth0:" in line]
        columns = line.split()
        self.assertEqual(len(columns), 17)
        self.assertGreater(int(columns[1]), 300_000)
        rows = self.datagram(b"read /proc/net/tcp6").decode().splitlines()
        own = f"0000000000000000FFFF0000{socket.inet_aton(GUEST)[::-1].hex().upper()}:{PORT:04X}"
        self.assertIn("0" * 32 + f":{PORT:04X}", rows[1])
        with self.connect() as connection:
            wait_until(lambda: any(own in row and f":{connection.getsockname()[1]:04X} 01" in row for row in
                                   self.datagram(b"read /proc/net/tcp6").decode().splitlines()), "the connection's row")

    def test_large_transfers(self):
        self.serve_on_tap()
        size = 20 << 20
        pattern = (bytes(ord("a") + at % 23 for at in range(65536)) * (size // 65536 + 1))[:size]
        with self.connect() as connection:
            connection.sendall(b"!%d" % size)
            self.assertEqual(receive(connection, size), pattern)
        # To the guest and back, a reader that begins late: windows close and open.
        upwards = os.urandom(3 << 20).replace(b"!", b"?")  # the server takes a piece that begins with ! for a wish
        with self.connect() as connection:
            child = os.fork()
            if child == 0:
                try:
                    connection.sendall(upwards)
                finally:
                    os._exit(0)
            # struct tcp_info's tcpi_backoff (linux/tcp.h): the window is closed, and is asked for.
            wait_until(lambda: connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[4] > 0,
                       "the guest takes no more")
            got = receive(connection, len(upwards))
            os.waitpid(child, 0)
        self.assertEqual(got, upwards)

    def test_what_comes_while_a_closed_window_is_probed(self):
        """It is acknowledged so that Linux believes it."""
        def segments_and_bytes():  # struct tcp_info's tcpi_segs_in and tcpi_bytes_received (linux/tcp.h)
            return struct.unpack_from("<Q4xI", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 144), 128)
        self.serve_on_tap()
        with self.connect() as connection:
            connection.sendall(b"!%d" % (20 << 20))  # and nobody reads
            before = segments_and_bytes()

            def is_probed():
                nonlocal before
                last, before = before, segments_and_bytes()
                return last[0] > 0 and before[0] == last[0] and before[1] > last[1]
            wait_until(is_probed, "a probe")
            connection.sendall(b"?")
            wait_until(lambda: fcntl.ioctl(connection, termios.TIOCOUTQ, bytes(4)) == bytes(4), "an acknowledgement")

    def test_thousands_of_connections(self):
        self.serve_on_tap()
        for round_number in range(3000):
            connection = self.connect()
            if round_number % 3 == 0:  # a reset instead of an end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif round_number % 3 == 1:
                connection.sendall(b"?")
                self.assertEqual(connection.recv(1), b"?")
            connection.close()
        many = [self.connect() for _ in range(500)]
        for number, connection in enumerate(many):
            connection.sendall(b"%d" % number)
        for number, connection in enumerate(many):
            self.assertEqual(receive(connection, len(str(number))), b"%d" % number)
            connection.close()
        wait_until(lambda: self.open_connections() == (3500, 0), "all connections to be accepted and closed")

    def test_small_and_large_mtu(self):
        for mtu in (1400, 9000):
            with self.subTest(mtu=mtu):
                subprocess.run(["ip", "link", "set", TAP, "mtu", str(mtu)], check=True)
                self.serve_on_tap(more=f",mtu={mtu}")
                size = 2 << 20
                with self.connect() as connection:
                    largest = connection.getsockopt(socket.IPPROTO_TCP, 2)  # TCP_MAXSEG
                    self.assertTrue(mtu - 100 < largest <= mtu - 40, largest)
                    connection.sendall(b"!%d" % size)
                    self.assertEqual(len(receive(connection, size)), size)
                self.process.kill()
                self.process.wait()

    def test_crash_under_load(self):
        dump = self.files / "load.core.zst"
        self.serve_on_tap("--on-crash", "stop", "--dump", dump)
        answers = [0] * 8
        connections = []

        def ask(number):
            try:
                with self.connect() as connection:
                    connections.append(connection)
                    while connection.sendall(b"x" * 4000) is None and receive(connection, 4000):
                        answers[number] += 1
            except OSError:
                pass  # the guest is gone

        clients = [threading.Thread(target=ask, args=(number,)) for number in range(len(answers))]
        for client in clients:
            client.start()
        wait_until(lambda: min(answers) > 20, "load on the guest")
        with self.connect() as connection:
            connection.sendall(b"!crash")
            self.assertEqual(self.process.wait(ANSWER * 2), 128 + 11)
        for connection in connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)  # nobody else ends it
            except OSError:
                pass
        for client in clients:
            client.join()
        self.assertTrue(dump.exists())
        self.assertIn("network_server.c", self.mortem("bt", dump).stdout)


if __name__ == "__main__":
    unittest.main()
