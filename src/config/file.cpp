// From a file to options: reading it, walking its sections, and what is said of each wrong key.
#include "config/file.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <variant>

#include <fcntl.h>
#include <poll.h>
#include <spdlog/fmt/fmt.h>
#include <unistd.h>

#include "config/located_json.h"
#include "config/nearest.h"
#include "config/value.h"

namespace gmlake::config {
namespace {

constexpr std::size_t kLargestFile = std::size_t{1} << 20;
constexpr std::size_t kMostProblems = 100;

Problem whole_file(const std::string& path, std::string reason, std::string remedy) {
  return {path, "", 0, 0, std::move(reason), std::move(remedy)};
}

// The file's text, or what is wrong with it.
std::variant<std::string, Problem> read_text_file(const std::string& path,
                                                  const std::string& variable) {
  const auto fail = [&](int error) {
    const auto remedy =
        fmt::format("set {} to a JSON file this user can read, or to nothing for none", variable);
    return whole_file(path, fmt::format("can not be read: {}", std::strerror(error)), remedy);
  };
  // A pipe is read while somebody writes there, but nobody is waited for.
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return fail(errno);
  std::string text;
  char part[4096];
  ssize_t length = 0;
  constexpr int kTenths = 50;
  int waited = 0;
  while (text.size() <= kLargestFile) {
    length = read(file, part, sizeof part);
    if (length < 0 && errno == EINTR) continue;
    if (length < 0 && errno == EAGAIN && waited++ < kTenths) {
      pollfd ready{file, POLLIN, 0};
      (void)poll(&ready, 1, 100);
      continue;
    }
    if (length <= 0) break;
    text.append(part, static_cast<std::size_t>(length));
  }
  const int error = errno;
  close(file);
  if (length < 0) return fail(error);
  if (text.size() > kLargestFile)
    return whole_file(path, "is larger than 1 MiB, no configuration is",
                      fmt::format("check that {} names the right file", variable));
  if (text.find_first_not_of(" \t\r\n") == std::string::npos)
    return whole_file(path, "is empty",
                      "write {} for the built-in values, or set " + variable + " to nothing");
  return text;
}

class Reader {
 public:
  Reader(const std::string& path, Origin origin, LoadResult& result)
      : path_(path), origin_(origin), result_(result) {}

  void read_root(const Node& root) {
    if (!root.value.is_object()) {
      result_.problems.push_back(whole_file(path_, "does not hold an object of sections",
                                            "write {\"section\": {\"key\": value}}"));
      return;
    }
    std::set<std::string> seen;
    for (const auto& member : root.members) {
      // An editor's schema reference, and notes: JSON has no comments.
      if (member.key == "$schema" || member.key.starts_with("//")) continue;
      check_once(seen, member, member.key);
      read_section(member);
    }
  }

 private:
  void read_section(const Member& section) {
    const auto known = sections();
    if (std::find(known.begin(), known.end(), section.key) == known.end()) {
      add(section, section.key, "is no section", is_enough() ? "" : advise_section(section.key));
      return;
    }
    if (!section.node.value.is_object()) {
      add(section, section.key, "is not an object of options",
          fmt::format("write \"{}\": {{\"key\": value}}", section.key));
      return;
    }
    for (const auto& option : section.node.members) {
      const auto path = section.key + "." + option.key;
      check_once(seen_options_, option, path);
      const auto index = find_option(section.key, option.key);
      if (index == kOptionCount) {
        add(option, path, "is no option", is_enough() ? "" : advise_key(section.key, option.key));
      } else if (auto refusal = read_json(kOptions[index], option.node.value, result_.config,
                                          option.node.typed)) {
        add(option, path, std::move(refusal->reason), std::move(refusal->remedy));
      } else {
        result_.origins[index] = origin_;
      }
    }
  }

  void check_once(std::set<std::string>& seen, const Member& member, const std::string& path) {
    if (!seen.insert(path).second) add(member, path, "is given twice", "keep one of them");
  }

  static std::string advise_section(const std::string& name) {
    for (const auto& option : kOptions)
      if (name == option.path())
        return fmt::format("write \"{}\": {{\"{}\": value}}", option.section, option.key);
    return nearest_or_all(name, sections());
  }

  static std::string advise_key(const std::string& section, const std::string& key) {
    std::vector<std::string_view> here;
    for (const auto& option : kOptions) {
      if (option.section == section) here.push_back(option.key);
    }
    if (nearest(key, here).empty())
      for (const auto& option : kOptions)
        if (option.key == key) return fmt::format("did you mean \"{}\"?", option.path());
    return nearest_or_all(key, here);
  }

  // Advice takes time, and nobody reads that of the hundredth key.
  bool is_enough() const { return result_.problems.size() >= kMostProblems; }

  void add(const Member& at, std::string path, std::string reason, std::string remedy) {
    result_.problems.push_back({path_, std::move(path), at.place.line, at.place.column,
                                std::move(reason), std::move(remedy)});
  }

  const std::string& path_;
  Origin origin_;
  LoadResult& result_;
  std::set<std::string> seen_options_;
};

}  // namespace

void read_file(const std::string& path, Origin origin, LoadResult& result) {
  auto text =
      read_text_file(path, origin == Origin::system ? "GMLAKE_SYSTEM_CONFIG" : "GMLAKE_CONFIG");
  if (auto* problem = std::get_if<Problem>(&text)) {
    result.problems.push_back(std::move(*problem));
    return;
  }
  const auto parsed = parse_located(std::get<std::string>(text));
  if (const auto* error = std::get_if<SyntaxError>(&parsed)) {
    result.problems.push_back(
        {path, "", error->place.line, error->place.column, error->reason,
         "correct the JSON there: no comma follows the last entry, and notes are "
         "keys that begin with \"//\""});
    return;
  }
  Reader(path, origin, result).read_root(std::get<Node>(parsed));
}

}  // namespace gmlake::config
