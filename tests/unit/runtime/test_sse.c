/* The event-stream format, against a reader that was written from the WHATWG text alone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/model/sse.h"
#include "tests/support/cmocka_test.h"
#include "tests/support/random.h"
#include "tests/support/sse_reader.h"
#include "tests/support/thread.h"

/* The frame of these fields in memory that ends right behind it; free() it. */
static char *frame_of(const tw_sse_fields_t *fields, size_t *len)
{
    *len = tw_sse_size(fields);
    char *frame = malloc(*len);
    assert_non_null(frame);
    assert_ptr_equal(tw_sse_write(frame, fields), frame + *len);
    return frame;
}

static tw_sse_fields_t payload_only(const char *payload, size_t len)
{
    return (tw_sse_fields_t){.payload = payload, .payload_len = len};
}

static void expect_frame(const tw_sse_fields_t *fields, const char *expected)
{
    size_t len;
    char *frame = frame_of(fields, &len);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(frame, expected, len);
    free(frame);
}

static void test_sse__writes_id_type_and_one_data_line_per_line(void **state)
{
    static const struct {
        const char *payload, *data;
    } cases[] = {
        {"", "data: \n"},
        {"x", "data: x\n"},
        {"a\nb", "data: a\ndata: b\n"},
        {"a\rb", "data: a\ndata: b\n"},
        {"a\r\nb", "data: a\ndata: b\n"},
        {"a\n\rb", "data: a\ndata: \ndata: b\n"},
        {"a\r\r\nb", "data: a\ndata: \ndata: b\n"},
        {"a\n", "data: a\ndata: \n"},
        {"a\r", "data: a\ndata: \n"},
        {"a\r\n", "data: a\ndata: \n"},
        {"\n", "data: \ndata: \n"},
        {"\r\n", "data: \ndata: \n"},
        {"\n\n", "data: \ndata: \ndata: \n"},
        {"\r\n\r\n", "data: \ndata: \ndata: \n"},
        {"\r\r", "data: \ndata: \ndata: \n"},
        {" x", "data:  x\n"},
        {"data: x\nid: 7", "data: data: x\ndata: id: 7\n"},
        {":", "data: :\n"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); ++i) {
        char expected[128];
        tw_sse_fields_t fields = payload_only(cases[i].payload, strlen(cases[i].payload));
        snprintf(expected, sizeof(expected), "%s\n", cases[i].data);
        expect_frame(&fields, expected);
        fields.id = "42";
        fields.id_len = 2;
        snprintf(expected, sizeof(expected), "id: 42\n%s\n", cases[i].data);
        expect_frame(&fields, expected);
        fields.type = "price";
        fields.type_len = 5;
        snprintf(expected, sizeof(expected), "id: 42\nevent: price\n%s\n", cases[i].data);
        expect_frame(&fields, expected);
    }
}

static void test_sse__a_payload_without_an_address_is_an_empty_line(void **state)
{
    const tw_sse_fields_t fields = payload_only(NULL, 0);
    expect_frame(&fields, "data: \n\n");
}

/* What a subscriber should see: each line end of the payload as one LF. */
static tw_test_text_t normalized(const char *payload, size_t len)
{
    tw_test_text_t text = {0};

    tw_test_text_append(&text, "", 0);
    for (size_t i = 0; i < len; ++i) {
        if (payload[i] == '\r' && i + 1 < len && payload[i + 1] == '\n')
            ++i;
        bool ends_line = payload[i] == '\r' || payload[i] == '\n';
        tw_test_text_append(&text, ends_line ? "\n" : &payload[i], 1);
    }
    return text;
}

static void expect_round_trip(const char *payload, size_t len, size_t cut)
{
    const tw_sse_fields_t fields = {.id = "i:d ",
                                    .id_len = 4,
                                    .type = " type",
                                    .type_len = 5,
                                    .payload = payload,
                                    .payload_len = len};
    tw_test_text_t expected = normalized(payload, len);
    tw_sse_reader_t reader;
    size_t frame_len;
    char *frame = frame_of(&fields, &frame_len);
    char *read_back = malloc(frame_len);

    assert_non_null(read_back);
    tw_sse_reader_init(&reader);
    cut = cut < frame_len ? cut : frame_len;
    tw_sse_reader_feed(&reader, frame, cut);
    tw_sse_reader_feed(&reader, frame + cut, frame_len - cut);
    assert_int_equal(reader.message_count, 1);
    assert_true(tw_test_text_is(&reader.messages->data, expected.bytes, expected.len));
    assert_true(tw_test_text_is(&reader.messages->last_event_id, "i:d ", 4));
    assert_true(tw_test_text_is(&reader.messages->type, " type", 5));
    assert_int_equal(tw_sse_payload(frame, frame_len, read_back), expected.len);
    assert_memory_equal(read_back, expected.bytes, expected.len);
    tw_sse_reader_dispose(&reader);
    tw_test_text_dispose(&expected);
    free(read_back);
    free(frame);
}

static void test_sse__readers_see_the_lines_that_were_meant(void **state)
{
    static const char alphabet[] = "\r\n\r\na: \xc3\xa9";
    tw_test_random_t random;
    char payload[48];

    tw_test_random_init(&random, "sse", 20240607);
    for (uint32_t run = tw_test_runs(20000); run > 0; --run) {
        size_t len = tw_test_random_below(&random, sizeof(payload));
        for (size_t i = 0; i < len; ++i)
            payload[i] = alphabet[tw_test_random_below(&random, sizeof(alphabet) - 1)];
        expect_round_trip(payload, len, tw_test_random_below(&random, 64));
    }
}

static void test_sse__a_frame_can_be_cut_anywhere(void **state)
{
    static const char payload[] = "\xf0\x9f\x98\x80 gr\xc3\xbc\xc3\x9f\r\nend\n";
    for (size_t cut = 0; cut < 128; ++cut)
        expect_round_trip(payload, sizeof(payload) - 1, cut);
}

/* A payload of line ends alone costs what its length costs, not the square of it: at a mebibyte the
 * square takes minutes. */
static void test_sse__many_lines_cost_no_more_than_their_bytes(void **state)
{
    static const char *const ends[] = {"\r", "\n", "\r\n", "x\r"};
    enum { LEN = 1 << 20 };
    char *payload = malloc(LEN);

    assert_non_null(payload);
    for (size_t e = 0; e < sizeof(ends) / sizeof(ends[0]); ++e) {
        size_t end_len = strlen(ends[e]), len;
        for (size_t i = 0; i < LEN; ++i)
            payload[i] = ends[e][i % end_len];
        int64_t begun_ms = tw_test_cpu_ms();
        const tw_sse_fields_t fields = payload_only(payload, LEN);
        free(frame_of(&fields, &len));
        assert_true(tw_test_cpu_ms() - begun_ms < TW_TEST_CPU_MS_MAX);
        assert_true(len >= LEN);
    }
    free(payload);
}

static void test_sse_reader__reads_as_the_standard_says(void **state)
{
    static const char stream[] =
        "\n:comment\nretry: 1500\nretry: 1x\nretry:\n\n"
        "data\n\n"
        "data\ndata\n\n"
        "data: test\n\ndata:test\n\n"
        "event: add\ndata: 1\rid: 7\r\n\r\n"
        "event: only\n\n"
        "id: 8\n\n"
        "data: after\n\n"
        "id\ndata: reset\n\ndata: never";
    static const struct {
        const char *data, *type, *id;
    } expected[] = {{"", "message", ""},     {"\n", "message", ""}, {"test", "message", ""},
                    {"test", "message", ""}, {"1", "add", "7"},     {"after", "message", "8"},
                    {"reset", "message", ""}};
    const size_t count = sizeof(expected) / sizeof(expected[0]);
    tw_sse_reader_t reader;

    tw_sse_reader_init(&reader);
    tw_sse_reader_feed(&reader, stream, sizeof(stream) - 1);
    assert_int_equal(reader.message_count, count);
    assert_int_equal(reader.retry_ms, 1500);
    assert_int_equal(reader.comments, 1);
    for (size_t i = 0; i < count; ++i) {
        const tw_sse_message_t *message = &reader.messages[i];
        assert_true(tw_test_text_is(&message->data, expected[i].data, strlen(expected[i].data)));
        assert_true(tw_test_text_is(&message->type, expected[i].type, strlen(expected[i].type)));
        assert_true(
            tw_test_text_is(&message->last_event_id, expected[i].id, strlen(expected[i].id)));
    }
    tw_sse_reader_dispose(&reader);
}

/* --- UTF-8 --- */

/* How many bytes a character has that begins so; 0: none does. */
static size_t bytes_of_character(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >> 5 == 0x06)
        return 2;
    if (first >> 4 == 0x0e)
        return 3;
    return first >> 3 == 0x1e ? 4 : 0;
}

/* Whether n bytes are the shortest form of one scalar value other than 0 (RFC 3629). */
static bool is_character(const unsigned char *p, size_t n)
{
    static const uint32_t least[] = {0, 1, 0x80, 0x800, 0x10000};
    uint32_t scalar = n == 1 ? p[0] : p[0] & (0x7fU >> n);

    for (size_t k = 1; k < n; ++k) {
        if (p[k] >> 6 != 2)
            return false;
        scalar = scalar << 6 | (p[k] & 0x3f);
    }
    return scalar >= least[n] && scalar <= 0x10ffff && !(scalar >= 0xd800 && scalar <= 0xdfff);
}

/* The slow way: character by character. */
static bool is_text(const unsigned char *p, size_t len)
{
    for (size_t i = 0; i < len;) {
        size_t n = bytes_of_character(p[i]);
        if (n == 0 || n > len - i || !is_character(p + i, n))
            return false;
        i += n;
    }
    return true;
}

static void test_sse_text__every_pair_and_the_edges_of_longer_sequences(void **state)
{
    static const unsigned char edges[] = {0x00, 0x01, 0x7f, 0x80, 0x8f, 0x90, 0x9f,
                                          0xa0, 0xbf, 0xc0, 0xc2, 0xdf, 0xe0, 0xed,
                                          0xef, 0xf0, 0xf4, 0xf5, 0xff};
    const size_t n = sizeof(edges);
    unsigned char bytes[4];

    assert_true(tw_sse_text_valid("", 0));
    assert_true(tw_sse_text_valid(NULL, 0));
    for (unsigned a = 0; a < 256; ++a) {
        for (unsigned b = 0; b < 256; ++b) {
            bytes[0] = (unsigned char)a;
            bytes[1] = (unsigned char)b;
            assert_int_equal(tw_sse_text_valid((char *)bytes, 2), is_text(bytes, 2));
        }
    }
    for (size_t i = 0; i < n * n * n * n; ++i) {
        size_t left = i;
        for (size_t k = 0; k < 4; ++k, left /= n)
            bytes[k] = edges[left % n];
        for (size_t len = 1; len <= 4; ++len)
            assert_int_equal(tw_sse_text_valid((char *)bytes, len), is_text(bytes, len));
    }
}

/* The fast way over eight bytes must find what is wrong at each of its places. */
static void test_sse_text__finds_a_bad_byte_anywhere(void **state)
{
    static const unsigned char bad[] = {0x00, 0x80, 0xff, 0xc3};
    char text[33];

    for (size_t len = 1; len <= sizeof(text); ++len) {
        memset(text, 'a', sizeof(text));
        assert_true(tw_sse_text_valid(text, len));
        for (size_t at = 0; at < len; ++at) {
            for (size_t b = 0; b < sizeof(bad); ++b) {
                text[at] = (char)bad[b];
                assert_false(tw_sse_text_valid(text, len));
            }
            text[at] = 'a';
        }
        for (size_t at = 0; at + 2 <= len; ++at) {
            text[at] = (char)0xc3;
            text[at + 1] = (char)0xa9;
            assert_true(tw_sse_text_valid(text, len));
            memset(text, 'a', sizeof(text));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sse__writes_id_type_and_one_data_line_per_line),
        cmocka_unit_test(test_sse__a_payload_without_an_address_is_an_empty_line),
        cmocka_unit_test(test_sse__readers_see_the_lines_that_were_meant),
        cmocka_unit_test(test_sse__a_frame_can_be_cut_anywhere),
        cmocka_unit_test(test_sse__many_lines_cost_no_more_than_their_bytes),
        cmocka_unit_test(test_sse_reader__reads_as_the_standard_says),
        cmocka_unit_test(test_sse_text__every_pair_and_the_edges_of_longer_sequences),
        cmocka_unit_test(test_sse_text__finds_a_bad_byte_anywhere),
    };
    return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
