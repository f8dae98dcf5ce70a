// What the scripts cannot do themselves.
//   helper wav KIND FILE            writes a WAV: empty, one, nan, high (192 kHz), wide (8 channels), noise, clean16
//   helper samples FILE             "frames channels rate"
//   helper same A B                 are all samples equal? Exit 0: yes, 1: no, 2: cannot tell (so do the next)
//   helper sum OUT A B              OUT = A + B, 32-bit float
//   helper close A B BOUND          no sample differs by more?
//   helper near A.npy B.npy BOUND   max|A - B| <= BOUND max|B|?
//   helper shape FILE.npy           the header's shape
//   helper peak FILE                largest |sample| in dBFS, rounded to 0.1
//   helper loudness FILE            LUFS, rounded to 0.1
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ebb/ebb.h>

static int fail(const char *what)
{
    fprintf(stderr, "helper: %s\n", what);
    return 2;
}

// ---- WAVs libsndfile would not write: by hand ----

static void put(FILE *f, unsigned long value, int bytes)
{
    for (int i = 0; i < bytes; i++)
        fputc((int)(value >> (8 * i)) & 255, f);
}

static int write_wav(const char *path, const float *samples, size_t frames, int channels, int rate, int bits)
{
    FILE *f = fopen(path, "wb");
    if (!f)
        return fail(path);
    size_t count = frames * (size_t)channels, bytes = count * (size_t)bits / 8;
    fputs("RIFF", f);
    put(f, 36 + bytes, 4);
    fputs("WAVEfmt ", f);
    put(f, 16, 4);
    put(f, bits == 32 ? 3 : 1, 2);
    put(f, (unsigned long)channels, 2);
    put(f, (unsigned long)rate, 4);
    put(f, (unsigned long)(rate * channels * bits / 8), 4);
    put(f, (unsigned long)(channels * bits / 8), 2);
    put(f, (unsigned long)bits, 2);
    fputs("data", f);
    put(f, bytes, 4);
    for (size_t i = 0; i < count; i++) {
        if (bits == 32)
            fwrite(&samples[i], 4, 1, f);
        else
            put(f, (unsigned long)(long)lrintf(samples[i] * 32767), 2);
    }
    return fclose(f);
}

static int make_wav(const char *kind, const char *path)
{
    enum { MOST = 8 * 48000 };
    static float x[MOST];
    unsigned state = 1;
    for (int i = 0; i < MOST; i++)
        x[i] = 0.1F * (float)(int)(state = state * 1664525u + 1013904223u) / 2147483648.0F;
    if (strcmp(kind, "empty") == 0)
        return write_wav(path, x, 0, 1, 48000, 32);
    if (strcmp(kind, "one") == 0)
        return write_wav(path, x, 1, 1, 48000, 32);
    if (strcmp(kind, "high") == 0)
        return write_wav(path, x, 19200, 1, 192000, 32);
    if (strcmp(kind, "wide") == 0)
        return write_wav(path, x, 4801, 8, 44100, 32);
    if (strcmp(kind, "noise") == 0)
        return write_wav(path, x, 24001, 2, 44100, 32);
    if (strcmp(kind, "clean16") == 0)
        return write_wav(path, x, 12345, 1, 48000, 16);
    if (strcmp(kind, "nan") == 0) {
        x[100] = NAN;
        return write_wav(path, x, 4800, 1, 48000, 32);
    }
    return fail("no such kind");
}

// ---- comparing ----

static int read_sound(const char *path, struct ebb_sound *s)
{
    struct ebb_error error = {0};
    return ebb_sound_read(path, s, &error) == EBB_OK ? 0 : fail(error.message);
}

static int print_samples(const char *path)
{
    struct ebb_error error = {0};
    struct ebb_sound_reader *r = ebb_sound_reader_open(path, &error);
    if (!r)
        return fail(error.message);
    const struct ebb_sound_info *i = ebb_sound_reader_info(r);
    printf("%zu %d %d\n", i->frames, i->channels, i->rate);
    ebb_sound_reader_close(&r);
    return 0;
}

// Two sounds of one shape, or a complaint. Both are to be cleared in any case.
static bool read_both(const char *a, const char *b, struct ebb_sound *x, struct ebb_sound *y)
{
    *x = *y = (struct ebb_sound){0};
    if (read_sound(a, x) || read_sound(b, y))
        return false;
    if (x->frames == y->frames && x->channels == y->channels && x->rate == y->rate)
        return true;
    fail("different shapes");
    return false;
}

static int same(const char *a, const char *b)
{
    struct ebb_sound x, y;
    int code = read_both(a, b, &x, &y) ? 0 : 2;
    for (size_t i = 0; !code && i < x.frames * (size_t)x.channels; i++)
        code = x.samples[i] != y.samples[i];
    ebb_sound_clear(&x);
    ebb_sound_clear(&y);
    return code;
}

static int sum(const char *out, const char *a, const char *b)
{
    struct ebb_sound x, y;
    int code = read_both(a, b, &x, &y) ? 0 : 2;
    for (size_t i = 0; !code && i < x.frames * (size_t)x.channels; i++)
        x.samples[i] += y.samples[i];
    if (!code)
        code = write_wav(out, x.samples, x.frames, x.channels, x.rate, 32);
    ebb_sound_clear(&x);
    ebb_sound_clear(&y);
    return code;
}

// Samples within a bound: 16 bit and sums of floats are not exact.
static int close_to(const char *a, const char *b, double bound)
{
    struct ebb_sound x, y;
    int code = read_both(a, b, &x, &y) ? 0 : 2;
    double worst = 0;
    for (size_t i = 0; !code && i < x.frames * (size_t)x.channels; i++)
        worst = fmax(worst, fabs((double)x.samples[i] - (double)y.samples[i]));
    fprintf(stderr, "largest difference %g\n", worst);
    ebb_sound_clear(&x);
    ebb_sound_clear(&y);
    return code ? code : worst > bound;
}

static int print_level(const char *what, const char *path)
{
    struct ebb_sound s = {0};
    int code = read_sound(path, &s);
    if (!code)
        printf("%.1f\n", strcmp(what, "peak") == 0 ? 20 * log10(ebb_sound_peak(&s)) : ebb_sound_loudness(&s));
    ebb_sound_clear(&s);
    return code;
}

// Reads what `ebb eval` writes and what NumPy writes for float32 in C order: header, then numbers.
static float *read_npy(const char *path, char *header, size_t size, size_t *count)
{
    FILE *f = fopen(path, "rb");
    unsigned char start[10] = {0};
    float *values = NULL;
    size_t length = f && fread(start, 1, 10, f) == 10 ? start[8] | (size_t)start[9] << 8 : size;
    if (length < size && fread(header, 1, length, f) == length)
        values = malloc((size_t)4 << 20);
    if (values) {
        header[length] = 0;
        *count = fread(values, 4, 1 << 20, f);
    }
    if (f)
        fclose(f);
    return values;
}

static int near(const char *a, const char *b, double bound)
{
    char header[4096];
    size_t n = 0, m = 0;
    float *x = read_npy(a, header, sizeof(header), &n), *y = read_npy(b, header, sizeof(header), &m);
    double worst = 0, largest = 0;
    bool fit = x && y && n == m && n > 0;
    for (size_t i = 0; fit && i < n; i++) {
        worst = fmax(worst, fabs((double)x[i] - (double)y[i]));
        largest = fmax(largest, fabs((double)y[i]));
    }
    free(x);
    free(y);
    fprintf(stderr, "max|difference| / max|reference| = %g\n", worst / largest);
    return !fit ? fail("different shapes") : worst <= bound * largest ? 0 : 1;
}

static int print_shape(const char *path)
{
    char header[4096];
    size_t n = 0;
    float *x = read_npy(path, header, sizeof(header), &n);
    const char *from = x ? strchr(header, '(') : NULL, *to = from ? strchr(from, ')') : NULL;
    if (!to)
        return fail("no .npy");
    printf("%.*s %zu\n", (int)(to - from + 1), from, n);
    free(x);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "wav") == 0 && argc == 4)
        return make_wav(argv[2], argv[3]);
    if (strcmp(what, "samples") == 0)
        return print_samples(argv[2]);
    if (strcmp(what, "same") == 0 && argc == 4)
        return same(argv[2], argv[3]);
    if (strcmp(what, "sum") == 0 && argc == 5)
        return sum(argv[2], argv[3], argv[4]);
    if (strcmp(what, "close") == 0 && argc == 5)
        return close_to(argv[2], argv[3], atof(argv[4]));
    if (strcmp(what, "near") == 0 && argc == 5)
        return near(argv[2], argv[3], atof(argv[4]));
    if (strcmp(what, "shape") == 0)
        return print_shape(argv[2]);
    if (strcmp(what, "peak") == 0 || strcmp(what, "loudness") == 0)
        return print_level(what, argv[2]);
    return fail("see helper.c for what it can do");
}
