// Which file's debug information is being read, by whom, where a crash cannot wipe it out. The libraries that read it
// were not written for broken files: `tools/verbs/contained.h` runs them in a process of their own, and after a crash
// the file that was named here is not read by them again.
#pragma once

#include <optional>
#include <string>

namespace mortem::inspector {

enum class Reader : unsigned char { None, Own, Llvm, CallFrames };

struct Suspect {
  Reader reader = Reader::None;
  std::string file;
};

// Cheap: to be called before every use of a library.
void now_reading(Reader reader, const std::string& file);
bool distrusted(Reader reader, const std::string& file);

// Of this thread, before a fork: what the child reads is known to the parent from now on.
void share_suspect();
std::optional<Suspect> suspect();  // nothing: no file was being read
void clear_suspect();
void distrust(const Suspect& suspect);

}  // namespace mortem::inspector
