// SPDX-License-Identifier: LGPL-2.1-or-later
// To be loaded before a program (LD_PRELOAD): the steady clock becomes the process's own processor time, so
// that profiles of one thread do not see other programs.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_gettime(clockid_t clock, struct timespec *time)
{
    return (int)syscall(SYS_clock_gettime, clock == CLOCK_MONOTONIC ? CLOCK_PROCESS_CPUTIME_ID : clock, time);
}
