#include "inspector/app/views/view.h"

#include <algorithm>

namespace mortem::inspector::app {
namespace {

std::vector<ViewKind>& registered() {
  static std::vector<ViewKind> kinds;
  return kinds;
}

}  // namespace

ViewRegistration::ViewRegistration(ViewKind kind) {
  auto& kinds = registered();
  const auto behind = [](const ViewKind& left, const ViewKind& right) {
    return left.place != right.place ? left.place < right.place : left.name < right.name;
  };
  kinds.insert(std::upper_bound(kinds.begin(), kinds.end(), kind, behind), std::move(kind));
}

const std::vector<ViewKind>& view_kinds() { return registered(); }

const ViewKind* find_view_kind(std::string_view name) {
  for (const ViewKind& kind : registered())
    if (kind.name == name) return &kind;
  return nullptr;
}

}  // namespace mortem::inspector::app
