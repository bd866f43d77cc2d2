// The text of the crash report: written line by line, so that what stands before a second crash is out already.
// Nothing of it can fail, allocate or overrun: a line that is too long is cut, a record that is full takes no more
// lines (the most valuable facts come first).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kernel {

class TextWriter {
 public:
  using LineOutput = void (*)(const char* line, size_t length);  // the line with its newline
  static constexpr size_t kColumns = 120;

  // `record` keeps the lines as long as they fit; `output` (or null) gets every one of them.
  TextWriter(std::span<char> record, LineOutput output) : record_(record), output_(output) {}

  TextWriter& text(const char* text);  // trusted: a constant
  // Bytes that come from the guest: what is no printable ASCII or UTF-8 lead or tail becomes `?`; ends at a NUL.
  TextWriter& name(const char* bytes, size_t size);
  TextWriter& decimal(uint64_t value);
  TextWriter& hex(uint64_t value, unsigned digits = 0);  // no 0x; digits: padded with zeros to that many
  TextWriter& pad_to(size_t column);
  void end_line();

  size_t column() const { return used_; }
  size_t record_length() const { return recorded_; }
  bool record_cut() const { return cut_; }
  size_t lines() const { return lines_; }

 private:
  void put(char c);

  std::span<char> record_;
  LineOutput output_;
  char line_[kColumns + 1];
  size_t used_ = 0;
  bool overlong_ = false;
  size_t recorded_ = 0;
  bool cut_ = false;
  size_t lines_ = 0;
};

}  // namespace kernel
