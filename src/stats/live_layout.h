// What a live page holds: a file that a process counts in and others read. After the header come
// segments of one size; in each, records one behind the other, with a head before each of them.
//
// Figures are in the machine's own form. Who reads a page takes it for nobody's word: everything is
// checked before it is used (stats/live_reader.h). kLayout tells pages of another version apart.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "stats/holder.h"
#include "stats/records.h"

namespace gmlake::stats::live {

inline constexpr auto kMagic =
    std::bit_cast<std::uint64_t>(std::array{'g', 'm', 'l', 'a', 'k', 'e', 'p', 'g'});
inline constexpr std::size_t kSegment = std::size_t{64} << 10;
inline constexpr std::size_t kMostSegments = 256;
inline constexpr std::size_t kAlign = 128;  // as far apart as fronts are
inline constexpr std::size_t kMostPath = 4096;

// A command to the process and its answer (live.control). Written by whoever holds the file's lock
// (flock), who then rings the bell; the process answers by raising `done` to `asked`, a futex.
enum class Order : std::uint32_t { none, trim, limit, dump, record, end_record };
struct Control {
  std::atomic<std::uint32_t> open;  // the process listens
  std::atomic<std::uint32_t> asked, done;
  Order order;
  std::uint64_t amount;  // trim: bytes to keep; limit: bytes, or ~0 for what was configured
  std::uint64_t answer;  // trim: bytes given back
  std::int32_t error;    // errno
  char path[kMostPath];  // dump, record: where to
};

// Other processes of the user that run out of a device's memory ask for what is free here
// (pool.ask_others): they set the device's bit in `wanted` and ring the bell.
struct Wishes {
  std::atomic<std::uint32_t> heard;     // the process listens
  std::atomic<std::uint32_t> answered;  // the bell's number up to which it has; a futex
  std::atomic<std::uint32_t> giving;    // it is about to
  std::atomic<std::uint64_t> wanted;
  std::atomic<std::uint64_t> given;  // bytes so far
};

struct Header {
  std::uint64_t magic;  // written last
  std::uint64_t layout;
  std::uint64_t size;  // of the file, whole segments
  char version[64], revision[64];

  std::int64_t process;
  std::uint64_t process_start;  // in the kernel's ticks since it was booted
  std::uint64_t pid_namespace;
  std::uint64_t began;       // monotonic, nanoseconds
  std::uint64_t began_time;  // since 1970, nanoseconds
  std::uint64_t since;       // the same: what has been written later was so beside this process
  char executable[256], host[256], rank[32], run[64];

  std::uint32_t pool_enabled, stitch_enabled, events_seen, follow_events, reuse_completed,
      single_stream;
  std::uint32_t text_report;  // 0: none, 1: its first lines, 2: all of it
  char text_file[kMostPath];  // "": stderr
  char json_file[kMostPath];  // "": none
  std::uint32_t written;      // the files there are this process's: gmlake run wrote them meanwhile

  std::atomic<std::uint32_t> bell;  // a futex: how often something was written for the process
  Control control;
  Wishes wishes;
};
inline constexpr std::size_t kHeader = (sizeof(Header) + kAlign - 1) / kAlign * kAlign;
static_assert(kHeader < kSegment);

enum class Kind : std::uint16_t { none, device, front, holders };
struct Head {
  std::atomic<Kind> kind;  // written last
  std::int16_t device;
  std::uint32_t size;  // of both, a multiple of kAlign
};
inline constexpr std::size_t kHead = 8;  // a front's record ends with its cache line
static_assert(sizeof(Head) == kHead);
template <typename Record>
inline constexpr std::uint32_t kSize = (kHead + sizeof(Record) + kAlign - 1) / kAlign* kAlign;
static_assert(kSize<FrontRecord> == kAlign && kSize<DeviceRecord> <= kSegment - kHeader &&
              kSize<HoldersRecord> <= kSegment - kHeader);

// Of all names in their order, and the sizes.
constexpr std::uint64_t layout() {
  std::uint64_t hash = 0xcbf29ce484222325;
  const auto take = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  };
#define X(name, kind, unit, help) take(#name ";");
  GMLAKE_COUNTERS(X)
#undef X
#define X(name) take(#name ";");
  GMLAKE_DRIVER_CALLS(X)
#undef X
#define X(name, unit, help) take(#name ";");
  GMLAKE_UNPROVED(X)
#undef X
  for (const std::uint64_t size :
       {sizeof(Header), sizeof(DeviceRecord), sizeof(FrontRecord), sizeof(HoldersRecord),
        sizeof(UnprovedPair), sizeof(Sample), kSegment, kAlign})
    hash = (hash ^ size) * 0x100000001b3;
  return hash;
}
inline constexpr std::uint64_t kLayout = layout();

}  // namespace gmlake::stats::live
