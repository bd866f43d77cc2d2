#include "inspector/values/frame_scope.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "gdbstub/register_file.h"
#include "inspector/unwind/call_frame_information.h"
#include "inspector/values/entry_context.h"

namespace mortem::inspector {

using llvm::DWARFDie;
namespace dwarf = llvm::dwarf;

namespace {

constexpr int kMaximumEntryValueDepth = 64;
constexpr uint64_t kFirstXmm = 17, kLastXmm = 32, kFirstSt = 33, kLastSt = 40;  // psABI 1.0, figure 3.36

std::string register_text(uint64_t number) {
  for (const format::RegisterDescription& one : format::kGeneralRegisters)
    if (one.dwarf_number >= 0 && static_cast<uint64_t>(one.dwarf_number) == number) return one.name;
  if (number >= kFirstXmm && number <= kLastXmm) return fmt::format("xmm{}", number - kFirstXmm);
  if (number >= kFirstSt && number <= kLastSt) return fmt::format("st({})", number - kFirstSt);
  return fmt::format("register {}", number);
}

const TargetThread* thread_of(const Target& target, uint32_t id) {
  const auto& threads = target.threads();
  const auto known = std::find_if(threads.begin(), threads.end(), [&](const auto& one) { return one.id == id; });
  return known == threads.end() ? nullptr : &*known;
}

// A thread's register as its innermost frame has it. gdbstub knows what XSAVE leaves out of its area.
std::optional<std::vector<uint8_t>> innermost_register(const Target& target, uint32_t id, size_t gdb_number) {
  constexpr size_t kLegacyArea = 576, kHighHalves = 256;  // of XSAVE's standard format (Intel SDM vol. 1, 13.4)
  gdbstub::RegisterFile file;
  if (const auto general = target.registers(id)) {
    file.general = *general;
    file.general_known = true;
  }
  const auto* thread = thread_of(target, id);
  if (thread && !thread->in_kernel) {  // else they are the program's, and the frame is the kernel's
    const auto state = target.extended_state(id);
    file.extended_size = std::min(state.size(), file.extended.size());
    std::copy_n(state.begin(), file.extended_size, file.extended.begin());
    file.avx_offset = kLegacyArea;
    file.has_avx = state.size() >= kLegacyArea + kHighHalves;
  }
  std::vector<uint8_t> value(gdbstub::kRegisterLayout[gdb_number].size);
  if (!file.read(gdb_number, value)) return std::nullopt;
  return value;
}

DWARFDie find_call_site(const DWARFDie& block, uint64_t return_address, int depth) {
  constexpr int kDeepestScope = 256;
  if (depth > kDeepestScope) return {};
  for (const DWARFDie& child : block.children()) {
    switch (child.getTag()) {
      case dwarf::DW_TAG_call_site:
        if (dwarf::toAddress(child.find(dwarf::DW_AT_call_return_pc), 0) == return_address) return child;
        break;
      case dwarf::DW_TAG_GNU_call_site:
        if (dwarf::toAddress(child.find(dwarf::DW_AT_low_pc), 0) == return_address) return child;
        break;
      case dwarf::DW_TAG_lexical_block:
      case dwarf::DW_TAG_inlined_subroutine:
        if (const DWARFDie found = find_call_site(child, return_address, depth + 1)) return found;
        break;
      default:
        break;
    }
  }
  return {};
}

bool is_parameter_entry(const DWARFDie& die) {
  return die.getTag() == dwarf::DW_TAG_call_site_parameter || die.getTag() == dwarf::DW_TAG_GNU_call_site_parameter;
}

}  // namespace

FrameScope::FrameScope(Program& program, const Stack& stack, size_t physical, size_t first_frame)
    : program_(program), stack_(stack), physical_(physical), frame_(stack.frames[first_frame]) {
  interrupted_ = physical == 0 || (first_frame > 0 && stack.frames[first_frame - 1].signal_frame);
  lookup_ = interrupted_ || frame_.pc == 0 ? frame_.pc : frame_.pc - 1;
  module_ = program.module_at(lookup_);
}

const std::vector<EntryReference>& FrameScope::functions() {
  if (!functions_) {
    functions_.emplace();
    if (module_)
      for (const DWARFDie& die : module_->functions_at(lookup_ - module_->load_bias()))
        functions_->push_back(reference_to(die));
  }
  return *functions_;
}

std::string FrameScope::why_no_functions() {
  if (frame_.module.empty()) return fmt::format("{:#x} is in no module", frame_.pc);
  if (!module_) return fmt::format("{} has no debug information here", frame_.module);
  return fmt::format("the debug information of {} does not know {:#x}", frame_.module, frame_.pc);
}

llvm::DWARFUnit* FrameScope::unit() {
  return functions().empty() ? nullptr : functions().back().unit;
}

Found<std::vector<uint8_t>> FrameScope::register_bytes(uint64_t number) {
  const FrameRegisters& registers = stack_.registers[physical_];
  if (number < FrameRegisters::kCount) {
    auto value = registers.get(static_cast<unsigned>(number));
    // Go's functions save no register but the frame pointer: what the ABI of C calls saved is another call's by now
    // (Go's ABIInternal, "no callee-save registers").
    const bool rests =
        number == FrameRegisters::kRsp || number == FrameRegisters::kRbp || number == FrameRegisters::kRip;
    if (!interrupted_ && !rests && unit() && language_of(*unit()) == Language::Go) value.reset();
    if (frame_.trust == Trust::TailCall) return not_known("the frame of a tail call is gone, with its registers");
    if (!value) return not_known(fmt::format("{} was not saved", register_text(number)));
    std::vector<uint8_t> bytes(8);
    std::memcpy(bytes.data(), &*value, 8);
    return bytes;
  }
  constexpr size_t kGdbSt = 24, kGdbXmm = 40;  // gdb/features/i386/64bit-core.xml and 64bit-sse.xml
  const bool is_xmm = number >= kFirstXmm && number <= kLastXmm, is_st = number >= kFirstSt && number <= kLastSt;
  // All are the callee's to change (psABI 3.2.1).
  if (physical_ == 0 && (is_xmm || is_st))
    if (auto bytes = innermost_register(program_.target, stack_.thread,
                                        is_xmm ? kGdbXmm + (number - kFirstXmm) : kGdbSt + (number - kFirstSt))) {
      bytes->resize(16);  // an st register is ten bytes of them
      return std::move(*bytes);
    }
  return not_known(fmt::format("{} was not saved", register_text(number)));
}

Found<std::vector<uint8_t>> FrameScope::thread_register(size_t gdb_number) {
  bool is_the_threads = false;  // segments: no call changes them
  for (const format::RegisterDescription& one : format::kGeneralRegisters) {
    if (one.gdb_number != static_cast<int>(gdb_number)) continue;
    if (one.dwarf_number >= 0 && one.dwarf_number < static_cast<int>(FrameRegisters::kCount))
      return register_bytes(static_cast<uint64_t>(one.dwarf_number));
    const std::string_view name = one.name;
    is_the_threads = name != "eflags" && name != "orig_rax";
  }
  const auto* thread = thread_of(program_.target, stack_.thread);
  if (physical_ == 0 || (is_the_threads && thread && !thread->in_kernel))
    if (auto bytes = innermost_register(program_.target, stack_.thread, gdb_number)) return std::move(*bytes);
  return not_known(physical_ == 0 ? "the register is not known here" : "the register was not saved");
}

Found<uint64_t> FrameScope::cfa() {
  // By a frame pointer or a scan the address is likely, and not known.
  bool by_rules = frame_.cfa != 0;
  for (const Frame& one : stack_.frames)
    if (one.physical > physical_ && one.trust != Trust::TailCall) {
      by_rules = by_rules && one.trust == Trust::Cfi;
      break;
    }
  if (!by_rules) return not_known("the frame's address is not known");
  return frame_.cfa;
}

// Clang's functions without a frame pointer count from the stack pointer (DW_OP_reg7), as if it did not move when
// arguments are pushed for a call: then what they say is wrong. Where it stands mostly is what they mean, and pushes
// stand right before their call.
bool FrameScope::stack_pointer_is_moved() {
  constexpr uint64_t kSamples = 128, kLongestPushes = 48;
  if (moved_) return *moved_;
  moved_ = false;
  const auto offset_at = [&](uint64_t address) -> std::optional<int64_t> {
    const UnwindRow* row = program_.stacks.unwind_row(address);
    const bool by_stack_pointer =
        row && row->cfa.kind == UnwindRule::Kind::InRegister && row->cfa.number == FrameRegisters::kRsp;
    return by_stack_pointer ? std::optional(row->cfa.offset) : std::nullopt;
  };
  const auto here = offset_at(lookup_);
  uint64_t before = lookup_;
  while (here && lookup_ - before < kLongestPushes && offset_at(before) == here) --before;
  const auto there = offset_at(before);
  auto ranges = functions().back().get().getAddressRanges();
  if (!ranges) llvm::consumeError(ranges.takeError());
  if (!here || !there || *there >= *here || !ranges) return false;
  std::map<int64_t, uint64_t> bytes;  // by offset
  for (const llvm::DWARFAddressRange& range : *ranges) {
    const uint64_t step = std::max<uint64_t>(1, (range.HighPC - range.LowPC) / kSamples);
    for (uint64_t address = range.LowPC; address < range.HighPC; address += step)
      if (const auto offset = offset_at(address + module_->load_bias())) bytes[*offset] += step;
  }
  const uint64_t here_too = bytes[*here];
  moved_ = std::ranges::any_of(bytes, [&](const auto& one) { return one.second > here_too; });
  return *moved_;
}

Found<uint64_t> FrameScope::frame_base() {
  if (functions().empty()) return not_known(why_no_functions());
  const DWARFDie function = functions().back().get();
  const auto expression = expression_at(function, dwarf::DW_AT_frame_base, lookup_ - module_->load_bias());
  if (!expression) return not_known("its function has no frame base");
  if (!expression->empty() && expression->front() == dwarf::DW_OP_fbreg)
    return not_known("its function's frame base rests on itself");
  if (expression->size() == 1 && expression->front() == dwarf::DW_OP_reg7 && stack_pointer_is_moved())
    return not_known("its function's frame base is the stack pointer, which stands elsewhere during this call");
  EntryContext context(program_, *module_, *function.getDwarfUnit(), this);
  if (++program_.entry_value_depth > kMaximumEntryValueDepth) {
    --program_.entry_value_depth;
    return not_known("its function's frame base rests on itself");
  }
  const auto value = evaluate_number(*expression, context, program_.reader.memory());
  --program_.entry_value_depth;
  return value;
}

FrameScope* FrameScope::caller() {
  auto scope = program_.scope(stack_.thread, physical_ + 1);
  return scope ? *scope : nullptr;
}

DWARFDie FrameScope::call_site(std::string& why) {
  FrameScope* above = caller();
  if (!above || above->functions().empty()) {
    why = "the value at entry: nothing is known of the caller";
    return {};
  }
  if (frame_.signal_frame || above->interrupted_ || above->frame_.trust != Trust::Cfi) {
    why = "the value at entry: the caller is not known by its call";
    return {};
  }
  const uint64_t return_address = above->frame_.pc;
  if (!program_.symbolizer.entered_by_call(program_.target.modules(), return_address, lookup_)) {
    why = "the value at entry: a tail call may stand between the caller and this frame";
    return {};
  }
  const DWARFDie site =
      find_call_site(above->functions().back().get(), return_address - above->module_->load_bias(), 0);
  if (!site) why = "the value at entry: the debug information does not know the call";
  return site;
}

Found<uint64_t> FrameScope::call_value(const DWARFDie& parameter) {
  auto value = parameter.find(dwarf::DW_AT_call_value);
  if (!value) value = parameter.find(dwarf::DW_AT_GNU_call_site_value);
  const auto block = value ? value->getAsBlock() : std::nullopt;
  if (!block) return not_known("the value at entry: the caller does not say what it gave");
  if (program_.entry_value_depth >= kMaximumEntryValueDepth) return not_known("values at entry rest on one another");
  FrameScope* above = caller();
  EntryContext context(program_, *above->module_, *parameter.getDwarfUnit(), above);
  ++program_.entry_value_depth;
  const auto result = evaluate_number(std::span(block->data(), block->size()), context, program_.reader.memory());
  --program_.entry_value_depth;
  return result;
}

Found<uint64_t> FrameScope::entry_value(std::span<const uint8_t> expression) {
  std::string why;
  const DWARFDie site = call_site(why);
  if (!site) return not_known(why);
  for (const DWARFDie& child : site.children()) {
    if (!is_parameter_entry(child)) continue;
    const auto location = child.find(dwarf::DW_AT_location);
    const auto block = location ? location->getAsBlock() : std::nullopt;
    if (block && std::equal(block->begin(), block->end(), expression.begin(), expression.end()))
      return call_value(child);
  }
  return not_known("the value at entry: the caller does not say what it gave");
}

Found<uint64_t> FrameScope::parameter_at_entry(uint64_t info_offset) {
  std::string why;
  const DWARFDie site = call_site(why);
  if (!site) return not_known(why);
  for (const DWARFDie& child : site.children()) {
    if (!is_parameter_entry(child)) continue;
    DWARFDie parameter = child.getAttributeValueAsReferencedDie(dwarf::DW_AT_call_parameter);
    if (!parameter) parameter = child.getAttributeValueAsReferencedDie(dwarf::DW_AT_abstract_origin);
    if (parameter && parameter.getOffset() == info_offset) return call_value(child);
  }
  return not_known("the value at entry: the caller does not say what it gave");
}

}  // namespace mortem::inspector
