// Messages to the user: one line each, prefixed "gmlake: ", to stderr (support/stderr.h) or a file.
//
// Thread-safe. Formatting happens only when the level is on. Nothing is set up until the first
// message, so a process that says nothing pays nothing. spdlog stays behind log.cpp; only fmt is
// seen here.
#pragma once

#include <exception>
#include <string_view>
#include <utility>

#include <spdlog/fmt/fmt.h>

namespace gmlake::log {

enum class Level { debug, info, warning, error, off };

// Where messages go from now on: a file path, or "" for stderr. A file that can not be opened is
// said so on stderr, which is then used.
void configure(Level level, std::string_view file);
bool enabled(Level level);
// In a forked child, where a lock that another thread held would never be given back.
void after_fork();
void write(Level level, std::string_view message);

// None throws: without host memory for it a message is lost.
template <typename... Args>
void say(Level level, fmt::format_string<Args...> format, Args&&... args) {
  if (!enabled(level)) return;
  try {
    write(level, fmt::format(format, std::forward<Args>(args)...));
  } catch (const std::exception&) {
  }
}
template <typename... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  say(Level::debug, format, std::forward<Args>(args)...);
}
template <typename... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  say(Level::info, format, std::forward<Args>(args)...);
}
template <typename... Args>
void warning(fmt::format_string<Args...> format, Args&&... args) {
  say(Level::warning, format, std::forward<Args>(args)...);
}
template <typename... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  say(Level::error, format, std::forward<Args>(args)...);
}

}  // namespace gmlake::log
