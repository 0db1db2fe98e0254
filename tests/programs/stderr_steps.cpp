// Does with descriptor 2 what it is told, step by step, and ends:
//
//   stderr_steps STEP...
//
//   cuda            uses CUDA                      close          closes descriptor 2
//   look            asks for a name of CUDA's      open FILE      opens it, under number 2
//   exhaust         has a request fail
//   dup2 FILE       makes 2 lead there, by dup2    dup3 FILE      by dup3
//   same            dup2 of 2 onto itself          freopen FILE   reopens the stream stderr
//   fclose          closes the stream stderr
//   vfork FILE      a child that shares our memory does so with its own descriptor 2
//   fork FILE       a child of its own does, and ends as programs do
//
// A number above 0 as exit status is that of the step that went wrong.
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <cuda_runtime_api.h>
#include <fcntl.h>

namespace {

int open_file(const char* path) {
  return open(path, O_WRONLY | O_CREAT | O_APPEND, 0666);
}

// Descriptor `file` is 2 from now on, by `put`.
template <typename Put>
bool move(const char* path, Put put) {
  const int file = open_file(path);
  if (file < 0 || put(file) != STDERR_FILENO) return false;
  return file == STDERR_FILENO || close(file) == 0;
}

bool by_dup2(const char* path) {
  return move(path, [](int file) { return dup2(file, STDERR_FILENO); });
}

bool ended_well(pid_t child) {
  int status = 1;
  return waitpid(child, &status, 0) == child && status == 0;
}

// No more than what a child of vfork may do.
bool in_a_vfork_child(const char* path) {
  const int file = open_file(path);
  const pid_t child = vfork();
  if (child == 0) _exit(dup2(file, STDERR_FILENO) == STDERR_FILENO ? 0 : 1);
  return ended_well(child) && close(file) == 0;
}

bool in_a_child(const char* path) {
  const pid_t child = fork();
  if (child == 0) std::exit(by_dup2(path) ? 0 : 1);
  return ended_well(child);
}

bool use_cuda() {
  void* block = nullptr;
  return cudaMalloc(&block, 1 << 20) == cudaSuccess && cudaFree(block) == cudaSuccess;
}
bool exhaust() {
  void* block = nullptr;
  return cudaMalloc(&block, std::size_t{1} << 40) == cudaErrorMemoryAllocation;
}

bool with_file(const char* what, const char* path) {
  if (std::strcmp(what, "open") == 0) return open_file(path) == STDERR_FILENO;
  if (std::strcmp(what, "dup2") == 0) return by_dup2(path);
  if (std::strcmp(what, "dup3") == 0)
    return move(path, [](int file) { return dup3(file, STDERR_FILENO, 0); });
  if (std::strcmp(what, "freopen") == 0) return std::freopen(path, "a", stderr) != nullptr;
  if (std::strcmp(what, "vfork") == 0) return in_a_vfork_child(path);
  return std::strcmp(what, "fork") == 0 && in_a_child(path);
}

}  // namespace

int main(int count, char** arguments) {
  for (int i = 1; i < count; ++i) {
    const int step = i;
    const char* what = arguments[i];
    bool right = false;
    if (std::strcmp(what, "cuda") == 0)
      right = use_cuda();
    else if (std::strcmp(what, "look") == 0)
      right = dlsym(dlopen("libcudart.so.13", RTLD_LAZY), "cudaMalloc") != nullptr;
    else if (std::strcmp(what, "exhaust") == 0)
      right = exhaust();
    else if (std::strcmp(what, "close") == 0)
      right = close(STDERR_FILENO) == 0;
    else if (std::strcmp(what, "fclose") == 0)
      right = std::fclose(stderr) == 0;
    else if (std::strcmp(what, "same") == 0)
      right = dup2(STDERR_FILENO, STDERR_FILENO) == STDERR_FILENO;
    else if (i + 1 < count)
      right = with_file(what, arguments[++i]);
    if (!right) return step;
  }
  return 0;
}
