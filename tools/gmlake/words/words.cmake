# `gmlake manual` and `gmlake completion`, and what they print, as it is installed.
foreach(source completion manual words words_command)
  target_sources(gmlake_cli PRIVATE ${CMAKE_CURRENT_LIST_DIR}/${source}.cpp)
endforeach()

# Printed with each build of the command, so that whatever builds it can be installed.
function(gmlake_prints file destination)
  set(out ${PROJECT_BINARY_DIR}/printed/${file})
  cmake_path(GET out PARENT_PATH folder)
  file(MAKE_DIRECTORY ${folder})
  add_custom_command(TARGET gmlake_cli POST_BUILD COMMAND gmlake_cli ${ARGN} > ${out} BYPRODUCTS ${out} VERBATIM)
  install(FILES ${out} DESTINATION ${destination})
endfunction()
gmlake_prints(gmlake.1 ${CMAKE_INSTALL_MANDIR}/man1 manual gmlake)
gmlake_prints(gmlake.json.5 ${CMAKE_INSTALL_MANDIR}/man5 manual gmlake.json)
gmlake_prints(bash/gmlake ${CMAKE_INSTALL_DATADIR}/bash-completion/completions completion bash)
gmlake_prints(zsh/_gmlake ${CMAKE_INSTALL_DATADIR}/zsh/site-functions completion zsh)
gmlake_prints(fish/gmlake.fish ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d completion fish)
