/** Who this node is: its name and address, from the options, the environment or the machine. Main
 * thread, at start. */
#ifndef TW_SERVER_NODE_H
#define TW_SERVER_NODE_H

#include "runtime/adapter.h"
#include "server/options/options.h"

/** Fills in `info`; its strings live as long as the process. */
void tw_node_detect(tw_node_info_t *info, const tw_options_t *options, const char *version);

#endif
