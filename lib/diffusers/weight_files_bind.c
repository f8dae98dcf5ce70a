// SPDX-License-Identifier: LGPL-2.1-or-later
// The tensor of every weight that a network wants, by name and shape.
#include "diffusers/weight_files_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "diffusers/convert.h"

// The name that today's diffusers gives a tensor.
static const char *modern(const char *name, char out[256])
{
    static const struct {
        const char *old, *now;
    } renames[] = {
        {".query.", ".to_q."},
        {".key.", ".to_k."},
        {".value.", ".to_v."},
        {".proj_attn.", ".to_out.0."},
        {"samplers.0.Conv2d_0.", "samplers.0.conv."},
        {"samplers.0.op.", "samplers.0.conv."},
        {"time_proj.W", "time_proj.weight"},
        {".weight_v", ".weight"},
        {".parametrizations.weight.original1", ".weight"},
        {".weight_g", ".weight"},
        {".parametrizations.weight.original0", ".weight"},
    };
    for (size_t i = 0; i < sizeof(renames) / sizeof(renames[0]); i++) {
        const char *at = strstr(name, renames[i].old);
        if (at && strcmp(name, "time_proj.weight") != 0) {
            snprintf(out, 256, "%.*s%s%s", (int)(at - name), name, renames[i].now,
                     at + strlen(renames[i].old));
            return out;
        }
    }
    return name;
}

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

// Weight normalization (Salimans and Kingma 2016): a weight stands in the file as a direction, and as the
// length of each row.
static bool is_direction(const char *name)
{
    return ends_with(name, ".weight_v") || ends_with(name, ".parametrizations.weight.original1");
}

static bool is_lengths(const char *name)
{
    return ends_with(name, ".weight_g") || ends_with(name, ".parametrizations.weight.original0");
}

static bool ignored(const char *name)
{
    return strstr(name, "position_ids") || strstr(name, "num_batches_tracked") ||
           strncmp(name, "ema.", 4) == 0 || strncmp(name, "model_ema.", 10) == 0;
}

static void print_shape(char out[128], int rank, const uint64_t *shape)
{
    size_t used = (size_t)snprintf(out, 128, "(");
    for (int i = 0; i < rank && used < 100; i++)
        used += (size_t)snprintf(out + used, 128 - used, "%s%llu", i ? ", " : "",
                                 (unsigned long long)shape[i]);
    snprintf(out + used, 128 - used, ")");
}

static void wanted_shape(const struct ebb_wanted *w, uint64_t shape[4])
{
    shape[0] = (uint64_t)(w->transposed ? w->weight.cin : w->weight.cout);
    shape[1] = (uint64_t)(w->transposed ? w->weight.cout : w->weight.cin);
    shape[2] = (uint64_t)(w->rank == 3 ? w->weight.kw : w->weight.kh);
    shape[3] = (uint64_t)w->weight.kw;
}

// Linear layers may be stored as 1x1 convolutions: old attention blocks were.
static bool same_shape(const struct ebb_stored_tensor *tensor, const struct ebb_wanted *w)
{
    uint64_t shape[4];
    wanted_shape(w, shape);
    if (is_lengths(tensor->name)) // (rows, 1, 1)
        shape[1] = shape[2] = shape[3] = 1;
    bool rank = tensor->rank == w->rank || (w->rank == 2 && tensor->rank == 4);
    for (int i = 0; rank && i < tensor->rank; i++)
        rank = tensor->shape[i] == shape[i];
    return rank;
}

static enum ebb_result check(const struct ebb_weight_file *part, const struct ebb_stored_tensor *tensor,
                             const struct ebb_wanted *w, struct ebb_error *error)
{
    if (!same_shape(tensor, w)) {
        char found[128], expected[128];
        uint64_t shape[4];
        wanted_shape(w, shape);
        if (is_lengths(tensor->name))
            shape[1] = shape[2] = shape[3] = 1;
        print_shape(found, tensor->rank, tensor->shape);
        print_shape(expected, w->rank, shape);
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" has shape %s, expected %s as config.json says",
                        part->header.path, w->name, found, expected);
    }
    if (!ebb_convertible(tensor->dtype))
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: tensor \"%s\" is %s, expected F32, F16, BF16 or F64",
                        part->header.path, w->name, tensor->dtype);
    return EBB_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct ebb_wanted *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int named(const void *key, const void *row)
{
    const struct ebb_wanted *const *w = row;
    return strcmp(key, (*w)->name);
}

// Gives tensor `index` its place.
static enum ebb_result bind(struct ebb_weight_file *part, int index, struct ebb_wanted *w,
                            struct ebb_error *error)
{
    const char *name = part->header.tensors[index].name;
    bool lengths = is_lengths(name), *taken = lengths ? &w->has_lengths : &w->bound;
    if (*taken)
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" is there twice", part->header.path, w->name);
    *taken = true;
    w->parted |= is_direction(name);
    part->targets[index] = (struct ebb_tensor_target){w, lengths};
    return EBB_OK;
}

// Finds places for the tensors that stand under the names of their class, or with `renamed` for the others. A
// weight may stand in the file under both: then they are the same.
static enum ebb_result bind_part(struct ebb_weight_file *part, struct ebb_wanted **sorted, size_t count,
                                 ebb_tensor_name rename, bool renamed, struct ebb_error *error)
{
    char buffer[256], own[256], shown[96];
    for (int i = 0; i < part->header.count; i++) {
        const struct ebb_stored_tensor *tensor = &part->header.tensors[i];
        const char *name = rename ? rename(tensor->name, own) : tensor->name;
        if (!name || ignored(tensor->name) || renamed != (strcmp(name, tensor->name) != 0))
            continue;
        struct ebb_wanted **row = bsearch(name, sorted, count, sizeof(*sorted), named);
        if (!row)
            row = bsearch(modern(name, buffer), sorted, count, sizeof(*sorted), named);
        if (row && renamed && (*row)->bound)
            continue;
        if (!row)
            return ebb_fail(error, EBB_CORRUPT,
                            "%s: tensor \"%s\" has no place in the network that config.json describes",
                            part->header.path, ebb_stored_tensor_printable(tensor->name, shown));
        enum ebb_result result = check(part, tensor, *row, error);
        if (result == EBB_OK)
            result = bind(part, i, *row, error);
        if (result != EBB_OK)
            return result;
    }
    return EBB_OK;
}

static enum ebb_result check_missing(const struct ebb_weight_files *t, const struct ebb_weights *weights,
                                     struct ebb_error *error)
{
    for (int i = 0; i < weights->count; i++) {
        const struct ebb_wanted *w = weights->items[i];
        char expected[128];
        uint64_t shape[4];
        if (w->bound && w->parted == w->has_lengths)
            continue;
        if (w->bound || w->has_lengths)
            return ebb_fail(
                error, EBB_CORRUPT,
                "%s: tensor \"%s\": of weight_g and weight_v, expected both and nothing beside them",
                t->parts[0].header.path, w->name);
        wanted_shape(w, shape);
        print_shape(expected, w->rank, shape);
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" is missing, expected one of shape %s",
                        t->parts[0].header.path, w->name, expected);
    }
    return EBB_OK;
}

enum ebb_result ebb_weight_files_bind(struct ebb_weight_files *t, struct ebb_weights *weights,
                                      ebb_tensor_name rename, struct ebb_error *error)
{
    size_t count = (size_t)weights->count;
    struct ebb_wanted **sorted = ebb_alloc(count, sizeof(*sorted));
    if (!sorted)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory", t->folder);
    memcpy(sorted, weights->items, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), by_name);

    enum ebb_result result = EBB_OK;
    for (int pass = 0; result == EBB_OK && pass < (rename ? 2 : 1); pass++)
        for (int i = 0; result == EBB_OK && i < t->count; i++)
            result = bind_part(&t->parts[i], sorted, count, rename, pass == 1, error);
    free(sorted);
    t->weights = weights;
    return result == EBB_OK ? check_missing(t, weights, error) : result;
}
