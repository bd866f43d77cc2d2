#include "inspector/app/model/analysis.h"
#include "inspector/unwind/module_files.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>

namespace mortem::inspector::app {
namespace {

constexpr size_t kErrorLines = 30, kOutputLines = 10, kSourceLines = 3;

std::vector<std::string> last_lines(const std::string& text, size_t count) {
  std::vector<std::string> lines;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  if (lines.size() > count) lines.erase(lines.begin(), lines.end() - static_cast<ptrdiff_t>(count));
  return lines;
}

std::string when_text(int64_t nanoseconds) {
  return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(static_cast<std::time_t>(nanoseconds / 1000000000)));
}

bool has_same_modules(const OpenState& left, const OpenState& right) {
  const auto& one = left.target->modules();
  const auto& other = right.target->modules();
  return std::equal(one.begin(), one.end(), other.begin(), other.end(), [](const CoreModule& a, const CoreModule& b) {
    return a.path == b.path && a.id == b.id && a.load_bias == b.load_bias && a.start == b.start && a.end == b.end;
  });
}

}  // namespace

Analysis::Analysis(std::shared_ptr<const OpenState> state, const SymbolOptions& symbols,
                   std::vector<std::filesystem::path> source_folders, Analysis* before)
    : state_(std::move(state)),
      modules_of_(before && has_same_modules(*before->state_, *state_) ? before->modules_of_ : state_),
      symbolizer_(modules_of_ != state_ ? std::move(before->symbolizer_) : Symbolizer::create(symbols)),
      sources_(symbols, std::move(source_folders)),
      reader_(*state_->target, *symbolizer_),
      program_(*state_->target, *symbolizer_, reader_) {
  if (modules_of_ != state_) take_symbols_from(*before);
}

void Analysis::take_symbols_from(Analysis& before) {
  symbols_are_loaded_ = before.symbols_are_loaded_;
  symbols_are_sorted_ = before.symbols_are_sorted_;
  code_symbols_ = std::move(before.code_symbols_);
  data_symbols_ = std::move(before.data_symbols_);
  symbols_ = std::move(before.symbols_);
}

Result<Summary> Analysis::summary() {
  const Target& target = *state_->target;
  const snapshot::CoreFile& core = *state_->core;
  Summary summary;
  const Stack* crashed = nullptr;
  for (const TargetThread& thread : target.threads())
    if (thread.crashed) crashed = TRY(program_.stack(thread.id));
  summary.findings = find_crash(target, *symbolizer_, reader_, crashed);
  summary.info = state_->info;
  const auto& identity = summary.info.identity;
  if (identity && identity->wall_clock_ns && *identity->wall_clock_ns != 0)
    summary.when = when_text(*identity->wall_clock_ns);
  const auto& reason = summary.info.reason;
  summary.partial = reason && reason->level && *reason->level != snapshot::dump_level_text(format::DumpLevel::Full);
  if (const auto seen = core.occurrence(); seen && seen->signature != 0) summary.occurrence = seen->occurrence;
  if (const auto& frame = summary.findings.telling_frame)
    if (const CoreModule* module = reader_.module_at(frame->pc))
      summary.source = sources_.lines(*symbolizer_, module, frame->file, frame->line, kSourceLines);
  summary.missing_symbols = symbolizer_->missing_symbols();
  summary.error_lines = last_lines(core.standard_error(), kErrorLines);
  summary.output_lines = last_lines(core.standard_output(), kOutputLines);
  return summary;
}

Result<Stack> Analysis::stack(uint32_t thread) {
  return *TRY(program_.stack(thread));
}

// Of every thread; one that cannot be read is left out.
std::vector<const Stack*> Analysis::all_stacks() {
  std::vector<const Stack*> stacks;
  for (const ThreadFacts& one : state_->threads)
    if (const auto stack = program_.stack(one.thread.id)) stacks.push_back(*stack);
  return stacks;
}

Result<std::vector<ThreadGroup>> Analysis::thread_groups() {
  const auto stacks = all_stacks();
  const std::vector<size_t> numbers = group_equal_stacks(stacks);
  std::vector<ThreadGroup> groups;
  for (size_t index = 0; index < stacks.size(); ++index) {
    if (numbers[index] >= groups.size()) {
      groups.resize(numbers[index] + 1);
      groups[numbers[index]].place = frame_place_text(telling_frame(*stacks[index]));
    }
    groups[numbers[index]].threads.push_back(stacks[index]->thread);
  }
  return groups;
}

Result<ParallelFrame> Analysis::parallel_stacks() {
  return merge_stacks(all_stacks());
}

Result<Goroutines> Analysis::goroutines() {
  return read_goroutines(*state_->target, *symbolizer_, reader_, {});
}

Result<std::vector<ModuleFacts>> Analysis::module_facts() {
  std::vector<ModuleFacts> all;
  for (const CoreModule& module : state_->target->modules()) {
    ModuleFacts facts;
    facts.module = module;
    facts.files = symbolizer_->files(module);
    facts.symbols = !facts.files.debug.empty()                ? "debug information from " + facts.files.debug.string()
                    : !facts.files.executable.empty()         ? "symbol table of " + facts.files.executable.string()
                    : module.kind == format::ModuleKind::Vdso ? "symbols from the dump"
                                                              : "no symbols";
    all.push_back(std::move(facts));
  }
  return all;
}

Result<std::vector<std::string>> Analysis::missing_symbols() {
  return symbolizer_->missing_symbols();
}

Result<SourceFile> Analysis::source(const std::string& file, uint64_t pc) {
  const CoreModule* module = reader_.module_at(pc);
  constexpr uint32_t kAll = 1u << 30;
  auto lines = sources_.lines(*symbolizer_, module, file, 1, kAll);
  if (!lines)
    return failure(ErrorKind::NotFound,
                   fmt::format("{}: is not on this machine; name the folder it is in now: --substitute FROM=TO, or put "
                               "the checkout's folder into --source-dir",
                               file));
  return SourceFile{file, lines->from, std::move(lines->lines), lines->newer};
}

Result<std::string> Analysis::symbol_at(uint64_t address) {
  std::string function = program_.symbol_at(address);
  return function.empty() ? data_symbol_at(address) : function;
}

Result<std::vector<RegisterSet>> Analysis::registers(uint32_t thread, size_t frame) {
  const auto stack = program_.stack(thread);
  auto sets = read_registers(*state_, thread, stack ? *stack : nullptr, frame);
  if (sets.empty())
    return failure(ErrorKind::Unavailable, fmt::format("the registers of thread {} are not known", thread));
  for (RegisterFacts& one : sets.front().registers) {
    if (one.place.empty() || one.bytes.size() != sizeof(uint64_t)) continue;
    uint64_t value;
    std::copy(one.bytes.begin(), one.bytes.end(), reinterpret_cast<uint8_t*>(&value));
    if (const std::string symbol = program_.symbol_at(value); !symbol.empty()) one.place = symbol;
  }
  return sets;
}

MemoryPage Analysis::memory(uint64_t address) {
  MemoryPage page = read_memory_page(*state_, address);
  if (page.known == page.bytes.size() || page.state == MemoryPage::State::Unreadable) return page;
  const size_t more = reader_.files().read(page.address + page.known, std::span(page.bytes).subspan(page.known));
  if (more == 0) return page;
  page.from_file = true;
  page.known += more;
  page.state = page.known == page.bytes.size() ? MemoryPage::State::Held : MemoryPage::State::Partly;
  return page;
}

}  // namespace mortem::inspector::app
