#include "server/privileges.h"

#include <linux/capability.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))

/* To bind ports below 1024, to raise the descriptor limit at start, and to read certificates and
 * keys that belong to another user at each reload. */
#define KEPT                                                                                       \
    (BIT(CAP_NET_BIND_SERVICE) | BIT(CAP_SYS_RESOURCE) | BIT(CAP_DAC_OVERRIDE) |                   \
     BIT(CAP_DAC_READ_SEARCH))

static void limit_sets(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];

    if (syscall(SYS_capget, &header, data) != 0)
        return;
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; ++i) {
        uint32_t kept = (uint32_t)(KEPT >> (32 * i));
        data[i].permitted &= kept;
        data[i].effective &= kept;
        data[i].inheritable = 0;
    }
    syscall(SYS_capset, &header, data);
}

void tw_privileges_drop(void)
{
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
        prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
    limit_sets();
}
