#include "who/python.h"

#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "who/own_memory.h"
#include "who/python_layout.h"
#include "who/python_text.h"
#include "who/python_walk.h"
#include "who/stack.h"

namespace gmlake::who {

struct Python::Interpreter {
  int (*is_initialized)();  // false from the moment on that it ends
  void* (*thread_state)();  // of the calling thread, as the thread's own memory has it
  const PythonLayout& layout;
  PythonTypes types;
  Loaded::Range code;
};

namespace {

// Its own word, where it gives it.
bool says_otherwise(const PythonLayout& layout, std::uintptr_t runtime) {
  constexpr int kFirst = 13;
  constexpr char kCookie[] = "xdebugpy";
  if (layout.minor < kFirst) return false;
  std::uint64_t cookie = 0, version = 0, free_threaded = 0, offset = 0;
  if (runtime == 0 || !look_at(runtime + kPythonCookie, cookie) ||
      !look_at(runtime + kPythonVersion, version) ||
      !look_at(runtime + kPythonFreeThreaded, free_threaded))
    return true;
  if (std::memcmp(&cookie, kCookie, sizeof cookie) != 0 || free_threaded != 0 ||
      version >> 16 != 0x300U + static_cast<unsigned>(layout.minor))
    return true;
  for (const auto& one : kPythonOffsets13)
    if (!look_at(runtime + one.at, offset) || offset != layout.*one.is) return true;
  return false;
}

// "3.11.2 (main, ...) [GCC ...]".
const PythonLayout* layout_of(const char* version) {
  if (!version || std::strncmp(version, "3.", 2) != 0) return nullptr;
  if (std::strstr(version, "free-threading")) return nullptr;
  const int minor = std::atoi(version + 2);
  for (const auto& layout : kPythonLayouts)
    if (layout.minor == minor) return &layout;
  return nullptr;
}

}  // namespace

Python::~Python() {
  delete interpreter_.load();
}

bool Python::is_in(const Interpreter& interpreter, std::uintptr_t address) {
  return interpreter.code.has(address);
}

// Two threads may be here at once: the first result is kept.
const Python::Interpreter* Python::find_interpreter() try {
  const auto address = [&](const char* name) {
    return reinterpret_cast<std::uintptr_t>(find_(name));
  };
  const auto version = reinterpret_cast<const char* (*)()>(find_("Py_GetVersion"));
  const auto* const layout = version ? layout_of(version()) : nullptr;
  if (!layout) return nullptr;
  const bool is_debug = find_("_Py_NegativeRefcount") != nullptr;
  const PythonTypes types{address("PyCode_Type"), address("PyUnicode_Type"),
                          address("PyBytes_Type")};
  const auto is_initialized = reinterpret_cast<int (*)()>(find_("Py_IsInitialized"));
  const auto thread_state = reinterpret_cast<void* (*)()>(find_("PyGILState_GetThisThreadState"));
  if (is_debug || !types.code || !types.text || !types.bytes || !is_initialized || !thread_state ||
      says_otherwise(*layout, address("_PyRuntime")))
    return nullptr;
  const Loaded loaded;
  auto made = std::make_unique<const Interpreter>(
      Interpreter{is_initialized, thread_state, *layout, types,
                  loaded.code_around(reinterpret_cast<std::uintptr_t>(thread_state))});
  const Interpreter* known = nullptr;
  return interpreter_.compare_exchange_strong(known, made.get()) ? made.release() : known;
} catch (const std::bad_alloc&) {
  return nullptr;
}

void Python::read(PythonStack& stack) {
  const auto* found = interpreter_.load(std::memory_order_acquire);
  if (!found) {
    found = find_interpreter();
    auto unseen = State::unseen;  // another thread may have proved it meanwhile
    state_.compare_exchange_strong(unseen, found ? State::unproved : State::none);
  }
  if (!found || found->is_initialized() == 0) return;
  const auto thread = reinterpret_cast<std::uintptr_t>(found->thread_state());
  if (thread == 0) return;
  if (state_.load(std::memory_order_acquire) != State::proved)
    prove(*found, thread, stack);
  else if (!walk(found->layout, Plainly(), thread, stack))
    stack.depth = 0;
}

void Python::prove(const Interpreter& interpreter, std::uintptr_t thread, PythonStack& stack) {
  bool is_right = walk(interpreter.layout, Carefully(), thread, stack);
  bool has_name = false;
  for (std::size_t i = 0; i < stack.depth && is_right; ++i) {
    const auto& one = stack.frames[i];
    const auto line =
        who::line_of(interpreter.layout, interpreter.types, one.code, one.instruction);
    is_right = line.has_value();
    has_name = has_name || (line && !line->empty());
  }
  if (is_right && has_name) {
    state_.store(State::proved, std::memory_order_release);
    return;
  }
  if (!is_right || stack.depth != 0) state_.store(State::none, std::memory_order_release);
  stack.depth = 0;
}

std::optional<std::string> Python::line_of(const Interpreter& interpreter,
                                           const PythonStack::Frame& frame) {
  {
    const Lock lock(mutex_);
    if (const auto known = named_.find(frame); known != named_.end()) return known->second;
  }
  auto line = who::line_of(interpreter.layout, interpreter.types, frame.code, frame.instruction);
  const Lock lock(mutex_);
  if (line && named_.size() < kMostNamed) named_.emplace(frame, *line);
  return line;
}

std::vector<std::string> Python::lines_of(const PythonStack& stack) {
  std::vector<std::string> lines;
  const auto* const found = interpreter_.load(std::memory_order_acquire);
  if (!found) return lines;
  for (std::size_t i = 0; i < stack.depth; ++i) {
    auto line = line_of(*found, stack.frames[i]);
    if (!line) {  // not what it seemed to be: no more of it
      state_.store(State::none, std::memory_order_release);
      return {};
    }
    if (!line->empty()) lines.push_back(std::move(*line));
  }
  return lines;
}

}  // namespace gmlake::who
