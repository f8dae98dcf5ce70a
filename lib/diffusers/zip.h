// SPDX-License-Identifier: LGPL-2.1-or-later
// The list of a zip file's entries, which must be stored as they are: neither compressed nor encrypted. Zip64
// too. What is read from the file is bounded and checked; entries lie before the list, whole.
#ifndef EBB_DIFFUSERS_ZIP_H
#define EBB_DIFFUSERS_ZIP_H

#include <stdint.h>

#include <ebb/error.h>

struct ebb_zip_entry {
    const char *name;     // not ended by a 0; may hold any byte
    uint16_t name_length; // bytes
    uint64_t header;      // where its local header is
    uint64_t size;        // bytes of its content
};

struct ebb_zip {
    unsigned char *list;           // as in the file; names point into it
    uint64_t list_at;              // where it begins in the file
    struct ebb_zip_entry *entries; // sorted by name
    int count;
};

// Reads the list of the file `fd` of `size` bytes. `path` is for messages. The caller clears `zip`, after a
// failure too.
enum ebb_result ebb_zip_open(struct ebb_zip *zip, int fd, uint64_t size, const char *path,
                             struct ebb_error *error);
void ebb_zip_clear(struct ebb_zip *zip);

// NULL: there is no such entry.
const struct ebb_zip_entry *ebb_zip_find(const struct ebb_zip *zip, const char *name, size_t length);

// Where an entry's content begins: its own header is read, and must agree with the list.
enum ebb_result ebb_zip_locate(const struct ebb_zip *zip, const struct ebb_zip_entry *entry, int fd,
                               const char *path, uint64_t *begin, struct ebb_error *error);

#endif
