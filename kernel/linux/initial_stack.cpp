#include "kernel/linux/initial_stack.h"

#include "kernel/arch/x86_64/cpu.h"
#include "kernel/arch/x86_64/user_access.h"
#include "kernel/task/process_state.h"

namespace kernel::linux {

StackPlaces g_stack_places{};

namespace {

constexpr uint64_t kAuxNull = 0, kAuxPlatform = 15, kAuxRandom = 25, kAuxProgramPath = 31;

Result<uint64_t> push_string(uint64_t at, const char* text) {
  const size_t size = __builtin_strlen(text) + 1;
  TRY(copy_to_user(at - size, text, size));
  return at - size;
}

struct Strings {
  uint64_t first;  // address of the first string
  size_t count;
};

// Pushes them so that the first one stands lowest, each right behind the one before.
Result<Strings> push_strings(uint64_t at, const char* const* texts) {
  size_t count = 0;
  while (texts[count] != nullptr) ++count;
  for (size_t index = count; index-- > 0;) at = TRY(push_string(at, texts[index]));
  return Strings{at, count};
}

class WordWriter {
 public:
  explicit WordWriter(uint64_t at) : at_(at) {}
  Result<void> write(uint64_t word) {
    TRY(write_user(at_, word));
    at_ += 8;
    return {};
  }
  Result<void> write_pointers(const Strings& strings, const char* const* texts) {
    uint64_t at = strings.first;
    for (size_t index = 0; index < strings.count; ++index) {
      TRY(write(at));
      at += __builtin_strlen(texts[index]) + 1;
    }
    return write(0);
  }
  Result<void> write_auxiliary(uint64_t type, uint64_t value) {
    add_auxiliary(type, value);
    TRY(write(type));
    return write(value);
  }

 private:
  uint64_t at_;
};

uint64_t text_size(const char* const* texts) {
  uint64_t size = 8;
  for (; *texts != nullptr; ++texts) size += __builtin_strlen(*texts) + 9;
  return size;
}

}  // namespace

Result<uint64_t> push_initial_stack(uint64_t top, uint64_t stack_size, const StackContents& contents) {
  if (text_size(contents.arguments) + text_size(contents.environment) > stack_size / 4) return Error::ArgumentsTooLong;
  uint64_t at = top - 8;  // Linux leaves a null word at the very top
  at = TRY(push_string(at, contents.program_path));
  const uint64_t program_path = at;
  const uint64_t environment_end = at;
  const Strings environment = TRY(push_strings(at, contents.environment));
  const Strings arguments = TRY(push_strings(environment.first, contents.arguments));
  at = arguments.first;
  at = (at - (random64() & 0x1FF0)) & ~uint64_t{15};  // Linux: arch_align_stack
  at = TRY(push_string(at, "x86_64"));
  const uint64_t platform = at;
  uint8_t random[16];
  random_bytes(random, sizeof random);
  at -= sizeof random;
  TRY(copy_to_user(at, random, sizeof random));
  const uint64_t random_address = at;

  const size_t words = 1 + arguments.count + 1 + environment.count + 1 + (contents.auxiliary.size() + 4) * 2;
  at = (at & ~uint64_t{15}) - (words * 8 + 15) / 16 * 16;
  g_stack_places = {at, arguments.first, environment.first, environment.first, environment_end};
  WordWriter writer(at);
  TRY(writer.write(arguments.count));
  TRY(writer.write_pointers(arguments, contents.arguments));
  TRY(writer.write_pointers(environment, contents.environment));
  for (const Auxiliary& entry : contents.auxiliary) TRY(writer.write_auxiliary(entry.type, entry.value));
  TRY(writer.write_auxiliary(kAuxPlatform, platform));
  TRY(writer.write_auxiliary(kAuxRandom, random_address));
  TRY(writer.write_auxiliary(kAuxProgramPath, program_path));
  TRY(writer.write_auxiliary(kAuxNull, 0));
  return at;
}

}  // namespace kernel::linux
