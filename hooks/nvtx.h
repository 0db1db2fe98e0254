// Names by NVTX: what a program asks for while one of its ranges is pushed is for that range, as if
// it had said gmlake_annotate. NVTX loads the library that NVTX_INJECTION64_PATH names and lets it
// fill in functions; `gmlake run` sets that where stats.sample_bytes asks for a ledger and no other
// tool is there. The tables and numbers are those of nvtx3/nvtxDetail/nvtxTypes.h, in order since
// NVTX 3.0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace gmlake::hooks::nvtx {

enum class Module : int { core = 1, core2 = 5 };
enum Core : unsigned { kPushEx = 8, kPushA = 9, kPushW = 10, kPop = 11 };
enum Core2 : unsigned {
  kDomainPushEx = 4,
  kDomainPop = 5,
  kDomainRegisterA = 10,
  kDomainCreateA = 12
};
constexpr std::uint32_t kCallbacks = 1;

using Function = void (*)();
struct Callbacks {
  std::size_t size;
  // Where the functions of a module stand, by number; whether there is such a module.
  int (*functions)(Module module, Function*** table, unsigned* count);
};

// nvtxEventAttributes_t.
struct Attributes {
  std::uint16_t version, size;
  std::uint32_t category;
  std::int32_t color_type;
  std::uint32_t color;
  std::int32_t payload_type, reserved;
  std::uint64_t payload;
  std::int32_t message_type;
  const void* message;
};
enum Message : std::int32_t { kText = 1, kRegistered = 3 };  // 2 is of wide characters

}  // namespace gmlake::hooks::nvtx

namespace gmlake::hooks {

// The child's names begin anew: ranges that its parent pushed are none here.
void ranges_after_fork();

}  // namespace gmlake::hooks

// NVTX calls it once for each copy of itself in the process. Gives 1, or 0 where it may unload us.
extern "C" int InitializeInjectionNvtx2(const void* (*tables)(std::uint32_t));
