// Any bytes as a DWARF location expression: an error or pieces, within bounds, and never a value from what is unknown.
#include "inspector/values/location.h"

#include <cstdlib>
#include <cstring>

using namespace mortem;
using namespace mortem::inspector;

namespace {

// Memory that holds one page of numbers at 0x1000, and nothing else.
class OnePage final : public Target {
 public:
  const std::string& name() const override { return name_; }
  const std::vector<TargetThread>& threads() const override { return threads_; }
  Result<format::GeneralRegisters> registers(uint32_t) const override { return format::GeneralRegisters{}; }
  const std::vector<CoreModule>& modules() const override { return modules_; }
  Result<size_t> read_memory(uint64_t address, std::span<uint8_t> to) const override {
    if (address < 0x1000 || address >= 0x2000) return size_t{0};
    const size_t length = std::min<size_t>(to.size(), 0x2000 - address);
    std::memset(to.data(), static_cast<int>(address & 0x7F), length);
    return length;
  }
  const std::vector<TargetRegion>& regions() const override { return regions_; }
  std::span<const uint8_t> extended_state(uint32_t) const override { return {}; }
  std::span<const uint8_t> signal_information(uint32_t) const override { return {}; }
  int stop_signal(uint32_t) const override { return 0; }
  const snapshot::CoreFile& core() const override { abort(); }  // a location asks nothing of it

 private:
  std::string name_ = "one page";
  std::vector<TargetThread> threads_;
  std::vector<CoreModule> modules_;
  std::vector<TargetRegion> regions_;
};

// Every second question has an answer.
class SomeAnswers final : public LocationContext {
 public:
  Found<std::vector<uint8_t>> register_bytes(uint64_t number) override {
    if (number % 2 == 1) return not_known("a register was not saved");
    return std::vector<uint8_t>(number % 4 == 0 ? 8 : 16, static_cast<uint8_t>(number));
  }
  Found<uint64_t> frame_base() override { return 0x1100; }
  Found<uint64_t> cfa() override { return not_known("the frame's address is not known"); }
  uint64_t load_bias() override { return 0x1000; }
  Found<uint64_t> indexed(uint64_t index) override { return answer(index); }
  Found<uint64_t> thread_local_address(uint64_t offset) override { return answer(offset); }
  Found<uint64_t> entry_value(std::span<const uint8_t> expression) override { return answer(expression.size()); }
  Found<uint64_t> parameter_at_entry(uint64_t offset) override { return answer(offset); }
  Found<uint64_t> variable_value(uint64_t offset) override { return answer(offset); }
  Found<ExpressionType> base_type(uint64_t offset) override {
    constexpr TypeKind kKinds[] = {TypeKind::Signed, TypeKind::Unsigned, TypeKind::Float, TypeKind::Boolean};
    constexpr uint64_t kSizes[] = {1, 2, 4, 8, 16, 0};
    if (offset > 23) return not_known("no such type");
    const TypeKind kind = kKinds[offset % 4];
    return ExpressionType{kind, kind == TypeKind::Float ? (offset < 12 ? 4 : 8) : kSizes[offset % 6], false};
  }
  Found<std::vector<uint8_t>> called(uint64_t offset, bool) override {
    return std::vector<uint8_t>{static_cast<uint8_t>(offset), static_cast<uint8_t>(offset >> 8)};
  }

 private:
  static Found<uint64_t> answer(uint64_t question) {
    if (question % 2 == 1) return not_known("odd");
    return question;
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  OnePage target;
  MemoryCache memory(target);
  SomeAnswers context;
  const std::span<const uint8_t> bytes(data, size);
  const auto pieces = evaluate_location(bytes, context, memory);
  if (pieces && pieces->empty()) abort();
  if (!pieces && pieces.error().why.empty()) abort();
  if (pieces)
    for (const LocationPiece& one : *pieces)
      if (one.kind == LocationPiece::Kind::Missing && one.missing.why.empty()) abort();
  const auto number = evaluate_number(bytes, context, memory, {0x1234, {1, 2, 3}});
  if (!number && number.error().why.empty()) abort();
  return 0;
}
