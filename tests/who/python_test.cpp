// Python's frames of an interpreter made up of plain memory: what it gives where all is as
// expected, and that it looks away, for good, where something is not. Real interpreters are the
// preload test's (tests/preload/test_python.py).
#include "who/python.h"

#include <gtest/gtest.h>

#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "who/ledger.h"
#include "who/python_layout.h"
#include "who/python_text.h"

namespace gmlake::who {
namespace {

using Lines = std::vector<std::string>;

// Objects of CPython 3.11, as far as they are read.
struct Memory {
  std::deque<std::vector<unsigned char>> objects;

  std::uintptr_t make(std::size_t bytes) {
    objects.emplace_back(bytes, static_cast<unsigned char>(0));
    return reinterpret_cast<std::uintptr_t>(objects.back().data());
  }
  template <typename T>
  static void put(std::uintptr_t at, T value) {
    std::memcpy(reinterpret_cast<void*>(at), &value, sizeof value);
  }
};

const PythonLayout& layout() {
  return kPythonLayouts[2];
}
constexpr std::uintptr_t kWild = 0x10;  // no memory is there

struct Interpreter {
  Memory memory;
  std::map<std::string, std::uintptr_t> symbols;
  std::string version = "3.11.2 (main, May  1 2024) [GCC]";
  int initialized = 1;
  std::uintptr_t thread = 0, cframe = 0;
  std::uintptr_t code_type = memory.make(8), text_type = memory.make(8),
                 bytes_type = memory.make(8);

  Interpreter();

  std::uintptr_t text(const std::string& text) {
    const auto at = memory.make(layout().ascii_text + text.size() + 1);
    Memory::put(at + kPythonType, text_type);
    Memory::put(at + kPythonLength, text.size());
    Memory::put(at + kPythonState, std::uint32_t{1 << 2 | 1 << 5 | 1 << 6});
    std::memcpy(reinterpret_cast<void*>(at + layout().ascii_text), text.data(), text.size());
    return at;
  }
  template <typename Character>
  std::uintptr_t wide(const std::basic_string<Character>& text) {
    const auto at = memory.make(layout().compact_text + (text.size() + 1) * sizeof(Character));
    Memory::put(at + kPythonType, text_type);
    Memory::put(at + kPythonLength, text.size());
    Memory::put(at + kPythonState, static_cast<std::uint32_t>(sizeof(Character) << 2 | 1 << 5));
    std::memcpy(reinterpret_cast<void*>(at + layout().compact_text), text.data(),
                text.size() * sizeof(Character));
    return at;
  }
  // Of one line, the second of its file.
  std::uintptr_t code(std::uintptr_t name, std::uintptr_t file) {
    const auto at = memory.make(layout().bytecode + 64), table = memory.make(kPythonBytes + 8);
    Memory::put(table + kPythonType, bytes_type);
    Memory::put(table + kPythonSize, std::size_t{2});
    Memory::put(table + kPythonBytes, static_cast<unsigned char>(128 | 13 << 3 | 7));
    Memory::put(table + kPythonBytes + 1, static_cast<unsigned char>(1 << 1));
    Memory::put(at + kPythonType, code_type);
    Memory::put(at + layout().name, name);
    Memory::put(at + layout().file, file);
    Memory::put(at + layout().lines, table);
    Memory::put(at + layout().first_line, std::int32_t{1});
    return at;
  }
  // Calls from the innermost frame so far on.
  std::uintptr_t call(std::uintptr_t code, std::size_t units = 1, unsigned char owner = 0) {
    const auto at = memory.make(80);
    std::uintptr_t before = 0;
    std::memcpy(&before, reinterpret_cast<void*>(cframe + layout().cframe_frame), sizeof before);
    Memory::put(at + layout().previous, before);
    Memory::put(at + layout().code, code);
    Memory::put(at + layout().instruction, code + layout().bytecode + 2 * units);
    Memory::put(at + layout().owner, owner);
    Memory::put(cframe + layout().cframe_frame, at);
    return at;
  }
  std::uintptr_t call(const std::string& name) {
    return call(code(text(name), text(name + ".py")));
  }
};

Interpreter* now = nullptr;

Interpreter::Interpreter() {
  thread = memory.make(256);
  cframe = memory.make(32);
  Memory::put(thread + layout().thread_frame, cframe);
  const auto function = [](auto* f) { return reinterpret_cast<std::uintptr_t>(f); };
  symbols = {{"PyCode_Type", code_type},
             {"PyUnicode_Type", text_type},
             {"PyBytes_Type", bytes_type},
             {"Py_GetVersion", function(+[] { return now->version.c_str(); })},
             {"Py_IsInitialized", function(+[] { return now->initialized; })},
             {"PyGILState_GetThisThreadState",
              function(+[] { return reinterpret_cast<void*>(now->thread); })}};
  now = this;
}

void* symbol_of_now(const char* name) {
  const auto known = now->symbols.find(name);
  return known == now->symbols.end() ? nullptr : reinterpret_cast<void*>(known->second);
}

struct PythonScene {
  Interpreter interpreter;
  Python python;
  void begin() { python.begin(symbol_of_now); }
  PythonStack stack() {
    PythonStack stack;
    python.here(stack);
    return stack;
  }
  Lines lines() { return python.lines_of(stack()); }
};

TEST(Python, TheInnermostFramesAreTheFirst) {
  PythonScene s;
  s.begin();
  for (int i = 0; i < 10; ++i) s.interpreter.call("f" + std::to_string(i));
  const auto lines = s.lines();
  ASSERT_EQ(lines.size(), PythonStack::kMost);
  EXPECT_EQ(lines[0], "f9 (f9.py:2)");
  EXPECT_EQ(lines[7], "f2 (f2.py:2)");
  EXPECT_EQ(s.lines(), lines);  // as it lies there, now
}

TEST(Python, WhatIsNotPythonsOwnIsLeftOut) {
  PythonScene s;
  s.begin();
  s.interpreter.call("outer");
  s.interpreter.call(kWild, 1, kFirstOwnerOfMarks);
  const auto begun = s.interpreter.code(s.interpreter.text("begun"), s.interpreter.text("b.py"));
  Memory::put(begun + layout().first_traceable, std::int32_t{4});
  s.interpreter.call(begun);
  s.interpreter.call(s.interpreter.code(0, 0));
  s.interpreter.call("inner");
  const Lines expected{"inner (inner.py:2)", "outer (outer.py:2)"};
  EXPECT_EQ(s.lines(), expected);
  EXPECT_EQ(s.lines(), expected);
}

TEST(Python, NoneWhereThereIsNone) {
  for (const char* version : {"3.8.18 (default)", "3.14.0 (main)", "2.7.18 (default)",
                              "3.13.1 experimental "
                              "free-threading build (main)",
                              "3", ""}) {
    PythonScene s;
    s.interpreter.version = version;
    s.interpreter.call("f");
    s.begin();
    EXPECT_EQ(s.stack().depth, 0U) << version;
    EXPECT_FALSE(s.python.has(s.interpreter.symbols["Py_GetVersion"])) << version;
  }
  for (const char* missing : {"PyCode_Type", "PyUnicode_Type", "PyBytes_Type", "Py_GetVersion",
                              "Py_IsInitialized", "PyGILState_GetThisThreadState"}) {
    PythonScene s;
    s.interpreter.symbols.erase(missing);
    s.interpreter.call("f");
    s.begin();
    EXPECT_EQ(s.stack().depth, 0U) << missing;
  }
  PythonScene debug;
  debug.interpreter.symbols["_Py_NegativeRefcount"] = debug.interpreter.code_type;
  debug.interpreter.call("f");
  debug.begin();
  EXPECT_EQ(debug.stack().depth, 0U);
  PythonScene none;
  none.interpreter.call("f");
  EXPECT_EQ(none.stack().depth, 0U);  // never begun
}

TEST(Python, AThreadWithoutAStateAndAnInterpreterThatHasEndedHaveNone) {
  PythonScene s;
  s.begin();
  s.interpreter.call("f");
  const auto thread = std::exchange(s.interpreter.thread, 0);
  EXPECT_EQ(s.stack().depth, 0U);
  s.interpreter.thread = thread;
  EXPECT_EQ(s.stack().depth, 1U);
  s.interpreter.initialized = 0;
  s.interpreter.thread = kWild;
  EXPECT_EQ(s.stack().depth, 0U);
}

// One that is idle proves nothing, and is looked at again.
TEST(Python, AThreadWithoutFrames) {
  PythonScene s;
  s.begin();
  EXPECT_EQ(s.stack().depth, 0U);
  s.interpreter.call("f");
  EXPECT_EQ(s.lines(), Lines{"f (f.py:2)"});
  Memory::put(s.interpreter.thread + layout().thread_frame, std::uintptr_t{0});
  EXPECT_EQ(s.stack().depth, 0U);
}

// Each is found out by a look that may fail, and is the end of it, though all is right later.
TEST(Python, WhatIsNotAsExpectedIsNotRead) {
  const std::map<std::string, void (*)(Interpreter&)> wrongs{
      {"thread", [](Interpreter& i) { i.thread = kWild; }},
      {"cframe", [](Interpreter& i) { Memory::put(i.thread + layout().thread_frame, kWild); }},
      {"frame", [](Interpreter& i) { Memory::put(i.cframe + layout().cframe_frame, kWild); }},
      {"odd frame",
       [](Interpreter& i) { Memory::put(i.cframe + layout().cframe_frame, i.thread + 1); }},
      {"previous", [](Interpreter& i) { Memory::put(i.call("f") + layout().previous, kWild); }},
      {"code", [](Interpreter& i) { i.call(kWild); }},
      {"no code", [](Interpreter& i) { Memory::put(i.call("f") + layout().code, 0UL); }},
      {"type of code",
       [](Interpreter& i) {
         const auto code = i.code(i.text("f"), i.text("f.py"));
         Memory::put(code + kPythonType, i.text_type);
         i.call(code);
       }},
      {"name", [](Interpreter& i) { i.call(i.code(kWild, i.text("f.py"))); }},
      {"file", [](Interpreter& i) { i.call(i.code(i.text("f"), kWild)); }},
  };
  for (const auto& [what, make_wrong] : wrongs) {
    PythonScene s;
    s.begin();
    s.interpreter.call("outer");
    const auto thread = s.interpreter.thread;
    make_wrong(s.interpreter);
    EXPECT_EQ(s.stack().depth, 0U) << what;
    s.interpreter.thread = thread;
    Memory::put(thread + layout().thread_frame, s.interpreter.cframe);
    Memory::put(s.interpreter.cframe + layout().cframe_frame, std::uintptr_t{0});
    s.interpreter.call("right");
    EXPECT_EQ(s.stack().depth, 0U) << what;
  }
}

// A layout that only seems to fit: nothing in it has a name.
TEST(Python, ANameIsAStr) {
  PythonScene s;
  s.begin();
  const auto& i = s.interpreter;
  s.interpreter.call(s.interpreter.code(i.bytes_type, i.bytes_type));
  EXPECT_EQ(s.stack().depth, 0U);
  s.interpreter.call("right");
  EXPECT_EQ(s.stack().depth, 0U);
}

// Though code and instruction lie at the same places.
TEST(Python, OtherCodeAtTheSamePlaceIsAnother) {
  PythonScene s;
  s.begin();
  const auto code = s.interpreter.code(s.interpreter.text("f"), s.interpreter.text("1.py"));
  s.interpreter.call(code);
  const auto before = s.stack();
  EXPECT_TRUE(before == s.stack());
  Memory::put(code + layout().first_line, std::int32_t{7});
  EXPECT_FALSE(before == s.stack());
  Memory::put(code + layout().first_line, std::int32_t{1});
  EXPECT_TRUE(before == s.stack());
  const auto file = s.interpreter.text("a folder/1.py");
  Memory::put(code + layout().file, file);
  const auto with_folder = s.stack();
  EXPECT_FALSE(before == with_folder);
  Memory::put(file + layout().ascii_text + 9, '2');  // the same str, with other characters
  EXPECT_FALSE(with_folder == s.stack());
  const auto name = s.interpreter.text("g");
  Memory::put(name + kPythonHash, std::uint64_t{4711});
  const auto with_file = s.stack();
  Memory::put(code + layout().name, name);
  EXPECT_FALSE(with_file == s.stack());
}

TEST(Python, TheInterpretersOwnWord) {
  for (const std::size_t wrong : {~std::size_t{0}, kPythonCookie, kPythonVersion,
                                  kPythonFreeThreaded, kPythonOffsets13[3].at}) {
    PythonScene s;
    s.interpreter.version = "3.13.0 (main)";
    const auto& thirteen = kPythonLayouts[4];
    const auto runtime = s.interpreter.memory.make(1024);
    std::memcpy(reinterpret_cast<void*>(runtime), "xdebugpy", 8);
    Memory::put(runtime + kPythonVersion, std::uint64_t{0x030d00f0});
    for (const auto& one : kPythonOffsets13)
      Memory::put(runtime + one.at, std::uint64_t{thirteen.*one.is});
    s.interpreter.symbols["_PyRuntime"] = runtime;
    if (wrong != ~std::size_t{0}) Memory::put(runtime + wrong, std::uint64_t{0x31d00f1});
    s.begin();
    (void)s.stack();
    EXPECT_EQ(s.python.has(s.interpreter.symbols["Py_GetVersion"]), wrong == ~std::size_t{0})
        << wrong;
  }
  PythonScene without;
  without.interpreter.version = "3.13.0 (main)";
  without.begin();
  (void)without.stack();
  EXPECT_FALSE(without.python.has(without.interpreter.symbols["Py_GetVersion"]));
}

TEST(Python, TextsAreUtf8) {
  Interpreter i;
  const PythonTypes types{i.code_type, i.text_type, i.bytes_type};
  const auto text = [&](std::uintptr_t at, std::size_t most = 100, Keep keep = Keep::start) {
    return text_of(layout(), types, at, most, keep).value_or("none");
  };
  EXPECT_EQ(text(i.text("")), "");
  EXPECT_EQ(text(i.text("plain")), "plain");
  EXPECT_EQ(text(i.wide<char>("caf\xe9")), "caf\u00e9");
  EXPECT_EQ(text(i.wide<char16_t>(u"\u043b\u20ac")), "\u043b\u20ac");
  EXPECT_EQ(text(i.wide<char32_t>(U"\U0001f40d!")), "\U0001f40d!");
  EXPECT_EQ(text(i.wide<char16_t>({0x41, 0xdc80})), "A\\udc80");
  EXPECT_EQ(text(i.text("0123456789"), 10), "0123456789");
  EXPECT_EQ(text(i.text("0123456789"), 9), "012345...");
  EXPECT_EQ(text(i.text("0123456789"), 9, Keep::end), "...456789");
  EXPECT_EQ(text(i.wide<char16_t>(u"\u20ac\u20ac\u20ac\u20ac"), 9), "\u20ac\u20ac...");
  EXPECT_EQ(text(i.wide<char16_t>(u"\u20ac\u20ac\u20ac\u20ac"), 10, Keep::end), "...\u20ac\u20ac");
  EXPECT_EQ(text(i.code_type), "none");
  EXPECT_EQ(text(kWild), "none");
  EXPECT_EQ(text(0), "none");
  const auto odd = i.text("odd");
  Memory::put(odd + kPythonState, std::uint32_t{1 << 2});  // not compact
  EXPECT_EQ(text(odd), "none");
  const auto endless = i.text("endless");
  Memory::put(endless + kPythonLength, ~std::uint64_t{0});
  EXPECT_EQ(text(endless), "none");
}

// Places are one if their lines are, and two if not.
TEST(Python, APlaceHasItsLines) {
  Interpreter i;
  Ledger ledger;
  Ledger::Countdown until;
  ledger.begin(MiB, symbol_of_now);
  const auto first = i.code(i.text("f"), i.text("f.py")),
             second = i.code(i.text("g"), i.text("g.py"));
  for (std::uint64_t b = 1; b <= 6; ++b) {
    i.call(b % 3 == 0 ? second : first, b % 3);
    ledger.allocated(b * 4 * MiB, MiB, {}, 0, until);
    Memory::put(i.cframe + layout().cframe_frame, std::uintptr_t{0});
  }
  const auto all = ledger.holders(100, Names());
  ASSERT_EQ(all.holders.size(), 2U);
  EXPECT_EQ(all.holders[0].python, Lines{"f (f.py:2)"});
  EXPECT_EQ(all.holders[0].live, 4 * MiB);
  EXPECT_EQ(all.holders[1].python, Lines{"g (g.py:2)"});
}

}  // namespace
}  // namespace gmlake::who
