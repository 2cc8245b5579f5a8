# The one list of hardening flags, for the gateway, for deps/h2o/src and for libh2o, which reads what strangers send:
#   TIDEWAY_HARDENING_COMPILE    compiler options
#   TIDEWAY_HARDENING_LINK       linker options
# What the compiler does not know is left out. tests/integration/test_hardening.py checks the binaries, and SECURITY.md
# says what is on.
include(CheckCCompilerFlag)
include(CheckLinkerFlag)

set(TIDEWAY_HARDENING_COMPILE "")
foreach(flag IN ITEMS -fstack-protector-strong -fstack-clash-protection -fcf-protection=full)
    string(MAKE_C_IDENTIFIER "TW_HAVE_${flag}" known)
    check_c_compiler_flag(${flag} ${known})
    if(${known})
        list(APPEND TIDEWAY_HARDENING_COMPILE ${flag})
    endif()
endforeach()

# _FORTIFY_SOURCE needs optimisation and blinds AddressSanitizer; level 3 needs GCC 12.
if(NOT TIDEWAY_SANITIZE)
    set(level 2)
    if(CMAKE_C_COMPILER_ID STREQUAL "GNU" AND CMAKE_C_COMPILER_VERSION VERSION_GREATER_EQUAL 12)
        set(level 3)
    endif()
    list(APPEND TIDEWAY_HARDENING_COMPILE -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=${level})
endif()

set(TIDEWAY_HARDENING_LINK "")
foreach(flag IN ITEMS -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)
    string(MAKE_C_IDENTIFIER "TW_HAVE_LINK_${flag}" known)
    check_linker_flag(C ${flag} ${known})
    if(${known})
        list(APPEND TIDEWAY_HARDENING_LINK ${flag})
    endif()
endforeach()
