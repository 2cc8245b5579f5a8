#include "base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local unsigned fail_after;

static void *checked(void *p)
{
    if (p == NULL) {
        fputs("tideway: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *tw_alloc(size_t bytes)
{
    return checked(calloc(1, bytes));
}

void *tw_realloc(void *p, size_t bytes)
{
    return checked(realloc(p, bytes));
}

char *tw_strndup(const char *s, size_t len)
{
    char *copy = checked(malloc(len + 1));
    memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}

void *tw_try_alloc(size_t bytes)
{
    if (fail_after != 0 && --fail_after == 0)
        return NULL;
    return malloc(bytes);
}

unsigned tw_alloc_fail_after(unsigned n)
{
    unsigned left = fail_after;
    fail_after = n;
    return left;
}
