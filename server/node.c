#include "server/node.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <inttypes.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/hash.h"

static const char *detect_hostname(void)
{
    char name[256];
    if (gethostname(name, sizeof(name)) != 0)
        return "unknown";
    name[sizeof(name) - 1] = '\0';
    return tw_strndup(name, strlen(name));
}

/* Several nodes may share a host, so the host name alone is not unique. */
static const char *generate_id(const char *hostname)
{
    uint32_t random;
    char id[300];

    tw_random(&random, sizeof(random));
    snprintf(id, sizeof(id), "%s-%08" PRIx32, hostname, random);
    return tw_strndup(id, strlen(id));
}

static bool is_better(int family, int best_family)
{
    return best_family == AF_UNSPEC || (family == AF_INET && best_family == AF_INET6);
}

/* The first address of an interface that is up and is not a loopback interface; IPv4 before IPv6.
 */
static const char *detect_ip(void)
{
    struct ifaddrs *all;
    char text[INET6_ADDRSTRLEN] = "127.0.0.1";
    int best = AF_UNSPEC;

    if (getifaddrs(&all) != 0)
        return "127.0.0.1";
    for (const struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
        if (one->ifa_addr == NULL || (one->ifa_flags & IFF_LOOPBACK) != 0 ||
            (one->ifa_flags & IFF_UP) == 0)
            continue;
        int family = one->ifa_addr->sa_family;
        if ((family != AF_INET && family != AF_INET6) || !is_better(family, best))
            continue;
        const void *address =
            family == AF_INET
                ? (const void *)&((const struct sockaddr_in *)one->ifa_addr)->sin_addr
                : (const void *)&((const struct sockaddr_in6 *)one->ifa_addr)->sin6_addr;
        inet_ntop(family, address, text, sizeof(text));
        best = family;
    }
    freeifaddrs(all);
    return tw_strndup(text, strlen(text));
}

static const char *first_of(const char *option, const char *variable, const char *other_variable)
{
    const char *value = option;
    if (value == NULL)
        value = getenv(variable);
    if (value == NULL || value[0] == '\0')
        value = getenv(other_variable);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

void tw_node_detect(tw_node_info_t *info, const tw_options_t *options, const char *version)
{
    const char *ip = first_of(options->node_ip, "HOST_IP", "POD_IP");

    info->hostname = detect_hostname();
    info->node_id = options->node_id != NULL ? options->node_id : generate_id(info->hostname);
    info->ip = ip != NULL ? ip : detect_ip();
    info->version = version;
    info->started_at_ms = tw_clock_wall_ms();
}
