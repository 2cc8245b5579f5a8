/* A stream as it is listed: see registry.h. */
#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "runtime/redis/registry.h"

/* By hand: it is made for every stream that opens, on its worker. */
char *tw_redis_member(const tw_subscriber_t *subscriber)
{
    const tw_connection_t *connection = subscriber->connection;
    size_t client_len = subscriber->client_id != NULL ? strlen(subscriber->client_id) : 0;
    const char *subject = tw_subscriber_subject(subscriber);
    size_t subject_len = subject != NULL ? strlen(subject) : 0;
    const char *address = tw_subscriber_remote_address(subscriber);
    size_t address_len = strlen(address);
    size_t bytes =
        TW_STREAM_ID_SIZE + 128 + TW_JSON_STRING_MAX(client_len + address_len + subject_len);

    for (size_t i = 0; i < subscriber->topic_count; ++i)
        bytes += TW_JSON_STRING_MAX(tw_subscriber_topic(subscriber, i).len) + 1;
    char *member = tw_alloc(bytes), *to = member + TW_STREAM_ID_SIZE - 1;
    tw_subscriber_id(subscriber, member);
    to = stpcpy(to, " {\"t\":[");
    for (size_t i = 0; i < subscriber->topic_count; ++i) {
        tw_topic_name_t name = tw_subscriber_topic(subscriber, i);
        if (i > 0)
            *to++ = ',';
        to = tw_json_write_string(to, name.base, name.len);
    }
    to = tw_json_write_string(stpcpy(to, "],\"a\":"), address, address_len);
    to = tw_json_write_string(stpcpy(to, ",\"p\":"), connection->protocol,
                              strlen(connection->protocol));
    if (subscriber->client_id != NULL)
        to = tw_json_write_string(stpcpy(to, ",\"c\":"), subscriber->client_id, client_len);
    if (subject != NULL)
        to = tw_json_write_string(stpcpy(to, ",\"s\":"), subject, subject_len);
    to += sprintf(to, ",\"o\":%" PRId64 "}", subscriber->opened_at_ms);
    assert((size_t)(to - member) < bytes);
    return member;
}
