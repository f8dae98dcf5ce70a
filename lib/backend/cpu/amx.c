// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/cpu/amx.h"

#if defined(EBB_CPU_AMX) && defined(__linux__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

// Intel's manual, volume 2A, CPUID, leaf 7: bits of EDX.
enum { AMX_BF16 = 1 << 22, AMX_TILE = 1 << 24 };
// Volume 1, 13.3: bits of XCR0, states that the system saves. Permission is asked for the second.
enum { TILE_CONFIG = 17, TILE_DATA = 18 };
// arch/x86/include/uapi/asm/prctl.h, since Linux 5.16; older headers lack it.
enum { REQUEST_STATE = 0x1023 }; // ARCH_REQ_XCOMP_PERM

static unsigned saved_states(void)
{
    unsigned low, high;
    __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0)); // xgetbv
    return low;
}

bool cpu_amx_exists(void)
{
    const unsigned features = AMX_BF16 | AMX_TILE, states = 1u << TILE_CONFIG | 1u << TILE_DATA;
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (d & features) == features &&
           (saved_states() & states) == states;
}

bool cpu_amx_ask(void)
{
    return syscall(SYS_arch_prctl, REQUEST_STATE, TILE_DATA) == 0;
}
#else
bool cpu_amx_exists(void)
{
    return false;
}

bool cpu_amx_ask(void)
{
    return false;
}
#endif
