"""A peer that does not answer any more: keepalive and TCP_USER_TIMEOUT (tcp(7)); and a server that does not accept, whose
backlog runs over. The same program runs in a guest and on this machine's Linux, with the same client, whose packets a
router in the middle can drop.

    client -- router -- tap -- guest
                 \\---- Linux             all in network namespaces of the test's own
"""
import contextlib
import errno
import pathlib
import select
import socket
import struct
import subprocess
import threading
import time
import unittest

from mortem_test import GUESTS, MortemTest, wait_until
from namespaces import Namespace

TAP, PORT = "mortempeer0", 7000
GUEST, LINUX, CLIENT, LOST = "10.84.0.2", "10.86.0.2", "10.85.0.2", "10.85.0.3"
APART = 1.0  # seconds between what Linux and the guest do, at most


def gaps(moments):
    return [later - earlier for earlier, later in zip(moments, moments[1:])]


class Subject:
    """One of the two programs, and a connection of the client with it."""

    def __init__(self, client, address):
        self.client, self.address, self.peer = client, address, None
        with client:
            self.control = socket.create_connection((address, PORT), timeout=60.0)
        self.answers = self.control.makefile("r")

    def order(self, line):
        self.control.sendall(line.encode() + b"\n")

    def answer(self):
        return self.answers.readline().strip()

    def tell(self, line):
        self.order(line)
        return self.answer()

    def take(self, options, receive_buffer=None):
        self.order(f"take {options}")
        with self.client:
            self.peer = socket.socket()
        if receive_buffer is not None:
            self.peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.peer.settimeout(60.0)
        self.peer.bind((LOST, 0))
        self.peer.connect((self.address, PORT))
        self.answer()

    def drop(self):
        self.tell("drop")
        if self.peer is not None:
            self.peer.close()

    def close(self):
        self.answers.close()
        self.control.close()
        if self.peer is not None:
            self.peer.close()


class BesideLinux(MortemTest):
    def setUp(self):
        super().setUp()
        self.router, self.client, linux = Namespace(), Namespace(), Namespace()
        for namespace in (self.router, self.client, linux):
            self.addCleanup(namespace.close)
        with self.router as router:
            router.ip(f"tuntap add dev {TAP} mode tap", f"link set {TAP} up", f"addr add 10.84.0.1/24 dev {TAP}",
                      f"link add client type veth peer name router netns {self.client.path}",
                      f"link add linux type veth peer name router netns {linux.path}",
                      "addr add 10.85.0.1/24 dev client", "addr add 10.86.0.1/24 dev linux",
                      "link set client up", "link set linux up")
            router.set("net.ipv4.ip_forward", 1)
            process = self.start("run", GUESTS / "patient", "--net", f"tap={TAP},address={GUEST}/24,gateway=10.84.0.1",
                                 "--", PORT)
            self.assertEqual(process.stdout.readline(), b"serving\n")
        for namespace, addresses, network in ((self.client, (CLIENT, LOST), 85), (linux, (LINUX,), 86)):
            with namespace:
                namespace.ip(*(f"addr add {address}/24 dev router" for address in addresses), "link set router up",
                             f"route add default via 10.{network}.0.1")
        with linux:
            if pathlib.Path("/proc/sys/net/ipv4/tcp_syn_linear_timeouts").exists():
                linux.set("net.ipv4.tcp_syn_linear_timeouts", 0)  # of Linux 6.5: as before
            native = subprocess.Popen([GUESTS / "patient", str(PORT)], stdout=subprocess.PIPE)

            def end():
                native.kill()
                native.communicate()
            self.addCleanup(end)
            self.assertEqual(native.stdout.readline(), b"serving\n")
        self.subjects = [Subject(self.client, GUEST), Subject(self.client, LINUX)]
        for subject in self.subjects:
            self.addCleanup(subject.close)

    def cut(self):
        """What is for the client's second address is lost from now on, without a word."""
        with self.router as router:
            router.ip(f"route add blackhole {LOST}/32")

    def mend(self):
        with self.router as router:
            router.ip(f"route del blackhole {LOST}/32")

    def each(self, *orders):
        """Both are told at once; the last order's answers, the guest's first."""
        for order in orders:
            for subject in self.subjects:
                subject.order(order)
            answers = [subject.answer() for subject in self.subjects]
        return answers


class Timeouts(BesideLinux):
    def take(self, options, **more):
        for subject in self.subjects:
            subject.take(options, **more)

    def drop(self):
        for subject in self.subjects:
            subject.drop()

    def assert_times(self, expected, found):
        """Within two of the guest's ticks, and what a busy machine adds."""
        self.assertEqual(len(expected), len(found), found)
        for one, other in zip(expected, found):
            self.assertLess(abs(one - other), 0.5, (expected, found))

    @contextlib.contextmanager
    def capture(self):
        """When TCP segments for the client's second address came to the router: of the guest, of Linux."""
        seen = [[], []]
        sources = [socket.inet_aton(GUEST), socket.inet_aton(LINUX)]
        with self.router:
            wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        over = threading.Event()

        def listen():
            while not over.is_set():
                if not select.select([wire], [], [], 0.1)[0]:
                    continue
                packet, (_, _, kind, *_) = wire.recvfrom(65536)
                if kind == socket.PACKET_OUTGOING or packet[9] != 6 or packet[16:20] != socket.inet_aton(LOST):
                    continue
                if packet[12:16] in sources:
                    seen[sources.index(packet[12:16])].append(time.monotonic())

        thread = threading.Thread(target=listen)
        thread.start()
        try:
            yield seen
        finally:
            over.set()
            thread.join()
            wire.close()

    def send_syn(self, address, port):
        """One, whose sender knows nothing of it."""
        source, destination = socket.inet_aton(LOST), socket.inet_aton(address)
        header = struct.pack("!HHIIBBHHH", 9999, port, 1, 0, 5 << 4, 2, 65535, 0, 0)
        pseudo = source + destination + struct.pack("!HH", 6, len(header)) + header
        total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        header = header[:16] + struct.pack("!H", ~total & 0xFFFF) + header[18:]
        with self.client:
            raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_TCP)
        with raw:
            raw.bind((LOST, 0))
            raw.sendto(header, (address, 0))

    def check_end(self, about):
        """Both end for want of an answer, after that many seconds."""
        answers = [tuple(map(int, answer.split())) for answer in self.each("wait 20000")]
        for number, milliseconds in answers:
            self.assertEqual(number, errno.ETIMEDOUT)
            self.assertLess(abs(milliseconds / 1000 - about), APART, answers)
        (_, guest), (_, linux) = answers
        self.assertLess(abs(guest - linux) / 1000, APART, answers)
        self.drop()

    def test_keepalive_of_a_lost_peer(self):
        for options, about in (("keepalive=1,idle=1,interval=1,count=3", 4.0),
                               ("keepalive=1,idle=3,interval=1,count=1", 4.0),
                               # TCP_USER_TIMEOUT instead of the count, both ways; looked at with each probe.
                               ("keepalive=1,idle=1,interval=1,count=1,user=3500", 4.0),
                               ("keepalive=1,idle=1,interval=1,count=9,user=1500", 2.0)):
            with self.subTest(options):
                self.take(options)
                self.cut()
                self.check_end(about)
                self.mend()

    def test_what_is_sent_in_vain(self):
        self.take("user=2500")
        self.cut()
        self.each("send 100")
        self.check_end(2.6)
        self.each(f"connect {LOST} 9 user=2500")
        self.check_end(2.5)

    def test_how_often_a_syn_is_sent(self):
        self.cut()
        with self.capture() as seen:
            self.each(f"connect {LOST} 9 syn=2")
            self.check_end(7.0)
        for packets in seen:
            self.assert_times([1.0, 2.0], gaps(packets))

    def test_how_often_a_syn_is_answered(self):
        self.each(f"queue {Backlog.PORT} 3 syn=1")
        self.cut()
        with self.capture() as seen:
            for subject in self.subjects:
                self.send_syn(subject.address, Backlog.PORT)
            wait_until(lambda: all(len(packets) == 2 for packets in seen), "both answer twice")
            self.each("wait 4000")  # a third answer would have come 2 s after the second
        for packets in seen:
            self.assert_times([1.0], gaps(packets))

    def test_when_data_is_sent_again(self):
        self.take("keepalive=0")
        self.cut()
        with self.capture() as seen:
            self.each("send 100")
            wait_until(lambda: all(len(packets) >= 5 for packets in seen), "sent again four times")
            self.assertEqual(self.each("wait 1"), ["alive"] * 2)
        for packets in seen:  # of Linux the first one is a tail loss probe, which nothing doubles for
            between = gaps(packets)[-3:]
            self.assert_times([2 * one for one in between[:-1]], between[1:])
        self.drop()

    def test_closed_window(self):
        """The peer answers, but takes nothing."""
        self.take("user=2500", receive_buffer=4096)
        self.each("send 100000000")
        self.check_end(2.7)

    def test_living_peers(self):
        """Quiet for longer than all probes together take, before keepalive is switched on and after."""
        self.take("keepalive=0")
        self.assertEqual(self.each("wait 3500"), ["alive"] * 2)
        self.assertEqual(self.each("set keepalive=1,idle=1,interval=1,count=1,user=100", "wait 3500"), ["alive"] * 2)
        self.each("send 5")
        for subject in self.subjects:
            self.assertEqual(subject.peer.recv(5), bytes(5))
        self.drop()

    def test_no_keepalive_while_something_is_on_its_way(self):
        self.take("keepalive=1,idle=1,interval=1,count=1")
        self.cut()
        self.each("send 5")
        self.assertEqual(self.each("wait 4500"), ["alive"] * 2)
        self.mend()
        for subject in self.subjects:
            self.assertEqual(subject.peer.recv(5), bytes(5))
        self.drop()


class Backlog(BesideLinux):
    """listen(2). tcp_max_syn_backlog and somaxconn are larger than what is asked for here."""
    PORT = 7100

    def begin(self, address):
        with self.client:
            connection = socket.socket()
        self.addCleanup(connection.close)
        connection.setblocking(False)
        self.assertEqual(connection.connect_ex((address, self.PORT)), errno.EINPROGRESS)
        return connection

    def served(self, clients):
        """All of them come to an answer, each to its own."""
        answers = {}
        waiting = dict(enumerate(clients))
        sent = set()
        while waiting:
            readable, writable, _ = select.select(waiting.values(), [one for one in waiting.values() if one not in sent],
                                                  [], 60.0)
            self.assertTrue(readable or writable, f"{len(waiting)} wait for ever")
            for number, connection in list(waiting.items()):
                if connection in writable:
                    self.assertEqual(connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR), 0)
                    connection.sendall(bytes([number]))
                    sent.add(connection)
                elif connection in readable:
                    answers[number] = connection.recv(1)
                    del waiting[number]
        return [answers[number] == bytes([number]) for number in range(len(clients))]

    def test_who_comes_when_the_queue_is_full(self):
        for backlog in (0, 3):
            with self.subTest(backlog=backlog):
                self.each(f"queue {self.PORT} {backlog}")
                clients, established = [], []
                for subject in self.subjects:
                    ours = []
                    for _ in range(backlog + 1):  # one more than was asked for, as Linux counts
                        ours.append(self.begin(subject.address))
                        self.assertTrue(select.select([], ours[-1:], [], 20.0)[1], subject.address)
                    clients.append(ours + [self.begin(subject.address) for _ in range(3)])
                wait_until(lambda: all(self.retried(ours[-1]) for ours in clients), "the last SYNs are sent again")
                for ours in clients:
                    established.append([bool(select.select([], [one], [], 0)[1]) for one in ours])
                self.assertEqual(established[0], established[1])
                for subject in self.subjects:
                    subject.order(f"serve {backlog + 4}")
                for ours in clients:
                    self.assertEqual(self.served(ours), [True] * (backlog + 4))
                self.assertEqual([subject.answer() for subject in self.subjects], [str(backlog + 4)] * 2)

    def test_all_at_once(self):
        """Handshakes that end while the queue is full are taken up again when there is room."""
        self.each(f"queue {self.PORT} 3")
        clients = [[self.begin(subject.address) for _ in range(20)] for subject in self.subjects]
        for subject in self.subjects:
            subject.order("serve 20")
        for ours in clients:
            self.assertEqual(self.served(ours), [True] * 20)
        self.assertEqual([subject.answer() for subject in self.subjects], ["20"] * 2)

    @staticmethod
    def retried(connection):
        """Established, or its SYN was sent twice at least: struct tcp_info's tcpi_retransmits (linux/tcp.h)."""
        information = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
        return information[0] == 1 or information[2] > 0


if __name__ == "__main__":
    unittest.main()
