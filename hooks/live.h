// What others see of this process: its page while it runs and after (stats/live_page.h), and the
// names that its reports go by.
#pragma once

#include <string>

#include "config/config.h"
#include "stats/live_page.h"

namespace gmlake::hooks {

class Live {
 public:
  // The first call of CUDA that makes a pool. `described`: a report without figures.
  void begin(const config::Config& config, const stats::Report& described);
  stats::Records* records() { return begun_ ? &page_ : nullptr; }
  stats::live::Header* header() const { return page_.header(); }
  // At the end of exit(): the reports are written, and the page goes.
  void write(const stats::Report& report) const;
  void end() { page_.end(); }
  void after_fork() { page_.after_fork(); }

 private:
  std::string own_name(const std::string& name, const char* option) const;

  bool begun_ = false;
  stats::PageFacts facts_;
  stats::LivePage page_;
};

}  // namespace gmlake::hooks
