/**
 * The adapter that keeps all state in this process: one node, whose hub does all the work.
 *
 * The process owns it. Callers: server/process.c, on the main thread, before the workers start;
 * everything else goes through runtime/adapter.h.
 */
#ifndef TW_MEMORY_ADAPTER_H
#define TW_MEMORY_ADAPTER_H

#include "runtime/adapter.h"
#include "runtime/hub.h"

/** The hub and `info` are borrowed and outlive the adapter. */
tw_adapter_t *tw_memory_adapter_create(tw_hub_t *hub, const tw_node_info_t *info);

#endif
