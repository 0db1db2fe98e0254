#include "pool/program.h"

#include <algorithm>
#include <istream>
#include <random>
#include <sstream>

namespace gmlake::testing {
namespace {

constexpr const char* kNames[] = {
#define X(name) #name,
    GMLAKE_OPERATIONS(X)
#undef X
};

// One mix of operations: how often each comes, and which sizes.
class Generator {
 public:
  Generator(std::uint32_t seed, const Settings& settings, bool faults)
      : random_(seed),
        memory_(settings.memory),
        faults_(faults),
        streams_(seed % 4 == 0 ? 1 : kStreams) {}

  Operation any() {
    const auto draw = random_() % 72;
    if (draw < 25) return {Kind::allocate, size(), stream()};
    if (draw < 49) return {Kind::free, random_() % 64, stream()};
    if (draw == 49) return {Kind::use, random_() % 64, stream()};
    if (draw < 56) return {Kind::submit, 1 + random_() % streams_, 0};
    if (draw < 60) return {Kind::complete, 1 + random_() % streams_, 1 + random_() % 4};
    if (draw == 60) return {Kind::synchronise, 0, 0};
    if (draw == 61 && random_() % 8 == 0) return {Kind::retire, 1 + random_() % streams_, 0};
    if (draw == 62) switch (random_() % 32) {
        case 0:
          return {Kind::forget, 0, 0};
        case 1:
          return {Kind::trim, random_() % 4 * memory_ / 8, 0};
        case 2:
          return {Kind::second, 0, 0};
        case 3:
        case 4:
        case 5:
          return {Kind::open, random_() % 64, 1 + random_() % 2};
        case 6:
        case 7:
          return {Kind::open_all, 1 + random_() % 2, random_() % 2};
        default:
          break;
      }
    if (draw == 63 && faults_)
      return random_() % 2 == 0
                 ? Operation{Kind::heal, 0, 0}
                 : Operation{Kind::fault, random_() % kFunctionCount * 64 + random_() % 4,
                             random_() % 3};
    if (draw >= 67) return {Kind::await, random_() % kEvents, 1 + random_() % streams_};
    if (draw >= 65) return {Kind::record, random_() % kEvents, 1 + random_() % streams_};
    if (draw == 64 && random_() % 4 == 0) return {Kind::wait, random_() % 8, random_() % 2};
    return {Kind::submit, 1 + random_() % streams_, 0};
  }

  // Large blocks before any is freed: the pool makes handles of several sizes then.
  void large(std::vector<Operation>& out) {
    for (auto left = 1 + random_() % 3; left != 0; --left)
      out.push_back({Kind::allocate, memory_ / (4 << random_() % 3) + size() % MiB, stream()});
  }

  // The same sequence several times over, with now and then an event changed, put in or left out.
  void loop(std::vector<Operation>& out) {
    std::vector<Operation> body(8 + random_() % 56);
    for (auto& operation : body) operation = any();
    const auto times = 2 + random_() % 8;
    for (std::uint64_t i = 0; i < times; ++i)
      for (const auto& operation : body) switch (random_() % 48) {
          case 0:
            out.push_back(any());
            break;
          case 1:
            out.push_back(operation);
            out.push_back(any());
            break;
          case 2:
            break;
          default:
            out.push_back(operation);
        }
  }

 private:
  std::uint64_t stream() { return random_() % (streams_ + 1); }
  Bytes size() {
    switch (random_() % 5) {
      case 0:
        return 1 + random_() % 4096;
      case 1:
        return 1 + random_() % MiB;
      case 2:
        return (1 + random_() % 8) * 3 * MiB;
      case 3:
        return MiB + random_() % (memory_ / 8);
      default:
        return 5 * MiB + 512 * (random_() % 3);
    }
  }

  std::mt19937 random_;
  const Bytes memory_;
  const bool faults_;
  const std::uint64_t streams_;
};

}  // namespace

Program generate(std::uint32_t seed, std::size_t steps) {
  Program program;
  auto& s = program.settings;
  s.memory = seed % 2 == 0 ? 256 * MiB : 64 * MiB;
  s.limit = seed % 13 == 0 ? s.memory / 2 : 0;
  s.windows = seed % 3 == 0 ? 8 : 16384;
  s.stitch = seed % 7 != 0;
  s.reuse_completed = seed % 5 != 0;
  s.synchronous = seed % 11 == 0;
  if (seed % 3 != 1) s.largest = seed % 3 == 0 ? 2 * MiB : 8 * MiB;
  if (seed % 17 == 0) s.pieces = 2 + seed / 17 % 3;
  s.unhurried = seed % 19 != 0;
  if (seed % 23 == 0) s.worth = seed / 23 % 2 == 0 ? 0 : GiB;
  s.context_events = seed % 29 != 0;
  s.single = seed % 7 == 3;
  s.loans = seed % 5 < 2;
  Generator generator(seed, s, seed % 4 == 1);
  if (s.largest != 2 * MiB) generator.large(program.operations);
  while (program.operations.size() < steps)
    if (seed % 8 < 4)
      generator.loop(program.operations);
    else
      program.operations.push_back(generator.any());
  program.operations.resize(steps);
  return program;
}

std::string to_text(const Program& program) {
  const auto& s = program.settings;
  std::ostringstream out;
  out << "settings " << s.memory << ' ' << s.limit << ' ' << s.windows << ' ' << s.stitch << ' '
      << s.reuse_completed << ' ' << s.synchronous << ' ' << s.planted << ' ' << s.largest << ' '
      << s.pieces << ' ' << s.unhurried << ' ' << s.worth << ' ' << s.context_events << ' '
      << s.single << ' ' << s.loans << '\n';
  for (const auto& operation : program.operations)
    out << kNames[static_cast<unsigned>(operation.kind)] << ' ' << operation.a << ' ' << operation.b
        << '\n';
  return out.str();
}

std::optional<Program> parse(std::istream& text) {
  Program program;
  auto& s = program.settings;
  std::string name;
  if (!(text >> name) || name != "settings") return {};
  if (!(text >> s.memory >> s.limit >> s.windows >> s.stitch >> s.reuse_completed >>
        s.synchronous >> s.planted >> s.largest >> s.pieces >> s.unhurried >> s.worth >>
        s.context_events >> s.single >> s.loans))
    return {};
  while (text >> name) {
    const auto* const found = std::find(std::begin(kNames), std::end(kNames), name);
    Operation operation;
    if (found == std::end(kNames) || !(text >> operation.a >> operation.b)) return {};
    operation.kind = static_cast<Kind>(found - std::begin(kNames));
    program.operations.push_back(operation);
  }
  return program;
}

}  // namespace gmlake::testing
