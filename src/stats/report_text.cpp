// The report for people: whether it helped comes first, then how each allocation was served, then
// what it cost. Parts stand under their total and add up to it; a part that is zero is left out.
#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include <spdlog/fmt/fmt.h>

#include "stats/page.h"
#include "stats/report.h"
#include "stats/unproved_text.h"
#include "support/printable.h"
#include "support/units.h"

namespace gmlake::stats {
namespace {

std::string percent(double fraction) {
  return fmt::format("{:.1f}%", 100 * fraction);
}

std::string duration(std::uint64_t nanoseconds) {
  const auto n = static_cast<double>(nanoseconds);
  if (n >= 1e9) return fmt::format("{:.2f} s", n / 1e9);
  if (n >= 1e6) return fmt::format("{:.2f} ms", n / 1e6);
  return fmt::format("{:.1f} us", n / 1e3);
}

struct Part {
  std::uint64_t count;
  std::string_view what;
};

void add_parts(Page& page, std::uint64_t whole, std::span<const Part> parts) {
  std::uint64_t counted = 0;
  const auto add = [&](std::uint64_t count, std::string_view what) {
    const auto share = static_cast<double>(count) / static_cast<double>(whole);
    if (count != 0) page.row(grouped(count), fmt::format("{:>6}  {}", percent(share), what));
    counted += count;
  };
  for (const auto& part : parts) add(part.count, part.what);
  // A copy taken while another thread allocates may miss the part of the allocation under way.
  if (counted < whole) add(whole - counted, "under way when this was written");
}

void add_benefit(Page& page, const DeviceCounters& c) {
  page.heading("memory");
  page.row(human_bytes(c.peak_live_bytes), "peak live: what the program held at once");
  const bool alone = c.peak_beside_bytes == 0;
  page.row(human_bytes(c.peak_physical_bytes),
           fmt::format("peak physical: the GPU memory {} took, {} used", alone ? "it" : "the pool",
                       percent(utilization(c))));
  if (!alone) {
    page.row(human_bytes(c.peak_taken_bytes), "peak taken: the GPU memory it took in all");
    page.row(human_bytes(c.peak_beside_bytes),
             "at most of that past the pool: native allocations, its own handles and memory pools");
  }
  if (c.live_blocks != 0)
    page.row(human_bytes(c.live_bytes),
             fmt::format("in {} blocks not freed", grouped(c.live_blocks)));
  page.row_unless_zero(c.deferred_frees, "frees did not wait for the GPU where native ones may");
}

void add_served(Page& page, const DeviceCounters& c) {
  page.heading(fmt::format("{} allocations of {} in all, served", grouped(c.allocations),
                           human_bytes(c.allocated_bytes)));
  if (c.allocations == 0) return;
  const std::array<Part, 6> parts{
      {{c.hits_exact, "where that size had been before, or fitted exactly"},
       {c.hits_window, "by an earlier stitch"},
       {c.hits_split, "from a larger free span"},
       {c.hits_small, "as small ones, from chunks of their own"},
       {c.stitches, "by a new stitch"},
       {c.growths, "by new GPU memory"}}};
  add_parts(page, c.allocations, parts);
}

void add_streams(Page& page, const DeviceCounters& c) {
  if (c.reuse_own_stream + c.reuse_completed + c.reuse_proved + c.reuse_new == 0) return;
  page.heading("last use of their memory");
  const auto add = [&](std::uint64_t count, std::uint64_t bytes, std::string_view what) {
    if (count != 0) page.row(grouped(count), fmt::format("{:>10}  {}", human_bytes(bytes), what));
  };
  add(c.reuse_own_stream, c.reuse_own_stream_bytes, "on the same stream");
  add(c.reuse_completed, c.reuse_completed_bytes, "on another stream, completed since");
  add(c.reuse_proved, c.reuse_proved_bytes, "on another stream, which the program waits for");
  add(c.reuse_new, c.reuse_new_bytes, "none: new memory");
  page.row_unless_zero(c.fences, fmt::format("events followed frees, {} queries, {} waits",
                                             grouped(c.fence_queries), grouped(c.fence_waits)));
  page.row_unless_zero(c.fences_captured,
                       "events had to be put off, since a stream was being captured");
}

void add_driver(Page& page, const DeviceReport& device) {
  std::uint64_t calls = 0;
  std::uint64_t nanoseconds = 0;
  for (const auto& call : device.driver) {
    calls += call.calls;
    nanoseconds += call.nanoseconds;
  }
  page.heading(
      fmt::format("{} driver calls by the pool, {}", grouped(calls), duration(nanoseconds)));
  const auto add = [&](std::string_view name, DriverCall call) {
    const auto& count = device.driver[static_cast<unsigned>(call)];
    if (count.calls == 0) return;
    auto what = fmt::format("{:>9}  {}", duration(count.nanoseconds), name);
    if (count.failures != 0) what += fmt::format(" ({} failed)", grouped(count.failures));
    page.row(grouped(count.calls), what);
  };
#define X(name) add(#name, DriverCall::name);
  GMLAKE_DRIVER_CALLS(X)
#undef X
}

void add_native(Page& page, const DeviceCounters& c) {
  if (c.native_allocations + c.native_frees == 0) return;
  page.heading("past the pool");
  page.row(grouped(c.native_allocations),
           fmt::format("allocations by the driver, {}", human_bytes(c.native_bytes)));
  page.row_unless_zero(c.native_frees, "frees by the driver");
  page.row_unless_zero(c.bypass_capture, "calls because a stream was being captured");
  page.row_unless_zero(c.bypass_off, "calls because the pool is switched off");
  page.row_unless_zero(c.bypass_pool, "calls because the memory pool is the driver's");
  page.row_unless_zero(c.bypass_ipc, "calls for memory of a size that other processes are given");
}

void add_processes(Page& page, const DeviceCounters& c) {
  if (c.ipc_exports + c.ipc_opens + c.ipc_refused == 0) return;
  page.heading("between processes");
  page.row_unless_zero(c.ipc_exports, "handles of blocks given to others");
  page.row_unless_zero(c.ipc_opens, "blocks of others opened");
  page.row_unless_zero(c.ipc_refused, "blocks of others that could not be opened");
}

void add_shortage(Page& page, const DeviceCounters& c) {
  const auto steps = c.ladder_harvests + c.ladder_inserted_waits + c.ladder_waits +
                     c.ladder_evictions + c.ladder_trims + c.ladder_head_rooms + c.ladder_natives +
                     c.native_retries + c.limit_refusals;
  if (steps + c.out_of_memory == 0) return;
  page.heading("when memory ran out");
  page.row_unless_zero(c.ladder_harvests, "looks for completed work on other streams");
  page.row_unless_zero(c.ladder_inserted_waits, "times a stream was made to wait for another");
  page.row_unless_zero(c.ladder_waits, "waits for pending frees");
  page.row_unless_zero(c.ladder_evictions, "times stitched ranges were given back");
  page.row_unless_zero(c.ladder_trims, "times free memory was given back and made anew");
  page.row_unless_zero(c.ladder_head_rooms, "requests went into the head room");
  page.row_unless_zero(c.limit_refusals,
                       "calls past the pool refused by pool.max_bytes or pool.max_share");
  page.row_unless_zero(c.native_retries, "calls of the program tried again with memory given back");
  page.row_unless_zero(c.ladder_natives, "requests to the driver's own allocator");
  page.row(grouped(c.out_of_memory), "allocations failed");
}

// Who held most of it at the peak.
void add_who(Page& page, const Holders& who) {
  constexpr std::size_t kMostShown = 10;
  constexpr std::size_t kMostFrames = 6;
  if (who.sample_bytes == 0) return;
  page.heading(fmt::format("who held the {} that were live at the peak (stats.sample_bytes = {})",
                           human_bytes(who.peak), human_bytes(who.sample_bytes)));
  for (std::size_t i = 0; i < std::min(who.holders.size(), kMostShown); ++i) {
    const auto& one = who.holders[i];
    if (one.at_peak == 0) continue;
    const auto share = static_cast<double>(one.at_peak) / static_cast<double>(who.peak);
    auto what = fmt::format("{:>6}  {}", percent(share),
                            one.frames.empty() ? std::string("unknown, or beyond the first places")
                            : one.library.empty() ? std::string("code made at run time")
                                                  : printable(one.library));
    if (!one.name.empty()) what += fmt::format(", for \"{}\"", printable(one.name));
    if (one.live != 0)
      what += fmt::format("; {} of it not freed, for {:.1f} s", human_bytes(one.live),
                          one.oldest_seconds);
    page.row(human_bytes(one.at_peak), what);
    const auto add = [&](const std::vector<std::string>& frames) {
      for (std::size_t f = 0; f < std::min(frames.size(), kMostFrames); ++f)
        page.row("", fmt::format("        {}", printable(frames[f])));
    };
    add(one.frames);
    add(one.python);
  }
  if (who.lost != 0) page.row(grouped(who.lost), "blocks not noted for want of host memory");
}

void add_devices(Page& page, const std::vector<DeviceReport>& devices) {
  page.heading(fmt::format("{} devices; below they are added up", devices.size()));
  for (const auto& device : devices) {
    const auto& c = device.counters;
    page.row(fmt::format("device {}", device.device),
             fmt::format("peak live {}, peak physical {}, {} used, {} allocations",
                         human_bytes(c.peak_live_bytes), human_bytes(c.peak_physical_bytes),
                         percent(utilization(c)), grouped(c.allocations)));
  }
}

}  // namespace

namespace {

// Did it help? Three lines.
std::string first_lines(const Report& report) {
  const auto sum = total(report.devices);
  const auto& c = sum.counters;
  Page page;
  page.heading(fmt::format(
      "gmlake: report of {} (pid {}{}): peak live {}, peak physical {}, {} used",
      printable(report.executable), report.process,
      report.recovered ? ", ended without a report" : "", human_bytes(c.peak_live_bytes),
      human_bytes(c.peak_physical_bytes), percent(utilization(c))));
  page.heading(fmt::format(
      "{} allocations, {} with new GPU memory, {} by a new stitch; {} frees did not wait for the "
      "GPU",
      grouped(c.allocations), grouped(c.growths), grouped(c.stitches), grouped(c.deferred_frees)));
  page.heading(fmt::format(
      "{} allocations failed{}; stats.report=full has the rest", grouped(c.out_of_memory),
      c.native_allocations == 0
          ? ""
          : fmt::format(", {} went past the pool", grouped(c.native_allocations))));
  add_who(page, report.who);
  return page.take();
}

}  // namespace

std::string to_text(const Report& report, bool full) {
  if (!full) return first_lines(report);
  Page page;
  page.heading(fmt::format("gmlake {} ({}): report of {} (pid {})", report.version, report.revision,
                           printable(report.executable), report.process));
  page.heading(fmt::format("{:.1f} s on {}, rank {}; pool {}, stitching {}", report.seconds,
                           printable(report.host), printable(report.rank),
                           report.pool_enabled ? "on" : "off",
                           report.stitch_enabled ? "on" : "off"));
  if (report.recovered)
    page.heading("recovered: the process ended without a report, and these are its last figures");
  if (report.devices.empty()) {
    page.heading("no CUDA allocation came this way");
  } else {
    const auto sum = total(report.devices);
    if (report.devices.size() > 1) add_devices(page, report.devices);
    add_benefit(page, sum.counters);
    add_served(page, sum.counters);
    add_streams(page, sum.counters);
    add_unproved(page, report, sum);
    add_driver(page, sum);
    add_shortage(page, sum.counters);
    add_native(page, sum.counters);
    add_processes(page, sum.counters);
    add_who(page, report.who);
  }
  page.heading("docs/statistics.md explains each line");
  return page.take();
}

}  // namespace gmlake::stats
