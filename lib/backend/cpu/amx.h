// SPDX-License-Identifier: LGPL-2.1-or-later
// Whether this process may use AMX, the instructions that multiply matrices of bfloat16.
#ifndef EBB_BACKEND_CPU_AMX_H
#define EBB_BACKEND_CPU_AMX_H

#include <stdbool.h>

// The processor has AMX with bfloat16, the system saves its registers, and this build knows it.
bool cpu_amx_exists(void);
// Linux gives a process the registers when it asks. Afterwards signals need larger stacks, so only who is
// about to use AMX asks. Asking again changes nothing. False: refused.
bool cpu_amx_ask(void);

#endif
