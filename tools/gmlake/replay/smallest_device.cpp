// Attempts in child processes and the search over them; see smallest_device.h.
#include "replay/smallest_device.h"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "support/log.h"
#include "trace/info.h"

namespace gmlake::replay {
namespace {

constexpr Bytes kPage = 2 * MiB;

// What the child tells: one letter, and for a failure its reason.
constexpr char kFits = 'y', kDoesNotFit = 'n', kFailed = '!';

struct Search {
  const trace::Trace& trace;
  const std::string& library;
  const config::Config& config;
  const Manner& manner;

  std::string attempt(Bytes memory) const {
    log::configure(log::Level::off, "");  // out of memory is no news here
    const auto device = SimulatedDevice::open(library, memory);
    if (!device) return kFailed + device.error();
    const auto result = replay(trace, **device, config, manner);
    if (!result) return kFailed + result.error();
    return {result->out_of_memory ? kDoesNotFit : kFits};
  }

  trace::Expected<bool> fits(Bytes memory) const;
};

trace::Expected<bool> Search::fits(Bytes memory) const {
  int ends[2];
  if (::pipe(ends) != 0) return tl::unexpected(std::string("pipe: ") + std::strerror(errno));
  const pid_t child = ::fork();
  if (child == 0) {
    const auto answer = attempt(memory);
    const bool written =
        ::write(ends[1], answer.data(), answer.size()) == static_cast<ssize_t>(answer.size());
    ::_exit(written ? 0 : 1);
  }
  ::close(ends[1]);
  if (child < 0) {
    ::close(ends[0]);
    return tl::unexpected(std::string("fork: ") + std::strerror(errno));
  }
  std::string answer;
  char part[512];
  for (ssize_t n = 0; (n = ::read(ends[0], part, sizeof part)) != 0;) {
    if (n > 0) answer.append(part, static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  ::close(ends[0]);
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  if (answer.empty()) return tl::unexpected(std::string("the process of a replay died"));
  if (answer[0] == kFailed) return tl::unexpected(answer.substr(1));
  return answer[0] == kFits;
}

}  // namespace

trace::Expected<std::optional<Bytes>> smallest_device(const trace::Trace& trace,
                                                      const std::string& library,
                                                      const config::Config& config,
                                                      const Manner& manner, Bytes most) {
  const Search search{trace, library, config, manner};
  const auto least = std::max(kPage, round_up(trace::summarize(trace).peak_live, kPage));
  most = round_down(most, kPage);
  if (least > most) return std::nullopt;
  // Most traces fit into little more than their peak: from there up in growing steps, then between
  // the last two.
  Bytes too_small = least - kPage, enough = least;
  for (Bytes step = kPage;; step *= 2) {
    const auto fits = search.fits(enough);
    if (!fits) return tl::unexpected(fits.error());
    if (*fits) break;
    if (enough == most) return std::nullopt;
    too_small = enough;
    enough = std::min(most, enough + step);
  }
  while (enough - too_small > kPage) {
    const auto middle = too_small + round_down((enough - too_small) / 2, kPage);
    const auto fits = search.fits(middle);
    if (!fits) return tl::unexpected(fits.error());
    (*fits ? enough : too_small) = middle;
  }
  return enough;
}

}  // namespace gmlake::replay
