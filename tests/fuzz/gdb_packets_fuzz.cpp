// Any client: packets right and wrong, cut anywhere, stops and lost connections between them. Whatever comes in, what
// goes out is well-formed and fits, and the next client is served. An input is a list of steps: a byte that says what,
// a byte with a length, and so many bytes.
#include <cstdlib>

#include "stub_client.h"

using namespace mortem;

namespace {

constexpr uint8_t kPacket = 'p', kRaw = 'r', kBytewise = 'b', kStop = 's', kLost = 'l', kUnread = 'u';

void check(const std::string& output) {
  for (size_t at = 0; at < output.size();) {
    if (output[at] == '+' || output[at] == '-') {
      ++at;
      continue;
    }
    const size_t end = output.find('#', at);
    if (output[at] != '$' || end == std::string::npos || end + 3 > output.size()) abort();
    if (end + 3 - at > gdbstub::kPacketSize + 4) abort();
    (void)test::StubClient::payload(output.substr(at, end + 3 - at));  // throws
    at = end + 3;
  }
}

// A little program with a library, so that what reads the target's memory finds something.
void fill(test::FakeStubTarget& target, const std::string& input) {
  target.add_thread(0x2B, "a<}");
  auto& memory = target.memory[0x10000];
  memory.assign(0x2000, '}');
  for (size_t index = 0; index < memory.size() && index < input.size(); ++index) memory[index] = uint8_t(input[index]);
  const auto put = [&](size_t offset, std::initializer_list<uint64_t> words) {
    for (const uint64_t word : words) {
      std::memcpy(memory.data() + offset, &word, 8);
      offset += 8;
    }
  };
  put(0x1040, {6 | 4ull << 32, 0x1040, 0x1040, 0x1040, 3 * 56, 3 * 56, 8});
  put(0x1040 + 56, {2 | 6ull << 32, 0x1800, 0x1800, 0x1800, 64, 64, 8});
  put(0x1040 + 112, {7 | 4ull << 32, 0x1900, 0x1908, 0x1908, 0x10, 0x21, 0x10});
  put(0x1800, {21, 0x11A00});
  put(0x1A00, {2, 0x11B00, 0, 0, 0, 0x10100});
  put(0x1B00, {0x10000, 0x10200, 0x11800, 0x10400, 0, 0, 0, 1});
  target.auxiliary_vector.assign(48, 0);
  const uint64_t vector[] = {3, 0x11040, 5, 3, 0, 0};
  std::memcpy(target.auxiliary_vector.data(), vector, sizeof vector);
  target.file.assign(500, '#');
  target.monitor_extra = input.size() % 7 == 0 ? 9000 : 0;
  target.threads.at(0x2B).registers.fs_base = 0x10800;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  test::StubClient client(size % 2 == 0 ? gdbstub::Server::AppState::Running : gdbstub::Server::AppState::Stopped);
  fill(client.target, input);
  for (size_t at = 0; at + 2 <= input.size();) {
    const uint8_t what = data[at];
    const std::string text = input.substr(at + 2, data[at + 1]);
    at += 2 + text.size();
    if (what == kPacket) {
      check(client.exchange(test::framed(text)));
    } else if (what == kRaw) {
      check(client.exchange(text));
    } else if (what == kBytewise) {
      check(client.exchange(test::framed(text), 1));
    } else if (what == kStop && text.size() >= 3) {
      gdbstub::Stop stop;
      stop.kind = static_cast<gdbstub::StopKind>(text[0] % 14);
      stop.thread = text[1] % 2 != 0 ? 0x2A : 0x2B;
      stop.signal = text[2];
      stop.address = stop.number = 0x1234;
      client.server->report_stop(stop);
      check(client.drain());
    } else if (what == kLost) {
      client.server->connection_lost();
      if (!client.server->output().empty()) abort();
    } else if (what == kUnread) {  // a client that does not read
      const std::string packet = test::framed(text);
      client.server->feed({reinterpret_cast<const uint8_t*>(packet.data()), packet.size()});
      client.server->consume(packet.size() / 2);
      const std::string rest = client.drain();
      if (rest.size() > gdbstub::kPacketSize + 5) abort();
    }
  }
  client.server->connection_lost();
  if (client.exchange(test::framed("qAttached")) != "+$1#31") abort();
  return 0;
}
