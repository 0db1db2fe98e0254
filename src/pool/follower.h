// Follows freed memory's work by events, and waits for it: what the pool asks of the device about
// order. Nothing here is about where memory lies.
//
// Events are recorded in time (stream/fences.h) as far as that can be: in the cudaFree itself; for
// a stream's frees before it is given its next work, of which its owner tells by before_work(), or
// in the free itself where that is not seen. A few frees may go without (Books::unfollowed_limit),
// so that small ones do not cost an event each. What a miss then records is late: it may be asked,
// and is never waited for.
//
// Thread-safe, no lock of its own. Whoever calls holds no lock but the growth lock, and not that
// one either where a function waits for the GPU.
#pragma once

#include <optional>
#include <vector>

#include "config/config.h"
#include "driver/device.h"
#include "pool/books.h"
#include "stream/fences.h"
#include "support/grace_period.h"

namespace gmlake::pool {

class Follower {
 public:
  using Stake = stream::Fences::Stake;
  using Time = stream::Fences::Time;
  using Moment = stream::Endings::Moment;

  Follower(driver::Device& device, const config::Config& config, Books& books)
      : device_(device), books_(books), fences_(device, config.streams_ask_again) {}

  // A free without a stream, from before the block is anybody's until freed() is done: nobody else
  // follows it meanwhile, and wait_for_others() waits for it.
  class Freeing {
   public:
    Freeing(Follower& follower, bool host) {
      if (host) section_.emplace(follower.in_hand_);
    }

   private:
    std::optional<GracePeriod::Section> section_;
  };
  // The front has just got a freed block, by a call of that origin's.
  void freed(Front& front, const Origin& by);
  // The stream is about to be given work, or to wait for another's. Whether that is news since
  // memory was freed there, or beside it.
  bool before_work(const Origin& origin);
  // All streams are about to wait.
  void before_all_wait();
  // A capture is about to begin in the context: what has been freed there is followed while that
  // can be done.
  void before_capture(driver::Context context);
  // The stream is about to end: see DevicePool::stream_ends.
  void ends(const Origin& origin, bool by_handle);

  // Records an event for the open batches of frees, and asks the pending events: of the timelines
  // that `awaited` names (and of streams that have ended, so that others can go on in their place),
  // without it of all; and as far as it is time for that. Says whether any work was found to be
  // over. Where only a better place is at stake, events are not recorded any more often than they
  // are asked.
  bool harvest(Stake stake, Time now, const Books::Awaited* awaited = nullptr);
  void harvest_all() { (void)harvest(Stake::all, stream::Fences::Clock::now()); }

  // The same for the front's own frees alone, each event asked once: what has been freed last is
  // what the next request, of `bytes`, is likely to want, and knowing it to be over saves the walk.
  bool harvest_own(Front& front, Bytes bytes);

  // Makes the stream's later work wait for the oldest pending work elsewhere behind which there is
  // free memory that helps. The event was recorded before, so that streams can not come to wait for
  // each other. False when there is none.
  bool insert_wait(Bytes bytes, const Origin& origin);
  // Waits on the host until some freed memory is known to be reusable: the oldest. False when there
  // is nothing left to wait for.
  bool wait_for_frees() { return wait_oldest(false) || wait_unfollowed(); }
  bool wait_for_host_frees() { return wait_oldest(true); }
  // Until other threads have said what they had found out: frees that they had taken in hand are
  // followed, and what they knew to be over is reusable. Not for the GPU.
  void wait_for_others() { in_hand_.wait(); }
  // Waits on the host for all that the context has been given so far, as a call that natively does.
  // `looked_up`: when it was found to be the one. False: that can not be waited for, or it has
  // ended.
  bool wait_for_context(driver::Context context, Moment looked_up);
  Moment moment() const { return fences_.moment(); }

  // The stream that was about to end has, or has not (Books::ended comes first).
  void ended(const Origin& origin, bool gone);
  void leave_context(driver::Context context) { fences_.leave(context); }
  void stay_in_context(driver::Context context) { fences_.stay(context); }
  void forget_context(driver::Context context) { fences_.forget_context(context); }

 private:
  // `on`: the stream as it is known to this call; null: as its timeline knows it.
  void follow(Front& front, bool in_time, const Origin* on = nullptr);
  void follow(Closed closed, Time now, bool in_time, Moment closed_at);
  // Whether the frees of a front without a stream are followed by who made them, and now.
  bool follows_itself(const Front& front) const;
  // Those whose frees no event follows yet.
  void follow_open(const std::vector<stream::Timeline>& open, Time now);
  bool ask(const stream::Snapshot& known, Time now, Stake stake);
  bool follow_if_due(Front& front, const Origin* on = nullptr);
  bool wait_oldest(bool of_contexts);
  bool wait_unfollowed();

  driver::Device& device_;
  Books& books_;
  stream::Fences fences_;
  // Frees that no event follows yet and that are open no more; work that is over, and its frees not
  // reusable yet.
  GracePeriod in_hand_;
  // No event follows a context here (before driver 12.5, and the program's streams are not seen):
  // all that can be done is to wait for it as a whole, later work too.
  std::atomic<bool> contexts_unsupported_{false};
};

}  // namespace gmlake::pool
