/**
 * TCP ports on loopback for servers that tests start, which no other test process takes at the same
 * time: the same blocks as tests/lib/ports.py. Any thread; a test that cannot have one fails.
 */
#ifndef TW_TEST_PORTS_H
#define TW_TEST_PORTS_H

#include <stdint.h>

/** A port on which nobody listens. This process returns it again only after all others of its
 * block. At most 32000, so that a node of Redis Cluster may have its bus 10,000 above. */
uint16_t tw_test_free_port(void);

#endif
