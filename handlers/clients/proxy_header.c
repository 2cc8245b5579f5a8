#include "handlers/clients/proxy_header.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

#define V1_MAX 107 /* bytes of the longest line, its end included */
#define V2_HEAD 16

static const char v1_begin[] = "PROXY ";
static const char v2_begin[] = "\r\n\r\n\0\r\nQUIT\n"; /* without the NUL of the string */
#define V2_BEGIN_LEN (sizeof(v2_begin) - 1)

static bool begins(const char *bytes, size_t len, const char *begin, size_t begin_len)
{
    return memcmp(bytes, begin, len < begin_len ? len : begin_len) == 0;
}

static void set_v4(tw_proxy_header_t *header, const void *address, uint16_t port)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(port)};

    memcpy(&v4.sin_addr, address, sizeof(v4.sin_addr));
    memcpy(&header->client, &v4, sizeof(v4));
    header->client_len = sizeof(v4);
    header->named = true;
}

static void set_v6(tw_proxy_header_t *header, const void *address, uint16_t port)
{
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

    memcpy(&v6.sin6_addr, address, sizeof(v6.sin6_addr));
    memcpy(&header->client, &v6, sizeof(v6));
    header->client_len = sizeof(v6);
    header->named = true;
}

/* --- version 1: PROXY TCP4 192.0.2.1 192.0.2.2 50000 443 --- */

/* Takes the next word, which one space ends; the last one has none behind it. */
static tw_text_t next_word(tw_text_t *rest)
{
    const char *space = rest->len > 0 ? memchr(rest->base, ' ', rest->len) : NULL;
    size_t len = space != NULL ? (size_t)(space - rest->base) : rest->len;
    tw_text_t word = tw_text(rest->base, len);

    *rest = tw_text_from(*rest, len + 1);
    return word;
}

static bool is_word(tw_text_t text, const char *word)
{
    return text.len == strlen(word) && memcmp(text.base, word, text.len) == 0;
}

/* A port without leading zeros. */
static bool read_port(tw_text_t text, uint16_t *port)
{
    unsigned number = 0;

    if (text.len == 0 || text.len > 5 || (text.len > 1 && text.base[0] == '0'))
        return false;
    for (size_t i = 0; i < text.len; ++i) {
        if (text.base[i] < '0' || text.base[i] > '9')
            return false;
        number = number * 10 + (unsigned)(text.base[i] - '0');
    }
    *port = (uint16_t)number;
    return number <= UINT16_MAX;
}

static bool read_address(tw_text_t text, int family, void *address)
{
    char copy[INET6_ADDRSTRLEN];

    if (text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.base, text.len);
    copy[text.len] = '\0';
    return inet_pton(family, copy, address) == 1;
}

/* The line without its end. */
static bool read_line(tw_text_t line, tw_proxy_header_t *header)
{
    tw_text_t rest = tw_text_from(line, sizeof(v1_begin) - 1), protocol = next_word(&rest);
    int family = is_word(protocol, "TCP4") ? AF_INET : AF_INET6;
    struct in6_addr from, to; /* or struct in_addr, which is smaller */
    uint16_t from_port, to_port;

    if (is_word(protocol, "UNKNOWN"))
        return true; /* whatever follows */
    if (family == AF_INET6 && !is_word(protocol, "TCP6"))
        return false;
    if (!read_address(next_word(&rest), family, &from) ||
        !read_address(next_word(&rest), family, &to) || !read_port(next_word(&rest), &from_port) ||
        memchr(rest.base, ' ', rest.len) != NULL || !read_port(rest, &to_port))
        return false;
    if (family == AF_INET)
        set_v4(header, &from, from_port);
    else
        set_v6(header, &from, from_port);
    return true;
}

static tw_proxy_result_t read_v1(const char *bytes, size_t len, tw_proxy_header_t *header)
{
    size_t look = len < V1_MAX ? len : V1_MAX;
    const char *end = memchr(bytes, '\n', look);

    if (end == NULL)
        return look < V1_MAX ? TW_PROXY_MORE : TW_PROXY_BAD;
    if (end[-1] != '\r' || !read_line(tw_text(bytes, (size_t)(end - bytes) - 1), header))
        return TW_PROXY_BAD;
    header->len = (size_t)(end - bytes) + 1;
    return TW_PROXY_DONE;
}

/* --- version 2: 12 bytes that no other protocol begins with, version and command, family and
 * protocol, length of what follows --- */

static uint16_t read_u16(const char *bytes)
{
    return (uint16_t)((uint8_t)bytes[0] << 8 | (uint8_t)bytes[1]);
}

static bool read_addresses(const char *bytes, size_t len, uint8_t family, tw_proxy_header_t *header)
{
    switch (family) {
    case 0x11: /* TCP over IPv4 */
        if (len < 12)
            return false;
        set_v4(header, bytes, read_u16(bytes + 8));
        return true;
    case 0x21: /* TCP over IPv6 */
        if (len < 36)
            return false;
        set_v6(header, bytes, read_u16(bytes + 32));
        return true;
    default: /* UNSPEC, or what the gateway does not serve: the balancer's address counts */
        return true;
    }
}

static tw_proxy_result_t read_v2(const char *bytes, size_t len, tw_proxy_header_t *header)
{
    if (len < V2_HEAD)
        return TW_PROXY_MORE;
    uint8_t version_command = (uint8_t)bytes[12], family = (uint8_t)bytes[13];
    size_t rest = read_u16(bytes + 14);

    if (version_command != 0x20 && version_command != 0x21)
        return TW_PROXY_BAD;
    if (V2_HEAD + rest > TW_PROXY_HEADER_MAX)
        return TW_PROXY_BAD;
    if (len < V2_HEAD + rest)
        return TW_PROXY_MORE;
    /* LOCAL: the balancer's own connection. */
    if (version_command == 0x21 && !read_addresses(bytes + V2_HEAD, rest, family, header))
        return TW_PROXY_BAD;
    header->len = V2_HEAD + rest;
    return TW_PROXY_DONE;
}

tw_proxy_result_t tw_proxy_header_read(const char *bytes, size_t len, tw_proxy_header_t *header)
{
    *header = (tw_proxy_header_t){.named = false};
    if (len == 0)
        return TW_PROXY_MORE;
    if (begins(bytes, len, v1_begin, sizeof(v1_begin) - 1))
        return read_v1(bytes, len, header);
    if (begins(bytes, len, v2_begin, V2_BEGIN_LEN))
        return read_v2(bytes, len, header);
    return TW_PROXY_BAD;
}
