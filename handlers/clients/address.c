#include "handlers/clients/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

static void set_v4(tw_address_t *address, const void *v4)
{
    memset(address->bytes, 0, 10);
    address->bytes[10] = address->bytes[11] = 0xff;
    memcpy(address->bytes + 12, v4, 4);
}

bool tw_address_is_v4(const tw_address_t *address)
{
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return memcmp(address->bytes, mapped, sizeof(mapped)) == 0;
}

tw_address_t tw_address_of(const struct sockaddr *socket_address)
{
    tw_address_t address = {{0}};

    if (socket_address->sa_family == AF_INET)
        set_v4(&address, &((const struct sockaddr_in *)(const void *)socket_address)->sin_addr);
    else if (socket_address->sa_family == AF_INET6)
        memcpy(address.bytes,
               &((const struct sockaddr_in6 *)(const void *)socket_address)->sin6_addr,
               sizeof(address.bytes));
    return address;
}

bool tw_address_parse(tw_text_t text, tw_address_t *address)
{
    char copy[INET6_ADDRSTRLEN];
    struct in_addr v4;

    if (text.len == 0 || text.len >= sizeof(copy))
        return false;
    memcpy(copy, text.base, text.len);
    copy[text.len] = '\0';
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        set_v4(address, &v4);
        return true;
    }
    return inet_pton(AF_INET6, copy, address->bytes) == 1;
}

/* The number of bits behind the slash: at most three digits, and at most `max`. */
static bool parse_bits(tw_text_t digits, unsigned max, unsigned *bits)
{
    *bits = 0;
    if (digits.len == 0 || digits.len > 3)
        return false;
    for (size_t i = 0; i < digits.len; ++i) {
        if (digits.base[i] < '0' || digits.base[i] > '9')
            return false;
        *bits = *bits * 10 + (unsigned)(digits.base[i] - '0');
    }
    return *bits <= max;
}

static bool parse_network(tw_text_t text, tw_network_t *network)
{
    const char *slash = memchr(text.base, '/', text.len);
    size_t address_len = slash != NULL ? (size_t)(slash - text.base) : text.len;

    if (!tw_address_parse(tw_text(text.base, address_len), &network->address))
        return false;
    unsigned max = tw_address_is_v4(&network->address) ? 32 : 128, bits = max;
    if (slash != NULL && !parse_bits(tw_text_from(text, address_len + 1), max, &bits))
        return false;
    network->bits = bits + (128 - max);
    return true;
}

bool tw_networks_parse(const char *text, tw_network_t **networks, size_t *count, tw_text_t *bad)
{
    tw_text_t list = tw_text_of(text), item;

    *networks = NULL;
    *count = 0;
    while (tw_text_next_item(&list, &item)) {
        *networks = tw_realloc(*networks, (*count + 1) * sizeof(**networks));
        if (!parse_network(item, &(*networks)[*count])) {
            *bad = item;
            return false;
        }
        ++*count;
    }
    return true;
}

static bool contains(const tw_network_t *network, const tw_address_t *address)
{
    const uint8_t *a = network->address.bytes, *b = address->bytes;
    unsigned bytes = network->bits / 8, rest = network->bits % 8;

    if (memcmp(a, b, bytes) != 0)
        return false;
    return rest == 0 || ((a[bytes] ^ b[bytes]) & (0xff00 >> rest) & 0xff) == 0;
}

bool tw_networks_contain(const tw_network_t *networks, size_t count, const tw_address_t *address)
{
    for (size_t i = 0; i < count; ++i)
        if (contains(&networks[i], address))
            return true;
    return false;
}
