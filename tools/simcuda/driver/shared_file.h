// Memory in a file of its own, which another process can map: what stands behind handles that are
// made to be exported. The last page of the file says what it is, and its size is sealed, so that a
// descriptor from elsewhere is recognised as one or refused.
#pragma once

#include <memory>

#include "cuda_api.h"
#include "physical.h"

namespace gmlake::simcuda {

enum class FileKind : unsigned { handle, pool, allocation, event };

struct Label {
  char magic[16] = {};
  FileKind kind = FileKind::handle;
  Bytes size = 0;                    // without the label
  CUmemAllocationProp properties{};  // of a pool: what its allocations have
};

// An open file; closed with its last user.
struct File {
  int fd = -1;
  unsigned space = 0;       // for the checks of order: which memory its bytes are
  std::uint64_t inode = 0;  // names the file on this machine
  Label label;

  explicit File(int descriptor);
  ~File();
  File(const File&) = delete;
  File& operator=(const File&) = delete;
};
using FileRef = std::shared_ptr<const File>;

// Null if the system does not give it. The size is in whole pages; nothing of it is there before it
// is touched.
FileRef make_file(FileKind kind, Bytes size, const CUmemAllocationProp& properties);
// A descriptor of its own for a file that some process made. Null for one that is not of that kind.
FileRef open_file(int fd, FileKind kind);
// A descriptor to hand out; negative if there is none.
int export_file(const File& file);

}  // namespace gmlake::simcuda
