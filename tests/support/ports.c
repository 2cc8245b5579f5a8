#include "tests/support/ports.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define FIRST_PORT 20000
#define BLOCKS 48
#define BLOCK_PORTS 250

/* A socket that is bound to the port; -1: somebody has it. */
static int bind_to(unsigned port, int reuse)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &reuse, sizeof(reuse));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* The first port of this process's block. Its socket stays open as long as the process lives. */
static unsigned claim_block(void)
{
    for (unsigned block = 0; block < BLOCKS; ++block)
        if (bind_to(FIRST_PORT + block * BLOCK_PORTS, 0) >= 0)
            return FIRST_PORT + block * BLOCK_PORTS;
    fail_msg("all %d blocks of ports are in use by other test processes", BLOCKS);
    abort();
}

uint16_t tw_test_free_port(void)
{
    static unsigned first, next;

    if (first == 0)
        first = claim_block();
    for (unsigned tried = 1; tried < BLOCK_PORTS; ++tried) {
        unsigned port = first + 1 + next++ % (BLOCK_PORTS - 1);
        /* Servers bind with SO_REUSEADDR, too. */
        int fd = bind_to(port, 1);
        if (fd >= 0) {
            close(fd);
            return (uint16_t)port;
        }
    }
    fail_msg("every port of this process's block is in use");
    abort();
}
