// What the runtime exports. In the static runtime nothing is exported, as in NVIDIA's: a library or
// program that is linked with it keeps it to itself.
#pragma once

#ifdef SIMCUDART_STATIC
#define SIMCUDART_API __attribute__((visibility("hidden")))
#define SIMCUDART_API_BEGIN _Pragma("GCC visibility push(hidden)")
#else
#define SIMCUDART_API __attribute__((visibility("default")))
#define SIMCUDART_API_BEGIN _Pragma("GCC visibility push(default)")
#endif
#define SIMCUDART_API_END _Pragma("GCC visibility pop")
