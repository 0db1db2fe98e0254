// Opens libraries and allocates by each of them in turn: what it prints must not depend on whether
// gmlake is there.
//
// usage: host CALLER NAMES HOW:LIBRARY...
//   CALLER  direct, or anonymous: the calls come from memory that belongs to no library
//   NAMES   plug: the library's own functions (plugin.c); cuda: the runtime's, looked up
//   HOW     letters: n now, z lazily, g global, d deepbind, m in a namespace of its own, r opened,
//           used and closed three times
// With -DLINKED the program is linked with a runtime as well, and uses it first.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define MIB ((size_t)1 << 20)

struct api {
  int (*alloc)(void**, size_t);
  int (*free)(void*);
  int (*last)(void);
  int (*version)(int*);
};

static const char *caller, *names;

// Code in anonymous memory that calls `function`.
static void* anonymous(void* function) {
  static unsigned char* at;
  if (!at) {
    at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED) exit(4);
  }
#if defined(__x86_64__)
  static const unsigned char head[] = {0x48, 0x83, 0xec, 0x08, 0x48, 0xb8};        // sub, movabs
  static const unsigned char tail[] = {0xff, 0xd0, 0x48, 0x83, 0xc4, 0x08, 0xc3};  // call, add, ret
#elif defined(__aarch64__)
  static const uint32_t head[] = {0xa9bf7bfd, 0x58000090, 0xd63f0200, 0xa8c17bfd, 0xd65f03c0};
  static const unsigned char tail[4];
#endif
  unsigned char* start = at;
  memcpy(at, head, sizeof head);
  memcpy(at + sizeof head, &function, sizeof function);
  memcpy(at + sizeof head + sizeof function, tail, sizeof tail);
  at += 32;
  __builtin___clear_cache((char*)start, (char*)at);
  return start;
}

static void* look_up(void* library, const char* own, const char* cudas) {
  void* found = dlsym(library, strcmp(names, "plug") == 0 ? own : cudas);
  if (!found) {
    printf("%s\n", dlerror());
    exit(3);
  }
  return strcmp(caller, "anonymous") == 0 ? anonymous(found) : found;
}

static struct api functions_of(void* library) {
  struct api api;
  *(void**)&api.alloc = look_up(library, "plug_alloc", "cudaMalloc");
  *(void**)&api.free = look_up(library, "plug_free", "cudaFree");
  *(void**)&api.last = look_up(library, "plug_last", "cudaGetLastError");
  *(void**)&api.version = look_up(library, "plug_version", "cudaRuntimeGetVersion");
  return api;
}

static void use(struct api* a) {
  void* blocks[4] = {0};
  int version = 0, result = a->version(&version);
  printf("version %d %d\n", result, version);
  for (int i = 0; i < 4; ++i) printf("alloc %d\n", a->alloc(&blocks[i], (size_t)(i + 1) * MIB));
  printf("last %d\n", a->last());
  void* none = NULL;
  result = a->alloc(&none, (size_t)1 << 50);
  printf("too much %d, last %d", result, a->last());
  printf(" then %d\n", a->last());
  result = a->free((void*)(size_t)0x1234000);
  printf("wrong pointer %d, last %d", result, a->last());
  printf(" then %d\n", a->last());
  for (int i = 0; i < 4; ++i) printf("free %d\n", a->free(blocks[i]));
}

// Each keeps its own last error, and frees what the other has allocated.
static void cross(struct api* a, struct api* b) {
  void* none = NULL;
  printf("a: too much %d\n", a->alloc(&none, (size_t)1 << 50));
  printf("b: last %d\n", b->last());
  printf("b: wrong pointer %d\n", b->free((void*)(size_t)0x1234000));
  printf("a: last %d", a->last());
  printf(", b: last %d\n", b->last());
  void* at = NULL;
  printf("a: alloc %d\n", a->alloc(&at, 5 * MIB));
  printf("b: free %d", b->free(at));
  printf(", a: again %d", a->free(at));
  printf(", last %d", a->last());
  printf(" and %d\n", b->last());
}

static void* open_library(const char* how, const char* path) {
  int mode = strchr(how, 'z') ? RTLD_LAZY : RTLD_NOW;
  if (strchr(how, 'g')) mode |= RTLD_GLOBAL;
  if (strchr(how, 'd')) mode |= RTLD_DEEPBIND;
  void* library = strchr(how, 'm') ? dlmopen(LM_ID_NEWLM, path, mode) : dlopen(path, mode);
  if (!library) {
    printf("%s\n", dlerror());
    exit(3);
  }
  return library;
}

#ifdef LINKED
int cudaMalloc(void**, size_t);
int cudaFree(void*);
int cudaGetLastError(void);
int cudaRuntimeGetVersion(int*);
static struct api linked = {cudaMalloc, cudaFree, cudaGetLastError, cudaRuntimeGetVersion};
#endif

int main(int argc, char** argv) {
  static struct api apis[8];
  int count = 0;
  setvbuf(stdout, NULL, _IOLBF, 0);
  caller = argv[1];
  names = argv[2];
#ifdef LINKED
  apis[count++] = linked;
  use(&apis[0]);
#endif
  for (int i = 3; i < argc; ++i) {
    char* path = strchr(argv[i], ':');
    *path++ = 0;
    const int rounds = strchr(argv[i], 'r') ? 3 : 1;
    for (int round = 0; round < rounds; ++round) {
      void* library = open_library(argv[i], path);
      apis[count] = functions_of(library);
      use(&apis[count]);
      if (rounds == 1) continue;
      printf("closed %d\n", dlclose(library));
      // Something else takes the addresses.
      for (size_t k = 1; k < 50; ++k)
        (void)mmap(NULL, k * 65536, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    }
    count += rounds == 1;
  }
  for (int i = 1; i < count; ++i) {
    cross(&apis[0], &apis[i]);
    cross(&apis[i], &apis[0]);
  }
  return 0;
}
