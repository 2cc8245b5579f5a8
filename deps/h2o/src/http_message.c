#include "h2o/http_message.h"

#include <string.h>

#include "h2o/string_.h"

static int is_alphanumeric(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

static int is_one_of(unsigned char c, const char *set)
{
    return c != '\0' && strchr(set, c) != NULL;
}

int h2o_message_is_token(h2o_iovec_t text)
{
    for (size_t i = 0; i != text.len; ++i)
        if (!is_alphanumeric(text.base[i]) && !is_one_of(text.base[i], "!#$%&'*+-.^_`|~"))
            return 0;
    return text.len != 0;
}

static int is_port(const char *text, size_t len)
{
    for (size_t i = 0; i != len; ++i)
        if (text[i] < '0' || text[i] > '9')
            return 0;
    return len <= 5;
}

/* The length of the host: up to the port's colon, or to the end; SIZE_MAX if it is not a host. */
static size_t host_len(h2o_iovec_t text)
{
    size_t i = 0;

    if (text.len != 0 && text.base[0] == '[') {
        for (i = 1; i != text.len && text.base[i] != ']'; ++i)
            if (!is_alphanumeric(text.base[i]) && !is_one_of(text.base[i], "-._~!$&'()*+,;=:%"))
                return SIZE_MAX;
        return i > 1 && i != text.len ? i + 1 : SIZE_MAX;
    }
    for (; i != text.len && text.base[i] != ':'; ++i)
        if (!is_alphanumeric(text.base[i]) && !is_one_of(text.base[i], "-._~!$&'()*+,;=%"))
            return SIZE_MAX;
    return i;
}

int h2o_message_is_authority(h2o_iovec_t text)
{
    size_t host = host_len(text);

    if (host == SIZE_MAX)
        return 0;
    if (host == text.len)
        return 1;
    return host != 0 && text.base[host] == ':' &&
           is_port(text.base + host + 1, text.len - host - 1);
}

static unsigned port_of(h2o_iovec_t authority, size_t host, unsigned default_port)
{
    unsigned port = 0;

    if (authority.len <= host + 1)
        return default_port;
    for (size_t i = host + 1; i != authority.len; ++i)
        port = port * 10 + (unsigned)(authority.base[i] - '0');
    return port;
}

int h2o_message_is_same_authority(h2o_iovec_t a, h2o_iovec_t b, unsigned default_port)
{
    size_t host_a = host_len(a), host_b = host_len(b);

    if (!h2o_message_is_authority(a) || !h2o_message_is_authority(b))
        return 0;
    if (host_a != host_b || port_of(a, host_a, default_port) != port_of(b, host_b, default_port))
        return 0;
    for (size_t i = 0; i != host_a; ++i)
        if (h2o_tolower(a.base[i]) != h2o_tolower(b.base[i]))
            return 0;
    return 1;
}

int h2o_message_is_path(h2o_iovec_t method, h2o_iovec_t target)
{
    if (target.len == 1 && target.base[0] == '*')
        return h2o_memis(method.base, method.len, H2O_STRLIT("OPTIONS"));
    if (target.len == 0 || target.base[0] != '/')
        return 0;
    for (size_t i = 0; i != target.len; ++i)
        if ((unsigned char)target.base[i] <= ' ' || target.base[i] == 0x7f)
            return 0;
    return 1;
}

int h2o_message_split_absolute(h2o_iovec_t target, h2o_iovec_t *authority, h2o_iovec_t *path)
{
    static const h2o_iovec_t schemes[] = {{H2O_STRLIT("https://")}, {H2O_STRLIT("http://")}};
    size_t start = 0;

    for (size_t i = 0; i != sizeof(schemes) / sizeof(schemes[0]) && start == 0; ++i)
        if (target.len >= schemes[i].len &&
            h2o_lcstris(target.base, schemes[i].len, schemes[i].base, schemes[i].len))
            start = schemes[i].len;
    if (start == 0)
        return 0;

    size_t end = start;
    while (end != target.len && target.base[end] != '/' && target.base[end] != '?')
        ++end;
    *authority = h2o_iovec_init(target.base + start, end - start);
    *path = h2o_iovec_init(target.base + end, target.len - end);
    return authority->len != 0 && h2o_message_is_authority(*authority);
}

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

int h2o_message_has_outer_blanks(h2o_iovec_t value)
{
    return value.len != 0 && (is_blank(value.base[0]) || is_blank(value.base[value.len - 1]));
}

int h2o_message_is_connection_specific(h2o_iovec_t name, h2o_iovec_t value)
{
    static const h2o_iovec_t names[] = {
        {H2O_STRLIT("connection")},       {H2O_STRLIT("keep-alive")},
        {H2O_STRLIT("proxy-connection")}, {H2O_STRLIT("transfer-encoding")},
        {H2O_STRLIT("upgrade")},          {H2O_STRLIT("http2-settings")}};

    if (h2o_memis(name.base, name.len, H2O_STRLIT("te")))
        return !h2o_lcstris(value.base, value.len, H2O_STRLIT("trailers"));
    for (size_t i = 0; i != sizeof(names) / sizeof(names[0]); ++i)
        if (h2o_memis(name.base, name.len, names[i].base, names[i].len))
            return 1;
    return 0;
}

int h2o_message_status_has_length(int status)
{
    return status >= 200 && status != 204 && status != 304;
}
