// A page as its process writes it and others read it.
#include "stats/live_page.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "made_up_report.h"
#include "stats/live_reader.h"
#include "stats/page_folder.h"
#include "stats/process_stamp.h"
#include "stats/report_name.h"

namespace gmlake::stats {
namespace {

namespace fs = std::filesystem;

class LivePageTest : public testing::Test {
 protected:
  LivePageTest() {
    auto name = (fs::temp_directory_path() / "gmlake-live-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder: " + name);
    folder_ = name;
  }
  ~LivePageTest() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  static Report described() {
    Report report = made_up_report();
    report.devices.clear();
    report.process = getpid();
    return report;
  }
  bool begin(LivePage& page) { return page.begin(folder_, described(), facts_); }
  PageView seen() const {
    std::string problem;
    const auto pages = pages_in(folder_);
    EXPECT_EQ(pages.size(), 1U);
    auto page = read_page(pages.at(0), problem);
    EXPECT_TRUE(page) << problem;
    return page.value_or(PageView{});
  }
  std::string folder_;
  PageFacts facts_;
};

TEST_F(LivePageTest, IsSeenWhileItCounts) {
  LivePage page;
  facts_.json_file = "/x/report.json";
  ASSERT_TRUE(begin(page));
  auto& device = page.add_device(1);
  auto& front = page.add_front(1);
  device.counters.allocations = 10;
  device.counters.hits_split = 10;
  device.driver[0].calls = 7;
  front.allocations.add(5);
  front.small_allocations.add(2);
  front.live_bytes.add(100);
  const auto view = seen();
  EXPECT_EQ(view.json_file, "/x/report.json");
  EXPECT_EQ(view.report.executable, "train");
  EXPECT_EQ(life_of(view), Life::running);
  ASSERT_EQ(view.report.devices.size(), 1U);
  const auto& c = view.report.devices[0].counters;
  EXPECT_EQ(view.report.devices[0].device, 1);
  EXPECT_EQ(c.allocations, 15U);
  EXPECT_EQ(c.hits_small, 2U);
  EXPECT_EQ(c.hits_exact, 3U);
  EXPECT_EQ(c.live_bytes, 100U);
  EXPECT_EQ(view.report.devices[0].driver[0].calls, 7U);
  page.end();
  EXPECT_TRUE(pages_in(folder_).empty());
}

TEST_F(LivePageTest, GrowsForManyStreams) {
  LivePage page;
  ASSERT_TRUE(begin(page));
  (void)page.add_device(0);
  constexpr int kMany = 2000;
  for (int i = 0; i < kMany; ++i) page.add_front(0).frees.add(1);
  EXPECT_EQ(seen().report.devices.at(0).counters.frees, kMany);
  page.end();
}

TEST_F(LivePageTest, AChildHasNoneOfItsParents) {
  LivePage page;
  ASSERT_TRUE(begin(page));
  auto& front = page.add_front(0);
  front.frees.add(3);
  const pid_t child = fork();
  if (child == 0) {
    page.after_fork();
    const bool empty = front.frees.get() == 0;
    front.frees.add(100);
    page.end();
    _exit(empty ? 7 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  EXPECT_EQ(seen().report.devices.at(0).counters.frees, 3U);
  page.end();
}

TEST_F(LivePageTest, WithoutRoomItCountsByItself) {
  LivePage page;
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{live::kSegment, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  EXPECT_TRUE(begin(page)) << "one segment fits";
  constexpr int kMany = 1000;
  for (int i = 0; i < kMany; ++i) page.add_front(0).frees.add(1);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  EXPECT_EQ(fs::file_size(page.path()), live::kSegment);
  const auto seen_frees = seen().report.devices.at(0).counters.frees;
  EXPECT_GT(seen_frees, 0U);
  EXPECT_LT(seen_frees, kMany);
  page.end();
}

TEST_F(LivePageTest, TheProcessHasEnded) {
  const pid_t child = fork();
  if (child == 0) {
    auto* page = new LivePage;
    const bool begun = begin(*page);
    page->add_device(0).counters.frees = 4;
    _exit(begun ? 7 : 1);
  }
  siginfo_t how{};
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &how, WEXITED | WNOWAIT), 0);
  EXPECT_EQ(life_of(seen()), Life::ended) << "nobody has asked how it ended yet";
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  EXPECT_EQ(life_of(seen()), Life::ended);
  EXPECT_EQ(seen().report.devices.at(0).counters.frees, 4U);
}

TEST_F(LivePageTest, AProcessOfThatNumberIsNotThatProcess) {
  LivePage page;
  ASSERT_TRUE(begin(page));
  auto view = seen();
  ++view.process_start;
  EXPECT_EQ(life_of(view), Life::ended);
  --view.process_start;
  view.path += "x";
  EXPECT_EQ(life_of(view), Life::ended) << "it does not have that page";
  ++view.pid_namespace;
  EXPECT_EQ(life_of(view), Life::elsewhere);
  page.end();
}

TEST_F(LivePageTest, OfManyThatWereKilledTheOldestGo) {
  constexpr std::size_t kFew = 64;
  for (int i = 0; i < 80; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      LivePage page;
      _exit(begin(page) ? 0 : 1);
    }
    int status = 1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_EQ(status, 0);
    ASSERT_LE(pages_in(folder_).size(), kFew);
  }
  LivePage page;
  ASSERT_TRUE(begin(page));
  EXPECT_EQ(pages_in(folder_).size(), kFew);
  EXPECT_TRUE(fs::exists(page.path()));
}

TEST_F(LivePageTest, TheFolderIsItsUsersAlone) {
  const auto folder = folder_ + "/pages";
  EXPECT_TRUE(prepare_page_folder(folder));
  EXPECT_EQ(fs::status(folder).permissions(), fs::perms::owner_all);
  fs::permissions(folder, fs::perms::all);
  EXPECT_FALSE(prepare_page_folder(folder));
  fs::create_symlink(folder_, folder_ + "/link");
  EXPECT_FALSE(prepare_page_folder(folder_ + "/link"));
}

TEST_F(LivePageTest, WhoWritesBesideAnotherTakesANameOfHisOwn) {
  const auto path = folder_ + "/report.json";
  const auto now = nanoseconds_since_1970();
  constexpr std::uint64_t kSecond = 1'000'000'000;
  EXPECT_EQ(Naming(path).name_for({42, now, ""}), path);
  std::ofstream(path) << "x";
  EXPECT_EQ(Naming(path).name_for({42, now - kSecond, ""}), folder_ + "/report.42.json");
  EXPECT_EQ(Naming(path).name_for({42, now + kSecond, ""}), path) << "of an earlier run";
  EXPECT_EQ(Naming("/dev/null").name_for({42, now - kSecond, ""}), "/dev/null");
  EXPECT_EQ(Naming("").name_for({42, now, ""}), "");
}

TEST_F(LivePageTest, WhoHoldsTheMemoryIsCutToSize) {
  LivePage page;
  ASSERT_TRUE(begin(page));
  HoldersRecord* const record = page.add_holders();
  ASSERT_TRUE(record);
  Holders all{MiB, 3 * MiB, 4 * MiB, 1, {}};
  for (std::size_t i = 0; i <= HoldersRecord::kMost; ++i)
    all.holders.push_back({"name " + std::to_string(i), std::string(1000, 'l'),
                           std::vector<std::string>(20, std::string(1000, 'f')),
                           std::vector<std::string>(20, std::string(1000, 'p')), 2 * MiB, 3 * MiB,
                           5 * MiB, 7, 0.5, "legacy"});
  show(*record, all, monotonic_nanoseconds());
  auto who = seen().report.who;
  EXPECT_EQ(who.sample_bytes, MiB);
  EXPECT_EQ(who.lost, 1U);
  ASSERT_EQ(who.holders.size(), HoldersRecord::kMost);
  const auto& last = who.holders.back();
  EXPECT_EQ(last.name, "name " + std::to_string(HoldersRecord::kMost - 1));
  EXPECT_EQ(last.library, std::string(sizeof record->lines[0].library - 1, 'l'));
  ASSERT_EQ(last.frames.size(), HoldersRecord::kFrames);
  EXPECT_EQ(last.frames[0], std::string(sizeof record->lines[0].frames[0] - 1, 'f'));
  ASSERT_EQ(last.python.size(), HoldersRecord::kFrames);
  EXPECT_EQ(last.python[0], std::string(sizeof record->lines[0].python[0] - 1, 'p'));
  EXPECT_EQ(last.at_peak, 3 * MiB);
  EXPECT_EQ(last.blocks, 7U);
  EXPECT_GE(last.oldest_seconds, 0.5);

  all.holders.resize(1);  // of the others nothing is left
  show(*record, all, monotonic_nanoseconds());
  EXPECT_EQ(seen().report.who.holders.size(), 1U);
}

}  // namespace
}  // namespace gmlake::stats
