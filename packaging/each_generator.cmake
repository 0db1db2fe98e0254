# Read by CPack for each kind of package: an archive is unpacked into a folder of its own, a .deb has its paths from the root.
if(CPACK_GENERATOR STREQUAL "TGZ")
  set(CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY ON)
endif()
