// The search field of the memory view: a search of all memory (a job of the session), whose hits are gone through from
// the selected address on, forwards and backwards.
#pragma once

#include <string>

#include "inspector/app/workspace.h"

namespace mortem::inspector::app::ui {

class MemorySearch {
 public:
  void begin() { shown_ = focus_ = true; }
  void draw(Workspace& workspace, uint64_t selected);

 private:
  void search(Workspace& workspace);
  bool step(Workspace& workspace, uint64_t selected, bool forward);
  void draw_state(Workspace& workspace, const JobFacts& job);

  bool shown_ = false, focus_ = false, first_is_wanted_ = false;
  SearchQuery::Kind kind_ = SearchQuery::Kind::Text;
  std::string text_, searched_;
  uint64_t job_ = 0;
};

}  // namespace mortem::inspector::app::ui
