// The driver door's other half: what the program does to put its streams in order. Every call goes
// to the driver; around it the pools are told of what it proves (stream/clocks.h).
//
// An event that a graph or another process may record as well is never seen again: its latest
// recording is not known then.
#include <unordered_set>

#include "hooks/order.h"
#include "hooks/serve.h"
#include "hooks/work.h"
#include "support/fault.h"
#include "support/lasting.h"

namespace gmlake::hooks {
namespace {

// Nothing is proved before there is memory to prove it of.
bool watched() {
  auto& process = Process::get();
  return process.driver_door() && process.has_pools() && process.serving();
}

// Events that are recorded where it is not seen, by handle. Few programs have any.
class Unseen {
 public:
  void add(CUevent event) {
    const Lock lock(mutex_);
    events_.insert(event);
    any_.store(true);
  }
  void add_all() {
    all_.store(true);
    any_.store(true);
  }
  void remove(CUevent event) {
    if (!any_.load(std::memory_order_relaxed)) return;
    const Lock lock(mutex_);
    events_.erase(event);
  }
  bool has(CUevent event) {
    if (!any_.load(std::memory_order_relaxed)) return false;
    if (all_.load()) return true;
    const Lock lock(mutex_);
    return events_.count(event) != 0;
  }

 private:
  RankedMutex<Rank::events> mutex_;
  std::atomic<bool> any_{false};
  std::atomic<bool> all_{false};
  std::unordered_set<CUevent> events_ GMLAKE_GUARDED_BY(mutex_);
};
Unseen& unseen() {
  return lasting<Unseen>();
}

void forget(CUevent event) {
  if (!watched()) return;
  note(Action::forget, {}, 0, handle_number(event));
  (void)each_pool([&](pool::DevicePool& pool) { pool.forget_event(event); });
}
void becomes_unseen(CUevent event) {
  if (!Process::get().driver_door() || GMLAKE_FAULT(graph_records_unseen)) return;
  (void)guarded([&] { unseen().add(event); });
  forget(event);
}
void becomes_unseen(const CUgraphNodeParams* node) {
  if (node && node->type == CU_GRAPH_NODE_TYPE_EVENT_RECORD)
    becomes_unseen(node->eventRecord.event);
}

// The event is recorded by `native`: behind what the stream has been given, or (`proves` is false)
// behind something else, which proves nothing.
template <typename Native>
CUresult recorded_by(CUevent event, const pool::Origin& origin, int device, bool proves,
                     Native native) {
  note(proves ? Action::record : Action::forget, origin, device, handle_number(event));
  static std::atomic<stream::Recording> numbers{0};
  const auto number = numbers.fetch_add(1, std::memory_order_relaxed) + 1;
  std::uint64_t seen = 0;  // by device
  const CUresult early = GMLAKE_FAULT(snapshot_after_record) ? native() : CUDA_SUCCESS;
  static_assert(Process::kMostDevices <= 64);
  (void)each_pool([&](pool::DevicePool& pool) {
    if (pool.recording(event, origin, number)) seen |= std::uint64_t{1} << pool.ordinal();
  });
  const CUresult result = GMLAKE_FAULT(snapshot_after_record) ? early : native();
  const bool done = proves && result == CUDA_SUCCESS && !unseen().has(event);
  if (proves && !done) note(Action::forget, {}, device, handle_number(event));
  if (seen != 0)
    (void)each_pool([&](pool::DevicePool& pool) {
      if ((seen >> pool.ordinal() & 1) != 0) pool.recorded(event, number, done);
    });
  return result;
}

template <typename Native>
CUresult event_recorded(const RealDriver& real, CUevent event, CUstream stream, bool per_thread,
                        Native native) {
  if (!watched()) return native();
  const auto caller = stream_caller(real, stream, per_thread);
  // There it is work, which stands between that of blocking streams.
  if (caller && caller->legacy()) before_work(real, stream, per_thread);
  if (!caller || caller->capturing || unseen().has(event)) {
    if (!GMLAKE_FAULT(captured_record)) forget(event);
    return native();
  }
  return recorded_by(event, caller->origin, caller->device, true, native);
}

// The event is recorded on a whole context.
template <typename Native>
CUresult recorded_on_context(CUevent event, Native native) {
  return watched() ? recorded_by(event, pool::Origin{}, 0, false, native) : native();
}

// All that the context is given later will wait. Which context that is makes no difference: what
// has been freed is followed.
template <typename Native>
CUresult context_waits(Native native) {
  if (watched()) (void)each_pool([](pool::DevicePool& pool) { pool.before_all_wait(); });
  return native();
}

CUresult record_with_flags(CUresult (*native)(CUevent, CUstream, unsigned), const RealDriver& real,
                           CUevent event, CUstream stream, unsigned flags, bool per_thread) {
  // In a capture it becomes a node of the graph.
  if ((flags & CU_EVENT_RECORD_EXTERNAL) != 0) becomes_unseen(event);
  return event_recorded(real, event, stream, per_thread,
                        [&] { return native(event, stream, flags); });
}

// Which recording of the event the call is about, for `conclude(pool, recording)` once it has
// succeeded.
template <typename Native, typename Conclude>
CUresult about(CUevent event, Native native, Conclude conclude) {
  stream::Recording number = 0;
  const CUresult early = GMLAKE_FAULT(latest_recording_waited) ? native() : CUDA_SUCCESS;
  (void)each_pool(
      [&](pool::DevicePool& pool) { number = std::max(number, pool.recording_of(event)); });
  const CUresult result = GMLAKE_FAULT(latest_recording_waited) ? early : native();
  if (number != 0 && (result == CUDA_SUCCESS || GMLAKE_FAULT(failure_is_success)))
    (void)each_pool([&](pool::DevicePool& pool) { conclude(pool, number); });
  return result;
}

CUresult stream_waits(CUresult (*native)(CUstream, CUevent, unsigned), const RealDriver& real,
                      CUstream stream, CUevent event, unsigned flags, bool per_thread) {
  before_work(real, stream, per_thread);
  // The stream may join a capture by this.
  const auto wait = [&] {
    if (!capture_under_way()) return native(stream, event, flags);
    const Lock lock(captures_mutex());
    return native(stream, event, flags);
  };
  if (!watched()) return wait();
  const auto caller = stream_caller(real, stream, per_thread);
  if (!caller || caller->capturing) return wait();
  const auto made = [&] {
    const CUresult result = wait();
    if (result == CUDA_SUCCESS)
      note(Action::wait, caller->origin, caller->device, handle_number(event));
    return result;
  };
  return about(event, made, [&](pool::DevicePool& pool, stream::Recording number) {
    pool.waits(caller->origin, event, number);
  });
}

// The host has waited for something, or asked.
void note_answer(Action action, const RealDriver& real, std::uint64_t pointer, CUresult result) {
  if (!record::is_on()) [[likely]]
    return;
  if (result != CUDA_SUCCESS && result != CUDA_ERROR_NOT_READY) return;
  const auto caller = host_caller(real);
  note(action, {}, caller ? caller->device : 0, pointer, result == CUDA_SUCCESS);
}

CUresult event_happens(CUresult (*native)(CUevent), Action action, const RealDriver& real,
                       CUevent event) {
  if (!watched()) return native(event);
  return about(
      event,
      [&] {
        const CUresult result = native(event);
        note_answer(action, real, handle_number(event), result);
        return result;
      },
      [&](pool::DevicePool& pool, stream::Recording number) { pool.happened(event, number); });
}

// The host learns that all that a stream or a context was given before the call has happened.
template <typename Native>
CUresult all_happens(const std::optional<Caller>& caller, Action action, Native native) {
  if (!caller || caller->capturing) return native();
  std::vector<std::pair<pool::DevicePool*, stream::Snapshot>> given;
  const CUresult early = GMLAKE_FAULT(given_after_wait) ? native() : CUDA_SUCCESS;
  const bool all = each_pool([&](pool::DevicePool& pool) {
    if (auto snapshot = pool.given(caller->origin); !snapshot.empty())
      given.emplace_back(&pool, std::move(snapshot));
  });
  if (!all) given.clear();
  const CUresult result = GMLAKE_FAULT(given_after_wait) ? early : native();
  if (result == CUDA_SUCCESS || result == CUDA_ERROR_NOT_READY)
    note(action, caller->origin, caller->device, 0, result == CUDA_SUCCESS);
  if (result == CUDA_SUCCESS || GMLAKE_FAULT(failure_is_success))
    (void)guarded([&] {
      for (const auto& [pool, snapshot] : given) pool->happened(snapshot);
    });
  return result;
}

CUresult stream_happens(CUresult (*native)(CUstream), Action action, const RealDriver& real,
                        CUstream stream, bool per_thread) {
  if (!watched()) return native(stream);
  auto caller = stream_caller(real, stream, per_thread);
  const bool legacy = !per_thread && (!stream || stream == CU_STREAM_LEGACY);
  if (GMLAKE_FAULT(stream_wait_for_all) || (legacy && GMLAKE_FAULT(legacy_wait_for_all)))
    if (caller) caller->origin.stream_id = 0;
  return all_happens(caller, action, [&] { return native(stream); });
}

CUresult waited(const RealDriver& real, CUresult result) {
  if (result == CUDA_SUCCESS && Process::get().driver_door()) after_wait(real);
  return result;
}

CUresult destroy(CUresult (*native)(CUevent), CUevent event) {
  if (!GMLAKE_FAULT(event_outlives_destroy)) forget(event);
  if (Process::get().driver_door()) unseen().remove(event);
  return native(event);
}

}  // namespace

void records_event(CUlaunchAttributeID attribute, const CUlaunchAttributeValue* value) {
  if (!value) return;
  if (attribute == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT)
    becomes_unseen(value->programmaticEvent.event);
  if (attribute == CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT)
    becomes_unseen(value->launchCompletionEvent.event);
}
void events_unseen() {
  unseen().add_all();
  (void)each_pool([](pool::DevicePool& pool) { pool.forget_events(); });
}

CUresult event_record(CUevent event, CUstream stream) {
  GMLAKE_REAL(event_record);
  GMLAKE_CALL_SITE();
  return event_recorded(*real, event, stream, false,
                        [&] { return real->event_record(event, stream); });
}
CUresult event_record_ptsz(CUevent event, CUstream stream) {
  GMLAKE_REAL(event_record_ptsz);
  GMLAKE_CALL_SITE();
  return event_recorded(*real, event, stream, true,
                        [&] { return real->event_record_ptsz(event, stream); });
}
CUresult event_record_with_flags(CUevent event, CUstream stream, unsigned flags) {
  GMLAKE_REAL(event_record_with_flags);
  GMLAKE_CALL_SITE();
  return record_with_flags(real->event_record_with_flags, *real, event, stream, flags, false);
}
CUresult event_record_with_flags_ptsz(CUevent event, CUstream stream, unsigned flags) {
  GMLAKE_REAL(event_record_with_flags_ptsz);
  GMLAKE_CALL_SITE();
  return record_with_flags(real->event_record_with_flags_ptsz, *real, event, stream, flags, true);
}

CUresult stream_wait_event(CUstream stream, CUevent event, unsigned flags) {
  GMLAKE_REAL(stream_wait_event);
  GMLAKE_CALL_SITE();
  return stream_waits(real->stream_wait_event, *real, stream, event, flags, false);
}
CUresult stream_wait_event_ptsz(CUstream stream, CUevent event, unsigned flags) {
  GMLAKE_REAL(stream_wait_event_ptsz);
  GMLAKE_CALL_SITE();
  return stream_waits(real->stream_wait_event_ptsz, *real, stream, event, flags, true);
}

CUresult ctx_synchronize() {
  GMLAKE_REAL(ctx_synchronize);
  GMLAKE_CALL_SITE();
  const auto native = [&] { return real->ctx_synchronize(); };
  return waited(*real, watched()
                           ? all_happens(host_caller(*real), Action::synchronize_context, native)
                           : native());
}
CUresult ctx_synchronize_v2(CUcontext context) {
  GMLAKE_REAL(ctx_synchronize_v2);
  GMLAKE_CALL_SITE();
  const auto native = [&] { return real->ctx_synchronize_v2(context); };
  if (!watched()) return waited(*real, native());
  Caller caller;
  caller.origin.context = context;
  if (const auto current = host_caller(*real)) caller.device = current->device;
  return waited(*real, all_happens(caller, Action::synchronize_context, native));
}
CUresult stream_synchronize(CUstream stream) {
  GMLAKE_REAL(stream_synchronize);
  GMLAKE_CALL_SITE();
  return waited(*real, stream_happens(real->stream_synchronize, Action::synchronize_stream, *real,
                                      stream, false));
}
CUresult stream_synchronize_ptsz(CUstream stream) {
  GMLAKE_REAL(stream_synchronize_ptsz);
  GMLAKE_CALL_SITE();
  return waited(*real, stream_happens(real->stream_synchronize_ptsz, Action::synchronize_stream,
                                      *real, stream, true));
}
CUresult stream_query(CUstream stream) {
  GMLAKE_REAL(stream_query);
  GMLAKE_CALL_SITE();
  return stream_happens(real->stream_query, Action::query_stream, *real, stream, false);
}
CUresult stream_query_ptsz(CUstream stream) {
  GMLAKE_REAL(stream_query_ptsz);
  GMLAKE_CALL_SITE();
  return stream_happens(real->stream_query_ptsz, Action::query_stream, *real, stream, true);
}
CUresult event_synchronize(CUevent event) {
  GMLAKE_REAL(event_synchronize);
  GMLAKE_CALL_SITE();
  return waited(*real, event_happens(real->event_synchronize, Action::synchronize, *real, event));
}
CUresult event_query(CUevent event) {
  GMLAKE_REAL(event_query);
  GMLAKE_CALL_SITE();
  return event_happens(real->event_query, Action::query, *real, event);
}
CUresult event_destroy_v1(CUevent event) {
  GMLAKE_REAL(event_destroy_v1);
  GMLAKE_CALL_SITE();
  return destroy(real->event_destroy_v1, event);
}
CUresult event_destroy(CUevent event) {
  GMLAKE_REAL(event_destroy);
  GMLAKE_CALL_SITE();
  return destroy(real->event_destroy, event);
}

CUresult ipc_get_event(CUipcEventHandle* handle, CUevent event) {
  GMLAKE_REAL(ipc_get_event);
  becomes_unseen(event);
  return real->ipc_get_event(handle, event);
}
CUresult ipc_open_event(CUevent* event, CUipcEventHandle handle) {
  GMLAKE_REAL(ipc_open_event);
  const CUresult result = real->ipc_open_event(event, handle);
  if (result == CUDA_SUCCESS) becomes_unseen(*event);
  return result;
}

CUresult graph_add_event_record(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                                std::size_t count, CUevent event) {
  GMLAKE_REAL(graph_add_event_record);
  becomes_unseen(event);
  return real->graph_add_event_record(node, graph, dependencies, count, event);
}
CUresult graph_set_event(CUgraphNode node, CUevent event) {
  GMLAKE_REAL(graph_set_event);
  becomes_unseen(event);
  return real->graph_set_event(node, event);
}
CUresult graph_exec_set_event(CUgraphExec program, CUgraphNode node, CUevent event) {
  GMLAKE_REAL(graph_exec_set_event);
  becomes_unseen(event);
  return real->graph_exec_set_event(program, node, event);
}
CUresult graph_add_node_v1(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                           std::size_t count, CUgraphNodeParams* parameters) {
  GMLAKE_REAL(graph_add_node_v1);
  becomes_unseen(parameters);
  return real->graph_add_node_v1(node, graph, dependencies, count, parameters);
}
CUresult graph_add_node(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                        const CUgraphEdgeData* edges, std::size_t count,
                        CUgraphNodeParams* parameters) {
  GMLAKE_REAL(graph_add_node);
  becomes_unseen(parameters);
  return real->graph_add_node(node, graph, dependencies, edges, count, parameters);
}
CUresult graph_add_node_v3(CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies,
                           const CUgraphEdgeData* edges, std::size_t count,
                           CUgraphNodeParams* parameters) {
  GMLAKE_REAL(graph_add_node_v3);
  becomes_unseen(parameters);
  return real->graph_add_node_v3(node, graph, dependencies, edges, count, parameters);
}
CUresult graph_set_params(CUgraphNode node, CUgraphNodeParams* parameters) {
  GMLAKE_REAL(graph_set_params);
  becomes_unseen(parameters);
  return real->graph_set_params(node, parameters);
}
CUresult graph_set_params_v2(CUgraphNode node, CUgraphNodeParams* parameters) {
  GMLAKE_REAL(graph_set_params_v2);
  becomes_unseen(parameters);
  return real->graph_set_params_v2(node, parameters);
}
CUresult graph_exec_set_params(CUgraphExec program, CUgraphNode node,
                               CUgraphNodeParams* parameters) {
  GMLAKE_REAL(graph_exec_set_params);
  becomes_unseen(parameters);
  return real->graph_exec_set_params(program, node, parameters);
}

CUresult graph_set_kernel_attribute(CUgraphNode node, CUkernelNodeAttrID attribute,
                                    const CUkernelNodeAttrValue* value) {
  GMLAKE_REAL(graph_set_kernel_attribute);
  records_event(attribute, value);
  return real->graph_set_kernel_attribute(node, attribute, value);
}

CUresult ctx_record_event(CUcontext context, CUevent event) {
  GMLAKE_REAL(ctx_record_event);
  return recorded_on_context(event, [&] { return real->ctx_record_event(context, event); });
}
CUresult ctx_wait_event(CUcontext context, CUevent event) {
  GMLAKE_REAL(ctx_wait_event);
  return context_waits([&] { return real->ctx_wait_event(context, event); });
}
CUresult green_record_event(CUgreenCtx green, CUevent event) {
  GMLAKE_REAL(green_record_event);
  return recorded_on_context(event, [&] { return real->green_record_event(green, event); });
}
CUresult green_wait_event(CUgreenCtx green, CUevent event) {
  GMLAKE_REAL(green_wait_event);
  return context_waits([&] { return real->green_wait_event(green, event); });
}

}  // namespace gmlake::hooks
