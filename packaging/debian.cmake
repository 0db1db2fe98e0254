# Run by CPack before it packs: what Debian's policy wants in a .deb besides, in the forms it wants.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
file(GLOB_RECURSE library ${CPACK_TEMPORARY_DIRECTORY}/*/libgmlake.so)
list(FILTER library INCLUDE REGEX "/usr/lib[^/]*/libgmlake.so$")
string(REGEX REPLACE "/usr/lib.*" "/usr/share" share "${library}")
if(NOT IS_DIRECTORY "${share}")
  message(FATAL_ERROR "packaging/debian.cmake: no libgmlake.so below ${CPACK_TEMPORARY_DIRECTORY}")
endif()
set(doc ${share}/doc/gmlake)

# copyright instead of the licences' own files.
file(READ ${CPACK_GMLAKE_SOURCE}/packaging/THIRD-PARTY.md third_party)
file(WRITE ${doc}/copyright "gmlake: Copyright the gmlake authors.

Licensed under the Apache License, Version 2.0. On Debian systems its text is in
/usr/share/common-licenses/Apache-2.0; that of the GPL and the LGPL, which are
named below, is in /usr/share/common-licenses/GPL-3 and LGPL-2.1.

${third_party}")
file(REMOVE ${doc}/LICENSE ${doc}/THIRD-PARTY.md)

string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)  # SOURCE_DATE_EPOCH's, if that is set
file(WRITE ${doc}/changelog.Debian "gmlake (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * See changelog.gz.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
file(RENAME ${doc}/CHANGELOG.md ${doc}/changelog)
file(GLOB manuals ${share}/man/man*/*)
foreach(file ${doc}/changelog ${doc}/changelog.Debian ${manuals})
  execute_process(COMMAND gzip -9nf ${file} COMMAND_ERROR_IS_FATAL ANY)
endforeach()

# Why each is as it is meant to be.
file(WRITE ${share}/lintian/overrides/gmlake "# one file name for all time, as LD_PRELOAD names it; gmlake_version() tells versions apart
gmlake: shared-library-lacks-version *
gmlake: package-name-doesnt-match-sonames *
# linked statically, as the same binary is for systems that have other versions, or none
gmlake: embedded-library *
# found below the prefix wherever that is, also in the archive
gmlake: pkg-config-unavailable-for-cross-compilation *
# not one of Debian's own packages
gmlake: initial-upload-closes-no-bugs *
")
# Whatever umask the build had.
execute_process(COMMAND chmod -R u=rwX,go=rX ${share} COMMAND_ERROR_IS_FATAL ANY)
