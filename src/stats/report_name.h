// The name a process writes a report under, where others would write theirs under the same: ranks
// of one job, told one name.
//
// Who comes later gives way. A file that has been written since this process was started is another
// one's: it ran beside. An older one is of an earlier run, and replaced. And of processes that are
// about to, as their pages say, the one that was started first has the name. Who chooses a name
// holds the folder's lock until he has written there: or two could find the same name free.
#pragma once

#include <cstdint>
#include <string>

namespace gmlake::stats {

struct Writer {
  std::int64_t process = 0;
  std::uint64_t since = 0;  // live::Header::since
  std::string page;         // the path of its own page, "" without one
};

// For the time of a scope nobody else chooses a name in the folder of `path`, which is made if it
// is not there. Where the folder can not be locked, or another has it for more than a moment (it
// may be stopped, or not gmlake at all), nobody waits.
class Naming {
 public:
  explicit Naming(const std::string& path);
  ~Naming();
  Naming(const Naming&) = delete;
  Naming& operator=(const Naming&) = delete;

 private:
  int folder_ = -1;
};

// `path`, or one with the process's number in it. What is no regular file has one name.
std::string name_for(const std::string& path, const Writer& writer);

}  // namespace gmlake::stats
