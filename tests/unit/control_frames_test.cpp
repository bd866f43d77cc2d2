#include "kernel/drivers/control_frames.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "tests/unit/kernel_device_fakes.h"

namespace {

using mortem::format::ControlHeader;
using mortem::format::ControlType;

std::vector<std::pair<ControlType, std::string>> g_messages;

void receive(ControlType type, std::span<const uint8_t> payload) {
  g_messages.push_back({type, std::string(payload.begin(), payload.end())});
}

std::string message(ControlType type, const std::string& payload, uint16_t version = 1) {
  const ControlHeader header{static_cast<uint32_t>(payload.size()), version, type};
  return std::string(reinterpret_cast<const char*>(&header), sizeof header) + payload;
}

void feed(kernel::ControlFrames& frames, const std::string& bytes, size_t piece) {
  for (size_t at = 0; at < bytes.size(); at += piece) {
    const std::string part = bytes.substr(at, piece);
    frames.feed({reinterpret_cast<const uint8_t*>(part.data()), part.size()}, receive);
  }
}

TEST(ControlFrames, MessagesArriveHoweverTheyAreCut) {
  const std::string large(mortem::format::kMaximumControlPayload, 'z');
  const std::string stream = message(ControlType::DumpNow, "") + message(ControlType::TraceOn, "abc") +
                             message(ControlType::Terminate, large) + message(static_cast<ControlType>(999), "new") +
                             message(ControlType::TraceOff, "");
  for (size_t piece : {1u, 2u, 3u, 7u, 8u, 9u, 11u, 100u, 4096u, 100'000u}) {
    g_messages.clear();
    kernel::ControlFrames frames;
    feed(frames, stream, piece);
    ASSERT_EQ(g_messages.size(), 5u) << piece;
    EXPECT_EQ(g_messages[0].first, ControlType::DumpNow);
    EXPECT_EQ(g_messages[1].second, "abc");
    EXPECT_EQ(g_messages[2].second, large);
    EXPECT_EQ(g_messages[3].second, "new");
    EXPECT_EQ(g_messages[4].first, ControlType::TraceOff);
  }
}

TEST(ControlFrames, TooLongAndUnknownVersionsAreDroppedWhole) {
  const std::string too_long(mortem::format::kMaximumControlPayload + 1, 'x');
  const std::string stream = message(ControlType::DumpNow, too_long) + message(ControlType::TraceOn, "later", 2) +
                             message(ControlType::TraceOff, "kept");
  for (size_t piece : {1u, 5u, 1000u, 100'000u}) {
    g_messages.clear();
    kernel_fakes::g_log.clear();
    kernel::ControlFrames frames;
    feed(frames, stream, piece);
    ASSERT_EQ(g_messages.size(), 1u) << piece;
    EXPECT_EQ(g_messages[0].second, "kept");
    EXPECT_EQ(kernel_fakes::g_log.size(), 2u);
    EXPECT_TRUE(kernel_fakes::logged("4097 bytes dropped"));
  }
}

}  // namespace
