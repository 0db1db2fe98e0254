// Descriptor 2, for what the library itself has to say. A program may have closed it, and what it
// opens next gets the number: a file of its own, into which nothing of ours may go. So we write
// only while the descriptor leads where it led when the program first used CUDA, or to where the
// program has put it since by dup2 or dup3 (hooks/descriptors.cpp says so), as a daemon does with
// its log. What was opened under the number is neither.
//
// Remembered is where it leads, device and inode, and not that all is well: that would have to be
// told of every way to change it. Thread-safe, without a lock, and async-signal-safe.
#pragma once

#include <string_view>

namespace gmlake {

// The program uses CUDA: where the descriptor leads now is right. The first call counts.
void remember_stderr();
// The program has put it where it leads now. Nothing that remember_stderr() would not find itself
// is missed before that. Leaves errno alone.
void stderr_was_put();

// Whether it leads to where what we say may go.
bool stderr_is_right();
// All of `text`, or nothing where it does not. 0 or errno.
int write_stderr(std::string_view text);

}  // namespace gmlake
