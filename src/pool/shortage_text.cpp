// The reasons in words.
#include <utility>

#include <spdlog/fmt/fmt.h>

#include "pool/shortage.h"
#include "stats/unproved_text.h"

namespace gmlake::pool {
namespace {

std::string waiting_of(const Shortage& s) {
  std::string streams;
  for (const auto& one : s.most_pending)
    streams += fmt::format("{}{} of {}", streams.empty() ? "" : ", ", human_bytes(one.bytes),
                           stats::text(one.freed_by, "cudaFree"));
  return streams;
}

// Enough is free: why it can not be had.
std::vector<std::string> reasons_of_free(const Shortage& s, const config::Config& config) {
  std::vector<std::string> reasons;
  if (!s.most_pending.empty())
    reasons.push_back(fmt::format(
        "it waits for work of the GPU ({}); synchronise before this allocation", waiting_of(s)));
  if (!config.stitch_enabled)
    reasons.emplace_back("it is in pieces; set stitch.enabled=true");
  else if (reasons.empty() || s.largest_span < s.wanted)
    reasons.emplace_back(
        "it is in too many pieces; raise stitch.max_pieces, lower stitch.min_request, or set a "
        "smaller pool.largest_chunk");
  return reasons;
}

// Not enough is free: who has it.
std::vector<std::string> reasons_of_missing(const Shortage& s) {
  std::vector<std::string> reasons;
  const auto add = [&](bool first, std::string reason) {
    reasons.insert(first ? reasons.begin() : reasons.end(), std::move(reason));
  };
  const Bytes others = s.others();
  if (s.beside >= s.missing)
    add(false, fmt::format("{} of the device are the program's own past the pool, which "
                           "stats.report=full names",
                           human_bytes(s.beside)));
  if (others >= s.missing)
    add(others > s.beside,
        fmt::format("{} of the device are other processes' and the driver's; gmlake stats and "
                    "nvidia-smi show whose",
                    human_bytes(others)));
  const bool alone_too_much = s.device_memory != 0 && s.live + s.wanted > s.device_memory;
  add(alone_too_much || reasons.empty(),
      "the program needs a larger device, or a smaller batch: what is live and this are too much");
  return reasons;
}

}  // namespace

std::string explain(const Shortage& s, int device, const config::Config& config) {
  const bool limited = s.limit_left < s.device_free && s.limit_left < s.wanted;
  auto reasons = s.missing == 0 ? reasons_of_free(s, config) : reasons_of_missing(s);
  if (limited)
    reasons.insert(reasons.begin(),
                   "pool.max_bytes or pool.max_share keeps the process from taking more; raise it");
  auto text = fmt::format(
      "out of memory on device {}: {} were asked for; {}: {}", device, human_bytes(s.wanted),
      s.missing == 0 ? std::string("as much is free") : human_bytes(s.missing) + " are missing",
      reasons.front());
  if (reasons.size() > 1) text += "\n  also: " + reasons[1];
  text += fmt::format(
      "\n  live {}; the pool has {}, of which {} are free, {} in one piece; past it {}; free on "
      "the "
      "device {}{}",
      human_bytes(s.live), human_bytes(s.physical), human_bytes(s.free),
      human_bytes(s.largest_span), human_bytes(s.beside), human_bytes(s.device_free),
      s.device_memory == 0 ? "" : " of " + human_bytes(s.device_memory));
  return text;
}

}  // namespace gmlake::pool
