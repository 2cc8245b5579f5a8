#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/load/dialect.h"

static const load_dialect_server_t server = {"https", "127.0.0.1:1", "Bearer secret", "secret"};
static const load_event_t event = {
    .topic = 0xab, .lane = 3, .sequence = 9, .payload = "payload", .payload_bytes = 7};
static load_request_t request;

static void assert_header(const char *name, const char *value)
{
    for (size_t i = 0; i < request.header_count; i++) {
        const nghttp2_nv *header = &request.headers[i];
        if (header->namelen != strlen(name) || memcmp(header->name, name, header->namelen) != 0)
            continue;
        assert_int_equal(header->valuelen, strlen(value));
        assert_memory_equal(header->value, value, header->valuelen);
        return;
    }
    fail_msg("no header %s", name);
}

static void assert_body(const char *body)
{
    assert_int_equal(request.body_bytes, strlen(body));
    assert_memory_equal(request.body, body, request.body_bytes);
}

static void subscribe(const char *name, uint32_t first, uint32_t count)
{
    load_dialect_find(name)->subscribe(&request, &server, first, count, 4);
    assert_header(":method", "GET");
    assert_null(request.body);
}

static void publish(const char *name)
{
    load_dialect_find(name)->publish(&request, &server, &event);
    assert_header(":method", "POST");
}

static load_answer_t answer(const char *name, int status, const char *body)
{
    return load_dialect_find(name)->answer(status, body, strlen(body));
}

static void test_dialect__unknown_name_is_none(void **state)
{
    assert_null(load_dialect_find("gopher"));
}

static void test_dialect__tideway(void **state)
{
    subscribe("tideway", 3, 2);
    assert_header(":path", "/v1/stream");
    assert_header("x-sse-topic", "bench-000003,bench-000000");
    load_dialect_find("tideway")->resume(&request, 2, 0x1f);
    assert_header("last-event-id", "02-0000001f");
    publish("tideway");
    assert_header("authorization", "Bearer secret");
    assert_header("x-sse-topic", "bench-0000ab");
    assert_header("x-sse-id", "03-00000009");
    assert_body("payload");
}

static void test_dialect__tideway_answers(void **state)
{
    load_answer_t got = answer("tideway", 202,
                               "{\"status\":\"accepted\",\"id\":\"1\",\"delivered\":1234,"
                               "\"droppedTopics\":[]}");
    assert_int_equal(got.kind, LOAD_ANSWER_ACCEPTED);
    assert_int_equal(got.delivered, 1234);
    got = answer("tideway", 202, "{\"status\":\"dropped\",\"id\":\"1\",\"droppedTopics\":[\"a\"]}");
    assert_int_equal(got.kind, LOAD_ANSWER_DROPPED);
    assert_int_equal(got.delivered, 0);
    assert_int_equal(answer("tideway", 401, "{}").kind, LOAD_ANSWER_FAILED);
    assert_int_equal(answer("tideway", 200, "{}").kind, LOAD_ANSWER_FAILED);
}

static void test_dialect__nchan(void **state)
{
    subscribe("nchan", 1, 1);
    assert_header(":path", "/sub/bench-000001");
    subscribe("nchan", 1, 2);
    assert_header(":path", "/multi/bench-000001,bench-000002");
    publish("nchan");
    assert_header(":path", "/pub/bench-0000ab");
    assert_body("payload");
    assert_int_equal(answer("nchan", 201, "").kind, LOAD_ANSWER_ACCEPTED);
    assert_int_equal(answer("nchan", 202, "").kind, LOAD_ANSWER_DROPPED);
    assert_int_equal(answer("nchan", 403, "").kind, LOAD_ANSWER_FAILED);
}

static void test_dialect__mercure(void **state)
{
    subscribe("mercure", 1, 2);
    assert_header(":path", "/.well-known/mercure?topic=bench-000001&topic=bench-000002");
    publish("mercure");
    assert_header("authorization", "Bearer secret");
    assert_body("topic=bench-0000ab&data=payload");
    assert_int_equal(answer("mercure", 200, "urn:uuid:1").kind, LOAD_ANSWER_ACCEPTED);
    assert_int_equal(answer("mercure", 401, "").kind, LOAD_ANSWER_FAILED);
}

static void test_dialect__centrifugo(void **state)
{
    subscribe("centrifugo", 1, 1);
    assert_header(":path",
                  "/connection/uni_sse?cf_connect="
                  "%7B%22subs%22%3A%7B%22bench-000001%22%3A%7B%7D%7D%7D");
    publish("centrifugo");
    assert_header("x-api-key", "secret");
    assert_body("{\"channel\":\"bench-0000ab\",\"data\":\"payload\"}");
    assert_int_equal(answer("centrifugo", 200, "{\"result\":{}}").kind, LOAD_ANSWER_ACCEPTED);
    assert_int_equal(answer("centrifugo", 200, "{\"error\":{\"code\":1}}").kind,
                     LOAD_ANSWER_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dialect__unknown_name_is_none),
        cmocka_unit_test(test_dialect__tideway),
        cmocka_unit_test(test_dialect__tideway_answers),
        cmocka_unit_test(test_dialect__nchan),
        cmocka_unit_test(test_dialect__mercure),
        cmocka_unit_test(test_dialect__centrifugo),
    };
    return cmocka_run_group_tests_name("bench dialect", tests, NULL, NULL);
}
