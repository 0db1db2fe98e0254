// Asks for memory in NVTX ranges: pushed by text, by attributes, in a domain by a registered
// string, one in another, and after all of them have been popped. Prints the levels that NVTX
// gives.
//
//   ranges [DEPTH]     so many ranges in each other before, which end again
#include <cstdio>
#include <cstdlib>
#include <vector>

#include <nvtx3/nvToolsExt.h>

#include "device.h"

namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

int ask(std::size_t mib) {
  void* at = nullptr;
  return device::allocate(&at, mib * kMiB);
}

nvtxEventAttributes_t attributes() {
  nvtxEventAttributes_t of{};
  of.version = NVTX_VERSION;
  of.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  return of;
}

}  // namespace

int main(int argc, char** argv) {
  int code = device::open();
  const int depth = argc > 1 ? std::atoi(argv[1]) : 0;
  for (int i = 0; i < depth; ++i) (void)nvtxRangePushA("deep");
  for (int i = 0; i < depth; ++i) (void)nvtxRangePop();

  std::vector<int> levels;
  levels.push_back(nvtxRangePushA("step"));
  code += ask(1);
  auto of = attributes();
  of.messageType = NVTX_MESSAGE_TYPE_ASCII;
  of.message.ascii = "forward";
  levels.push_back(nvtxRangePushEx(&of));
  code += ask(2);
  auto unnamed = attributes();  // the outer one's name holds
  levels.push_back(nvtxRangePushEx(&unnamed));
  code += ask(2);
  levels.push_back(nvtxRangePop());
  levels.push_back(nvtxRangePop());
  nvtxDomainHandle_t domain = nvtxDomainCreateA("domain");
  auto registered = attributes();
  registered.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
  registered.message.registered = nvtxDomainRegisterStringA(domain, "backward");
  levels.push_back(nvtxDomainRangePushEx(domain, &registered));
  code += ask(8);
  levels.push_back(nvtxDomainRangePop(domain));
  code += ask(16);
  levels.push_back(nvtxRangePop());

  levels.push_back(nvtxRangePushA("more"));
  levels.push_back(nvtxRangePushW(L"wide"));
  levels.push_back(nvtxRangePop());
  code += ask(64);
  levels.push_back(nvtxDomainRangePushEx(domain, &registered));
  levels.push_back(nvtxRangePushA("across, seq = 17"));
  levels.push_back(nvtxDomainRangePop(domain));  // the other domain's goes on
  code += ask(128);
  levels.push_back(nvtxRangePop());
  code += ask(256);
  levels.push_back(nvtxRangePop());
  code += ask(32);
  levels.push_back(nvtxRangePop());  // one too many
  for (const int level : levels) std::printf("%d ", level);
  std::printf("\n");
  return code;
}
