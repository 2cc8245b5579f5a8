#include "server/descriptors.h"

#include <sys/resource.h>

#include "base/log.h"

#define DESCRIPTORS_BESIDES 200

uint64_t tw_descriptors_reserve(uint64_t connections)
{
    struct rlimit limit;
    uint64_t wanted = connections + DESCRIPTORS_BESIDES;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
        return connections;
    struct rlimit more = {.rlim_cur = wanted,
                          .rlim_max = limit.rlim_max > wanted ? limit.rlim_max : wanted};
    if (setrlimit(RLIMIT_NOFILE, &more) == 0)
        return connections;
    more.rlim_cur = more.rlim_max = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &more);
    uint64_t spared =
        limit.rlim_max / 2 < DESCRIPTORS_BESIDES ? limit.rlim_max / 2 : DESCRIPTORS_BESIDES;
    uint64_t possible = limit.rlim_max - spared;
    tw_log(TW_LOG_WARN,
           "TIDEWAY_MAX_CONNECTIONS needs more file descriptors than this process may have: "
           "connections beyond are refused",
           tw_log_number("descriptors", (int64_t)limit.rlim_max),
           tw_log_number("needed", (int64_t)wanted),
           tw_log_number("connections", (int64_t)possible));
    return possible;
}
