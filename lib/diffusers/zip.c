// SPDX-License-Identifier: LGPL-2.1-or-later
// Words are those of PKWARE's APPNOTE 6.3.10: the list is the central directory.
#include "diffusers/zip.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/byte_order.h"
#include "base/file.h"

enum {
    END_SIZE = 22, // of the end of central directory record, without its comment
    MOST_COMMENT = 0xffff,
    LOCATOR_SIZE = 20, // zip64 end of central directory locator
    END64_SIZE = 56,   // zip64 end of central directory record, without what may follow
    ROW_SIZE = 46,     // of an entry in the list, without name, extra fields, comment
    LOCAL_SIZE = 30,   // of an entry's own header, likewise
    MOST_ENTRIES = 1 << 17,
    MOST_LIST = 1 << 24, // bytes
};
static const uint32_t END_SIGN = 0x06054b50, LOCATOR_SIGN = 0x07064b50, END64_SIGN = 0x06064b50,
                      ROW_SIGN = 0x02014b50, LOCAL_SIGN = 0x04034b50, IN_ZIP64 = 0xffffffff;

static enum ebb_result read_at(int fd, uint64_t at, void *data, size_t size, const char *path,
                               struct ebb_error *error)
{
    ssize_t got = ebb_file_read_at(fd, data, size, (off_t)at);
    if (got < 0)
        return ebb_fail(error, EBB_UNREADABLE, "%s: %s", path, strerror(errno));
    return (size_t)got == size ? EBB_OK : ebb_fail(error, EBB_CORRUPT, "%s: the file ends early", path);
}

// ---- the list's place ----

struct zip_list {
    uint64_t at, size, count, end; // end: where the records after the list begin
};

// The last end record whose comment fills the rest of the file; -1: none.
static long find_end(const unsigned char *tail, size_t size)
{
    for (long i = (long)size - END_SIZE; i >= 0; i--)
        if (ebb_little(tail + i, 4) == END_SIGN &&
            ebb_little(tail + i + 20, 2) == size - (size_t)i - END_SIZE)
            return i;
    return -1;
}

static enum ebb_result read_zip64(int fd, uint64_t end, struct zip_list *place, const char *path,
                                  struct ebb_error *error)
{
    unsigned char locator[LOCATOR_SIZE], record[END64_SIZE];
    if (end < LOCATOR_SIZE)
        return ebb_fail(error, EBB_CORRUPT, "%s: a zip64 without its records", path);
    enum ebb_result result = read_at(fd, end - LOCATOR_SIZE, locator, sizeof(locator), path, error);
    uint64_t at = ebb_little(locator + 8, 8);
    if (result == EBB_OK && (ebb_little(locator, 4) != LOCATOR_SIGN || at > end - LOCATOR_SIZE ||
                             end - LOCATOR_SIZE - at < END64_SIZE))
        result = ebb_fail(error, EBB_CORRUPT, "%s: a zip64 without its records", path);
    if (result == EBB_OK)
        result = read_at(fd, at, record, sizeof(record), path, error);
    if (result == EBB_OK && ebb_little(record, 4) != END64_SIGN)
        result = ebb_fail(error, EBB_CORRUPT, "%s: a zip64 without its records", path);
    if (result == EBB_OK)
        *place = (struct zip_list){.count = ebb_little(record + 32, 8),
                                   .size = ebb_little(record + 40, 8),
                                   .at = ebb_little(record + 48, 8),
                                   .end = at};
    return result;
}

static enum ebb_result find_list(int fd, uint64_t size, struct zip_list *place, const char *path,
                                 struct ebb_error *error)
{
    size_t length = size < END_SIZE + MOST_COMMENT ? (size_t)size : END_SIZE + MOST_COMMENT;
    unsigned char *tail = malloc(length ? length : 1);
    if (!tail)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    enum ebb_result result = read_at(fd, size - length, tail, length, path, error);
    long at = result == EBB_OK ? find_end(tail, length) : -1;
    if (result == EBB_OK && at < 0)
        result = ebb_fail(error, EBB_CORRUPT, "%s: not a whole zip file: cut short, or something else", path);
    if (result == EBB_OK) {
        const unsigned char *end = tail + at;
        *place = (struct zip_list){.count = ebb_little(end + 10, 2),
                                   .size = ebb_little(end + 12, 4),
                                   .at = ebb_little(end + 16, 4),
                                   .end = size - length + (uint64_t)at};
        if (place->at == IN_ZIP64 || place->size == IN_ZIP64 || place->count == 0xffff)
            result = read_zip64(fd, place->end, place, path, error);
    }
    free(tail);
    if (result == EBB_OK && (place->size > place->end || place->at > place->end - place->size))
        result = ebb_fail(error, EBB_CORRUPT,
                          "%s: the zip's list would begin at %llu and have %llu bytes, in %llu", path,
                          (unsigned long long)place->at, (unsigned long long)place->size,
                          (unsigned long long)place->end);
    if (result == EBB_OK && (place->count > MOST_ENTRIES || place->size > MOST_LIST))
        result = ebb_fail(error, EBB_CORRUPT, "%s: a zip of %llu entries, expected at most %d", path,
                          (unsigned long long)place->count, MOST_ENTRIES);
    return result;
}

// ---- entries ----

// Sizes and place of an entry that do not fit 32 bits stand in an extra field, those and in this order.
static bool read_extra(const unsigned char *extra, size_t length, uint64_t *values[3])
{
    while (length >= 4) {
        size_t size = ebb_little(extra + 2, 2);
        if (size > length - 4)
            return false;
        const unsigned char *p = extra + 4;
        for (int i = 0; ebb_little(extra, 2) == 1 && i < 3; i++) {
            if (*values[i] != IN_ZIP64)
                continue;
            if (p + 8 > extra + 4 + size)
                return false;
            *values[i] = ebb_little(p, 8);
            p += 8;
        }
        extra += 4 + size;
        length -= 4 + size;
    }
    return true;
}

static const char *printable(const struct ebb_zip_entry *entry, char out[64])
{
    int length = entry->name_length < 60 ? entry->name_length : 60;
    for (int i = 0; i < length; i++)
        out[i] = (unsigned char)entry->name[i] < 0x20 || entry->name[i] == 0x7f ? '?' : entry->name[i];
    out[length] = 0;
    return out;
}

static enum ebb_result refuse(const struct ebb_zip_entry *entry, const char *path, const char *what,
                              struct ebb_error *error)
{
    char shown[64];
    return ebb_fail(error, EBB_CORRUPT, "%s: entry \"%s\" %s", path, printable(entry, shown), what);
}

// One row of the list; `length` becomes its bytes.
static enum ebb_result read_row(const struct ebb_zip *zip, const unsigned char *row, size_t left,
                                struct ebb_zip_entry *entry, size_t *length, const char *path,
                                struct ebb_error *error)
{
    size_t name = left >= ROW_SIZE ? ebb_little(row + 28, 2) : 0,
           extra = left >= ROW_SIZE ? ebb_little(row + 30, 2) : 0;
    *length = ROW_SIZE + name + extra + (left >= ROW_SIZE ? ebb_little(row + 32, 2) : 0);
    if (left < ROW_SIZE || *length > left || ebb_little(row, 4) != ROW_SIGN)
        return ebb_fail(error, EBB_CORRUPT, "%s: the zip's list is damaged", path);

    uint64_t packed = ebb_little(row + 20, 4), size = ebb_little(row + 24, 4),
             header = ebb_little(row + 42, 4);
    unsigned flags = (unsigned)ebb_little(row + 8, 2), method = (unsigned)ebb_little(row + 10, 2);
    *entry = (struct ebb_zip_entry){.name = (const char *)row + ROW_SIZE, .name_length = (uint16_t)name};
    if (!read_extra(row + ROW_SIZE + name, extra, (uint64_t *[3]){&size, &packed, &header}))
        return refuse(entry, path, "has damaged extra fields", error);
    if (flags & 1)
        return refuse(entry, path, "is encrypted, expected one that is stored as it is", error);
    if (method != 0)
        return refuse(entry, path, "is compressed, expected one that is stored as it is", error);
    if (packed != size)
        return refuse(entry, path, "is stored, but has two sizes", error);
    if (header > zip->list_at || zip->list_at - header < LOCAL_SIZE + (uint64_t)name ||
        size > zip->list_at - header - LOCAL_SIZE - name)
        return refuse(entry, path, "would reach beyond the file", error);
    entry->header = header;
    entry->size = size;
    return EBB_OK;
}

static int compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
    size_t both = a_length < b_length ? a_length : b_length;
    int order = memcmp(a, b, both);
    return order ? order : (a_length > b_length) - (a_length < b_length);
}

static int by_name(const void *a, const void *b)
{
    const struct ebb_zip_entry *x = a, *y = b;
    return compare(x->name, x->name_length, y->name, y->name_length);
}

static enum ebb_result read_rows(struct ebb_zip *zip, const struct zip_list *place, const char *path,
                                 struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    size_t at = 0, length = 0;
    for (uint64_t i = 0; result == EBB_OK && i < place->count; i++, at += length)
        result = read_row(zip, zip->list + at, (size_t)place->size - at, &zip->entries[zip->count++], &length,
                          path, error);
    if (result != EBB_OK)
        return result;
    qsort(zip->entries, (size_t)zip->count, sizeof(*zip->entries), by_name);
    for (int i = 1; i < zip->count; i++)
        if (by_name(&zip->entries[i - 1], &zip->entries[i]) == 0)
            return refuse(&zip->entries[i], path, "is there twice", error);
    return EBB_OK;
}

enum ebb_result ebb_zip_open(struct ebb_zip *zip, int fd, uint64_t size, const char *path,
                             struct ebb_error *error)
{
    struct zip_list place = {0};
    *zip = (struct ebb_zip){0};
    enum ebb_result result = find_list(fd, size, &place, path, error);
    if (result != EBB_OK)
        return result;
    zip->list_at = place.at;
    zip->list = malloc(place.size ? (size_t)place.size : 1);
    zip->entries = ebb_alloc((size_t)place.count, sizeof(*zip->entries));
    if (!zip->list || !zip->entries)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    result = read_at(fd, place.at, zip->list, (size_t)place.size, path, error);
    return result == EBB_OK ? read_rows(zip, &place, path, error) : result;
}

void ebb_zip_clear(struct ebb_zip *zip)
{
    free(zip->list);
    free(zip->entries);
    *zip = (struct ebb_zip){0};
}

const struct ebb_zip_entry *ebb_zip_find(const struct ebb_zip *zip, const char *name, size_t length)
{
    for (int low = 0, high = zip->count; low < high;) {
        int middle = low + (high - low) / 2;
        const struct ebb_zip_entry *entry = &zip->entries[middle];
        int order = compare(name, length, entry->name, entry->name_length);
        if (order == 0)
            return entry;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

// Sizes may be 0 here, where they follow the content.
enum ebb_result ebb_zip_locate(const struct ebb_zip *zip, const struct ebb_zip_entry *entry, int fd,
                               const char *path, uint64_t *begin, struct ebb_error *error)
{
    enum { SIZES_FOLLOW = 8 };
    unsigned char header[LOCAL_SIZE];
    enum ebb_result result = read_at(fd, entry->header, header, sizeof(header), path, error);
    if (result != EBB_OK)
        return result;
    if (ebb_little(header, 4) != LOCAL_SIGN)
        return refuse(entry, path, "has no header of its own", error);
    if (ebb_little(header + 8, 2) != 0)
        return refuse(entry, path, "is compressed, expected one that is stored as it is", error);
    uint64_t size = ebb_little(header + 22, 4);
    bool follow = ebb_little(header + 6, 2) & SIZES_FOLLOW;
    if (size != entry->size && size != IN_ZIP64 && !(follow && size == 0))
        return refuse(entry, path, "has another size in its own header than in the zip's list", error);
    *begin = entry->header + LOCAL_SIZE + ebb_little(header + 26, 2) + ebb_little(header + 28, 2);
    if (*begin > zip->list_at || entry->size > zip->list_at - *begin)
        return refuse(entry, path, "would reach beyond the file", error);
    return EBB_OK;
}
