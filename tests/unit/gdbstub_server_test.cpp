// What gdbstub answers: the families of packets over a target of bytes, and the traps that other servers fell into.
#include <gtest/gtest.h>

#include <set>

#include "gdbstub/register_file.h"
#include "gdbstub/signals.h"
#include "stub_client.h"

namespace {

using namespace mortem;
using gdbstub::Stop;
using gdbstub::StopKind;
using test::hex_of;
using test::StubClient;

struct Connected : StubClient {
  explicit Connected(gdbstub::Server::AppState state = gdbstub::Server::AppState::Stopped) : StubClient(state) {
    connect();
  }
  std::string stops_with(Stop stop) {
    if (stop.thread == 0) stop.thread = 0x2A;
    server->report_stop(stop);
    return payload(drain()).value_or("(no reply)");
  }
};

std::string little_endian(uint64_t value, size_t size) {
  std::string bytes;
  for (size_t index = 0; index < size; ++index) bytes += static_cast<char>(value >> (8 * index));
  return hex_of(bytes);
}

// --- what is advertised

TEST(GdbstubServer, PacketSizeIsHexadecimal) {
  Connected client;
  char expected[32];
  snprintf(expected, sizeof expected, "PacketSize=%zx;", gdbstub::kPacketSize);
  EXPECT_TRUE(client.features.starts_with(expected)) << client.features;
  EXPECT_GE(gdbstub::kPacketSize, 65536u);
}

// An empty answer to a packet that was offered breaks the connection.
TEST(GdbstubServer, EverythingAdvertisedIsAnswered) {
  Connected client;
  client.target.auxiliary_vector.assign(32, 0);
  const std::map<std::string, std::string> packets = {
      {"QStartNoAckMode+", "QStartNoAckMode"},
      {"vContSupported+", "vCont?"},
      {"binary-upload+", "x1000,4"},
      {"qXfer:features:read+", "qXfer:features:read:target.xml:0,100"},
      {"qXfer:threads:read+", "qXfer:threads:read::0,100"},
      {"multiprocess+", "Hgp2a.2a"},
      {"swbreak+", "Z0,1000,1"},
      {"hwbreak+", "Z1,1000,1"},
      {"exec-events+", "qC"},
      {"qXfer:exec-file:read+", "qXfer:exec-file:read:2a:0,100"},
      {"qXfer:auxv:read+", "qXfer:auxv:read::0,100"},
      {"qXfer:libraries-svr4:read+", "qXfer:libraries-svr4:read::0,100"},
      {"qXfer:siginfo:read+", "qXfer:siginfo:read::0,100"},
      {"qXfer:siginfo:write+", "qXfer:siginfo:write::0:a"},
      {"QCatchSyscalls+", "QCatchSyscalls:1;3b"},
      {"QThreadEvents+", "QThreadEvents:1"},
      {"QPassSignals+", "QPassSignals:e;f"},
      {"QProgramSignals+", "QProgramSignals:e"},
  };
  client.target.memory[0x1000].assign(16, 0);
  std::set<std::string> seen;
  size_t at = client.features.find(';');
  while (at != std::string::npos) {
    const size_t end = client.features.find(';', at + 1);
    const std::string feature = client.features.substr(at + 1, end == std::string::npos ? end : end - at - 1);
    at = end;
    ASSERT_TRUE(packets.contains(feature)) << "a feature that this test does not know: " << feature;
    const std::string answer = client.ask(packets.at(feature));
    EXPECT_FALSE(answer.empty() || answer[0] == 'E') << feature << ": " << answer;
    seen.insert(feature);
  }
  EXPECT_EQ(seen.size(), packets.size());
}

TEST(GdbstubServer, WhatTheTargetCannotIsNotAdvertised) {
  StubClient client;
  const uint32_t process = client.target.facts.process;
  client.target.facts = {};
  client.target.facts.process = process;
  client.connect();
  for (const char* feature : {"hwbreak", "exec-file", "auxv", "siginfo", "QCatch", "QThreadEvents", "Signals", "svr4"})
    EXPECT_EQ(client.features.find(feature), std::string::npos) << feature;
  EXPECT_EQ(client.ask("Z2,1000,4"), "");
  EXPECT_EQ(client.ask("Z1,1000,1"), "");
  EXPECT_EQ(client.ask("QCatchSyscalls:1"), "");
  EXPECT_EQ(client.ask("vFile:open:2f,0,0"), "");
  EXPECT_EQ(client.ask("qXfer:siginfo:read::0,10"), "");
}

TEST(GdbstubServer, UnknownIsEmptyNeverAnError) {
  Connected client;
  for (const char* packet : {"vMustReplyEmpty",
                             "qTStatus",
                             "qOffsets",
                             "Qqemu.sstepbits",
                             "qqemu.sstepbits",
                             "QNonStop:1",
                             "vFile:chmod:2f",
                             "qXfer:memory-map:read::0,10",
                             "qXfer:features:write:a:0:",
                             "jUnknown",
                             "Z5,0,1",
                             "!",
                             "R00",
                             "bs",
                             "bc",
                             "qCx",
                             "vConty",
                             "",
                             "Z9,0,0",
                             "QNon",
                             "y",
                             "qP0"})
    EXPECT_EQ(client.ask(packet), "") << packet;
}

TEST(GdbstubServer, MalformedIsAnErrorNotEmpty) {
  Connected client;
  for (const char* packet : {"m",
                             "mzz,4",
                             "m1000",
                             "m1000,",
                             "M1000,2:00",
                             "X1000,2:a",
                             "Zx",
                             "Z0",
                             "p",
                             "p4c",
                             "P0",
                             "P0=",
                             "H",
                             "Hg",
                             "Hgzz",
                             "Hx1",
                             "vCont;",
                             "vCont;q",
                             "vCont;C",
                             "vCont;C5;",
                             "vCont;r1000",
                             "vCont;cx",
                             "QCatchSyscalls:2",
                             "QPassSignals:x",
                             "vFile:open:2",
                             "qXfer:auxv:read::x,1",
                             "m11111111111111111,1",
                             "D;1",
                             "Hgp1.1"})
    EXPECT_EQ(client.ask(packet)[0], 'E') << packet;
  EXPECT_EQ(client.ask("vFile:open:" + hex_of(std::string(5000, 'a')) + ",0,0"), "E16");
}

// --- registers

TEST(GdbstubRegisters, EachIsItself) {
  Connected client;
  const auto& registers = client.target.threads.at(0x2A).registers;
  // Names and numbers of gdb/features/i386/64bit-core.xml, written down here on their own.
  const std::vector<std::pair<int, uint64_t>> expected = {
      {0, registers.rax},  {1, registers.rbx},       {2, registers.rcx},      {3, registers.rdx},
      {4, registers.rsi},  {5, registers.rdi},       {6, registers.rbp},      {7, registers.rsp},
      {8, registers.r8},   {9, registers.r9},        {10, registers.r10},     {11, registers.r11},
      {12, registers.r12}, {13, registers.r13},      {14, registers.r14},     {15, registers.r15},
      {16, registers.rip}, {57, registers.orig_rax}, {58, registers.fs_base}, {59, registers.gs_base}};
  std::set<std::string> values;
  for (const auto& [number, value] : expected) {
    char packet[16];
    snprintf(packet, sizeof packet, "p%x", number);
    EXPECT_EQ(client.ask(packet), little_endian(value, 8)) << packet;
    values.insert(client.ask(packet));
  }
  EXPECT_EQ(values.size(), expected.size()) << "the test's registers are all different";
  const std::vector<std::pair<int, uint64_t>> small = {{17, registers.eflags}, {18, registers.cs}, {19, registers.ss},
                                                       {20, registers.ds},     {21, registers.es}, {22, registers.fs},
                                                       {23, registers.gs}};
  for (const auto& [number, value] : small) {
    char packet[16];
    snprintf(packet, sizeof packet, "p%x", number);
    EXPECT_EQ(client.ask(packet), little_endian(value, 4)) << packet;
  }
}

TEST(GdbstubRegisters, AllAtOnceAreTheSameOneByOne) {
  Connected client;
  std::string all;
  for (size_t number = 0; number < gdbstub::kRegisterCount; ++number) {
    char packet[16];
    snprintf(packet, sizeof packet, "p%zx", number);
    all += client.ask(packet);
  }
  EXPECT_EQ(client.ask("g"), all);
  EXPECT_EQ(all.size(), 2u * (17 * 8 + 7 * 4 + 8 * 10 + 8 * 4 + 16 * 16 + 4 + 3 * 8 + 16 * 16));
  EXPECT_EQ(client.ask("p4c"), "E16") << "one past the last";
}

TEST(GdbstubRegisters, WhatIsWrittenIsRead) {
  Connected client;
  for (size_t number = 0; number < gdbstub::kRegisterCount; ++number) {
    if (number == 34) continue;  // ftag is made of more than what is written
    char packet[16];
    snprintf(packet, sizeof packet, "%zx", number);
    const std::string before = client.ask("g");
    const std::string value = client.ask("p" + std::string(packet));
    std::string other(value.size(), '5');
    // The 16 bits that gdb shows in 32.
    if (number == 32 || number == 33 || number == 35 || number == 37 || number == 39) other = "55550000";
    EXPECT_EQ(client.ask("P" + std::string(packet) + "=" + other), "OK");
    EXPECT_EQ(client.ask("p" + std::string(packet)), other) << number;
    EXPECT_EQ(client.ask("P" + std::string(packet) + "=" + value), "OK");
    if (number != 33) {  // the stack's top decides which register is which
      EXPECT_EQ(client.ask("g"), before) << number << " changed another";
    }
  }
  std::string all = client.ask("g");
  all.replace(0, 16, "0102030405060708");
  EXPECT_EQ(client.ask("G" + all), "OK");
  EXPECT_EQ(client.ask("g"), all);
  EXPECT_EQ(client.target.threads.at(0x2A).registers.rax, 0x0807060504030201u);
  EXPECT_EQ(client.ask("G" + all.substr(2)), "E16");
}

TEST(GdbstubRegisters, UnknownIsNotZero) {
  Connected client;
  client.target.threads.at(0x2A).extended.clear();
  EXPECT_EQ(client.ask("p28"), std::string(32, 'x'));
  const std::string all = client.ask("g");
  EXPECT_EQ(all.substr(all.size() - 512), std::string(512, 'x'));
  EXPECT_EQ(client.ask("G" + all), "OK") << "gdb writes back what it read";
  EXPECT_EQ(client.ask("P28=" + std::string(32, '0')), "E16") << "there is no place to write it to";
  client.target.registers_known = false;
  EXPECT_EQ(client.ask("g"), "E03");
  EXPECT_EQ(client.ask("p0"), "E03");
}

// Bytes of a component that XSTATE_BV says is in its initial state are anything (Intel SDM vol. 1, 13.7).
TEST(GdbstubRegisters, ComponentsInTheirInitialState) {
  Connected client;
  auto& extended = client.target.threads.at(0x2A).extended;
  std::fill(extended.begin(), extended.end(), 0xAA);
  std::fill(extended.begin() + 512, extended.begin() + 576, 0);
  EXPECT_EQ(client.ask("p20"), "7f030000");  // fctrl
  EXPECT_EQ(client.ask("p22"), "ffff0000");  // ftag: all empty
  EXPECT_EQ(client.ask("p18"), std::string(20, '0'));
  EXPECT_EQ(client.ask("p28"), std::string(32, '0'));
  EXPECT_EQ(client.ask("p38"), "801f0000");  // mxcsr
  EXPECT_EQ(client.ask("p3c"), std::string(32, '0'));
  EXPECT_EQ(client.ask("P29=" + std::string(32, '1')), "OK");
  EXPECT_EQ(client.ask("p28"), std::string(32, '0')) << "writing one makes the others really zero";
  EXPECT_EQ(client.ask("p29"), std::string(32, '1'));
  EXPECT_EQ(client.ask("p20"), "7f030000");
  EXPECT_EQ(extended[512], 2);
  EXPECT_EQ(client.ask("P18=" + std::string(20, '2')), "OK");
  EXPECT_EQ(client.ask("p20"), "7f030000");
  EXPECT_EQ(client.ask("p19"), std::string(20, '0'));
  EXPECT_EQ(extended[512], 3);
}

TEST(GdbstubRegisters, TagWord) {
  Connected client;
  auto& extended = client.target.threads.at(0x2A).extended;
  std::fill(extended.begin(), extended.begin() + 512, 0);
  extended[3] = 6 << 3;      // TOP is 6: st0 is physical register 6
  extended[4] = 0b11000001;  // 6, 7 and 0 are in use: st0, st1, st2
  extended[32 + 7] = 0x80;   // st0 = 1.0
  extended[32 + 8] = 0xFF, extended[32 + 9] = 0x3F;
  extended[64 + 8] = 0xFF, extended[64 + 9] = 0x7F;  // st2: special
  EXPECT_EQ(client.ask("p22"), little_endian(0b01'00'11'11'11'11'11'10, 4)) << "st1 = 0, then st0, then st2 in 0";
  EXPECT_EQ(client.ask("P22=" + little_endian(0b11'00'11'11'11'11'11'11, 4)), "OK");
  EXPECT_EQ(extended[4], 0b01000000);
}

TEST(GdbstubRegisters, WithoutAvx) {
  Connected client;
  client.target.facts.xcr0 = 3;
  EXPECT_EQ(client.ask("p3c"), "E16");
  EXPECT_EQ(client.ask("qXfer:features:read:target.xml:0,10000").find("ymm"), std::string::npos);
  EXPECT_EQ(client.ask("g").size(), 2u * (17 * 8 + 7 * 4 + 8 * 10 + 8 * 4 + 16 * 16 + 4 + 3 * 8));
}

// --- memory

TEST(GdbstubMemory, AcrossTheEndOfAMappingTheMappedPart) {
  Connected client;
  client.target.memory[0x1000] = {1, 2, 3, 4};
  EXPECT_EQ(client.ask("m1000,4"), "01020304");
  EXPECT_EQ(client.ask("m1002,64"), "0304");
  EXPECT_EQ(client.ask("x1002,64"), std::string("b\x03\x04"));
  EXPECT_EQ(client.ask("m1004,1"), "E0e");
  EXPECT_EQ(client.ask("xfffffffffffffff0,20"), "E0e");
  EXPECT_EQ(client.ask("m1004,0"), "");
}

TEST(GdbstubMemory, Writes) {
  Connected client;
  client.target.memory[0x1000] = {1, 2, 3, 4};
  EXPECT_EQ(client.ask("M1001,2:a1b2"), "OK");
  EXPECT_EQ(client.ask("X1003,1:}"), "OK");
  EXPECT_EQ(client.ask("m1000,4"), "01a1b27d");
  EXPECT_EQ(client.ask("M1003,2:0000"), "E0e") << "half of it is no success";
  EXPECT_EQ(client.ask("X0,0:"), "OK") << "gdb asks so whether there is an X";
  EXPECT_EQ(client.ask("M1000,8000000000000000:"), "E16");
}

// LLDB 19 asks for nothing first and wants bytes without a letter before them.
TEST(GdbstubMemory, BinaryReadsForBothClients) {
  Connected client;
  client.target.memory[0x1000] = {'b', '}', '#', 0};
  EXPECT_EQ(client.ask("x1000,4"), std::string("bb}#\0", 5));
  EXPECT_EQ(client.ask("x0,0"), "OK");
  EXPECT_EQ(client.ask("x1000,4"), std::string("b}#\0", 4));
}

TEST(GdbstubMemory, Checksum) {
  Connected client;
  const std::string text = "123456789";
  client.target.memory[0x1000].assign(text.begin(), text.end());
  EXPECT_EQ(client.ask("qCRC:1000,9"), "C376e6e7");  // CRC-32/MPEG-2's check value
  EXPECT_EQ(client.ask("qCRC:1000,a"), "E0e");
}

// --- breakpoints, running, stopping

TEST(GdbstubBreakpoints, Kinds) {
  Connected client;
  for (const char* packet : {"Z0,1000,1", "Z1,1000,1", "Z2,1000,8", "Z3,1000,4", "Z4,1000,2", "z0,1000,1", "z4,1000,2"})
    EXPECT_EQ(client.ask(packet), "OK");
  EXPECT_EQ(client.target.log,
            (std::vector<std::string>{"insert 0 1000 1", "insert 1 1000 1", "insert 2 1000 8", "insert 3 1000 4",
                                      "insert 4 1000 2", "remove 0 1000 1", "remove 4 1000 2"}));
  client.target.breakpoint_outcome = gdbstub::Outcome::Failed;
  EXPECT_EQ(client.ask("Z0,1000,1"), "E0e");
  client.target.breakpoint_outcome = gdbstub::Outcome::NotSupported;
  EXPECT_EQ(client.ask("Z3,1000,1"), "");
}

TEST(GdbstubResume, TheLeftmostActionCounts) {
  Connected client;
  client.target.add_thread(0x2B, "a");
  client.target.add_thread(0x2C, "b");
  EXPECT_EQ(client.ask("vCont;s:p2a.2b;C1e:p2a.2c;c"), "(no reply)");
  EXPECT_EQ(client.target.log, (std::vector<std::string>{"2a continue", "2b step", "2c continue signal 10", "resume"}));
  client.stops_with({});
  client.target.log.clear();
  EXPECT_EQ(client.ask("vCont;r1000,1010:p2a.2a"), "(no reply)");
  EXPECT_EQ(client.target.log, (std::vector<std::string>{"2a step range 1000-1010", "resume"})) << "the others stay";
  client.stops_with({});
  client.target.log.clear();
  EXPECT_EQ(client.ask("vCont;t:p2a.2a;S0b:p2a.-1"), "(no reply)");
  EXPECT_EQ(client.target.log, (std::vector<std::string>{"2b step signal 11", "2c step signal 11", "resume"}));
  client.stops_with({});
  EXPECT_EQ(client.ask("vCont;c:p2a.7"), "E03") << "nobody would run, and nothing ever stop";
  EXPECT_EQ(client.ask("vCont;c:p7.-1"), "E03");
}

TEST(GdbstubResume, OldPackets) {
  Connected client;
  client.target.add_thread(0x2B, "a");
  EXPECT_EQ(client.ask("c"), "(no reply)");
  client.stops_with({});
  EXPECT_EQ(client.ask("Hcp2a.2b"), "OK");
  EXPECT_EQ(client.ask("s1234"), "(no reply)");
  client.stops_with({});
  EXPECT_EQ(client.ask("C0a;4321"), "(no reply)");
  EXPECT_EQ(client.target.log, (std::vector<std::string>{"2a continue", "2b continue", "resume", "2b step", "resume",
                                                         "2b continue signal 7", "resume"}));
  EXPECT_EQ(client.target.threads.at(0x2B).registers.rip, 0x4321u);
}

// gdb refuses swbreak and hwbreak that it has not offered to understand; LLDB offers neither.
TEST(GdbstubStops, BreakpointReasonsOnlyForThoseWhoAsked) {
  Stop software, hardware;
  software.kind = StopKind::SoftwareBreakpoint, hardware.kind = StopKind::HardwareBreakpoint;
  Connected client;
  client.ask("vCont;c");
  EXPECT_TRUE(client.stops_with(software).starts_with("T05swbreak:;thread:p2a.2a;"));
  client.ask("vCont;c");
  EXPECT_TRUE(client.stops_with(hardware).starts_with("T05hwbreak:;thread:p2a.2a;"));
  client.ask("qSupported:xmlRegisters=i386");
  client.ask("vCont;c");
  EXPECT_TRUE(client.stops_with(software).starts_with("T05thread:2a;"));
  client.ask("vCont;c");
  EXPECT_TRUE(client.stops_with(hardware).starts_with("T05thread:2a;"));
}

TEST(GdbstubStops, Reasons) {
  Connected client;
  Stop stop;
  const auto after_running = [&] {
    client.ask("vCont;c");
    return client.stops_with(stop);
  };
  stop.signal = 11;
  EXPECT_TRUE(after_running().starts_with("T0bthread:"));
  stop.signal = 10;  // SIGUSR1 is 30 to gdb
  EXPECT_TRUE(after_running().starts_with("T1ethread:"));
  stop.kind = StopKind::Step;
  EXPECT_TRUE(after_running().starts_with("T05thread:"));
  stop.kind = StopKind::WriteWatchpoint, stop.address = 0x7FFF1234;
  EXPECT_TRUE(after_running().starts_with("T05watch:7fff1234;"));
  stop.kind = StopKind::ReadWatchpoint;
  EXPECT_TRUE(after_running().starts_with("T05rwatch:7fff1234;"));
  stop.kind = StopKind::AccessWatchpoint;
  EXPECT_TRUE(after_running().starts_with("T05awatch:7fff1234;"));
  stop.kind = StopKind::SyscallEntry, stop.number = 59;
  EXPECT_TRUE(after_running().starts_with("T05syscall_entry:3b;"));
  stop.kind = StopKind::SyscallReturn;
  EXPECT_TRUE(after_running().starts_with("T05syscall_return:3b;"));
  stop.kind = StopKind::Exec;
  EXPECT_TRUE(after_running().starts_with("T05exec:" + hex_of("/bin/program") + ";"));
  stop.kind = StopKind::ThreadCreated;
  EXPECT_TRUE(after_running().starts_with("T05create:;thread:p2a.2a;"));
  stop.kind = StopKind::ThreadExited, stop.status = 3, stop.thread = 0x99;
  EXPECT_EQ(after_running(), "w03;p2a.99");
  stop.kind = StopKind::Terminated, stop.signal = 7;
  EXPECT_EQ(after_running(), "X0a;process:2a");
}

// gdb takes the thread of a stop reply for the current one and sends no Hg for it: it read another thread's registers.
TEST(GdbstubStops, ThreadOfTheStopIsTheCurrentOne) {
  Connected client;
  client.target.add_thread(0x2B, "b");
  client.target.threads.at(0x2A).registers.rax = 0xAAAA;
  client.target.threads.at(0x2B).registers.rax = 0xBBBB;
  EXPECT_EQ(client.ask("Hgp2a.2a"), "OK");
  client.ask("vCont;c");
  Stop stop;
  stop.thread = 0x2B;
  client.stops_with(stop);
  EXPECT_EQ(client.ask("p0"), "bbbb000000000000");
  EXPECT_TRUE(client.ask("g").starts_with("bbbb000000000000"));
  EXPECT_EQ(client.ask("Hgp2a.2a"), "OK");
  EXPECT_EQ(client.ask("p0"), "aaaa000000000000");
}

TEST(GdbstubStops, TheEnd) {
  Connected client;
  client.ask("vCont;c");
  Stop stop;
  stop.kind = StopKind::Exited, stop.status = 3;
  client.target.threads.clear();
  EXPECT_EQ(client.stops_with(stop), "W03;process:2a");
  EXPECT_EQ(client.ask("?"), "W03;process:2a");
  EXPECT_EQ(client.ask("vCont;c"), "E03");
  EXPECT_EQ(client.ask("g"), "E03");
  EXPECT_EQ(client.ask("Hg0"), "OK");
  EXPECT_EQ(client.ask("D;2a"), "OK");
  client.server->connection_lost();
  EXPECT_TRUE(client.target.log.empty() || client.target.log.back() != "detach") << "nothing is left to go on";
}

// A client that comes while the app runs gets it stopped, and a stop that is no news of the program.
TEST(GdbstubStops, AttachingToARunningApp) {
  Connected client(gdbstub::Server::AppState::Running);
  EXPECT_EQ(client.ask("?"), "(no reply)");
  EXPECT_EQ(client.target.log, (std::vector<std::string>{"interrupt"}));
  Stop stop;
  stop.signal = 2;
  EXPECT_TRUE(client.stops_with(stop).starts_with("T05thread:"));
  // A crash that came first is news.
  Connected other(gdbstub::Server::AppState::Running);
  other.ask("?");
  stop.signal = 11;
  EXPECT_TRUE(other.stops_with(stop).starts_with("T0bthread:"));
}

TEST(GdbstubStops, ACrashWaitsForItsClient) {
  StubClient client(gdbstub::Server::AppState::Running);
  Stop stop;
  stop.thread = 0x2A, stop.signal = 11;
  client.server->report_stop(stop);
  EXPECT_TRUE(client.server->output().empty()) << "nobody has asked";
  client.connect();
  EXPECT_TRUE(client.ask("?").starts_with("T0bthread:p2a.2a;"));
}

TEST(GdbstubStops, WhileAnotherAnswerIsOnItsWay) {
  Connected client;
  client.ask("vCont;c");
  const std::string packet = test::framed("qAttached");
  client.server->feed({reinterpret_cast<const uint8_t*>(packet.data()), packet.size()});
  client.server->report_stop({StopKind::Signal, 0x2A, 11, 0, 0, 0});
  const std::string output = client.drain();
  EXPECT_TRUE(output.starts_with("$1#31$T0bthread:p2a.2a;")) << output;
}

TEST(GdbstubStops, WhatTheUserIsToReadWhileItRuns) {
  Connected client;
  const auto told = [&](const char* text) {
    client.server->tell(text);
    return client.payload(client.drain()).value_or("(nothing)");
  };
  EXPECT_EQ(told("too soon"), "(nothing)");
  client.ask("vCont;c");
  EXPECT_EQ(told("hi\n"), "O68690a");
  EXPECT_EQ(told("hi\n"), "O68690a");
  EXPECT_TRUE(client.stops_with({StopKind::Signal, 0x2A, 2, 0, 0, 0}).starts_with("T02"));
  EXPECT_EQ(told("too late"), "(nothing)");
}

TEST(GdbstubStops, DetachAndKill) {
  Connected client;
  EXPECT_EQ(client.ask("D;2a"), "OK");
  EXPECT_EQ(client.target.log.back(), "detach");
  EXPECT_TRUE(client.server->app_is_running());
  EXPECT_EQ(client.ask("?"), "(no reply)") << "the same connection may attach again";
  EXPECT_EQ(client.target.log.back(), "interrupt");
  client.stops_with({StopKind::Signal, 0x2A, 2, 0, 0, 0});
  EXPECT_EQ(client.ask("vCont;c"), "(no reply)");
  client.server->connection_lost();

  Connected killer;
  EXPECT_EQ(killer.ask("k"), "(no reply)");
  EXPECT_EQ(killer.target.log.back(), "kill");
  Stop stop;
  stop.kind = StopKind::Terminated, stop.signal = 9;
  EXPECT_EQ(killer.stops_with(stop), "X09;process:2a") << "LLDB waits for it";
  Connected other;
  EXPECT_EQ(other.ask("vKill;2a"), "OK");
  EXPECT_EQ(other.target.log.back(), "kill");
  EXPECT_EQ(other.ask("vKill;7"), "E03");
}

// --- threads

TEST(GdbstubThreads, ListedAndNamed) {
  Connected client;
  for (uint32_t id = 0x100; id < 0x100 + 9000; ++id) client.target.threads[id].name = "w";
  client.target.threads.at(0x2A).name = "a<b&\"}";
  std::string list = client.ask("qfThreadInfo");
  EXPECT_TRUE(list.starts_with("mp2a.2a,p2a.100,"));
  size_t count = 0;
  while (list != "l") {
    ASSERT_EQ(list[0], 'm');
    count += static_cast<size_t>(std::count(list.begin(), list.end(), ',')) + 1;
    list = client.ask("qsThreadInfo");
  }
  EXPECT_EQ(count, 9001u);
  EXPECT_EQ(client.ask("qThreadExtraInfo,p2a.2a"), hex_of("a<b&\"}"));
  EXPECT_EQ(client.ask("Tp2a.2a"), "OK");
  EXPECT_EQ(client.ask("Tp2a.2b"), "E03");
  EXPECT_EQ(client.ask("Hgp2a.2b"), "E03");
  EXPECT_EQ(client.ask("Hg-1"), "OK");
  EXPECT_EQ(client.ask("Hgp2a.-1"), "OK");
  EXPECT_EQ(client.ask("Hg0"), "OK");
  // Piece by piece.
  std::string xml;
  std::string piece = "m";
  while (piece[0] == 'm') {
    char packet[64];
    snprintf(packet, sizeof packet, "qXfer:threads:read::%zx,7ff", xml.size());
    piece = client.ask(packet);
    ASSERT_LE(piece.size(), 0x800u);
    xml += piece.substr(1);
  }
  EXPECT_EQ(piece[0], 'l');
  EXPECT_NE(xml.find("<thread id=\"p2a.2a\" name=\"a&lt;b&amp;&quot;}\"/>\n<thread id=\"p2a.100\" name=\"w\"/>"),
            std::string::npos);
  EXPECT_TRUE(xml.ends_with("</threads>\n"));
  EXPECT_EQ(client.ask("qXfer:threads:read::ffffffff,7ff"), "l");
}

// --- larger things

TEST(GdbstubTransfers, DescriptionComesInPieces) {
  Connected client;
  const std::string whole = client.ask("qXfer:features:read:target.xml:0,11fff");
  ASSERT_EQ(whole[0], 'l');
  for (const size_t size : {1u, 7u, 1000u, 0xFFBu}) {
    std::string xml, piece = "m";
    while (piece[0] == 'm') {
      char packet[64];
      snprintf(packet, sizeof packet, "qXfer:features:read:target.xml:%zx,%zx", xml.size(), size);
      piece = client.ask(packet);
      ASSERT_LE(piece.size(), size + 1);
      xml += piece.substr(1);
    }
    EXPECT_EQ(xml, whole.substr(1));
  }
  EXPECT_EQ(client.ask("qXfer:features:read:other.xml:0,10"), "E16");
}

TEST(GdbstubTransfers, Bytes) {
  Connected client;
  client.target.auxiliary_vector.assign(100, '}');
  EXPECT_EQ(client.ask("qXfer:auxv:read::0,40"), "m" + std::string(64, '}'));
  EXPECT_EQ(client.ask("qXfer:auxv:read::40,40"), "l" + std::string(36, '}'));
  EXPECT_EQ(client.ask("qXfer:auxv:read::64,40"), "l");
  EXPECT_EQ(client.ask("qXfer:exec-file:read:2a:0,40"), "l/bin/program");
  EXPECT_EQ(client.ask("qXfer:exec-file:read::5,3"), "mpro");
  EXPECT_EQ(client.ask("qXfer:exec-file:read:7:0,40"), "E03");
  EXPECT_EQ(client.ask("qXfer:siginfo:write::4:ab#"), "3");
  EXPECT_EQ(client.ask("qXfer:siginfo:read::3,5"), std::string("m\x07"
                                                               "ab#\x07"));
  EXPECT_EQ(client.ask("qXfer:siginfo:write::7f:ab"), "E05");
}

// What cannot run says so, and stays where it is.
TEST(GdbstubResume, WhatCannotRunSaysSo) {
  StubClient client;
  client.target.facts.cannot_run = "this is a picture";
  client.connect();
  EXPECT_EQ(client.features.find("vContSupported"), std::string::npos);
  EXPECT_EQ(client.ask("vCont?"), "");
  for (const char* packet : {"vCont;c", "vCont;s:p2a.2a;c", "c", "s", "C0b", "S05"})
    EXPECT_EQ(client.ask(packet), "E.this is a picture") << packet;
  EXPECT_EQ(client.ask("qC").substr(0, 2), "QC");
  // LLDB is told by another stop.
  client.ask("QThreadSuffixSupported");
  const std::string again = client.ask("c");
  EXPECT_EQ(again.substr(0, 1), "T");
  EXPECT_TRUE(again.ends_with("reason:exception;description:" + hex_of("this is a picture") + ";")) << again;
}

TEST(GdbstubTransfers, MemoryMap) {
  StubClient client;
  client.target.memory[0x1000].assign(0x200, 1);
  client.target.memory[0x8000].assign(0x10, 1);
  client.connect();
  EXPECT_EQ(client.features.find("memory-map"), std::string::npos);
  EXPECT_EQ(client.ask("qXfer:memory-map:read::0,1000"), "");
  client.target.facts.memory_map = true;
  client.connect();
  EXPECT_NE(client.features.find("qXfer:memory-map:read+"), std::string::npos);
  const std::string map = client.ask("qXfer:memory-map:read::0,1000");
  EXPECT_EQ(map,
            "l<?xml version=\"1.0\"?>\n<memory-map>\n<memory type=\"ram\" start=\"0x1000\" length=\"0x200\"/>\n"
            "<memory type=\"ram\" start=\"0x8000\" length=\"0x10\"/>\n</memory-map>\n");
  EXPECT_EQ(client.ask("qXfer:memory-map:read::3a,10"), "m" + map.substr(0x3b, 0x10));
}

TEST(GdbstubFiles, ReadOnlyHostFiles) {
  Connected client;
  client.target.file.assign(300, '*');
  EXPECT_EQ(client.ask("vFile:setfs:0"), "F0");
  EXPECT_EQ(client.ask("vFile:open:" + hex_of("/bin/program") + ",0,0"), "F3");
  EXPECT_EQ(client.ask("vFile:open:" + hex_of("/none") + ",0,1c0"), "F-1,2");
  EXPECT_EQ(client.ask("vFile:open:" + hex_of("/bin/program") + ",601,1ff"), "F-1,1e") << "for writing";
  EXPECT_EQ(client.ask("vFile:pread:3,10,120"), "Fc;" + std::string(12, '*'));
  EXPECT_EQ(client.ask("vFile:pread:3,10,12c"), "F0;");
  EXPECT_EQ(client.ask("vFile:pread:4,10,0"), "F-1,9");
  EXPECT_EQ(client.ask("vFile:close:3"), "F0");
  EXPECT_EQ(client.ask("vFile:readlink:" + hex_of("/l")), "Fc;/bin/program");
  EXPECT_EQ(client.ask("vFile:stat:" + hex_of("/long")), "F-1,5b") << "ENAMETOOLONG is 91 here";
  EXPECT_EQ(client.ask("vFile:unlink:" + hex_of("/l")), "F-1,1e");
  const std::string status = client.ask("vFile:fstat:3");
  ASSERT_TRUE(status.starts_with("F40;"));
  ASSERT_EQ(status.size(), 4u + 64);
  EXPECT_EQ(hex_of(status.substr(4 + 8, 4)), "000081ed") << "mode, big-endian";
  EXPECT_EQ(hex_of(status.substr(4 + 28, 8)), "000000000000012c") << "size";
}

TEST(GdbstubEvents, Filters) {
  Connected client;
  EXPECT_EQ(client.ask("QCatchSyscalls:1"), "OK");
  EXPECT_EQ(client.ask("QCatchSyscalls:1;0;3b"), "OK");
  EXPECT_EQ(client.ask("QCatchSyscalls:0"), "OK");
  EXPECT_EQ(client.ask("QPassSignals:1e;14;8f"), "OK");
  EXPECT_EQ(client.ask("QPassSignals:"), "OK");
  EXPECT_EQ(client.ask("QThreadEvents:1"), "OK");
  EXPECT_EQ(client.target.log,
            (std::vector<std::string>{"catch", "catch 0 59", "catch off", "pass 10200", "pass 0", "thread events"}));
}

TEST(GdbstubMonitor, SpeaksAndIsCutOff) {
  Connected client;
  EXPECT_EQ(client.ask("qRcmd," + hex_of("say hello\n")), hex_of("hello\n"));
  EXPECT_EQ(client.ask("qRcmd," + hex_of("say ")), "OK");
  EXPECT_EQ(client.ask("qRcmd," + hex_of("other")), "E16");
  client.target.monitor_extra = 100'000;
  const std::string answer = client.ask("qRcmd," + hex_of("say a"));
  EXPECT_LE(answer.size(), gdbstub::kPacketSize);
  EXPECT_TRUE(answer.ends_with(hex_of("\n(cut off: more than one packet holds)\n")));
}

TEST(GdbstubSignals, BothWays) {
  EXPECT_EQ(gdbstub::protocol_signal(7), 10);   // SIGBUS
  EXPECT_EQ(gdbstub::protocol_signal(17), 20);  // SIGCHLD
  EXPECT_EQ(gdbstub::protocol_signal(31), 12);  // SIGSYS
  EXPECT_EQ(gdbstub::protocol_signal(32), 77);  // SIG32 and SIG64 came later
  EXPECT_EQ(gdbstub::protocol_signal(34), 46);
  EXPECT_EQ(gdbstub::protocol_signal(64), 78);
  EXPECT_EQ(gdbstub::protocol_signal(16), 143);  // SIGSTKFLT has none
  for (int signal = 1; signal <= 64; ++signal)
    if (signal != 16) {
      EXPECT_EQ(gdbstub::linux_signal(gdbstub::protocol_signal(signal)), signal);
    }
  EXPECT_EQ(gdbstub::linux_signal(143), 0);
  EXPECT_EQ(gdbstub::linux_signal(7), 0) << "SIGEMT is not of this system";
}

// --- LLDB

struct Lldb : StubClient {
  Lldb() {
    exchange("+");
    ask("QStartNoAckMode");
    exchange("+");
    ask("qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;vfork-events+");
    EXPECT_EQ(ask("QThreadSuffixSupported"), "OK");
    EXPECT_EQ(ask("QListThreadsInStopReply"), "OK");
  }
};

TEST(GdbstubLldb, WhoAndWhere) {
  Lldb client;
  EXPECT_EQ(client.ask("qHostInfo"), "triple:" + hex_of("x86_64-unknown-linux-gnu") +
                                         ";ptrsize:8;endian:little;watchpoint_exceptions_received:after;");
  EXPECT_EQ(client.ask("qProcessInfo"), "pid:2a;parent-pid:0;triple:" + hex_of("x86_64-unknown-linux-gnu") +
                                            ";ostype:linux;endian:little;ptrsize:8;name:" + hex_of("program") + ";");
  client.target.memory[0x1000].assign(16, 0);
  EXPECT_EQ(client.ask("qMemoryRegionInfo:1008"), "start:1000;size:10;permissions:r;flags:;name:2f61;");
  EXPECT_EQ(client.ask("qMemoryRegionInfo:0"), "start:0;size:1000;");
}

TEST(GdbstubLldb, ThreadSuffix) {
  Lldb client;
  client.target.add_thread(0x2B, "a");
  const auto rax = [&](uint32_t id) { return client.target.threads.at(id).registers.rax; };
  EXPECT_EQ(client.ask("p0;thread:2b;"), little_endian(rax(0x2B), 8));
  EXPECT_EQ(client.ask("p0;thread:p2a.2a;"), little_endian(rax(0x2A), 8));
  EXPECT_EQ(client.ask("g;thread:2b;").substr(0, 16), little_endian(rax(0x2B), 8));
  EXPECT_EQ(client.ask("p0;thread:77;"), "E03");
  EXPECT_EQ(client.ask("P0=0100000000000000;thread:2b;"), "OK");
  EXPECT_EQ(rax(0x2B), 1u);
  const std::string all = client.ask("g;thread:2a;");
  EXPECT_EQ(client.ask("G" + all + ";thread:2b;"), "OK");
  EXPECT_EQ(rax(0x2B), rax(0x2A));
}

// LLDB counts signals as Linux does when the server knows QThreadSuffixSupported, and as gdb does otherwise.
TEST(GdbstubLldb, SignalsAreLinuxNumbers) {
  Lldb client;
  EXPECT_EQ(client.ask("QPassSignals:0a;40;41"), "OK");
  EXPECT_EQ(client.ask("vCont;C0a:p2a.2a;c"), "(no reply)");
  EXPECT_EQ(client.target.log, (std::vector<std::string>{"pass 8000000000000200", "2a continue signal 10", "resume"}));
  client.server->report_stop({StopKind::Signal, 0x2A, 10, 0, 0, 0});
  EXPECT_TRUE(client.payload(client.drain())->starts_with("T0athread:"));
  EXPECT_NE(client.ask("jThreadsInfo").find("\"signal\":10,"), std::string::npos);
}

TEST(GdbstubLldb, StopsNameAllThreads) {
  Lldb client;
  client.target.add_thread(0x2B, "a");
  client.ask("vCont;c");
  client.server->report_stop({StopKind::SoftwareBreakpoint, 0x2B, 0, 0, 0, 0});
  const std::string stop = *client.payload(client.drain());
  EXPECT_EQ(stop.find("swbreak"), std::string::npos);
  EXPECT_NE(stop.find(";hexname:61;threads:p2a.2a,p2a.2b;thread-pcs:"), std::string::npos) << stop;
  EXPECT_TRUE(stop.ends_with(";reason:breakpoint;")) << stop;
  EXPECT_TRUE(client.ask("qThreadStopInfo2b").starts_with("T05thread:p2a.2b;"));
  EXPECT_EQ(client.ask("qThreadStopInfo2a"), "T00thread:p2a.2a;");
}

// Found by the fuzzer: nothing has stopped yet, and no thread was named.
TEST(GdbstubLldb, AsksBeforeThereWasAStop) {
  Lldb client;
  EXPECT_NE(client.ask("?").find(";hexname:" + hex_of("main") + ";threads:p2a.2a;"), std::string::npos);
}

// The closing braces of JSON are the escape character (lldb-server forgets it).
TEST(GdbstubLldb, JsonIsEscaped) {
  Lldb client;
  client.target.threads.at(0x2A).name = "a\"}\\\n";
  const std::string output = client.exchange(test::framed("jThreadsInfo"));
  const std::string json = *client.payload(output);
  EXPECT_TRUE(json.starts_with(
      "[{\"tid\":42,\"name\":\"a\\\"}\\\\?\",\"signal\":0,\"reason\":\"signal\",\"registers\":{\"6\":\""))
      << json;
  EXPECT_TRUE(json.ends_with("\"}}]")) << json;
  EXPECT_EQ(output.find("\"}\""), std::string::npos) << "raw";
  for (uint32_t id = 0x100; id < 0x100 + 2000; ++id) client.target.add_thread(id, "w");
  EXPECT_EQ(client.ask("jThreadsInfo"), "") << "too long: not half of it";
}

// --- the program in memory

void put(std::vector<uint8_t>& bytes, size_t offset, std::initializer_list<uint64_t> words) {
  for (const uint64_t word : words) {
    std::memcpy(bytes.data() + offset, &word, 8);
    offset += 8;
  }
}

// A position-independent program at 0x10000 with PT_PHDR, PT_DYNAMIC and PT_TLS, and two libraries.
void load_program(test::FakeStubTarget& target) {
  auto& image = target.memory[0x10000];
  image.assign(0x2000, 0);
  put(image, 0x40, {6 | 4ull << 32, 0x40, 0x40, 0x40, 3 * 56, 3 * 56, 8});
  put(image, 0x40 + 56, {2 | 6ull << 32, 0x800, 0x800, 0x800, 64, 64, 8});
  put(image, 0x40 + 112, {7 | 4ull << 32, 0x900, 0x908, 0x908, 0x10, 0x21, 0x10});
  put(image, 0x800, {1, 2, 21, 0x10A00});             // DT_DEBUG
  put(image, 0xA00, {2, 0x11000, 0, 0, 0, 0x10B00});  // r_debug, two of them
  put(image, 0xB00, {2, 0x11300, 0, 0, 0, 0});
  put(image, 0x1000, {0x10000, 0x11F00, 0x10800, 0x11100, 0, 0, 0, 1});          // the program
  put(image, 0x1100, {0x7F0000, 0x11E00, 0x7F0800, 0x11200, 0x11000, 0, 0, 2});  // and two libraries
  put(image, 0x1200, {0x7E0000, 0x11E40, 0x7E0800, 0, 0x11100, 0, 0, 3});
  put(image, 0x1300, {0x7D0000, 0x11E40, 0x7D0800, 0, 0, 0, 0, 4});
  std::strcpy(reinterpret_cast<char*>(image.data()) + 0x1E00, "/lib/a<b>.so");
  std::strcpy(reinterpret_cast<char*>(image.data()) + 0x1E40, "/lib/c.so");
  target.auxiliary_vector.assign(6 * 8, 0);
  put(target.auxiliary_vector, 0, {3, 0x10040, 5, 3, 0, 0});
}

TEST(GdbstubProgram, Libraries) {
  Connected client;
  EXPECT_EQ(client.ask("qXfer:libraries-svr4:read::0,1000"), "l<library-list-svr4 version=\"1.0\"/>");
  EXPECT_EQ(client.ask("qShlibInfoAddr"), "E0e");
  load_program(client.target);
  EXPECT_EQ(client.ask("qShlibInfoAddr"), "10818") << "of the pointer, not of what it points to";
  const std::string expected =
      "<library-list-svr4 version=\"1.0\" main-lm=\"0x11000\">\n"
      "<library name=\"/lib/a&lt;b&gt;.so\" lm=\"0x11100\" l_addr=\"0x7f0000\" l_ld=\"0x7f0800\" lmid=\"0x10a00\"/>\n"
      "<library name=\"/lib/c.so\" lm=\"0x11200\" l_addr=\"0x7e0000\" l_ld=\"0x7e0800\" lmid=\"0x10a00\"/>\n"
      "<library name=\"/lib/c.so\" lm=\"0x11300\" l_addr=\"0x7d0000\" l_ld=\"0x7d0800\" lmid=\"0x10b00\"/>\n"
      "</library-list-svr4>\n";
  EXPECT_EQ(client.ask("qXfer:libraries-svr4:read::0,1000"), "l" + expected);
  put(client.target.memory[0x10000], 0xA00, {1});  // an old glibc: what is behind means nothing
  EXPECT_EQ(client.ask("qXfer:libraries-svr4:read::0,1000").find("0x10b00"), std::string::npos);
  put(client.target.memory[0x10000], 0x1200 + 24, {0x11100});  // a circle ends
  EXPECT_TRUE(client.ask("qXfer:libraries-svr4:read::0,100").starts_with("m<library-list"));
}

TEST(GdbstubProgram, ThreadLocalStorage) {
  Connected client;
  load_program(client.target);
  auto& registers = client.target.threads.at(0x2A).registers;
  registers.fs_base = 0x20000;
  // 0x21 bytes, aligned to 16, congruent to 8: 0x28 before the thread pointer (as ld lays it out).
  EXPECT_EQ(client.ask("qGetTLSAddr:p2a.2a,4,0"), "1ffdc");
  EXPECT_EQ(client.ask("qGetTLSAddr:p2a.2a,4,11000"), "1ffdc") << "the first of the list is the program";
  EXPECT_EQ(client.ask("qGetTLSAddr:p2a.2a,4,11100"), "E0e") << "nobody has said where the module's number is";
  EXPECT_EQ(client.ask("qSymbol::"), "qSymbol:" + hex_of("_thread_db_link_map_l_tls_modid"));
  auto& data = client.target.memory[0x20000];
  data.assign(0x1000, 0);
  put(data, 0x100, {64 | 1ull << 32, 0x38});  // 64 bits, one of them, at 0x38
  EXPECT_EQ(client.ask("qSymbol:20100:" + hex_of("_thread_db_link_map_l_tls_modid")), "OK");
  EXPECT_EQ(client.ask("qSymbol::"), "OK") << "known";
  put(data, 8, {0x20210});                    // the dynamic thread vector
  put(data, 0x200, {3, 0});                   // its length
  put(data, 0x210, {1, 0});                   // generation
  put(data, 0x230, {0x555000, 0, ~0ull, 0});  // module 2 is there, module 3 not yet
  EXPECT_EQ(client.ask("qGetTLSAddr:p2a.2a,4,11100"), "555004");
  EXPECT_EQ(client.ask("qGetTLSAddr:p2a.2a,4,11200"), "E0e");
  registers.fs_base = 0;
  EXPECT_EQ(client.ask("qGetTLSAddr:p2a.2a,4,0"), "E0e") << "before the C library has set it up";
}

}  // namespace
