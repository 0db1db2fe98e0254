// cuGetErrorName and cuGetErrorString. The text is the name in words, "out of memory", but for
// those that programs look for.
#include <map>
#include <string>

#include "entry.h"

namespace gmlake::simcuda {
namespace {

struct ErrorText {
  const char* name;
  std::string words;
};

std::string in_words(std::string name) {
  if (name == "CUDA_SUCCESS") return "no error";
  if (name == "CUDA_ERROR_INVALID_VALUE") return "invalid argument";
  if (name == "CUDA_ERROR_INVALID_HANDLE") return "invalid resource handle";
  for (const std::string prefix : {"CUDA_ERROR_", "CUDA_"})
    if (name.starts_with(prefix)) name.erase(0, prefix.size());
  for (char& c : name)
    c = c == '_' ? ' ' : static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return name;
}

const ErrorText* find(CUresult error) {
  static const auto* table = new std::map<int, ErrorText>{
#define E(name) {name, {#name, in_words(#name)}},
#include "errors.def"
  };
  const auto entry = table->find(error);
  return entry != table->end() ? &entry->second : nullptr;
}

}  // namespace
}  // namespace gmlake::simcuda

using namespace gmlake::simcuda;

CUresult cuGetErrorName(CUresult error, const char** text) {
  SIM_ENTER_EARLY();
  if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const ErrorText* found = find(error);
  *text = found != nullptr ? found->name : nullptr;
  return found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
CUresult cuGetErrorString(CUresult error, const char** text) {
  SIM_ENTER_EARLY();
  if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const ErrorText* found = find(error);
  *text = found != nullptr ? found->words.c_str() : nullptr;
  return found != nullptr ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}
