// SPDX-License-Identifier: LGPL-2.1-or-later
#include "base/npy.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "base/byte_order.h"
#include "base/file.h"

// A loaded file. Its header is a Python dictionary that NumPy writes in one fixed form.
struct npy_file {
    const char *path;
    char *data;                        // with a 0 behind it
    size_t size, header, begin, bytes; // where header and numbers begin; bytes of a number
};

static enum ebb_result find_header(struct npy_file *f, struct ebb_error *error)
{
    const unsigned char *start = (const unsigned char *)f->data;
    if (f->size < 12 || memcmp(start, "\x93NUMPY", 6) != 0)
        return ebb_fail(error, EBB_WRONG_TYPE, "%s: not a .npy file", f->path);
    size_t width = start[6] == 1 ? 2 : 4;
    if (start[6] < 1 || start[6] > 3)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: version %d of .npy, expected 1 to 3", f->path, start[6]);
    size_t length = ebb_little(start + 8, (int)width);
    f->header = 8 + width;
    if (length == 0 || length > f->size - f->header)
        return ebb_fail(error, EBB_CORRUPT, "%s: its header is cut short", f->path);
    f->begin = f->header + length;
    f->data[f->begin - 1] = 0; // in place of its last character, a newline
    return EBB_OK;
}

// What follows 'key':; NULL: there is none.
static const char *field(const struct npy_file *f, const char *key)
{
    const char *at = strstr(f->data + f->header, key);
    at = at ? at + strlen(key) : NULL;
    return at && *at == ':' ? at + 1 + strspn(at + 1, " ") : NULL;
}

static enum ebb_result read_type(struct npy_file *f, struct ebb_error *error)
{
    const char *type = field(f, "'descr'"), *order = field(f, "'fortran_order'");
    bool single = type && strncmp(type, "'<f4'", 5) == 0, twice = type && strncmp(type, "'<f8'", 5) == 0;
    if (!single && !twice)
        return ebb_fail(error, EBB_UNSUPPORTED,
                        "%s: its numbers are not little-endian float32 or float64 ('<f4', '<f8')", f->path);
    f->bytes = single ? 4 : 8;
    return order && strncmp(order, "False", 5) == 0
               ? EBB_OK
               : ebb_fail(error, EBB_UNSUPPORTED,
                          "%s: in Fortran order; C order is needed (numpy.ascontiguousarray)", f->path);
}

static enum ebb_result read_shape(const struct npy_file *f, struct ebb_npy *npy, size_t *count,
                                  struct ebb_error *error)
{
    const char *at = field(f, "'shape'");
    *count = 1;
    bool good = at && *at == '(';
    for (at = good ? at + 1 : at; good && *at != ')';) {
        char *end;
        uintmax_t n = strtoumax(at, &end, 10);
        good = end > at && *at != '-' && npy->dims < EBB_NPY_DIMS && n > 0 && n <= f->size / *count;
        if (!good)
            break;
        npy->shape[npy->dims++] = (size_t)n;
        *count *= (size_t)n;
        at = end + strspn(end, ", ");
    }
    if (!good)
        return ebb_fail(error, EBB_UNSUPPORTED, "%s: its shape is not of 1 to %d sizes that the file has",
                        f->path, EBB_NPY_DIMS);
    return *count <= (f->size - f->begin) / f->bytes
               ? EBB_OK
               : ebb_fail(error, EBB_CORRUPT, "%s: cut short: less in it than its shape says", f->path);
}

static enum ebb_result read_values(const struct npy_file *f, struct ebb_npy *npy, size_t count,
                                   struct ebb_error *error)
{
    npy->values = ebb_alloc(count, sizeof(float));
    if (!npy->values)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "%s: no memory for %zu numbers", f->path, count);
    for (size_t i = 0; i < count; i++) {
        const char *at = f->data + f->begin + i * f->bytes;
        double twice;
        if (f->bytes == 4)
            memcpy(&npy->values[i], at, 4);
        else
            memcpy(&twice, at, 8);
        if (f->bytes == 8)
            npy->values[i] = (float)twice;
        if (!isfinite(npy->values[i]))
            return ebb_fail(error, EBB_CORRUPT, "%s: number %zu is not finite", f->path, i);
    }
    return EBB_OK;
}

enum ebb_result ebb_npy_read(const char *path, size_t limit, struct ebb_npy *npy, struct ebb_error *error)
{
    struct npy_file f = {.path = path};
    size_t count = 0;
    *npy = (struct ebb_npy){0};
    f.data = ebb_file_load(path, limit, &f.size, error);
    if (!f.data)
        return error->code;
    enum ebb_result result = find_header(&f, error);
    if (result == EBB_OK)
        result = read_type(&f, error);
    if (result == EBB_OK)
        result = read_shape(&f, npy, &count, error);
    if (result == EBB_OK)
        result = read_values(&f, npy, count, error);
    free(f.data);
    if (result != EBB_OK) {
        free(npy->values);
        npy->values = NULL;
    }
    return result;
}
