// One recording on its way from the ring to its file: what has been noted becomes rows, and where
// the file is another process's, or is taken away, another one. One thread's own.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "record/recorder.h"
#include "record/ring.h"
#include "record/rows.h"
#include "record/segments.h"

namespace gmlake::record {

class Writer {
 public:
  Writer(Recording what, Ring& ring) : what_(std::move(what)), ring_(ring), rows_(what_.process) {}

  bool open();
  // What has been noted since the last time. False: it goes no further.
  bool look();
  bool close() { return look() && file_->close(); }
  void say_problem() const;

 private:
  using Clock = std::chrono::steady_clock;

  bool begin_segment();
  bool put();
  bool move_aside();

  const Recording what_;
  Ring& ring_;
  Rows rows_;
  std::unique_ptr<SegmentedFile> file_;
  std::string text_, stopped_;
  Clock::time_point last_flush_ = Clock::now(), last_taken_ = last_flush_;
};

}  // namespace gmlake::record
