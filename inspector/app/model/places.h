// Places that were looked at, with a way back and forward, as browsers have it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mortem::inspector::app {

struct Place {
  std::string view;  // that shows it: "memory", "source", "stack", …
  uint32_t thread = 0;
  size_t frame = 0;
  std::optional<uint64_t> address;
  std::string file;
  uint32_t line = 0;
  bool operator==(const Place&) const = default;
};

class PlaceHistory {
 public:
  void visit(Place place);  // what was ahead is forgotten
  const Place* here() const { return places_.empty() ? nullptr : &places_[at_]; }
  bool can_go_back() const { return at_ > 0; }
  bool can_go_forward() const { return at_ + 1 < places_.size(); }
  const Place* back();     // null: there is none
  const Place* forward();  // null: there is none

 private:
  std::vector<Place> places_;
  size_t at_ = 0;
};

}  // namespace mortem::inspector::app
