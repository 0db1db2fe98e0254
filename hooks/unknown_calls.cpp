#include "hooks/unknown_calls.h"

#include <string>

#include "hooks/captures.h"
#include "hooks/legacy_stream.h"
#include "hooks/order.h"
#include "hooks/serve.h"
#include "hooks/single_stream.h"
#include "hooks/stand_ins.h"
#include "support/log.h"

namespace gmlake::hooks {
namespace {

// A stream that was made so is none of those that are known: not all can be followed one by one.
void work_unseen() {
  note_blocking_stream();
  (void)guarded([] { Process::get().streams().add_end(nullptr, nullptr); });
  second_stream(nullptr, "a function that is not known was called");
}

// What ends is not known, and so nothing of what is known by its handle. Memory that may still be
// in use stays so; nothing is waited for.
void anything_ends() {
  (void)each_pool([](pool::DevicePool& pool) { (void)pool.trim(0); });
  Process::get().stand_back();
}

// Of what nobody knows the driver is asked, or nothing is concluded.
std::string consequences(Effect::Set effects) {
  std::string all;
  const auto add = [&](Effect::Set kind, const char* what) {
    if ((effects & kind) == 0) return;
    if (!all.empty()) all += "; ";
    all += what;
  };
  add(Effect::capture, "the driver is asked at each call whether a stream is being captured");
  add(Effect::event, "the program's events prove nothing from here on");
  add(Effect::work, "streams are taken to have work that is not seen");
  add(Effect::context, "the driver is asked at each call which context is current");
  add(Effect::end, "the program goes on on native memory");
  return all;
}

}  // namespace

std::atomic<Effect::Set> unseen_effects{Effect::none};

void unknown_call_comes(Effect::Set effects) {
  auto& process = Process::get();
  if (!process.driver_door() || !process.serving()) return;
  unseen_effects.fetch_or(effects);
  if ((effects & Effect::capture) != 0) captures_unseen();
  if ((effects & Effect::event) != 0) events_unseen();
  if ((effects & Effect::work) != 0) work_unseen();
  if ((effects & Effect::context) != 0) context_made();
  if ((effects & Effect::end) != 0) anything_ends();
}

void say_unknown_call(const char* name, Effect::Set effects) {
  if (!Process::get().driver_door()) return;
  try {
    log::warning("{} is called, which this version does not know: {}", name, consequences(effects));
  } catch (const std::exception&) {
  }
}

}  // namespace gmlake::hooks
