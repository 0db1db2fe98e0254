// Events between processes: their state, and cuIpc*EventHandle. A handle names the process that
// made the event and its descriptor there, which others reach through /proc.
#include "shared_event.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "entry.h"
#include "event.h"

namespace gmlake::simcuda {
namespace {

constexpr char kEventMagic[16] = "simcuda ipc evt";

struct Handle {
  char magic[16] = {};
  pid_t exporter = 0;
  int fd = -1;
  std::uint64_t inode = 0;
};
static_assert(sizeof(Handle) <= sizeof(CUipcEventHandle));

}  // namespace

std::shared_ptr<SharedEvent> SharedEvent::map(FileRef file) {
  if (file == nullptr) return nullptr;
  void* at = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file->fd, 0);
  if (at == MAP_FAILED) return nullptr;
  return std::shared_ptr<SharedEvent>(new SharedEvent(std::move(file), static_cast<State*>(at)));
}

std::shared_ptr<SharedEvent> SharedEvent::make() {
  return map(make_file(FileKind::event, kPage, {}));  // zeroes: never recorded
}

std::shared_ptr<SharedEvent> SharedEvent::open(pid_t process, int fd, std::uint64_t inode) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/fd/%d", process, fd);
  const File opened(::open(path, O_RDWR | O_CLOEXEC));
  FileRef file = open_file(opened.fd, FileKind::event);
  return file != nullptr && file->inode == inode ? map(std::move(file)) : nullptr;
}

SharedEvent::~SharedEvent() {
  munmap(state_, kPage);
}

void SharedEvent::complete(std::uint64_t record) {
  std::uint64_t before = state_->complete;
  while (before < record && !state_->complete.compare_exchange_weak(before, record)) {
  }
}

void SharedEvent::wait(std::uint64_t record) const {
  while (!passed(record)) std::this_thread::sleep_for(std::chrono::microseconds(50));
}

}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuIpcGetEventHandle(CUipcEventHandle* result, CUevent handle) {
  SIM_ENTER();
  EventRef event;
  if (const CUresult bad = find_event(handle, event)) return bad;
  // cuda.h: "Event allocated with CU_EVENT_INTERPROCESS and CU_EVENT_DISABLE_TIMING flags."
  if ((event->flags & CU_EVENT_INTERPROCESS) == 0) return CUDA_ERROR_INVALID_HANDLE;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Handle made;
  std::memcpy(made.magic, kEventMagic, sizeof kEventMagic);
  made.exporter = getpid();
  made.fd = event->shared->file().fd;
  made.inode = event->shared->file().inode;
  *result = {};
  std::memcpy(result->reserved, &made, sizeof made);
  return CUDA_SUCCESS;
}

CUresult cuIpcOpenEventHandle(CUevent* result, CUipcEventHandle opaque) {
  SIM_ENTER();
  auto event = std::make_shared<Event>();
  if (const CUresult bad = current_context(event->context)) return bad;
  if (result == nullptr) return CUDA_ERROR_INVALID_VALUE;
  Handle handle;
  std::memcpy(&handle, opaque.reserved, sizeof handle);
  if (std::memcmp(handle.magic, kEventMagic, sizeof kEventMagic) != 0)
    return CUDA_ERROR_INVALID_VALUE;
  // cuda.h: "exported from another process"; as for memory within one.
  if (handle.exporter == getpid()) return CUDA_ERROR_INVALID_CONTEXT;
  event->shared = SharedEvent::open(handle.exporter, handle.fd, handle.inode);
  if (event->shared == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  // cuda.h: it "behaves like a locally created event with the CU_EVENT_DISABLE_TIMING flag".
  event->flags = CU_EVENT_DISABLE_TIMING;
  *result = add_event(std::move(event));
  return CUDA_SUCCESS;
}
