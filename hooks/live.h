// What others see of this process: its page while it runs and after (stats/live_page.h), and the
// names that its reports go by.
#pragma once

#include <string>

#include "config/config.h"
#include "stats/live_page.h"
#include "stats/report_name.h"

namespace gmlake::hooks {

// The program may change its folder, and whoever recovers a report has one of his own.
std::string whole_path(const std::string& name);

class Live {
 public:
  // The first call of CUDA that makes a pool. `described`: a report without figures.
  void begin(const config::Config& config, const stats::Report& described);
  stats::Records* records() { return begun_ ? &page_ : nullptr; }
  stats::live::Header* header() const { return page_.header(); }
  // Where others see who holds the memory. Null: nowhere.
  stats::HoldersRecord* holders() {
    if (!holders_ && begun_) holders_ = page_.add_holders();
    return holders_;
  }
  const std::string& path() const { return page_.path(); }  // of the page
  // At the end of exit(): the reports are written, and the page goes.
  void write(const stats::Report& report) const;
  void end() { page_.end(); }
  void after_fork() { page_.after_fork(); }
  // The name under which this process writes what `option` names so, if others of its run write
  // there as well.
  std::string own_name(const stats::Naming& naming, const std::string& name,
                       const char* option) const;

  // Whether there is anything to be written at the end.
  bool writes() const { return facts_.text_report || !facts_.json_file.empty(); }

 private:
  bool begun_ = false;
  stats::PageFacts facts_;
  stats::LivePage page_;
  stats::HoldersRecord* holders_ = nullptr;
};

}  // namespace gmlake::hooks
