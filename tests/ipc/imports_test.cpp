// Two ends, each with a device and a thread of its own, as two processes have them.
#include "ipc/imports.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

#include "ipc/exports.h"
#include "ipc/service.h"
#include "memory_files.h"

namespace gmlake::ipc::imports_test {
namespace {

constexpr Bytes kGranule = 2 * MiB;

std::size_t descriptors() {
  const std::filesystem::directory_iterator all("/proc/self/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

bool soon(const std::function<bool()>& holds) {
  for (int i = 0; i < 1000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return false;
}

struct End {
  explicit End(const std::string& folder) : folders{folder} {}

  Ticket share(driver::Address at, const std::vector<driver::Handle>& handles) {
    const auto number = exports.add(at, [&]() -> std::optional<Shown> {
      Shown shown{!live.insert(at).second, 1000, 512, {}};
      for (const auto handle : handles) shown.handles.push_back({kGranule, handle});
      return shown;
    });
    return {name, number.value_or(0), 0};
  }
  tl::expected<driver::Address, Refusal> open(const Ticket& ticket, std::intptr_t context = 1,
                                              int device = 0) {
    return imports.open(ticket, reinterpret_cast<void*>(context), device);
  }
  void give_back(driver::Handle handle) {
    if (exports.forget(handle)) service.tell();
    memory.release(handle);
  }

  Folders folders;
  ProcessName name = draw_name();
  MemoryFiles memory;
  std::set<driver::Address> live;
  Exports exports{memory, [this](driver::Address at) { return live.contains(at); }};
  Imports imports{memory,
                  folders,
                  [this](const ProcessName& owner, Descriptor connection) {
                    return service.follow(owner, std::move(connection));
                  },
                  {2, 1}};
  Service service{exports, imports};
};

class TwoEnds : public testing::Test {
 protected:
  void SetUp() override {
    auto made = (std::filesystem::temp_directory_path() / "gmlake-ends-XXXXXX").string();
    ASSERT_NE(mkdtemp(made.data()), nullptr);
    folder_ = made;
    before_ = descriptors();
    owner_.emplace(folder_);
    other_.emplace(folder_);
    ASSERT_TRUE(owner_->service.listen(owner_->name, owner_->folders));
  }
  void TearDown() override {
    other_.reset();
    owner_.reset();
    EXPECT_TRUE(std::filesystem::is_empty(folder_));
    std::filesystem::remove_all(folder_);
  }

  std::string folder_;
  std::size_t before_ = 0;
  std::optional<End> owner_, other_;
};

TEST_F(TwoEnds, OpenTheSameMemory) {
  const std::vector handles{owner_->memory.create(), owner_->memory.create()};
  const auto at = other_->open(owner_->share(0x1000, handles));
  ASSERT_TRUE(at);
  EXPECT_EQ(*at % kGranule, 512U);
  const auto& seen = other_->memory.last_mapped;
  ASSERT_EQ(seen.size(), 2U);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_TRUE(MemoryFiles::same(owner_->memory, handles[i], other_->memory, seen[i].handle));
  const auto range = other_->imports.range_of(*at + 999);
  ASSERT_TRUE(range);
  EXPECT_EQ(range->start, *at);
  EXPECT_EQ(range->bytes, 1000U);
  EXPECT_FALSE(other_->imports.range_of(*at + 1000));
}

TEST_F(TwoEnds, CountOpenings) {
  const auto ticket = owner_->share(0x1000, {owner_->memory.create()});
  const auto at = other_->open(ticket);
  EXPECT_EQ(other_->open(ticket).value_or(0), *at);
  EXPECT_TRUE(other_->imports.close(*at));
  EXPECT_EQ(other_->memory.waits, 0);
  EXPECT_TRUE(other_->imports.close(*at));
  EXPECT_EQ(other_->memory.waits, 1);
  EXPECT_FALSE(other_->imports.close(*at));
  EXPECT_FALSE(other_->imports.close(*at + 512));
}

// Opened and closed in turn it costs the driver's calls once.
TEST_F(TwoEnds, KeepWhatWasClosed) {
  const auto ticket = owner_->share(0x1000, {owner_->memory.create()});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(other_->imports.close(*other_->open(ticket)));
  EXPECT_EQ(other_->memory.imported, 1);
  EXPECT_EQ(other_->memory.mapped, 1);
}

TEST_F(TwoEnds, KeepABoundedNumberOfBlocks) {
  for (driver::Address at = 1; at <= 10; ++at)
    ASSERT_TRUE(other_->imports.close(
        *other_->open(owner_->share(at * 0x1000, {owner_->memory.create()}))));
  EXPECT_EQ(other_->imports.size().idle, 2U);
  EXPECT_EQ(other_->memory.mapped, 2);
}

TEST_F(TwoEnds, ShareAHandleBetweenBlocks) {
  const auto handle = owner_->memory.create();
  ASSERT_TRUE(other_->open(owner_->share(0x1000, {handle})));
  ASSERT_TRUE(other_->open(owner_->share(0x2000, {handle})));
  EXPECT_EQ(other_->memory.imported, 1);
}

TEST_F(TwoEnds, LetGoOfWhatTheOwnerGivesBack) {
  const auto kept = owner_->memory.create();
  const auto gone = owner_->memory.create();
  ASSERT_TRUE(other_->imports.close(*other_->open(owner_->share(0x1000, {kept}))));
  ASSERT_TRUE(other_->imports.close(*other_->open(owner_->share(0x2000, {gone}))));
  owner_->live.erase(0x2000);
  owner_->give_back(gone);
  EXPECT_TRUE(soon([&] { return other_->memory.handles() == 1; }));
  EXPECT_EQ(other_->memory.mapped, 1);
  EXPECT_EQ(other_->imports.size().idle, 1U);
}

// It is the program's until it closes it.
TEST_F(TwoEnds, KeepWhatIsOpenWhateverTheOwnerDoes) {
  const auto handle = owner_->memory.create();
  const auto at = other_->open(owner_->share(0x1000, {handle}));
  ASSERT_TRUE(at);
  owner_->give_back(handle);
  EXPECT_TRUE(soon([&] { return other_->imports.size().handles == 0; }));
  EXPECT_EQ(other_->memory.handles(), 1U);
  EXPECT_TRUE(other_->imports.close(*at));
  EXPECT_EQ(other_->memory.handles(), 0U);
  EXPECT_EQ(other_->memory.mapped, 0);
}

TEST_F(TwoEnds, AnOwnerThatEndsIsNoticed) {
  const auto open = other_->open(owner_->share(0x1000, {owner_->memory.create()}));
  ASSERT_TRUE(
      other_->imports.close(*other_->open(owner_->share(0x2000, {owner_->memory.create()}))));
  const auto late = owner_->share(0x3000, {owner_->memory.create()});
  owner_->service.stop();
  EXPECT_TRUE(soon([&] { return other_->imports.size().owners == 0; }));
  EXPECT_EQ(other_->memory.handles(), 1U);
  EXPECT_TRUE(other_->imports.close(*open));
  EXPECT_EQ(other_->memory.handles(), 0U);
  const auto refused = other_->open(late);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Refusal::gone);
}

TEST_F(TwoEnds, AnImporterThatEndsLeavesNothing) {
  ASSERT_TRUE(other_->open(owner_->share(0x1000, {owner_->memory.create()})));
  EXPECT_TRUE(soon([&] { return owner_->service.connections() == 2; }));
  other_.reset();
  EXPECT_TRUE(soon([&] {
    owner_->service.tell();
    return owner_->service.connections() == 0;
  }));
  other_.emplace(folder_);
  EXPECT_TRUE(other_->open(owner_->share(0x2000, {owner_->memory.create()})));
}

// Who is stopped, say by a debugger.
TEST_F(TwoEnds, AnOwnerThatDoesNotAnswerIsGivenUp) {
  std::string path;
  const auto name = draw_name();
  const auto deaf = listen_as(name, {folder_}, path);
  const auto start = std::chrono::steady_clock::now();
  const auto refused = other_->open({name, 1, 0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Refusal::unreachable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
  std::filesystem::remove(path);
}

TEST_F(TwoEnds, OneContextOfADeviceAtATime) {
  const auto first = owner_->share(0x1000, {owner_->memory.create()});
  const auto second = owner_->share(0x2000, {owner_->memory.create()});
  const auto at = other_->open(first, 1, 0);
  ASSERT_TRUE(at);
  const auto refused = other_->open(second, 2, 0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Refusal::other_context);
  EXPECT_TRUE(other_->open(second, 3, 1));
  EXPECT_TRUE(other_->imports.close(*at));
  EXPECT_TRUE(other_->open(second, 2, 0));
}

TEST_F(TwoEnds, AContextTakesWhatWasOpenThere) {
  const auto ticket = owner_->share(0x1000, {owner_->memory.create()});
  const auto at = other_->open(ticket, 1);
  other_->imports.context_ends(reinterpret_cast<void*>(1));
  EXPECT_FALSE(other_->imports.close(*at));
  EXPECT_EQ(other_->memory.mapped, 0);
  EXPECT_TRUE(other_->open(ticket, 2));
}

TEST_F(TwoEnds, AFreedBlockIsNotOpenedAgain) {
  const auto ticket = owner_->share(0x1000, {owner_->memory.create()});
  ASSERT_TRUE(other_->imports.close(*other_->open(ticket)));
  owner_->live.clear();
  const auto refused = other_->open(ticket);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Refusal::freed);
}

TEST_F(TwoEnds, ADriverThatRefusesIsQuoted) {
  const auto ticket = owner_->share(0x1000, {owner_->memory.create()});
  other_->memory.fails_to_import = true;
  const auto refused = other_->open(ticket);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().why, Refusal::driver);
  EXPECT_EQ(refused.error().code, 2);
  other_->memory.fails_to_import = false;
  EXPECT_TRUE(other_->open(ticket));
}

// More handles than one message takes, and than are kept as descriptors.
TEST_F(TwoEnds, ManyHandles) {
  std::vector<driver::Handle> handles;
  for (int i = 0; i < 600; ++i) handles.push_back(owner_->memory.create());
  ASSERT_TRUE(other_->open(owner_->share(0x1000, handles)));
  ASSERT_EQ(other_->memory.last_mapped.size(), 600U);
  for (std::size_t i = 0; i < 600; i += 37)
    EXPECT_TRUE(MemoryFiles::same(owner_->memory, handles[i], other_->memory,
                                  other_->memory.last_mapped[i].handle));
}

TEST_F(TwoEnds, ThreadsOpenOneBlockOnce) {
  const auto ticket = owner_->share(0x1000, {owner_->memory.create()});
  std::vector<std::thread> threads;
  std::atomic<driver::Address> at{0};
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int n = 0; n < 200; ++n) {
        const auto opened = other_->open(ticket);
        ASSERT_TRUE(opened);
        at = *opened;
        EXPECT_TRUE(other_->imports.close(*opened));
      }
    });
  for (auto& thread : threads) thread.join();
  EXPECT_FALSE(other_->imports.close(at));
  EXPECT_EQ(other_->memory.imported, 1);
}

TEST_F(TwoEnds, NoDescriptorIsLeft) {
  const auto handle = owner_->memory.create();
  ASSERT_TRUE(other_->imports.close(*other_->open(owner_->share(0x1000, {handle}))));
  owner_->live.clear();
  owner_->give_back(handle);
  EXPECT_TRUE(soon([&] { return other_->memory.handles() == 0; }));
  other_->service.stop();
  owner_->service.stop();
  other_.reset();
  owner_.reset();
  EXPECT_EQ(descriptors(), before_);
  SetUp();
}

TEST_F(TwoEnds, NobodyIsHeardOnceItIsOver) {
  owner_->service.stop();
  EXPECT_FALSE(owner_->service.listen(draw_name(), owner_->folders));
}

}  // namespace
}  // namespace gmlake::ipc::imports_test
