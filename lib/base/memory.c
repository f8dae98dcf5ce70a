// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/memory.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/base.h"
#include "base/plain.h"

static const size_t USUAL = (size_t)512 << 20;

// The power of 1024 that a letter stands for; 0: none.
static int power(char letter)
{
    static const char letters[] = "KMGT";
    const char *at = letter ? strchr(letters, letter & ~0x20) : NULL;
    return at ? (int)(at - letters) + 1 : 0;
}

size_t ebb_memory_bound(void)
{
    const char *text = getenv("EBB_MEMORY");
    char *end = NULL;
    double bytes = text && *text ? ebb_plain_number(text, &end) : 0;
    if (!end || end == text || !(bytes > 0) || (*end && (!power(*end) || end[1])))
        return USUAL;
    for (int i = power(*end); i > 0; i--)
        bytes *= 1024;
    return bytes < (double)(SIZE_MAX / 2) ? (size_t)bytes : SIZE_MAX / 2;
}

// Asks for huge pages, which spare the processor a look-up of the page with nearly every access.
static void advise(char *data, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    enum { WORTH = 4 << 20 };
    size_t page = (size_t)sysconf(_SC_PAGESIZE), skip = (page - (uintptr_t)data % page) % page;
    if (bytes >= WORTH)
        madvise(data + skip, (bytes - skip) / page * page, MADV_HUGEPAGE); // only advice: may fail
#endif
}

void *ebb_pages_alloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = bytes ? (bytes + 63) / 64 * 64 : 64;
    void *data = aligned_alloc(64, bytes);
    if (data)
        advise(data, bytes);
    return data;
}
