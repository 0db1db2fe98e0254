// cudaGetErrorName and cudaGetErrorString. The text is the driver's: the name in words.
#include <map>
#include <string>

#include "runtime.h"

namespace gmlake::simcudart {
namespace {

struct ErrorText {
  const char* name;
  std::string words;
};

// "CUDA_ERROR_OUT_OF_MEMORY" is cudaErrorMemoryAllocation: the two have words of their own.
std::string in_words(const std::string& name) {
  if (name == "cudaSuccess") return "no error";
  if (name == "cudaErrorMemoryAllocation") return "out of memory";
  if (name == "cudaErrorInvalidValue") return "invalid argument";
  std::string words;
  for (const char c : name.substr(std::string("cudaError").size())) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper && !words.empty()) words += ' ';
    words += static_cast<char>(upper ? c - 'A' + 'a' : c);
  }
  return words;
}

const ErrorText& find(cudaError_t error) {
  static const auto* table = new std::map<int, ErrorText>{
#define E(name) {name, {#name, in_words(#name)}},
#include "errors.def"
  };
  static const auto* unknown = new ErrorText{"unrecognized error code", "unrecognized error code"};
  const auto entry = table->find(error);
  return entry != table->end() ? entry->second : *unknown;
}

}  // namespace
}  // namespace gmlake::simcudart

const char* cudaGetErrorName(cudaError_t error) {
  return gmlake::simcudart::find(error).name;
}
const char* cudaGetErrorString(cudaError_t error) {
  return gmlake::simcudart::find(error).words.c_str();
}
