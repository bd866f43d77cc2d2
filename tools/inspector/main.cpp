// mortem-inspector: what `mortem open` starts.
#include <fmt/format.h>
#include <imgui.h>

#include <csignal>
#include <fstream>

#include "inspector/app/application.h"
#include "inspector/app/script/recorder.h"
#include "inspector/app/script/script.h"
#include "snapshot/folder_checksums.h"
#include "tools/inspector/ending_signals.h"
#include "tools/inspector/options.h"
#include "tools/inspector/target_actions.h"
#include "tools/output.h"
#include "tools/qemu/instance.h"
#include "tools/target.h"

namespace mortem::tools {
namespace {

namespace app = inspector::app;

// As open_target does: a word is a guest's name first.
Result<app::OpenedSource> open_source(const std::string& text) {
  app::OpenedSource source;
  if (text.find('/') == std::string::npos) {
    if (const auto instance = find_instance(text)) {
      source.stub_socket = TRY(connect_to_stub(*instance)).release();
      return source;
    }
  }
  source.core = TRY(open_target_core(text));
  return source;
}

std::vector<app::Guest> running_guests() {
  std::vector<app::Guest> guests;
  const auto instances = running_instances();
  if (!instances) return guests;
  for (const RunningInstance& instance : *instances) guests.push_back({instance.facts.name, instance.facts.program});
  return guests;
}

struct ImGuiLife {
  ImGuiLife() {
    ImGui::CreateContext();
    ImGuiIO& io = ImGui::GetIO();
    io.IniFilename = nullptr;
    io.ConfigInputTrickleEventQueue = false;  // InputQueue says what comes in which frame
    io.ConfigInputTextCursorBlink = false;    // a window that nobody touches draws nothing
  }
  ~ImGuiLife() { ImGui::DestroyContext(); }
};

std::unique_ptr<app::Frontend> frontend_for(const InspectorOptions& options, const app::Settings& settings) {
  app::FrontendOptions frontend;
  frontend.width = settings.width;
  frontend.height = settings.height;
  if (!options.size.empty()) (void)std::sscanf(options.size.c_str(), "%dx%d", &frontend.width, &frontend.height);
  frontend.scale = options.scale;
  frontend.title = "Mortem";
  if (!options.null_script.empty()) return app::null_frontend(frontend);
  if (options.offscreen) return app::offscreen_frontend(frontend);
  return app::window_frontend(frontend);
}

Result<void> check(const InspectorOptions& options) {
  const auto refuse = [](const char* why) { return failure(ErrorKind::BadInput, why); };
  if (!options.screenshot.empty() && !options.offscreen) return refuse("--screenshot needs --egl");
  if (options.offscreen && options.screenshot.empty() && options.script.empty())
    return refuse("--egl needs --screenshot FILE.png or --script SCRIPT");
  if (!options.null_script.empty() && (options.offscreen || !options.script.empty()))
    return refuse("--null goes without --egl and --script");
  if (!options.view.empty() && !app::find_view_kind(options.view)) {
    std::string names;
    for (const app::ViewKind& kind : app::view_kinds()) names += (names.empty() ? "" : ", ") + kind.name;
    return failure(ErrorKind::BadInput, fmt::format("there is no view '{}'; there are {}", options.view, names));
  }
  return {};
}

// One frame of the target, with all that its views wait for.
Result<void> take_screenshot(app::Application& application, const std::string& path) {
  app::ScriptRunner runner(application);
  const bool settled = runner.settle(120);
  const app::Session* session = application.workspace().session.get();
  if (session && session->phase() == app::Phase::Failed) return failure(ErrorKind::BadInput, session->problem());
  if (!settled) return failure(ErrorKind::System, "no picture: after 120 s something is still on its way");
  return app::write_png(TRY(application.frontend().picture()), path);
}

int inspect(const InspectorOptions& options) {
  if (const auto fine = check(options); !fine) return fail(fine.error());
  const std::string& script_path = options.null_script.empty() ? options.script : options.null_script;
  std::vector<app::ScriptStep> script;
  if (!script_path.empty()) {
    auto read = app::read_script(script_path);
    if (!read) return fail(read.error());
    script = std::move(*read);
  }
  const std::filesystem::path settings_file = options.no_settings        ? std::filesystem::path()
                                              : options.settings.empty() ? app::settings_path()
                                                                         : std::filesystem::path(options.settings);
  app::Settings settings = settings_file.empty() ? app::Settings() : app::read_settings(settings_file);
  if (!options.theme.empty())
    settings.brightness = options.theme == "light" ? app::Brightness::Light : app::Brightness::Dark;

  const ImGuiLife imgui;
  const auto frontend = frontend_for(options, settings);
  app::ApplicationSetup setup;
  setup.open = open_source;
  setup.symbols = [&options](const std::string& target) { return symbol_options(options.symbols, target); };
  setup.source_folders.assign(options.source_folders.begin(), options.source_folders.end());
  setup.running_guests = running_guests;
  setup.actions = target_actions();
  setup.settings = settings_file;
  app::Application application(std::move(setup), *frontend, std::move(settings));
  app::Recorder recorder(application);
  if (!options.record.empty())
    application.on_input = [&recorder](const app::InputEvent& event) { recorder.record(event); };
  // The target before the window: it is read while that comes.
  if (!options.target.empty()) application.open(options.target);
  if (const auto opened = frontend->open(); !opened) return fail(opened.error());
  if (!options.view.empty()) application.workspace().command("view." + options.view);

  int status = kDone;
  if (!script_path.empty()) {
    if (const auto done = app::ScriptRunner(application).run(script); !done) {
      note(fmt::format("{}, {}", script_path, done.error().message));
      status = done.error().kind == ErrorKind::BadInput ? kFailed : kProblem;
    }
  } else if (options.screenshot.empty()) {
    const EndingSignals signals([&] {
      application.end();
      frontend->wake();
    });
    application.run();
  }
  if (!options.screenshot.empty())
    if (const auto done = take_screenshot(application, options.screenshot); !done) status = fail(done.error());
  if (!options.record.empty()) {
    std::ofstream file(options.record);
    file << fmt::format("# Recorded; again: mortem open {} --null {} --size {:.0f}x{:.0f} --no-settings\n",
                        options.target, options.record, ImGui::GetIO().DisplaySize.x, ImGui::GetIO().DisplaySize.y)
         << recorder.text();
    file.close();
    if (!file) status = fail({ErrorKind::System, options.record + ": could not be written"});
  }
  return status;
}

}  // namespace
}  // namespace mortem::tools

int main(int count, char** arguments) {
  std::signal(SIGPIPE, SIG_IGN);
  mortem::snapshot::on_damage(mortem::tools::note);
  CLI::App parser("Opens a window on a dump, a core or a running guest. `mortem open` starts it.", "mortem-inspector");
  mortem::tools::InspectorOptions options;
  mortem::tools::add_inspector_options(&parser, options);
  try {
    parser.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return parser.exit(error) == 0 ? 0 : 2;
  }
  return mortem::tools::inspect(options);
}
