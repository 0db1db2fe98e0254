// Whole files, written so that a reader sees the old one or the new one and never half of either.
#pragma once

#include <string>
#include <string_view>

namespace gmlake::stats {

// Makes the folders above `path`, writes a file beside it and renames that over it; it keeps the
// mode of what it replaces. What is no regular file (a pipe, a terminal) is written to instead of
// being replaced, for some seconds at most, and /dev/stderr by its own rule (support/stderr.h). No
// block device is written to. 0 or errno; on failure `path` is unchanged.
int replace_file(const std::string& path, std::string_view text);

// The parts of it, for files that are written piece by piece: the folders above `path`, as mkdir -p
// makes them (0 or errno), and a new file beside it of a name that nobody could know before, open
// to read and write (-1 and errno otherwise).
int make_folders_above(const std::string& path);
int open_beside(const std::string& path, std::string& beside);

// The name of the n-th file (from 1) that one process writes where `path` says: a.json, a.2.json,
// a.3.json. What is no regular file has one name.
std::string numbered_path(const std::string& path, int n);
// a.WORD.json for a.json.
std::string inserted_in_name(const std::string& path, const std::string& word);

}  // namespace gmlake::stats
