# The house's build rules: warnings are errors in our code, ccache and mold where present,
# and three helpers so that a room's CMakeLists.txt only lists what it contains.

find_program(CCACHE ccache)
if(CCACHE)
  # Sloppiness: without it ccache gives up on precompiled headers. Base directory: the same file compiled in another build
  # directory or clone is a hit.
  set(CCACHE ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
    CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1 ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
find_program(MOLD mold)
if(MOLD)
  add_link_options(-fuse-ld=mold)
endif()

# g++ 12 sees uninitialised members in every moved std::expected of a shared_ptr (GCC bug 105562 and its kin).
# clang warns of what g++ 12's std::stable_sort itself is made of.
set(DWCP_WARNINGS -Wall -Wextra -Wpedantic -Werror $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)

if(DWCP_SANITIZE)
  add_compile_options(-fsanitize=${DWCP_SANITIZE} -fno-omit-frame-pointer -g1)
  add_link_options(-fsanitize=${DWCP_SANITIZE})
  if(DWCP_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
endif()

# libFuzzer needs clang (19: older ones cannot compile libstdc++'s std::expected). All code must be instrumented, or the
# fuzzer does not see where an input leads.
if(DWCP_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include ${CMAKE_SOURCE_DIR}/tests/fuzz/clang_and_kj.hpp>")
  add_link_options(-fsanitize=address,undefined)
endif()

# Everything is included from the repository root: #include "protocols/wire/frame.hpp".
# Third-party headers are system headers, so our warning level does not reach them.
function(dwcp_flags target)
  target_compile_options(${target} PRIVATE ${DWCP_WARNINGS})
  target_include_directories(${target} PUBLIC ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR})
endfunction()

# dwcp_library(NAME SOURCES a.cpp ... [LINK lib ...])
function(dwcp_library name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${A_SOURCES})
  dwcp_flags(${name})
  target_link_libraries(${name} PUBLIC ${A_LINK})
endfunction()

# The same for a library whose every file includes CAF: its headers cost 5 s a file, so they are precompiled.
function(dwcp_actor_library name)
  dwcp_library(${name} ${ARGN})
  target_precompile_headers(${name} PRIVATE <caf/all.hpp>)
endfunction()

# dwcp_program(NAME SOURCES a.cpp ... [LINK lib ...]): a program people run; ends up in bin/.
function(dwcp_program name)
  cmake_parse_arguments(A "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  dwcp_flags(${name})
  target_link_libraries(${name} PRIVATE ${A_LINK})
endfunction()

# Sets `out` to TRUE if a library, or one that it is linked with, is CAF.
function(dwcp_uses_caf out)
  set(${out} FALSE PARENT_SCOPE)
  foreach(library ${ARGN})
    if(library MATCHES "^CAF::")
      set(${out} TRUE PARENT_SCOPE)
    elseif(TARGET ${library})
      get_target_property(imported ${library} IMPORTED)
      get_target_property(links ${library} LINK_LIBRARIES)
      if(links AND NOT imported)
        dwcp_uses_caf(deeper ${links})
        if(deeper)
          set(${out} TRUE PARENT_SCOPE)
        endif()
      endif()
    endif()
  endforeach()
endfunction()

# Targets that build the tests of one label.
foreach(label unit sim actors cluster chaos caf_free)
  add_custom_target(tests_${label})
endforeach()

# dwcp_test(NAME SOURCES a_test.cpp ... [LINK lib ...] [LABELS unit] [TIMEOUT 60] [SERIAL])
# A Catch2 program registered with ctest as one test. Labels: unit, sim, actors, cluster, chaos; "caf_free" is added to
# those that a thread sanitizer can judge.
function(dwcp_test name)
  cmake_parse_arguments(A "SERIAL" "TIMEOUT" "SOURCES;LINK;LABELS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  dwcp_flags(${name})
  target_link_libraries(${name} PRIVATE dwcp_catch_main ${A_LINK})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT A_LABELS)
    set(A_LABELS unit)
  endif()
  dwcp_uses_caf(uses_caf ${A_LINK})
  # Simulations run in one thread, where there is nothing to judge; the others start programs that use CAF.
  if(NOT uses_caf AND A_LABELS MATCHES "unit")
    list(APPEND A_LABELS caf_free)
  endif()
  foreach(label ${A_LABELS})
    add_dependencies(tests_${label} ${name})
  endforeach()
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  set_tests_properties(${name} PROPERTIES LABELS "${A_LABELS}" TIMEOUT ${A_TIMEOUT})
  if(A_SERIAL)
    set_tests_properties(${name} PROPERTIES RUN_SERIAL ON)
  endif()
endfunction()
