// JSON as it is written: its layout, and that any bytes give text that a parser takes.
#include "support/json_writer.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include <nlohmann/json.hpp>

namespace gmlake {
namespace {

using nlohmann::json;

std::string example(std::size_t indent) {
  JsonWriter writer(indent);
  writer.object([&] {
    writer.member("text", "a");
    writer.member("yes", true);
    writer.object("none", [] {});
    writer.array("list", [&] {
      writer.object([&] { writer.member("n", std::numeric_limits<std::uint64_t>::max()); });
      writer.array([] {});
    });
    writer.member("least", std::numeric_limits<std::int64_t>::min());
    writer.member("half", 0.5);
    writer.member("nothing", std::numeric_limits<double>::infinity());
  });
  return writer.take();
}

TEST(JsonWriter, InOneLine) {
  EXPECT_EQ(example(0),
            R"({"text":"a","yes":true,"none":{},"list":[{"n":18446744073709551615},[]],)"
            R"("least":-9223372036854775808,"half":0.5,"nothing":null})");
}

TEST(JsonWriter, Indented) {
  EXPECT_EQ(example(2), nlohmann::ordered_json::parse(example(0)).dump(2));
}

TEST(JsonWriter, AnyBytes) {
  const auto written = [](const std::string& text) {
    JsonWriter writer(0);
    writer.object([&] { writer.member("text", text); });
    return json::parse(writer.take())["text"].get<std::string>();
  };
  const std::string valid = "\x01\t\n\"\\/\x7f\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\xf4\x8f\xbf\xbf";
  EXPECT_EQ(written(valid), valid);
  // Overlong, half of a pair, too large, cut short, a lonely continuation.
  EXPECT_EQ(written("\xc0\xaf"), "\xef\xbf\xbd\xef\xbf\xbd");
  for (const char* wrong : {"\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\xf0\x80\x80\x80",
                            "\xe2\x82", "\x80", "\xff"})
    EXPECT_EQ(written(wrong).substr(0, 3), "\xef\xbf\xbd");

  const auto seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (int i = 0; i < 5000; ++i) {
    std::string text(random() % 8, '\0');
    // Mostly bytes at the borders of what is allowed.
    static constexpr char kBorders[] =
        "\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xdf\xe0\xed\xef\xf0\xf4";
    for (auto& c : text)
      c = random() % 4 == 0 ? static_cast<char>(random()) : kBorders[random() % 15];
    const auto out = written(text);  // throws if it is no JSON
    bool is_valid = true;
    try {
      (void)json(text).dump();
    } catch (const json::exception&) {
      is_valid = false;
    }
    EXPECT_EQ(out == text, is_valid);
  }
}

}  // namespace
}  // namespace gmlake
