// Which lock guards what, said to the compiler: Clang's thread safety analysis
// (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html) under the names of its attributes. Every
// build with Clang and tools/tidy check them with -Wthread-safety; other compilers see nothing.
//
// Every mutable member of a class that threads share is const, atomic or GMLAKE_GUARDED_BY a lock;
// a function that takes for granted that a lock is held, or that it is not, says so.
#pragma once

#if defined(__clang__)
#define GMLAKE_THREAD_SAFETY(x) __attribute__((x))
#else
#define GMLAKE_THREAD_SAFETY(x)
#endif

#define GMLAKE_CAPABILITY(name) GMLAKE_THREAD_SAFETY(capability(name))
#define GMLAKE_SCOPED_CAPABILITY GMLAKE_THREAD_SAFETY(scoped_lockable)
#define GMLAKE_GUARDED_BY(lock) GMLAKE_THREAD_SAFETY(guarded_by(lock))
#define GMLAKE_PT_GUARDED_BY(lock) GMLAKE_THREAD_SAFETY(pt_guarded_by(lock))
#define GMLAKE_REQUIRES(...) GMLAKE_THREAD_SAFETY(requires_capability(__VA_ARGS__))
#define GMLAKE_EXCLUDES(...) GMLAKE_THREAD_SAFETY(locks_excluded(__VA_ARGS__))
#define GMLAKE_ACQUIRE(...) GMLAKE_THREAD_SAFETY(acquire_capability(__VA_ARGS__))
#define GMLAKE_RELEASE(...) GMLAKE_THREAD_SAFETY(release_capability(__VA_ARGS__))
#define GMLAKE_TRY_ACQUIRE(...) GMLAKE_THREAD_SAFETY(try_acquire_capability(__VA_ARGS__))
#define GMLAKE_RETURN_CAPABILITY(lock) GMLAKE_THREAD_SAFETY(lock_returned(lock))
// Where the analysis can not follow. Each use says why beside it; tests/structure counts them.
#define GMLAKE_NO_THREAD_SAFETY_ANALYSIS GMLAKE_THREAD_SAFETY(no_thread_safety_analysis)
