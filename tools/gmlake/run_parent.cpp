// Signals: the terminal's go to the whole process group, so the program has them already; those
// that somebody sends to us are meant for it, and passed on. All are blocked here and taken one by
// one. Stops: when the program is stopped by the terminal we stop too, so that the shell sees its
// job stopped. The kill that nobody can pass on takes the program along (PR_SET_PDEATHSIG).
#include "run_parent.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <exception>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command.h"
#include "output.h"

namespace gmlake::tool {
namespace {

// What is not ours to keep from being noticed when the program closes it: the other end of a pipe
// waits for all who have it. Standard error is kept, for reports.
void let_go_of_files() {
  for (const int number : {STDIN_FILENO, STDOUT_FILENO})
    if (const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC); nowhere >= 0) {
      if (nowhere != number) {
        (void)dup2(nowhere, number);
        (void)close(nowhere);
      }
    }
  (void)close_range(STDERR_FILENO + 1, ~0U, 0);
}

void default_action(int signal) {
  struct sigaction action {};
  action.sa_handler = SIG_DFL;
  (void)sigaction(signal, &action, nullptr);
}

// By its default action, as nothing else would be done with it here.
void raise_in_earnest(int signal) {
  default_action(signal);
  sigset_t one, before;
  sigemptyset(&one);
  sigaddset(&one, signal);
  // Sent while it is blocked, so that it is one with the terminal's own that may be pending.
  (void)kill(getpid(), signal);
  (void)sigprocmask(SIG_UNBLOCK, &one, &before);
  (void)sigprocmask(SIG_SETMASK, &before, nullptr);
}

[[noreturn]] void end_by(int signal) {
  const rlimit none{0, 0};  // the program's own core is the one to look at
  (void)setrlimit(RLIMIT_CORE, &none);
  raise_in_earnest(signal);
  _exit(128 + signal);
}

class Program {
 public:
  explicit Program(pid_t process) : process_(process) {}

  // A signal that came to us.
  void pass_on(const siginfo_t& signal) const {
    const int number = signal.si_signo;
    const bool from_the_kernel = signal.si_code > 0;
    // A terminal that hangs up tells the leader of the session alone.
    const bool hangs_up = number == SIGHUP && getsid(0) == getpid();
    if (from_the_kernel && !hangs_up) return;
    if (signal.si_pid == process_ || signal.si_pid == getpid()) return;
    if (signal.si_code == SI_QUEUE)
      (void)sigqueue(process_, number, signal.si_value);
    else
      (void)kill(process_, number);
  }

  // Whether it has ended, with its status. Children that are nobody's are taken too, where we are
  // the one they come to.
  bool has_ended(int& status) const {
    int how = 0;
    for (pid_t who = 0; (who = waitpid(-1, &how, WNOHANG | WUNTRACED)) > 0;) {
      if (who != process_) continue;
      if (!WIFSTOPPED(how)) {
        status = how;
        return true;
      }
      const int by = WSTOPSIG(how);
      if (by == SIGTSTP || by == SIGTTIN || by == SIGTTOU) {
        raise_in_earnest(by);
        (void)kill(process_, SIGCONT);  // we were, so it is
      }
    }
    return false;
  }

 private:
  const pid_t process_;
};

int wait_for(const Program& program, const sigset_t& signals, const Watch& watch) {
  const auto nanoseconds = static_cast<long long>(watch.interval * 1e9);
  const timespec step{static_cast<time_t>(nanoseconds / 1'000'000'000),
                      static_cast<long>(nanoseconds % 1'000'000'000)};
  for (int status = 0;;) {
    siginfo_t signal{};
    const int number =
        nanoseconds > 0 ? sigtimedwait(&signals, &signal, &step) : sigwaitinfo(&signals, &signal);
    if (number < 0) {
      if (errno == EAGAIN) watch.look();
    } else if (number != SIGCHLD) {
      program.pass_on(signal);
    }
    if (program.has_ended(status)) return status;
  }
}

}  // namespace

int become(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  const int error = errno;
  return complain("run", error == ENOENT ? kNotFound : kNotExecutable,
                  command[0] + " can not be started: " + std::strerror(error));
}

int be_parent(const std::vector<std::string>& command, const Watch& watch) {
  sigset_t all, before;
  sigfillset(&all);
  for (const int fault : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS}) sigdelset(&all, fault);
  (void)sigprocmask(SIG_SETMASK, &all, &before);
  struct sigaction children {
  }, children_before{};
  children.sa_handler = SIG_DFL;  // where they are ignored nobody can wait for them
  (void)sigaction(SIGCHLD, &children, &children_before);
  const pid_t parent = getpid();

  const pid_t process = fork();
  if (process < 0)
    return complain("run", kUnavailable,
                    std::string("no process can be had: ") + std::strerror(errno));
  if (process == 0) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(128 + SIGKILL);
    (void)sigaction(SIGCHLD, &children_before, nullptr);
    (void)sigprocmask(SIG_SETMASK, &before, nullptr);
    _exit(become(command));
  }
  let_go_of_files();
  const int status = wait_for(Program(process), all, watch);
  try {
    watch.ended();
  } catch (const std::exception& problem) {  // the program's end is what counts
    complain("run", 0, problem.what());
  }
  if (WIFSIGNALED(status)) end_by(WTERMSIG(status));
  return WEXITSTATUS(status);
}

}  // namespace gmlake::tool
