#include "server/options/host_port.h"

#include <stdlib.h>
#include <string.h>

bool tw_host_port_split(const char *address, size_t len, char host[256], char port[6])
{
    const char *colon = memrchr(address, ':', len);
    if (colon == NULL)
        return false;
    size_t host_len = (size_t)(colon - address), port_len = len - host_len - 1;
    bool bracketed = host_len >= 2 && address[0] == '[' && colon[-1] == ']';

    if (bracketed) {
        ++address;
        host_len -= 2;
    } else if (memchr(address, ':', host_len) != NULL) {
        return false; /* an IPv6 address without brackets */
    }
    if (host_len == 0 || host_len > 255 || port_len == 0 || port_len > 5)
        return false;
    memcpy(host, address, host_len);
    host[host_len] = '\0';
    memcpy(port, colon + 1, port_len);
    port[port_len] = '\0';
    return strspn(port, "0123456789") == port_len && strtoul(port, NULL, 10) <= 65535;
}
