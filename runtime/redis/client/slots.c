#include "runtime/redis/client/slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 16384

/* CRC16 of the XMODEM kind: polynomial 0x1021, nothing reflected, begins with 0. */
static uint16_t crc16(const char *bytes, size_t len)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < len; ++i) {
        crc = (uint16_t)(crc ^ (uint16_t)((unsigned char)bytes[i] << 8));
        for (int bit = 0; bit < 8; ++bit)
            crc = (uint16_t)((crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

uint16_t tw_redis_slot_of(const char *key)
{
    const char *open = strchr(key, '{');
    const char *close = open != NULL ? strchr(open + 1, '}') : NULL;

    if (close != NULL && close > open + 1)
        return crc16(open + 1, (size_t)(close - open - 1)) % SLOTS;
    return crc16(key, strlen(key)) % SLOTS;
}

/* An address of a node; none, an empty one and "?" mean that of the node that was asked. */
static bool read_node(const redisReply *reply, const tw_redis_endpoint_t *asked,
                      tw_redis_endpoint_t *node)
{
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 2 ||
        reply->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    const redisReply *host = reply->element[0];
    long long port = reply->element[1]->integer;
    bool has_host =
        host->type == REDIS_REPLY_STRING && host->len > 0 && strcmp(host->str, "?") != 0;

    if (port <= 0 || port > 65535 || (has_host && host->len > TW_REDIS_HOST_MAX))
        return false;
    *node = *asked;
    if (has_host)
        memcpy(node->host, host->str, host->len + 1);
    node->port = (uint16_t)port;
    return true;
}

static void add_node(tw_redis_nodes_t *nodes, const tw_redis_endpoint_t *node)
{
    for (size_t i = 0; i < nodes->count; ++i)
        if (nodes->items[i].port == node->port && strcmp(nodes->items[i].host, node->host) == 0)
            return;
    if (nodes->count < TW_REDIS_NODES_MAX)
        nodes->items[nodes->count++] = *node;
}

bool tw_redis_slots_read(const redisReply *reply, uint16_t slot, const tw_redis_endpoint_t *asked,
                         tw_redis_endpoint_t *master, tw_redis_nodes_t *nodes)
{
    bool found = false;

    nodes->count = 0;
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; ++i) {
        const redisReply *range = reply->element[i];
        if (range->type != REDIS_REPLY_ARRAY || range->elements < 3 ||
            range->element[0]->type != REDIS_REPLY_INTEGER ||
            range->element[1]->type != REDIS_REPLY_INTEGER)
            continue;
        bool is_ours = range->element[0]->integer <= slot && slot <= range->element[1]->integer;
        for (size_t j = 2; j < range->elements; ++j) {
            tw_redis_endpoint_t node;
            if (!read_node(range->element[j], asked, &node))
                continue;
            add_node(nodes, &node);
            if (is_ours && j == 2) {
                *master = node;
                found = true;
            }
        }
    }
    return found;
}

bool tw_redis_slots_read_moved(const char *error, const tw_redis_endpoint_t *asked,
                               tw_redis_endpoint_t *master)
{
    const char *host = strncmp(error, "MOVED ", 6) == 0 ? strchr(error + 6, ' ') : NULL;
    const char *colon = host != NULL ? strrchr(host, ':') : NULL; /* the host may be IPv6 */

    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - ++host);
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (len > TW_REDIS_HOST_MAX || port == 0 || port > 65535)
        return false;
    *master = *asked;
    if (len > 0 && !(len == 1 && *host == '?')) {
        memcpy(master->host, host, len);
        master->host[len] = '\0';
    }
    master->port = (uint16_t)port;
    return true;
}
