// What a driver function of which nothing is known may do, by its name: one that is newer than the
// hook table, or than a version of a function there. The words of the name say so, in the manner of
// CUDA's own (cuStreamBeginCaptureToGraph); whoever only asks (Get, Is) does nothing.
//
// tests/structure/check_hooks.py holds it against the headers: of a function that is known and not
// in the table nothing is said here.
#pragma once

#include <cstddef>
#include <string_view>

namespace gmlake::hooks {

// What such a call may do, unseen, as bits.
struct Effect {
  using Set = unsigned;
  static constexpr Set none = 0;
  static constexpr Set capture = 1;  // a capture begins
  static constexpr Set event = 2;    // an event is recorded, now or by a graph, or destroyed
  static constexpr Set work = 4;     // a stream is made or given work
  static constexpr Set context = 8;  // a context begins, or becomes a thread's current one
  static constexpr Set end = 16;     // a stream or a context ends
};

namespace detail {

// clang-format off
#define GMLAKE_WORDS(X)                                                                        \
  X(Add) X(Async) X(Attach) X(Attribute) X(Batch) X(Buffer) X(Callback) X(Child) X(Create)     \
  X(Ctx) X(Current) X(Destroy) X(Detach) X(Empty) X(Enable) X(Enabled) X(End) X(Event)         \
  X(Exchange) X(External) X(From) X(Get) X(Graph) X(Host) X(Ipc) X(Is) X(Kernel) X(Launch)     \
  X(Map) X(Mem) X(Memcpy) X(Memset) X(Node) X(Notification) X(Peer) X(Persisting) X(Pop)       \
  X(Proc) X(Push) X(Record) X(Release) X(Reset) X(Resources) X(Retain) X(Set) X(Stream)        \
  X(Unmap) X(Update) X(Upload) X(Wait) X(Write)
// clang-format on

enum class Word {
#define X(word) word,
  GMLAKE_WORDS(X)
#undef X
      capture,  // begins, however it is called: Capture, Recapture
};

class Words {
 public:
  constexpr void add(std::string_view word) {
    if (word.ends_with("apture")) bits_ |= bit(Word::capture);
#define X(known) \
  if (word == #known) bits_ |= bit(Word::known);
    GMLAKE_WORDS(X)
#undef X
  }
  template <typename... Any>
  constexpr bool any(Any... words) const {
    return (bits_ & (bit(words) | ...)) != 0;
  }

 private:
  static constexpr unsigned long long bit(Word word) {
    return 1ULL << static_cast<unsigned>(word);
  }

  unsigned long long bits_ = 0;
};

constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
constexpr bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}

constexpr Words words_of(const char* name) {
  Words words;
  for (const char* at = name; *at != '\0';) {
    const char* const first = at++;
    while (is_lower(*at)) ++at;
    if (is_upper(*first)) words.add({first, static_cast<std::size_t>(at - first)});
  }
  return words;
}

}  // namespace detail

// `name` is the symbol or the base name; others' than the driver's do nothing.
constexpr Effect::Set effects_of(const char* name) {
  if (name[0] != 'c' || name[1] != 'u' || !detail::is_upper(name[2])) return Effect::none;
  using W = detail::Word;
  const auto words = detail::words_of(name + 2);
  if (words.any(W::Ipc) && words.any(W::Event)) return Effect::event;
  // Whatever it hands out goes past us.
  if (words.any(W::Get) && words.any(W::Proc)) return Effect::end;
  if (words.any(W::Get, W::Is, W::Exchange, W::Update, W::Notification)) return Effect::none;
  Effect::Set effects = Effect::none;
  if (words.any(W::capture) && !words.any(W::End)) effects |= Effect::capture;
  // A node of a type that is known records nothing, but for a kernel with attributes.
  const bool known_node = words.any(W::Kernel, W::Memcpy, W::Memset, W::Host, W::Child, W::Empty,
                                    W::Wait, W::External, W::Batch, W::Mem);
  const bool graph = words.any(W::Graph);
  if (words.any(W::Record) || (words.any(W::Event) && words.any(W::Destroy)) ||
      (graph && words.any(W::Node) && words.any(W::Add, W::Set) && !known_node &&
       !words.any(W::Enabled)) ||
      (words.any(W::Kernel) &&
       (words.any(W::Launch) || (graph && words.any(W::Set) && words.any(W::Attribute)))))
    effects |= Effect::event;
  const bool streams = words.any(W::Stream);
  const bool maps = words.any(W::Map, W::Unmap) && words.any(W::Resources, W::Buffer);
  if (graph ? words.any(W::Launch, W::Upload)
            : words.any(W::Async, W::Launch, W::Memcpy, W::Memset, W::Wait, W::Write, W::Batch) ||
                  (streams && words.any(W::Create, W::Callback)) || (maps && !words.any(W::Set)) ||
                  (words.any(W::Enable) && words.any(W::Peer)))
    effects |= Effect::work;
  const bool contexts = words.any(W::Ctx);
  if (contexts && words.any(W::Create, W::Current, W::Push, W::Pop, W::From, W::Attach, W::Retain))
    effects |= Effect::context;
  if ((contexts && words.any(W::Destroy, W::Detach, W::Release)) ||
      (contexts && words.any(W::Reset) && !words.any(W::Persisting)) ||
      (streams && words.any(W::Destroy)))
    effects |= Effect::end;
  return effects;
}

}  // namespace gmlake::hooks
