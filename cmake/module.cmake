# cmqgw_module(NAME CALLS lib... SOURCES file...): one folder, one static library. CALLS names all
# that the folder may call, so that a call up the layers does not link.
set(CMQGW_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Wformat=2 -Wundef -Wpointer-arith)
if(CMQGW_WERROR)
  list(APPEND CMQGW_WARNINGS -Werror)
endif()

function(cmqgw_flags target)
  target_compile_options(${target} PRIVATE ${CMQGW_WARNINGS})
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE CMQGW_VERSION="${PROJECT_VERSION}")
  target_include_directories(${target} PRIVATE ${PROJECT_SOURCE_DIR})
endfunction()

function(cmqgw_module name)
  cmake_parse_arguments(M "" "" "CALLS;SOURCES" ${ARGN})
  add_library(${name} STATIC ${M_SOURCES})
  cmqgw_flags(${name})
  target_link_libraries(${name} PUBLIC ${M_CALLS})
endfunction()
