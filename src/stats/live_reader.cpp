#include "stats/live_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "stats/fixed_text.h"
#include "stats/process_stamp.h"

namespace gmlake::stats {
namespace {

constexpr std::size_t kMostBytes = live::kMostSegments * live::kSegment;

class File {
 public:
  explicit File(const std::string& path, int flags)
      : number_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags)) {}
  ~File() {
    if (number_ >= 0) (void)close(number_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int number() const { return number_; }

 private:
  const int number_;
};

// In words, so that records in it lie as they want to.
using Copy = std::vector<std::max_align_t>;

const char* bytes(const Copy& copy) {
  return reinterpret_cast<const char*>(copy.data());
}

bool read_whole(int file, Copy& copy, std::size_t size) {
  copy.resize((size + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t));
  auto* const to = reinterpret_cast<char*>(copy.data());
  for (std::size_t done = 0; done < size;) {
    const auto got = pread(file, to + done, size - done, static_cast<off_t>(done));
    if (got <= 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

// Twice the same, if that can be had soon: then the process was not amid anything.
bool read_quiet(int file, Copy& copy, std::size_t size) {
  constexpr int kTries = 4;
  if (!read_whole(file, copy, size)) return false;
  Copy before;
  for (int i = 0; i < kTries; ++i) {
    std::swap(before, copy);
    if (!read_whole(file, copy, size)) return false;
    if (std::memcmp(bytes(before), bytes(copy), size) == 0) break;
  }
  return true;
}

void read_header(const live::Header& header, PageView& page) {
  page.process_start = header.process_start;
  page.pid_namespace = header.pid_namespace;
  page.began = page.last_moment = header.began;
  page.since = header.since;
  page.run = text_in(header.run);
  page.text_report = header.text_report != 0;
  page.full_text = header.text_report > 1;
  page.text_file = text_in(header.text_file);
  page.json_file = text_in(header.json_file);
  page.written = header.written != 0;
  page.controlled = header.control.open.load() != 0;
  auto& report = page.report;
  report.version = text_in(header.version);
  report.revision = text_in(header.revision);
  report.process = header.process;
  report.executable = text_in(header.executable);
  report.host = text_in(header.host);
  report.rank = text_in(header.rank);
  report.pool_enabled = header.pool_enabled != 0;
  report.stitch_enabled = header.stitch_enabled != 0;
  report.events_seen = header.events_seen != 0;
  report.follow_events = header.follow_events != 0;
  report.reuse_completed = header.reuse_completed != 0;
  report.single_stream = header.single_stream != 0;
}

void read_device(const DeviceRecord& record, DeviceReport& device, PageView& page) {
  device.counters = record.counters;
  for (unsigned i = 0; i < kDriverCalls; ++i)
    device.driver[i] = {record.driver[i].calls, record.driver[i].nanoseconds,
                        record.driver[i].failures};
  device.unproved = unproved_of(record.unproved);
  std::erase_if(device.unproved.pairs, [](const UnprovedPair& pair) {
    constexpr auto kLast = StreamName::Kind::host;
    return pair.wanted_by.kind > kLast || pair.freed_by.kind > kLast;
  });
  DeviceHistory history{device.device, {}};
  const auto count = record.history.count.load();
  for (auto i = count - std::min<std::uint64_t>(count, History::kMost); i < count; ++i) {
    history.samples.push_back(record.history.samples[i % History::kMost]);
    page.last_moment = std::max(page.last_moment, history.samples.back().nanoseconds);
  }
  page.history.push_back(std::move(history));
}

void read_records(const Copy& copy, std::size_t size, PageView& page) {
  std::map<int, DeviceReport> devices;
  for (std::size_t segment = 0; segment < size; segment += live::kSegment)
    for (auto at = segment == 0 ? live::kHeader : segment;
         at + live::kAlign <= segment + live::kSegment;) {
      const auto& head = *reinterpret_cast<const live::Head*>(bytes(copy) + at);
      const auto left = segment + live::kSegment - at;
      const auto kind = head.kind.load();
      if (kind == live::Kind::none || head.size < live::kAlign || head.size % live::kAlign != 0 ||
          head.size > left)
        break;
      const char* const record = bytes(copy) + at + live::kHead;
      if (kind == live::Kind::holders) {
        if (head.size == live::kSize<HoldersRecord>)
          page.report.who =
              shown(*reinterpret_cast<const HoldersRecord*>(record), monotonic_nanoseconds());
        at += head.size;
        continue;
      }
      auto& device = devices[head.device];
      device.device = head.device;
      if (kind == live::Kind::device && head.size == live::kSize<DeviceRecord>) {
        const auto fronts = device.counters;
        read_device(*reinterpret_cast<const DeviceRecord*>(record), device, page);
#define X(name, kind, unit, help) device.counters.name += fronts.name;
        GMLAKE_COUNTERS(X)
#undef X
      } else if (kind == live::Kind::front && head.size == live::kSize<FrontRecord>) {
        add(device.counters, *reinterpret_cast<const FrontRecord*>(record));
      }
      at += head.size;
    }
  for (auto& [ordinal, device] : devices) {
    sum_up(device.counters);
    // Between two halves of a change a level may be below nothing.
    for (auto* level : {&device.counters.live_bytes, &device.counters.live_blocks})
      if (static_cast<std::int64_t>(*level) < 0) *level = 0;
    page.report.devices.push_back(std::move(device));
  }
}

// Whether the process has the page mapped: not after exec. Where that can not be asked it is taken
// to be so.
bool maps(std::int64_t process, const std::string& page) {
  const File file("/proc/" + std::to_string(process) + "/maps", 0);
  if (file.number() < 0) return errno == EACCES || errno == EPERM;
  const auto name = page.substr(page.rfind('/') + 1);
  std::string kept;
  char some[16384];
  for (;;) {
    const auto got = read(file.number(), some, sizeof some);
    if (got <= 0) return got < 0 && (errno == EACCES || errno == EPERM);
    kept.append(some, static_cast<std::size_t>(got));
    if (kept.find(name) != std::string::npos) return true;
    if (kept.size() > name.size()) kept.erase(0, kept.size() - name.size());
  }
}

}  // namespace

std::optional<PageView> read_page(const std::string& path, std::string& problem, bool figures) {
  problem.clear();
  const File file(path, O_NOFOLLOW);
  struct stat there {};
  if (file.number() < 0 || fstat(file.number(), &there) != 0) {
    if (errno != ENOENT) problem = std::strerror(errno);
    return {};
  }
  const auto size = static_cast<std::size_t>(there.st_size);
  Copy copy;
  if (!S_ISREG(there.st_mode) || size < live::kSegment || size > kMostBytes ||
      size % live::kSegment != 0 ||
      !(figures ? read_quiet(file.number(), copy, size)
                : read_whole(file.number(), copy, live::kHeader))) {
    problem = "no live page";
    return {};
  }
  const auto& header = *reinterpret_cast<const live::Header*>(bytes(copy));
  if (header.magic != live::kMagic) {
    if (header.magic != 0) problem = "no live page";
    return {};
  }
  if (header.layout != live::kLayout) {
    problem = "of another version of gmlake";
    return {};
  }
  PageView page;
  page.path = path;
  read_header(header, page);
  if (figures) read_records(copy, size, page);
  page.report.seconds = static_cast<double>(monotonic_nanoseconds() - page.began) / 1e9;
  return page;
}

Life life_of(const PageView& page) {
  const auto own = pid_namespace();
  if (page.pid_namespace != own) return Life::elsewhere;
  const auto process = page.report.process;
  const auto stamp = stamp_of(static_cast<pid_t>(process));
  const bool same = stamp && !stamp->ended && stamp->start == page.process_start;
  return same && maps(process, page.path) ? Life::running : Life::ended;
}

}  // namespace gmlake::stats
