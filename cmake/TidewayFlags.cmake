# Language level, hardening and sanitizers for everything that is built here (deps/h2o hands them to libh2o), and the
# interface target `tw_flags` with the warnings that Tideway's own sources are held to.
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

include(TidewayHardening)
add_compile_options(-fno-omit-frame-pointer ${TIDEWAY_HARDENING_COMPILE})
add_link_options(${TIDEWAY_HARDENING_LINK})

if(TIDEWAY_SANITIZE)
    add_compile_options(-fsanitize=${TIDEWAY_SANITIZE} -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${TIDEWAY_SANITIZE})
    add_compile_definitions(TIDEWAY_SANITIZED=1)
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
    -Werror=incompatible-pointer-types
    $<$<C_COMPILER_ID:GNU>:-Wlogical-op -Wduplicated-cond -Wjump-misses-init>
    $<$<BOOL:${TIDEWAY_WERROR}>:-Werror>)
