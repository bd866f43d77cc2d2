#include "tools/verbs.h"

#include <algorithm>
#include <map>

#include "tools/output.h"

namespace mortem::tools {

namespace {

struct Registered {
  std::vector<std::string> names;
  void (*add)(Commands&);
};

std::multimap<int, Registered>& registered_verbs() {
  static std::multimap<int, Registered> verbs;  // made at first use: registrations run before main
  return verbs;
}

std::string full_name(const CLI::App* verb) {
  std::string name = verb->get_name();
  for (verb = verb->get_parent(); verb != nullptr && verb->get_parent() != nullptr; verb = verb->get_parent())
    name = verb->get_name() + " " + name;
  return name;
}

// The deepest verb that was named before the mistake, for the hint at its end.
const CLI::App* deepest_parsed(const CLI::App* app) {
  while (!app->get_subcommands().empty()) app = app->get_subcommands().back();
  return app;
}

std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (!text.empty() && (text.back() == ' ' || text.back() == '.')) text.pop_back();
  return text;
}

}  // namespace

VerbRegistration::VerbRegistration(int place, std::vector<std::string> names, void (*add)(Commands&)) {
  registered_verbs().emplace(place, Registered{std::move(names), add});
}

void add_registered_verbs(Commands& commands, const std::string& name) {
  const auto has_it = [&](const auto& one) {
    return std::ranges::find(one.second.names, name) != one.second.names.end();
  };
  const bool known = std::ranges::any_of(registered_verbs(), has_it);
  for (const auto& one : registered_verbs())
    if (!known || has_it(one)) one.second.add(commands);
}

CLI::App* Commands::add(CLI::App* parent, const std::string& name, const std::string& summary,
                        const std::string& footer) {
  CLI::App* verb = (parent ? parent : &root_)->add_subcommand(name, summary);
  verb->footer(footer);
  verb->failure_message([](const CLI::App*, const CLI::Error& error) { return std::string(error.what()); });
  return verb;
}

void Commands::on(CLI::App* verb, std::function<int()> action) {
  verb->callback([this, verb, action = std::move(action)] {
    chosen_ = action;
    chosen_name_ = full_name(verb);
  });
}

void Commands::read_with(CLI::App* verb, std::vector<std::string> (*rewrite)(const std::vector<std::string>&)) {
  rewriters_[verb->get_name()] = rewrite;
}

void Commands::take_arguments_after_dashes(CLI::App* verb, std::vector<std::string>* to, bool* given) {
  dashes_takers_.push_back({verb, to, given});
}

int Commands::run(int count, const char* const* arguments) {
  // What stands after `--` is the app's own and never read by us, so it is cut off before CLI11 sees it.
  std::vector<std::string> ours(arguments + (count > 0 ? 1 : 0), arguments + count);
  auto dashes = std::find(ours.begin(), ours.end(), "--");
  const bool has_dashes = dashes != ours.end();
  std::vector<std::string> after_dashes(has_dashes ? dashes + 1 : dashes, ours.end());
  ours.erase(dashes, ours.end());

  if (ours.empty() && !has_dashes) {
    write_stderr(root_.help());
    return kFailed;
  }
  if (const auto found = ours.empty() ? rewriters_.end() : rewriters_.find(ours[0]); found != rewriters_.end()) {
    const std::vector<std::string> rewritten = found->second({ours.begin() + 1, ours.end()});
    ours.resize(1);
    ours.insert(ours.end(), rewritten.begin(), rewritten.end());
  }
  auto hint = [&](const CLI::App* verb) {
    return verb->get_parent() ? "see mortem " + full_name(verb) + " --help" : std::string("see mortem --help");
  };
  try {
    std::vector<std::string> reversed(ours.rbegin(), ours.rend());  // the order CLI11 wants
    root_.parse(reversed);
  } catch (const CLI::CallForHelp&) {
    write_stdout(root_.help());  // of the verb that was named, with its parents in the usage line
    return kDone;
  } catch (const CLI::CallForVersion& version) {
    write_stdout(std::string(version.what()) + "\n");
    return kDone;
  } catch (const CLI::ParseError& error) {
    const CLI::App* verb = deepest_parsed(&root_);
    return fail((verb->get_parent() ? full_name(verb) + ": " : "") + one_line(error.what()) + "; " + hint(verb));
  }
  if (!chosen_) {
    const CLI::App* verb = deepest_parsed(&root_);
    return fail("which verb? " + hint(verb));
  }
  const CLI::App* verb = deepest_parsed(&root_);
  auto taker = std::find_if(dashes_takers_.begin(), dashes_takers_.end(),
                            [&](const DashesTaker& candidate) { return candidate.verb == verb; });
  if (taker != dashes_takers_.end()) {
    *taker->to = std::move(after_dashes);
    if (taker->given) *taker->given = has_dashes;
  } else if (has_dashes)
    return fail(chosen_name_ + ": takes no arguments after --; " + hint(verb));
  return chosen_();
}

}  // namespace mortem::tools
