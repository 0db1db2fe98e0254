#include "screen.h"

#include <clocale>
#include <cstdlib>
#include <stdexcept>

#include <ncurses.h>
#include <unistd.h>

namespace gmlake::tool {
namespace {

SCREEN* screen = nullptr;

attr_t attribute(Screen::Style style) {
  switch (style) {
    case Screen::Style::bold:
      return A_BOLD;
    case Screen::Style::reverse:
      return A_REVERSE;
    case Screen::Style::dim:
      return A_DIM;
    case Screen::Style::plain:
      break;
  }
  return A_NORMAL;
}

}  // namespace

Screen::Screen() {
  (void)std::setlocale(LC_ALL, "");
  if (isatty(STDOUT_FILENO) == 0 || isatty(STDIN_FILENO) == 0)
    throw std::runtime_error(
        "standard input and output must be a terminal; gmlake stats --watch needs none");
  screen = newterm(nullptr, stdout, stdin);
  if (!screen)
    throw std::runtime_error("the terminal (TERM) can not do it; gmlake stats --watch needs none");
  (void)set_term(screen);
  (void)cbreak();
  (void)noecho();
  (void)keypad(stdscr, true);
  (void)curs_set(0);
}

Screen::~Screen() {
  (void)endwin();
  delscreen(screen);
}

void Screen::clear() {
  (void)erase();
}
int Screen::lines() const {
  return LINES;
}
int Screen::columns() const {
  return COLS;
}

void Screen::write(int line, int column, const std::string& text, Style style) {
  if (line < 0 || line >= LINES || column >= COLS) return;
  (void)attrset(attribute(style));
  (void)mvaddnstr(line, column, text.c_str(), COLS - column);
  (void)attrset(A_NORMAL);
}

void Screen::show() {
  (void)refresh();
}

int Screen::key(int milliseconds) {
  timeout(milliseconds);
  const int key = getch();
  if (key == KEY_RESIZE) return kResized;
  if (key == KEY_BACKSPACE || key == 127 || key == 8) return kBackspace;
  return key == ERR ? -1 : key;
}

}  // namespace gmlake::tool
