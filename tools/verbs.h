// How a verb of the `mortem` command is made: one file tools/verbs/<verb>.cpp that ends in
//
//   const VerbRegistration registration{place, {"verb"}, add_verb};
//
// Every .cpp in tools/verbs is linked into the program; `place` orders the verbs in `mortem --help`.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace mortem::tools {

class Commands {
 public:
  explicit Commands(CLI::App& root) : root_(root) {}

  // A verb below `parent` (null: `mortem` itself). `summary` is one line for the list of verbs; `footer` stands at the
  // end of its --help and holds at least one example.
  CLI::App* add(CLI::App* parent, const std::string& name, const std::string& summary, const std::string& footer);
  // What the verb does; returns the exit status (output.h). Runs after all options were read.
  void on(CLI::App* verb, std::function<int()> action);
  // Options that CLI11 cannot read as others write them: `rewrite` makes its own spelling of the verb's arguments.
  void read_with(CLI::App* verb, std::vector<std::string> (*rewrite)(const std::vector<std::string>&));
  // The verb takes `-- ARGUMENTS`, which come here unread. Verbs that do not say so refuse them.
  // `given` (may be null): whether there was a `--` at all.
  void take_arguments_after_dashes(CLI::App* verb, std::vector<std::string>* to, bool* given = nullptr);

  // Reads the command line, runs the verb, returns the exit status.
  int run(int count, const char* const* arguments);

 private:
  struct DashesTaker {
    CLI::App* verb;
    std::vector<std::string>* to;
    bool* given;
  };

  CLI::App& root_;
  std::vector<DashesTaker> dashes_takers_;
  std::map<std::string, std::vector<std::string> (*)(const std::vector<std::string>&)> rewriters_;  // by verb
  std::function<int()> chosen_;
  std::string chosen_name_;  // with its parents: `image create`
};

class VerbRegistration {
 public:
  // `names` are those that `add` adds below `mortem` itself.
  VerbRegistration(int place, std::vector<std::string> names, void (*add)(Commands&));
};
// Adds the verb `name`, or all of them in the order of their places if there is none of that name.
void add_registered_verbs(Commands& commands, const std::string& name);

}  // namespace mortem::tools
