// The library at the bottom: what the loader has to get right for one that is needed by another.
#pragma once

#include <stdexcept>

class DeepError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

extern int deep_starts;              // constructors that ran before
extern thread_local int deep_count;  // thread-local storage of a library
int deep_chosen();                   // an indirect function (STT_GNU_IFUNC)
[[noreturn]] void deep_throw(const char* text);
