#include "gdbstub/target_description.h"

#include <cstdint>

#include "gdbstub/register_file.h"

namespace mortem::gdbstub {

namespace {

struct Flag {
  std::string_view name;
  unsigned bit;
};

// Intel SDM vol. 1, 3.4.3 and 10.2.3. An empty name is a bit that is always one.
constexpr Flag kEflags[] = {{"CF", 0},  {"", 1},    {"PF", 2},   {"AF", 4},   {"ZF", 6},  {"SF", 7},
                            {"TF", 8},  {"IF", 9},  {"DF", 10},  {"OF", 11},  {"NT", 14}, {"RF", 16},
                            {"VM", 17}, {"AC", 18}, {"VIF", 19}, {"VIP", 20}, {"ID", 21}};
constexpr Flag kMxcsr[] = {{"IE", 0}, {"DE", 1}, {"ZE", 2}, {"OE", 3},  {"UE", 4},  {"PE", 5},  {"DAZ", 6},
                           {"IM", 7}, {"DM", 8}, {"ZM", 9}, {"OM", 10}, {"UM", 11}, {"PM", 12}, {"FZ", 15}};

void write_flags(Reply& reply, std::string_view id, std::span<const Flag> flags) {
  reply.window_text("<flags id=\"");
  reply.window_text(id);
  reply.window_text("\" size=\"4\">\n");
  for (const Flag& flag : flags) {
    reply.window_text("<field name=\"");
    reply.window_text(flag.name);
    reply.window_text("\" start=\"");
    reply.window_decimal(flag.bit);
    reply.window_text("\" end=\"");
    reply.window_decimal(flag.bit);
    reply.window_text("\"/>\n");
  }
  reply.window_text("</flags>\n");
}

// What a 128-bit register can be looked at as (gdb/features/i386/64bit-sse.xml).
constexpr std::string_view kVectorTypes =
    "<vector id=\"v8bf16\" type=\"bfloat16\" count=\"8\"/>\n"
    "<vector id=\"v8h\" type=\"ieee_half\" count=\"8\"/>\n"
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>\n"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>\n"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>\n"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>\n"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>\n"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>\n"
    "<union id=\"vec128\">\n"
    "<field name=\"v8_bfloat16\" type=\"v8bf16\"/>\n"
    "<field name=\"v8_half\" type=\"v8h\"/>\n"
    "<field name=\"v4_float\" type=\"v4f\"/>\n"
    "<field name=\"v2_double\" type=\"v2d\"/>\n"
    "<field name=\"v16_int8\" type=\"v16i8\"/>\n"
    "<field name=\"v8_int16\" type=\"v8i16\"/>\n"
    "<field name=\"v4_int32\" type=\"v4i32\"/>\n"
    "<field name=\"v2_int64\" type=\"v2i64\"/>\n"
    "<field name=\"uint128\" type=\"uint128\"/>\n"
    "</union>\n";

std::string_view type_of(size_t number, const RegisterLayout& layout) {
  switch (layout.source) {
    case RegisterSource::X87Stack:
      return "i387_ext";
    case RegisterSource::Sse:
      return "vec128";
    case RegisterSource::SseControl:
      return "i386_mxcsr";
    case RegisterSource::AvxUpperHalf:
      return "uint128";
    case RegisterSource::General:
      break;
    default:
      return "int";
  }
  if (number == kProgramCounterNumber) return "code_ptr";
  if (number == kStackPointerNumber || number == kFramePointerNumber) return "data_ptr";
  if (layout.name == "eflags") return "i386_eflags";
  if (layout.name == "orig_rax" || layout.name.ends_with("_base")) return "int";
  return layout.size == 8 ? "int64" : "int32";
}

void write_register(Reply& reply, size_t number) {
  const RegisterLayout& layout = kRegisterLayout[number];
  reply.window_text("<reg name=\"");
  reply.window_text(layout.name);
  if (layout.index >= 0) reply.window_decimal(static_cast<uint64_t>(layout.index));
  if (layout.source == RegisterSource::AvxUpperHalf) reply.window_text("h");
  reply.window_text("\" bitsize=\"");
  reply.window_decimal(layout.size * 8u);
  reply.window_text("\" type=\"");
  reply.window_text(type_of(number, layout));
  reply.window_text("\" regnum=\"");
  reply.window_decimal(number);
  // LLDB's own attributes, which gdb passes over: without a format it shows pointers with their symbols twice; it knows
  // the flags by another name; and it wants to be told which register points at thread-local storage.
  if (type_of(number, layout).ends_with("_ptr")) reply.window_text("\" encoding=\"uint\" format=\"hex");
  if (layout.name == "eflags") reply.window_text("\" altname=\"rflags");
  if (layout.name == "fs_base") reply.window_text("\" generic=\"tp");
  const bool is_float = layout.source == RegisterSource::X87Control || layout.source == RegisterSource::X87AbridgedTag;
  reply.window_text(is_float                                      ? "\" group=\"float\"/>\n"
                    : layout.source == RegisterSource::SseControl ? "\" group=\"vector\"/>\n"
                                                                  : "\"/>\n");
}

// gdb's features, and which of the registers each wants to find in itself.
struct Feature {
  std::string_view name;
  bool (*holds)(const RegisterLayout&);
};
constexpr Feature kFeatures[] = {
    {"core",
     [](const RegisterLayout& layout) {
       if (layout.source == RegisterSource::General)
         return layout.name != "orig_rax" && !layout.name.ends_with("_base");
       return layout.source == RegisterSource::X87Stack || layout.source == RegisterSource::X87Control ||
              layout.source == RegisterSource::X87AbridgedTag;
     }},
    {"sse",
     [](const RegisterLayout& layout) {
       return layout.source == RegisterSource::Sse || layout.source == RegisterSource::SseControl;
     }},
    {"linux", [](const RegisterLayout& layout) { return layout.name == "orig_rax"; }},
    {"segments", [](const RegisterLayout& layout) { return layout.name.ends_with("_base"); }},
    {"avx", [](const RegisterLayout& layout) { return layout.source == RegisterSource::AvxUpperHalf; }},
};

}  // namespace

void write_target_description(Reply& reply, bool has_avx) {
  reply.window_text(
      "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n<target version=\"1.0\">\n"
      "<architecture>i386:x86-64</architecture>\n<osabi>GNU/Linux</osabi>\n");
  for (const Feature& feature : kFeatures) {
    if (feature.name == "avx" && !has_avx) continue;
    reply.window_text("<feature name=\"org.gnu.gdb.i386.");
    reply.window_text(feature.name);
    reply.window_text("\">\n");
    if (feature.name == "core") write_flags(reply, "i386_eflags", kEflags);
    if (feature.name == "sse") {
      reply.window_text(kVectorTypes);
      write_flags(reply, "i386_mxcsr", kMxcsr);
    }
    for (size_t number = 0; number < kRegisterCount; ++number)
      if (feature.holds(kRegisterLayout[number])) write_register(reply, number);
    reply.window_text("</feature>\n");
  }
  reply.window_text("</target>\n");
}

}  // namespace mortem::gdbstub
