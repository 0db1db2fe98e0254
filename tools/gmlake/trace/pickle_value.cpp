// Looking into a document that has been read; see pickle.h.
#include "trace/pickle.h"

#include <algorithm>

namespace gmlake::trace {

Pickle::Type Pickle::Value::type() const {
  return pickle_ ? pickle_->cells_[index_].type : Type::none;
}

std::size_t Pickle::Value::size() const {
  if (is(Type::dict)) return pickle_->containers_[pickle_->cells_[index_].payload].size() / 2;
  if (is(Type::list) || is(Type::tuple))
    return pickle_->containers_[pickle_->cells_[index_].payload].size();
  return 0;
}

Pickle::Value Pickle::Value::operator[](std::size_t index) const {
  if (is(Type::dict) || index >= size()) return {};
  return {pickle_, pickle_->containers_[pickle_->cells_[index_].payload][index]};
}

Pickle::Value Pickle::Value::operator[](std::string_view key) const {
  if (!is(Type::dict)) return {};
  const auto& items = pickle_->containers_[pickle_->cells_[index_].payload];
  for (std::size_t i = 0; i + 1 < std::min(items.size(), 2 * kMostKeys); i += 2)
    if (const Value candidate(pickle_, items[i]);
        candidate.is(Type::text) && candidate.text() == key)
      return {pickle_, items[i + 1]};
  return {};
}

std::optional<std::int64_t> Pickle::Value::integer() const {
  if (!is(Type::integer)) return {};
  return static_cast<std::int64_t>(pickle_->cells_[index_].payload);
}

std::string_view Pickle::Value::text() const {
  if (!is(Type::text)) return {};
  const auto& cell = pickle_->cells_[index_];
  return {cell.text, cell.payload};
}

}  // namespace gmlake::trace
