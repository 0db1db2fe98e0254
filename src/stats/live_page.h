// The page that lives: this process's counters in memory shared with whoever reads the file, so
// that they are seen while it runs and are there when it has ended, however it did.
// docs/observability.md says who reads it.
//
// Its blocks exist before it is mapped: a file system that is full costs the page, not the process.
// Where no page, or no more of it, can be had, the records are in this process's own memory.
#pragma once

#include <array>
#include <atomic>
#include <string>

#include <sys/types.h>

#include "stats/live_layout.h"
#include "stats/report.h"
#include "support/spin_lock.h"
#include "support/thread_safety.h"

namespace gmlake::stats {

// What the header says of a process that is not in its report.
struct PageFacts {
  bool text_report = true, full_text = false;
  std::string text_file, json_file;  // whole names; "": stderr, none
  std::string run;                   // which `gmlake run` it is under
  std::uint64_t since = 0;           // live::Header
};

class LivePage final : public Records {
 public:
  // In `folder`, or where it is "" in the first of page_folders() that has room. False: there is
  // none.
  bool begin(const std::string& folder, const Report& report, const PageFacts& facts);
  // Takes the file away. What is mapped stays: somebody may be counting.
  void end();
  // In a forked child: what was the parent's is memory of its own here, and empty.
  void after_fork();
  // Null without a page.
  live::Header* header() const { return header_.load(std::memory_order_acquire); }
  const std::string& path() const { return path_; }

  DeviceRecord& add_device(int ordinal) override;
  FrontRecord& add_front(int ordinal) override;
  // Null without a page, or no more of it: then nobody would see it.
  HoldersRecord* add_holders();

 private:
  bool begin_in(const std::string& folder);
  void* take(live::Kind kind, std::uint32_t size, int ordinal);
  bool add_segment() GMLAKE_REQUIRES(lock_);

  RankedSpinLock<Rank::last> lock_;
  std::string path_;
  pid_t owner_ = 0;
  std::atomic<live::Header*> header_{nullptr};
  std::array<char*, live::kMostSegments> segments_ GMLAKE_GUARDED_BY(lock_){};
  std::size_t count_ GMLAKE_GUARDED_BY(lock_) = 0;  // of segments
  std::size_t used_ GMLAKE_GUARDED_BY(lock_) = 0;   // of the last
  PrivateRecords rest_ GMLAKE_GUARDED_BY(lock_);
};

}  // namespace gmlake::stats
