// What the command says: messages on stderr, and whether what it printed has arrived.
#pragma once

#include <string>
#include <string_view>

namespace gmlake::tool {

// "gmlake: WHO: MESSAGE" on stderr, `who` left out if empty. Names, keys and lines of files in it
// are others' words: control characters are shown by their numbers. Gives `code` back.
int complain(std::string_view who, int code, std::string_view message);

// A program may be started without a standard input or output. The next file opened would take its
// number, and be read or written as if it were that.
void keep_standard_descriptors();

// The exit status in the end: `code`, or one that says so if standard output could not be written
// (a full disk, a pipe that nobody reads).
int after_output(int code);

}  // namespace gmlake::tool
