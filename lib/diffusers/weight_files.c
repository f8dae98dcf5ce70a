// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/weight_files_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "diffusers/weight_name.h"

enum { MAX_SHARDS = 256 };

// ---- opening ----

// A new part, all zero; NULL: out of memory. Other parts may move.
static struct ebb_weight_file *new_part(struct ebb_weight_files *t)
{
    if (t->count == t->room) {
        int room = 2 * t->room + 1; // nearly all models have one file
        struct ebb_weight_file *parts = realloc(t->parts, (size_t)room * sizeof(*parts));
        if (!parts)
            return NULL;
        t->parts = parts;
        t->room = room;
    }
    t->parts[t->count] = (struct ebb_weight_file){0};
    return &t->parts[t->count++];
}

static enum ebb_result add_part(struct ebb_weight_files *t, const char *name, struct ebb_error *error)
{
    struct ebb_weight_file *part = new_part(t);
    if (!part)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", t->folder);
    char *path = ebb_path_join(t->folder, name);
    part->name = strdup(name);
    enum ebb_result result = path && part->name ? EBB_OK : EBB_OUT_OF_MEMORY;
    if (result != EBB_OK)
        ebb_fail(error, result, "%s: no memory", t->folder);
    else
        result = ebb_tensor_file_open(&part->header, path, error);
    if (result == EBB_OK && !(part->targets = ebb_alloc((size_t)part->header.count, sizeof(*part->targets))))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", path);
    free(path);
    return result;
}

// A file may stand under many names: what they hold together is bounded as one file is.
static enum ebb_result check_total(const struct ebb_weight_files *t, struct ebb_error *error)
{
    long total = 0;
    for (int i = 0; i < t->count; i++)
        total += t->parts[i].header.count;
    return total <= EBB_MOST_TENSORS
               ? EBB_OK
               : ebb_fail(error, EBB_CORRUPT, "%s: %ld tensors in %d files, expected at most %d in all",
                          t->folder, total, t->count, EBB_MOST_TENSORS);
}

static struct ebb_weight_file *find_part(struct ebb_weight_files *t, const char *name)
{
    for (int i = 0; i < t->count; i++)
        if (strcmp(t->parts[i].name, name) == 0)
            return &t->parts[i];
    return NULL;
}

static bool plain_name(const char *name)
{
    return *name && *name != '.' && !strpbrk(name, "/\\") && strlen(name) < 200;
}

static bool has_tensor(const struct ebb_weight_file *part, const char *name)
{
    for (int i = 0; i < part->header.count; i++)
        if (strcmp(part->header.tensors[i].name, name) == 0)
            return true;
    return false;
}

// Every tensor of the map is in its shard, and the shards hold nothing else.
static enum ebb_result read_map(struct ebb_weight_files *t, const struct ebb_json *j, struct ebb_error *error)
{
    struct ebb_json map = ebb_json_object(j, "weight_map");
    char shown[96];
    if (!map.object || !ebb_json_next_key(&map, NULL))
        ebb_json_refuse(j, "weight_map", EBB_CORRUPT, "an object of file names");
    for (const char *name = NULL; (name = ebb_json_next_key(&map, name));) {
        const char *shard = ebb_json_string(&map, name, "");
        if (!plain_name(shard))
            ebb_json_refuse(&map, name, EBB_CORRUPT, "the name of a file in the same folder");
        else if (!find_part(t, shard) && t->count == MAX_SHARDS)
            ebb_json_refuse(&map, name, EBB_CORRUPT, "at most %d files", MAX_SHARDS);
        if (j->file->result)
            return j->file->result;
        enum ebb_result result = find_part(t, shard) ? EBB_OK : add_part(t, shard, error);
        if (result == EBB_OK)
            result = check_total(t, error);
        if (result != EBB_OK)
            return result;
        if (!has_tensor(find_part(t, shard), name))
            return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" is not in %s", j->file->path,
                            ebb_stored_tensor_printable(name, shown), shard);
    }
    for (int i = 0; i < t->count; i++)
        for (int k = 0; k < t->parts[i].header.count; k++)
            if (!ebb_json_given(&map, t->parts[i].header.tensors[k].name))
                return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" of %s is not listed", j->file->path,
                                ebb_stored_tensor_printable(t->parts[i].header.tensors[k].name, shown),
                                t->parts[i].name);
    return j->file->result;
}

static enum ebb_result open_shards(struct ebb_weight_files *t, const char *name, struct ebb_error *error)
{
    struct ebb_json_file file;
    enum ebb_result result = ebb_json_read_in(&file, t->folder, name, NULL, error);
    if (result != EBB_OK)
        return result;
    struct ebb_json root = ebb_json_root(&file);
    result = read_map(t, &root, error);
    ebb_json_close(&file);
    return result;
}

static enum ebb_result open_files(struct ebb_weight_files *t, struct ebb_error *error)
{
    struct ebb_weight_name found;
    if (!ebb_weight_name_find(t->folder, &found))
        return ebb_fail(error, EBB_NOT_FOUND, "%s/%s: there is no such file", t->folder, found.name);
    return found.index ? open_shards(t, found.name, error) : add_part(t, found.name, error);
}

struct ebb_weight_files *ebb_weight_files_open(const char *folder, struct ebb_error *error)
{
    struct ebb_weight_files *t = ebb_alloc(1, sizeof(*t));
    if (t && (t->folder = strdup(folder))) {
        if (open_files(t, error) == EBB_OK)
            return t;
    } else {
        ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", folder);
    }
    ebb_weight_files_close(&t);
    return NULL;
}

void ebb_weight_files_close(struct ebb_weight_files **tensors)
{
    struct ebb_weight_files *t = *tensors;
    if (!t)
        return;
    for (int i = 0; i < t->count; i++) {
        ebb_tensor_file_clear(&t->parts[i].header);
        free(t->parts[i].targets);
        free(t->parts[i].name);
    }
    free(t->parts);
    free(t->folder);
    free(t);
    *tensors = NULL;
}

// ---- sums ----

enum ebb_result ebb_weight_file_sum(const struct ebb_weight_file *part, char sum[65], struct ebb_error *error)
{
    enum { PIECE = 1 << 14 };
    struct stat info = {0};
    struct ebb_sha256 sha;
    unsigned char piece[PIECE];
    error = EBB_ERROR(error);
    int fd = ebb_file_open(part->header.path, &info, error);
    if (fd < 0)
        return error->code;

    enum ebb_result result = EBB_OK;
    ebb_sha256_start(&sha);
    for (uint64_t left = (uint64_t)info.st_size; result == EBB_OK && left;) {
        size_t count = left < PIECE ? (size_t)left : PIECE;
        result = ebb_file_read(fd, piece, count, part->header.path, error);
        ebb_sha256_add(&sha, piece, count);
        left -= count;
    }
    ebb_sha256_finish(&sha, sum);
    close(fd);
    return result;
}

enum ebb_result ebb_weight_files_add_sums(struct ebb_weight_files *t, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < t->count; i++)
        if (!*t->parts[i].expected && !*t->parts[i].sum)
            result = ebb_weight_file_sum(&t->parts[i], t->parts[i].sum, error);
    return result;
}

// ---- what the files are ----

bool ebb_weight_file_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

int ebb_weight_files_count(const struct ebb_weight_files *t)
{
    return t->count;
}

const char *ebb_weight_files_name(const struct ebb_weight_files *t, int index)
{
    return t->parts[index].name;
}

void ebb_weight_files_expect(struct ebb_weight_files *t, int index, const char *sum)
{
    snprintf(t->parts[index].expected, sizeof(t->parts[index].expected), "%s", sum);
}

const char *ebb_weight_files_sum(const struct ebb_weight_files *t, int index)
{
    return *t->parts[index].sum ? t->parts[index].sum : t->parts[index].expected;
}

bool ebb_weight_files_same(const struct ebb_weight_files *a, const struct ebb_weight_files *b)
{
    bool same = a->count == b->count;
    for (int i = 0; same && i < a->count; i++)
        same = ebb_weight_file_same(&a->parts[i].header.info, &b->parts[i].header.info) &&
               strcmp(a->parts[i].expected, b->parts[i].expected) == 0;
    return same;
}
