#include "tests/simulation/differential/pair.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "tests/support/check.h"

#define WORDS_MAX 32
#define ABOUT 0.001

static int64_t on_now(void *data)
{
    return ((const tw_pair_t *)data)->now_us;
}

static void on_output(tw_model_session_t *session, const char *bytes, size_t len)
{
    const tw_pair_session_t *at = tw_model_session_data(session);
    tw_check(redisReaderFeed(at->reader, bytes, len) == REDIS_OK);
}

static void on_end(tw_model_session_t *session)
{
    fputs("the model ended a session\n", stderr);
    abort();
}

void tw_pair_open(tw_pair_t *pair)
{
    struct timeval now;

    *pair = (tw_pair_t){0};
    tw_test_redis_start(&pair->redis, NULL);
    gettimeofday(&now, NULL);
    pair->now_us = (int64_t)now.tv_sec * 1000000 + now.tv_usec;
    const tw_model_owner_t owner = {.wall_us = on_now,
                                    .now_us = on_now,
                                    .on_output = on_output,
                                    .on_end = on_end,
                                    .data = pair};
    pair->model = tw_model_server_create(&owner, 1);
    for (int i = 0; i < TW_PAIR_SESSIONS; ++i) {
        tw_pair_session_t *at = &pair->sessions[i];
        at->session = tw_model_session_open(pair->model, at);
        at->reader = redisReaderCreate();
        at->real = redisConnect("127.0.0.1", pair->redis.port);
        tw_check(at->real != NULL && at->real->err == 0);
    }
}

void tw_pair_close(tw_pair_t *pair)
{
    for (int i = 0; i < TW_PAIR_SESSIONS; ++i) {
        redisFree(pair->sessions[i].real);
        tw_model_session_close(pair->sessions[i].session);
        redisReaderFree(pair->sessions[i].reader);
    }
    tw_model_server_destroy(pair->model);
    tw_test_redis_dispose(&pair->redis);
}

void tw_pair_flush(tw_pair_t *pair)
{
    tw_pair_say(pair, 0, TW_SAME, "FLUSHALL");
}

/* --- comparing --- */

static int compare_text(const redisReply *a, const redisReply *b)
{
    size_t len = a->len < b->len ? (size_t)a->len : (size_t)b->len;
    int order = memcmp(a->str, b->str, len);
    return order != 0 ? order : (a->len > b->len) - (a->len < b->len);
}

static int compare_elements(const void *a, const void *b)
{
    const redisReply *x = *(redisReply *const *)a, *y = *(redisReply *const *)b;
    return x->str == NULL || y->str == NULL ? 0 : compare_text(x, y);
}

static void sort(redisReply *reply, size_t group)
{
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements % group == 0 && reply->elements > 0)
        qsort(reply->element, reply->elements / group, group * sizeof(redisReply *),
              compare_elements);
}

/* Where a script failed, and what Lua says itself, are no promise of Redis'. */
static int error_len(const redisReply *error)
{
    const char *place = strstr(error->str, " script: ");
    const char *lua = strstr(error->str, "user_script:");
    if (lua != NULL && (place == NULL || lua < place))
        return (int)strcspn(error->str, " ");
    return place != NULL ? (int)(place - error->str) : (int)error->len;
}

static bool same_text(const redisReply *a, const redisReply *b, bool about)
{
    if (a->len == b->len && memcmp(a->str, b->str, (size_t)a->len) == 0)
        return true;
    double x = strtod(a->str, NULL), y = strtod(b->str, NULL);
    return about && x != 0 && fabs(x - y) <= fabs(x) * ABOUT;
}

static bool is_same(const redisReply *a, const redisReply *b, bool about)
{
    if (a->type != b->type)
        return false;
    switch (a->type) {
    case REDIS_REPLY_INTEGER:
        return a->integer == b->integer ||
               (about && llabs(a->integer - b->integer) <= llabs(a->integer) * ABOUT + 1);
    case REDIS_REPLY_NIL:
        return true;
    case REDIS_REPLY_ERROR:
        return error_len(a) == error_len(b) && memcmp(a->str, b->str, (size_t)error_len(a)) == 0;
    case REDIS_REPLY_ARRAY:
        if (a->elements != b->elements)
            return false;
        for (size_t i = 0; i < a->elements; ++i)
            if (!is_same(a->element[i], b->element[i], about))
                return false;
        return true;
    default:
        return same_text(a, b, about);
    }
}

static bool replies_agree(redisReply *a, redisReply *b, tw_same_t same)
{
    if (a->type != b->type)
        return false;
    if (same == TW_SAME_KIND)
        return true;
    if (same == TW_SAME_SET || same == TW_SAME_PAIRS) {
        sort(a, same == TW_SAME_PAIRS ? 2 : 1);
        sort(b, same == TW_SAME_PAIRS ? 2 : 1);
    }
    if ((same == TW_SAME_SCAN || same == TW_SAME_SCAN_SET) && a->type == REDIS_REPLY_ARRAY) {
        sort(a->element[1], same == TW_SAME_SCAN ? 2 : 1);
        sort(b->element[1], same == TW_SAME_SCAN ? 2 : 1);
    }
    return is_same(a, b, same == TW_SAME_ABOUT);
}

/* --- showing --- */

static void print_bytes(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; ++i) {
        if (bytes[i] >= ' ' && bytes[i] <= '~')
            putc(bytes[i], stderr);
        else
            fprintf(stderr, "\\x%02x", (unsigned char)bytes[i]);
    }
}

static void print_reply(const redisReply *reply)
{
    if (reply->type == REDIS_REPLY_INTEGER)
        fprintf(stderr, ":%lld ", reply->integer);
    else if (reply->type == REDIS_REPLY_NIL)
        fprintf(stderr, "nil ");
    else if (reply->type == REDIS_REPLY_ARRAY) {
        fprintf(stderr, "[");
        for (size_t i = 0; i < reply->elements; ++i)
            print_reply(reply->element[i]);
        fprintf(stderr, "] ");
    } else {
        fprintf(stderr, reply->type == REDIS_REPLY_ERROR ? "error '" : "'");
        print_bytes(reply->str, (size_t)reply->len);
        fprintf(stderr, "' ");
    }
}

static void differ(const redisReply *model, const redisReply *real, const char *const *argv,
                   const size_t *lens, int argc)
{
    fprintf(stderr, "the command:");
    for (int i = 0; i < argc; ++i) {
        fprintf(stderr, " '");
        print_bytes(argv[i], lens[i]);
        fprintf(stderr, "'");
    }
    fprintf(stderr, "\nRedis says:     ");
    print_reply(real);
    fprintf(stderr, "\nthe model says: ");
    print_reply(model);
    fprintf(stderr, "\n");
    abort();
}

/* --- running --- */

void tw_pair_send(tw_pair_t *pair, int at, int argc, const char *const *argv, const size_t *lens)
{
    tw_model_buffer_t bytes = {0};

    tw_model_reply_array(&bytes, (size_t)argc); /* commands look as replies do */
    for (int i = 0; i < argc; ++i)
        tw_model_reply_bulk(&bytes, argv[i], lens[i]);
    tw_model_session_feed(pair->sessions[at].session, bytes.bytes, bytes.len);
    tw_model_buffer_dispose(&bytes);
    tw_check(redisAppendCommandArgv(pair->sessions[at].real, argc, (const char **)argv, lens) ==
             REDIS_OK);
    int done = 0;
    while (done == 0)
        tw_check(redisBufferWrite(pair->sessions[at].real, &done) == REDIS_OK);
}

void tw_pair_receive(tw_pair_t *pair, int at, tw_same_t same, const char *const *argv,
                     const size_t *lens, int argc)
{
    void *model = NULL, *real = NULL;

    tw_check(redisGetReply(pair->sessions[at].real, &real) == REDIS_OK);
    tw_check(redisReaderGetReply(pair->sessions[at].reader, &model) == REDIS_OK);
    if (model == NULL) {
        fprintf(stderr, "the model has not answered\n");
        differ(real, real, argv, lens, argc);
    }
    if (!replies_agree(model, real, same))
        differ(model, real, argv, lens, argc);
    freeReplyObject(model);
    freeReplyObject(real);
}

void tw_pair_drain(tw_pair_t *pair, int at)
{
    void *model = NULL, *real = NULL;

    while (redisReaderGetReply(pair->sessions[at].reader, &model) == REDIS_OK && model != NULL) {
        tw_check(redisGetReply(pair->sessions[at].real, &real) == REDIS_OK);
        if (!replies_agree(model, real, TW_SAME))
            differ(model, real, NULL, NULL, 0);
        freeReplyObject(model);
        freeReplyObject(real);
    }
}

void tw_pair_run(tw_pair_t *pair, int at, tw_same_t same, int argc, const char *const *argv,
                 const size_t *lens)
{
    tw_pair_send(pair, at, argc, argv, lens);
    tw_pair_receive(pair, at, same, argv, lens, argc);
}

static int split(char *text, const char *argv[WORDS_MAX], size_t lens[WORDS_MAX])
{
    int argc = 0;
    for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " ")) {
        tw_check(argc < WORDS_MAX);
        argv[argc] = word;
        lens[argc++] = strlen(word);
    }
    return argc;
}

void tw_pair_say(tw_pair_t *pair, int at, tw_same_t same, const char *words)
{
    const char *argv[WORDS_MAX];
    size_t lens[WORDS_MAX];
    char text[1024];

    snprintf(text, sizeof(text), "%s", words);
    int argc = split(text, argv, lens);
    tw_pair_run(pair, at, same, argc, argv, lens);
}

void tw_pair_send_words(tw_pair_t *pair, int at, const char *words)
{
    const char *argv[WORDS_MAX];
    size_t lens[WORDS_MAX];
    char text[1024];

    snprintf(text, sizeof(text), "%s", words);
    int argc = split(text, argv, lens);
    tw_pair_send(pair, at, argc, argv, lens);
}
