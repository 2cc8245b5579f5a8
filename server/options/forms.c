#include "server/options/forms.h"

#include <stdlib.h>
#include <string.h>

#include "handlers/clients/address.h"
#include "handlers/clients/origins.h"
#include "handlers/tokens/patterns.h"
#include "server/options/host_port.h"

#define NODE_ID_MAX 128
#define COOKIE_NAME_MAX 64

static bool is_address(tw_text_t text)
{
    char host[256], port[6];
    return tw_host_port_split(text.base, text.len, host, port);
}

bool tw_form_addresses(const char *value, tw_text_t *bad)
{
    tw_text_t list = tw_text_of(value), item;

    *bad = list;
    if (!tw_text_next_item(&list, &item))
        return false; /* nothing but commas */
    do {
        *bad = item;
        if (!is_address(item))
            return false;
    } while (tw_text_next_item(&list, &item));
    return true;
}

bool tw_form_address_or_off(const char *value, tw_text_t *bad)
{
    *bad = tw_text_of(value);
    return strcmp(value, "off") == 0 || is_address(*bad);
}

bool tw_form_networks(const char *value, tw_text_t *bad)
{
    tw_network_t *networks;
    size_t count;
    bool valid = tw_networks_parse(value, &networks, &count, bad);

    free(networks);
    return valid;
}

bool tw_form_origins(const char *value, tw_text_t *bad)
{
    tw_origins_t origins;

    if (!tw_origins_parse(value, &origins, bad))
        return false;
    tw_origins_dispose(&origins);
    return true;
}

bool tw_form_patterns(const char *value, tw_text_t *bad)
{
    tw_patterns_t patterns;

    if (!tw_patterns_parse(value, &patterns, bad))
        return false;
    tw_patterns_dispose(&patterns);
    return true;
}

bool tw_form_cookie_name(const char *value, tw_text_t *bad)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
        "!#$%&'*+-.^_`|~";
    *bad = tw_text_of(value);
    return bad->len <= COOKIE_NAME_MAX && strspn(value, allowed) == bad->len;
}

bool tw_form_node_id(const char *value, tw_text_t *bad)
{
    *bad = tw_text_of(value);
    for (size_t i = 0; i < bad->len; ++i)
        if (value[i] <= ' ' || value[i] > '~')
            return false;
    return bad->len > 0 && bad->len <= NODE_ID_MAX;
}
