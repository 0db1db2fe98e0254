// Shims in real processes: a library that LD_PRELOAD puts in front of an unmodified program.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "pair.h"

namespace gmlake::mutants {
namespace {

void become_client(const char* library, Twin twin) {
#ifdef __SANITIZE_ADDRESS__
  setenv("ASAN_OPTIONS", "verify_asan_link_order=0", 0);  // the sanitizer's library comes second
#endif
  setenv("LD_PRELOAD", library, 1);
  setenv("MUTANTS_TWIN", twin == Twin::wrong ? "wrong" : "correct", 1);
  execl(PRELOAD_CLIENT, PRELOAD_CLIENT, nullptr);
  std::perror(PRELOAD_CLIENT);
  std::_Exit(1);
}

void across_streams(Twin twin) {
  become_client(PRELOAD_ACROSS_STREAMS, twin);
}
void unmaps_too_early(Twin twin) {
  become_client(PRELOAD_UNMAPS_TOO_EARLY, twin);
}

}  // namespace

Pairs preload_pairs() {
  return {
      {"preload.across_streams", "the shim of that name, before an unmodified program",
       "[order] no order between cuLaunchKernel", across_streams},
      {"preload.unmaps_too_early", "the shim of that name, before an unmodified program",
       "[order] cuMemUnmap", unmaps_too_early},
  };
}

}  // namespace gmlake::mutants
