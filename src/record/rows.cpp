#include "record/rows.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <vector>

#include <spdlog/fmt/fmt.h>

namespace gmlake::record {
namespace {

using Name = std::array<char, 24>;

void add_number(std::uint64_t number, int base, std::string& text) {
  char digits[24];
  const auto [end, error] = std::to_chars(digits, digits + sizeof digits, number, base);
  text.append(digits, end);
}

// 0, 1 and 2 are the default streams' in a log.
std::uint64_t number_of(std::uint64_t id) {
  constexpr std::uint64_t kAside = std::uint64_t{1} << 32;
  return id > 2 ? id : kAside + id;
}

std::string_view name_of(Lane lane, std::uint64_t id, Name& place) {
  if (lane == Lane::host) return "host";
  if (lane == Lane::legacy) return "0x0";
  place[0] = '0';
  place[1] = 'x';
  const auto [end, error] =
      std::to_chars(place.data() + 2, place.data() + place.size(), number_of(id), 16);
  return {place.data(), end};
}

// A handle of a default stream means another one in each thread, or on each device.
std::uint64_t key_of(const Entry& entry) {
  constexpr std::uint64_t kLegacy = 1, kPerThread = 2;
  if (entry.handle > kPerThread) return entry.handle;
  return entry.handle == kPerThread ? std::uint64_t{entry.thread} << 8 | kPerThread
                                    : std::uint64_t{entry.device} << 8 | kLegacy;
}

}  // namespace

void Rows::go_on() {
  clock_.compare();
  modules_.refresh();
}

void Rows::row(std::uint64_t thread, std::string_view action, std::uint64_t pointer,
               std::uint64_t amount, std::string_view stream, unsigned device,
               std::string_view caller, std::string& text) const {
  add_number(thread, 10, text);
  text += ',';
  add_number(time_ / 1'000'000, 10, text);
  text += '.';
  char micros[7] = "000000";
  for (auto rest = time_ % 1'000'000, i = std::uint64_t{6}; i > 0; rest /= 10)
    micros[--i] = static_cast<char>('0' + rest % 10);
  text.append(micros, 6);
  text += ',';
  text += action;
  text += ",0x";
  add_number(pointer, 16, text);
  text += ',';
  add_number(amount, 10, text);
  text += ',';
  text += stream;
  text += ',';
  add_number(device, 10, text);
  text += ',';
  text += caller;
  text += '\n';
}

void Rows::stream_row(std::uint64_t id, const Stream& stream, std::string& text) const {
  Name name;
  row(0, kActionNames[static_cast<std::size_t>(Action::stream)], stream.handle, stream.blocking,
      name_of(stream.lane, id, name), stream.device, "", text);
}

// A stream is named before anything is said of it.
void Rows::know(const Entry& entry, std::string& text) {
  const Stream seen{entry.handle, entry.blocking, entry.lane, entry.device};
  const auto [known, fresh] = streams_.try_emplace(entry.stream, seen);
  handles_[key_of(entry)] = entry.stream;
  if (!fresh && known->second.blocking == seen.blocking) return;
  known->second = seen;
  stream_row(entry.stream, seen, text);
}

void Rows::add_modules(std::string& text) {
  const auto& all = modules_.all();
  for (; modules_written_ < all.size(); ++modules_written_) {
    const auto& module = all[modules_written_];
    row(0, "module", module.base, module.size, std::to_string(modules_written_), 0, module.path,
        text);
  }
}

// What cudaMalloc gave there is gone with it.
void Rows::context_ends(const Entry& entry, std::string& text) {
  std::vector<std::uint64_t> gone;
  for (const auto& [at, block] : live_)
    if (block.lane == Lane::host && block.context == entry.pointer) gone.push_back(at);
  std::sort(gone.begin(), gone.end());
  for (const auto at : gone) {
    auto last = entry;
    last.action = Action::free;
    last.pointer = at;
    last.device = live_[at].device;
    last.lane = Lane::host;
    add(last, text);
  }
}

void Rows::add(const Entry& given, std::string& text) {
  auto entry = given;
  time_ = std::max(time_, clock_.microseconds(entry.ticks));
  if (entry.lane == Lane::handle) {
    const auto known = handles_.find(key_of(entry));
    if (known == handles_.end()) return;  // nothing has been said of it
    entry.stream = known->second;
    entry.lane = streams_[entry.stream].lane;
  } else if (entry.lane != Lane::host) {
    know(entry, text);
  }
  if (entry.action == Action::stream) return;
  if (entry.action == Action::context_ends) return context_ends(entry, text);
  keep_books(entry, text);
  if (modules_written_ < modules_.all().size()) add_modules(text);
  Name name;
  row(entry.thread, kActionNames[static_cast<std::size_t>(entry.action)], entry.pointer,
      entry.amount, name_of(entry.lane, entry.stream, name), entry.device,
      modules_.place_of(entry.caller), text);
  if (entry.action != Action::stream_ends) return;
  streams_.erase(entry.stream);
  handles_.erase(key_of(entry));
}

void Rows::keep_books(Entry& entry, std::string& text) {
  if (entry.action != Action::free && entry.action != Action::allocate) return;
  const auto block = live_.find(entry.pointer);
  if (block == live_.end()) {
    if (entry.action == Action::allocate)
      live_[entry.pointer] = {entry.amount, entry.stream, entry.handle, entry.lane, entry.device};
    return;
  }
  auto& known = block->second;
  if (entry.action == Action::allocate) {  // its free is among what was lost
    Name name;
    row(entry.thread, "free", entry.pointer, known.bytes, name_of(known.lane, known.stream, name),
        known.device, "", text);
    known = {entry.amount, entry.stream, entry.handle, entry.lane, entry.device};
    return;
  }
  entry.amount = known.bytes;
  entry.device = known.device;
  live_.erase(block);
}

void Rows::lost(std::uint64_t entries, std::string& text) {
  row(0, "lost", 0, entries, "host", 0, "", text);
}

void Rows::begin(std::string& text) {
  text += kHeader;
  row(0, "process", 0, 0, "host", 0, process_, text);
  modules_written_ = 0;
  add_modules(text);
  for (const auto& [id, stream] : streams_) stream_row(id, stream, text);
  std::vector<std::uint64_t> addresses;
  addresses.reserve(live_.size());
  for (const auto& [at, block] : live_) addresses.push_back(at);
  std::sort(addresses.begin(), addresses.end());
  Name name;
  for (const auto at : addresses) {
    const auto& block = live_.at(at);
    row(0, "live", at, block.bytes, name_of(block.lane, block.stream, name), block.device, "",
        text);
  }
}

}  // namespace gmlake::record
