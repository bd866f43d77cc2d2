#include "tools/replay/replay_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "gdbstub/signals.h"
#include "tools/replay/places.h"
#include "tools/replay/recorded_moment.h"

namespace mortem::tools {

namespace {

using gdbstub::StopKind;

constexpr uint32_t kProgramProcess = 2;  // kernel/task/process.h
constexpr uint64_t kFilesOfOne = 64;     // served_files.h: handles are below it
constexpr uint64_t kOwnFiles = 1 << 20;  // above those of all moments

QemuPoint point_kind(gdbstub::BreakpointKind kind) {
  switch (kind) {
    case gdbstub::BreakpointKind::WriteWatch:
      return QemuPoint::WriteWatch;
    case gdbstub::BreakpointKind::ReadWatch:
      return QemuPoint::ReadWatch;
    case gdbstub::BreakpointKind::AccessWatch:
      return QemuPoint::AccessWatch;
    default:
      return QemuPoint::Breakpoint;
  }
}

}  // namespace

gdbstub::Stop ReplayTarget::stop_of(const HistoryEvent& event) const {
  gdbstub::Stop stop;
  stop.thread = event.thread;
  switch (event.kind) {
    case HistoryStop::Stepped:
      stop.kind = StopKind::Step;
      break;
    case HistoryStop::Point:
      stop.kind = event.point.kind == QemuPoint::WriteWatch    ? StopKind::WriteWatchpoint
                  : event.point.kind == QemuPoint::ReadWatch   ? StopKind::ReadWatchpoint
                  : event.point.kind == QemuPoint::AccessWatch ? StopKind::AccessWatchpoint
                                                               : StopKind::SoftwareBreakpoint;
      stop.address = event.watched;
      break;
    case HistoryStop::Begin:
      stop.kind = StopKind::HistoryBegin;
      break;
    case HistoryStop::End:
      stop.kind = StopKind::HistoryEnd;
      break;
    case HistoryStop::Interrupted:
      stop.kind = StopKind::Signal;
      stop.signal = gdbstub::kLinuxSignalInterrupt;
      break;
    case HistoryStop::Crash:
      stop.kind = StopKind::Signal;
      stop.signal = event.signal;
      break;
  }
  return stop;
}

Result<gdbstub::Stop> ReplayTarget::run() {
  const Wanted wanted = *std::exchange(wanted_, std::nullopt);
  interrupted_ = false;
  const bool back = wanted.action.direction == gdbstub::Direction::Backwards;
  if (wanted.action.kind == gdbstub::ResumeKind::Continue)
    return stop_of(TRY(back ? history_.go_back() : history_.go_on()));
  if (back) return stop_of(TRY(history_.step_back(wanted.thread)));
  for (;;) {
    const HistoryEvent event = TRY(history_.step(wanted.thread));
    format::GeneralRegisters registers;
    if (event.kind != HistoryStop::Stepped || !read_registers(wanted.thread, registers)) return stop_of(event);
    if (registers.rip < wanted.action.range_start || registers.rip >= wanted.action.range_end) return stop_of(event);
    if (interrupted_)
      return stop_of(
          {.kind = HistoryStop::Interrupted, .thread = event.thread, .point = {}, .watched = 0, .signal = 0});
    const auto& points = history_.points();
    const auto here = std::find_if(points.begin(), points.end(), [&](const ReplayPoint& point) {
      return point.kind == QemuPoint::Breakpoint && point.address == registers.rip;
    });
    if (here != points.end())
      return stop_of({.kind = HistoryStop::Point, .thread = event.thread, .point = *here, .watched = 0, .signal = 0});
  }
}

Result<gdbstub::Stop> ReplayTarget::start_again(uint64_t instructions) {
  return stop_of(TRY(history_.start_again(instructions)));
}

Result<std::unique_ptr<ReplayTarget::Kept>> ReplayTarget::keep(const snapshot::GuestFacts& facts) {
  auto kept = std::make_unique<Kept>();
  kept->modules = facts.modules;
  for (const snapshot::GuestArea& area : facts.areas) kept->areas.emplace_back(area.start, area.end);
  kept->core = TRY(open_recorded_moment(history_.recording(), history_.ram(), history_.guest().processor()));
  kept->target = TRY(inspector::open_core_target(*kept->core, inspector::Scope::App));
  kept->served = std::make_unique<inspector::ServedTarget>(*kept->target, symbolizer_, std::function<void()>());
  return kept;
}

inspector::ServedTarget* ReplayTarget::served() {
  const auto facts = history_.guest().facts();
  if (!facts) return kept_.empty() ? nullptr : kept_.back()->served.get();
  for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept) {
    const auto& areas = (*facts)->areas;
    const bool same_areas = areas.size() == (*kept)->areas.size() &&
                            std::equal(areas.begin(), areas.end(), (*kept)->areas.begin(),
                                       [](const snapshot::GuestArea& one, const std::pair<uint64_t, uint64_t>& other) {
                                         return one.start == other.first && one.end == other.second;
                                       });
    if (same_areas && (*kept)->modules == (*facts)->modules) return (*kept)->served.get();
  }
  auto made = keep(**facts);
  if (!made) return nullptr;
  kept_.push_back(std::move(*made));
  return kept_.back()->served.get();
}

gdbstub::Description ReplayTarget::description() {
  gdbstub::Description description;
  description.process = kProgramProcess;
  name_ = history_.recording().name;
  description.name = name_;
  description.hardware_breakpoints = description.hardware_watchpoints = true;
  description.files = description.memory_regions = description.auxiliary_vector = description.executable_path = true;
  description.runs_backwards = true;
  return description;
}

const std::vector<snapshot::GuestThread>& ReplayTarget::threads() {
  static const std::vector<snapshot::GuestThread> none;
  const auto facts = history_.guest().facts();
  return facts ? (*facts)->threads : none;
}

gdbstub::ThreadId ReplayTarget::next_thread(gdbstub::ThreadId after) {
  // By number: the order in the guest's list changes with who runs.
  gdbstub::ThreadId next = 0;
  for (const snapshot::GuestThread& thread : threads())
    if (thread.registers_known && thread.id > after && (next == 0 || thread.id < next)) next = thread.id;
  return next;
}

size_t ReplayTarget::thread_name(gdbstub::ThreadId thread, std::span<char> name) {
  for (const snapshot::GuestThread& one : threads())
    if (one.id == thread) return one.name.copy(name.data(), name.size());
  return 0;
}

bool ReplayTarget::read_registers(gdbstub::ThreadId thread, format::GeneralRegisters& registers) {
  const auto known = history_.guest().registers_of(thread);
  if (known) registers = *known;
  return known.has_value();
}

size_t ReplayTarget::read_extended_state(gdbstub::ThreadId thread, std::span<uint8_t> to) {
  for (const snapshot::GuestThread& one : threads()) {
    if (one.id != thread) continue;
    std::memcpy(to.data(), one.extended_state.data(), std::min(to.size(), one.extended_state.size()));
    return one.extended_state.size();
  }
  return 0;
}

size_t ReplayTarget::read_memory(uint64_t address, std::span<uint8_t> to) {
  constexpr uint64_t kPage = GuestRam::kPage, kProgramEnd = uint64_t{1} << 47;
  size_t done = 0;
  while (done < to.size() && address + done < kProgramEnd) {
    const uint64_t at = address + done;
    const size_t part = std::min<uint64_t>(to.size() - done, kPage - at % kPage);
    if (!history_.guest().memory().read(at, to.subspan(done, part))) break;
    done += part;
  }
  return done;
}

bool ReplayTarget::memory_region(uint64_t address, gdbstub::MemoryRegion& region) {
  auto* moment = served();
  return moment != nullptr && moment->memory_region(address, region);
}

gdbstub::Outcome ReplayTarget::insert_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) {
  const ReplayPoint point{point_kind(kind), address, point_kind(kind) == QemuPoint::Breakpoint ? 1 : size};
  auto points = history_.points();
  if (std::find(points.begin(), points.end(), point) == points.end()) points.push_back(point);
  history_.set_points(std::move(points));
  return gdbstub::Outcome::Done;
}

gdbstub::Outcome ReplayTarget::remove_breakpoint(gdbstub::BreakpointKind kind, uint64_t address, uint64_t size) {
  const ReplayPoint point{point_kind(kind), address, point_kind(kind) == QemuPoint::Breakpoint ? 1 : size};
  auto points = history_.points();
  std::erase(points, point);
  history_.set_points(std::move(points));
  return gdbstub::Outcome::Done;
}

void ReplayTarget::prepare_resume(gdbstub::ThreadId thread, const gdbstub::ResumeAction& action) {
  prepared_.push_back({thread, action});
}

// One thread is stepped, or all go on: the recording says which of them runs.
bool ReplayTarget::resume() {
  Wanted wanted;
  for (const Wanted& one : prepared_)
    if (one.action.kind == gdbstub::ResumeKind::Step || one.action.direction == gdbstub::Direction::Backwards ||
        wanted.thread == 0)
      wanted = wanted.action.kind == gdbstub::ResumeKind::Step ? wanted : one;
  prepared_.clear();
  wanted_ = wanted;
  return true;
}

void ReplayTarget::interrupt() {
  if (wanted_ || interrupted_) return;
  interrupted_ = true;
}

void ReplayTarget::detach() {
  own_files_.clear();
  history_.set_points({});
  prepared_.clear();
  wanted_.reset();
}

// For the client it is over. The recording stays.
void ReplayTarget::kill() {
  constexpr int kKill = 9;
  stop_ = gdbstub::Stop{.kind = StopKind::Terminated, .signal = kKill};
}

int64_t ReplayTarget::read_auxiliary_vector(uint64_t offset, std::span<uint8_t> to) {
  auto* moment = served();
  return moment != nullptr ? moment->read_auxiliary_vector(offset, to) : -1;
}

int64_t ReplayTarget::executable_path(std::span<char> to) {
  auto* moment = served();
  return moment != nullptr ? moment->executable_path(to) : -1;
}

// What the guest's stub would tell of it live (snapshot/format/open_files.h): out of its memory as it is now.
std::optional<std::string> ReplayTarget::own_file(std::string_view path) {
  const auto facts = history_.guest().facts();
  if (!facts) return std::nullopt;
  const auto text = [](const std::vector<uint8_t>& bytes) { return std::string(bytes.begin(), bytes.end()); };
  // A table of descriptors may be empty; without one of sockets nothing is known of either.
  const auto& open = (*facts)->open_files;
  if (path == format::kDescriptorTablePath || path == format::kSocketTablePath) {
    if (open.sockets.empty()) return std::nullopt;
    return text(path == format::kSocketTablePath ? open.sockets : open.descriptors);
  }
  if (path == format::kKernelLogPath) return (*facts)->kernel_log;
  if (path == format::kStandardErrorPath) return (*facts)->standard_error;
  if (path == format::kStandardOutputPath) return (*facts)->standard_output;
  return std::nullopt;
}

// Numbers say whose file it is.
int64_t ReplayTarget::open_file(std::string_view path) {
  if (auto own = own_file(path)) {
    uint64_t number = kOwnFiles;
    while (own_files_.contains(number)) ++number;
    if (number - kOwnFiles >= kFilesOfOne) return -24;
    own_files_[number] = std::move(*own);
    return int64_t(number);
  }
  auto* moment = served();
  if (moment == nullptr) return -2;
  const int64_t number = moment->open_file(path);
  if (number < 0) return number;
  for (size_t index = 0; index < kept_.size(); ++index)
    if (kept_[index]->served.get() == moment) return int64_t(index * kFilesOfOne) + number;
  return -2;
}

int64_t ReplayTarget::close_file(uint64_t number) {
  if (own_files_.erase(number) != 0) return 0;
  if (number / kFilesOfOne >= kept_.size()) return -9;
  return kept_[number / kFilesOfOne]->served->close_file(number % kFilesOfOne);
}

int64_t ReplayTarget::read_file(uint64_t number, uint64_t offset, std::span<uint8_t> to) {
  if (const auto own = own_files_.find(number); own != own_files_.end())
    return offset < own->second.size()
               ? int64_t(own->second.copy(reinterpret_cast<char*>(to.data()), to.size(), offset))
               : 0;
  if (number / kFilesOfOne >= kept_.size()) return -9;
  return kept_[number / kFilesOfOne]->served->read_file(number % kFilesOfOne, offset, to);
}

int64_t ReplayTarget::file_status(uint64_t number, gdbstub::FileStatus& status) {
  if (const auto own = own_files_.find(number); own != own_files_.end()) {
    status = {};
    status.mode = 0100444;
    status.links = 1;
    status.size = own->second.size();
    return 0;
  }
  if (number / kFilesOfOne >= kept_.size()) return -9;
  return kept_[number / kFilesOfOne]->served->file_status(number % kFilesOfOne, status);
}

int64_t ReplayTarget::path_status(std::string_view path, gdbstub::FileStatus& status) {
  auto* moment = served();
  return moment != nullptr ? moment->path_status(path, status) : -2;
}

int64_t ReplayTarget::read_link(std::string_view path, std::span<char> to) {
  auto* moment = served();
  return moment != nullptr ? moment->read_link(path, to) : -2;
}

bool ReplayTarget::monitor(std::string_view command, gdbstub::TextSink& to) {
  const size_t space = std::min(command.find(' '), command.size());
  const std::string word(command.substr(0, space)), argument(command.substr(std::min(space + 1, command.size())));
  if (word == "mark" || word == "go") {
    const auto done = word == "mark" ? mark(argument) : go(argument);
    to.write((done ? *done : done.error().message) + "\n");
    return true;
  }
  if (word == "qemu") {
    const auto said = ask_qemu(argument);
    to.write(said ? *said : said.error().message + "\n");
    return true;
  }
  if (command == "help") {
    to.write(
        "position     where this is: instructions since the beginning\n"
        "begin, end   the first and the last position\n"
        "mark NAME    names this position; it stays in the recording's folder\n"
        "marks        those that there are\n"
        "go PLACE     to a mark, a position, begin, crash or end\n"
        "qemu WORDS   what QEMU says to `info ...`, `x ...` or `xp ...`: of the whole machine, kernel and devices\n");
  } else if (command == "position") {
    to.write(fmt::format("{}\n", history_.position()));
  } else if (command == "begin") {
    to.write(fmt::format("{}\n", history_.first()));
  } else if (command == "end") {
    to.write(fmt::format("{}\n", history_.last()));
  } else if (command == "marks") {
    const auto marks = read_marks(history_.recording().folder());
    if (!marks) to.write(marks.error().message + "\n");
    if (marks && marks->empty()) to.write("none\n");
    if (marks)
      for (const auto& [name, at] : *marks) to.write(fmt::format("{} {}\n", name, at));
  } else {
    return false;
  }
  return true;
}

// Only what looks: what changes the machine would make another run of it.
Result<std::string> ReplayTarget::ask_qemu(const std::string& words) {
  const std::string first = words.substr(0, words.find_first_of(" /"));
  if (first != "info" && first != "x" && first != "xp")
    return failure(ErrorKind::BadInput, "monitor qemu: info ..., x ... or xp ...: a recording is only looked at");
  const auto said = TRY(history_.qmp().execute("human-monitor-command", {{"command-line", words}}));
  if (!said.is_string()) return failure(ErrorKind::System, "QEMU does not answer that");
  std::string text = said.get<std::string>();
  std::erase(text, '\r');
  return text;
}

Result<std::string> ReplayTarget::mark(const std::string& name) {
  TRY_VOID(set_mark(history_.recording().folder(), name, history_.position()));
  return fmt::format("{} is {}", name, history_.position());
}

Result<std::string> ReplayTarget::go(const std::string& place) {
  TRY_VOID(check_place(history_.recording(), place));
  const HistoryEvent event = TRY(go_to_place(history_, place));
  stop_ = stop_of(event);  // of which nobody is told; who asks why it stands hears it
  return fmt::format("{}at {}", event.kind == HistoryStop::Interrupted ? "interrupted, " : "", history_.position());
}

}  // namespace mortem::tools
