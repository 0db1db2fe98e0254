// A pool over a device in memory, for tests that make single requests.
#pragma once

#include <gtest/gtest.h>

#include "pool/device_pool.h"
#include "pool/fake_device.h"

namespace gmlake::pool {

using testing::FakeDevice;

inline void* const kContext = reinterpret_cast<void*>(0x100);

inline Origin on_stream(std::uintptr_t n) {
  return {kContext, n, reinterpret_cast<void*>(0x1000 + n)};
}
inline const Origin kHost{kContext};

inline config::Config plain() {
  config::Config config;
  config.stitch_growth_slack = 0;
  config.streams_ask_again = 0;  // how long a test takes is nobody's business
  return config;
}

struct Bench {
  explicit Bench(Bytes memory = GiB, config::Config with = plain())
      : config(std::move(with)), device(memory), pool(0, device, config) {}
  stats::DeviceCounters counters() const { return pool.report().counters; }
  driver::Address get(Bytes bytes, const Origin& origin) {
    const auto at = pool.allocate(bytes, origin);
    EXPECT_TRUE(at) << at.error().what;
    return at.value_or(0);
  }
  // As the program's hooks tell of it.
  void give_work(const Origin& origin) {
    pool.before_work(origin);
    ++device.submitted[origin.stream];
  }
  // Work that uses the memory, then the free.
  void use_and_free(driver::Address at, const Origin& origin) {
    give_work(origin);
    EXPECT_TRUE(pool.free(at, origin));
    pool.check();
  }
  config::Config config;
  FakeDevice device;
  DevicePool pool;
};

}  // namespace gmlake::pool
