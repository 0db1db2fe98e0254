// How streams and contexts end: every call that can end one comes through end(), whichever door it
// came in by and whether or not a pool has ever seen the stream or the context.
//
// A handle may come back as another stream, event or context as soon as the driver's call has ended
// it, also on another device. So what is known by the handle is forgotten before, except for what
// can not be had again if the call fails and ends nothing: that is undone. What is known of a
// context is forgotten after the call that ended it, and no context begins in between: its address
// could be the same.
#pragma once

#include <array>
#include <optional>
#include <shared_mutex>
#include <vector>

#include "hooks/caller.h"

namespace gmlake::hooks {

// What a call is to end.
struct Ending {
  // A device's primary context: by its last release, or by a reset. Which of the devices is not
  // known: `kAnyDevice`.
  static constexpr int kAnyDevice = -1, kNoDevice = -2;

  CUstream stream = nullptr;
  CUcontext context = nullptr;
  CUcontext reference = nullptr;  // to a context: gone with the last one (cuCtxDetach)
  CUgreenCtx green = nullptr;
  int primary_of = kNoDevice;
  bool reset = false;  // it ends whoever has it
};

class Ends {
 public:
  Ends(const RealDriver& real, const Ending& what);
  ~Ends();
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  // The call has been made.
  void settle(bool succeeded);

 private:
  void stream_ends();
  void stream_ended(bool gone);
  void follow_end();
  void contexts_end();
  void contexts_ended(bool succeeded);
  void primary_is_detached();
  bool detached() const;
  void leave(CUcontext context);
  void gone(CUcontext context, bool takes_memory);
  void green_ends();

  const RealDriver& real_;
  Ending what_;
  bool settled_ = false;
  bool watched_ = false;          // whether anything is known that could be forgotten
  std::optional<Caller> caller_;  // the stream
  std::optional<KnownStreams::Known> known_;
  std::unique_lock<std::shared_mutex> gate_;
  std::vector<CUstream> green_streams_;
  std::vector<CUcontext>
      left_;  // nothing is looked at there until it is known whether it has ended
  std::array<CUcontext, Process::kMostDevices> primaries_{};  // those that were alive
};

template <typename Native>
auto end(const RealDriver& real, const Ending& what, Native native) {
  Ends ends(real, what);
  const auto result = native();
  ends.settle(static_cast<int>(result) == 0);
  return result;
}

// There is one more reference to the context than its creation (cuCtxAttach).
void context_attached(CUcontext context);

// For the time of a scope no context ends: one is about to begin.
class ContextBegins {
 public:
  ContextBegins();

 private:
  std::shared_lock<std::shared_mutex> gate_;
};

}  // namespace gmlake::hooks
