// Whether cuGetProcAddress hands out the same pointers as dlsym does for the exact ELF names: the
// driver door recognises functions by that. One line of JSON for each name of the hook table.
//
//   {"symbol", "exported", "same", "asked": "base name, version, flags", "others": [ELF names]}
//
// "same": some question to cuGetProcAddress_v2 was answered with dlsym's pointer. "others": what
// else the questions for its base name were answered with; a name is a pointer's ELF name, or
// "unexported+offset" for a pointer that is no exported function.
#include <set>

#include <cuda_runtime_api.h>

#include "driver.h"
#include "hooks/hook_table.h"

namespace {

const char* const kSymbols[] = {
#define X(symbol, wrapper, result, parameters) #symbol,
    GMLAKE_DRIVER_HOOKS(X)
#undef X
};
// All that the toolkit's cudaTypedefs.h has.
const int kVersions[] = {2000,  2010,  2020,  2030,  3000,  3010,  3020,  4000,  4010,
                         4020,  5000,  5050,  6000,  6050,  7000,  8000,  9000,  9020,
                         10000, 10010, 10020, 11000, 11010, 11020, 11030, 11040, 11060,
                         11070, 11080, 12000, 12010, 12020, 12030, 12040, 12050, 12060,
                         12080, 12090, 13000, 13010, 13020, 13030, 13040, 13050};

const cuuint64_t kFlags[] = {CU_GET_PROC_ADDRESS_DEFAULT, CU_GET_PROC_ADDRESS_LEGACY_STREAM,
                             CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM};

// cuMemAlloc_v2 is asked for as cuMemAlloc; cuMemcpyHtoD_v2_ptds as cuMemcpyHtoD, with the flag for
// threads' own default streams.
std::string base_name(std::string symbol) {
  for (const std::string suffix : {"_ptsz", "_ptds", "_v2", "_v3", "_v4"}) {
    if (symbol.ends_with(suffix)) symbol.resize(symbol.size() - suffix.size());
  }
  return symbol;
}

std::string elf_name(void* at) {
  Dl_info info{};
  if (dladdr(at, &info) == 0) return "no library";
  if (info.dli_sname != nullptr && info.dli_saddr == at) return info.dli_sname;
  char offset[40];
  std::snprintf(
      offset, sizeof offset, "unexported+0x%zx",
      static_cast<std::size_t>(static_cast<char*>(at) - static_cast<char*>(info.dli_fbase)));
  return offset;
}

// Returns whether the pointers are the same where both exist.
bool compare(const char* symbol) {
  void* const exported = dlsym(gpu::driver().library, symbol);
  std::string asked;
  std::set<std::string> others;
  for (int version : kVersions) {
    for (cuuint64_t flags : kFlags) {
      void* at = nullptr;
      CUdriverProcAddressQueryResult status{};
      const CUresult code = gpu::driver().cuGetProcAddress_v2_(base_name(symbol).c_str(), &at,
                                                               version, flags, &status);
      if (code != CUDA_SUCCESS || at == nullptr) continue;
      if (at != exported) {
        others.insert(elf_name(at));
      } else if (asked.empty()) {
        asked = base_name(symbol) + ", " + std::to_string(version) + ", " + std::to_string(flags);
      }
    }
  }
  std::string list;
  for (const auto& other : others) list += (list.empty() ? "\"" : ", \"") + other + "\"";
  std::printf(
      "{\"symbol\": \"%s\", \"exported\": %s, \"same\": %s, \"asked\": \"%s\", "
      "\"others\": [%s]}\n",
      symbol, exported ? "true" : "false", asked.empty() ? "false" : "true", asked.c_str(),
      list.c_str());
  return exported == nullptr || !asked.empty();
}

}  // namespace

// Exit status 1 if a name that the driver exports is never handed out by cuGetProcAddress_v2.
int main() {
  gpu::check(gpu::driver().cuInit_(0), "cuInit");
  bool same = true;
  for (const char* symbol : kSymbols) same &= compare(symbol);
  return same ? 0 : 1;
}
