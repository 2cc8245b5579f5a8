# Targets from globs, so that a new source file needs no edit of a CMakeLists.txt.

# tw_link(TARGET LIB...): links libraries, which must exist, and Tideway's flags.
function(tw_link target)
    target_link_libraries(${target} PUBLIC tw_flags Threads::Threads)
    foreach(lib IN LISTS ARGN)
        if(NOT TARGET ${lib})
            message(FATAL_ERROR "${target} links ${lib}, and there is no such library")
        endif()
        target_link_libraries(${target} PUBLIC ${lib})
    endforeach()
endfunction()

# tw_add_library(NAME SOURCES GLOB... [EXCEPT FILE...] [LINK LIB...])
function(tw_add_library name)
    cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;EXCEPT;LINK")
    list(TRANSFORM arg_SOURCES PREPEND ${PROJECT_SOURCE_DIR}/)
    file(GLOB sources CONFIGURE_DEPENDS ${arg_SOURCES})
    foreach(file IN LISTS arg_EXCEPT)
        list(REMOVE_ITEM sources ${PROJECT_SOURCE_DIR}/${file})
    endforeach()
    add_library(${name} STATIC ${sources})
    tw_link(${name} ${arg_LINK})
endfunction()
