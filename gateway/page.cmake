# cmqgw_embed_page(OUT): writes OUT, a C file with what page/ holds (page_files.h), when that changes.
set(page_type_css text/css)
set(page_type_js text/javascript)

# "0x3c,0x21,..." of a text in hexadecimal.
function(page_bytes out hex)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(REGEX REPLACE "(................................................................................)"
    "\\1\n" bytes "${bytes}")
  set(${out} "${bytes}" PARENT_SCOPE)
endfunction()

function(cmqgw_embed_page out)
  file(GLOB files CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/page/*.css
    ${CMAKE_CURRENT_SOURCE_DIR}/page/*.js)
  set(index ${CMAKE_CURRENT_SOURCE_DIR}/page/index.html)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${index} ${files})
  set(arrays "")
  set(rows "")
  foreach(path ${files})
    get_filename_component(name ${path} NAME)
    string(REGEX REPLACE "^.*\\." "" kind ${name})
    string(MAKE_C_IDENTIFIER ${name} array)
    file(READ ${path} hex HEX)
    page_bytes(bytes "${hex}")
    string(APPEND arrays "static const unsigned char ${array}[] = {\n${bytes}};\n")
    string(APPEND rows "    {\"/page/${name}\", \"${page_type_${kind}}; charset=utf-8\","
      " {(const char *)${array}, sizeof ${array}}},\n")
  endforeach()

  file(READ ${index} hex HEX)
  string(HEX "<!-- state -->" mark)
  string(FIND "${hex}" ${mark} at)
  if(at EQUAL -1)
    message(FATAL_ERROR "${index} has no place for the state")
  endif()
  string(LENGTH ${mark} length)
  math(EXPR after "${at} + ${length}")
  string(SUBSTRING "${hex}" 0 ${at} head)
  string(SUBSTRING "${hex}" ${after} -1 tail)
  foreach(part head tail)
    page_bytes(bytes "${${part}}")
    string(APPEND arrays "static const unsigned char ${part}[] = {\n${bytes}};\n"
      "const struct span page_${part} = {(const char *)${part}, sizeof ${part}};\n")
  endforeach()
  file(CONFIGURE OUTPUT ${out} @ONLY CONTENT
    "#include \"gateway/page_files.h\"\n\n@arrays@\nconst struct page_file page_files[] = {\n@rows@    {\"\", \"\", {0}},\n};\n")
endfunction()
