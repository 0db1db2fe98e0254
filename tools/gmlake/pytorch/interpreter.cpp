#include "interpreter.h"

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "run_target.h"

namespace gmlake::tool {
namespace {

namespace fs = std::filesystem;

// The current folder is not where packages are looked for: it may have anything in it.
constexpr const char* kQuestion =
    "import sys\n"
    "sys.path = [path for path in sys.path if path]\n"
    "from importlib import metadata\n"
    "try:\n"
    "    print('torch', metadata.version('torch'))\n"
    "except metadata.PackageNotFoundError:\n"
    "    print('none')\n";
constexpr int kPatienceMs = 20000;  // a cold network file system

bool is_python_name(const std::string& path) {
  const auto name = fs::path(path).filename().string();
  for (const std::string stem : {"python", "pypy"})
    if (name.starts_with(stem) &&
        name.find_first_not_of("0123456789.t", stem.size()) == std::string::npos)
      return true;
  return false;
}

std::vector<std::string> words_in(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

// "#!/venv/bin/python -s", "#!/usr/bin/env python3"; or, where that has a blank in it, as pip
// writes it: "#!/bin/sh" and "'''exec' "/a b/python" "$0" "$@"".
std::optional<std::string> python_of_script(const std::string& file) {
  std::ifstream stream(file);
  std::string first(2, '\0');
  if (!stream.read(first.data(), 2) || first != "#!") return {};
  std::string line;
  std::getline(stream, line);
  const auto words = words_in(line.substr(0, 4096));
  if (words.empty()) return {};
  if (is_python_name(words[0])) return words[0];
  if (fs::path(words[0]).filename() == "env" && is_python_name(words.back()))
    return find_program(words.back());
  std::getline(stream, line);
  const auto open = line.find("exec' \"");
  if (open == std::string::npos) return {};
  const auto start = open + 7;
  const auto path = line.substr(start, line.find('"', start) - start);
  return is_python_name(path) ? std::optional(path) : std::nullopt;
}

std::string read_all(int from, int milliseconds) {
  std::string text;
  char buffer[512];
  pollfd ready{from, POLLIN, 0};
  while (text.size() < 65536 && poll(&ready, 1, milliseconds) > 0) {
    const auto count = ::read(from, buffer, sizeof buffer);
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

// In the child: becomes the command, with its output going to `out` and nothing else coming out.
[[noreturn]] void become_command(std::vector<char*>& arguments, int out) {
  const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (dup2(nothing, STDIN_FILENO) >= 0 && dup2(nothing, STDERR_FILENO) >= 0 &&
      dup2(out, STDOUT_FILENO) >= 0)
    execvp(arguments[0], arguments.data());
  _exit(kNotFound);
}

// Its standard output; empty if it can not be started. Without posix_spawn, which wants `environ`:
// a program that is linked for an older C library gets a copy of that variable that nobody sets.
std::string output_of(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return {};
  const pid_t child = fork();
  if (child == 0) become_command(arguments, ends[1]);
  close(ends[1]);
  const auto said = child < 0 ? std::string() : read_all(ends[0], kPatienceMs);
  close(ends[0]);
  if (child > 0) {
    (void)kill(child, SIGKILL);  // it has said what it has to say
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  return said;
}

}  // namespace

std::optional<std::vector<std::string>> interpreter_of(const std::vector<std::string>& command) {
  for (const auto& word : command) {
    const auto file = find_program(word);
    if (!file) continue;
    if (is_python_name(*file)) return std::vector{*file};
    if (auto python = python_of_script(*file)) return std::vector{*python};
  }
  return {};
}

InstalledTorch ask_for_torch(const std::vector<std::string>& interpreter) {
  auto command = interpreter;
  command.insert(command.end(), {"-c", kQuestion});
  const auto words = words_in(output_of(command));
  if (words.size() == 2 && words[0] == "torch") return {InstalledTorch::Answer::version, words[1]};
  if (words.size() == 1 && words[0] == "none") return {InstalledTorch::Answer::none, ""};
  return {};
}

}  // namespace gmlake::tool
