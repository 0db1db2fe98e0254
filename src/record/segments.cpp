#include "record/segments.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "stats/file_output.h"
#include "support/write_signals.h"

namespace gmlake::record {
namespace {

constexpr int kLevel = 1;  // half of what there is to gain, at a fifth of the time
constexpr std::size_t kOutAtOnce = std::size_t{64} << 10;
// Of a segment beyond its share: what deflate has taken in and not given out, and its end.
constexpr Bytes kTail = Bytes{384} << 10;

// Another process has the file open to write a recording to.
bool is_locked(const std::string& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (file < 0) return false;
  const bool locked = flock(file, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  (void)::close(file);
  return locked;
}

// A recording is a file of its own: nothing else may be at its name but an older one.
int check_name(const std::string& path) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) return errno == ENOENT ? 0 : errno;
  if (S_ISDIR(there.st_mode)) return EISDIR;
  return S_ISREG(there.st_mode) || S_ISLNK(there.st_mode) ? 0 : ENXIO;
}

int copy(int from, Bytes start, int to) {
  if (lseek(from, static_cast<off_t>(start), SEEK_SET) < 0) return errno;
  std::string piece(std::size_t{1} << 20, '\0');
  for (;;) {
    const auto got = read(from, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got < 0 ? errno : 0;
    if (const int error =
            write_descriptor(to, std::string_view(piece).substr(0, static_cast<std::size_t>(got))))
      return error;
  }
}

}  // namespace

SegmentedFile::SegmentedFile() = default;

SegmentedFile::~SegmentedFile() {
  if (in_member_) (void)deflateEnd(stream_.get());
  if (file_ >= 0) (void)::close(file_);
}

bool SegmentedFile::fail_with(int error, std::string_view doing) {
  if (problem_.empty()) problem_ = std::string(doing) + ": " + std::strerror(error);
  return false;
}

bool SegmentedFile::open(const std::string& path, Bytes most) {
  path_ = path;
  most_ = std::max(most, kLeast);
  if (const int error = check_name(path); error == ENXIO)
    return problem_ = "is no regular file, and a recording is one", false;
  else if (error != 0)
    return fail_with(error, "can not be written");
  if (is_locked(path)) return taken_ = true, problem_ = "is another process's", false;
  if (const int error = stats::make_folders_above(path))
    return fail_with(error, "can not be written");
  std::string beside;
  file_ = stats::open_beside(path, beside);
  if (file_ < 0) return fail_with(errno, "can not be written");
  return put_in_place(beside) && begin_member();
}

// Locked before it can be found.
bool SegmentedFile::put_in_place(const std::string& beside) {
  (void)flock(file_, LOCK_EX | LOCK_NB);
  if (std::rename(beside.c_str(), path_.c_str()) == 0) return true;
  const int error = errno;
  (void)unlink(beside.c_str());
  return fail_with(error, "can not be written");
}

bool SegmentedFile::has_its_name() const {
  struct stat ours {
  }, there{};
  return fstat(file_, &ours) == 0 && lstat(path_.c_str(), &there) == 0 &&
         ours.st_ino == there.st_ino && ours.st_dev == there.st_dev;
}

bool SegmentedFile::begin_member() {
  stream_ = std::make_unique<z_stream>();
  constexpr int kGzip = 16 + MAX_WBITS, kMemory = 8;
  if (deflateInit2(stream_.get(), kLevel, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK)
    return fail_with(ENOMEM, "can not be compressed");
  in_member_ = true;
  segment_ = 0;
  return true;
}

bool SegmentedFile::deflate(std::string_view text, int how) {
  if (!problem_.empty() || !in_member_) return false;
  auto& stream = *stream_;
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  do {
    const auto had = out_.size();
    out_.resize(had + kOutAtOnce);
    stream.next_out = reinterpret_cast<Bytef*>(out_.data() + had);
    stream.avail_out = kOutAtOnce;
    (void)::deflate(&stream, how);  // there is room, so that it can not fail
    out_.resize(out_.size() - stream.avail_out);
    if (out_.size() >= kOutAtOnce && !write_out()) return false;
  } while (stream.avail_out == 0);
  return true;
}

bool SegmentedFile::write_out() {
  if (size_ + out_.size() > most_) {
    problem_ = "what is live does not fit into trace.max_bytes";
    return false;
  }
  if (const int error = write_descriptor(file_, out_))
    return fail_with(error, "can not be written");
  size_ += out_.size();
  segment_ += out_.size();
  out_.clear();
  return true;
}

bool SegmentedFile::write(std::string_view text) {
  return deflate(text, Z_NO_FLUSH);
}

bool SegmentedFile::flush() {
  return deflate({}, Z_SYNC_FLUSH) && write_out();
}

bool SegmentedFile::next_segment() {
  if (!deflate({}, Z_FINISH) || !write_out()) return false;
  (void)deflateEnd(stream_.get());
  in_member_ = false;
  segments_.push_back(segment_);
  if (size_ + most_ / kShare + kTail > most_ && !drop_oldest()) return false;
  return begin_member();
}

// Half of the bound stays: what stays has to be copied.
bool SegmentedFile::drop_oldest() {
  Bytes start = 0;
  auto first = segments_.begin();
  for (; first != segments_.end() && size_ - start > most_ / 2; ++first) start += *first;
  std::string beside;
  const int file = stats::open_beside(path_, beside);
  if (file < 0) return fail_with(errno, "can not be kept in its bound");
  if (const int error = copy(file_, start, file)) {
    (void)::close(file);
    (void)unlink(beside.c_str());
    return fail_with(error, "can not be kept in its bound");
  }
  struct stat before {};
  if (fstat(file_, &before) == 0) (void)fchmod(file, before.st_mode & 0777);
  (void)::close(file_);
  file_ = file;
  size_ -= start;
  segments_.erase(segments_.begin(), first);
  return put_in_place(beside);
}

bool SegmentedFile::close() {
  const bool done = deflate({}, Z_FINISH) && write_out();
  if (in_member_) (void)deflateEnd(stream_.get());
  in_member_ = false;
  if (file_ >= 0 && ::close(file_) != 0) (void)fail_with(errno, "can not be written");
  file_ = -1;
  return done && problem_.empty();
}

}  // namespace gmlake::record
