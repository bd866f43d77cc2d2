#include "inspector/app/model/places.h"

#include <utility>

namespace mortem::inspector::app {
namespace {

constexpr size_t kMostPlaces = 1000;

}  // namespace

void PlaceHistory::visit(Place place) {
  if (const Place* now = here(); now && *now == place) return;
  if (!places_.empty()) places_.resize(at_ + 1);
  places_.push_back(std::move(place));
  if (places_.size() > kMostPlaces) places_.erase(places_.begin());
  at_ = places_.size() - 1;
}

const Place* PlaceHistory::back() {
  return can_go_back() ? &places_[--at_] : nullptr;
}

const Place* PlaceHistory::forward() {
  return can_go_forward() ? &places_[++at_] : nullptr;
}

}  // namespace mortem::inspector::app
