#include "pytorch.h"

#include <cstdlib>

#include <spdlog/fmt/fmt.h>

#include "conf.h"
#include "interpreter.h"

namespace gmlake::tool {
namespace {

std::optional<std::string> variable_as_set(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

// backend:cudaMallocAsync came with 1.12.
bool is_too_old(const std::string& version) {
  char* rest = nullptr;
  const auto major = std::strtoul(version.c_str(), &rest, 10);
  const auto minor = *rest == '.' ? std::strtoul(rest + 1, nullptr, 10) : 0;
  return major < 1 || (major == 1 && minor < 12);
}

// What can not be served, by the version's own words: "2.11.0+cpu", "2.9.1+rocm6.4".
std::string why_not(const std::string& version, const std::string& python) {
  const auto local = version.find('+');
  const auto built_for = local == std::string::npos ? "" : version.substr(local + 1);
  const auto torch = fmt::format("--pytorch: torch {} of {} ", version, python);
  if (built_for.starts_with("cpu") || built_for.starts_with("rocm") || built_for.starts_with("xpu"))
    return torch +
           "is not built for CUDA, so there is nothing to serve; install one that is, or "
           "leave out --pytorch";
  if (is_too_old(version))
    return torch +
           "has no backend cudaMallocAsync (1.12 and newer have); run it without --pytorch "
           "and with PYTORCH_NO_CUDA_MEMORY_CACHING=1, or update it";
  return {};
}

}  // namespace

PytorchWay choose_pytorch_way(const std::vector<std::string>& command, Assignments& assignments) {
  std::string torch;
  if (const auto interpreter = interpreter_of(command)) {
    const auto& python = interpreter->front();
    const auto found = ask_for_torch(*interpreter);
    switch (found.answer) {
      case InstalledTorch::Answer::none:
        return {
            fmt::format("--pytorch: no torch is installed for {}; activate the environment that "
                        "has it, or leave out --pytorch",
                        python),
            ""};
      case InstalledTorch::Answer::version:
        if (auto reason = why_not(found.version, python); !reason.empty()) return {reason, ""};
        torch = fmt::format("torch {} of {}", found.version, python);
        break;
      case InstalledTorch::Answer::silent:
        torch = fmt::format("{} did not say which torch it has, assumed 1.12 or newer", python);
    }
  } else {
    torch = fmt::format("{} does not tell which Python it starts, assumed torch 1.12 or newer",
                        command.front());
  }
  const auto conf =
      with_async_backend(variable_as_set(kCudaAllocConf), variable_as_set(kAllocConf));
  assignments.set(kCudaAllocConf, conf.value, "--pytorch");
  return {"", fmt::format("{}: {}={}{}{}", torch, kCudaAllocConf, conf.value,
                          conf.said.empty() ? "" : "; ", conf.said)};
}

}  // namespace gmlake::tool
