// What gdb 13.1 and LLDB 19 really send, one packet of each kind, in their order; the addresses are those of the fuzz
// target's little program.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace mortem::test {

using namespace std::string_view_literals;

inline const std::vector<std::string_view> kGdbSession = {
    "qSupported:multiprocess+;swbreak+;hwbreak+;qRelocInsn+;fork-events+;vfork-events+;exec-events+;vContSupported+;"
    "QThreadEvents+;no-resumed+;memory-tagging+;xmlRegisters=i386"sv,
    "vMustReplyEmpty"sv,
    "QStartNoAckMode"sv,
    "QProgramSignals:0;1;3;4;6;7;8;9;a;b;c;d;e;f;10;11;12;13;14"sv,
    "Hgp0.0"sv,
    "qXfer:features:read:target.xml:0,ffb"sv,
    "qXfer:features:read:target.xml:ff0,ffb"sv,
    "QNonStop:0"sv,
    "qTStatus"sv,
    "?"sv,
    "qXfer:threads:read::0,1000"sv,
    "qAttached:2a"sv,
    "Hc-1"sv,
    "qC"sv,
    "qOffsets"sv,
    "g"sv,
    "qXfer:exec-file:read:2a:0,1000"sv,
    "vFile:setfs:0"sv,
    "vFile:open:6a7573742070726f62696e67,0,1c0"sv,
    "vFile:open:2f62696e2f70726f6772616d,0,0"sv,
    "vFile:fstat:3"sv,
    "vFile:pread:3,fff,0"sv,
    "vFile:readlink:2f62696e"sv,
    "vFile:stat:2f62696e"sv,
    "vFile:close:3"sv,
    "qSymbol::"sv,
    "qSymbol:10000:5f7468726561645f64625f6c696e6b5f6d61705f6c5f746c735f6d6f646964"sv,
    "qXfer:auxv:read::0,1000"sv,
    "qXfer:libraries-svr4:read::0,1000"sv,
    "qGetTLSAddr:p2a.2b,4,0"sv,
    "qGetTLSAddr:p2a.2b,4,10100"sv,
    "m10000,40"sv,
    "x10000,1000"sv,
    "X10000,0:"sv,
    "X10010,4:ab#}"sv,
    "M10000,2:9090"sv,
    "Z0,10100,1"sv,
    "Z1,10100,1"sv,
    "Z2,10200,4"sv,
    "Z3,10200,4"sv,
    "Z4,10200,8"sv,
    "vCont?"sv,
    "QPassSignals:e;10;14;17;1a;1b;1c;21;24;25;2c;4c;97;"sv,
    "QCatchSyscalls:1;3b;6e"sv,
    "QThreadEvents:1"sv,
    "vCont;s:p2a.2b;c:p2a.-1"sv,
    "vCont;r10000,10010:p2a.2a;C0b"sv,
    "Tp2a.2b"sv,
    "Hgp2a.2b"sv,
    "p10"sv,
    "p3f"sv,
    "P7=0011223344556677"sv,
    "P28=00112233445566778899aabbccddeeff"sv,
    "P22=ffff0000"sv,
    "qXfer:siginfo:read::0,1000"sv,
    "qXfer:siginfo:write::0:abcdefgh"sv,
    "qThreadExtraInfo,p2a.2b"sv,
    "qfThreadInfo"sv,
    "qsThreadInfo"sv,
    "qRcmd,7361792068656c6c6f"sv,
    "qCRC:10000,100"sv,
    "s"sv,
    "C0b;10000"sv,
    "z0,10100,1"sv,
    "D;2a"sv,
    "vKill;2a"sv,
    "k"sv};

inline const std::vector<std::string_view> kLldbSession = {
    "QStartNoAckMode"sv,
    "qSupported:xmlRegisters=i386,arm,mips,arc;multiprocess+;fork-events+;vfork-events+"sv,
    "QThreadSuffixSupported"sv,
    "QListThreadsInStopReply"sv,
    "qHostInfo"sv,
    "vCont?"sv,
    "qVAttachOrWaitSupported"sv,
    "QEnableErrorStrings"sv,
    "qProcessInfo"sv,
    "?"sv,
    "qXfer:features:read:target.xml:0,11fff"sv,
    "p0;thread:2a;"sv,
    "qStructuredDataPlugins"sv,
    "qXfer:auxv:read::0,11fff"sv,
    "qMemoryRegionInfo:10000"sv,
    "qShlibInfoAddr"sv,
    "x0,0"sv,
    "x10000,200"sv,
    "qXfer:libraries-svr4:read::0,11fff"sv,
    "jThreadsInfo"sv,
    "jThreadExtendedInfo:"sv,
    "QPassSignals:0a;0e;1b;20;40"sv,
    "Z0,10100,1"sv,
    "qWatchpointSupportInfo:"sv,
    "Z2,10200,4"sv,
    "vCont;c:p2a.-1"sv,
    "qThreadStopInfo2b"sv,
    "g;thread:2b;"sv,
    "P0=0011223344556677;thread:2b;"sv,
    "vCont;s:p2a.2b"sv,
    "D;000000000000002a"sv,
    "k"sv};

// As the fuzz target reads it: each packet is a step, and the app stops after what makes it run.
inline std::string as_fuzz_input(const std::vector<std::string_view>& session, char step) {
  std::string input;
  const auto add = [&input](char what, std::string_view text) {
    input += what;
    input += static_cast<char>(text.size());
    input += text;
  };
  add('r', "+");
  int kind = 0;
  for (const std::string_view packet : session) {
    add(step, packet.substr(0, 255));
    if (packet == "QStartNoAckMode") add('r', "+");
    if (packet.starts_with("vCont;") || packet == "?" || packet == "s" || packet[0] == 'C') {
      add('r', "\x03");
      const char stop[] = {static_cast<char>(kind++ % 12), static_cast<char>(kind), 11};
      add('s', std::string_view(stop, 3));
    }
  }
  add('l', "");
  return input;
}

}  // namespace mortem::test
