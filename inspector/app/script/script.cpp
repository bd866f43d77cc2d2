#include "inspector/app/script/script.h"

#include <fmt/format.h>
#include <imgui_internal.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <thread>

namespace mortem::inspector::app {
namespace {

using Clock = std::chrono::steady_clock;

std::optional<double> read_double(const std::string& text) {
  char* end = nullptr;
  const double number = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') return std::nullopt;
  return number;
}

tl::unexpected<Error> bad_step(std::string what) {
  return failure(ErrorKind::BadInput, std::move(what));
}

std::vector<unsigned> codepoints(std::string_view text) {
  std::vector<unsigned> found;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    unsigned codepoint = 0;
    at += std::max(ImTextCharFromUtf8(&codepoint, at, end), 1);
    found.push_back(codepoint);
  }
  return found;
}

const char* phase_name(Phase phase) {
  switch (phase) {
    case Phase::Opening:
      return "opening";
    case Phase::Stopped:
      return "stopped";
    case Phase::Running:
      return "running";
    case Phase::Ended:
      return "ended";
    case Phase::Failed:
      return "failed";
  }
  return "?";
}

Result<ImVec2> pixels_of(const std::string& x, const std::string& y) {
  const auto across = read_double(x), down = read_double(y);
  if (!across || !down) return bad_step("X Y: two numbers");
  return ImVec2(float(*across), float(*down));
}

}  // namespace

Result<void> ScriptRunner::run(const std::vector<ScriptStep>& steps) {
  for (const ScriptStep& one : steps) {
    if (const auto done = step(one.words); !done)
      return failure(done.error().kind, fmt::format("line {}: {}", one.line, done.error().message));
    if (application_.ended()) break;
  }
  return {};
}

void ScriptRunner::frame() {
  application_.frontend().wait(0, application_.input());
  application_.frame();
  if (frame_milliseconds_ > 0)
    std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(frame_milliseconds_));
}

template <typename Condition>
bool ScriptRunner::frames_until(double seconds, const Condition& condition) {
  const auto end = Clock::now() + std::chrono::duration<double>(seconds);
  for (;;) {
    frame();
    if (condition()) return true;
    if (Clock::now() > end || application_.ended()) return false;
    // Nothing moves: what is waited for comes from elsewhere, and wakes.
    if (application_.quiet()) application_.frontend().wait(0.05, application_.input());
  }
}

bool ScriptRunner::settle(double seconds) {
  return frames_until(seconds, [this] { return application_.settled(); });
}

void ScriptRunner::deliver() {
  // Two more: ImGui acts on a click in the frame after, and the commands that follow from it are applied then.
  (void)frames_until(
      60, [this] { return application_.input().empty() && ImGui::GetCurrentContext()->InputEventsQueue.empty(); });
  frame();
  frame();
}

Result<ScriptRunner::Where> ScriptRunner::where(const Words& words, size_t from) const {
  Where found;
  if (from >= words.size()) return bad_step(fmt::format("{} needs a text", words[0]));
  found.text = words[from];
  for (size_t at = from + 1; at < words.size(); at += 2) {
    if (at + 1 >= words.size()) return bad_step(fmt::format("'{}' needs a value", words[at]));
    const std::string& value = words[at + 1];
    if (words[at] == "in") {
      if (!find_view_kind(value)) return bad_step(fmt::format("there is no view '{}'", value));
      found.view = value;
    } else if (words[at] == "nth" && read_double(value)) {
      found.nth = size_t(std::max(*read_double(value), 1.0));
    } else if (words[at] == "for" && read_double(value)) {
      found.seconds = *read_double(value);
    } else {
      return bad_step(fmt::format("'{} {}' is not in VIEW, nth N or for SECONDS", words[at], value));
    }
  }
  return found;
}

std::vector<FoundText> ScriptRunner::find(const Where& where) {
  if (where.view.empty()) return find_on_screen(application_.screen(), where.text, {});
  const ScreenArea area = application_.tiles().area_of(where.view);
  if (area.everywhere()) return {};  // the view is not shown
  return find_on_screen(application_.screen(), where.text, area);
}

std::string ScriptRunner::seen(const std::string& view) {
  const ScreenArea area = view.empty() ? ScreenArea{} : application_.tiles().area_of(view);
  std::string text;
  float last_top = -1;
  for (const ScreenLine& line : application_.screen()) {
    if (!area.holds(ImVec2(line.left, (line.top + line.bottom) / 2))) continue;
    text += std::abs(line.top - last_top) < 1.5f ? " | " : "\n  ";
    text += line.text;
    last_top = line.top;
  }
  return text;
}

// What went wrong so far, where the session knows of it.
std::string ScriptRunner::complaints() const {
  std::string text;
  Session* session = application_.workspace().session.get();
  for (const JobFacts& job : session ? session->jobs().list() : std::vector<JobFacts>())
    if (job.state == JobState::Failed || job.notice) text += fmt::format("\n  problem: {}: {}", job.title, job.text);
  return text;
}

Result<ImVec2> ScriptRunner::point_of(const Where& where) {
  std::vector<FoundText> found;
  frames_until(where.seconds, [&] { return (found = find(where)).size() >= where.nth; });
  if (found.size() < where.nth)
    return failure(ErrorKind::NotFound,
                   fmt::format("'{}' is not on the screen{}; there is:{}{}", where.text,
                               where.view.empty() ? "" : " in " + where.view, seen(where.view), complaints()));
  return found[where.nth - 1].middle;
}

// Two clicks at one place that follow in no time are a double click, which is another thing.
void ScriptRunner::pause_before_press(ImVec2 at) {
  const bool same_place = std::abs(at.x - last_press_.x) < 8 && std::abs(at.y - last_press_.y) < 8;
  for (int count = 0; same_place && count < 24; ++count) frame();
  last_press_ = at;
}

void ScriptRunner::press(int button, ImVec2 at, int times) {
  pause_before_press(at);
  InputQueue& input = application_.input();
  input.push({.kind = InputEvent::Kind::Move, .position = at});
  for (int time = 0; time < times; ++time)
    for (const bool down : {true, false})
      input.push({.kind = InputEvent::Kind::Button, .button = button, .down = down});
  deliver();
}

void ScriptRunner::push_keys(const KeyChord& chord) {
  InputQueue& input = application_.input();
  const auto push = [&input](ImGuiKey key, bool down) {
    input.push({.kind = InputEvent::Kind::Key, .key = key, .down = down});
  };
  const bool is_question = chord == KeyChord{.key = ImGuiKey_Slash, .shift = true};
  for (const bool down : {true, false}) {
    if (!down) push(chord.key, false);
    if (chord.control) push(ImGuiKey_LeftCtrl, down);
    if (chord.shift) push(ImGuiKey_LeftShift, down);
    if (chord.alt) push(ImGuiKey_LeftAlt, down);
    if (down) push(chord.key, true);
    if (down && is_question) input.push({.kind = InputEvent::Kind::Character, .character = '?'});
  }
}

void ScriptRunner::type(std::string_view text) {
  for (const unsigned codepoint : codepoints(text))
    application_.input().push({.kind = InputEvent::Kind::Character, .character = codepoint});
  deliver();
}

Result<void> ScriptRunner::drag(const Words& words) {
  ImVec2 from, to;
  if (words[0] == "drag-at") {
    if (words.size() != 6 || words[3] != "to") return bad_step("drag-at X Y to X Y");
    from = TRY(pixels_of(words[1], words[2]));
    to = TRY(pixels_of(words[4], words[5]));
  } else {
    if (words.size() < 4 || words[2] != "to") return bad_step("drag \"TEXT\" to X Y, or to \"TEXT\"");
    from = TRY(point_of({.text = words[1], .view = {}}));
    to = TRY(words.size() == 5 ? pixels_of(words[3], words[4]) : point_of({.text = words[3], .view = {}}));
  }
  pause_before_press(from);
  InputQueue& input = application_.input();
  const auto move = [&](ImVec2 at) {
    input.push({.kind = InputEvent::Kind::Move, .position = at});
    deliver();
  };
  move(from);
  input.push({.kind = InputEvent::Kind::Button, .button = 0, .down = true});
  for (const float part : {0.0f, 0.3f, 0.7f, 1.0f})
    move(ImVec2(from.x + (to.x - from.x) * part, from.y + (to.y - from.y) * part));
  input.push({.kind = InputEvent::Kind::Button, .button = 0, .down = false});
  deliver();
  return {};
}

Result<void> ScriptRunner::check_fact(const std::string& name, const std::string& value) {
  Workspace& workspace = application_.workspace();
  const Session* session = workspace.session.get();
  std::string is;
  if (name == "thread") {
    is = std::to_string(workspace.thread());
  } else if (name == "frame") {
    is = std::to_string(workspace.frame());
  } else if (name == "focus") {
    is = application_.tiles().focused();
  } else if (name == "threads") {
    is = std::to_string(session ? session->threads().size() : 0);
  } else if (name == "phase") {
    is = session ? phase_name(session->phase()) : "nothing";
  } else if (name == "target") {
    is = session ? session->target() : "";
  } else if (name == "copied") {
    const char* text = ImGui::GetClipboardText();
    is = text ? text : "";
    if (is.find(value) != std::string::npos) return {};
  } else if (name == "clicks") {
    is = std::to_string(application_.clicks_seen());
  } else if (name == "presses") {
    is = std::to_string(application_.presses_seen());
  } else if (name == "shown") {
    if (!application_.tiles().area_of(value).everywhere()) return {};
    return failure(ErrorKind::NotFound, fmt::format("the view '{}' is not visible", value));
  } else if (name == "preset") {
    is = application_.preset();
  } else if (name == "hexadecimal") {
    is = workspace.hexadecimal ? "yes" : "no";
  } else if (name == "theme") {
    is = workspace.settings.brightness == Brightness::Dark ? "dark" : "light";
  } else if (name == "zoom") {
    is = fmt::format("{:.0f}", double(workspace.settings.zoom) * 100);
  } else if (name == "jobs-failed") {
    size_t failed = 0;
    for (const JobFacts& job : workspace.jobs.list()) failed += job.state == JobState::Failed || job.notice;
    if (session)
      for (const JobFacts& job : workspace.session->jobs().list())
        failed += job.state == JobState::Failed || job.notice;
    is = std::to_string(failed);
  } else {
    return bad_step(fmt::format("there is no fact '{}'", name));
  }
  if (is == value) return {};
  return failure(ErrorKind::NotFound, fmt::format("{} is '{}', not '{}'", name, is, value));
}

Result<void> ScriptRunner::check_tint(const Words& words) {
  static constexpr std::pair<const char*, Tint> kTints[] = {
      {"text", Tint::Text},     {"dim", Tint::Dim},         {"faint", Tint::Faint},
      {"accent", Tint::Accent}, {"good", Tint::Good},       {"warning", Tint::Warning},
      {"error", Tint::Error},   {"changed", Tint::Changed}, {"address", Tint::Address}};
  const auto known = std::find_if(std::begin(kTints), std::end(kTints),
                                  [&](const auto& one) { return words.size() > 1 && one.first == words[1]; });
  if (known == std::end(kTints)) return bad_step("check-tint TINT \"TEXT\": there is no such tint");
  const ImU32 wanted = colour(known->second);
  Where place = TRY(where(words, 2));
  const bool is_any = place.text == "*";
  const bool found = frames_until(place.seconds, [&] {
    for (const ScreenLine& line : application_.screen()) {
      const ScreenArea area = place.view.empty() ? ScreenArea{} : application_.tiles().area_of(place.view);
      if (!place.view.empty() && area.everywhere()) return false;
      for (size_t at = is_any ? 0 : line.text.find(place.text); at < line.text.size();
           at = is_any ? at + 1 : line.text.find(place.text, at + 1))
        if (line.colours[at] == wanted && area.holds(ImVec2(line.positions[at], (line.top + line.bottom) / 2)))
          return true;
    }
    return false;
  });
  if (found) return {};
  return failure(ErrorKind::NotFound,
                 fmt::format("'{}' is not drawn as {}; there is:{}", place.text, words[1], seen(place.view)));
}

void ScriptRunner::print_timings(const std::string& started) const {
  const double from = std::strtod(started.c_str(), nullptr);
  const auto milliseconds = [from](Clock::time_point moment) {
    return (double(std::chrono::nanoseconds(moment.time_since_epoch()).count()) - from) / 1e6;
  };
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const double cpu = double(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e3 +
                     double(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e3;
  fmt::print(
      "{{\"first_frame_ms\": {:.1f}, \"first_stack_ms\": {:.1f}, \"slowest_frame_ms\": {:.2f}, \"cpu_ms\": {:.1f}, "
      "\"memory_kib\": {}}}\n",
      milliseconds(application_.first_frame()), milliseconds(application_.first_stack()),
      application_.slowest_build_seconds() * 1e3, cpu, used.ru_maxrss);
}

void ScriptRunner::measure(const std::string& view) {
  application_.workspace().command("view." + view);
  deliver();
  (void)settle(60);
  std::vector<double> times, cpu;
  for (int count = 0; count < 31; ++count) {
    frame();
    times.push_back(application_.last_build_seconds() * 1e3);
    cpu.push_back(application_.last_build_cpu_seconds() * 1e3);
  }
  std::sort(times.begin(), times.end());
  std::sort(cpu.begin(), cpu.end());
  fmt::print("{{\"view\": \"{}\", \"median_ms\": {:.3f}, \"slowest_ms\": {:.3f}, \"slowest_cpu_ms\": {:.3f}}}\n", view,
             times[times.size() / 2], times.back(), cpu.back());
}

Result<void> ScriptRunner::compare_picture(const std::filesystem::path& path, double most_percent) {
  const Picture is = TRY(application_.frontend().picture());
  const auto wanted = read_png(path);
  const double differs = wanted ? different_percent(is, *wanted) : 100;
  if (differs <= most_percent) return {};
  const std::string kept = path.stem().string() + ".actual.png";
  TRY_VOID(write_png(is, kept));
  return failure(
      ErrorKind::NotFound,
      fmt::format("{}: {}; what was drawn is in {}", path.string(),
                  wanted ? fmt::format("{:.2f} % of the picture differ", differs) : wanted.error().message, kept));
}

Result<void> ScriptRunner::step(const Words& words) {
  const std::string& what = words[0];
  const auto word = [&](size_t index) { return index < words.size() ? words[index] : std::string(); };
  if (what == "open" || what == "command") {
    std::string argument;
    for (size_t at = what == "open" ? 1 : 2; at < words.size(); ++at)
      argument += (argument.empty() ? "" : " ") + words[at];
    const std::string name = what == "open" ? "file.open" : word(1);
    if (!application_.workspace().commands.find(name)) return bad_step(fmt::format("there is no command '{}'", name));
    application_.workspace().command(name, argument);
    deliver();
    return {};
  }
  if (what == "click" || what == "double-click" || what == "right-click" || what == "middle-click" || what == "hover") {
    const ImVec2 at = TRY(point_of(TRY(where(words, 1))));
    if (what == "hover") {
      application_.input().push({.kind = InputEvent::Kind::Move, .position = at});
      deliver();
      for (int count = 0; count < 40; ++count) frame();  // a tooltip comes after a moment
    } else {
      press(what == "right-click" ? 1 : what == "middle-click" ? 2 : 0, at, what == "double-click" ? 2 : 1);
    }
    return {};
  }
  if (what == "burst-click" || what == "burst-key") {
    const int times = int(read_double(word(1)).value_or(0));
    if (times < 1) return bad_step(what + " TIMES …");
    if (what == "burst-click") {
      press(0, TRY(point_of(TRY(where(words, 2)))), times);
      return {};
    }
    const auto chord = parse_key_chord(word(2));
    if (!chord) return bad_step(fmt::format("'{}' is no key", word(2)));
    for (int time = 0; time < times; ++time) push_keys(*chord);
    deliver();
    return {};
  }
  if (what == "click-at") {
    press(0, TRY(pixels_of(word(1), word(2))), 1);
    return {};
  }
  if (what == "drag" || what == "drag-at") return drag(words);
  if (what == "type") {
    type(word(1));
    return {};
  }
  if (what == "key") {
    const auto chord = parse_key_chord(word(1));
    if (!chord) return bad_step(fmt::format("'{}' is no key", word(1)));
    push_keys(*chord);
    deliver();
    return {};
  }
  if (what == "wheel") {
    const auto lines = read_double(word(1));
    if (!lines) return bad_step("wheel LINES \"TEXT\"");
    const ImVec2 at = TRY(point_of(TRY(where(words, 2))));
    application_.input().push({.kind = InputEvent::Kind::Move, .position = at});
    application_.input().push({.kind = InputEvent::Kind::Wheel, .position = ImVec2(0, float(*lines))});
    deliver();
    return {};
  }
  if (what == "wait" || what == "check") {
    Where wanted = TRY(where(words, 1));
    if (what == "check") wanted.seconds = 0;
    TRY(point_of(wanted));
    return {};
  }
  if (what == "wait-not" || what == "check-not") {
    Where wanted = TRY(where(words, 1));
    if (what == "check-not") wanted.seconds = 0;
    if (!frames_until(wanted.seconds, [&] { return find(wanted).empty(); }))
      return failure(ErrorKind::NotFound, fmt::format("'{}' is on the screen", wanted.text));
    return {};
  }
  if (what == "settle") {
    if (!settle(60)) return failure(ErrorKind::System, "after 60 s something is still on its way");
    return {};
  }
  if (what == "check-fact") return check_fact(word(1), word(2));
  if (what == "check-tint") return check_tint(words);
  if (what == "check-command") {
    const Command* command = application_.workspace().commands.find(word(1));
    if (!command) return bad_step(fmt::format("there is no command '{}'", word(1)));
    const std::string why = unavailable(*command);
    if (why.empty() == (word(2) == "available")) return {};
    return failure(ErrorKind::NotFound,
                   fmt::format("{} is {}", word(1), why.empty() ? "available" : "unavailable: " + why));
  }
  if (what == "list-commands") {
    for (const Command& command : application_.workspace().commands.all())
      fmt::print("{}\t{}\n", command.name, command.keys);
    return {};
  }
  if (what == "show") {
    frame();
    std::printf("%s\n", seen(word(1)).c_str());
    return {};
  }
  if (what == "picture") {
    (void)settle(30);
    return write_png(TRY(application_.frontend().picture()), word(1));
  }
  if (what == "check-picture") {
    (void)settle(30);
    return compare_picture(word(1), read_double(word(2)).value_or(0));
  }
  if (what == "timings") {
    print_timings(word(1));
    return {};
  }
  if (what == "measure") {
    measure(word(1));
    return {};
  }
  if (what == "frame-time") {
    frame_milliseconds_ = read_double(word(1)).value_or(0);
    return {};
  }
  if (what == "check-frames") {
    const double slowest = application_.slowest_build_seconds() * 1000;
    if (slowest <= read_double(word(1)).value_or(0)) return {};
    return failure(ErrorKind::NotFound, fmt::format("a frame took {:.1f} ms to build", slowest));
  }
  if (what == "check-drawn") {
    const uint64_t drawn = application_.frames_drawn() - std::exchange(drawn_before_, application_.frames_drawn());
    if (double(drawn) <= read_double(word(1)).value_or(0)) return {};
    return failure(ErrorKind::NotFound, fmt::format("{} frames were drawn", drawn));
  }
  return bad_step(fmt::format("'{}' is no step of a script", what));
}

}  // namespace mortem::inspector::app
