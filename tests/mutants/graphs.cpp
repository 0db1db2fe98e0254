// Captured work: order within a graph and between its launches, and what breaks a capture.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

// What `give` gives to a capturing stream.
class Executable : public Owned<CUgraphExec, cuGraphExecDestroy> {
 public:
  template <typename Give>
  Executable(CUstream stream, Give give) {
    CUgraph graph = nullptr;
    check(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
    give();
    check(cuStreamEndCapture(stream, &graph));
    check(cuGraphInstantiate(&handle_, graph, 0));
    check(cuGraphDestroy(graph));
  }
};

void order(CUstream earlier, CUstream later) {
  Event edge;
  check(cuEventRecord(edge, earlier));
  check(cuStreamWaitEvent(later, edge, 0));
}

void two_launches(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  const auto write = [&] { device.write(buffer, a); };
  Executable one(a, write), other(a, write);
  check(cuGraphLaunch(one, a));
  if (twin == Twin::correct) order(a, b);
  check(cuGraphLaunch(other, b));
  check(cuCtxSynchronize());
}

// The second stream joins the capture before the first one writes, and reads after it.
void missing_edge(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer, other;
  Executable graph(a, [&] {
    device.write(other, a);
    order(a, b);
    device.write(buffer, a);
    if (twin == Twin::correct) order(a, b);
    device.read(buffer, b);
    order(b, a);
  });
  check(cuGraphLaunch(graph, a));
  check(cuStreamSynchronize(a));
}

void result_read_early(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  Pinned pinned;
  Executable graph(a, [&] { check(cuMemcpyDtoHAsync(pinned, buffer, kSize, a)); });
  check(cuGraphLaunch(graph, a));
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  host_reads(pinned, kSize);
}

// The graph keeps the address; nobody keeps the memory.
void memory_freed_before_launch(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  Executable graph(a, [&] { device.write(buffer, a); });
  if (twin == Twin::wrong) buffer.destroy();
  check(cuGraphLaunch(graph, a));
  check(cuStreamSynchronize(a));
}

// A capture in which something happens, by a program that does not look at what comes of it.
template <typename Happens>
void capture(const Device& device, CUdeviceptr buffer, CUstream stream, Happens happens) {
  CUgraph graph = nullptr;
  check(cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_GLOBAL));
  device.write(buffer, stream);
  happens();
  (void)cuStreamEndCapture(stream, &graph);
  if (graph != nullptr) check(cuGraphDestroy(graph));
}

void broken_by_a_query(Twin twin) {
  Device device;
  Stream a;
  Event earlier;
  Buffer buffer;
  check(cuEventRecord(earlier, a));
  capture(device, buffer, a, [&] {
    if (twin == Twin::wrong) (void)cuEventQuery(earlier);
  });
}

void broken_by_an_allocation(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  CUdeviceptr at = 0;
  capture(device, buffer, a, [&] {
    if (twin == Twin::wrong) (void)cuMemAlloc(&at, kSize);
  });
}

void broken_by_a_wait(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  capture(device, buffer, a, [&] {
    if (twin == Twin::wrong) (void)cuStreamSynchronize(b);
  });
}

void graph_left(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  Executable graph(a, [&] { device.write(buffer, a); });
  if (twin == Twin::wrong) (void)graph.release();
}

}  // namespace

Pairs graph_pairs() {
  return {
      {"graphs.two_launches", "two graphs write the same bytes, in two streams",
       "[order] no order between cuGraphLaunch", two_launches},
      {"graphs.missing_edge", "a capture over two streams lacks an edge",
       "[order] no order between cuGraphLaunch", missing_edge},
      {"graphs.result_read_early", "a pinned buffer is read before the launch is complete",
       "cuGraphLaunch", result_read_early},
      {"graphs.memory_freed_before_launch", "what a graph writes is freed before it is launched",
       "[memory] cuGraphLaunch", memory_freed_before_launch},
      {"graphs.broken_by_a_query", "an event is queried during a capture", "[handles] cuEventQuery",
       broken_by_a_query},
      {"graphs.broken_by_an_allocation", "cuMemAlloc during a capture", "[handles] cuMemAlloc_v2",
       broken_by_an_allocation},
      {"graphs.broken_by_a_wait", "another stream is waited for during a capture",
       "[handles] cuStreamSynchronize", broken_by_a_wait},
      {"leaks.graph", "an executable graph is left", "[leaks] at exit: 1 executable graphs",
       graph_left},
  };
}

}  // namespace gmlake::mutants
