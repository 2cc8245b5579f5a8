/** Addresses as operators write them: `host:port` and `[v6]:port`. Any thread. */
#ifndef TW_SERVER_HOST_PORT_H
#define TW_SERVER_HOST_PORT_H

#include <stdbool.h>
#include <stddef.h>

/** Splits `host:port` or `[v6]:port` into buffers of the caller. False: the text is neither. */
bool tw_host_port_split(const char *address, size_t len, char host[256], char port[6]);

#endif
