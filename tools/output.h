// What the `mortem` command prints and how it ends. Facts go to stdout, everything else to stderr.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "snapshot/result.h"

namespace mortem::tools {

// Exit status of every verb but `run`, whose status is the app's own.
inline constexpr int kDone = 0;
inline constexpr int kProblem = 1;  // a problem was found, or the asked thing is not there
inline constexpr int kFailed = 2;   // could not do it

void write_stdout(std::string_view text);  // all of it; a closed or full stdout ends the program with status 2
void write_stderr(std::string_view text);

// `mortem: MESSAGE` on stderr; returns kFailed, so that a verb can `return fail(...)`.
int fail(std::string_view message);
int fail(const Error& error);
// `mortem: MESSAGE` on stderr, for what is worth knowing while the work goes on.
void note(std::string_view message);

// Facts as JSON on stdout: `facts` with "schema": "mortem.VERB/VERSION" in front.
void print_json(std::string_view verb, nlohmann::ordered_json facts, int version = 1);

// 4096 → "4.0 KiB".
std::string human_size(uint64_t bytes);
// A byte string as valid UTF-8 that has no control characters, for terminals and JSON: others become \xNN.
std::string printable(std::string_view bytes);
// A line of source text so, its tabs as spaces.
std::string printable_source(std::string_view line);

// Text in a colour for its meaning, where stdout is a terminal that wants it (no-color.org: not if NO_COLOR is set);
// elsewhere as it is.
enum class Paint { Heading, Bad, Function, Place, Faint };
std::string painted(std::string_view text, Paint paint);
// Around such a text; empty where there are no colours.
std::string_view paint_start(Paint paint);
std::string_view paint_end();
// Asked once: whoever puts something else in the place of stdout asks before.
bool stdout_has_colours();

// A word as a shell takes it, for commands that we print to be copied.
std::string shell_quoted(const std::string& word);

}  // namespace mortem::tools
