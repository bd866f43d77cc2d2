// A recording's way back, and the moments in it.
#include <fmt/format.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <sstream>

#include "inspector/app/model/live_control.h"

namespace mortem::inspector::app {
namespace {

std::optional<uint64_t> number_in(const Result<std::string>& text) {
  uint64_t number = 0;
  if (!text || std::sscanf(text->c_str(), "%" SCNu64, &number) != 1) return std::nullopt;
  return number;
}

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

}  // namespace

Result<StubStop> LiveControl::start_back(Motion motion, uint32_t thread) {
  switch (motion) {
    case Motion::StepInstruction:
      return guest_->step(thread, Direction::Backwards);
    case Motion::StepLine:
      return step_line_back(thread, false);
    case Motion::StepOver:
      return step_line_back(thread, true);
    case Motion::StepOut:
      return step_out_back(thread);
    case Motion::Continue:
      break;
  }
  return guest_->run(thread, {}, Direction::Backwards);
}

// Runs back until the thread stands at the call that would return to `return_address`, with its stack at or above
// `least_stack`: not in a recursion. Which instruction that is, only its length would say: points stand at all that it
// could be, and one that stands within an instruction is never reached.
Result<StubStop> LiveControl::back_to_call(uint32_t thread, uint64_t return_address, uint64_t least_stack) {
  constexpr uint64_t kShortestCall = 2, kLongestCall = 9;  // call rax; call [rip + x] with prefixes
  std::vector<LivePoint> calls;
  for (uint64_t length = kShortestCall; length <= kLongestCall; ++length) {
    const auto before = access_.analysis().instruction_at(return_address - length);
    if (before && before->kind == InstructionFacts::Kind::Call && before->length == length)
      calls.push_back({StubPoint::Software, return_address - length, 1});
  }
  if (calls.empty())
    return failure(ErrorKind::NotFound,
                   fmt::format("no call stands before {:#x}: who called is not known", return_address));
  for (;;) {
    const StubStop stop = TRY(guest_->run(thread, calls, Direction::Backwards));
    if (!is_step(stop, stop.thread)) return stop;
    const uint64_t pc = TRY(guest_->register_value(stop.thread, "rip"));
    const bool is_call =
        std::any_of(calls.begin(), calls.end(), [&](const LivePoint& call) { return call.address == pc; });
    if (!is_call || is_users_point(pc)) return stop;
    if (stop.thread == thread && TRY(guest_->register_value(thread, "rsp")) >= least_stack) return stop;
  }
}

// As gdb's reverse-finish: to the call of the function at hand.
Result<StubStop> LiveControl::step_out_back(uint32_t thread) {
  const Stack stack = TRY(access_.analysis().stack(thread));
  for (const Frame& frame : stack.frames)
    if (frame.physical > stack.frames.front().physical && frame.trust != Trust::TailCall)
      return back_to_call(thread, frame.pc, TRY(guest_->register_value(thread, "rsp")) + 1);
  return failure(ErrorKind::NotFound, "nobody called this function");
}

// As gdb's reverse-step and reverse-next (gdb/infrun.c, process_event_stop_test): to the beginning of the line, or from
// there to the beginning of the one before.
Result<StubStop> LiveControl::step_line_back(uint32_t thread, bool over) {
  Analysis& analysis = access_.analysis();
  using Kind = InstructionFacts::Kind;
  const auto begins_line = [&analysis](uint64_t pc, const Analysis::StepPlace& place) {
    if (!place.is_begin || !place.is_statement) return false;
    const Analysis::StepPlace before = analysis.step_place(pc - 1);
    return before.line != place.line || before.file != place.file;
  };
  uint64_t pc = TRY(guest_->register_value(thread, "rip"));
  const Analysis::StepPlace from = analysis.step_place(pc);
  StubStop stop;
  for (int count = 0; count < kMostLineSteps; ++count) {
    const uint64_t behind = pc;
    stop = TRY(guest_->step(thread, Direction::Backwards));
    if (!is_step(stop, thread)) return stop;
    pc = TRY(guest_->register_value(thread, "rip"));
    Analysis::StepPlace now = analysis.step_place(pc);
    auto instruction = analysis.instruction_at(pc);
    if (instruction && instruction->kind == Kind::Return && (over || now.line == 0)) {
      // What was called there is gone through as one.
      const uint64_t stack = TRY(guest_->register_value(thread, "rsp"));
      stop = TRY(back_to_call(thread, behind, stack + sizeof(uint64_t)));
      if (!is_step(stop, thread)) return stop;
      pc = TRY(guest_->register_value(thread, "rip"));
      instruction = analysis.instruction_at(pc);
      if (!instruction || pc + instruction->length != behind) return stop;  // a breakpoint on the way
      now = analysis.step_place(pc);
    }
    if (from.line == 0) return stop;  // of code without lines an instruction is a line
    const bool left_function = instruction && instruction->kind == Kind::Call && pc + instruction->length != behind;
    if (now.line == 0 && left_function) return stop;
    if (now.line == 0 || (over && now.is_inside_of(from))) continue;
    // A function's first line is its prologue: nobody stops there on the way forwards.
    if (begins_line(pc, now) && analysis.function_begin(pc) != pc) return stop;
  }
  return stop;
}

TimeFacts LiveControl::time() const {
  const std::lock_guard lock(mutex_);
  return time_;
}

Result<void> LiveControl::look_at_time() {
  TimeFacts now;
  now.position = number_in(guest_->monitor("position"));
  now.first = number_in(guest_->monitor("begin"));
  now.last = number_in(guest_->monitor("end"));
  std::istringstream marks(TRY(guest_->monitor("marks")));
  for (std::string line; std::getline(marks, line);)
    if (line.find(' ') != std::string::npos) now.marks.push_back(line);
  const std::lock_guard lock(mutex_);
  time_ = std::move(now);
  return {};
}

Result<std::string> LiveControl::go(const std::string& place) {
  const std::string said = first_line(TRY(guest_->go(place)));
  stopped_thread_ = guest_->stopped_thread();
  TRY_VOID(access_.refresh());
  if (said.starts_with("at ") || said.starts_with("interrupted, ")) return said;
  return failure(ErrorKind::NotFound, said);
}

Result<void> LiveControl::mark(const std::string& name) {
  const std::string said = first_line(TRY(guest_->monitor("mark " + name)));
  TRY_VOID(look_at_time());
  if (said.starts_with(name + " is ")) return {};
  return failure(ErrorKind::BadInput, said);
}

}  // namespace mortem::inspector::app
