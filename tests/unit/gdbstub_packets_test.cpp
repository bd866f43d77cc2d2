// The packet layer of gdbstub: what the transport does to packets, and what a packet does to buffers.
#include <gtest/gtest.h>

#include "stub_client.h"

namespace {

using namespace mortem;
using test::framed;
using test::StubClient;

TEST(GdbstubPackets, SplitAtEveryByte) {
  const std::string stream = framed("qC") + framed("Hg0") + framed("?");
  StubClient whole;
  whole.connect();
  const std::string expected = whole.exchange(stream);
  EXPECT_NE(expected.find("QCp2a.2a"), std::string::npos);
  for (size_t cut = 0; cut <= stream.size(); ++cut) {
    StubClient client;
    client.connect();
    const std::string first = client.exchange(stream.substr(0, cut));
    EXPECT_EQ(first + client.exchange(stream.substr(cut)), expected) << cut;
  }
  StubClient bytewise;
  bytewise.connect();
  EXPECT_EQ(bytewise.exchange(stream, 1), expected);
}

TEST(GdbstubPackets, SeveralInOneReadWaitForTheOutput) {
  StubClient client;
  client.connect();
  const std::string stream = framed("qC") + framed("qAttached");
  const size_t taken = client.server->feed({reinterpret_cast<const uint8_t*>(stream.data()), stream.size()});
  EXPECT_EQ(taken, framed("qC").size()) << "the second answer would have overwritten the first";
  EXPECT_EQ(client.payload(client.drain()), "QCp2a.2a");
  client.server->feed({reinterpret_cast<const uint8_t*>(stream.data()) + taken, stream.size() - taken});
  EXPECT_EQ(client.payload(client.drain()), "1");
}

TEST(GdbstubPackets, AcknowledgedUntilTold) {
  StubClient client;
  EXPECT_EQ(client.exchange(framed("qAttached")), "+$1#31");
  EXPECT_EQ(client.exchange(framed("QStartNoAckMode")), "+$OK#9a");
  EXPECT_EQ(client.exchange("+" + framed("qAttached")), "$1#31");
}

TEST(GdbstubPackets, WrongChecksumIsRefusedAndRepeated) {
  StubClient client;
  EXPECT_EQ(client.exchange("$qAttached#00"), "-");
  EXPECT_EQ(client.exchange("$qAttached#zz"), "-");
  EXPECT_EQ(client.exchange(framed("qAttached")), "+$1#31");
  EXPECT_EQ(client.exchange("-"), "$1#31") << "the last reply again";
  EXPECT_EQ(client.exchange("-"), "$1#31");
  EXPECT_EQ(client.exchange("+"), "");
}

TEST(GdbstubPackets, WrongChecksumWithoutAcknowledgementsIsAnError) {
  StubClient client;
  client.connect();
  EXPECT_EQ(client.payload(client.exchange("$M0,1:00#00")), "E4a");
}

TEST(GdbstubPackets, RefusedInTheMiddleOfTheReply) {
  StubClient client;
  client.exchange("+");
  client.server->feed({reinterpret_cast<const uint8_t*>("$qAttached#8f"), 13});
  client.server->consume(3);  // '+', '$', '1'
  const std::string rest = client.drain();
  EXPECT_EQ(rest, "#31");
  EXPECT_EQ(client.exchange("-"), "$1#31");
}

TEST(GdbstubPackets, OversizedIsDroppedAndAnswered) {
  StubClient client;
  client.connect();
  const std::string longest = "qRcmd," + std::string(gdbstub::kPacketSize - 6, 'z');
  EXPECT_EQ(client.ask(longest), "E16") << "as long as PacketSize: read, and no command";
  EXPECT_EQ(client.ask(longest + "z"), "E5a");
  EXPECT_EQ(client.ask(std::string(1'000'000, 'm')), "E5a");
  EXPECT_EQ(client.ask("qAttached"), "1") << "still in step";
}

TEST(GdbstubPackets, ANewPacketInTheMiddleOfOne) {
  for (const char* begun : {"$m1234", "$m12}", "$m12#", "$m12#a", "%Stop:T05", "%Stop:T05#", "%Stop:T05#1"}) {
    StubClient client;
    client.connect();
    EXPECT_EQ(client.payload(client.exchange(begun + framed("qAttached"))), "1") << begun;
  }
}

TEST(GdbstubPackets, NotificationsArePassedOver) {
  StubClient client;
  client.connect();
  EXPECT_EQ(client.exchange("%Stop:T05#00"), "");
  EXPECT_EQ(client.ask("qAttached"), "1");
}

TEST(GdbstubPackets, ClientVanishesInMidPacketAndAnotherComes) {
  StubClient client;
  client.connect();
  client.ask("QThreadSuffixSupported");
  client.exchange("$m1234,");
  client.server->connection_lost();
  EXPECT_EQ(client.target.log.back(), "detach");
  EXPECT_TRUE(client.server->app_is_running());
  EXPECT_EQ(client.exchange("5#aa"), "") << "the rest belongs to nobody";
  EXPECT_EQ(client.exchange(framed("qAttached")), "+$1#31") << "acknowledged, as for anybody new";
  EXPECT_EQ(client.ask("qC"), "QC2a") << "and nobody has said multiprocess+";
}

// A serial line does not tell of a new client; gdb's '+' at the begin does.
TEST(GdbstubPackets, ANewClientOnALineThatSaysNothing) {
  StubClient client;
  client.connect();
  EXPECT_EQ(client.exchange(framed("qAttached")), "$1#31");
  EXPECT_EQ(client.exchange("+" + framed("qAttached")), "+$1#31");
  EXPECT_EQ(client.target.log, (std::vector<std::string>{"detach"}))
      << "breakpoints of the old one would stop the new one";
}

TEST(GdbstubPackets, ClientVanishesBeforeItsReply) {
  StubClient client;
  client.connect();
  const std::string packet = framed("g");
  client.server->feed({reinterpret_cast<const uint8_t*>(packet.data()), packet.size()});
  client.server->consume(10);
  client.server->connection_lost();
  EXPECT_TRUE(client.server->output().empty());
}

TEST(GdbstubPackets, InterruptBetweenPackets) {
  StubClient client;
  client.connect();
  client.exchange("\x03");
  EXPECT_TRUE(client.target.log.empty()) << "nothing runs";
  EXPECT_EQ(client.ask("vCont;c"), "(no reply)");
  EXPECT_EQ(client.exchange("\x03"), "");
  EXPECT_EQ(client.target.log.back(), "interrupt");
  gdbstub::Stop stop;
  stop.thread = 0x2A, stop.signal = 2;
  client.server->report_stop(stop);
  EXPECT_TRUE(client.payload(client.drain())->starts_with("T02thread:p2a.2a;"));
}

TEST(GdbstubPackets, ThreeIsDataInsideAPacket) {
  StubClient client;
  client.connect();
  client.target.memory[0x1000].assign(4, 0);
  // '#' escaped is 0x03.
  EXPECT_EQ(client.ask("X1000,4:a#$}"), "OK");
  EXPECT_EQ(client.ask("m1000,4"), "6123247d");
}

// Known stubs write 8192 digits into 4096 bytes when asked for 4096 bytes.
TEST(GdbstubPackets, RepliesFitWhateverIsAskedFor) {
  StubClient client;
  client.connect();
  auto& memory = client.target.memory[0x10000];
  memory.resize(0x100000);
  for (size_t index = 0; index < memory.size(); ++index) memory[index] = uint8_t(index * 131 + (index >> 8));
  const std::string all(memory.begin(), memory.end());
  for (const size_t length : {1u, 4096u, 65536u, 0x12000u, 0x100000u}) {
    char packet[64];
    snprintf(packet, sizeof packet, "m10000,%zx", length);
    const std::string digits = client.ask(packet);
    EXPECT_EQ(digits.size(), std::min<size_t>(2 * length, gdbstub::kPacketSize)) << packet;
    EXPECT_TRUE(digits == test::hex_of(all.substr(0, digits.size() / 2))) << packet;
    snprintf(packet, sizeof packet, "x10000,%zx", length);
    const std::string output = client.exchange(framed(packet));
    EXPECT_LE(output.size(), gdbstub::kPacketSize + 4);
    const std::string bytes = *client.payload(output);
    EXPECT_TRUE(bytes.substr(1) == all.substr(0, bytes.size() - 1)) << packet;
    EXPECT_EQ(bytes[0], 'b');
    if (length <= 65536) {
      EXPECT_EQ(bytes.size(), length + 1) << "64 KiB are one packet";
    }
  }
}

// All of them need an escape: fewer go in one packet, none is lost, and it is never nothing.
TEST(GdbstubPackets, OnlyEscapes) {
  StubClient client;
  client.connect();
  client.target.file.assign(200'000, '}');
  client.target.memory[0].assign(200'000, '#');
  size_t offset = 0;
  while (offset < client.target.file.size()) {
    char packet[64];
    snprintf(packet, sizeof packet, "vFile:pread:3,%zx,%zx", gdbstub::kPacketSize, offset);
    const std::string reply = client.ask(packet);
    const size_t count = std::stoul(reply.substr(1), nullptr, 16);
    ASSERT_GT(count, 1000u);
    ASSERT_TRUE(reply.substr(reply.find(';') + 1) == std::string(count, '}')) << offset;
    offset += count;
  }
  EXPECT_EQ(offset, client.target.file.size());
  const std::string bytes = client.ask("x0,12000");
  EXPECT_GT(bytes.size(), 1000u);
  EXPECT_TRUE(bytes.substr(1) == std::string(bytes.size() - 1, '#'));
}

}  // namespace
