// The thread of this process that others talk to: it answers what they ask of Exports, tells them
// what is given back, and hears from them what Imports no longer keeps.
//
// There is none before something is shared or opened, and none once stop() has returned, nor in a
// forked child. No signal is handled on it. It never waits for another process: who does not take
// what is sent to him is hung up on, or told later.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <pthread.h>

#include "ipc/exports.h"
#include "ipc/imports.h"
#include "ipc/meeting_place.h"
#include "support/ranked_mutex.h"

namespace gmlake::ipc {

class Service {
 public:
  Service(Exports& exports, Imports& imports) : exports_(exports), imports_(imports) {}
  ~Service() { stop(); }
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Begins to listen under that name. False, with errno, where there can be no socket or thread.
  bool listen(const ProcessName& name, const Folders& folders) GMLAKE_EXCLUDES(mutex_);
  // Hears from now on what that process says on the connection.
  bool follow(const ProcessName& owner, Descriptor connection) GMLAKE_EXCLUDES(mutex_);
  // Something was given back.
  void tell() GMLAKE_EXCLUDES(mutex_);
  void stop() GMLAKE_EXCLUDES(mutex_);
  std::size_t connections() const { return connected_.load(std::memory_order_relaxed); }

 private:
  enum class Role { asks, follows, followed };
  struct Peer {
    Role role = Role::asks;
    Descriptor connection;
    ProcessName owner;                  // whom we follow
    std::vector<std::uint64_t> to_say;  // keys that a follower was not told yet
    bool over = false;
  };

  bool begin() GMLAKE_REQUIRES(mutex_);
  void run();
  bool take_orders() GMLAKE_EXCLUDES(mutex_);
  void accept_all();
  void attend(Peer& peer, short events);
  void answer(Peer& peer, const Message& asked);
  void hear(Peer& peer);
  static void say(Peer& peer);

  Exports& exports_;
  Imports& imports_;
  RankedMutex<Rank::last> mutex_;
  bool runs_ GMLAKE_GUARDED_BY(mutex_) = false;
  bool ended_ GMLAKE_GUARDED_BY(mutex_) = false;
  pthread_t thread_ GMLAKE_GUARDED_BY(mutex_){};
  std::vector<Peer> arrived_ GMLAKE_GUARDED_BY(mutex_);  // to be followed
  Descriptor arrived_listener_ GMLAKE_GUARDED_BY(mutex_);
  std::string path_ GMLAKE_GUARDED_BY(mutex_);
  Descriptor bell_;  // made before the thread, which waits for it
  std::atomic<std::size_t> connected_{0};

  // The thread's own.
  Descriptor listener_;
  std::vector<std::unique_ptr<Peer>> peers_;
  bool full_ = false;  // no descriptor was left for who wants to connect
};

}  // namespace gmlake::ipc
