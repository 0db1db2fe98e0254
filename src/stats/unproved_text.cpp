// The part of the text report that says why free memory was not reused, and what may help.
#include "stats/unproved_text.h"

#include <algorithm>

#include "support/units.h"

namespace gmlake::stats {
using Kind = StreamName::Kind;

std::string text(const StreamName& name, std::string_view of_host) {
  switch (name.kind) {
    case Kind::created:
      return fmt::format("stream {}", name.id);
    case Kind::legacy:
      return fmt::format("default stream {}", name.id);
    case Kind::per_thread:
      return fmt::format("per-thread stream {}", name.id);
    case Kind::host:
      break;
  }
  return std::string(of_host);
}

namespace {

constexpr std::size_t kMostPairs = 10;

std::string wanted_by(const UnprovedPair& pair) {
  return text(pair.wanted_by, "cudaMalloc");
}
std::string freed_by(const UnprovedPair& pair) {
  return text(pair.freed_by, "cudaFree");
}

void add_cost(Page& page, const UnprovedCost& cost) {
  std::string requests = "requests";
  if (cost.new_bytes != 0)
    requests += fmt::format(", {} of new memory instead", human_bytes(cost.new_bytes));
  page.row(grouped(cost.requests), requests);
  page.row_unless_zero(cost.host_waits, "made the host wait for the GPU");
  page.row_unless_zero(cost.stream_waits, "made the asking stream wait for others");
  page.row_unless_zero(cost.failures, "failed");
}

// One line for each thing that may help, what the options keep from helping first.
void add_advice(Page& page, const Report& report, const DeviceReport& sum) {
  const auto& pairs = sum.unproved.pairs;
  const auto first = [&](bool wanted_by_host, bool freed_by_host) -> const UnprovedPair* {
    const auto found = std::find_if(pairs.begin(), pairs.end(), [&](const UnprovedPair& pair) {
      return (pair.wanted_by.kind == Kind::host) == wanted_by_host &&
             (pair.freed_by.kind == Kind::host) == freed_by_host;
    });
    return found == pairs.end() ? nullptr : &*found;
  };
  if (!report.reuse_completed)
    page.row("advice", "set streams.reuse_completed=true: memory is reused once its work is over");
  if (const auto* pair = first(false, false)) {
    const auto& c = sum.counters;
    if (!report.events_seen)
      page.row("advice",
               "preload gmlake with hooks.driver=true: the program's events and waits are proofs");
    else if (!report.follow_events)
      page.row("advice",
               "set streams.follow_events=true: the program's events and waits are proofs");
    else if (c.reuse_proved < c.unproved)
      page.row(
          "advice",
          fmt::format("after the free record an event on stream {}, and let stream {} wait for it",
                      pair->freed_by.id, pair->wanted_by.id));
    else
      page.row("note",
               fmt::format("{} other requests found the program's waits; these came before one",
                           grouped(c.reuse_proved)));
  }
  if (const auto* pair = first(false, true))
    page.row("advice",
             fmt::format("use cudaFreeAsync on stream {} or one it waits for, not cudaFree",
                         pair->wanted_by.id));
  if (const auto* pair = first(true, false))
    page.row(
        "advice",
        fmt::format("use cudaMallocAsync on stream {} or one that waits for it, not cudaMalloc",
                    pair->freed_by.id));
  if (first(true, true)) {
    if (report.one_stream && !report.single_stream)
      page.row("advice",
               "set streams.single_stream=true if the default stream alone uses that memory");
    page.row("advice",
             "with lower streams.pending_bytes or streams.pending_share cudaMalloc waits sooner");
  }
}

}  // namespace

void add_unproved(Page& page, const Report& report, const DeviceReport& sum) {
  const auto& unproved = sum.unproved;
  if (unproved.pairs.empty()) return;
  page.heading("free memory not reused: nothing proved the work over that had used it");
  const auto shown = std::min(kMostPairs, unproved.pairs.size());
  auto others = unproved.others;
  for (std::size_t i = 0; i < unproved.pairs.size(); ++i) {
    const auto& pair = unproved.pairs[i];
    if (i >= shown) {
      others += pair.cost;
      continue;
    }
    page.row(human_bytes(pair.cost.bytes),
             fmt::format("wanted by {}, freed by {}", wanted_by(pair), freed_by(pair)));
    add_cost(page, pair.cost);
  }
  if (others.requests != 0) {
    page.row(human_bytes(others.bytes), "between other pairs");
    add_cost(page, others);
  }
  add_advice(page, report, sum);
}

}  // namespace gmlake::stats
