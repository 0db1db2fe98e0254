#include "ipc/imports.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace gmlake::ipc {
namespace {

tl::unexpected<Refusal> refuse(Refusal::Why why, const char* what, int code = 0) {
  return tl::unexpected<Refusal>(Refusal{why, code, what});
}

// One question, one answer.
std::optional<Refusal> exchange(int socket, const Message& question, Message& answer,
                                std::vector<Descriptor>& descriptors) {
  if (const auto sent = send(socket, question); sent != Sent::yes)
    return Refusal{sent == Sent::later ? Refusal::unreachable : Refusal::gone, 0, "no question"};
  const auto got = receive(socket, answer, descriptors);
  if (got == Got::nothing) return Refusal{Refusal::unreachable, 0, "no answer"};
  if (got == Got::end || answer.kind != question.kind)
    return Refusal{Refusal::gone, 0, "the process has ended"};
  return {};
}

}  // namespace

tl::expected<driver::Address, Refusal> Imports::open(const Ticket& ticket, driver::Context context,
                                                     int device) {
  const Lock opening(opening_);
  {
    const Lock lock(mutex_);
    // cuda.h, cuIpcOpenMemHandle: opened again, it counts and has the same address; and memory of
    // one process may be open in one context of a device only.
    if (Opened* known = find(ticket, context); known && known->count != 0)
      return ++known->count, known->start;
    for (const auto& one : opened_)
      if (one.count != 0 && one.owner == ticket.process && one.device == device &&
          one.context != context)
        return refuse(Refusal::other_context, "memory of that process is open in another context");
  }
  const auto socket = connection(ticket.process);
  if (!socket) return tl::unexpected<Refusal>(socket.error());
  // Also for a block that is kept: it may be no more.
  const auto answer = ask(ticket.block, (*socket)->number());
  if (!answer) {
    hang_up(ticket.process);
    return tl::unexpected<Refusal>(answer.error());
  }
  if (answer->parts.empty()) return refuse(Refusal::freed, "the block was freed");
  {
    const Lock lock(mutex_);
    if (Opened* kept = find(ticket, context); kept && !kept->stale) {
      if (kept->count++ == 0) kept->synchronous = false;
      return kept->start;
    }
  }

  Opened made{
      ticket.process, ticket.block, context, device, 0, answer->bytes, 0, 0, {}, {}, false, 1, 0,
      false};
  if (const auto refused = fetch(ticket.process, (*socket)->number(), *answer, made))
    return tl::unexpected<Refusal>(*refused);
  std::vector<driver::Physical> shown;
  for (const auto& handle : made.handles) {
    shown.push_back(handle->physical);
    made.mapped_bytes += handle->physical.size;
  }
  const auto mapped = memory_.map(shown);
  if (!mapped) return refuse(Refusal::driver, mapped.error().what, mapped.error().code);
  made.mapped = *mapped;
  made.start = *mapped + answer->offset;
  const Lock lock(mutex_);
  // What was given back meanwhile is not kept.
  const auto owner = owners_.find(ticket.process);
  made.stale = owner == owners_.end() ||
               !std::all_of(made.keys.begin(), made.keys.end(),
                            [&](std::uint64_t key) { return owner->second.handles.contains(key); });
  opened_.push_back(std::move(made));
  return opened_.back().start;
}

Imports::Opened* Imports::find(const Ticket& ticket, driver::Context context) {
  for (auto& one : opened_)
    if (one.owner == ticket.process && one.block == ticket.block && one.context == context)
      return &one;
  return nullptr;
}

tl::expected<std::shared_ptr<const Descriptor>, Refusal> Imports::connection(
    const ProcessName& name) {
  {
    const Lock lock(mutex_);
    if (const auto known = owners_.find(name); known != owners_.end() && known->second.questions)
      return known->second.questions;
  }
  auto why = Unreachable::gone;
  const auto connect = [&] { return connect_to(name, folders_, limits_.seconds, why); };
  auto questions = connect();
  auto news = questions ? connect() : Descriptor();
  if (!questions || !news)
    return why == Unreachable::gone     ? refuse(Refusal::gone, "the process has ended")
           : why == Unreachable::silent ? refuse(Refusal::unreachable, "it does not answer")
                                        : refuse(Refusal::unreachable, "it is another user's");
  // Answered: from here on all that it gives back is said there.
  Message follow;
  follow.kind = Kind::follow;
  Message answer;
  std::vector<Descriptor> none;
  if (const auto refused = exchange(news.number(), follow, answer, none))
    return tl::unexpected<Refusal>(*refused);
  auto shared = std::make_shared<const Descriptor>(std::move(questions));
  {
    const Lock lock(mutex_);
    owners_[name].questions = shared;
  }
  if (follow_(name, std::move(news))) return shared;
  hang_up(name);
  return refuse(Refusal::unreachable, "there is no thread to listen to it");
}

void Imports::hang_up(const ProcessName& name) {
  const Lock lock(mutex_);
  if (const auto known = owners_.find(name); known != owners_.end())
    known->second.questions.reset();
}

tl::expected<Imports::Answer, Refusal> Imports::ask(std::uint64_t block, int socket) {
  Answer all;
  Message question;
  Message answer;
  std::vector<Descriptor> none;
  question.kind = Kind::parts;
  question.block = block;
  do {
    question.first = all.parts.size();
    answer = {};
    if (const auto refused = exchange(socket, question, answer, none))
      return tl::unexpected<Refusal>(*refused);
    if (answer.refused != 0) return Answer{};
    if (answer.count == 0 || answer.first != question.first)
      return refuse(Refusal::gone, "it is not understood");
    all.parts.insert(all.parts.end(), answer.parts, answer.parts + answer.count);
  } while (all.parts.size() < answer.total);
  all.offset = answer.offset;
  all.bytes = answer.bytes;
  return all;
}

std::optional<Refusal> Imports::fetch(const ProcessName& name, int socket, const Answer& answer,
                                      Opened& block) {
  std::unordered_map<std::uint64_t, Held> held;
  std::vector<Part> missing;
  {
    const Lock lock(mutex_);
    auto& handles = owners_[name].handles;
    for (const auto& part : answer.parts) {
      auto& known = handles[part.key];
      if (known)
        held[part.key] = known;
      else if (held.emplace(part.key, nullptr).second)
        missing.push_back(part);
    }
  }
  std::optional<Refusal> refused;
  for (std::size_t at = 0; at < missing.size() && !refused; at += kMostParts)
    refused =
        import(name, socket,
               std::span(missing).subspan(at, std::min(kMostParts, missing.size() - at)), held);
  if (refused) {
    if (refused->why != Refusal::driver) hang_up(name);
    const Lock lock(mutex_);
    if (const auto owner = owners_.find(name); owner != owners_.end())
      std::erase_if(owner->second.handles, [](const auto& one) { return !one.second; });
    return refused;
  }
  for (const auto& part : answer.parts) {
    block.keys.push_back(part.key);
    block.handles.push_back(held.at(part.key));
  }
  return {};
}

std::optional<Refusal> Imports::import(const ProcessName& name, int socket,
                                       std::span<const Part> missing,
                                       std::unordered_map<std::uint64_t, Held>& out) {
  Message question;
  Message answer;
  std::vector<Descriptor> descriptors;
  question.kind = Kind::give;
  for (const auto& part : missing) question.add(part);
  if (const auto refused = exchange(socket, question, answer, descriptors)) return refused;
  if (answer.refused != 0 || descriptors.size() != missing.size())
    return Refusal{Refusal::freed, 0, "its memory was given back"};
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const auto handle = memory_.import_handle(descriptors[i].number());
    descriptors[i].close();
    if (!handle) return Refusal{Refusal::driver, handle.error().code, handle.error().what};
    auto held =
        std::make_shared<const Imported>(memory_, driver::Physical{missing[i].bytes, *handle});
    out[missing[i].key] = held;
    const Lock lock(mutex_);
    const auto owner = owners_.find(name);
    if (owner == owners_.end()) continue;
    if (const auto awaited = owner->second.handles.find(missing[i].key);
        awaited != owner->second.handles.end())
      awaited->second = std::move(held);
  }
  return {};
}

bool Imports::close(driver::Address at) {
  Opened* block = nullptr;
  {
    const Lock lock(mutex_);
    const auto found = std::find_if(opened_.begin(), opened_.end(), [&](const Opened& one) {
      return one.start == at && one.count != 0;
    });
    if (found == opened_.end()) return false;
    if (--found->count != 0) return true;
    ++found->closing;
    opened_.splice(opened_.end(), opened_, found);
    block = &*found;
  }
  memory_.wait(block->context);
  Leaving leaving;
  {
    const Lock lock(mutex_);
    --block->closing;
    let_go([](const Opened& one) { return one.stale; }, leaving);
    keep_idle_in_bounds(leaving);
  }
  end(leaving);
  return true;
}

template <typename Which>
void Imports::let_go(Which which, Leaving& leaving) {
  for (auto at = opened_.begin(); at != opened_.end();) {
    const auto one = at++;
    if (one->count == 0 && one->closing == 0 && which(*one))
      leaving.blocks.splice(leaving.blocks.end(), opened_, one);
  }
}

void Imports::keep_idle_in_bounds(Leaving& leaving) {
  auto idle =
      static_cast<std::size_t>(std::count_if(opened_.begin(), opened_.end(), [](const Opened& one) {
        return one.count == 0 && one.closing == 0;
      }));
  let_go([&](const Opened&) { return idle > limits_.idle_blocks && idle-- != 0; }, leaving);
}

void Imports::end(Leaving& leaving) {
  for (auto& block : leaving.blocks) memory_.unmap(block.mapped, block.mapped_bytes);
  leaving.blocks.clear();
  leaving.handles.clear();
}

void Imports::forget(Owner& owner, std::uint64_t key, Leaving& leaving) {
  const auto handle = owner.handles.find(key);
  if (handle == owner.handles.end()) return;
  if (handle->second) leaving.handles.push_back(std::move(handle->second));
  owner.handles.erase(handle);
}

void Imports::drop(const ProcessName& name, std::span<const Part> parts) {
  Leaving leaving;
  {
    const Lock lock(mutex_);
    const auto owner = owners_.find(name);
    if (owner == owners_.end()) return;
    for (const auto& part : parts) {
      forget(owner->second, part.key, leaving);
      for (auto& one : opened_)
        one.stale = one.stale || (one.owner == name && std::find(one.keys.begin(), one.keys.end(),
                                                                 part.key) != one.keys.end());
    }
    let_go([](const Opened& one) { return one.stale; }, leaving);
  }
  end(leaving);
}

void Imports::drop_owner(const ProcessName& name) {
  Leaving leaving;
  {
    const Lock lock(mutex_);
    const auto owner = owners_.find(name);
    if (owner == owners_.end()) return;
    while (!owner->second.handles.empty())
      forget(owner->second, owner->second.handles.begin()->first, leaving);
    owners_.erase(owner);
    for (auto& one : opened_) one.stale = one.stale || one.owner == name;
    let_go([](const Opened& one) { return one.stale; }, leaving);
  }
  end(leaving);
}

void Imports::context_ends(driver::Context context) {
  Leaving leaving;
  {
    const Lock lock(mutex_);
    for (auto& one : opened_)
      if (one.context == context) one.count = 0, one.stale = true;
    let_go([](const Opened& one) { return one.stale; }, leaving);
  }
  end(leaving);
}

std::optional<Imports::Range> Imports::range_of(driver::Address at,
                                                std::optional<bool> synchronous) {
  const Lock lock(mutex_);
  for (auto& one : opened_) {
    if (one.count == 0 || at - one.start >= one.bytes) continue;
    one.synchronous = synchronous.value_or(one.synchronous);
    return Range{one.start, one.bytes, one.context, one.synchronous};
  }
  return {};
}

Imports::Size Imports::size() const {
  const Lock lock(mutex_);
  Size size{0, 0, 0, owners_.size()};
  for (const auto& one : opened_) ++(one.count != 0 ? size.open : size.idle);
  for (const auto& [name, owner] : owners_) size.handles += owner.handles.size();
  return size;
}

}  // namespace gmlake::ipc
