#include "inspector/app/application.h"

#include <fmt/format.h>
#include <imgui_internal.h>

#include <algorithm>

#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app {

using Clock = std::chrono::steady_clock;

namespace {

// Frames one after the other that take input and are not drawn: where drawing is slow (no GPU, a display far away),
// what is typed must not wait for a picture a key.
constexpr int kMostUndrawn = 8;

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return double(now.tv_sec) + double(now.tv_nsec) / 1e9;
}

// As Settings::presets names it.
const char* kind_of(const Session& session) {
  return session.runs_backwards() ? "recording" : session.live() ? "live" : "still";
}

}  // namespace

Application::Application(ApplicationSetup setup, Frontend& frontend, Settings settings)
    : setup_(std::move(setup)),
      frontend_(frontend),
      workspace_([&frontend] { frontend.wake(); }),
      tiles_(workspace_),
      palette_(workspace_) {
  workspace_.settings = std::move(settings);
  workspace_.running_guests = setup_.running_guests;
  workspace_.actions = setup_.actions;
  workspace_.on_go = [this](const Place& place) { show(place); };
  workspace_.on_ask = [this](const Command& command) { palette_.ask(command); };
  set_brightness(workspace_.settings.brightness);
  rebuild_fonts();
  add_application_commands(*this);
  set_preset("welcome");
}

Application::~Application() {
  keep_layout();
  workspace_.session.reset();
  closing_.clear();
  if (!setup_.settings.empty()) (void)write_settings(workspace_.settings, setup_.settings);
}

void Application::open(const std::string& target) {
  close_target();
  SessionSetup session{target, setup_.open, setup_.symbols(target), setup_.source_folders,
                       [this] { frontend_.wake(); }};
  workspace_.session = std::make_unique<Session>(std::move(session));
  std::error_code ignored;
  const auto path = std::filesystem::absolute(target, ignored);
  workspace_.settings.remember(std::filesystem::exists(path, ignored) ? path.lexically_normal().string() : target);
  selected_first_ = false;
  first_stack_ = {};
  // A guest's name, as far as can be told before it answers.
  taken_for_ = "still";
  if (target.find('/') == std::string::npos && workspace_.running_guests)
    for (const Guest& guest : workspace_.running_guests())
      if (guest.name == target) taken_for_ = "live";
  set_preset(workspace_.settings.preset_for(taken_for_));
}

void Application::close_target() {
  if (workspace_.session) keep_layout();
  // What it is just working on may take a while to end. A live guest is let go at once: its name may be opened again.
  std::erase_if(closing_, [](std::future<void>& one) {
    return one.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  });
  if (workspace_.session && !workspace_.session->live())
    closing_.push_back(
        std::async(std::launch::async, [old = std::move(workspace_.session)]() mutable { old.reset(); }));
  workspace_.session.reset();
  workspace_.forget_target();
  tiles_.forget_views();
  toasts_.forget_session();
}

void Application::set_preset(const std::string& name) {
  const char* text = preset_layout(name);
  if (!text) return;
  keep_layout();
  preset_ = name;
  const auto kept = workspace_.settings.layouts.find(name);
  auto parsed = kept != workspace_.settings.layouts.end() ? TileTree::parse(kept->second) : TileTree::parse(text);
  if (!parsed) parsed = TileTree::parse(text);  // a file that somebody has edited
  tiles_.tiles = std::move(*parsed);
  tiles_.tiles.keep_only([](const std::string& view) { return find_view_kind(view) != nullptr; });
  if (name == "crash") tiles_.open("summary");
}

void Application::keep_layout() {
  if (preset_.empty() || preset_ == "welcome") return;
  workspace_.settings.layouts[preset_] = tiles_.tiles.text();
}

// By a person: the next target of this kind gets it, too.
void Application::choose_preset(const std::string& name) {
  if (workspace_.session) workspace_.settings.presets[kind_of(*workspace_.session)] = name;
  set_preset(name);
}

void Application::reset_layout() {
  const std::string preset = std::exchange(preset_, {});
  workspace_.settings.layouts.erase(preset);
  set_preset(preset);
}

void Application::set_zoom(float zoom) {
  workspace_.settings.zoom = std::clamp(zoom, 0.5f, 3.0f);
}

void Application::set_brightness_of_all(Brightness brightness) {
  workspace_.settings.brightness = brightness;
  set_brightness(brightness);
}

void Application::rebuild_fonts() {
  font_scale_ = workspace_.settings.zoom * frontend_.scale();
  build_fonts(std::round(kFontPixels * font_scale_));
  frontend_.forget_fonts();
}

void Application::show(const Place& place) {
  if (place.thread != 0 && (place.thread != workspace_.thread() || place.frame != workspace_.frame()))
    workspace_.set_selection(place.thread, place.frame);
  if (place.view.empty()) return;
  workspace_.set_shown(place);
  tiles_.open(place.view);
}

void Application::step_history(bool forward) {
  if (!workspace_.session) return;
  PlaceHistory& history = workspace_.session->history();
  if (const Place* place = forward ? history.forward() : history.back()) show(*place);
}

void Application::follow_session() {
  Session* session = workspace_.session.get();
  if (!session) return;
  session->next_frame();
  if (const uint64_t revision = session->revision(); revision != seen_revision_) {
    seen_revision_ = revision;
    frames_wanted_ = std::max(frames_wanted_, 2);
  }
  if (const uint64_t stops = session->stop_count(); stops != seen_stops_ && session->phase() == Phase::Stopped) {
    seen_stops_ = stops;
    if (session->stopped_thread() != 0) workspace_.set_selection(session->stopped_thread(), 0);
  }
  if (!selected_first_ && session->first_thread() != 0) {
    selected_first_ = true;
    if (const std::string kind = kind_of(*session); kind != taken_for_)
      set_preset(workspace_.settings.preset_for(kind));
    workspace_.set_selection(session->first_thread(), 0);
    session->history().visit(
        {.view = {}, .thread = session->first_thread(), .frame = 0, .address = {}, .file = {}, .line = 0});
  }
}

void Application::apply_actions() {
  // An action may ask for another one: that is for the next frame, so that no two can keep this one for ever.
  for (const auto& action : workspace_.take_actions()) {
    action();
    frames_wanted_ = std::max(frames_wanted_, 3);
  }
}

void Application::handle_event(const InputEvent& event) {
  frames_wanted_ = std::max(frames_wanted_, 3);
  if (event.kind == InputEvent::Kind::Move) last_mouse_move_ = Clock::now();
  if (event.kind == InputEvent::Kind::Drop) workspace_.command("file.open", event.path);
  if (event.kind == InputEvent::Kind::Character && event.character == '?' && !ImGui::GetIO().WantTextInput)
    workspace_.command("help.keys");
  if (on_input) on_input(event);
}

void Application::handle_keys() {
  const ImGuiIO& io = ImGui::GetIO();
  clicks_seen_ += ImGui::IsMouseClicked(ImGuiMouseButton_Left);
  for (int key = ImGuiKey_NamedKey_BEGIN; key < ImGuiKey_GamepadStart; ++key) {
    if (!ImGui::IsKeyPressed(ImGuiKey(key), true)) continue;
    presses_seen_ += modifier_key(ImGuiKey(key)) == ImGuiKey_None;
    const KeyChord chord{ImGuiKey(key), io.KeyCtrl, io.KeyShift, io.KeyAlt};
    const bool function_key = key >= ImGuiKey_F1 && key <= ImGuiKey_F12;
    // While text is typed, a plain key is text, and these move and copy in it.
    if (io.WantTextInput && !function_key) {
      if (!chord.control && !chord.alt) continue;
      if (chord.control && (key == ImGuiKey_A || key == ImGuiKey_C || key == ImGuiKey_V || key == ImGuiKey_X ||
                            key == ImGuiKey_Z || key == ImGuiKey_LeftArrow || key == ImGuiKey_RightArrow))
        continue;
    }
    run_keys(chord);
  }
}

void Application::run_keys(const KeyChord& chord) {
  if (chord == KeyChord{.key = ImGuiKey_Escape}) help_shown_ = false;
  if (const Command* command = workspace_.commands.of_keys(chord)) workspace_.command(command->name);
}

// What is typed while a field is about to get the keyboard is for that field: ImGui drops what comes in the frame in
// which one gets it.
bool Application::takes_input() const {
  const ImGuiContext& context = *ImGui::GetCurrentContext();
  const bool moves_keyboard = context.NavMoveSubmitted && (context.NavMoveFlags & ImGuiNavMoveFlags_FocusApi) != 0;
  return !moves_keyboard && !palette_.is_appearing();
}

void Application::frame() {
  const auto begin = Clock::now();
  const double cpu_begin = thread_cpu_seconds();
  if (fonts_outdated()) rebuild_fonts();
  apply_actions();
  follow_session();
  if (takes_input()) input_.feed([this](const InputEvent& event) { handle_event(event); });
  frontend_.begin_frame();
  workspace_.redraw_within = 1e9;
  ImGui::NewFrame();
  handle_keys();
  draw();
  ImGui::Render();
  build_seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();
  build_cpu_seconds_ = thread_cpu_seconds() - cpu_begin;
  slowest_build_ = std::max(slowest_build_, build_seconds_);
  undrawn_ = quiet_input() || undrawn_ == kMostUndrawn ? 0 : undrawn_ + 1;
  if (undrawn_ == 0) {
    frontend_.present(ImGui::GetDrawData());
    ++frames_drawn_;
  }
  screen_read_ = false;
  if (first_frame_ == Clock::time_point()) first_frame_ = Clock::now();
  if (first_stack_ == Clock::time_point() && workspace_.session && workspace_.thread() != 0 &&
      workspace_.session->stack(workspace_.thread()))
    first_stack_ = Clock::now();
  if (frames_wanted_ > 0) --frames_wanted_;

  const std::string title =
      workspace_.session ? fmt::format("{} - Mortem", ui::file_name(workspace_.session->target())) : "Mortem";
  if (title != shown_title_) frontend_.set_title(shown_title_ = title);
}

const std::vector<ScreenLine>& Application::screen() {
  if (!screen_read_ && ImGui::GetDrawData()) screen_ = screen_lines(*ImGui::GetDrawData());
  screen_read_ = true;
  return screen_;
}

bool Application::quiet_input() const {
  return input_.empty() && ImGui::GetCurrentContext()->InputEventsQueue.empty();
}

bool Application::quiet() const {
  return quiet_input() && !workspace_.has_actions() && frames_wanted_ == 0;
}

bool Application::settled() const {
  const Session* session = workspace_.session.get();
  // What arrived after the last frame has not been drawn.
  return quiet() && (!session || (!session->busy() && session->revision() == seen_revision_));
}

double Application::seconds_to_wait() const {
  if (!quiet() || fonts_outdated()) return 0;
  // Tooltips come a moment after the mouse stands still.
  if (Clock::now() - last_mouse_move_ < std::chrono::milliseconds(700)) return 0.1;
  return std::min(workspace_.redraw_within, 60.0);
}

void Application::run() {
  while (!ended()) {
    const double seconds = seconds_to_wait();
    frontend_.wait(seconds, input_);
    frames_wanted_ = std::max(frames_wanted_, 1);
    frame();
  }
}

}  // namespace mortem::inspector::app
