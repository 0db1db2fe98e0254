// Keeps this thread from being cancelled (pthread_cancel) for a scope: around whatever may be a
// cancellation point, where a call of ours is half done or holds a lock. What is asked for
// meanwhile is acted on later, where the thread would be cancelled without us.
#pragma once

#include <pthread.h>

namespace gmlake {

class NoCancel {
 public:
  NoCancel() { (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before_); }
  // May not come back: a thread that can be cancelled at any time is, here.
  ~NoCancel() noexcept(false) {
    if (before_ != PTHREAD_CANCEL_DISABLE) (void)pthread_setcancelstate(before_, nullptr);
  }
  NoCancel(const NoCancel&) = delete;
  NoCancel& operator=(const NoCancel&) = delete;

 private:
  int before_ = PTHREAD_CANCEL_DISABLE;
};

}  // namespace gmlake
