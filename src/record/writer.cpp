#include "record/writer.h"

#include <string_view>

#include "support/log.h"

namespace gmlake::record {
namespace {

using namespace std::chrono_literals;

constexpr auto kBetweenFlushes = 500ms;
constexpr auto kDead = 10s;  // whoever has not finished a note by then never will
constexpr std::size_t kTextAtOnce = std::size_t{128} << 10;

}  // namespace

bool Writer::open() {
  file_ = std::make_unique<SegmentedFile>();
  if (!file_->open(what_.path, what_.most) && file_->is_taken()) {
    log::warning(
        "trace.file: another process records to {}, so that this one does to {}; %p or "
        "%r in the name keeps them apart",
        what_.path, what_.own_path);
    file_ = std::make_unique<SegmentedFile>();
    (void)file_->open(what_.own_path, what_.most);
  }
  return file_->problem().empty() && begin_segment();
}

bool Writer::look() {
  rows_.go_on();
  const auto taken = ring_.take([this](const Entry& entry) {
    rows_.add(entry, text_);
    if (text_.size() >= kTextAtOnce) (void)put();
  });
  if (const auto lost = ring_.take_lost()) rows_.lost(lost, text_);
  const auto now = Clock::now();
  if (taken != 0 || !ring_.is_unfinished()) last_taken_ = now;
  if (now - last_taken_ > kDead) return stopped_ = "a thread has ended amid a note", false;
  if (!put()) return false;
  if (now - last_flush_ < kBetweenFlushes) return true;
  last_flush_ = now;
  if (!file_->has_its_name() && !move_aside()) return false;
  return file_->flush();
}

void Writer::say_problem() const {
  log::error("trace.file: {} {}; the recording ends there, the program goes on", file_->path(),
             stopped_.empty() ? file_->problem() : stopped_);
}

bool Writer::begin_segment() {
  std::string text;
  rows_.begin(text);
  for (std::size_t at = 0; at < text.size(); at += kTextAtOnce)
    if (!file_->write(std::string_view(text).substr(at, kTextAtOnce))) return false;
  return file_->flush();
}

bool Writer::put() {
  const bool done = file_->write(text_);
  text_.clear();
  return done && (!file_->is_full() || (file_->next_segment() && begin_segment()));
}

// Somebody has taken the file away, or put another one there: the rest goes elsewhere.
bool Writer::move_aside() {
  log::warning("trace.file: {} has been taken away or replaced; the recording goes on in {}",
               file_->path(), what_.own_path);
  auto next = std::make_unique<SegmentedFile>();
  (void)next->open(what_.own_path, what_.most);
  file_ = std::move(next);
  return file_->problem().empty() && begin_segment();
}

}  // namespace gmlake::record
