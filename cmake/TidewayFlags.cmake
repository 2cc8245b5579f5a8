# Language level, hardening and sanitizers for everything that is built here (h2o too), and the
# interface target `tw_flags` with the warnings that Tideway's own sources are held to.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)
include(CheckPIESupported)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "build type" FORCE)
endif()
# Assertions stay on in every build: CMake's own defaults would define NDEBUG.
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_C_FLAGS_RELEASE "-O2")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")

find_program(TIDEWAY_CCACHE ccache)
if(TIDEWAY_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${TIDEWAY_CCACHE})
endif()

set(CMAKE_POSITION_INDEPENDENT_CODE ON)
check_pie_supported(LANGUAGES C)

# Adds each flag that the compiler knows to every target from here on.
function(tw_compile_flags_everywhere)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "TW_HAVE_${flag}" known)
        check_c_compiler_flag(${flag} ${known})
        if(${known})
            add_compile_options(${flag})
        endif()
    endforeach()
endfunction()

function(tw_link_flags_everywhere)
    foreach(flag IN LISTS ARGN)
        string(MAKE_C_IDENTIFIER "TW_HAVE_LINK_${flag}" known)
        check_linker_flag(C ${flag} ${known})
        if(${known})
            add_link_options(${flag})
        endif()
    endforeach()
endfunction()

add_compile_options(-fno-omit-frame-pointer)
tw_compile_flags_everywhere(-fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
tw_link_flags_everywhere(-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

if(TIDEWAY_SANITIZE)
    add_compile_options(-fsanitize=${TIDEWAY_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${TIDEWAY_SANITIZE})
    add_compile_definitions(TIDEWAY_SANITIZED=1)
else()
    # _FORTIFY_SOURCE needs optimisation and blinds AddressSanitizer; level 3 needs GCC 12.
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
    else()
        add_compile_options(-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2)
    endif()
endif()

# The fuzzer sees which ways an input takes through everything that is compiled here. Clang's check of
# pointer arithmetic is left out: it objects to NULL + 0, the end of an empty text, and GCC's does not.
if(TIDEWAY_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link -fno-sanitize=pointer-overflow)
endif()

add_library(tw_flags INTERFACE)
target_compile_definitions(tw_flags INTERFACE _GNU_SOURCE
    TIDEWAY_ADMIN_UI=$<BOOL:${TIDEWAY_ADMIN_UI}>)
target_include_directories(tw_flags INTERFACE
    ${PROJECT_SOURCE_DIR} ${PROJECT_BINARY_DIR}/generated)
target_compile_options(tw_flags INTERFACE
    -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -Wvla
    -Wno-unused-parameter
    $<$<C_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond -Wjump-misses-init>
    $<$<BOOL:${TIDEWAY_WERROR}>:-Werror>)
