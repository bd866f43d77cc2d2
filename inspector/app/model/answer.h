// What a question to the session gives at once: the answer if it is there, else nothing yet.
#pragma once

#include <memory>
#include <string>

namespace mortem::inspector::app {

template <typename T>
struct Answer {
  std::shared_ptr<const T> value;  // null: not here yet, or there will be none
  std::string problem;             // why there is none; one sentence; empty: no problem
  bool pending = false;            // it is being worked on; `value` may be that of the stop before

  explicit operator bool() const { return value != nullptr; }
  const T& operator*() const { return *value; }
  const T* operator->() const { return value.get(); }
};

}  // namespace mortem::inspector::app
