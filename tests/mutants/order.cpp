// Work of two streams that uses the same memory.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

// `later` comes behind what `earlier` has been given so far.
void order(CUstream earlier, CUstream later) {
  Event edge;
  check(cuEventRecord(edge, earlier));
  check(cuStreamWaitEvent(later, edge, 0));
}

void write_write(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  device.write(buffer, a);
  if (twin == Twin::correct) order(a, b);
  device.write(buffer, b);
}

void read_after_write(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer, other;
  device.write(buffer, a);
  if (twin == Twin::correct) order(a, b);
  check(cuMemcpyDtoDAsync(other, buffer, kSize, b));
}

void write_after_read(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  check(cuMemsetD8Async(buffer, 1, kSize, a));
  order(a, b);
  device.read(buffer, a);
  if (twin == Twin::correct) order(a, b);
  check(cuMemsetD8Async(buffer, 2, kSize, b));
}

// Only the last 16 bytes are in both halves.
void overlap(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  const std::size_t first = kSize / 2 + (twin == Twin::correct ? 0 : 16);
  device.write(buffer, a, first);
  device.write(buffer + kSize / 2, b, kSize / 2);
}

void recorded_too_early(Twin twin) {
  Device device;
  Stream a, b;
  Event done;
  Buffer buffer;
  if (twin == Twin::wrong) check(cuEventRecord(done, a));
  device.write(buffer, a);
  if (twin == Twin::correct) check(cuEventRecord(done, a));
  check(cuStreamWaitEvent(b, done, 0));
  device.read(buffer, b);
}

void recorded_again(Twin twin) {
  Device device;
  Stream a, b, c;
  Event done, other;
  Buffer buffer;
  device.write(buffer, a);
  check(cuEventRecord(done, a));
  check(cuEventRecord(twin == Twin::wrong ? done : other, c));
  check(cuStreamWaitEvent(b, done, 0));
  device.read(buffer, b);
}

void never_recorded(Twin twin) {
  Device device;
  Stream a, b;
  Event done;
  Buffer buffer;
  device.write(buffer, a);
  if (twin == Twin::correct) check(cuEventRecord(done, a));
  check(cuStreamWaitEvent(b, done, 0));
  device.read(buffer, b);
}

void recorded_elsewhere(Twin twin) {
  Device device;
  Stream a, b;
  Event done;
  Buffer buffer;
  device.write(buffer, a);
  check(cuEventRecord(done, twin == Twin::wrong ? b : a));
  check(cuStreamWaitEvent(b, done, 0));
  device.read(buffer, b);
}

void wrong_stream_waits(Twin twin) {
  Device device;
  Stream a, b, c;
  Event done;
  Buffer buffer;
  device.write(buffer, a);
  check(cuEventRecord(done, a));
  check(cuStreamWaitEvent(twin == Twin::wrong ? c : b, done, 0));
  device.read(buffer, b);
}

void broken_chain(Twin twin) {
  Device device;
  Stream a, b, c;
  Buffer buffer;
  device.write(buffer, a);
  if (twin == Twin::correct) order(a, b);
  order(b, c);
  device.read(buffer, c);
}

// The legacy stream's rule, which is not for this stream.
void legacy_assumed(Twin twin) {
  Device device;
  Stream b(twin == Twin::wrong ? CU_STREAM_NON_BLOCKING : CU_STREAM_DEFAULT);
  Buffer buffer;
  device.write(buffer, CU_STREAM_LEGACY);
  device.read(buffer, b);
}

// A call that waits for its own copy, and for nothing else.
void upload_over_reader(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  const char data[16] = {};
  device.read(buffer, a);
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  check(cuMemcpyHtoD(buffer, data, sizeof data));
}

void query_ignored(Twin twin) {
  Device device;
  Stream a, b;
  Event done;
  Buffer buffer;
  device.write(buffer, a);
  check(cuEventRecord(done, a));
  while (cuEventQuery(done) == CUDA_ERROR_NOT_READY && twin == Twin::correct) {
  }
  device.write(buffer, b);
}

void destroy_taken_for_a_wait(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  device.write(buffer, a);
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  a.destroy();
  device.write(buffer, b);
}

// Streams of one's own thread are blocking streams, and are ordered with the legacy stream only.
void per_thread_stream(Twin twin) {
  Device device;
  Stream b(CU_STREAM_DEFAULT);
  Buffer buffer;
  device.write(buffer, twin == Twin::wrong ? CU_STREAM_PER_THREAD : CU_STREAM_LEGACY);
  device.read(buffer, b);
}

}  // namespace

Pairs order_pairs() {
  constexpr const char* kRace = "[order] no order between ";
  return {
      {"order.write_write", "two streams write the same bytes", kRace, write_write},
      {"order.read_after_write", "a copy reads what another stream writes", kRace,
       read_after_write},
      {"order.write_after_read", "a fill overwrites what another stream still reads", kRace,
       write_after_read},
      {"order.overlap", "two streams' halves have 16 bytes in common", kRace, overlap},
      {"order.recorded_too_early", "the event is recorded before the work", kRace,
       recorded_too_early},
      {"order.recorded_again", "the event is recorded elsewhere before it is waited for", kRace,
       recorded_again},
      {"order.never_recorded", "the event waited for was never recorded", kRace, never_recorded},
      {"order.recorded_elsewhere", "the event is recorded on the stream that waits", kRace,
       recorded_elsewhere},
      {"order.wrong_stream_waits", "another stream than the user waits", kRace, wrong_stream_waits},
      {"order.broken_chain", "of a chain over three streams one link is missing", kRace,
       broken_chain},
      {"order.legacy_assumed",
       "the legacy stream's rule is taken to hold for a non-blocking stream", kRace,
       legacy_assumed},
      {"order.upload_over_reader", "a synchronous upload, while a stream reads the memory", kRace,
       upload_over_reader},
      {"order.query_ignored", "\"not ready\" is taken for done", kRace, query_ignored},
      {"order.destroy_taken_for_a_wait", "a stream is destroyed in place of waited for", kRace,
       destroy_taken_for_a_wait},
      {"order.per_thread_stream", "the per-thread stream is taken for the legacy one", kRace,
       per_thread_stream},
  };
}

}  // namespace gmlake::mutants
