// SHA-256 (FIPS 180-4), for the sums in ebb.json. Our own: the libraries that have it bring a whole cryptographic
// library into every host process, for one function of a page.
#ifndef EBB_MODEL_SHA256_H
#define EBB_MODEL_SHA256_H

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
