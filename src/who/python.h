// The Python frames of the calling thread, where an interpreter (CPython 3.9 to 3.13) is in the
// process.
//
// A thread that asks for memory need not have the GIL (PyTorch lets it go first), and no one may
// wait here for it: nothing of Python's is called but what needs none, and its frames are read
// where they lie (who/python_layout.h). That is safe as long as the thread is inside of a call that
// Python made: its frames and their code are there until it comes back, and nobody else changes
// them. Whether they lie where they are expected is tried once, by looks that may fail, before they
// are read for good; an interpreter that is of another version, without a GIL, built for debugging
// or not as expected has no frames here.
//
// Thread-safe; no lock is held while anything of Python's is read. What it does not guard against:
// a thread state that is run by another thread than made it, and an interpreter that ends within
// the nanoseconds that it takes another thread to read its frames.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "support/ranked_mutex.h"

namespace gmlake::who {

// As they can be compared: what they are called is asked once (Python::lines_of).
struct PythonStack {
  static constexpr std::size_t kMost = 8;  // the innermost ones

  struct Frame {
    std::uintptr_t code;
    std::uintptr_t instruction;  // an address, or in old versions a number
    std::uint64_t fingerprint;   // another code object at the same place has another one
    bool operator==(const Frame&) const = default;
  };
  std::array<Frame, kMost> frames;  // innermost first
  std::size_t depth = 0;

  bool operator==(const PythonStack& other) const {
    if (depth != other.depth) return false;
    for (std::size_t i = 0; i < depth; ++i)
      if (frames[i] != other.frames[i]) return false;
    return true;
  }
  // Cheap: where it was called from tells most of them apart.
  std::size_t hash() const {
    std::size_t sum = 0;
    for (std::size_t i = 0; i < depth; ++i) sum = (sum << 3) + frames[i].instruction;
    return sum * 0x9e3779b97f4a7c15;
  }
};

// A symbol of the whole process, or null: dlsym, the loader's own.
using FindSymbol = void* (*)(const char* name);

class Python {
 public:
  Python() = default;
  ~Python();
  Python(const Python&) = delete;
  Python& operator=(const Python&) = delete;

  // From now on. Once, before the first stack. `find` is called at that, under no lock of ours.
  void begin(FindSymbol find) {
    find_ = find;
    state_.store(State::unseen, std::memory_order_release);
  }

  // Of the calling thread, into an empty one: it stays that where there is none. Takes no host
  // memory but once.
  void here(PythonStack& stack) {
    if (state_.load(std::memory_order_acquire) != State::none) read(stack);
  }

  // Each frame as "function (file:line)", innermost first, of what here() just gave this thread.
  // Throws std::bad_alloc.
  std::vector<std::string> lines_of(const PythonStack& stack);

  // Whether the interpreter's own code is there: false where there is none.
  bool has(std::uintptr_t address) const {
    const auto* const found = interpreter_.load(std::memory_order_acquire);
    return found && is_in(*found, address);
  }

 private:
  struct Interpreter;
  enum class State { none, unseen, unproved, proved };
  static bool is_in(const Interpreter& interpreter, std::uintptr_t address);
  void read(PythonStack& stack);
  const Interpreter* find_interpreter();
  std::optional<std::string> line_of(const Interpreter& interpreter,
                                     const PythonStack::Frame& frame) GMLAKE_EXCLUDES(mutex_);
  void prove(const Interpreter& interpreter, std::uintptr_t thread, PythonStack& stack);

  FindSymbol find_ = nullptr;
  std::atomic<State> state_{State::none};
  std::atomic<const Interpreter*> interpreter_{nullptr};  // once found, for good

  // What frames are called, of those whose name was asked: most of a stack's are of others, too.
  static constexpr std::size_t kMostNamed = 8192;
  struct Hash {
    std::size_t operator()(const PythonStack::Frame& frame) const {
      return (frame.instruction ^ frame.fingerprint) * 0x9e3779b97f4a7c15 ^ frame.code;
    }
  };
  RankedMutex<Rank::last> mutex_;
  std::unordered_map<PythonStack::Frame, std::string, Hash> named_ GMLAKE_GUARDED_BY(mutex_);
};

}  // namespace gmlake::who
