// Functions that are handed out in place of functions of which nothing is known, not even the
// parameters: the first call comes to us before it goes on, the later ones go straight on. Nothing
// of a call is touched: registers and stack are as the caller left them.
#pragma once

#include "hooks/effects.h"

namespace gmlake::hooks {

// For `real`, which does what `effects` say; the same one if it has been asked for before. Null
// when there is none left. Thread-safe; `name` is copied.
void* stand_in_for(void* real, const char* name, Effect::Set effects);

// A stand-in is called for the first time, by one thread or by several at once (unknown_calls.cpp).
// Nothing may go unnoticed from when it returns.
void unknown_call_comes(Effect::Set effects);
// And that has been acted on: said once of each.
void say_unknown_call(const char* name, Effect::Set effects);

// In a forked child: another thread may have been about to be given one.
void stand_ins_after_fork();

}  // namespace gmlake::hooks
