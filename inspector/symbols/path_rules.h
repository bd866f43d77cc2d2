// Paths of the machine that compiled, on this one: `--substitute FROM=TO`.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "inspector/symbols/symbolizer.h"

namespace mortem::inspector {

// Where the .dwo file of a unit may stand.
struct PartPlaces {
  std::string recorded;  // what the compiler wrote down, made absolute
  std::string existing;  // one of the other places at which there is a file; empty: none
};

class PathRules {
 public:
  explicit PathRules(std::vector<std::pair<std::string, std::string>> rules) : rules_(std::move(rules)) {}
  // The first rule whose FROM is the path's beginning, up to a slash or its end, is applied.
  std::string apply(const std::string& path) const;
  std::string undo(const std::string& path) const;  // what apply() may have been given: the compiler's own path
  // `name` may be relative to `folder`, in which the compiler ran. Other places: what a rule makes of it, and the
  // folders of the module's files.
  PartPlaces part_places(const std::string& name, const std::string& folder, const SymbolFiles& files) const;

 private:
  std::vector<std::pair<std::string, std::string>> rules_;
};

}  // namespace mortem::inspector
