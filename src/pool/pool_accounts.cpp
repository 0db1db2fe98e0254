// The program's memory pools on the device: requests for one that is not the default pool, and
// giving back. See pool/accounts.h.
#include "pool/device_pool.h"

namespace gmlake::pool {

driver::Address DevicePool::try_allocate_of(Bytes bytes, const Origin& origin) {
  auto& account = books_.accounts().at(origin.pool);
  if (bytes > supply_.most_bytes() || !account.promise(bytes)) return 0;
  const auto at = books_.take(front_of(origin), bytes, origin.pool, memory::Coarse::refuse);
  if (at == 0) account.take_back_promise(bytes);
  return at;
}

// Memory of cudaMalloc is in no pool's order.
bool DevicePool::takes_completed(const Request& request) const {
  return config_.streams_reuse_completed &&
         (request.origin.host() || books_.accounts().at(request.origin.pool).takes_completed);
}

// Whole handles only go, and none of what others use; what the pool does not hold any more is free
// for them.
void DevicePool::let_go(PoolTag pool, Bytes keep) {
  auto& account = books_.accounts().at(pool);
  const Bytes less = books_.let_go(pool, keep) + account.owed.exchange(0);
  if (less == 0) return;
  const Bytes physical = supply_.physical();
  const Bytes given = trim(physical - std::min(physical, less));
  if (given >= less || !books_.has_pending()) return;
  account.owed = less - given;
  account.mark();
}

void DevicePool::trim_account(PoolTag pool, Bytes keep) {
  if (pool != kDefaultPool) return let_go(pool, keep);
  (void)books_.let_go(pool, keep);
  const Bytes others = books_.live_of_others(pool);
  (void)trim(others + std::min(keep, ~others));
}

void DevicePool::close_account(PoolTag pool) {
  books_.accounts().close(pool);
  let_go(pool, 0);
}

void DevicePool::after_wait() {
  books_.accounts().each_marked([this](PoolTag pool, const Account& account) {
    if (!account.holds_too_much()) return;
    if (account.has_threshold)
      let_go(pool, account.threshold_now());
    else
      (void)books_.let_go(pool, account.threshold_now());
  });
  if (config_.pool_release_threshold != config::kNoThreshold) release_surplus();
}

}  // namespace gmlake::pool
