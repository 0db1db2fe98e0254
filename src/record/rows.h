// The text of a recording: rows of the log that `gmlake replay` reads (docs/traces.md), and what a
// reader has to be told first who begins in the middle. Keeps what is live to know that.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "record/clock.h"
#include "record/entry.h"
#include "record/modules.h"

namespace gmlake::record {

inline constexpr std::string_view kHeader =
    "Thread,Time,Action,Pointer,Size,Stream,Device,Caller\n";

class Rows {
 public:
  // `process`: what the recording is of, for the head of each part.
  explicit Rows(std::string process) : process_(std::move(process)) {}

  // Before the entries that have been noted meanwhile.
  void go_on();
  void add(const Entry& entry, std::string& text);
  // So many entries are not here, because nobody had time to take them.
  void lost(std::uint64_t entries, std::string& text);
  // The head of a part: header, process, objects, streams, and what is live.
  void begin(std::string& text);
  std::size_t live() const { return live_.size(); }

 private:
  struct Block {
    std::uint64_t bytes = 0, stream = 0, context = 0;
    Lane lane = Lane::host;
    std::uint8_t device = 0;
  };
  struct Stream {
    std::uint64_t handle = 0;
    bool blocking = false;
    Lane lane = Lane::created;
    std::uint8_t device = 0;
  };
  void know(const Entry& entry, std::string& text);
  void keep_books(Entry& entry, std::string& text);
  void add_modules(std::string& text);
  void row(std::uint64_t thread, std::string_view action, std::uint64_t pointer,
           std::uint64_t amount, std::string_view stream, unsigned device, std::string_view caller,
           std::string& text) const;
  void stream_row(std::uint64_t id, const Stream& stream, std::string& text) const;
  void context_ends(const Entry& entry, std::string& text);

  const std::string process_;
  Clock clock_;
  std::uint64_t time_ = 0;
  Modules modules_;
  std::size_t modules_written_ = 0;
  std::unordered_map<std::uint64_t, Block> live_;             // by address
  std::unordered_map<std::uint64_t, Stream> streams_;         // by id
  std::unordered_map<std::uint64_t, std::uint64_t> handles_;  // of streams, to their ids
};

}  // namespace gmlake::record
