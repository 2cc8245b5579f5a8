/**
 * Addresses of clients, and networks of them. Any thread.
 *
 * Callers: handlers/, server/.
 */
#ifndef TW_HANDLERS_ADDRESS_H
#define TW_HANDLERS_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/text.h"

/** An IPv6 address, or an IPv4 address as IPv6 maps it (RFC 4291 section 2.5.5.2). */
typedef struct tw_address {
    uint8_t bytes[16];
} tw_address_t;

/** A network, for trusted proxies: `192.0.2.0/24`, `2001:db8::/32`, or one address. */
typedef struct tw_network {
    tw_address_t address;
    unsigned bits; /* of 128 */
} tw_network_t;

/** The address of a socket address; all zeros when it is of another family. */
tw_address_t tw_address_of(const struct sockaddr *socket_address);

/** Reads a numeric address (`192.0.2.1`, `2001:db8::1`); false when the text is not one. */
bool tw_address_parse(tw_text_t text, tw_address_t *address);

/** Whether it is an IPv4 address. */
bool tw_address_is_v4(const tw_address_t *address);

/**
 * Reads a comma-separated list of networks (NULL: none) into a heap array, the caller's to free().
 * False: *bad is the first item that is no network, and the array is the caller's all the same.
 */
bool tw_networks_parse(const char *text, tw_network_t **networks, size_t *count, tw_text_t *bad);

/** Whether one of the networks contains the address. */
bool tw_networks_contain(const tw_network_t *networks, size_t count, const tw_address_t *address);

#endif
