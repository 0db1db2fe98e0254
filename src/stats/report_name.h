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

// A name, for the time of a scope in which no other process chooses one in that folder, which is
// made if it is not there. Who can not have the folder for himself for want of time (somebody may
// be stopped in it) has his number in his name; where folders can not be locked nobody waits.
class Naming {
 public:
  explicit Naming(const std::string& path);
  ~Naming();
  Naming(const Naming&) = delete;
  Naming& operator=(const Naming&) = delete;

  // `path`, or one with the process's number in it. What is no regular file has one name.
  std::string name_for(const Writer& writer) const { return name_for(path_, writer); }
  // The same of another one in that folder.
  std::string name_for(const std::string& path, const Writer& writer) const;

 private:
  const std::string path_;
  int folder_ = -1;
  bool is_alone_ = true;
};

}  // namespace gmlake::stats
