// The page of another process of this user, to ask that process for something.
#pragma once

#include <string>

#include "stats/live_layout.h"

namespace gmlake::stats {

class MappedPage {
 public:
  // Null in header() where it is not this user's, is shorter than a page, or can not be mapped.
  explicit MappedPage(const std::string& path);
  ~MappedPage();
  MappedPage(const MappedPage&) = delete;
  MappedPage& operator=(const MappedPage&) = delete;

  // What is there is what anybody of this user wrote: read_page() checks it.
  live::Header* header() const { return header_; }
  // Waits until nobody else has it; held while this is there.
  bool lock();
  // The process looks what has been written for it. The bell's number from now on.
  std::uint32_t ring();

 private:
  const int file_;
  live::Header* header_ = nullptr;
};

}  // namespace gmlake::stats
