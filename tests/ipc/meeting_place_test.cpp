// Where processes meet: the socket, who may come, and what is left of those that have died.
#include "ipc/meeting_place.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

namespace gmlake::ipc {
namespace {

class MeetingPlace : public testing::Test {
 protected:
  void SetUp() override {
    auto made = (std::filesystem::temp_directory_path() / "gmlake-meeting-XXXXXX").string();
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    folder_ = made;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  Descriptor connect(const ProcessName& name) { return connect_to(name, {folder_}, 1, why_); }

  std::string folder_, path_;
  Unreachable why_ = Unreachable::gone;
};

TEST_F(MeetingPlace, LotsDiffer) {
  EXPECT_NE(draw_name(), draw_name());
}

TEST_F(MeetingPlace, IsFoundByName) {
  const auto name = draw_name();
  const auto listener = listen_as(name, {folder_}, path_);
  ASSERT_TRUE(listener);
  EXPECT_TRUE(connect(name));
  EXPECT_FALSE(connect(draw_name()));
  EXPECT_EQ(why_, Unreachable::gone);
}

// Also where the user's own mask would let others in.
TEST_F(MeetingPlace, IsTheUserSAlone) {
  const auto mask = umask(0);
  const auto listener = listen_as(draw_name(), {folder_}, path_);
  umask(mask);
  ASSERT_TRUE(listener);
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U);
}

// Needs to be another user for a while, which root can.
TEST_F(MeetingPlace, AnotherUserDoesNotConnect) {
  if (geteuid() != 0) GTEST_SKIP();
  const auto name = draw_name();
  const auto listener = listen_as(name, {folder_}, path_);
  ASSERT_TRUE(listener);
  ASSERT_EQ(chmod(folder_.c_str(), 0777), 0);
  const auto as_another = [&](mode_t mode) {
    EXPECT_EQ(chmod(path_.c_str(), mode), 0);
    const pid_t child = fork();
    if (child == 0) {
      if (seteuid(12345) != 0) _exit(100);
      const auto made = connect(name);
      _exit(made ? 101 : static_cast<int>(why_));
    }
    int status = -1;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return WEXITSTATUS(status);
  };
  EXPECT_EQ(as_another(0600), static_cast<int>(Unreachable::other_user));
  // Were the file open to him: both ends look at each other.
  EXPECT_EQ(as_another(0666), static_cast<int>(Unreachable::other_user));
  const Descriptor arrived(accept4(listener.number(), nullptr, nullptr, SOCK_CLOEXEC));
  ASSERT_TRUE(arrived);
  EXPECT_FALSE(is_same_user(arrived.number()));
}

TEST_F(MeetingPlace, TheNextFolderIsTakenWhereOneDoesNotLet) {
  const auto name = draw_name();
  const auto listener = listen_as(name, {folder_ + "/none", folder_}, path_);
  ASSERT_TRUE(listener);
  EXPECT_TRUE(path_.starts_with(folder_ + "/gmlake-"));
  EXPECT_TRUE(connect_to(name, {folder_ + "/none", folder_}, 1, why_));
}

TEST_F(MeetingPlace, SaysWhyThereIsNone) {
  EXPECT_FALSE(listen_as(draw_name(), {folder_ + "/none"}, path_));
  EXPECT_EQ(errno, ENOENT);
  EXPECT_EQ(path_, "");
}

// A process that was killed leaves its socket; one that listens keeps it.
TEST_F(MeetingPlace, WhatIsLeftBehindIsRemoved) {
  std::string old_path, live_path;
  { (void)listen_as(draw_name(), {folder_}, old_path); }
  const auto live = listen_as(draw_name(), {folder_}, live_path);
  const auto soon = listen_as(draw_name(), {folder_}, path_);
  EXPECT_TRUE(std::filesystem::exists(old_path)) << "who made it may be about to listen";
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  const auto late = listen_as(draw_name(), {folder_}, path_, 1);
  EXPECT_FALSE(std::filesystem::exists(old_path));
  EXPECT_TRUE(std::filesystem::exists(live_path));
}

}  // namespace
}  // namespace gmlake::ipc
