// SPDX-License-Identifier: LGPL-2.1-or-later
// From the bytes of the files to the weights.
#include "diffusers/weight_files_private.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/base.h"
#include "base/file.h"
#include "base/sha256.h"
#include "diffusers/convert.h"

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

static enum ebb_result fill(const struct ebb_weight_file *part, const struct ebb_stored_tensor *tensor,
                            const struct ebb_tensor_target *target, const struct weight_piece *piece,
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

static enum ebb_result check_sum(const struct ebb_weight_file *part, struct ebb_error *error)
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

static struct rows rows_of(const struct ebb_weight_file *part, int index)
{
    const uint64_t near = 1 << 19;
    const struct ebb_stored_tensor *tensor = &part->header.tensors[index];
    const struct ebb_tensor_target *target = &part->targets[index];
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
static uint64_t largest(const struct ebb_weight_file *part)
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
    struct ebb_weight_file *part;
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
    const struct ebb_tensor_target *target = &r->part->targets[index];
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
    struct ebb_weight_file *part = r->part;
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
static enum ebb_result fill_strided(const struct ebb_weight_file *part,
                                    const struct ebb_stored_tensor *tensor,
                                    const struct ebb_tensor_target *target, const void *bytes,
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
    struct ebb_weight_file *part = r->part;
    enum ebb_result result = *part->expected ? ebb_weight_file_sum(part, part->sum, error) : EBB_OK;
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

static enum ebb_result load_part(struct ebb_weight_file *part, struct ebb_error *error)
{
    struct stat info = {0};
    error = EBB_ERROR(error);
    int fd = ebb_file_open(part->header.path, &info, error);
    if (fd < 0)
        return error->code;

    enum ebb_result result;
    struct weight_reading reading = {.part = part, .fd = fd, .buffer = malloc((size_t)largest(part))};
    if (!ebb_weight_file_same(&info, &part->header.info))
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

uint64_t ebb_weight_files_bytes(const struct ebb_weight_files *t)
{
    uint64_t bytes = 0;
    for (int p = 0; p < t->count; p++)
        for (int i = 0; i < t->parts[p].header.count; i++) {
            const struct ebb_tensor_target *target = &t->parts[p].targets[i];
            if (!target->wanted || target->lengths)
                continue;
            const struct ebb_weight *w = &target->wanted->weight;
            bytes += (uint64_t)w->cout * (uint64_t)w->cin * (uint64_t)w->kh * (uint64_t)w->kw *
                     ebb_number_size(number_of(&t->parts[p].header.tensors[i], target->wanted));
        }
    return bytes;
}
