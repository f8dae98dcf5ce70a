// SPDX-License-Identifier: LGPL-2.1-or-later
// SHA-256 (FIPS 180-4), for the sums in ebb.json. Written here, because a cryptographic library is too
// large a dependency for one function.
#ifndef EBB_BASE_SHA256_H
#define EBB_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

struct ebb_sha256 {
    uint32_t state[8];
    uint64_t length; // bytes so far
    uint8_t block[64];
};

void ebb_sha256_start(struct ebb_sha256 *sha);
void ebb_sha256_add(struct ebb_sha256 *sha, const void *data, size_t size);
void ebb_sha256_finish(struct ebb_sha256 *sha, char hex[65]); // 64 lower-case hex digits

#endif
