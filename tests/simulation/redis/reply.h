/** Bytes that grow, and RESP2 written into them. */
#ifndef TW_SIM_REDIS_REPLY_H
#define TW_SIM_REDIS_REPLY_H

#include <stddef.h>
#include <stdint.h>

typedef struct tw_model_buffer {
    char *bytes; /* owned */
    size_t len, capacity;
} tw_model_buffer_t;

void tw_model_buffer_append(tw_model_buffer_t *buffer, const void *bytes, size_t len);
void tw_model_buffer_dispose(tw_model_buffer_t *buffer);

void tw_model_reply_status(tw_model_buffer_t *out, const char *text);
void tw_model_reply_integer(tw_model_buffer_t *out, int64_t number);
void tw_model_reply_bulk(tw_model_buffer_t *out, const char *bytes, size_t len);
void tw_model_reply_text(tw_model_buffer_t *out, const char *text);
void tw_model_reply_nil(tw_model_buffer_t *out);
void tw_model_reply_nil_array(tw_model_buffer_t *out);
void tw_model_reply_array(tw_model_buffer_t *out, size_t count);

/** A double as RESP2 has it: "3", "1.5", "inf". */
void tw_model_reply_double(tw_model_buffer_t *out, double number);

/** "-<format>\r\n": the text begins with its code, such as ERR. Line ends in it become blanks. */
__attribute__((format(printf, 2, 3))) void tw_model_reply_error(tw_model_buffer_t *out,
                                                                const char *format, ...);

/** Writes a double as Redis prints one (17 digits, or a whole number); returns its length. */
size_t tw_model_print_double(double number, char out[64]);

#endif
