/* Origins: how they may be listed, and which ones of browsers match. */
#include <stdio.h>
#include <string.h>

#include "handlers/clients/origins.h"
#include "tests/support/cmocka_test.h"

static bool allows(const char *list, const char *origin)
{
    tw_origins_t origins;
    tw_text_t bad;

    assert_true(tw_origins_parse(list, &origins, &bad));
    bool allowed = tw_origins_contain(&origins, tw_text_of(origin));
    tw_origins_dispose(&origins);
    return allowed;
}

static void test_list__is_read_as_browsers_write_origins(void **state)
{
    static const char *const same[][2] = {
        {"https://app.example", "https://app.example"},
        {"https://app.example/", "https://app.example"},
        {"HTTPS://App.Example", "https://app.example"},
        {"https://app.example:443", "https://app.example"},
        {"http://app.example:80/", "http://app.example"},
        {"http://app.example:443", "http://app.example:443"},
        {"https://app.example:08443", "https://app.example:8443"},
        {"http://localhost:3000", "http://localhost:3000"},
        {"http://127.0.0.1:3000", "http://127.0.0.1:3000"},
        {"http://[0:0::1]:3000", "http://[::1]:3000"},
        {"https://[2001:DB8::A]", "https://[2001:db8::a]"},
        {"capacitor://localhost", "capacitor://localhost"},
        {"chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop"},
        {"https://xn--bcher-kva.example", "https://xn--bcher-kva.example"},
        {"https://a_b.example", "https://a_b.example"},
        {" https://a.example\t,, https://b.example", "https://b.example"},
        {"*", "null"},
        {"https://a.example,*", "https://b.example"},
    };

    for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); ++i)
        assert_true(allows(same[i][0], same[i][1]));
}

static void test_list__allows_no_others(void **state)
{
    static const char *const others[] = {
        "http://app.example",
        "https://app.example:8443",
        "https://app.example.evil",
        "https://evil.app.example",
        "https://app.exampl",
        "https://app.example/",
        "https://APP.example",
        "null",
        "",
        "https://app.example\n",
        "https://app.exampleevil",
        "https://evilapp.example",
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); ++i)
        assert_false(allows("https://app.example", others[i]));
    assert_false(allows(NULL, "https://app.example"));
    assert_false(allows(" , ", ""));
}

static void test_star__is_one_or_more_labels_below_and_nothing_else(void **state)
{
    static const char list[] = "https://*.Example.com:443,http://*.example.com:8080";
    static const char *const below[] = {"https://a.example.com", "https://a.b-c.d_e.example.com",
                                        "http://a.example.com:8080"};
    static const char *const not_below[] = {
        "https://example.com",        "https://.example.com",       "https://a..example.com",
        "https://.a.example.com",     "https://aexample.com",       "http://a.example.com",
        "https://a.example.com:8080", "https://a.example.com.evil", "https://evil/.example.com",
        "https://evil:1.example.com", "https://u@a.example.com",    "https://A.example.com",
        "https://evil?.example.com",  "xhttps://a.example.com",     "https://a.example.com/",
        "http://a.example.com:80800", "https://*.example.com",
    };

    for (size_t i = 0; i < sizeof(below) / sizeof(below[0]); ++i)
        assert_true(allows(list, below[i]));
    for (size_t i = 0; i < sizeof(not_below) / sizeof(not_below[0]); ++i)
        assert_false(allows(list, not_below[i]));
}

static void test_list__names_the_first_item_that_is_no_origin(void **state)
{
    static const char *const bad[] = {
        "app.example",
        "https://",
        "https://app.example/x",
        "https://app.example//",
        "https://u@a.b",
        "https://*",
        "https://*.",
        "https://*.*.b",
        "https://a*.b",
        "https://*.1.2.3.4",
        "https://a..b",
        "https://.a",
        "https://a.",
        "null",
        "https://a:",
        "https://a:65536",
        "https://a:1x",
        "https://a?",
        "https://a#",
        "https://1.2.3",
        "https://1.2.3.256",
        "https://0x7f",
        "https://[::1",
        "https://::1",
        "https://[::1]x",
        "https://[]",
        "//a.b",
        "1http://a",
        "https:a.b",
        "https://[1.2.3.4]",
        "https://[::1.2.3.4]",
        "https://a b",
        "https://a\"",
        "https://b\xc3\xbc.b",
        "*.b",
        "**",
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); ++i) {
        char list[64];
        tw_origins_t origins;
        tw_text_t item;
        snprintf(list, sizeof(list), "https://good.example, %s ,app", bad[i]);
        assert_false(tw_origins_parse(list, &origins, &item));
        assert_int_equal(item.len, strlen(bad[i]));
        assert_memory_equal(item.base, bad[i], item.len);
    }
}

static void test_list__refuses_what_is_too_long_for_a_name(void **state)
{
    char list[1024] = "https://";
    tw_origins_t origins;
    tw_text_t bad;

    for (size_t len = 1; len < 400; ++len) {
        memset(list + 8, 'a', len);
        for (size_t dot = 60; dot < len; dot += 60)
            list[8 + dot] = '.';
        list[8 + len] = '\0';
        bool valid = tw_origins_parse(list, &origins, &bad);
        assert_int_equal(valid, len <= 253 && list[8 + len - 1] != '.');
        if (valid)
            tw_origins_dispose(&origins);
    }
    strcpy(list, "https://");
    memset(list + 8, 'a', 64);
    list[72] = '\0';
    assert_false(tw_origins_parse(list, &origins, &bad)); /* a label has at most 63 bytes */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_list__is_read_as_browsers_write_origins),
        cmocka_unit_test(test_list__allows_no_others),
        cmocka_unit_test(test_star__is_one_or_more_labels_below_and_nothing_else),
        cmocka_unit_test(test_list__names_the_first_item_that_is_no_origin),
        cmocka_unit_test(test_list__refuses_what_is_too_long_for_a_name),
    };
    return cmocka_run_group_tests_name("origins", tests, NULL, NULL);
}
