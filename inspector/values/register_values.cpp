#include "inspector/values/register_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "gdbstub/register_file.h"

namespace mortem::inspector {
namespace {

using gdbstub::RegisterSource;

struct RegisterPart {
  size_t gdb_number = 0;
  size_t offset = 0, size = 0;  // bytes of it
};

struct ByteNames {
  const char *whole, *half, *low, *high;  // rax: ax, al, ah
};
constexpr ByteNames kByteNames[] = {
    {"rax", "ax", "al", "ah"},
    {"rbx", "bx", "bl", "bh"},
    {"rcx", "cx", "cl", "ch"},
    {"rdx", "dx", "dl", "dh"},
    {"rsi", "si", "sil", nullptr},
    {"rdi", "di", "dil", nullptr},
    {"rbp", "bp", "bpl", nullptr},
    // $sp is the whole stack pointer.
    {"rsp", nullptr, "spl", nullptr},
};

std::string layout_name(const gdbstub::RegisterLayout& layout) {
  return layout.index < 0 ? std::string(layout.name) : fmt::format("{}{}", layout.name, layout.index);
}

std::optional<size_t> number_of(const std::string& name) {
  for (size_t number = 0; number < gdbstub::kRegisterCount; ++number) {
    const gdbstub::RegisterLayout& layout = gdbstub::kRegisterLayout[number];
    if (layout.source != RegisterSource::AvxUpperHalf && layout_name(layout) == name) return number;
  }
  return std::nullopt;
}

std::optional<RegisterPart> part_of(const std::string& name) {
  if (const auto number = number_of(name)) return RegisterPart{*number, 0, gdbstub::kRegisterLayout[*number].size};
  for (const ByteNames& one : kByteNames) {
    const size_t number = *number_of(one.whole);
    if (name == std::string("e") + (one.whole + 1)) return RegisterPart{number, 0, 4};
    if (one.half && name == one.half) return RegisterPart{number, 0, 2};
    if (name == one.low) return RegisterPart{number, 0, 1};
    if (one.high && name == one.high) return RegisterPart{number, 1, 1};
  }
  // r8d, r8w, r8b; gdb calls the last r8l.
  if (name.size() < 3 || name[0] != 'r' || !std::isdigit(static_cast<unsigned char>(name[1]))) return std::nullopt;
  const auto number = number_of(name.substr(0, name.size() - 1));
  const char last = name.back();
  const size_t size = last == 'd' ? 4 : last == 'w' ? 2 : last == 'b' || last == 'l' ? 1 : 0;
  if (!number || size == 0) return std::nullopt;
  return RegisterPart{*number, 0, size};
}

class RegisterTypes {
 public:
  explicit RegisterTypes(ProgramValues& program) : program_(program) {}

  const Type* integer(size_t size) {
    switch (size) {
      case 1:
        return program_.base("int8_t", TypeKind::Signed, 1);
      case 2:
        return program_.base("int16_t", TypeKind::Signed, 2);
      case 4:
        return program_.base("int", TypeKind::Signed, 4);
      default:
        return program_.base("long", TypeKind::Signed, 8);
    }
  }

  // All that its bits can mean: gdb/features/i386/64bit-sse.xml, vec128.
  const Type* vector(size_t size) {
    Type type;
    type.name = fmt::format("vec{}", size * 8);
    type.kind = TypeKind::Union;
    auto add = [&](const char* name, const Type* element) {
      const uint64_t count = size / element->size;
      Member member;
      member.name = fmt::format("v{}_{}", count, name);
      member.type = program_.array_of(element, count, true);
      type.details.members.push_back(std::move(member));
    };
    add("float", program_.base("float", TypeKind::Float, 4));
    add("double", program_.base("double", TypeKind::Float, 8));
    add("int8", integer(1));
    add("int16", integer(2));
    add("int32", integer(4));
    add("int64", integer(8));
    type.size = size;
    return program_.made(std::move(type));
  }

  // Intel SDM vol. 1, 3.4.3 and 10.2.3; gdb/features/i386/64bit-core.xml and 64bit-sse.xml.
  const Type* flags(const std::string& name) {
    static constexpr std::array<const char*, 22> kEflags = {"CF", "",   "PF", "",    "AF",  "",  "ZF", "SF",
                                                            "TF", "IF", "DF", "OF",  "",    "",  "NT", "",
                                                            "RF", "VM", "AC", "VIF", "VIP", "ID"};
    static constexpr std::array<const char*, 16> kMxcsr = {"IE", "DE", "ZE", "OE", "UE", "PE", "DAZ", "IM",
                                                           "DM", "ZM", "OM", "UM", "PM", "",   "",    "FZ"};
    Type type;
    type.kind = TypeKind::Enumeration;
    type.name = "i386_" + name;
    const std::span<const char* const> names = name == "eflags" ? std::span<const char* const>(kEflags) : kMxcsr;
    for (size_t bit = 0; bit < names.size(); ++bit)
      if (*names[bit] != '\0') type.details.enumerators.push_back({names[bit], int64_t{1} << bit});
    // Always set (SDM vol. 1, 3.4.3).
    if (name == "eflags") type.details.enumerators.push_back({"0x2", 2});
    type.size = 4;
    return program_.made(std::move(type));
  }

 private:
  ProgramValues& program_;
};

Value vector_256(ProgramValues& program, FrameValues& frame, size_t index) {
  const Type* type = RegisterTypes(program).vector(32);
  auto low = frame.thread_register(*number_of(fmt::format("xmm{}", index)));
  if (!low) return Value::unknown(type, low.error());
  const auto high = frame.thread_register(gdbstub::kFirstAvxRegister + index);
  if (!high) return Value::unknown(type, high.error());
  low->insert(low->end(), high->begin(), high->end());
  return Value::of_bytes(type, std::move(*low));
}

}  // namespace

Result<Value> register_value(ProgramValues& program, FrameValues& frame, const std::string& text) {
  const std::string name = text == "pc" ? "rip" : text == "sp" ? "rsp" : text == "fp" ? "rbp" : text;
  for (size_t index = 0; index < 16; ++index)
    if (name == fmt::format("ymm{}", index)) return vector_256(program, frame, index);
  const auto part = part_of(name);
  if (!part) return failure(ErrorKind::BadInput, fmt::format("there is no register ${}", text));
  const gdbstub::RegisterLayout& layout = gdbstub::kRegisterLayout[part->gdb_number];
  RegisterTypes types(program);
  const Type* type = layout.source == RegisterSource::Sse        ? types.vector(16)
                     : layout.source == RegisterSource::X87Stack ? program.base("long double", TypeKind::Float, 16)
                     : name == "eflags" || name == "mxcsr"       ? types.flags(name)
                     : name == "rip" || name == "rsp" || name == "rbp" ? program.pointer_to(nullptr)
                                                                       : types.integer(part->size);
  auto bytes = frame.thread_register(part->gdb_number);
  if (!bytes) return Value::unknown(type, bytes.error());
  bytes->erase(bytes->begin(), bytes->begin() + static_cast<ptrdiff_t>(part->offset));
  bytes->resize(type->size);  // of an st register ten are the number (psABI, 3.1.2)
  return Value::of_bytes(type, std::move(*bytes));
}

}  // namespace mortem::inspector
