// The command table: what can be done with the window and the target as such. Commands of one view stand in its file.
#include <fmt/format.h>

#include <charconv>
#include <fstream>

#include "inspector/app/application.h"
#include "inspector/app/ui/elements.h"

namespace mortem::inspector::app {
namespace {

using Names = std::vector<Suggestion>;

Result<void> done() {
  return {};
}

std::string needs_target(const Workspace& workspace) {
  if (!workspace.session) return "nothing is open";
  return workspace.session->phase() == Phase::Failed ? "the target could not be opened" : "";
}

std::optional<uint64_t> read_number(std::string_view text) {
  int base = 10;
  if (text.starts_with("0x")) {
    base = 16;
    text.remove_prefix(2);
  }
  uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return number;
}

// Targets that were opened before, guests that run here, files whose path begins so.
Names suggest_targets(const Workspace& workspace, const std::string& typed) {
  Names found;
  if (workspace.running_guests)
    for (const Guest& guest : workspace.running_guests())
      if (fitness(typed, guest.name) >= 0) found.push_back({guest.name, "running guest: " + guest.program, guest.name});
  for (const std::string& recent : workspace.settings.recent)
    if (fitness(typed, recent) >= 0) found.push_back({recent, "recent", recent});
  std::error_code error;
  const std::filesystem::path path(typed);
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const std::string beginning = path.filename().string();
  std::filesystem::directory_iterator entry(folder, error);
  for (size_t count = 0; !error && entry != std::filesystem::directory_iterator() && count < 2000; ++count) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(beginning) && (name[0] != '.' || !beginning.empty()) && found.size() < 60) {
      const std::string full = path.has_parent_path() ? (folder / name).string() : name;
      found.push_back({full, entry->is_directory(error) ? "folder" : "file", full});
    }
    entry.increment(error);
  }
  return found;
}

Names suggest_symbols(Workspace& workspace, const std::string& typed) {
  Names found;
  if (!workspace.session || typed.empty()) return found;
  const auto symbols = workspace.session->symbols(typed, 50);
  if (!symbols) return found;
  for (const SymbolFacts& symbol : symbols->symbols)
    found.push_back({symbol.name, fmt::format("{} {}", ui::file_name(symbol.module), ui::hex(symbol.address)),
                     fmt::format("{}{:#x}", symbol.function ? "code " : "data ", symbol.address)});
  return found;
}

// An address or an expression: the answer may take a while, so it is asked for in every frame until it is there.
void go_when_known(Workspace& workspace, std::string text, std::string view) {
  if (!workspace.session) return;
  const auto address = workspace.session->address_of(text, workspace.thread(), workspace.frame());
  if (address.pending) {
    workspace.later(
        [&workspace, text = std::move(text), view = std::move(view)] { go_when_known(workspace, text, view); });
  } else if (!address) {
    workspace.jobs.report("Go to address", address.problem);
  } else {
    workspace.go({.view = view, .thread = 0, .frame = 0, .address = *address, .file = {}, .line = 0});
  }
}

void add_file_commands(Application& application) {
  Workspace& workspace = application.workspace();
  workspace.commands.add(
      {.name = "file.open",
       .menu = "File",
       .title = "Open",
       .keys = "Ctrl+O",
       .argument = "A dump, a core, or the name of a running guest",
       .run =
           [&application](const std::string& target) {
             application.open(target);
             return done();
           },
       .suggest = [&workspace](const std::string& typed) { return suggest_targets(workspace, typed); },
       .typed_first = true});
  workspace.commands.add({.name = "file.close",
                          .menu = "File",
                          .title = "Close target",
                          .keys = "Ctrl+W",
                          .argument = {},
                          .run =
                              [&application](const std::string&) {
                                application.close_target();
                                application.set_preset("welcome");
                                return done();
                              },
                          .unavailable = [&workspace] { return workspace.session ? "" : "nothing is open"; }});
  workspace.commands.add({.name = "quit",
                          .menu = "File",
                          .title = "Quit",
                          .keys = "Ctrl+Q",
                          .argument = {},
                          .run = [&application](const std::string&) {
                            application.end();
                            return done();
                          }});
}

void add_go_commands(Application& application) {
  Workspace& workspace = application.workspace();
  const auto target = [&workspace] { return needs_target(workspace); };
  workspace.commands.add({.name = "go.address",
                          .menu = "Go",
                          .title = "Go to address",
                          .keys = "Ctrl+G",
                          .argument = "An address, a symbol or an expression: 0x7fff1000, main, buffer->data",
                          .run =
                              [&workspace](const std::string& text) {
                                go_when_known(workspace, text, "memory");
                                return done();
                              },
                          .unavailable = target});
  workspace.commands.add(
      {.name = "go.symbol",
       .menu = "Go",
       .title = "Go to symbol",
       .keys = "Ctrl+J",
       .argument = "A part of a function's or a variable's name",
       .run =
           [&workspace](const std::string& text) {
             const bool data = text.starts_with("data ");
             const bool known = data || text.starts_with("code ");
             go_when_known(workspace, known ? text.substr(5) : text, data ? "memory" : "disassembly");
             return done();
           },
       .unavailable = target,
       .suggest = [&workspace](const std::string& typed) { return suggest_symbols(workspace, typed); }});
  workspace.commands.add({.name = "frame.select",
                          .menu = "Go",
                          .title = "Select frame",
                          .keys = {},
                          .argument = "A frame's number",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            const auto number = read_number(text);
                            if (!number) return failure(ErrorKind::BadInput, fmt::format("'{}' is no number", text));
                            const auto stack = workspace.session->stack(workspace.thread());
                            if (stack && *number >= stack->frames.size())
                              return failure(ErrorKind::NotFound,
                                             fmt::format("thread {} has no frame {}", workspace.thread(), *number));
                            workspace.select_frame_now(workspace.thread(), *number);
                            return {};
                          },
                          .unavailable = target});
  workspace.commands.add({.name = "thread.select",
                          .menu = "Go",
                          .title = "Select thread",
                          .keys = {},
                          .argument = "A thread's number",
                          .run = [&workspace](const std::string& text) -> Result<void> {
                            const auto number = read_number(text);
                            for (const ThreadFacts& one : workspace.session->threads())
                              if (number && one.thread.id == *number) {
                                workspace.select_frame_now(one.thread.id, 0);
                                return {};
                              }
                            return failure(ErrorKind::NotFound, fmt::format("there is no thread '{}'", text));
                          },
                          .unavailable = target});
  const auto step_frame = [&workspace](bool outwards) {
    const auto stack = workspace.session->stack(workspace.thread());
    const size_t at = workspace.frame();
    if (outwards && stack && at + 1 < stack->frames.size()) workspace.select_frame_now(workspace.thread(), at + 1);
    if (!outwards && at > 0) workspace.select_frame_now(workspace.thread(), at - 1);
    return done();
  };
  workspace.commands.add({.name = "frame.caller",
                          .menu = "Go",
                          .title = "Caller's frame",
                          .keys = "Ctrl+Up",
                          .argument = {},
                          .run = [step_frame](const std::string&) { return step_frame(true); },
                          .unavailable = target});
  workspace.commands.add({.name = "frame.callee",
                          .menu = "Go",
                          .title = "Called frame",
                          .keys = "Ctrl+Down",
                          .argument = {},
                          .run = [step_frame](const std::string&) { return step_frame(false); },
                          .unavailable = target});
}

}  // namespace

void add_history_commands(Application& application, std::function<void(bool)> step) {
  Workspace& workspace = application.workspace();
  const auto can = [&workspace](bool forward) -> std::string {
    if (!workspace.session) return "nothing is open";
    const PlaceHistory& history = workspace.session->history();
    if (forward ? history.can_go_forward() : history.can_go_back()) return "";
    return forward ? "there is nothing ahead" : "there is nothing before";
  };
  workspace.commands.add({.name = "go.back",
                          .menu = "Go",
                          .title = "Back",
                          .keys = "Alt+Left",
                          .argument = {},
                          .run =
                              [step](const std::string&) {
                                step(false);
                                return done();
                              },
                          .unavailable = [can] { return can(false); }});
  workspace.commands.add({.name = "go.forward",
                          .menu = "Go",
                          .title = "Forward",
                          .keys = "Alt+Right",
                          .argument = {},
                          .run =
                              [step](const std::string&) {
                                step(true);
                                return done();
                              },
                          .unavailable = [can] { return can(true); }});
}

namespace {

void add_view_commands(Application& application) {
  Workspace& workspace = application.workspace();
  TileWindow& tiles = application.tiles();
  for (const ViewKind& kind : view_kinds())
    workspace.commands.add({.name = "view." + kind.name,
                            .menu = "View",
                            .title = kind.title,
                            .keys = kind.keys,
                            .argument = {},
                            .run =
                                [&tiles, name = kind.name](const std::string&) {
                                  tiles.open(name);
                                  return done();
                                },
                            .unavailable = [&workspace, needs = kind.needs_target]() -> std::string {
                              return needs && !workspace.session ? "nothing is open" : "";
                            }});
  const auto simple = [&](const char* name, const char* menu, const char* title, const char* keys,
                          std::function<void()> action) {
    workspace.commands.add({.name = name,
                            .menu = menu,
                            .title = title,
                            .keys = keys,
                            .argument = {},
                            .run = [action = std::move(action)](const std::string&) {
                              action();
                              return done();
                            }});
  };
  simple("view.find", "View", "Find in this view", "Ctrl+F", [&tiles] {
    if (View* view = tiles.view(tiles.focused())) view->find();
  });
  simple("view.copy", "View", "Copy this view's text", "Ctrl+C", [&] {
    View* view = tiles.view(tiles.focused());
    const std::string text = view && workspace.session ? view->copied(workspace) : std::string();
    if (!text.empty()) ImGui::SetClipboardText(text.c_str());
  });
  simple("view.numbers", "View", "Hexadecimal or decimal numbers", "Ctrl+H",
         [&workspace] { workspace.hexadecimal = !workspace.hexadecimal; });
  workspace.commands.add({.name = "view.save_text",
                          .menu = "View",
                          .title = "Save the text on the screen",
                          .argument = "A file to write",
                          .run = [&application](const std::string& path) -> Result<void> {
                            // After the next frame: in the last one the field for this path was in the way.
                            application.workspace().later([&application, path] {
                              std::ofstream file(path);
                              for (const ScreenLine& line : application.screen()) file << line.text << '\n';
                              file.close();
                              if (!file) application.workspace().jobs.report(path, "could not be written");
                            });
                            return {};
                          },
                          .typed_first = true});
  simple("tile.next", "Layout", "Next tile", "Ctrl+PageDown", [&tiles] { tiles.focus_next(1); });
  simple("tile.previous", "Layout", "Previous tile", "Ctrl+PageUp", [&tiles] { tiles.focus_next(-1); });
  simple("tile.maximise", "Layout", "Maximise this view, or not", "Ctrl+M",
         [&tiles] { tiles.tiles.toggle_maximised(tiles.focused()); });
  simple("tile.close", "Layout", "Close this view", "", [&tiles] { tiles.tiles.close(tiles.focused()); });
  const auto split = [&tiles](Side side) {
    Tile* tile = tiles.tiles.tile_of(tiles.focused());
    if (tile && tile->views.size() > 1) tiles.tiles.move(std::string(tiles.focused()), *tile, side);
  };
  simple("tile.split_right", "Layout", "Move this view into a tile to the right", "", [split] { split(Side::Right); });
  simple("tile.split_down", "Layout", "Move this view into a tile below", "", [split] { split(Side::Bottom); });
  for (const char* preset : {"crash", "live", "replay"})
    workspace.commands.add({.name = fmt::format("layout.{}", preset),
                            .menu = "Layout",
                            .title = fmt::format("Layout: {}", preset),
                            .keys = {},
                            .argument = {},
                            .run =
                                [&application, name = std::string(preset)](const std::string&) {
                                  application.choose_preset(name);
                                  return done();
                                },
                            .unavailable = [&workspace] { return needs_target(workspace); }});
  simple("layout.reset", "Layout", "Layout as it came", "", [&] { application.reset_layout(); });
  simple("theme.toggle", "Layout", "Light or dark", "", [&] {
    const bool dark = workspace.settings.brightness == Brightness::Dark;
    application.set_brightness_of_all(dark ? Brightness::Light : Brightness::Dark);
  });
  simple("zoom.in", "Layout", "Larger text", "Ctrl+Plus Ctrl+Shift+Plus",
         [&] { application.set_zoom(workspace.settings.zoom * 1.1f); });
  simple("zoom.out", "Layout", "Smaller text", "Ctrl+Minus",
         [&] { application.set_zoom(workspace.settings.zoom / 1.1f); });
  simple("zoom.reset", "Layout", "Text of ordinary size", "Ctrl+0", [&] { application.set_zoom(1); });
}

}  // namespace

void add_application_commands(Application& application) {
  Workspace& workspace = application.workspace();
  add_file_commands(application);
  add_history_commands(application, [&application](bool forward) { application.step_history(forward); });
  add_go_commands(application);
  add_view_commands(application);
  for (const CommandRegistration::Add add : registered_commands()) add(workspace);
  workspace.commands.add({.name = "help.palette",
                          .menu = "Help",
                          .title = "All commands",
                          .keys = "F1 Ctrl+Shift+P",
                          .argument = {},
                          .run = [&application](const std::string&) {
                            application.palette_.open();
                            return done();
                          }});
  workspace.commands.add({.name = "help.keys",
                          .menu = "Help",
                          .title = "Keys",
                          .keys = {},
                          .argument = {},
                          .run = [&application](const std::string&) {
                            application.help_shown_ = !application.help_shown_;
                            return done();
                          }});
}

}  // namespace mortem::inspector::app
