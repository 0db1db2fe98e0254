// The deterministic mode's choices: how far the device gets while the program goes on, and which of
// the operations that are ready runs next. All of them are drawn from the seed.
//
// A seed has one of four manners, after what hides missing order: a device that is late with
// everything, one that is always done at once, one that does this and that, and streams that keep
// being overtaken by others (random priorities, which change now and then).
#pragma once

#include <cstdint>
#include <random>
#include <unordered_map>
#include <vector>

#include "scheduler.h"

namespace gmlake::simcuda {

class Schedule {
 public:
  explicit Schedule(std::uint64_t seed) : random_(seed), manner_(static_cast<Manner>(seed % 4)) {}

  // How many ready operations may run when the program has given one.
  unsigned steps_when_given();
  // The same when it asks whether work is complete that is not. Now and then at least one, so that
  // who asks in a loop gets on.
  unsigned steps_when_asked();
  // Which of the ready ones is next (`ready` is not empty). With `wanted` someone waits for that
  // operation. Null: none that helps is ready.
  OperationRef choose(const std::vector<OperationRef>& ready, const OperationRef& wanted);

 private:
  enum class Manner { late, prompt, random, overtaking };
  std::uint64_t draw(std::uint64_t below) { return random_() % below; }
  std::uint64_t priority(const Operation& operation);

  std::mt19937_64 random_;
  Manner manner_;
  std::unordered_map<std::uint64_t, std::uint64_t> priorities_;  // by stream id
};

}  // namespace gmlake::simcuda
