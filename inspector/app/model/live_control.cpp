#include "inspector/app/model/live_control.h"

#include <elf.h>
#include <fmt/format.h>

#include <algorithm>

#include "gdbstub/signals.h"

namespace mortem::inspector::app {
namespace {

constexpr int kGdbInterrupt = 2;

}  // namespace

std::vector<BreakpointFacts> LiveControl::breakpoints() const {
  const std::lock_guard lock(mutex_);
  return breakpoints_;
}

bool LiveControl::is_step(const StubStop& stop, uint32_t thread) const {
  return stop.kind == StubStop::Kind::Stopped && stop.code == kGdbTrap && stop.thread == thread && !stop.watched &&
         stop.history == StubStop::History::None && !guest_->was_interrupted();
}

bool LiveControl::is_users_point(uint64_t pc) const {
  return std::any_of(breakpoints_.begin(), breakpoints_.end(), [&](const BreakpointFacts& one) {
    return one.enabled && !one.watches &&
           std::any_of(one.points.begin(), one.points.end(),
                       [&](const LivePoint& point) { return point.address == pc; });
  });
}

Result<std::string> LiveControl::move(Motion motion, uint32_t thread, Direction direction) {
  for (;;) {
    const StubStop stop = TRY(direction == Direction::Forwards ? start(motion, thread) : start_back(motion, thread));
    if (stop.kind != StubStop::Kind::Stopped) {
      ended_ =
          stop.kind == StubStop::Kind::Exited
              ? fmt::format("the program ended with status {}", stop.code)
              : fmt::format("the program was ended by {}", snapshot::signal_name(gdbstub::linux_signal(stop.code)));
      return std::string();
    }
    stopped_thread_ = stop.thread != 0 ? stop.thread : thread;
    TRY_VOID(access_.refresh());
    std::string text;
    if (TRY(hit(stop, text))) return text;
    motion = Motion::Continue;
    thread = stopped_thread_;
  }
}

// Whether it is to stay stopped, and why in words.
Result<bool> LiveControl::hit(const StubStop& stop, std::string& text) {
  text = text_of(stop);
  if (stop.code != kGdbTrap || guest_->was_interrupted() || stop.history != StubStop::History::None) return true;
  const auto pc = guest_->register_value(stopped_thread_, "rip");
  bool is_ours = false, stays = false;
  for (BreakpointFacts& one : breakpoints_) {
    const bool stands_here = std::any_of(one.points.begin(), one.points.end(), [&](const LivePoint& point) {
      if (!one.watches) return pc && point.address == *pc;
      return stop.watched && *stop.watched - point.address < point.length;
    });
    if (!one.enabled || !stands_here) continue;
    is_ours = true;
    std::string problem;
    bool holds = true;
    if (!one.condition.empty()) {
      const auto asked = access_.analysis().is_true(one.condition, stopped_thread_);
      holds = asked ? *asked : true;  // what cannot be answered stops, and says so
      if (!asked) problem = asked.error().message;
    }
    const std::lock_guard lock(mutex_);
    one.problem = problem;
    if (!holds) continue;
    ++one.hits;
    stays = true;
    text = fmt::format("{} {}: {}{}", one.watches ? "watchpoint" : "breakpoint", one.id, one.where,
                       problem.empty() ? "" : fmt::format(" (its condition: {})", problem));
  }
  return stays || !is_ours;
}

std::string LiveControl::text_of(const StubStop& stop) {
  if (stop.history == StubStop::History::Begin) return "the recording begins here";
  if (stop.history == StubStop::History::End) return "the recording ends here";
  if (guest_->was_interrupted() || stop.code == kGdbInterrupt) return "interrupted";
  if (stop.watched) return fmt::format("written: {:#x}", *stop.watched);
  if (stop.code == kGdbTrap) return "stepped";
  return snapshot::signal_name(gdbstub::linux_signal(stop.code));
}

Result<StubStop> LiveControl::start(Motion motion, uint32_t thread) {
  switch (motion) {
    case Motion::StepInstruction:
      return guest_->step(thread);
    case Motion::StepLine:
      return step_line(thread, false);
    case Motion::StepOver:
      return step_line(thread, true);
    case Motion::StepOut:
      return step_out(thread);
    case Motion::Continue:
      break;
  }
  return guest_->run(thread);
}

// Runs until the thread stands at `address` with its stack at or above `least_stack`: not in a recursion.
Result<StubStop> LiveControl::run_to(uint32_t thread, uint64_t address, uint64_t least_stack) {
  for (;;) {
    const StubStop stop = TRY(guest_->run(thread, {{StubPoint::Software, address, 1}}));
    if (stop.kind != StubStop::Kind::Stopped || stop.code != kGdbTrap || guest_->was_interrupted()) return stop;
    const uint64_t pc = TRY(guest_->register_value(stop.thread, "rip"));
    if (pc != address) return stop;
    // Another thread, or a recursion: not meant.
    if (stop.thread == thread && TRY(guest_->register_value(thread, "rsp")) >= least_stack) return stop;
    if (is_users_point(pc)) return stop;
    if (stop.thread == thread) continue;
    const StubStop stepped = TRY(guest_->step(stop.thread));
    if (stepped.kind != StubStop::Kind::Stopped || stepped.code != kGdbTrap) return stepped;
  }
}

// As gdb's step and next (gdb/infrun.c, process_event_stop_test): until a statement of another line begins.
Result<StubStop> LiveControl::step_line(uint32_t thread, bool over) {
  Analysis& analysis = access_.analysis();
  uint64_t pc = TRY(guest_->register_value(thread, "rip"));
  const Analysis::StepPlace from = analysis.step_place(pc);
  uint32_t line = from.line;
  std::string file = from.file;
  StubStop stop;
  for (int count = 0; count < kMostLineSteps; ++count) {
    const auto instruction = analysis.instruction_at(pc);
    const bool calls = instruction && instruction->kind == InstructionFacts::Kind::Call;
    stop = TRY(guest_->step(thread));
    if (!is_step(stop, thread)) return stop;
    pc = TRY(guest_->register_value(thread, "rip"));
    Analysis::StepPlace now = analysis.step_place(pc);
    if (calls && pc != instruction->address + instruction->length) {
      if (!over && now.line != 0) return step_behind_prologue(thread, pc);
      const uint64_t stack = TRY(guest_->register_value(thread, "rsp"));
      stop = TRY(run_to(thread, instruction->address + instruction->length, stack + sizeof(uint64_t)));
      if (!is_step(stop, thread)) return stop;
      pc = TRY(guest_->register_value(thread, "rip"));
      if (pc != instruction->address + instruction->length) return stop;
      now = analysis.step_place(pc);
    }
    if (from.line == 0 && !calls) return stop;  // of code without lines an instruction is a line
    if (now.line == 0 && instruction && instruction->kind == InstructionFacts::Kind::Return) return stop;
    if (over && now.is_inside_of(from)) continue;
    if (now.line == 0 || (now.line == line && now.file == file)) continue;
    if (now.is_begin && now.is_statement) return stop;
    if (now.is_begin) continue;  // no place to stop at: the line before goes on
    // In the middle of a line, of a caller perhaps: it is the one that is gone through now.
    line = now.line;
    file = now.file;
  }
  return stop;
}

// A function was just called: to where its parameters are in their places.
Result<StubStop> LiveControl::step_behind_prologue(uint32_t thread, uint64_t pc) {
  const uint64_t begin = access_.analysis().behind_prologue(pc);
  if (begin > pc) return run_to(thread, begin, 0);
  StubStop stop;
  stop.code = kGdbTrap;
  stop.thread = thread;
  return stop;
}

Result<StubStop> LiveControl::step_out(uint32_t thread) {
  const Stack stack = TRY(access_.analysis().stack(thread));
  for (const Frame& frame : stack.frames)
    if (frame.physical > stack.frames.front().physical && frame.trust != Trust::TailCall)
      return run_to(thread, frame.pc, TRY(guest_->register_value(thread, "rsp")) + 1);
  return failure(ErrorKind::NotFound, "nobody called this function");
}

Result<void> LiveControl::check_changeable() const {
  if (!runs_backwards()) return {};
  return failure(ErrorKind::Unsupported, "what was recorded cannot be changed");
}

void LiveControl::update_points() {
  std::vector<LivePoint> all;
  for (const BreakpointFacts& one : breakpoints_)
    if (one.enabled) all.insert(all.end(), one.points.begin(), one.points.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  guest_->set_points(std::move(all));
}

Result<void> LiveControl::add_breakpoint(const std::string& where, const std::string& condition) {
  BreakpointFacts one;
  one.where = where;
  one.condition = condition;
  for (const uint64_t address : TRY(access_.analysis().code_addresses(where)))
    one.points.push_back({StubPoint::Software, address, 1});
  const std::lock_guard lock(mutex_);
  one.id = ++last_id_;
  breakpoints_.push_back(std::move(one));
  update_points();
  return {};
}

Result<void> LiveControl::add_watchpoint(const std::string& expression, uint32_t thread, size_t frame) {
  const auto place = TRY(access_.analysis().place_of(expression, thread, frame));
  constexpr uint64_t kWidest = 8;  // of a debug register (Intel SDM vol. 3, 18.2.4)
  if (place.size > kWidest || (place.size & (place.size - 1)) != 0 || place.address % place.size != 0)
    return failure(ErrorKind::Unsupported,
                   fmt::format("{}: {} bytes at {:#x}; the processor watches 1, 2, 4 or 8 aligned ones", expression,
                               place.size, place.address));
  BreakpointFacts one;
  one.where = expression;
  one.watches = true;
  one.points.push_back({StubPoint::Write, place.address, place.size});
  const std::lock_guard lock(mutex_);
  one.id = ++last_id_;
  breakpoints_.push_back(std::move(one));
  update_points();
  return {};
}

void LiveControl::remove_breakpoint(uint32_t id) {
  const std::lock_guard lock(mutex_);
  std::erase_if(breakpoints_, [&](const BreakpointFacts& one) { return one.id == id; });
  update_points();
}

void LiveControl::enable_breakpoint(uint32_t id, bool enabled) {
  const std::lock_guard lock(mutex_);
  for (BreakpointFacts& one : breakpoints_)
    if (one.id == id) one.enabled = enabled;
  update_points();
}

void LiveControl::set_condition(uint32_t id, const std::string& condition) {
  const std::lock_guard lock(mutex_);
  for (BreakpointFacts& one : breakpoints_)
    if (one.id == id) one.condition = condition;
}

Result<void> LiveControl::assign(const std::string& expression, const std::string& text, uint32_t thread,
                                 size_t frame) {
  TRY_VOID(check_changeable());
  const size_t first = expression.find_first_not_of(' ');
  if (first != std::string::npos && expression[first] == '$') {
    const size_t last = expression.find_last_not_of(' ');
    return write_register(expression.substr(first + 1, last - first), text, thread, frame);
  }
  return write(TRY(access_.analysis().assignment(expression, text, thread, frame)), expression);
}

Result<void> LiveControl::assign(ValueHandle to, const std::string& name, const std::string& text, uint32_t thread,
                                 size_t frame) {
  TRY_VOID(check_changeable());
  return write(TRY(access_.analysis().assignment(to, name, text, thread, frame)), name);
}

// What is shown afterwards is what the guest says then, not what was wanted.
Result<void> LiveControl::write(const Analysis::Assignment& assignment, const std::string& name) {
  TRY_VOID(guest_->write_memory(assignment.place.address, assignment.bytes));
  TRY_VOID(access_.refresh());
  std::vector<uint8_t> now(assignment.bytes.size());
  const size_t known = TRY(access_.analysis().state().target->read_memory(assignment.place.address, now));
  if (known == now.size() && now == assignment.bytes) return {};
  return failure(ErrorKind::Unavailable, fmt::format("{}: was written at {:#x}, but reads back as something else", name,
                                                     assignment.place.address));
}

Result<void> LiveControl::write_register(const std::string& name, const std::string& text, uint32_t thread,
                                         size_t frame) {
  if (frame != 0)
    return failure(ErrorKind::Unsupported,
                   fmt::format("${}: only the innermost frame's registers can be set; a caller's are in memory", name));
  const auto number = std::find_if(format::kGeneralRegisters.begin(), format::kGeneralRegisters.end(),
                                   [&](const auto& one) { return name == one.name; });
  if (number == format::kGeneralRegisters.end())
    return failure(ErrorKind::Unsupported, fmt::format("${}: only general registers can be set", name));
  const uint64_t value = TRY(access_.analysis().number(text, thread, frame));
  if (number->size < sizeof value && value >> 8 * number->size != 0)
    return failure(ErrorKind::BadInput,
                   fmt::format("${}: {:#x} does not fit into {} bytes", name, value, number->size));
  TRY_VOID(guest_->set_register(thread, name, std::span(reinterpret_cast<const uint8_t*>(&value), number->size)));
  TRY_VOID(access_.refresh());
  const uint64_t now = TRY(guest_->register_value(thread, number->name));
  if (now == value) return {};
  return failure(ErrorKind::Unavailable,
                 fmt::format("${}: was set to {:#x}, but reads back as {:#x}", name, value, now));
}

Result<std::vector<std::string>> LiveControl::arguments_of(const std::string& expression, std::string& function) const {
  const size_t open = expression.find('('), close = expression.rfind(')');
  if (open == std::string::npos || close == std::string::npos || close < open)
    return failure(ErrorKind::BadInput, fmt::format("{}: a call is written function(argument, …)", expression));
  function = expression.substr(0, open);
  std::vector<std::string> arguments;
  std::string one;
  int depth = 0;
  for (size_t at = open + 1; at < close; ++at) {
    const char now = expression[at];
    depth += now == '(' || now == '[' ? 1 : now == ')' || now == ']' ? -1 : 0;
    if (now == ',' && depth == 0)
      arguments.push_back(std::exchange(one, {}));
    else
      one += now;
  }
  if (one.find_first_not_of(' ') != std::string::npos || !arguments.empty()) arguments.push_back(one);
  return arguments;
}

Result<uint64_t> LiveControl::call(const std::string& expression, uint32_t thread, size_t frame) {
  TRY_VOID(check_changeable());
  std::string function;
  const auto texts = TRY(arguments_of(expression, function));
  Analysis& analysis = access_.analysis();
  const uint64_t address = TRY(analysis.address_of(function));
  std::vector<uint64_t> arguments;
  for (const std::string& one : texts) arguments.push_back(TRY(analysis.number(one, thread, frame)));
  uint64_t landing = 0;
  const auto& vector = analysis.state().core->auxiliary_vector();
  for (size_t index = 0; index + 1 < vector.size(); index += 2)
    if (vector[index] == AT_ENTRY) landing = vector[index + 1];
  if (landing == 0)
    return failure(ErrorKind::Unavailable, "the program's entry is not known: no call can return to it");
  guest_->begin_motion();
  const auto result = guest_->call(thread, address, arguments, landing);
  TRY_VOID(access_.refresh());
  return result;
}

}  // namespace mortem::inspector::app
