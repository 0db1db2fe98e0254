// How much driver time stitching may take: a share of the time that goes by. Without a bound,
// stitching can cost a program more than the memory is worth (GMLake falls to 44 % of its
// throughput when it stitches everything); beyond it the pool grows instead, as long as it can.
//
// A bucket that fills with time, up to what a second allows, and is emptied by stitches. Guarded by
// the growth lock.
#pragma once

#include <algorithm>
#include <chrono>

namespace gmlake::pool {

class StitchBudget {
 public:
  using Clock = std::chrono::steady_clock;

  // `share`: of each second; 1 is no bound.
  explicit StitchBudget(double share) : share_(share), left_(share) {}

  bool left(Clock::time_point now) const { return share_ >= 1 || seconds_left(now) > 0; }
  void spend(Clock::time_point from, Clock::time_point to) {
    left_ = seconds_left(from) - std::chrono::duration<double>(to - from).count();
    since_ = to;
  }

 private:
  double seconds_left(Clock::time_point now) const {
    const double passed = std::chrono::duration<double>(now - since_).count();
    return std::min(share_, left_ + share_ * passed);
  }

  const double share_;
  double left_;  // seconds, when last looked at
  Clock::time_point since_ = Clock::now();
};

}  // namespace gmlake::pool
