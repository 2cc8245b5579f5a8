/* The memory adapter, held to the contract. */
#include "runtime/memory/adapter.h"
#include "tests/conformance/factory.h"

static tw_adapter_t *create(void *shared, tw_hub_t *hub, const tw_node_info_t *info)
{
    return tw_memory_adapter_create(hub, info);
}

int main(void)
{
    static const tw_adapter_factory_t factory = {
        .name = "memory", .nodes_max = 1, .create = create};
    return tw_conformance_main(&factory);
}
