/*
 * The listing of topics, in byte order over all lanes. Each lane has its own in order, and topics
 * are spread by hash: so a page's part in each lane is where its share of the page is, give or take
 * some. Each lane gives a window around there. When what it leaves out is proven to be outside of
 * the page, the page is known; else the windows grow.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "runtime/redis/query.h"

#define MARGIN 16 /* rows of a window at each side of where its share of the page is; … */
#define GROWS_BY 4

/* {total, topic, {node, count…}…} */
static void deliver_topics(tw_redis_query_t *query)
{
    if (query->rows == NULL) {
        query->on_answer.topics(query->data, TW_UNAVAILABLE, 0, NULL, 0);
        return;
    }
    size_t count = json_array_size(query->rows) / 2, share = 0;
    tw_topic_row_t *rows = tw_alloc((count + 1) * sizeof(*rows));
    size_t shares_max = 1;
    for (size_t i = 0; i < count; ++i)
        shares_max += json_array_size(json_array_get(query->rows, 2 + 2 * i)) / 2;
    tw_node_share_t *shares = tw_alloc(shares_max * sizeof(*shares));
    for (size_t i = 0; i < count; ++i) {
        const json_t *nodes = json_array_get(query->rows, 2 + 2 * i);
        rows[i].topic = tw_redis_text_at(query->rows, 1 + 2 * i);
        rows[i].topic_len = strlen(rows[i].topic);
        rows[i].nodes = &shares[share];
        rows[i].node_count = json_array_size(nodes) / 2;
        for (size_t n = 0; n < rows[i].node_count; ++n, ++share) {
            shares[share].node_id = tw_redis_text_at(nodes, 2 * n);
            shares[share].stream_count = strtoull(tw_redis_text_at(nodes, 2 * n + 1), NULL, 10);
            rows[i].stream_count += shares[share].stream_count;
        }
    }
    query->on_answer.topics(query->data, TW_OK, tw_redis_total_of(query->rows), rows, count);
    free(shares);
    free(rows);
}

/* --- the lanes' windows --- */

typedef struct tw_redis_merge tw_redis_merge_t;

typedef struct tw_redis_window {
    tw_redis_merge_t *merge;
    json_t *rows; /* owned; {total, topic, {node, count…}…} */
    uint64_t first, count;
} tw_redis_window_t;

struct tw_redis_merge {
    tw_redis_query_t *query;
    uint64_t margin;
    unsigned pending; /* lanes that have not answered */
    uint32_t count;
    bool failed;
    tw_redis_window_t windows[];
};

typedef struct tw_redis_topic_row {
    const char *name;
    json_t *nodes; /* borrowed */
} tw_redis_topic_row_t;

static size_t rows_in(const tw_redis_window_t *window)
{
    return json_array_size(window->rows) / 2;
}

static const char *name_in(const tw_redis_window_t *window, size_t i)
{
    return tw_redis_text_at(window->rows, 1 + 2 * i);
}

static int compare_rows(const void *a, const void *b)
{
    return strcmp(((const tw_redis_topic_row_t *)a)->name, ((const tw_redis_topic_row_t *)b)->name);
}

/* All rows of the windows, in order. */
static tw_redis_topic_row_t *sort_rows(const tw_redis_merge_t *merge, size_t *count)
{
    size_t most = 1;

    for (uint32_t k = 0; k < merge->count; ++k)
        most += rows_in(&merge->windows[k]);
    tw_redis_topic_row_t *rows = tw_alloc(most * sizeof(*rows));
    *count = 0;
    for (uint32_t k = 0; k < merge->count; ++k)
        for (size_t i = 0; i < rows_in(&merge->windows[k]); ++i)
            rows[(*count)++] =
                (tw_redis_topic_row_t){.name = name_in(&merge->windows[k], i),
                                       .nodes = json_array_get(merge->windows[k].rows, 2 + 2 * i)};
    qsort(rows, *count, sizeof(*rows), compare_rows);
    return rows;
}

/* Whether what the windows leave out stands before the first name, or behind the last one. */
static bool is_proven(const tw_redis_merge_t *merge, const char *first, const char *last)
{
    for (uint32_t k = 0; k < merge->count; ++k) {
        const tw_redis_window_t *window = &merge->windows[k];
        size_t here = rows_in(window);
        if (window->first > 0 && (here == 0 || strcmp(name_in(window, 0), first) > 0))
            return false;
        if (window->first + here < tw_redis_total_of(window->rows) &&
            (here == 0 || strcmp(name_in(window, here - 1), last) < 0))
            return false;
    }
    return true;
}

static void end_merge(tw_redis_merge_t *merge)
{
    for (uint32_t k = 0; k < merge->count; ++k)
        json_decref(merge->windows[k].rows);
    tw_redis_query_answer(merge->query);
    free(merge);
}

/* Gives the page, if it can be told from the windows. Rows that only dead nodes follow are left out
 * of it. */
static bool take_page(tw_redis_merge_t *merge, uint64_t total)
{
    tw_redis_query_t *query = merge->query;
    uint64_t left = query->skip < total ? total - query->skip : 0, before = 0;
    size_t page = left < query->count ? left : query->count, count;
    tw_redis_topic_row_t *rows = sort_rows(merge, &count);

    for (uint32_t k = 0; k < merge->count; ++k)
        before += merge->windows[k].first;
    size_t at = query->skip - before;
    bool known = page == 0 || (query->skip >= before && at + page <= count &&
                               is_proven(merge, rows[at].name, rows[at + page - 1].name));
    if (known)
        query->rows = json_pack("[I]", (json_int_t)total);
    for (size_t i = at; known && i < at + page; ++i) {
        if (json_array_size(rows[i].nodes) == 0)
            continue;
        json_array_append_new(query->rows, json_string(rows[i].name));
        json_array_append(query->rows, rows[i].nodes);
    }
    free(rows);
    return known;
}

static void ask_lanes(tw_redis_merge_t *merge);

/* The parts of a page in each lane, and some rows around them. */
static void set_windows(tw_redis_merge_t *merge, uint64_t total)
{
    const tw_redis_query_t *query = merge->query;

    for (uint32_t k = 0; k < merge->count; ++k) {
        tw_redis_window_t *window = &merge->windows[k];
        double share = (double)tw_redis_total_of(window->rows) / (double)total;
        uint64_t at = (uint64_t)((double)query->skip * share);
        window->first = at > merge->margin ? at - merge->margin : 0;
        window->count =
            at + (uint64_t)((double)query->count * share) + merge->margin + 1 - window->first;
    }
    merge->margin *= GROWS_BY;
}

static void take_windows(tw_redis_merge_t *merge)
{
    uint64_t total = 0;

    for (uint32_t k = 0; k < merge->count; ++k)
        total += tw_redis_total_of(merge->windows[k].rows);
    if (merge->failed || take_page(merge, total)) {
        end_merge(merge);
        return;
    }
    set_windows(merge, total);
    ask_lanes(merge);
}

static void on_window(const redisReply *reply, void *data)
{
    tw_redis_window_t *window = data;
    tw_redis_merge_t *merge = window->merge;

    json_decref(window->rows);
    window->rows = NULL;
    if (reply != NULL && reply->type == REDIS_REPLY_ARRAY) {
        window->rows = tw_redis_to_json(reply);
    } else {
        tw_redis_session_refused(merge->query->session, "a read", reply);
        merge->failed = true;
    }
    if (--merge->pending == 0)
        take_windows(merge);
}

static void ask_lanes(tw_redis_merge_t *merge)
{
    tw_redis_query_t *query = merge->query;
    tw_redis_args_t args;

    merge->pending = merge->count;
    for (uint32_t k = 0, count = merge->count; k < count; ++k) {
        tw_redis_session_t *session = &query->node->lanes.items[k].session;
        tw_redis_script_begin(session, &args, TW_REDIS_SCRIPT_LIST_TOPICS);
        tw_redis_args_number(&args, merge->windows[k].first);
        tw_redis_args_number(&args, merge->windows[k].count);
        tw_redis_args_add(&args, query->text, query->text_len);
        tw_redis_session_send(session, &args, on_window, &merge->windows[k]);
    }
}

/* With one lane the window is the page; else the first windows say how many rows each lane has. */
static void send_topics(tw_redis_query_t *query)
{
    uint32_t count = query->node->lanes.count;
    tw_redis_merge_t *merge = tw_alloc(sizeof(*merge) + count * sizeof(merge->windows[0]));

    merge->query = query;
    merge->count = count;
    merge->margin = MARGIN;
    for (uint32_t k = 0; k < count; ++k)
        merge->windows[k] = (tw_redis_window_t){.merge = merge,
                                                .first = count == 1 ? query->skip : 0,
                                                .count = count == 1 ? query->count : 0};
    ask_lanes(merge);
}

void tw_redis_list_topics(tw_adapter_t *adapter, tw_loop_t *from, const tw_page_query_t *page,
                          tw_topics_fn on_page, void *data)
{
    tw_redis_query_t *query =
        tw_redis_query_begin(adapter, from, page->prefix, page->prefix_len, data);
    tw_redis_query_set_page(query, page);
    query->send = send_topics;
    query->deliver = deliver_topics;
    query->on_answer.topics = on_page;
    tw_redis_query_post(query);
}
