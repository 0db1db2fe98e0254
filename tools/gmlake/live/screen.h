// A full screen of text: ncurses, which knows terminals, for as long as it is there.
#pragma once

#include <string>

namespace gmlake::tool {

class Screen {
 public:
  // Throws std::runtime_error where standard output is no terminal that can do it.
  Screen();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  enum class Style { plain, bold, reverse, dim };
  void clear();
  int lines() const;
  int columns() const;
  // Cut at the right border.
  void write(int line, int column, const std::string& text, Style style = Style::plain);
  void show();
  // A key, -1 after so many milliseconds without one, kResized where the window has changed.
  static constexpr int kResized = -2, kBackspace = -3;
  int key(int milliseconds);
};

}  // namespace gmlake::tool
