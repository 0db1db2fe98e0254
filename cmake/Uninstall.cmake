# Removes the files that the last `cmake --install` of a build wrote, and the folders that are empty then.
#
#   cmake -DMANIFEST=BUILD/install_manifest.txt -P Uninstall.cmake
if(NOT EXISTS ${MANIFEST})
  message(FATAL_ERROR "${MANIFEST} was not found: nothing was installed from this build")
endif()
file(STRINGS ${MANIFEST} files)
set(folders)
foreach(file ${files})
  file(REMOVE "$ENV{DESTDIR}${file}")
  cmake_path(GET file PARENT_PATH folder)
  # A few levels up belong to us at most: PREFIX/share/doc/gmlake.
  foreach(level RANGE 2)
    list(APPEND folders ${folder})
    cmake_path(GET folder PARENT_PATH folder)
  endforeach()
endforeach()
list(REMOVE_DUPLICATES folders)
list(SORT folders ORDER DESCENDING)  # what is inside comes first
foreach(folder ${folders})
  file(GLOB left "$ENV{DESTDIR}${folder}/*" "$ENV{DESTDIR}${folder}/.*")
  if(NOT left AND IS_DIRECTORY "$ENV{DESTDIR}${folder}")
    file(REMOVE_RECURSE "$ENV{DESTDIR}${folder}")
  endif()
endforeach()
file(REMOVE ${MANIFEST})
message(STATUS "uninstalled what ${MANIFEST} named")
