/*
 * Topic lists, as headers and queries have them. The first byte is how many topics a request may
 * name, then each line is one list. Checked: a name that was taken is valid, taken once, and where
 * a list has it; the one at fault is at fault; a name counts as often as it is given.
 */
#include "runtime/model/topic_name.h"
#include "tests/fuzz/input.h"
#include "tests/support/check.h"

/* Item `index` of the list in the text, trimmed; false: there are no more. Written from the
 * contract alone. */
static bool item_of(tw_fuzz_text_t text, size_t index, tw_fuzz_text_t *item)
{
    size_t from = 0, at = 0;
    for (; at <= text.len; ++at) {
        if (at < text.len && text.base[at] != ',')
            continue;
        if (index-- == 0)
            break;
        from = at + 1;
    }
    if (at > text.len)
        return false;
    while (from < at && (text.base[from] == ' ' || text.base[from] == '\t'))
        ++from;
    while (at > from && (text.base[at - 1] == ' ' || text.base[at - 1] == '\t'))
        --at;
    *item = (tw_fuzz_text_t){text.base + from, at - from};
    return true;
}

static bool is_valid(tw_fuzz_text_t name)
{
    bool dots = name.len >= 1 && name.len <= 2 && memcmp(name.base, "..", name.len) == 0;
    bool valid = name.len >= 1 && name.len <= 255 && !dots;
    for (size_t i = 0; i < name.len; ++i)
        valid = valid && name.base[i] > 0x20 && name.base[i] < 0x7f && name.base[i] != ',';
    return valid;
}

static bool has(const tw_topic_list_t *list, tw_fuzz_text_t name)
{
    for (size_t i = 0; i < list->count; ++i)
        if (list->items[i].len == name.len && memcmp(list->items[i].base, name.base, name.len) == 0)
            return true;
    return false;
}

static void check_names(const tw_topic_list_t *list)
{
    tw_check(list->count <= list->max);
    for (size_t i = 0; i < list->count; ++i) {
        tw_check(tw_topic_name_valid(list->items[i].base, list->items[i].len));
        for (size_t j = 0; j < i; ++j)
            tw_check(!tw_topic_name_equal(&list->items[i], &list->items[j]));
    }
}

/* The list took the whole text: all its items are there, all are valid. How many that are, repeated
 * ones included. */
static size_t check_taken(const tw_topic_list_t *list, tw_fuzz_text_t text)
{
    tw_fuzz_text_t item;
    size_t named = 0;

    for (size_t i = 0; item_of(text, i, &item); ++i) {
        tw_check(item.len == 0 || (is_valid(item) && has(list, item)));
        named += item.len > 0;
    }
    return named;
}

/* The first item that is not valid, or the first one after as many as there may be (named again or
 * not), is the reason. */
static void check_refused(const tw_topic_list_t *list, tw_fuzz_text_t text, size_t named,
                          tw_topic_list_result_t result)
{
    tw_fuzz_text_t item;
    size_t i = 0;

    while (item_of(text, i, &item) &&
           (item.len == 0 || (is_valid(item) && named < list->max && has(list, item)))) {
        named += item.len > 0;
        ++i;
    }
    tw_check(item_of(text, i, &item));
    if (result == TW_TOPIC_LIST_INVALID)
        tw_check(!is_valid(item) && list->bad.base == item.base && list->bad.len == item.len);
    else
        tw_check(is_valid(item) && named == list->max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_fuzz_input_t input = {data, size};
    tw_topic_list_t list;
    tw_topic_list_result_t result = TW_TOPIC_LIST_OK;
    size_t named = 0;

    tw_topic_list_init(&list, 1 + (size_t)tw_fuzz_byte(&input) % 64);
    while (input.left > 0 && result == TW_TOPIC_LIST_OK) {
        tw_fuzz_text_t text = tw_fuzz_until(&input, '\n');
        result = tw_topic_list_add(&list, text.base, text.len);
        check_names(&list);
        if (result == TW_TOPIC_LIST_OK)
            named += check_taken(&list, text);
        else
            check_refused(&list, text, named, result);
    }
    tw_topic_list_dispose(&list);
    return 0;
}
