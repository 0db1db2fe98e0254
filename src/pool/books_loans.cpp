// Loans: streams that ask for ever other sizes would all meet in the books' lock, each with the
// others' cache lines to fetch. One that has met others there often is lent a part of what is free
// (memory/loan.h), and asks and frees in it under its own lock alone.
//
// It is memory that is free to nobody else meanwhile: whoever finds no other takes all of it back,
// and nothing is lent until that request is served. What is freed in a loan is followed as what is
// parked is: with the next event of its stream it gets its place in the order (stamp_loans), and
// the loan stays. A stream's own are taken back by whoever has to do with a block in them and is
// not that stream: a free by another, a recorded use, a note. Where that happens soon after it was
// lent, it is lent less and less often.
#include <algorithm>
#include <new>

#include "pool/books.h"

namespace gmlake::pool {
namespace {

constexpr std::size_t kMostLoans = 4;  // of a stream, each twice as large as the one before
constexpr Bytes kFirstLoan = 128 * MiB;
constexpr Bytes kBlocks = 16;                // or for so many of the size that is asked for
constexpr Bytes kShare = 4;                  // but at most such a part of what is free,
constexpr Bytes kLeast = 2;                  // or so many of that size
constexpr std::uint64_t kNever = 1'000'000;  // of streams.lend_after
// Others are met by at least one request of so many, or they do not count.
constexpr std::int64_t kOneOf = 5;
constexpr std::size_t kHardly = 256;  // requests that a loan has to serve to be worth it
constexpr std::int64_t kMostInVain = 10;

}  // namespace

// Each that begins in a loan does so in a MiB of its own (BlockTable), and small ones have theirs.
bool Books::is_for_loans(Bytes bytes) const {
  return bytes > std::max(config_.pool_small_limit, MiB);
}

void Books::meet(Front& front, bool others, Bytes bytes) {
  const auto met = front.met.get();
  if (!others && met == 0 && config_.streams_lend_after != 0) [[likely]]
    return;
  if (config_.streams_lend_after == kNever || front.host) return;
  const auto now = std::max<std::int64_t>(0, met + (others ? kOneOf - 1 : -1));
  front.met.add(now - met);
  const auto enough = (config_.streams_lend_after * (kOneOf - 1)) << front.lent_in_vain.get();
  if (static_cast<std::uint64_t>(now) < enough) return;
  front.met.reset();
  lend(front, bytes);
}

std::pair<Bytes, Bytes> Books::sizes_to_lend(const Front& front, Bytes bytes) const {
  const auto granule = placement_.granule();
  const Bytes least = round_up(bytes, granule);
  const Bytes ample = std::max(kFirstLoan << front.loans.size(), kBlocks * least);
  const Bytes share = round_down(placement_.free_bytes() / kShare, granule);
  return {least, std::min(ample, std::max(share, kLeast * least))};
}

// What could be lent lies in handles that are cut before a part of one is used: by the front's next
// request that is served by the books, as it would be for itself (Supply::cut).
std::optional<memory::Cut> Books::begin_cut_to_lend(Front& front, bool first) {
  const Bytes bytes = front.wished_loan.load(std::memory_order_relaxed);
  if (bytes == 0) return {};
  const Lock own(front.lock);
  const Opened books(mutex_);
  const auto [least, most] = sizes_to_lend(front, bytes);
  auto cut = placement_.begin_cut_to_lend(least, most, order_of(front));
  if (cut) return cut;
  front.wished_loan.store(0, std::memory_order_relaxed);
  if (first) less_soon(front);
  return {};
}

void Books::lend(Front& front, Bytes bytes) {
  if (front.loans.size() == kMostLoans || !is_for_loans(bytes)) return;
  // Without stitching what lies scattered about is of no use to larger requests.
  if (no_loans_.load() != 0 || !config_.stitch_enabled) return;
  const auto [least, most] = sizes_to_lend(front, bytes);
  std::optional<memory::Loan> loan;
  try {  // nothing has changed yet
    front.loans.reserve(kMostLoans);
    borrowers_.reserve(fronts_.all().size());
    loan.emplace();
  } catch (const std::bad_alloc&) {
    return;
  }
  if (!placement_.lend(*loan, least, most, order_of(front)))
    return front.wished_loan.store(bytes, std::memory_order_relaxed);
  front.free_in_loans.add(signed_of(loan->free_bytes()));
  front.loans.push_back(std::move(*loan));
  if (front.loans.size() == 1) {
    front.borrower = borrowers_.size();
    borrowers_.push_back(&front);
  }
  ++standings_[front.timeline].blocks;
  ++counters_.loans;
  if (loans_out_.fetch_add(1, std::memory_order_relaxed) == 0) leave_room_for_loans();
}

driver::Address Books::take_in_loan(Front& front, Bytes bytes) {
  if (!is_for_loans(bytes)) return 0;
  const Bytes size = taken_by(front, bytes);
  for (auto& loan : front.loans) {
    const auto start = loan.take(size, bytes);
    if (!start) continue;
    const auto at = home_.load(std::memory_order_relaxed) + *start;
    blocks().insert_in_loan(at, loan.region());
    front.has_taken_back = true;
    front.free_in_loans.add(-signed_of(size));
    front.counted.allocations.add(1);
    front.counted.lent_allocations.add(1);
    front.counted.allocated_bytes.add(signed_of(bytes));
    front.counted.lent_bytes.add(signed_of(bytes));
    front.counted.lent_blocks.add(1);
    if (lent_live_.fetch_add(signed_of(bytes)) + signed_of(bytes) > lent_room_.load()) {
      const Opened books(mutex_);
      if (note_levels()) count_on_parked();
    }
    return at;
  }
  return 0;
}

// False: no block of its own begins there.
bool Books::free_in_loan(Front& front, driver::Address at) {
  const Bytes start = at - home_.load(std::memory_order_relaxed);
  for (auto& loan : front.loans) {
    if (!loan.contains(start)) continue;
    const auto block = loan.free(start);
    if (!block) return false;
    blocks().erase_in_loan(at);
    front.free_in_loans.add(signed_of(block->size));
    front.unfollowed.add(signed_of(block->size));
    front.worked_since.store(false, std::memory_order_relaxed);
    front.counted.frees.add(1);
    front.counted.lent_bytes.add(-signed_of(block->asked));
    front.counted.lent_blocks.add(-1);
    lent_live_.fetch_sub(signed_of(block->asked));
    if (!front.listed) {  // so that it is found by who looks for frees
      const Opened books(mutex_);
      fronts_.list(front);
    }
    return true;
  }
  return false;
}

// What was freed in loans since has its place in the order with what was parked.
void Books::stamp_loans(Front& front) {
  for (auto& loan : front.loans)
    if (loan.has_fresh()) loan.stamp(timelines_.free_on(front.timeline));
}

// What is live there becomes blocks like any others, and what is free is free like any other.
void Books::take_loans_back(Front& front) {
  if (front.loans.empty()) [[likely]]
    return;
  stamp_loans(front);
  auto& standing = standings_[front.timeline];
  for (const auto& loan : front.loans) {
    placement_.take_back(loan, front.timeline);
    for (const auto& part : loan.parts()) {
      if (part.asked == 0) continue;
      memory::Region* block = placement_.home().locate(part.start);
      const auto at = home_.load(std::memory_order_relaxed) + part.start;
      block->live.address = at;
      block->live.slack = static_cast<std::uint32_t>(part.size - part.asked);
      block->live.used_on = memory::kNoTimeline;
      block->timeline.store(front.timeline, std::memory_order_relaxed);
      block->of_stream = true;
      block->shared = false;
      block->become(memory::State::live);
      blocks_.erase(at);
      blocks_.insert(at, block);
      ++standing.blocks;
    }
    --standing.blocks;
  }
  // The levels are as they were, and beside the loans now.
  const auto bytes = front.counted.lent_bytes.get();
  counters_.live_bytes += static_cast<std::uint64_t>(bytes);
  counters_.live_blocks += static_cast<std::uint64_t>(front.counted.lent_blocks.get());
  default_used_ += bytes;
  front.counted.lent_bytes.reset();
  front.counted.lent_blocks.reset();
  leave_room_for_loans();
  lent_live_.fetch_sub(bytes);
  loans_out_.fetch_sub(front.loans.size(), std::memory_order_relaxed);
  front.loans.clear();
  borrowers_.back()->borrower = front.borrower;
  borrowers_[front.borrower] = borrowers_.back();
  borrowers_.pop_back();
  front.free_in_loans.reset();
}

bool Books::take_all_loans_back() {
  {
    const Opened books(mutex_);
    if (borrowers_.empty()) return false;
  }
  unpark_all();
  return true;
}

void Books::take_loans_back_of(Front& front) {
  const Lock own(front.lock);
  const Opened books(mutex_);
  take_loans_back(front);
}

void Books::less_soon(Front& front) {
  if (front.lent_in_vain.get() < kMostInVain) front.lent_in_vain.add(1);
}

// For something of the stream's own, which is likely to come again.
void Books::close_loans(Front& front) {
  const Lock own(front.lock);
  const Opened books(mutex_);
  if (front.loans.empty()) return;
  std::size_t served = 0;
  for (const auto& loan : front.loans) served += loan.served();
  if (served < kHardly)
    less_soon(front);
  else
    front.lent_in_vain.reset();
  take_loans_back(front);
}

Front* Books::borrower_at(driver::Address at) const {
  if (loans_out_.load(std::memory_order_relaxed) == 0) return nullptr;
  const Opened books(mutex_);
  const Bytes offset = at - home_.load(std::memory_order_relaxed);
  if (offset >= placement_.home().size()) return nullptr;
  const auto* region = placement_.home().locate(offset);
  if (!region->is(memory::State::lent)) return nullptr;
  return &fronts_.of(region->timeline.load(std::memory_order_relaxed));
}

std::optional<Books::Lent> Books::lent_at(driver::Address at) const {
  Front* const front = borrower_at(at);
  if (!front) return {};
  const Bytes offset = at - home_.load(std::memory_order_relaxed);
  const Lock own(front->lock);
  const Opened books(mutex_);
  for (const auto& loan : front->loans) {
    if (!loan.contains(offset)) continue;
    const auto& part = loan.part_at(offset);
    const auto& home = placement_.home();
    const Bytes first = home.handle_start(part.start);
    const Bytes end = home.handle_end(part.start + part.size - 1);
    return Lent{part, loan.fence_of(part, front->timeline), {first, end - first}};
  }
  return {};  // taken back meanwhile
}

void Books::close_loans_at(driver::Address at) {
  if (Front* const front = borrower_at(at)) close_loans(*front);
}

}  // namespace gmlake::pool
