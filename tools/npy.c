#include "npy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// ---- reading ----

static int bad(const char *path, const char *why)
{
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

// Reads up to the data; sets the bytes of one number.
static int read_header(FILE *f, const char *path, struct npy *a, size_t *bytes)
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
    if (!type || (strncmp(type, "'<f4'", 5) != 0 && strncmp(type, "'<f8'", 5) != 0))
        return bad(path, "its numbers are not little-endian float32 or float64 ('<f4', '<f8')");
    *bytes = type[3] == '4' ? 4 : 8;
    if (!order || strncmp(order, "False", 5) != 0)
        return bad(path, "in Fortran order; C order is needed (numpy.ascontiguousarray)");
    return read_shape(field(header, "'shape'"), a) ? TOOL_OK : bad(path, "its shape cannot be read, or is too large");
}

static int read_values(FILE *f, const char *path, struct npy *a, size_t bytes)
{
    struct stat st;
    long at = ftell(f);
    bool regular = fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode);
    if (regular && at >= 0 && (uint64_t)st.st_size - (uint64_t)at < (uint64_t)a->count * bytes)
        return bad(path, "cut short: less in it than its shape says");
    void *raw = malloc(a->count * bytes + 1);
    if (!raw)
        return tool_fail(TOOL_FAILED, "%s: out of memory for %zu numbers", path, a->count);
    a->values = raw;
    if (fread(raw, bytes, a->count, f) != a->count)
        return bad(path, "cut short: less in it than its shape says");
    if (bytes == 8) // in place: a float is never written past the double it came from
        for (size_t i = 0; i < a->count; i++) {
            double v;
            memcpy(&v, (char *)raw + 8 * i, 8);
            a->values[i] = (float)v;
        }
    return TOOL_OK;
}

int npy_read(const char *path, struct npy *a)
{
    *a = (struct npy){0};
    FILE *f = fopen(path, "rb");
    if (!f)
        return tool_fail(errno == ENOENT ? TOOL_NOT_FOUND : TOOL_UNREADABLE, "%s: %s", path, strerror(errno));
    size_t bytes = 0;
    int code = read_header(f, path, a, &bytes);
    if (!code)
        code = read_values(f, path, a, bytes);
    fclose(f);
    if (code)
        npy_clear(a);
    return code;
}

void npy_clear(struct npy *a)
{
    free(a->values);
    *a = (struct npy){0};
}

// ---- writing ----

static bool write_all(FILE *f, const float *values, int dims, const size_t *shape)
{
    char header[256];
    size_t count = 1;
    int n = snprintf(header, sizeof(header), "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int i = 0; i < dims; i++) {
        n += snprintf(header + n, sizeof(header) - (size_t)n, "%zu%s", shape[i],
                      i + 1 < dims ? ", "
                      : dims == 1  ? ","
                                   : "");
        count *= shape[i];
    }
    n += snprintf(header + n, sizeof(header) - (size_t)n, "), }");
    int length = (10 + n + 1 + 63) / 64 * 64 - 10; // data starts at a multiple of 64
    unsigned char start[10] = "\x93NUMPY\x01";
    start[8] = (unsigned char)length;
    start[9] = (unsigned char)(length >> 8);
    return fwrite(start, 1, 10, f) == 10 && fprintf(f, "%-*s\n", length - 1, header) == length &&
           fwrite(values, sizeof(*values), count, f) == count;
}

int npy_write(const char *path, const float *values, int dims, const size_t *shape)
{
    struct stat st;
    bool plain = stat(path, &st) != 0 || S_ISREG(st.st_mode);
    char *temporary = NULL;
    if (asprintf(&temporary, plain ? "%s.%ld.tmp" : "%s", path, (long)getpid()) < 0)
        return tool_fail(TOOL_FAILED, "%s: out of memory", path);
    FILE *f = fopen(temporary, "wb");
    bool ok = f && write_all(f, values, dims, shape);
    if (f && fclose(f) != 0)
        ok = false;
    if (ok && plain)
        ok = rename(temporary, path) == 0;
    int code = ok ? TOOL_OK : tool_fail(TOOL_UNWRITABLE, "%s: cannot be written (%s)", path, strerror(errno));
    if (!ok && f && plain)
        unlink(temporary);
    free(temporary);
    return code;
}
