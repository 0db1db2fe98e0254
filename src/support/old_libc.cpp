// Functions that an older C library lacks and that the compiler's own runtime or we call, for what
// is linked to run with one (cmake/GlibcFloor.cmake). Hidden: each object that is shipped has its
// own, and nobody else is answered by them. What this machine's lacks too nobody calls here.
#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <ctime>

extern "C" {
#if __GLIBC_PREREQ(2, 33)
// The kernel's structure is glibc's where both have 64 bits.
static_assert(sizeof(long) == 8);

int fstatat(int folder, const char* path, struct stat* out, int flags) noexcept {
  return static_cast<int>(::syscall(SYS_newfstatat, folder, path, out, flags));
}
int stat(const char* path, struct stat* out) noexcept {
  return fstatat(AT_FDCWD, path, out, 0);
}
int lstat(const char* path, struct stat* out) noexcept {
  return fstatat(AT_FDCWD, path, out, AT_SYMLINK_NOFOLLOW);
}
int fstat(int file, struct stat* out) noexcept {
  return static_cast<int>(::syscall(SYS_fstat, file, out));
}
static_assert(sizeof(struct stat64) == sizeof(struct stat));
int fstat64(int file, struct stat64* out) noexcept {
  return static_cast<int>(::syscall(SYS_fstat, file, out));
}
#endif

#if __GLIBC_PREREQ(2, 34)
int close_range(unsigned first, unsigned last, int flags) noexcept {
  return static_cast<int>(::syscall(SYS_close_range, first, last, flags));
}
#endif

#if __GLIBC_PREREQ(2, 30)
pid_t gettid() noexcept {
  return static_cast<pid_t>(::syscall(SYS_gettid));
}

// What std::condition_variable waits with for a moment of the monotonic clock.
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const timespec* until) {
  constexpr long kSecond = 1'000'000'000;
  timespec now{}, at{};
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &at);
  at.tv_sec += until->tv_sec - now.tv_sec;
  at.tv_nsec += until->tv_nsec - now.tv_nsec;
  if (at.tv_nsec < 0) at.tv_nsec += kSecond, --at.tv_sec;
  if (at.tv_nsec >= kSecond) at.tv_nsec -= kSecond, ++at.tv_sec;
  return pthread_cond_timedwait(condition, mutex, &at);
}
#endif

#if __GLIBC_PREREQ(2, 32)
// Whether counts may be changed without atomic instructions.
char __libc_single_threaded = 0;
#endif
}

#if __GLIBC_PREREQ(2, 35)
// Where the unwinder finds the frames of an address. Without a lock there, and so it is
// asked where there is one: exceptions are thrown under locks of ours, and whoever holds the
// loader's may be waiting for those.
namespace {

using Find = int (*)(void*, dl_find_object*) noexcept;
Find with_the_loader = nullptr;

__attribute__((constructor)) void look_up() {
  with_the_loader = reinterpret_cast<Find>(dlvsym(RTLD_DEFAULT, "_dl_find_object", "GLIBC_2.35"));
}

struct Wanted {
  std::uintptr_t address;
  dl_find_object* out;
};

int look_at(dl_phdr_info* object, std::size_t, void* data) {
  const auto& wanted = *static_cast<Wanted*>(data);
  bool is_there = false;
  void* frames = nullptr;
  for (int i = 0; i < object->dlpi_phnum; ++i) {
    const auto& part = object->dlpi_phdr[i];
    const auto start = object->dlpi_addr + part.p_vaddr;
    if (part.p_type == PT_LOAD && wanted.address - start < part.p_memsz) {
      is_there = true;
      wanted.out->dlfo_map_start = reinterpret_cast<void*>(start);
      wanted.out->dlfo_map_end = reinterpret_cast<void*>(start + part.p_memsz);
    } else if (part.p_type == PT_GNU_EH_FRAME) {
      frames = reinterpret_cast<void*>(start);
    }
  }
  if (!is_there) return 0;
  wanted.out->dlfo_eh_frame = frames;
  return frames ? 1 : -1;
}

}  // namespace

extern "C" int _dl_find_object(void* address, dl_find_object* out) noexcept {
  if (with_the_loader) return with_the_loader(address, out);
  *out = {};
  Wanted wanted{reinterpret_cast<std::uintptr_t>(address), out};
  return dl_iterate_phdr(look_at, &wanted) == 1 ? 0 : -1;
}
#endif
