// The program itself and its streams use the same memory, pinned or managed.
#include "device.h"
#include "pair.h"

namespace gmlake::mutants {
namespace {

void reads_download_early(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  Pinned pinned;
  check(cuMemcpyDtoHAsync(pinned, buffer, kSize, a));
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  host_reads(pinned, kSize);
}

void overwrites_upload(Twin twin) {
  Device device;
  Stream a;
  Event done;
  Buffer buffer;
  Pinned pinned;
  host_writes(pinned, kSize);
  check(cuMemcpyHtoDAsync(buffer, pinned, kSize, a));
  check(cuEventRecord(done, a));
  if (twin == Twin::correct) check(cuEventSynchronize(done));
  host_writes(pinned, kSize);
}

void waits_for_the_wrong_stream(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  Pinned pinned;
  check(cuMemcpyDtoHAsync(pinned, buffer, kSize, a));
  check(cuStreamSynchronize(twin == Twin::wrong ? b : a));
  host_reads(pinned, kSize);
}

void stream_query_ignored(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  Pinned pinned;
  check(cuMemcpyDtoHAsync(pinned, buffer, kSize, a));
  while (cuStreamQuery(a) == CUDA_ERROR_NOT_READY && twin == Twin::correct) {
  }
  host_reads(pinned, kSize);
}

// The second download is behind the event.
void event_before_the_last_copy(Twin twin) {
  Device device;
  Stream a;
  Event done;
  Buffer buffer;
  Pinned pinned;
  const auto copy = [&](std::size_t half) {
    const auto at = half * kSize / 2;
    check(cuMemcpyDtoHAsync(static_cast<char*>(pinned.get()) + at, buffer + at, kSize / 2, a));
  };
  copy(0);
  if (twin == Twin::wrong) check(cuEventRecord(done, a));
  copy(1);
  if (twin == Twin::correct) check(cuEventRecord(done, a));
  check(cuEventSynchronize(done));
  host_reads(pinned, kSize);
}

// A host function uses up what a download has brought.
void host_function_assumed_done(Twin twin) {
  Device device;
  Stream a;
  Buffer buffer;
  Pinned pinned;
  check(cuMemcpyDtoHAsync(pinned, buffer, kSize, a));
  check(cuLaunchHostFunc(
      a, [](void* at) { host_reads(at, kSize); }, pinned));
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  host_writes(pinned, kSize);
}

// A host function in another stream than the copy whose result it uses.
void host_function_elsewhere(Twin twin) {
  Device device;
  Stream a, b;
  Buffer buffer;
  Pinned pinned;
  check(cuMemcpyDtoHAsync(pinned, buffer, kSize, a));
  check(cuLaunchHostFunc(
      twin == Twin::wrong ? b : a, [](void* at) { host_reads(at, kSize); }, pinned));
  check(cuCtxSynchronize());
}

void managed(Twin twin) {
  Device device;
  Stream a;
  CUdeviceptr at = 0;
  check(cuMemAllocManaged(&at, kSize, CU_MEM_ATTACH_GLOBAL));
  device.write(at, a);
  if (twin == Twin::correct) check(cuStreamSynchronize(a));
  host_reads(reinterpret_cast<void*>(at), kSize);
  check(cuMemFree(at));
}

}  // namespace

Pairs host_pairs() {
  constexpr const char* kRace = "[order] no order between ";
  return {
      {"host.reads_download_early", "a pinned buffer is read before the download is complete",
       kRace, reads_download_early},
      {"host.overwrites_upload", "a pinned buffer is written while an upload may still read it",
       kRace, overwrites_upload},
      {"host.waits_for_the_wrong_stream", "another stream than the download's is waited for", kRace,
       waits_for_the_wrong_stream},
      {"host.stream_query_ignored", "\"not ready\" is taken for done", kRace, stream_query_ignored},
      {"host.event_before_the_last_copy", "the event waited for lies before the last download",
       kRace, event_before_the_last_copy},
      {"host.host_function_assumed_done", "a host function is not waited for", "cuLaunchHostFunc",
       host_function_assumed_done},
      {"host.host_function_elsewhere", "a host function is in another stream than its input",
       "cuLaunchHostFunc", host_function_elsewhere},
      {"host.managed", "managed memory is read while a kernel writes it", kRace, managed},
  };
}

}  // namespace gmlake::mutants
