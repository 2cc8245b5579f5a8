# The number of the last patch that is applied: a test server leaves out what that libh2o does not have.
if(DEFINED TIDEWAY_H2O_PATCHES AND NOT TIDEWAY_H2O_PATCHES STREQUAL "")
    set(series ${TIDEWAY_H2O_PATCHES})
else()
    file(GLOB patches RELATIVE ${CMAKE_CURRENT_LIST_DIR}/../../deps/h2o/patches CONFIGURE_DEPENDS
         ${CMAKE_CURRENT_LIST_DIR}/../../deps/h2o/patches/[0-9]*.patch)
    list(SORT patches)
    list(POP_BACK patches last)
    string(REGEX REPLACE "^0*([0-9]+)-.*" "\\1" series "${last}")
endif()
