// What the doors note of the program's calls where it is recorded (trace.file, record/recorder.h),
// or where it is noted who holds memory (hooks/holders.h): off, a look at two words.
//
// What may let others do something is noted before it is done (a free, an event's recording), what
// others' doing led to is noted after (an allocation, a wait that has been made): so no note stands
// before what it follows.
#pragma once

#include "pool/origin.h"
#include "record/recorder.h"

namespace gmlake::config {
struct Config;
}
namespace gmlake::who {
class Ledger;
}

namespace gmlake::hooks {

class Live;
using record::Action;

// The process's recording begins, if it is to have one; before it has a pool.
void begin_recording(const config::Config& config, const Live& live);
// Another one begins now, to this file: 0 or errno.
int begin_recording_to(const std::string& path, Bytes most);

// Whose memory it is is noted as well (hooks/holders.h); null: it is not.
extern constinit std::atomic<who::Ledger*> ledger_in_use;

void note_it(Action action, const pool::Origin& origin, int device, std::uint64_t pointer,
             std::uint64_t amount);
[[gnu::always_inline]] inline void note(Action action, const pool::Origin& origin, int device,
                                        std::uint64_t pointer, std::uint64_t amount = 0) {
  if (record::is_on() || ledger_in_use.load(std::memory_order_acquire)) [[unlikely]]
    note_it(action, origin, device, pointer, amount);
}
inline std::uint64_t handle_number(const void* handle) {
  return reinterpret_cast<std::uintptr_t>(handle);
}

// Where the program's call came from, for what is noted in a scope: the outermost one counts, as
// cudart calls the driver in its turn.
class CallSite {
 public:
  [[gnu::always_inline]] explicit CallSite(const void* from) {
    if (record::is_on() && !site) [[unlikely]] {
      site = from;
      is_outermost_ = true;
    }
  }
  [[gnu::always_inline]] ~CallSite() {
    if (is_outermost_) [[unlikely]]
      site = nullptr;
  }
  CallSite(const CallSite&) = delete;
  CallSite& operator=(const CallSite&) = delete;
  static const void* current() { return site; }

 private:
  static constinit inline thread_local const void* site __attribute__((tls_model("initial-exec"))) =
      nullptr;
  bool is_outermost_ = false;
};

// In a function that the program calls.
#define GMLAKE_CALL_SITE() const CallSite call_site(__builtin_return_address(0))

}  // namespace gmlake::hooks
