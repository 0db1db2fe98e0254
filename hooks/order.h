// What the program's events prove (order_door.cpp).
#pragma once

#include <cuda.h>

namespace gmlake::hooks {

// A kernel is given the attribute: it may record an event, as may the graph that is made of it.
void records_event(CUlaunchAttributeID attribute, const CUlaunchAttributeValue* value);
// Any event may be recorded where it is not seen: none proves anything any more.
void events_unseen();

}  // namespace gmlake::hooks
