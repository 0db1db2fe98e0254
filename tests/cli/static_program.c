// A program the loader never sees, so nothing can be preloaded into it.
#include <stdio.h>

int main(void) {
  puts("static program ran");
  return 5;
}
