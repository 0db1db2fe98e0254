// The commands of `gmlake`, one function each. A command adds its subcommand with its options, its
// help (an example and its exit codes) and a callback that does the work and sets `exit_code`.
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace gmlake::tool {

// The numbers of sysexits.h where one fits, and the shell's for a program that could not be
// started.
inline constexpr int kSuccess = 0;
inline constexpr int kUsage = 64;
inline constexpr int kUnavailable = 69;
inline constexpr int kInternal = 70;
inline constexpr int kCanNotWrite = 73;
inline constexpr int kBadConfiguration = 78;
inline constexpr int kNotExecutable = 126;
inline constexpr int kNotFound = 127;

// run and record
void add_run(CLI::App& app, int& exit_code);
void add_config(CLI::App& app, int& exit_code);
void add_trace(CLI::App& app, int& exit_code);
void add_replay(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_stats(CLI::App& app, int& exit_code);
void add_top(CLI::App& app, int& exit_code);
void add_report(CLI::App& app, int& exit_code);
// trim, limit and dump
void add_control(CLI::App& app, int& exit_code);
// manual and completion
void add_words(CLI::App& app, int& exit_code);

// For these two: takes the program and its arguments off the command line's words (without the
// first, "gmlake"), so that CLI11 sees gmlake's own only. It would take an argument such as "[a,b]"
// apart.
void take_program(const CLI::App& app, std::vector<std::string>& words);

}  // namespace gmlake::tool
