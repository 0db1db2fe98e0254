// The only file that knows spdlog. The logger is private (not in spdlog's registry, which a program
// may use itself), synchronous, flushed at each line, and never destroyed: messages may come as
// late as exit().
#include "support/log.h"

#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <new>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <spdlog/details/console_globals.h>
#include <spdlog/details/null_mutex.h>
#include <spdlog/logger.h>
#include <spdlog/sinks/base_sink.h>

#include "support/device_path.h"
#include "support/lasting.h"
#include "support/no_cancel.h"
#include "support/printable.h"
#include "support/ranked_mutex.h"
#include "support/stderr.h"
#include "support/write_signals.h"

namespace gmlake::log {
namespace {

std::atomic<Level> level_now{Level::warning};

// By descriptor: the program's FILE of that name may be closed, or hold text of its own.
class Stderr final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    (void)write_stderr({line.data(), line.size()});
  }
  void flush_() override {}
};

// spdlog's own way to say that a line could not be written is not asked whose stderr is.
void say_lost(const std::string& what) {
  static std::atomic<bool> said{false};
  if (!said.exchange(true))
    (void)write_stderr(fmt::format("gmlake: error: log.file can not be written: {}\n", what));
}

// By descriptor too. Links are not followed, but for those of /dev and /proc: who shares the folder
// may have made one. A pipe is no place to wait at, and no disk is written to.
class File final : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  explicit File(const std::string& path) {
    const bool leads_elsewhere = is_device_path(path);
    constexpr mode_t kMode = 0666, kFolder = 0777;  // less the umask
    for (auto slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1))
      (void)mkdir(path.substr(0, slash).c_str(), kFolder);
    number_ = open(path.c_str(),
                   O_WRONLY | O_CREAT | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC |
                       (leads_elsewhere ? 0 : O_NOFOLLOW),
                   kMode);
    struct stat there {};
    if (number_ < 0 && errno == ELOOP)
      throw spdlog::spdlog_ex(path + " is a link, and links are not followed");
    if (number_ < 0) throw spdlog::spdlog_ex(path, errno);
    if (fstat(number_, &there) != 0 || S_ISBLK(there.st_mode)) {
      (void)close(number_);
      throw spdlog::spdlog_ex(path, EPERM);
    }
  }
  ~File() override { (void)close(number_); }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t line;
    formatter_->format(message, line);
    if (const int error = write_bounded(number_, {line.data(), line.size()}))
      throw spdlog::spdlog_ex("writing", error);
  }
  void flush_() override {}

  int number_ = -1;
};

std::shared_ptr<spdlog::logger> make(std::string_view file) {
  auto on_stderr = [] {
    return std::make_shared<spdlog::logger>("gmlake", std::make_shared<Stderr>());
  };
  std::shared_ptr<spdlog::logger> logger;
  if (file.empty()) {
    logger = on_stderr();
  } else {
    try {
      logger =
          std::make_shared<spdlog::logger>("gmlake", std::make_shared<File>(std::string(file)));
    } catch (const spdlog::spdlog_ex& problem) {
      logger = on_stderr();
      logger->set_pattern("gmlake: %l: %v");
      logger->warn("log.file can not be opened, messages go to stderr: {}", problem.what());
    }
  }
  logger->set_pattern(file.empty() ? "gmlake: %l: %v" : "%Y-%m-%dT%H:%M:%S.%e %P gmlake: %l: %v");
  logger->set_level(spdlog::level::trace);
  logger->flush_on(spdlog::level::trace);
  logger->set_error_handler(say_lost);
  return logger;
}

struct State {
  RankedMutex<Rank::last> mutex;
  std::shared_ptr<spdlog::logger> logger GMLAKE_GUARDED_BY(mutex);
  std::string file GMLAKE_GUARDED_BY(mutex);
};
State& state() {
  return lasting<State>();
}

spdlog::level::level_enum translate(Level level) {
  switch (level) {
    case Level::debug:
      return spdlog::level::debug;
    case Level::info:
      return spdlog::level::info;
    case Level::warning:
      return spdlog::level::warn;
    case Level::error:
      return spdlog::level::err;
    case Level::off:
      break;
  }
  return spdlog::level::off;
}

}  // namespace

void configure(Level level, std::string_view file) {
  const NoCancel whole;
  auto& s = state();
  const Lock lock(s.mutex);
  level_now = level;
  s.file = file;
  s.logger = make(file);
}

// As the file's name is set before there can be other threads' messages it is whole here, and all
// else is made anew: what there was may be half changed, and is left.
void after_fork() {
  auto& s = state();
  new (&s.mutex) RankedMutex<Rank::last>;
  new (&s.logger) std::shared_ptr<spdlog::logger>;
  new (&spdlog::details::console_mutex::mutex()) std::mutex;
}

bool enabled(Level level) {
  return level >= level_now.load(std::memory_order_relaxed);
}

void write(Level level, std::string_view message) {
  const NoCancel whole;
  auto& s = state();
  const Lock lock(s.mutex);
  if (!s.logger) s.logger = make(s.file);
  const NoWriteSignals none;
  s.logger->log(translate(level), "{}", printable(message, "\n\t"));
}

}  // namespace gmlake::log
