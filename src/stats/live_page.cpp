#include "stats/live_page.h"

#include <cstdio>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "stats/fixed_text.h"
#include "stats/page_folder.h"
#include "stats/process_stamp.h"
#include "support/no_cancel.h"
#include "support/write_signals.h"

namespace gmlake::stats {
namespace {

using live::kSegment;

// One more segment at the end of the file, which exists before it is mapped. Null if there can be
// none.
char* extend(int file, std::size_t number) {
  const NoWriteSignals none;  // a limit on the size of files is said by a signal
  const auto start = static_cast<off_t>(number * kSegment);
  if (posix_fallocate(file, start, kSegment) != 0) return nullptr;
  void* at = mmap(nullptr, kSegment, PROT_READ | PROT_WRITE, MAP_SHARED, file, start);
  return at == MAP_FAILED ? nullptr : static_cast<char*>(at);
}

void describe(live::Header& header, const Report& report, const PageFacts& facts) {
  header.process = report.process;
  const auto stamp = stamp_of(static_cast<pid_t>(report.process)).value_or(ProcessStamp{});
  header.process_start = stamp.start;
  header.pid_namespace = pid_namespace();
  header.began = monotonic_nanoseconds() - static_cast<std::uint64_t>(report.seconds * 1e9);
  header.began_time = nanoseconds_since_1970() - static_cast<std::uint64_t>(report.seconds * 1e9);
  header.since = facts.since;
  put_start(header.version, report.version);
  put_start(header.revision, report.revision);
  put_start(header.executable, report.executable);
  put_start(header.host, report.host);
  put_start(header.rank, report.rank);
  put_start(header.run, facts.run);
  header.pool_enabled = report.pool_enabled;
  header.stitch_enabled = report.stitch_enabled;
  header.events_seen = report.events_seen;
  header.follow_events = report.follow_events;
  header.reuse_completed = report.reuse_completed;
  header.single_stream = report.single_stream;
  // A name that does not fit is none: nobody but the process itself can write that report.
  const bool fits = facts.text_report && put_whole(header.text_file, facts.text_file);
  header.text_report = fits ? facts.full_text ? 2 : 1 : 0;
  (void)put_whole(header.json_file, facts.json_file);
  header.size = kSegment;
  header.layout = live::kLayout;
  // Whoever reads the magic reads all of the above.
  std::atomic_ref(header.magic).store(live::kMagic, std::memory_order_release);
}

}  // namespace

bool LivePage::begin(const std::string& folder, const Report& report, const PageFacts& facts) {
  const NoCancel whole;
  bool begun = false;
  if (!folder.empty()) {
    begun = begin_in(folder);
  } else {
    for (const auto& one : page_folders())
      if (!begun && prepare_page_folder(one)) begun = begin_in(one);
  }
  if (!begun) return false;
  try {
    keep_few_pages(path_.substr(0, path_.rfind('/')));
  } catch (const std::bad_alloc&) {  // another process will
  }
  const Lock lock(lock_);
  auto* header = new (segments_[0]) live::Header{};
  describe(*header, report, facts);
  header_.store(header, std::memory_order_release);
  return true;
}

// The name is nobody's to know before, and the file is new: nothing that lies in wait is written
// to.
bool LivePage::begin_in(const std::string& folder) {
  std::uint64_t random = 0;
  (void)getrandom(&random, sizeof random, GRND_NONBLOCK);
  char name[64];
  (void)std::snprintf(name, sizeof name, "/%ld-%016llx.page", static_cast<long>(getpid()),
                      static_cast<unsigned long long>(random));
  path_ = folder + name;
  constexpr mode_t kOwn = 0600;
  const int file = open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, kOwn);
  if (file < 0) return false;
  char* const first = extend(file, 0);
  (void)close(file);
  if (!first) {
    (void)unlink(path_.c_str());
    return false;
  }
  const Lock lock(lock_);
  segments_[0] = first;
  count_ = 1;
  used_ = live::kHeader;
  owner_ = getpid();
  return true;
}

void LivePage::end() {
  if (header() && owner_ == getpid()) (void)unlink(path_.c_str());
}

// The lock may be held by a thread that is not here.
void LivePage::after_fork() GMLAKE_NO_THREAD_SAFETY_ANALYSIS {
  header_.store(nullptr, std::memory_order_relaxed);
  for (auto* segment : segments_)
    if (segment)
      (void)mmap(segment, kSegment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
                 -1, 0);
}

// No descriptor is kept: the program may close it, and a child would inherit it.
bool LivePage::add_segment() {
  if (count_ == 0 || count_ == live::kMostSegments) return false;
  const int file = open(path_.c_str(), O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (file < 0) return false;
  char* const next = extend(file, count_);
  (void)close(file);
  if (!next) return false;
  segments_[count_++] = next;
  used_ = 0;
  if (auto* const header = header_.load(std::memory_order_relaxed))
    header->size = count_ * kSegment;
  return true;
}

void* LivePage::take(live::Kind kind, std::uint32_t size, int ordinal) {
  const NoCancel whole;
  const Lock lock(lock_);
  if (!header() || (used_ + size > kSegment && !add_segment())) return nullptr;
  auto* const at = segments_[count_ - 1] + used_;
  used_ += size;
  auto* const head = new (at) live::Head{};
  head->size = size;
  head->device = static_cast<std::int16_t>(ordinal);
  head->kind.store(kind, std::memory_order_release);
  return at + live::kHead;
}

DeviceRecord& LivePage::add_device(int ordinal) {
  if (void* at = take(live::Kind::device, live::kSize<DeviceRecord>, ordinal))
    return *new (at) DeviceRecord;
  const Lock lock(lock_);
  return rest_.add_device(ordinal);
}

FrontRecord& LivePage::add_front(int ordinal) {
  if (void* at = take(live::Kind::front, live::kSize<FrontRecord>, ordinal))
    return *new (at) FrontRecord;
  const Lock lock(lock_);
  return rest_.add_front(ordinal);
}

HoldersRecord* LivePage::add_holders() {
  void* at = take(live::Kind::holders, live::kSize<HoldersRecord>, -1);
  return at ? new (at) HoldersRecord{} : nullptr;
}

}  // namespace gmlake::stats
