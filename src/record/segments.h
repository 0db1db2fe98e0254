// A compressed file of bounded size: it grows at its end, and where it would grow too large its
// oldest part goes. It is made of segments, each a gzip member that can be read without those
// before it, and one behind the other they are a gzip file.
//
// What has been flushed can be read, also where the process is killed at any moment. While the
// oldest segments go, what stays is for that long beside the file as well, under a name of its own.
// One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "support/units.h"

struct z_stream_s;  // of zlib

namespace gmlake::record {

class SegmentedFile {
 public:
  static constexpr Bytes kLeast = 4 * MiB;  // of a bound

  SegmentedFile();
  ~SegmentedFile();
  SegmentedFile(const SegmentedFile&) = delete;
  SegmentedFile& operator=(const SegmentedFile&) = delete;

  // Takes the place of what the name has led to; folders above are made. `most` >= kLeast bytes.
  // False: `problem()` says why, or another process writes there (`is_taken()`).
  bool open(const std::string& path, Bytes most);
  bool is_taken() const { return taken_; }
  // Whether the name still leads here, rather than to what somebody has put there.
  bool has_its_name() const;

  // Each says false for good once something has gone wrong.
  bool write(std::string_view text);
  bool flush();
  // The segment is large enough: the next one is due.
  bool is_full() const { return segment_ > most_ / kShare; }
  bool next_segment();
  bool close();

  // Why it goes no further, in words that can follow the name; empty while it does.
  const std::string& problem() const { return problem_; }
  const std::string& path() const { return path_; }

 private:
  static constexpr Bytes kShare = 8;  // of the bound, each segment

  bool fail_with(int error, std::string_view doing);
  bool deflate(std::string_view text, int how);
  bool write_out();
  bool begin_member();
  bool drop_oldest();
  bool put_in_place(const std::string& beside);

  std::string path_, problem_, out_;
  bool taken_ = false;
  int file_ = -1;
  Bytes most_ = 0, size_ = 0, segment_ = 0;
  std::vector<Bytes> segments_;  // sizes of those that are complete
  std::unique_ptr<z_stream_s> stream_;
  bool in_member_ = false;
};

}  // namespace gmlake::record
