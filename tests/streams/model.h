// Whether a program is correct on native CUDA: a model of what CUDA's documentation orders, and
// nothing of gmlake's or of simcuda's.
//
// Work is a growing graph: each piece knows all that comes before it. What orders work (CUDA
// programming guide, "Asynchronous Concurrent Execution"): the order of a stream; an event from its
// recording to a wait; the legacy stream's rule; the host, from what it has waited for to what it
// gives afterwards; the edges of a captured graph, and its launches one after the other. Where CUDA
// leaves open which of two calls under way at the same time comes first, only what is ordered both
// ways counts.
//
// A program is correct if each use of a block comes after its allocation and after every other use
// that conflicts with it, and its free after all of them; if no call names what is not there; if no
// capture is broken; and if nothing waits for a host function that the program lets go on only
// later. Memory is not freed behind such a one either: whoever is short of memory may wait for
// that.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "streams/program.h"

namespace gmlake::streams {

constexpr std::size_t kMostWork = 1024;
constexpr std::size_t kMostCaptured = 32;

inline bool names_stream(Kind kind) {
  switch (kind) {
    case Kind::create_stream:
    case Kind::create_event:
    case Kind::destroy_event:
    case Kind::allocate:
    case Kind::free:
    case Kind::sync_event:
    case Kind::sync_context:
    case Kind::query_event:
    case Kind::poll_event:
    case Kind::destroy_graph:
    case Kind::renew_context:
    case Kind::trim:
    case Kind::let_go:
      return false;
    default:
      return true;
  }
}
inline bool names_live_block(Kind kind) {
  return kind == Kind::free_async || kind == Kind::free || kind == Kind::write ||
         kind == Kind::read || kind == Kind::record_use;
}

class Model {
 public:
  using Works = std::bitset<kMostWork>;
  using Captured = std::bitset<kMostCaptured>;

  struct Problem {
    std::string what;
    std::vector<unsigned> before;  // work that has to come before this, and does not
  };
  // Nothing: the operation is correct behind those before it, and has happened now. Otherwise it
  // has not.
  std::optional<Problem> apply(const Operation& operation);

  struct Stream {
    bool alive = false;
    bool blocking = false;
    unsigned life = 0;  // no two streams have the same
    bool capturing = false;
    Captured captured;  // what its next captured work comes after
    Works done;         // what its next work comes after
  };
  struct Use {
    unsigned work = 0;
    bool write = false;
    unsigned life = 0;  // of the stream
  };
  struct Block {
    bool live = false;
    bool stream_ordered = false;
    bool written = false;
    unsigned serial = 0;
    std::optional<unsigned> begin;  // the work that allocates it
    std::vector<Use> uses;
    std::vector<unsigned> recorded;    // lives of streams, by record_use
    std::optional<unsigned> captured;  // memory of the graph under capture: its stream
  };
  enum class Recorded { never, by_stream, in_capture };
  struct Event {
    bool alive = false;
    Recorded recorded = Recorded::never;
    unsigned version = 0;  // of the recording
    Works done;
    unsigned capture = 0;
    Captured captured;
  };
  struct Node {
    Kind kind = Kind::write;
    unsigned a = 0;       // block or event
    unsigned serial = 0;  // of the block; 0: memory of the graph
    Captured before;
  };
  struct Graph {
    bool made = false;
    bool capturing = false;
    std::vector<Node> nodes;
    Works launched;
  };
  struct Work {
    Works before;  // itself too
    unsigned stream = 0;
    unsigned life = 0;
  };
  struct Capture {
    bool on = false;
    unsigned number = 0;
    unsigned graph = 0;
    unsigned stream = 0;
    unsigned thread = 0;
    unsigned mode = 0;
  };

  // A host function that waits for the program; nothing: there is none.
  using Hold = std::optional<unsigned>;  // its work

  const Stream& stream(unsigned slot) const { return streams_[slot]; }
  const Block& block(unsigned slot) const { return blocks_[slot]; }
  const Event& event(unsigned slot) const { return events_[slot]; }
  const Graph& graph(unsigned slot) const { return graphs_[slot]; }
  const Work& work(unsigned number) const { return work_[number]; }
  std::size_t work_count() const { return work_.size(); }
  const Capture& capture() const { return capture_; }
  const Hold& hold(unsigned slot) const { return holds_[slot]; }
  bool holding() const;
  unsigned inner_left() const { return inner_left_; }
  unsigned outer_thread() const { return outer_.operation.thread; }

  Model();

 private:
  using Verdict = std::optional<Problem>;
  struct Outer {  // a call under way
    Operation operation;
    Works done;
    unsigned version = 0;
  };

  static Problem problem(const char* what) { return {what, {}}; }
  Verdict check_names(const Operation& o) const;
  Verdict check_capture(const Operation& o) const;
  Verdict check_holds(const Operation& o) const;
  Verdict happens(const Operation& o);
  Verdict use(const Operation& o);
  Verdict use_captured(const Operation& o);
  Verdict release(const Operation& o);
  Verdict wait(const Operation& o);
  Verdict end_capture(const Operation& o);
  Verdict launch(const Operation& o);
  Verdict renew_context();
  void allocate(const Operation& o);
  void record(const Operation& o);
  void join(const Operation& o);
  Works told(const Operation& o) const;  // what a host wait is for
  Works everything() const;
  bool is_in_graph(unsigned event) const;
  bool is_held(const Works& works) const;
  void begin_outer(const Operation& o);
  void end_outer();

  Works before(unsigned stream) const;
  unsigned add(unsigned stream, const Works& more);
  unsigned add_allocation(unsigned stream);
  bool captured_enough() const;
  unsigned add_captured(unsigned stream, Node node);
  std::vector<unsigned> missing(const Block& block, bool write, const Works& done) const;

  std::array<Stream, kStreams> streams_;
  std::array<Block, kBlocks> blocks_;
  std::array<Event, kEvents> events_;
  std::array<Graph, kGraphs> graphs_;
  std::array<Hold, kHolds> holds_;
  std::vector<Work> work_;
  Works host_;
  Works memory_in_legacy_;  // allocations and frees
  Capture capture_;
  Outer outer_;
  unsigned inner_left_ = 0;
  unsigned lives_ = 0;
  unsigned serials_ = 0;
};

// In what is wrong with a program that lacks an order.
inline constexpr const char* kNoOrder = "without order";
// What is wrong with the program, by the number of its operation; nothing if it is correct.
std::optional<std::string> what_is_wrong(const Program& program);

}  // namespace gmlake::streams
