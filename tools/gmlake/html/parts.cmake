# Puts the page together, with a gap for the data, as a header: cmake -D FOLDER=... -D OUT=... -D SCRIPTS=... -P parts.cmake
file(READ ${FOLDER}/page.html page)
file(READ ${FOLDER}/style.css style)
set(script "")
foreach(name ${SCRIPTS})
  file(READ ${FOLDER}/${name}.js one)
  string(APPEND script "${one}")
endforeach()
string(REPLACE "@STYLE@" "${style}" page "${page}")
string(REPLACE "@SCRIPT@" "${script}" page "${page}")
string(FIND "${page}" "@DATA@" gap)
math(EXPR behind "${gap} + 6")
string(SUBSTRING "${page}" 0 ${gap} before)
string(SUBSTRING "${page}" ${behind} -1 after)
file(WRITE ${OUT} "// The page of `gmlake report --html`, before and after its data. Made by tools/gmlake/html/parts.cmake.
#pragma once

namespace gmlake::tool::html {
inline const std::string kPageBefore = R\"page(${before})page\";
inline const std::string kPageAfter = R\"page(${after})page\";
}  // namespace gmlake::tool::html
")
