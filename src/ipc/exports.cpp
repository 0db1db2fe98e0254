#include "ipc/exports.h"

#include <algorithm>
#include <utility>

namespace gmlake::ipc {

Result<std::uint64_t> Exports::add(driver::Address at,
                                   const std::function<std::optional<Shown>()>& show) {
  const Lock adding(adding_);
  any_.store(true, std::memory_order_release);
  const auto shown = show();
  if (!shown) return fail(ErrorKind::unsupported, "no block");
  std::vector<std::uint64_t> keys;
  {
    const Lock lock(mutex_);
    if (const auto known = numbers_.find(at); known != numbers_.end()) {
      if (shown->again) return known->second;
      remove(known->second);
    }
    for (const auto& physical : shown->handles) {
      auto& key = keys_[physical.handle];
      if (key == 0) {
        key = ++last_key_;
        handles_[key] = {physical.handle, nullptr, kept_.end()};
      }
      keys.push_back(key);
    }
  }
  // Now rather than when others ask: who waits for us then does not wait for the driver.
  for (std::size_t i = 0; i < std::min(keys.size(), kMostKept); ++i)
    if (!descriptor_of(keys[i])) return fail(ErrorKind::memory, "cuMemExportToShareableHandle");
  remove_dead();
  const Lock lock(mutex_);
  const auto number = ++last_block_;
  Block& block = blocks_[number];
  block = {at, shown->bytes, shown->offset, {}, false};
  for (std::size_t i = 0; i < keys.size(); ++i)
    block.parts.push_back({keys[i], shown->handles[i].size});
  numbers_[at] = number;
  return number;
}

void Exports::keep(std::uint64_t key, std::shared_ptr<const Descriptor> descriptor) {
  Handle& handle = handles_.at(key);
  handle.descriptor = std::move(descriptor);
  handle.kept = kept_.insert(kept_.end(), key);
  if (kept_.size() <= kMostKept) return;
  handles_.at(kept_.front()).descriptor.reset();
  kept_.pop_front();
}

std::shared_ptr<const Descriptor> Exports::descriptor_of(std::uint64_t key) {
  driver::Handle handle = 0;
  {
    const Lock lock(mutex_);
    const auto found = handles_.find(key);
    if (found == handles_.end()) return nullptr;
    if (found->second.descriptor) return found->second.descriptor;
    handle = found->second.handle;
  }
  const auto number = memory_.export_handle(handle);
  if (!number) return nullptr;
  auto made = std::make_shared<const Descriptor>(*number);
  // Given back meanwhile, it may have been another handle of that value already.
  const Lock lock(mutex_);
  const auto found = handles_.find(key);
  if (found == handles_.end()) return nullptr;
  if (!found->second.descriptor) keep(key, made);
  return made;
}

void Exports::remove(std::uint64_t number) {
  const auto found = blocks_.find(number);
  if (!found->second.opened) unopened_.push_back(found->second.bytes);
  if (const auto at = numbers_.find(found->second.at); at != numbers_.end() && at->second == number)
    numbers_.erase(at);
  blocks_.erase(found);
}

// Frees do not say that a block was shared: what is dead is looked for when there is much.
void Exports::remove_dead() {
  std::vector<std::pair<std::uint64_t, driver::Address>> all;
  {
    const Lock lock(mutex_);
    if (blocks_.size() < look_again_) return;
    for (const auto& [number, block] : blocks_) all.emplace_back(number, block.at);
  }
  std::erase_if(all, [&](const auto& one) { return is_live_(one.second); });
  const Lock lock(mutex_);
  for (const auto& [number, at] : all) remove(number);
  look_again_ = std::max<std::size_t>(64, 2 * blocks_.size());
}

bool Exports::forget_shared(driver::Handle handle) {
  const Lock lock(mutex_);
  const auto key = keys_.find(handle);
  if (key == keys_.end()) return false;
  const auto found = handles_.find(key->second);
  if (found->second.descriptor) kept_.erase(found->second.kept);
  gone_.push_back(key->second);
  handles_.erase(found);
  keys_.erase(key);
  return true;
}

std::vector<std::uint64_t> Exports::take_gone() {
  const Lock lock(mutex_);
  return std::exchange(gone_, {});
}
std::vector<Bytes> Exports::take_unopened() {
  const Lock lock(mutex_);
  return std::exchange(unopened_, {});
}

void Exports::answer_parts(const Message& asked, Message& answer) {
  answer.refused = 1;
  driver::Address at = 0;
  {
    const Lock lock(mutex_);
    const auto found = blocks_.find(asked.block);
    if (found == blocks_.end()) return;
    at = found->second.at;
  }
  if (!is_live_(at)) return;
  const Lock lock(mutex_);
  const auto found = blocks_.find(asked.block);
  if (found == blocks_.end()) return;
  Block& block = found->second;
  block.opened = true;
  answer.refused = 0;
  answer.block = asked.block;
  answer.first = asked.first;
  answer.total = block.parts.size();
  answer.offset = block.offset;
  answer.bytes = block.bytes;
  for (auto i = asked.first; i < block.parts.size() && answer.count < kMostParts; ++i)
    answer.add(block.parts[i]);
}

Exports::Passed Exports::answer_give(const Message& asked, Message& answer) {
  Passed passed;
  for (const auto& part : asked.all()) {
    auto descriptor = descriptor_of(part.key);
    if (!descriptor) {
      answer.refused = 1;
      return {};
    }
    passed.push_back(std::move(descriptor));
    answer.add(part);
  }
  return passed;
}

Exports::Size Exports::size() const {
  const Lock lock(mutex_);
  return {blocks_.size(), handles_.size(), kept_.size()};
}

}  // namespace gmlake::ipc
