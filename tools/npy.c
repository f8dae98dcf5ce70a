// SPDX-License-Identifier: LGPL-2.1-or-later
#include "npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

// ---- reading ----

// Of a pipe that was interrupted, less is there than was expected.
static int bad(const char *path, const char *why)
{
    if (tool_interrupted())
        return tool_fail(TOOL_INTERRUPTED, "interrupted");
    return tool_fail(TOOL_UNREADABLE, "%s: %s", path, why);
}

// The header is a Python dictionary that NumPy writes in one fixed form; looks up what follows 'key':.
static const char *field(const char *header, const char *key)
{
    const char *at = strstr(header, key);
    if (!at)
        return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    return *at == ':' ? at + 1 + strspn(at + 1, " ") : NULL;
}

static bool read_shape(const char *at, struct npy *a)
{
    if (!at || *at != '(')
        return false;
    a->count = 1;
    for (at++; *at && *at != ')';) {
        char *end;
        errno = 0;
        uintmax_t n = strtoumax(at, &end, 10);
        if (end == at || *at == '-' || errno || a->dims == NPY_DIMS || n > SIZE_MAX / 8)
            return false;
        if (n && a->count > SIZE_MAX / 8 / n)
            return false;
        a->shape[a->dims++] = (size_t)n;
        a->count *= (size_t)n;
        at = end + strspn(end, ", ");
    }
    return *at == ')';
}

// What a number of the file may be.
struct number {
    const char *descr[2]; // of four bytes, of eight
    const char *words;
    void (*narrow[2])(void *value); // to a float at the same place
};

static void narrow_nothing(void *value)
{
    (void)value;
}

static void narrow_double(void *value)
{
    double v;
    memcpy(&v, value, sizeof(v));
    memcpy(value, &(float){(float)v}, sizeof(float));
}

static void narrow_int(void *value)
{
    int32_t v;
    memcpy(&v, value, sizeof(v));
    memcpy(value, &(float){(float)v}, sizeof(float));
}

static void narrow_long(void *value)
{
    int64_t v;
    memcpy(&v, value, sizeof(v));
    memcpy(value, &(float){(float)v}, sizeof(float));
}

static const struct number reals = {{"'<f4'", "'<f8'"},
                                    "little-endian float32 or float64 ('<f4', '<f8')",
                                    {narrow_nothing, narrow_double}};
static const struct number wholes = {{"'<i4'", "'<i8'"},
                                     "little-endian int32 or int64 ('<i4', '<i8')",
                                     {narrow_int, narrow_long}};

// Reads up to the data; sets the bytes of one number.
static int read_header(FILE *f, const char *path, struct npy *a, const struct number *number, size_t *bytes)
{
    unsigned char start[12];
    char header[4096];
    if (fread(start, 1, 8, f) != 8 || memcmp(start, "\x93NUMPY", 6) != 0)
        return bad(path, "not a .npy file");
    size_t width = start[6] == 1 ? 2 : 4, length = 0;
    if (start[6] < 1 || start[6] > 3 || fread(start + 8, 1, width, f) != width)
        return bad(path, "a version of .npy other than 1, 2 or 3, or cut short");
    for (size_t i = width; i-- > 0;)
        length = length << 8 | start[8 + i];
    if (length >= sizeof(header) || fread(header, 1, length, f) != length)
        return bad(path, "its header is too long or cut short");
    header[length] = 0;

    const char *type = field(header, "'descr'"), *order = field(header, "'fortran_order'");
    if (!type || (strncmp(type, number->descr[0], 5) != 0 && strncmp(type, number->descr[1], 5) != 0))
        return tool_fail(TOOL_UNREADABLE, "%s: its numbers are not %s", path, number->words);
    *bytes = type[3] == '4' ? 4 : 8;
    if (!order || strncmp(order, "False", 5) != 0)
        return bad(path, "in Fortran order; C order is needed (numpy.ascontiguousarray)");
    return read_shape(field(header, "'shape'"), a) ? TOOL_OK
                                                   : bad(path, "its shape cannot be read, or is too large");
}

static int read_values(FILE *f, const char *path, struct npy *a, const struct number *number, size_t bytes)
{
    struct stat st;
    long at = ftell(f);
    bool regular = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode);
    if (regular && at >= 0 && (uint64_t)st.st_size - (uint64_t)at < (uint64_t)a->count * bytes)
        return bad(path, "cut short: less in it than its shape says");
    void *raw = malloc(a->count * bytes + 1);
    if (!raw)
        return tool_fail(TOOL_FAILED, "%s: no memory for %zu numbers", path, a->count);
    a->values = raw;
    if (fread(raw, bytes, a->count, f) != a->count)
        return bad(path, "cut short: less in it than its shape says");
    for (size_t i = 0; i < a->count; i++) { // in place: a float is never written past the number it came from
        char *value = (char *)raw + bytes * i;
        number->narrow[bytes == 8](value);
        memmove(&a->values[i], value, sizeof(float));
    }
    return TOOL_OK;
}

static int read_numbers(const char *path, struct npy *a, const struct number *number)
{
    *a = (struct npy){0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return tool_file_error(path);
    size_t bytes = 0;
    int code = read_header(f, path, a, number, &bytes);
    if (!code)
        code = read_values(f, path, a, number, bytes);
    fclose(f);
    if (code)
        npy_clear(a);
    return code;
}

int npy_read(const char *path, struct npy *a)
{
    return read_numbers(path, a, &reals);
}

int npy_read_ids(const char *path, struct npy *a)
{
    return read_numbers(path, a, &wholes);
}

void npy_clear(struct npy *a)
{
    free(a->values);
    *a = (struct npy){0};
}

// ---- writing ----

// Magic, version, length, and a dictionary padded so that the data starts at a multiple of 64. Its size.
static size_t make_header(char out[320], int dims, const size_t *shape)
{
    char text[256];
    size_t n = (size_t)snprintf(text, sizeof(text), "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < dims; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%zu%s", shape[i],
                              i + 1 < dims ? ", "
                              : dims == 1  ? ","
                                           : "");
    n += (size_t)snprintf(text + n, sizeof(text) - n, "), }");
    size_t length = (10 + n + 1 + 63) / 64 * 64 - 10;
    memcpy(out, "\x93NUMPY\x01\0", 8);
    out[8] = (char)length;
    out[9] = (char)(length >> 8);
    snprintf(out + 10, 310, "%-*s\n", (int)length - 1, text);
    return 10 + length;
}

int npy_write(const char *path, const float *values, int dims, const size_t *shape)
{
    struct ebb_error error = {0};
    char header[320];
    size_t size = make_header(header, dims, shape), count = 1;
    for (int i = 0; i < dims; i++)
        count *= shape[i];
    struct ebb_output *output = ebb_output_create(path, &error);
    bool ok = output && ebb_output_write(output, header, size, &error) == EBB_OK &&
              ebb_output_write(output, values, count * sizeof(*values), &error) == EBB_OK &&
              ebb_output_finish(output, &error) == EBB_OK;
    ebb_output_destroy(&output);
    return ok ? TOOL_OK : tool_error(&error);
}

int npy_check_name(const char *path)
{
    if (!path || !tool_is_sound_name(path))
        return TOOL_OK;
    return tool_fail(TOOL_USAGE, "%s: expected a name that ends in .npy", path);
}
