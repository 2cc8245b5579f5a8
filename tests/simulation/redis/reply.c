#include "tests/simulation/redis/reply.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ERROR_MAX 1024

void tw_model_buffer_append(tw_model_buffer_t *buffer, const void *bytes, size_t len)
{
    if (buffer->capacity - buffer->len < len) {
        size_t capacity = buffer->capacity == 0 ? 256 : buffer->capacity;
        while (capacity - buffer->len < len)
            capacity *= 2;
        buffer->bytes = tw_realloc(buffer->bytes, capacity);
        buffer->capacity = capacity;
    }
    if (len > 0)
        memcpy(buffer->bytes + buffer->len, bytes, len);
    buffer->len += len;
}

void tw_model_buffer_dispose(tw_model_buffer_t *buffer)
{
    free(buffer->bytes);
    *buffer = (tw_model_buffer_t){0};
}

/* "<kind><number>\r\n" */
static void put_head(tw_model_buffer_t *out, char kind, int64_t number)
{
    char text[24], *end = text + sizeof(text), *at = end;
    uint64_t left = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;

    *--at = '\n';
    *--at = '\r';
    do
        *--at = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (number < 0)
        *--at = '-';
    tw_model_buffer_append(out, &kind, 1);
    tw_model_buffer_append(out, at, (size_t)(end - at));
}

void tw_model_reply_status(tw_model_buffer_t *out, const char *text)
{
    tw_model_buffer_append(out, "+", 1);
    tw_model_buffer_append(out, text, strlen(text));
    tw_model_buffer_append(out, "\r\n", 2);
}

void tw_model_reply_integer(tw_model_buffer_t *out, int64_t number)
{
    put_head(out, ':', number);
}

void tw_model_reply_bulk(tw_model_buffer_t *out, const char *bytes, size_t len)
{
    put_head(out, '$', (int64_t)len);
    tw_model_buffer_append(out, bytes, len);
    tw_model_buffer_append(out, "\r\n", 2);
}

void tw_model_reply_text(tw_model_buffer_t *out, const char *text)
{
    tw_model_reply_bulk(out, text, strlen(text));
}

void tw_model_reply_nil(tw_model_buffer_t *out)
{
    tw_model_buffer_append(out, "$-1\r\n", 5);
}

void tw_model_reply_nil_array(tw_model_buffer_t *out)
{
    tw_model_buffer_append(out, "*-1\r\n", 5);
}

void tw_model_reply_array(tw_model_buffer_t *out, size_t count)
{
    put_head(out, '*', (int64_t)count);
}

size_t tw_model_print_double(double number, char out[64])
{
    if (isinf(number))
        return (size_t)snprintf(out, 64, number > 0 ? "inf" : "-inf");
    if (number > -1e15 && number < 1e15 && number == (double)(int64_t)number)
        return (size_t)snprintf(out, 64, "%" PRId64, (int64_t)number);
    return (size_t)snprintf(out, 64, "%.17g", number);
}

void tw_model_reply_double(tw_model_buffer_t *out, double number)
{
    char text[64];
    size_t len = tw_model_print_double(number, text);
    tw_model_reply_bulk(out, text, len);
}

void tw_model_reply_error(tw_model_buffer_t *out, const char *format, ...)
{
    char text[ERROR_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    for (char *at = text; *at != '\0'; ++at)
        if (*at == '\r' || *at == '\n')
            *at = ' ';
    tw_model_buffer_append(out, "-", 1);
    tw_model_buffer_append(out, text, strlen(text));
    tw_model_buffer_append(out, "\r\n", 2);
}
