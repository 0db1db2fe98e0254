// The beginning of a program that is linked to run with an older C library too: since glibc 2.34
// that runs the program's constructors itself where it is given nothing to run, as the compiler's
// start-up code now asks it to; before, they were the program's to run, and then none would be.
// Linked with --wrap=__libc_start_main.
extern "C" {
using Main = int (*)(int, char**, char**);
using Constructor = void (*)(int, char**, char**);

int __real___libc_start_main(Main main, int count, char** arguments, Constructor constructors,
                             void (*destructors)(), void (*loader_ends)(), void* stack_end);
void _init();
extern Constructor __init_array_start[], __init_array_end[];

static void construct(int count, char** arguments, char** environment) {
  _init();
  for (auto* one = __init_array_start; one != __init_array_end; ++one)
    (*one)(count, arguments, environment);
}

int __wrap___libc_start_main(Main main, int count, char** arguments, Constructor, void (*)(),
                             void (*loader_ends)(), void* stack_end) {
  return __real___libc_start_main(main, count, arguments, construct, nullptr, loader_ends,
                                  stack_end);
}
}
