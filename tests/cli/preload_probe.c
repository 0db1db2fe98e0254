// Shows a program that it was loaded: the program finds GMLAKE_TEST_PROBE=loaded in its
// environment.
#include <stdlib.h>

__attribute__((constructor)) static void leave_mark(void) {
  setenv("GMLAKE_TEST_PROBE", "loaded", 1);
}
