// Reads an allocation trace (`Thread,Time,Action,Pointer,Size,Stream`, plain text) into events a
// replay loop can run without looking anything up: every allocation has a slot, CUDA events and
// streams are numbered, the latter from 1, 0 is the default one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <string>
#include <unordered_map>
#include <vector>

enum class Action { allocate, release, record, wait };

struct Event {
  Action action = Action::release;
  std::uint32_t slot = 0;    // which block, as its allocation numbers it; or which CUDA event
  std::uint32_t stream = 0;  // 0: the default stream
  std::size_t bytes = 0;     // of the block, at its free too
};

struct Trace {
  std::vector<Event> events;
  std::uint32_t slots = 0;
  std::uint32_t cuda_events = 0;  // none: the trace says nothing of order
  std::uint32_t streams = 1;
  std::string error;  // not empty: "line 12: ..."
};

inline std::vector<std::string> split_columns(const std::string& line) {
  std::vector<std::string> columns(1);
  for (char c : line) {
    if (c == ',') {
      columns.emplace_back();
    } else if (c != '\r' && c != ' ') {
      columns.back() += c;
    }
  }
  return columns;
}

inline Trace read_trace(const std::string& path) {
  Trace trace;
  std::ifstream file(path);
  if (!file) {
    trace.error = "can not be opened";
    return trace;
  }
  std::unordered_map<std::string, Event> live;  // by the recorded pointer
  std::unordered_map<std::string, std::uint32_t> cuda_events;
  std::unordered_map<std::string, std::uint32_t> streams{{"0x0", 0}, {"0", 0}};
  std::string line;
  for (int number = 1; std::getline(file, line); ++number) {
    if (line.empty() || line.rfind("Thread,", 0) == 0) continue;
    auto wrong = [&](const char* why) {
      trace.error = "line " + std::to_string(number) + ": " + why;
      return trace;
    };
    std::vector<std::string> columns = split_columns(line);
    if (columns.size() < 6) return wrong("fewer than six columns");
    const std::string& action = columns[2];
    const std::string& pointer = columns[3];
    auto [at, fresh] = streams.try_emplace(columns[5], trace.streams);
    if (fresh) ++trace.streams;
    Event event;
    event.stream = at->second;
    if (action == "allocate") {
      event.action = Action::allocate;
      event.bytes = std::strtoull(columns[4].c_str(), nullptr, 10);
      if (event.bytes == 0) return wrong("an allocation of no bytes");
      event.slot = trace.slots++;
      if (!live.emplace(pointer, event).second) return wrong("this pointer is live already");
    } else if (action == "free") {
      auto block = live.find(pointer);
      if (block == live.end()) return wrong("this pointer is not live");
      event.slot = block->second.slot;
      event.bytes = block->second.bytes;
      live.erase(block);
    } else if (action == "record" || action == "wait") {
      event.action = action == "record" ? Action::record : Action::wait;
      event.slot = cuda_events.try_emplace(pointer, trace.cuda_events).first->second;
      trace.cuda_events = static_cast<std::uint32_t>(cuda_events.size());
    } else {
      return wrong("the action is none of allocate, free, record and wait");
    }
    trace.events.push_back(event);
  }
  return trace;
}
