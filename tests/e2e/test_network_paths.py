"""Paths whose middle takes smaller packets than the guest's own link: with routers that say so (path MTU discovery,
RFC 1191, RFC 8201), and with ones that drop what is too long without a word (black holes, RFC 4821).

    client -- far -- middle -- near -- router -- tap -- guest      each -- is its own Ethernet
"""
import pathlib
import socket
import struct
import subprocess
import threading
import time
import unittest

from mortem_test import wait_until
from namespaces import Namespace
from test_network import NetworkTest, PORT, receive

TAP = "mortempath0"
ROUTER, GUEST, CLIENTS = "10.80.0.1", "10.80.0.2", "10.81.0."
ROUTER6, GUEST6, CLIENTS6 = "fd80::1", "fd80::2", "fd81::"
NARROW = 1320  # what the middle takes; IPv6 wants 1280 at least
SIZE = 1 << 20
BLACK_HOLE_PATIENCE = 15.0  # seconds, for a transfer that takes one second on a good way


def largest_segment(connection):
    """struct tcp_info's tcpi_rcv_mss (linux/tcp.h): of what came lately."""
    return struct.unpack_from("I", connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104), 20)[0]


class PathTest(NetworkTest):
    mtu = 1500
    arguments = ()

    def setUp(self):
        super().setUp()
        self.router, self.middle, self.client = Namespace(), Namespace(), Namespace()
        for namespace in (self.router, self.middle, self.client):
            self.addCleanup(namespace.close)
        with self.router as router:
            router.ip(f"tuntap add dev {TAP} mode tap", f"link set {TAP} mtu {self.mtu} up",
                      f"addr add {ROUTER}/24 dev {TAP}", f"addr add {ROUTER6}/64 dev {TAP} nodad",
                      f"link add near mtu {NARROW} type veth peer name near mtu {NARROW} netns {self.middle.path}",
                      "addr add 10.82.0.1/24 dev near", "addr add fd82::1/64 dev near nodad", "link set near up",
                      f"route add {CLIENTS}0/24 via 10.82.0.2", f"-6 route add {CLIENTS6}/64 via fd82::2")
        with self.middle as middle:
            middle.ip("addr add 10.82.0.2/24 dev near", "addr add fd82::2/64 dev near nodad", "link set near up",
                      f"link add far mtu 9000 type veth peer name far mtu 9000 netns {self.client.path}",
                      f"addr add {CLIENTS}1/24 dev far", f"addr add {CLIENTS6}1/64 dev far nodad", "link set far up",
                      f"route add {GUEST}/32 via 10.82.0.1", f"-6 route add {GUEST6}/128 via fd82::1")
        with self.client as client:
            for number in (2, 3):
                client.ip(f"addr add {CLIENTS}{number}/24 dev far", f"addr add {CLIENTS6}{number}/64 dev far nodad")
            client.ip("link set far up", f"route add default via {CLIENTS}1", f"-6 route add default via {CLIENTS6}1")
        for namespace in (self.router, self.middle):
            with namespace:
                namespace.set("net.ipv4.ip_forward", 1)
                namespace.set("net.ipv6.conf.all.forwarding", 1)
        with self.router:
            self.serve("--net", f"tap={TAP},address={GUEST}/24,gateway={ROUTER}",
                       "--kernel-argument", f"net={GUEST6}/64,gateway={ROUTER6}", *self.arguments)
            wait_until(lambda: subprocess.run(["ping", "-6", "-c", "1", "-W", "1", GUEST6], stdout=subprocess.DEVNULL)
                       .returncode == 0, "ICMPv6 echo")

    def dig_black_hole(self):
        """The router still sends what the middle cannot take: the other end of the link drops it (veth)."""
        with self.router as router:
            router.ip(f"link set near mtu {self.mtu}")

    def fell_into_hole(self):
        """Packets that the link from the router to the middle dropped."""
        with self.router:
            lines = pathlib.Path("/proc/thread-self/net/dev").read_text().splitlines()
            (numbers,) = [line.split(":")[1].split() for line in lines if line.strip().startswith("near:")]
            return int(numbers[11])

    def told_too_big(self):
        """How often the router said so, IPv4 and IPv6."""
        with self.router as router:
            lines = pathlib.Path("/proc/thread-self/net/snmp6").read_text().splitlines()
            six = dict(line.split() for line in lines)
            return router.counter("snmp", "Icmp:", "OutDestUnreachs"), int(six["Icmp6OutPktTooBigs"])

    def download(self, address, own):
        """The largest segment that came, and seconds."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with self.client, socket.socket(family, socket.SOCK_STREAM) as connection:
            connection.settimeout(60.0)
            connection.bind((own, 0))
            connection.connect((address, PORT))
            begin = time.monotonic()
            connection.sendall(b"!%d" % SIZE)
            got = receive(connection, SIZE)
            self.assertEqual(len(got), SIZE)
            self.assertEqual(got[:65536], bytes(ord("a") + at % 23 for at in range(65536)))
            return largest_segment(connection), time.monotonic() - begin

    def check_paths(self):
        largest, _ = self.download(GUEST, CLIENTS + "2")
        self.assertTrue(NARROW - 100 < largest <= NARROW - 40, largest)
        four, _ = self.told_too_big()
        self.assertGreater(four, 0)
        largest, _ = self.download(GUEST6, CLIENTS6 + "2")
        self.assertTrue(NARROW - 100 < largest <= NARROW - 60, largest)
        told = self.told_too_big()
        self.assertGreater(told[1], 0)

        self.dig_black_hole()
        for address, own in ((GUEST, CLIENTS + "3"), (GUEST6, CLIENTS6 + "3")):
            with self.subTest(black_hole=address):
                largest, seconds = self.download(address, own)
                self.assertTrue(500 < largest <= NARROW - 40, largest)
                self.assertLess(seconds, BLACK_HOLE_PATIENCE)
                print(f"black hole to {address} at MTU {self.mtu}: {seconds:.2f} s, segments of {largest}", flush=True)
        self.assertEqual(self.told_too_big(), told)


class LeaseServer(threading.Thread):
    """Answers DHCP (RFC 2131) on the tap with one address and an MTU (RFC 2132, section 5.1), in the namespace of
    whoever starts it."""

    def __init__(self, mtu):
        super().__init__(daemon=True)
        self.mtu = mtu
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, TAP.encode())
        self.socket.bind(("", 67))

    def run(self):
        while True:
            asked = self.socket.recv(2048)
            options, at = {}, 240
            while at < len(asked) and asked[at] != 255:
                if asked[at] == 0:
                    at += 1
                    continue
                options[asked[at]] = asked[at + 2:at + 2 + asked[at + 1]]
                at += 2 + asked[at + 1]
            kind = {1: 2, 3: 5}.get(options[53][0])  # discover: offer; request: acknowledgement
            if kind is None:
                continue
            router, guest = socket.inet_aton(ROUTER), socket.inet_aton(GUEST)
            answer = struct.pack("!4B4s2H4s4s4s4s", 2, 1, 6, 0, asked[4:8], 0, 0x8000, bytes(4), guest, router, bytes(4))
            answer += asked[28:44] + bytes(192) + b"\x63\x82\x53\x63"
            for code, value in ((53, bytes([kind])), (54, router), (51, struct.pack("!I", 3600)), (3, router),
                                (1, socket.inet_aton("255.255.255.0")), (26, struct.pack("!H", self.mtu))):
                answer += bytes([code, len(value)]) + value
            self.socket.sendto(answer + b"\xff", ("255.255.255.255", 68))


class WhereTheMtuComesFrom(NetworkTest):
    """The segments that a guest announces tell what it takes its MTU to be."""

    def segment(self, interface_mtu, *options, leased=None):
        network = Namespace()
        with network:
            network.ip(f"tuntap add dev {TAP} mode tap", f"link set {TAP} mtu {interface_mtu} up",
                       f"addr add {ROUTER}/24 dev {TAP}")
            if leased is not None:
                LeaseServer(leased).start()
            self.serve(*options)
            with self.connect(address=GUEST) as connection:
                connection.sendall(b"!%d" % SIZE)
                self.assertEqual(len(receive(connection, SIZE)), SIZE)
                largest = connection.getsockopt(socket.IPPROTO_TCP, 2)  # TCP_MAXSEG
            self.process.kill()
            self.process.wait()
        network.close()
        return largest

    def test_all(self):
        fixed = f"tap={TAP},address={GUEST}/24"
        self.assertEqual(self.segment(9000, "--net", fixed), 8960)  # the device: the tap's own
        self.assertEqual(self.segment(1400, "--net", f"{fixed},mtu=1300"), 1260)  # the setting
        self.assertEqual(self.segment(1500, "--net", f"tap={TAP}", leased=1400), 1360)  # DHCP
        self.assertEqual(self.segment(1400, "--net", f"tap={TAP}", leased=4000), 1360)  # more than the device takes


class Usual(PathTest):
    def test_paths(self):
        self.check_paths()


class AfterAWhile(PathTest):
    """A way that took little takes more later: a connection that lives on finds out."""
    arguments = ("--kernel-argument", "path-mtu-lifetime=1")

    def test_segments_grow_again(self):
        self.dig_black_hole()
        with self.client, self.connect(GUEST) as connection:
            def transfer():
                connection.sendall(b"!%d" % (SIZE // 8))
                self.assertEqual(receive(connection, SIZE // 8), wanted)
                return largest_segment(connection)

            wanted = bytes(ord("a") + at % 65536 % 23 for at in range(SIZE // 8))
            connection.settimeout(60.0)
            self.assertLessEqual(transfer(), NARROW - 40)
            # While the hole is there, larger ones are tried in vain.
            for _ in range(2):
                lost = self.fell_into_hole()
                self.assertGreater(lost, 0)
                wait_until(lambda: transfer() <= NARROW - 40 and self.fell_into_hole() > lost,
                           "larger segments are tried, and small ones come", deadline=30.0)
            with self.router as router:
                router.ip("link set near mtu 1500")
            with self.middle as middle:
                middle.ip("link set near mtu 1500")
            wait_until(lambda: transfer() > 1400, "segments of the link's size", deadline=30.0)


class Jumbo(PathTest):
    mtu = 9000

    def test_paths(self):
        self.check_paths()


class Small(PathTest):
    mtu = 1400

    def test_paths(self):
        self.check_paths()


if __name__ == "__main__":
    unittest.main()
