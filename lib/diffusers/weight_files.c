// SPDX-License-Identifier: LGPL-2.1-or-later
#include "diffusers/weight_files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"
#include "diffusers/convert.h"
#include "diffusers/tensor_file.h"
#include "diffusers/weight_name.h"

enum { MAX_SHARDS = 256 };

struct tensor_target {         // of a tensor
    struct ebb_wanted *wanted; // NULL: not for us
    bool lengths;              // it holds the lengths of the weight's rows, not the weight
};

struct weight_file { // one of the model's, or a shard of one
    char *name;
    struct ebb_tensor_file header;
    struct tensor_target *targets; // per tensor
    char expected[65], sum[65];
};

struct ebb_weight_files {
    char *folder;
    struct weight_file *parts;
    int count, room;
    const struct ebb_weights *weights; // that the files are bound to; borrowed
};

// ---- opening ----

// A new part, all zero; NULL: out of memory. Other parts may move.
static struct weight_file *new_part(struct ebb_weight_files *t)
{
    if (t->count == t->room) {
        int room = 2 * t->room + 1; // nearly all models have one file
        struct weight_file *parts = realloc(t->parts, (size_t)room * sizeof(*parts));
        if (!parts)
            return NULL;
        t->parts = parts;
        t->room = room;
    }
    t->parts[t->count] = (struct weight_file){0};
    return &t->parts[t->count++];
}

static enum ebb_result add_part(struct ebb_weight_files *t, const char *name, struct ebb_error *error)
{
    struct weight_file *part = new_part(t);
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

static struct weight_file *find_part(struct ebb_weight_files *t, const char *name)
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

static bool has_tensor(const struct weight_file *part, const char *name)
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

// ---- binding ----

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

static enum ebb_result check(const struct weight_file *part, const struct ebb_stored_tensor *tensor,
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
static enum ebb_result bind(struct weight_file *part, int index, struct ebb_wanted *w,
                            struct ebb_error *error)
{
    const char *name = part->header.tensors[index].name;
    bool lengths = is_lengths(name), *taken = lengths ? &w->has_lengths : &w->bound;
    if (*taken)
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" is there twice", part->header.path, w->name);
    *taken = true;
    w->parted |= is_direction(name);
    part->targets[index] = (struct tensor_target){w, lengths};
    return EBB_OK;
}

// Finds places for the tensors that stand under the names of their class, or with `renamed` for the others. A
// weight may stand in the file under both: then they are the same.
static enum ebb_result bind_part(struct weight_file *part, struct ebb_wanted **sorted, size_t count,
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

// ---- loading ----

// What is filled at a time: a tensor, or output channels of one that is held as panels.
struct weight_piece {
    const void *bytes;
    size_t first, count; // output channels; `first` begins a panel
};

// Reads the file's (cout, cin, places), or (cin, cout, places) of a transposed convolution, to (cout, places,
// cin).
static bool convert_weight(const char *dtype, const void *bytes, const struct ebb_wanted *w, float *scratch)
{
    size_t cout = (size_t)w->weight.cout, cin = (size_t)w->weight.cin;
    size_t places = (size_t)w->weight.kh * (size_t)w->weight.kw;
    return w->transposed ? ebb_convert(dtype, bytes, 1, cin, cout * places, scratch, w->data)
                         : ebb_convert(dtype, bytes, cout, cin, places, scratch, w->data);
}

static bool fill_plain(const struct ebb_stored_tensor *tensor, struct ebb_wanted *w,
                       const struct weight_piece *piece, bool *finite)
{
    size_t cout = (size_t)w->weight.cout, cin = (size_t)w->weight.cin;
    size_t places = (size_t)w->weight.kh * (size_t)w->weight.kw;
    if (!w->data)
        w->data = ebb_alloc(cout * cin, places * sizeof(float));
    float *scratch = ebb_alloc((w->transposed ? cout : 1) * cin * places, sizeof(float));
    bool room = w->data && scratch;
    *finite = room && convert_weight(tensor->dtype, piece->bytes, w, scratch);
    free(scratch);
    w->weight.data = w->data;
    return room;
}

// How the weight is held: in the file's numbers. What is still to be multiplied by a length has more bits.
static enum ebb_number number_of(const struct ebb_stored_tensor *tensor, const struct ebb_wanted *w)
{
    return w->as_panels && !w->parted ? ebb_convert_number(tensor->dtype) : EBB_FLOAT32;
}

static bool fill_panels(const struct ebb_stored_tensor *tensor, struct ebb_wanted *w,
                        const struct weight_piece *piece, bool *finite)
{
    struct ebb_weight shape = w->weight;
    size_t depth = (size_t)shape.cin * (size_t)shape.kh * (size_t)shape.kw;
    enum ebb_number number = number_of(tensor, w);
    size_t size = ebb_number_size(number);
    bool same = tensor->bits == 8 * size;
    if (!w->panels)
        w->panels = ebb_pages_alloc(ebb_panels_numbers(depth, shape.cout), size);
    shape.cout = (int)piece->count;
    float *scratch = same ? NULL : ebb_alloc(piece->count * depth, sizeof(float));
    bool room = w->panels && (same || scratch);
    *finite = room && ebb_convert_panels(tensor->dtype, piece->bytes, &shape, w->transposed, number, scratch,
                                         (char *)w->panels + piece->first * depth * size);
    free(scratch);
    w->weight.panels = (struct ebb_panels){w->panels, number};
    return room;
}

static bool fill_lengths(const struct ebb_stored_tensor *tensor, struct ebb_wanted *w,
                         const struct weight_piece *piece, bool *finite)
{
    size_t rows = (size_t)(w->transposed ? w->weight.cin : w->weight.cout);
    if (!w->lengths)
        w->lengths = ebb_alloc(rows, sizeof(float));
    *finite = w->lengths && ebb_convert(tensor->dtype, piece->bytes, rows, 1, 1, NULL, w->lengths);
    return w->lengths != NULL;
}

static enum ebb_result fill(const struct weight_file *part, const struct ebb_stored_tensor *tensor,
                            const struct tensor_target *target, const struct weight_piece *piece,
                            struct ebb_error *error)
{
    struct ebb_wanted *w = target->wanted;
    bool finite = false, room = (target->lengths ? fill_lengths
                                 : w->as_panels  ? fill_panels
                                                 : fill_plain)(tensor, w, piece, &finite);
    if (!room)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for tensor \"%s\"", part->header.path,
                        w->name);
    if (!finite)
        return ebb_fail(error, EBB_CORRUPT, "%s: tensor \"%s\" holds values that are not finite",
                        part->header.path, w->name);
    return EBB_OK;
}

// Where a number of a weight of 32 bits is: of output channel c, at place k of (kh, kw, cin).
static float *number_at(const struct ebb_wanted *w, size_t c, size_t k)
{
    size_t depth = (size_t)w->weight.kh * (size_t)w->weight.kw * (size_t)w->weight.cin;
    size_t first = c / EBB_PANEL * EBB_PANEL;
    size_t width = (size_t)ebb_panel_width(w->weight.cout, (int)(c / EBB_PANEL));
    return w->as_panels ? (float *)w->panels + first * depth + k * width + (c - first)
                        : w->data + c * depth + k;
}

// Length of row `row` of the file (an output channel, or of a transposed convolution an input channel), and
// the number that makes it lengths[row].
static void scale_row(const struct ebb_wanted *w, size_t row)
{
    size_t cout = (size_t)w->weight.cout, cin = (size_t)w->weight.cin, step = w->transposed ? cin : 1;
    size_t depth = (size_t)w->weight.kh * (size_t)w->weight.kw * cin;
    size_t first = w->transposed ? 0 : row, end = w->transposed ? cout : row + 1;
    double squares = 0;
    for (size_t c = first; c < end; c++)
        for (size_t k = w->transposed ? row : 0; k < depth; k += step)
            squares += (double)*number_at(w, c, k) * *number_at(w, c, k);
    double factor = squares > 0 ? w->lengths[row] / sqrt(squares) : 0;
    for (size_t c = first; c < end; c++)
        for (size_t k = w->transposed ? row : 0; k < depth; k += step)
            *number_at(w, c, k) = (float)(*number_at(w, c, k) * factor);
}

// Puts direction and lengths together.
static void fold(const struct ebb_weights *weights)
{
    for (int i = 0; i < weights->count; i++) {
        struct ebb_wanted *w = weights->items[i];
        int rows = w->transposed ? w->weight.cin : w->weight.cout;
        for (int row = 0; w->lengths && row < rows; row++)
            scale_row(w, (size_t)row);
        free(w->lengths);
        w->lengths = NULL;
    }
}

// SHA-256 of the whole file.
static enum ebb_result sum_of(const struct weight_file *part, char sum[65], struct ebb_error *error)
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

static enum ebb_result check_sum(const struct weight_file *part, struct ebb_error *error)
{
    if (!*part->expected || strcmp(part->expected, part->sum) == 0)
        return EBB_OK;
    return ebb_fail(error, EBB_CORRUPT,
                    "%s: the SHA-256 sum is %.16s..., expected %.16s...: the file is damaged",
                    part->header.path, part->sum, part->expected);
}

// How a tensor is read: so many rows, so many of them at a time. Those of a piece are still in the
// processor's cache when they are put in their place.
struct rows {
    size_t count, most;
    uint64_t bytes; // of a row
};

static struct rows rows_of(const struct weight_file *part, int index)
{
    const uint64_t near = 1 << 19;
    const struct ebb_stored_tensor *tensor = &part->header.tensors[index];
    const struct tensor_target *target = &part->targets[index];
    uint64_t bytes = tensor->end - tensor->begin;
    if (!target->wanted || target->lengths || !target->wanted->as_panels || target->wanted->transposed ||
        tensor->strided)
        return (struct rows){1, 1, bytes};
    size_t count = (size_t)target->wanted->weight.cout;
    uint64_t panel = bytes / count * EBB_PANEL;
    size_t most = EBB_PANEL * (panel < near ? (size_t)(near / panel) : 1);
    return (struct rows){count, most < count ? most : count, bytes / count};
}

// Bytes that are read at a time, at most.
static uint64_t largest(const struct weight_file *part)
{
    uint64_t size = part->header.data_start;
    for (int i = 0; i < part->header.count; i++) {
        struct rows rows = rows_of(part, i);
        size = rows.most * rows.bytes > size ? rows.most * rows.bytes : size;
    }
    return size ? size : 1;
}

// A file while it is read.
struct weight_reading {
    struct weight_file *part;
    int fd;
    void *buffer;           // of largest() bytes
    bool sums;              // a sum is expected
    struct ebb_sha256 sha;  // where `sums`: of the bytes so far
    enum ebb_result filled; // what is wrong with a value; its message is the caller's
};

static enum ebb_result read_bytes(struct weight_reading *r, uint64_t bytes, struct ebb_error *error)
{
    enum ebb_result result = ebb_file_read(r->fd, r->buffer, (size_t)bytes, r->part->header.path, error);
    if (result == EBB_OK && r->sums)
        ebb_sha256_add(&r->sha, r->buffer, (size_t)bytes);
    return result;
}

// Reads tensor `index`, which the file is at, and fills its weight while all before it were good.
static enum ebb_result read_tensor(struct weight_reading *r, int index, struct ebb_error *error)
{
    const struct rows rows = rows_of(r->part, index);
    const struct tensor_target *target = &r->part->targets[index];
    enum ebb_result result = EBB_OK;
    for (size_t done = 0, count; result == EBB_OK && done < rows.count; done += count) {
        count = rows.count - done < rows.most ? rows.count - done : rows.most;
        result = read_bytes(r, count * rows.bytes, error);
        if (result != EBB_OK || !target->wanted || r->filled != EBB_OK)
            continue;
        struct weight_piece piece = {r->buffer, done,
                                     rows.count > 1 ? count : (size_t)target->wanted->weight.cout};
        r->filled = fill(r->part, &r->part->header.tensors[index], target, &piece, error);
    }
    return result;
}

// Reads the file once, front to back, and computes its sum where one is expected. What is wrong with a value
// waits for the sum: a damaged file is the better news.
static enum ebb_result read_packed(struct weight_reading *r, struct ebb_error *error)
{
    struct weight_file *part = r->part;
    r->sums = *part->expected;
    ebb_sha256_start(&r->sha);
    enum ebb_result result = read_bytes(r, part->header.data_start, error);
    for (int i = 0; result == EBB_OK && i < part->header.count; i++)
        result = read_tensor(r, i, error);
    if (result == EBB_OK && r->sums) {
        ebb_sha256_finish(&r->sha, part->sum);
        result = check_sum(part, error);
    }
    return result == EBB_OK ? r->filled : result;
}

// Puts a strided tensor in order, and fills.
static enum ebb_result fill_strided(const struct weight_file *part, const struct ebb_stored_tensor *tensor,
                                    const struct tensor_target *target, const void *bytes,
                                    struct ebb_error *error)
{
    uint64_t size = 0;
    unsigned char *ordered = ebb_stored_tensor_size(tensor, &size) ? malloc((size_t)size + 1) : NULL;
    if (!ordered)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for tensor \"%s\"", part->header.path,
                        target->wanted->name);
    ebb_stored_tensor_gather(tensor, bytes, ordered);
    struct weight_piece piece = {ordered, 0, (size_t)target->wanted->weight.cout};
    enum ebb_result result = fill(part, tensor, target, &piece, error);
    free(ordered);
    return result;
}

static enum ebb_result read_strided(struct weight_reading *r, int index, struct ebb_error *error)
{
    const struct ebb_stored_tensor *tensor = &r->part->header.tensors[index];
    enum ebb_result result = read_bytes(r, tensor->end - tensor->begin, error);
    return result == EBB_OK ? fill_strided(r->part, tensor, &r->part->targets[index], r->buffer, error)
                            : result;
}

// Reads tensor by tensor. Tensors may share their bytes, and there is more in the file than tensors: a sum
// that the file must have is computed before.
static enum ebb_result read_scattered(struct weight_reading *r, struct ebb_error *error)
{
    struct weight_file *part = r->part;
    enum ebb_result result = *part->expected ? sum_of(part, part->sum, error) : EBB_OK;
    if (result == EBB_OK)
        result = check_sum(part, error);
    for (int i = 0; result == EBB_OK && r->filled == EBB_OK && i < part->header.count; i++) {
        const struct ebb_stored_tensor *tensor = &part->header.tensors[i];
        if (!part->targets[i].wanted)
            continue;
        if (lseek(r->fd, (off_t)tensor->begin, SEEK_SET) < 0)
            return ebb_fail(error, EBB_UNREADABLE, "%s: it cannot be read from its middle",
                            part->header.path);
        result = (tensor->strided ? read_strided : read_tensor)(r, i, error);
    }
    return result == EBB_OK ? r->filled : result;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static enum ebb_result load_part(struct weight_file *part, struct ebb_error *error)
{
    struct stat info = {0};
    error = EBB_ERROR(error);
    int fd = ebb_file_open(part->header.path, &info, error);
    if (fd < 0)
        return error->code;

    enum ebb_result result;
    struct weight_reading reading = {.part = part, .fd = fd, .buffer = malloc((size_t)largest(part))};
    if (!same_file(&info, &part->header.info))
        result = ebb_fail(error, EBB_CORRUPT, "%s: the file has changed since the model was opened",
                          part->header.path);
    else if (!reading.buffer)
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory to read it", part->header.path);
    else
        result = (part->header.packed ? read_packed : read_scattered)(&reading, error);
    free(reading.buffer);
    close(fd);
    return result;
}

enum ebb_result ebb_weight_files_load(struct ebb_weight_files *t, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < t->count; i++)
        result = load_part(&t->parts[i], error);
    if (result == EBB_OK && t->weights)
        fold(t->weights);
    return result;
}

enum ebb_result ebb_weight_files_add_sums(struct ebb_weight_files *t, struct ebb_error *error)
{
    enum ebb_result result = EBB_OK;
    for (int i = 0; result == EBB_OK && i < t->count; i++)
        if (!*t->parts[i].expected && !*t->parts[i].sum)
            result = sum_of(&t->parts[i], t->parts[i].sum, error);
    return result;
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
        same = same_file(&a->parts[i].header.info, &b->parts[i].header.info) &&
               strcmp(a->parts[i].expected, b->parts[i].expected) == 0;
    return same;
}

uint64_t ebb_weight_files_bytes(const struct ebb_weight_files *t)
{
    uint64_t bytes = 0;
    for (int p = 0; p < t->count; p++)
        for (int i = 0; i < t->parts[p].header.count; i++) {
            const struct tensor_target *target = &t->parts[p].targets[i];
            if (!target->wanted || target->lengths)
                continue;
            const struct ebb_weight *w = &target->wanted->weight;
            bytes += (uint64_t)w->cout * (uint64_t)w->cin * (uint64_t)w->kh * (uint64_t)w->kw *
                     ebb_number_size(number_of(&t->parts[p].header.tensors[i], target->wanted));
        }
    return bytes;
}
