#include "ipc/service.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <exception>
#include <utility>

namespace gmlake::ipc {
namespace {

constexpr std::size_t kStack = std::size_t{256} << 10;
constexpr int kPauseMs = 100;  // before a connection is taken again that there was no room for

}  // namespace

bool Service::begin() {
  if (ended_) return false;
  if (runs_) return true;
  if (!bell_) bell_ = Descriptor(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!bell_) return false;
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  (void)pthread_attr_setstacksize(&attributes, kStack);
  // The thread begins with the mask of the one that makes it.
  sigset_t all;
  sigset_t before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  const auto run = [](void* self) -> void* {
    auto& service = *static_cast<Service*>(self);
    try {
      service.run();
    } catch (const std::exception&) {  // no host memory: nobody is answered any more
    }
    service.peers_.clear();
    service.listener_.close();
    return nullptr;
  };
  runs_ = pthread_create(&thread_, &attributes, run, this) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  (void)pthread_attr_destroy(&attributes);
  if (runs_) (void)pthread_setname_np(thread_, "gmlake-ipc");
  return runs_;
}

bool Service::listen(const ProcessName& name, const Folders& folders) {
  std::string path;
  auto made = listen_as(name, folders, path);
  if (!made) return false;
  {
    const Lock lock(mutex_);
    if (begin()) {
      arrived_listener_ = std::move(made);
      path_ = std::move(path);
      path.clear();
    }
  }
  if (!path.empty()) {
    (void)unlink(path.c_str());
    return false;
  }
  tell();
  return true;
}

bool Service::follow(const ProcessName& owner, Descriptor connection) {
  {
    const Lock lock(mutex_);
    if (!begin()) return false;
    arrived_.push_back({Role::followed, std::move(connection), owner, {}, false});
  }
  tell();
  return true;
}

void Service::tell() {
  const Lock lock(mutex_);
  const std::uint64_t one = 1;
  if (runs_) (void)!write(bell_.number(), &one, sizeof one);
}

void Service::stop() {
  pthread_t thread{};
  std::string path;
  {
    const Lock lock(mutex_);
    ended_ = true;
    path = std::exchange(path_, {});
    if (!std::exchange(runs_, false)) return;
    thread = thread_;
    const std::uint64_t one = 1;
    (void)!write(bell_.number(), &one, sizeof one);
  }
  if (!path.empty()) (void)unlink(path.c_str());
  (void)pthread_join(thread, nullptr);
}

// False: it is over.
bool Service::take_orders() {
  std::uint64_t rung = 0;
  (void)!read(bell_.number(), &rung, sizeof rung);
  {
    const Lock lock(mutex_);
    if (ended_) return false;
    for (auto& peer : arrived_) peers_.push_back(std::make_unique<Peer>(std::move(peer)));
    arrived_.clear();
    if (arrived_listener_) listener_ = std::move(arrived_listener_);
  }
  const auto gone = exports_.take_gone();
  for (auto& peer : peers_) {
    if (peer->role != Role::follows || gone.empty()) continue;
    peer->to_say.insert(peer->to_say.end(), gone.begin(), gone.end());
    say(*peer);
  }
  return true;
}

void Service::run() {
  std::vector<pollfd> waited;
  while (take_orders()) {
    std::erase_if(peers_, [](const auto& peer) { return peer->over; });
    connected_ = peers_.size();
    waited.assign({{bell_.number(), POLLIN, 0}, {full_ ? -1 : listener_.number(), POLLIN, 0}});
    for (const auto& peer : peers_)
      waited.push_back({peer->connection.number(),
                        static_cast<short>(peer->to_say.empty() ? POLLIN : POLLIN | POLLOUT), 0});
    (void)poll(waited.data(), waited.size(), full_ ? kPauseMs : -1);
    full_ = false;
    for (std::size_t i = 2; i < waited.size(); ++i)
      if (waited[i].revents != 0) attend(*peers_[i - 2], waited[i].revents);
    if (waited[1].revents != 0) accept_all();
  }
}

void Service::accept_all() {
  for (;;) {
    Descriptor made(accept4(listener_.number(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!made) {
      full_ = errno != EAGAIN && errno != EINTR && errno != ECONNABORTED;
      return;
    }
    if (!is_same_user(made.number())) continue;
    peers_.push_back(std::make_unique<Peer>());
    peers_.back()->connection = std::move(made);
  }
}

void Service::attend(Peer& peer, short events) {
  if ((events & POLLOUT) != 0) say(peer);
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0) hear(peer);
  if (peer.over && peer.role == Role::followed) imports_.drop_owner(peer.owner);
}

void Service::hear(Peer& peer) {
  Message message;
  std::vector<Descriptor> none;
  switch (receive(peer.connection.number(), message, none)) {
    case Got::nothing:
      return;
    case Got::end:
      peer.over = true;
      return;
    case Got::message:
      break;
  }
  if (peer.role == Role::followed && message.kind == Kind::gone)
    imports_.drop(peer.owner, message.all());
  else if (peer.role == Role::asks)
    answer(peer, message);
  else
    peer.over = true;
}

void Service::answer(Peer& peer, const Message& asked) {
  Message answer;
  answer.kind = asked.kind;
  Exports::Passed passed;
  switch (asked.kind) {
    case Kind::parts:
      exports_.answer_parts(asked, answer);
      break;
    case Kind::give:
      passed = exports_.answer_give(asked, answer);
      break;
    case Kind::follow:
      peer.role = Role::follows;
      break;
    default:
      peer.over = true;
      return;
  }
  std::vector<int> numbers;
  for (const auto& descriptor : passed) numbers.push_back(descriptor->number());
  // Who asks waits for the answer, so there is room for it.
  peer.over = send(peer.connection.number(), answer, numbers) != Sent::yes;
}

void Service::say(Peer& peer) {
  auto& keys = peer.to_say;
  std::size_t said = 0;
  while (said < keys.size() && !peer.over) {
    Message message;
    message.kind = Kind::gone;
    for (auto i = said; i < keys.size() && message.count < kMostParts; ++i)
      message.add({keys[i], 0});
    const auto sent = send(peer.connection.number(), message);
    if (sent == Sent::later) break;
    peer.over = sent == Sent::no;
    said += message.count;
  }
  keys.erase(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(said));
}

}  // namespace gmlake::ipc
