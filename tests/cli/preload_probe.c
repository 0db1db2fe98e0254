// Shows a program that it was loaded: the program finds GMLAKE_TEST_PROBE=loaded in its
// environment. For `gmlake run` it is the library, by what it exports.
#include <stdlib.h>

const char* gmlake_version(void);
__attribute__((visibility("default"))) const char* gmlake_version(void) {
  return "probe";
}

__attribute__((constructor)) static void leave_mark(void) {
  setenv("GMLAKE_TEST_PROBE", "loaded", 1);
}
