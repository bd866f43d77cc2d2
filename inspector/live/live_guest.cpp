#include "inspector/live/live_guest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gdbstub/arguments.h"
#include "gdbstub/register_file.h"
#include "inspector/target/live_core.h"

namespace mortem::inspector {
namespace {

constexpr int kGdbTrap = 5;
constexpr int kPatience = 200;  // milliseconds between looks at whether somebody wants it to stop

// Where register `number` stands in the digits of `g`.
struct DigitRange {
  size_t offset, length;
};
DigitRange digits_of(size_t number) {
  size_t offset = 0;
  for (size_t index = 0; index < number; ++index) offset += 2 * gdbstub::kRegisterLayout[index].size;
  return {offset, 2 * size_t{gdbstub::kRegisterLayout[number].size}};
}

std::optional<size_t> number_of(const std::string& name) {
  for (size_t number = 0; number < gdbstub::kRegisterCount; ++number) {
    const gdbstub::RegisterLayout& layout = gdbstub::kRegisterLayout[number];
    std::string full(layout.name);
    if (layout.index >= 0) full += std::to_string(layout.index);
    if (full == name) return number;
  }
  return std::nullopt;
}

void put(std::string& digits, size_t number, std::span<const uint8_t> value) {
  const DigitRange range = digits_of(number);
  for (size_t index = 0; index < value.size() && 2 * index < range.length; ++index)
    digits.replace(range.offset + 2 * index, 2, fmt::format("{:02x}", value[index]));
}

void put(std::string& digits, const char* name, uint64_t value) {
  put(digits, *number_of(name), std::span(reinterpret_cast<const uint8_t*>(&value), sizeof value));
}

std::optional<uint64_t> take(const std::string& digits, const char* name) {
  const DigitRange range = digits_of(*number_of(name));
  uint64_t value = 0;
  const std::span<uint8_t> bytes(reinterpret_cast<uint8_t*>(&value), range.length / 2);
  if (range.offset + range.length > digits.size()) return std::nullopt;
  gdbstub::Arguments arguments(std::string_view(digits).substr(range.offset, range.length));
  return arguments.hex_bytes(bytes) ? std::optional(value) : std::nullopt;
}

}  // namespace

Result<std::unique_ptr<LiveGuest>> LiveGuest::attach(int socket, const std::string& name) {
  std::shared_ptr<StubClient> stub = TRY(StubClient::connect(socket, name));
  return std::unique_ptr<LiveGuest>(new LiveGuest(std::move(stub), name));
}

LiveGuest::~LiveGuest() = default;

Result<std::unique_ptr<snapshot::CoreFile>> LiveGuest::snapshot() {
  return open_live_core(stub_, name_);
}

void LiveGuest::interrupt() {
  interrupted_ = true;
  if (running_) stub_->interrupt();
}

Result<StubStop> LiveGuest::wait() {
  running_ = true;
  bool is_told = false;
  for (;;) {
    // It may have been wanted before the program ran.
    if (was_interrupted() && !is_told) {
      stub_->interrupt();
      is_told = true;
    }
    auto stop = stub_->wait_for_stop(kPatience);
    if (!stop) {
      running_ = false;
      return tl::unexpected(std::move(stop.error()));
    }
    if (!*stop) continue;
    running_ = false;
    return **stop;
  }
}

Result<void> LiveGuest::insert(const std::vector<LivePoint>& points) {
  for (const LivePoint& one : points) {
    if (std::find(inserted_.begin(), inserted_.end(), one) != inserted_.end()) continue;
    auto done = stub_->insert(one.kind, one.address, one.length);
    if (!done) {
      take_out();
      return done;
    }
    inserted_.push_back(one);
  }
  return {};
}

void LiveGuest::take_out() {
  for (const LivePoint& one : inserted_) (void)stub_->remove(one.kind, one.address, one.length);
  inserted_.clear();
}

bool LiveGuest::stands_at_point(uint64_t pc, const std::vector<LivePoint>& points) const {
  return std::any_of(points.begin(), points.end(), [&](const LivePoint& one) {
    return one.address == pc && (one.kind == StubPoint::Software || one.kind == StubPoint::Hardware);
  });
}

Result<StubStop> LiveGuest::run(uint32_t thread, const std::vector<LivePoint>& also, Direction direction) {
  // Off a point first, or it would stop where it stands. Backwards is what was before.
  const uint64_t pc = TRY(register_value(thread, "rip"));
  if (direction == Direction::Forwards && (stands_at_point(pc, points_) || stands_at_point(pc, also))) {
    const StubStop stop = TRY(step(thread));
    if (stop.kind != StubStop::Kind::Stopped || stop.code != kGdbTrap) return stop;
  }
  TRY_VOID(insert(points_));
  TRY_VOID(insert(also));
  TRY_VOID(stub_->resume(direction));
  auto stop = wait();
  if (stop && stop->kind == StubStop::Kind::Stopped)
    take_out();
  else
    inserted_.clear();
  return stop;
}

Result<StubStop> LiveGuest::step(uint32_t thread, Direction direction) {
  TRY_VOID(stub_->step(thread, direction));
  return wait();
}

Result<std::string> LiveGuest::monitor(const std::string& command) {
  return stub_->monitor(command);
}

Result<std::string> LiveGuest::go(const std::string& place) {
  constexpr int kAsLongAsItTakes = -1;
  running_ = true;
  auto said = stub_->monitor("go " + place, kAsLongAsItTakes);
  running_ = false;
  if (said) TRY_VOID(stub_->learn_stop());
  return said;
}

Result<uint64_t> LiveGuest::register_value(uint32_t thread, const char* name) {
  const auto value = take(TRY(stub_->registers(thread)), name);
  if (value) return *value;
  return failure(ErrorKind::Unavailable, fmt::format("{}: {} of thread {} is not known", name_, name, thread));
}

Result<void> LiveGuest::set_register(uint32_t thread, const std::string& name, std::span<const uint8_t> value) {
  const auto number = number_of(name);
  if (!number) return failure(ErrorKind::NotFound, fmt::format("{}: no register that can be set", name));
  if (value.size() > gdbstub::kRegisterLayout[*number].size)
    return failure(ErrorKind::BadInput, fmt::format("{}: holds {} bytes, not {}", name,
                                                    gdbstub::kRegisterLayout[*number].size, value.size()));
  std::string digits = TRY(stub_->registers(thread));
  const DigitRange range = digits_of(*number);
  if (range.offset + range.length > digits.size())
    return failure(ErrorKind::Unavailable, fmt::format("{}: the guest has no such register", name));
  put(digits, *number, value);
  return stub_->write_registers(thread, digits);
}

Result<void> LiveGuest::write_memory(uint64_t address, std::span<const uint8_t> bytes) {
  return stub_->write_memory(address, bytes);
}

Result<std::string> LiveGuest::write_dump() {
  return stub_->monitor("dump");
}

Result<uint64_t> LiveGuest::call(uint32_t thread, uint64_t address, const std::vector<uint64_t>& arguments,
                                 uint64_t landing) {
  constexpr const char* kArguments[] = {"rdi", "rsi", "rdx", "rcx", "r8", "r9"};
  constexpr uint64_t kRedZone = 128, kAlignment = 16;  // AMD64 psABI 3.2.2
  if (arguments.size() > std::size(kArguments))
    return failure(ErrorKind::Unsupported, "a call has at most six arguments here");
  const std::string before = TRY(stub_->registers(thread));
  const auto stack = take(before, "rsp");
  if (!stack) return failure(ErrorKind::Unavailable, fmt::format("the stack of thread {} is not known", thread));
  std::string digits = before;
  const uint64_t top = ((*stack - kRedZone) & ~(kAlignment - 1)) - sizeof(uint64_t);
  for (size_t index = 0; index < arguments.size(); ++index) put(digits, kArguments[index], arguments[index]);
  put(digits, "rax", 0);  // no vector registers are used, of a function with variable arguments
  put(digits, "rsp", top);
  put(digits, "rip", address);
  put(digits, "orig_rax", ~uint64_t{0});  // what it waited in is not made again in the function
  uint64_t saved_word = 0;
  const std::span<uint8_t> saved(reinterpret_cast<uint8_t*>(&saved_word), sizeof saved_word);
  if (TRY(stub_->read_memory(top, saved)) != saved.size())
    return failure(ErrorKind::Unavailable, "there is no room on its stack");
  TRY_VOID(stub_->write_memory(top, {reinterpret_cast<const uint8_t*>(&landing), sizeof landing}));
  TRY_VOID(stub_->write_registers(thread, digits));
  const auto stop = run(thread, {{StubPoint::Software, landing, 1}});
  std::optional<uint64_t> result;
  std::string why;
  if (!stop) {
    why = stop.error().message;
  } else if (stop->kind != StubStop::Kind::Stopped) {
    return failure(ErrorKind::Unavailable, "the program ended in the function that was called");
  } else {
    const auto pc = register_value(thread, "rip");
    if (stop->code == kGdbTrap && stop->thread == thread && pc && *pc == landing) {
      if (const auto given = register_value(thread, "rax")) result = *given;
    } else {
      why = fmt::format("the function stopped at {:#x} (signal {}) before it returned", pc ? *pc : 0, stop->code);
    }
  }
  (void)stub_->write_memory(top, saved);
  TRY_VOID(stub_->write_registers(thread, before));
  if (!result) return failure(ErrorKind::Unavailable, why.empty() ? "what it gave is not known" : why);
  return *result;
}

}  // namespace mortem::inspector
