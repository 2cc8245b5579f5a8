/**
 * Topic names, and lists of them as clients write them: `news, sports,,weather`.
 *
 * A name is 1–255 bytes of printable ASCII (0x21–0x7e) without comma, except `.` and `..`. In a
 * list, spaces and tabs around names are ignored, empty items are skipped, repeated names are
 * dropped, and the order is kept. Any thread; a list belongs to one.
 *
 * Callers: handlers/, runtime/.
 */
#ifndef TW_MODEL_TOPIC_NAME_H
#define TW_MODEL_TOPIC_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TW_TOPIC_NAME_MAX 255

/** A name. Its bytes are borrowed and not NUL-terminated. */
typedef struct tw_topic_name {
    const char *base;
    size_t len;
    uint64_t hash; /* tw_hash() of the bytes */
} tw_topic_name_t;

typedef struct tw_topic_list {
    tw_topic_name_t *items; /* owned; their bytes are borrowed from the text that was added */
    size_t count;
    size_t capacity;
    size_t named;        /* how often a name was added, repeated ones too: each is work */
    size_t max;          /* more names than this are refused */
    tw_topic_name_t bad; /* after TW_TOPIC_LIST_INVALID: the item that is not valid */
} tw_topic_list_t;

typedef enum tw_topic_list_result {
    TW_TOPIC_LIST_OK = 0,
    TW_TOPIC_LIST_INVALID = -1,  /* list->bad is not a topic name */
    TW_TOPIC_LIST_TOO_MANY = -2, /* more than list->max names */
} tw_topic_list_result_t;

/** Initialises an empty list of up to max names, at least 1. */
void tw_topic_list_init(tw_topic_list_t *list, size_t max);

/** Frees the list. */
void tw_topic_list_dispose(tw_topic_list_t *list);

/** Adds the names of a comma-separated text, which must outlive the list. After an error the list
 * is only good for dispose. */
tw_topic_list_result_t tw_topic_list_add(tw_topic_list_t *list, const char *text, size_t len);

/** Whether these bytes are a valid name. */
bool tw_topic_name_valid(const char *base, size_t len);

/** A name with its hash. Borrows the bytes. */
tw_topic_name_t tw_topic_name(const char *base, size_t len);

/** Which of so many lanes, independent orders of events, the topic is in: the same on all nodes and
 * in all versions. */
uint32_t tw_topic_lane(const tw_topic_name_t *name, uint32_t lanes);

/** The size of a block that holds an array of these names and, behind it, their bytes. */
size_t tw_topic_names_size(const tw_topic_name_t *names, size_t count);

/**
 * Copies the names to the array `to`, and their bytes behind it, into a block of at least
 * tw_topic_names_size() bytes. Returns the end of the bytes. `names` and `to` may be the same
 * array.
 */
char *tw_topic_names_copy(tw_topic_name_t *to, const tw_topic_name_t *names, size_t count);

/** Whether two names are the same. */
bool tw_topic_name_equal(const tw_topic_name_t *a, const tw_topic_name_t *b);

/** Compares two names, <0, 0 or >0, in byte order, as topics are listed; a prefix comes first. */
int tw_topic_name_compare(const char *a, size_t a_len, const char *b, size_t b_len);

#endif
