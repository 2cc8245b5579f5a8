/** cmocka with the headers that it wants first. */
#ifndef TW_TEST_CMOCKA_H
#define TW_TEST_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
