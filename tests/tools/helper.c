// SPDX-License-Identifier: LGPL-2.1-or-later
// Work that the test scripts cannot do themselves.
//   helper wav KIND FILE            writes a WAV: empty, one, nan, high (192 kHz), wide (8 channels), noise,
//                                   clean16, tone (1 kHz), int32, double, silence, marked (a cue point, a
//                                   label, a time reference, a title, a comment, of 16 bits)
//   helper comment IN OUT TEXT      writes IN again, with another comment
//   helper samples FILE             "frames channels rate"
//   helper same A B                 are all samples equal? Exit 0: yes, 1: no, 2: cannot tell; so below
//   helper data A B                 are the bytes of the samples equal?
//   helper front A B COUNT          the first COUNT of them?
//   helper number FILE ID AT        the 32-bit number at this byte of a chunk
//   helper sum OUT A B              OUT = A + B, 32-bit float
//   helper close A B BOUND          no sample differs by more?
//   helper near A.npy B.npy BOUND   max|A - B| <= BOUND max|B|?
//   helper shape FILE.npy           the header's shape
//   helper peak FILE                largest |sample| in dBFS, rounded to 0.1
//   helper loudness FILE            LUFS, rounded to 0.1
//   helper bright FILE.png          of the spectrogram in the picture's middle column: how high its brightest
//                                   row is, in per cent of its height
//   helper ink FILE.png X Y W H     how many pixels there are not white
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CAIRO
#include <cairo.h>
#endif

#include "../larger.h"

#include <ebb/ebb.h>
#include <ebb/lab.h>

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

// Two channels of noise with more bits than a float32 has.
static int write_wide(const char *path, enum ebb_wav_format format)
{
    enum { FRAMES = 48000 };
    static double x[2 * FRAMES];
    unsigned state = 1;
    for (int i = 0; i < 2 * FRAMES; i++)
        x[i] = (double)(int)(state = state * 1664525u + 1013904223u) / 0x1p33;
    for (int i = 0; i < 2 * FRAMES && format == EBB_WAV_32I; i++)
        x[i] = rint(x[i] * 0x1p31) / 0x1p31;
    struct ebb_sound_writer *w = ebb_sound_writer_create(path, 2, 48000, format, NULL, NULL);
    int bad = !w || ebb_sound_writer_write_double(w, x, FRAMES, NULL) || ebb_sound_writer_finish(w, NULL);
    ebb_sound_writer_destroy(&w);
    return bad ? fail(path) : 0;
}

static void put_chunk(FILE *f, const char *id, const void *body, size_t size)
{
    fwrite(id, 1, 4, f);
    put(f, size, 4);
    fwrite(body, 1, size, f);
    if (size & 1)
        fputc(0, f);
}

static int write_marked(const char *path)
{
    enum { FRAMES = 48000 };
    static short tone[FRAMES];
    static char bext[602] = "Scene 12 take 3";
    static const unsigned char format[16] = {1, 0, 1, 0, 0x80, 0xbb, 0, 0, 0, 0x77, 1, 0, 2, 0, 16, 0};
    static const unsigned char cue[28] = {1,    0, 0, 0,   1,   0,   0,   0,           0xc0,
                                          0x12, 0, 0, 'd', 'a', 't', 'a', [24] = 0xc0, 0x12};
    FILE *f = fopen(path, "wb");
    if (!f)
        return fail(path);
    bext[341] = 0x10; // 2^28 samples after midnight
    for (int i = 0; i < FRAMES; i++)
        tone[i] = (short)(i * 37 % 2000 - 1000);
    fputs("RIFF", f);
    put(f, 4 + 610 + 24 + 8 + sizeof(tone) + 36 + 8 + 22 + 8 + 48, 4);
    fputs("WAVE", f);
    put_chunk(f, "bext", bext, sizeof(bext));
    put_chunk(f, "fmt ", format, sizeof(format));
    put_chunk(f, "data", tone, sizeof(tone));
    put_chunk(f, "cue ", cue, sizeof(cue));
    put_chunk(f, "LIST", "adtllabl\11\0\0\0\1\0\0\0Door\0", 22);
    put_chunk(f, "LIST", "INFOINAM\12\0\0\0Door take\0ICMT\22\0\0\0a comment of mine", 48);
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
    if (strcmp(kind, "tone") == 0) {
        for (int i = 0; i < 48000; i++)
            x[i] = 0.5F * sinf(6.28318531F * 1000 * (float)(i % 48) / 48000);
        return write_wav(path, x, 48000, 1, 48000, 32);
    }
    if (strcmp(kind, "int32") == 0)
        return write_wide(path, EBB_WAV_32I);
    if (strcmp(kind, "double") == 0)
        return write_wide(path, EBB_WAV_64F);
    if (strcmp(kind, "silence") == 0)
        return write_wav(path, memset(x, 0, sizeof(x)), 96000, 2, 48000, 16);
    if (strcmp(kind, "marked") == 0)
        return write_marked(path);
    if (strcmp(kind, "nan") == 0) {
        x[100] = NAN;
        return write_wav(path, x, 4800, 1, 48000, 32);
    }
    return fail("no such kind");
}

// ---- chunks ----

// Goes to the body of a chunk; returns its size, -1: there is none.
static long find_chunk(FILE *f, const char *id)
{
    unsigned char head[8];
    fseek(f, 12, SEEK_SET);
    while (fread(head, 1, 8, f) == 8) {
        long size = (long)(head[4] | head[5] << 8 | head[6] << 16 | (unsigned)head[7] << 24);
        if (memcmp(head, id, 4) == 0)
            return size;
        fseek(f, size + (size & 1), SEEK_CUR);
    }
    return -1;
}

static int print_number(const char *path, const char *id, long at)
{
    FILE *f = fopen(path, "rb");
    unsigned char b[4];
    if (!f || find_chunk(f, id) < at + 4 || fseek(f, at, SEEK_CUR) != 0 || fread(b, 1, 4, f) != 4)
        return fail("no such chunk");
    printf("%u\n", b[0] | b[1] << 8 | b[2] << 16 | (unsigned)b[3] << 24);
    return fclose(f);
}

// Are the bytes of the samples equal? With `front` above 0 only the first so many.
static int same_data(const char *one, const char *two, long front)
{
    FILE *a = fopen(one, "rb"), *b = fopen(two, "rb");
    long size = a && b ? find_chunk(a, "data") : -1;
    long other = size < 0 ? -1 : find_chunk(b, "data");
    if (size < front || other < front || (front == 0 && (size < 0 || other != size)))
        return fail("different shapes");
    size = front ? front : size;
    int differ = 0;
    while (size-- > 0 && !differ)
        differ = fgetc(a) != fgetc(b);
    fclose(a);
    fclose(b);
    return differ;
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
        worst = larger(worst, fabs((double)x.samples[i] - (double)y.samples[i]));
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
        worst = larger(worst, fabs((double)x[i] - (double)y[i]));
        largest = larger(largest, fabs((double)y[i]));
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

// A sound with the words of somebody else.
static int write_comment(const char *in, const char *out, const char *text)
{
    struct ebb_sound s;
    if (ebb_sound_read(in, &s, NULL) != EBB_OK)
        return fail(in);
    free(s.comment);
    s.comment = strdup(text);
    int result = s.comment && ebb_sound_write(out, &s, EBB_WAV_32F, NULL) == EBB_OK ? 0 : fail(out);
    ebb_sound_clear(&s);
    return result;
}

// ---- pictures ----

#ifdef HAVE_CAIRO
struct pixels {
    cairo_surface_t *surface;
    int width, height;
};

static bool read_png(const char *path, struct pixels *p)
{
    p->surface = cairo_image_surface_create_from_png(path);
    p->width = cairo_image_surface_get_width(p->surface);
    p->height = cairo_image_surface_get_height(p->surface);
    return cairo_surface_status(p->surface) == CAIRO_STATUS_SUCCESS;
}

static int channel(const struct pixels *p, int x, int y, int shift)
{
    int stride = cairo_image_surface_get_stride(p->surface);
    uint32_t pixel;
    memcpy(&pixel, cairo_image_surface_get_data(p->surface) + y * stride + 4 * x, sizeof(pixel));
    return (int)(pixel >> shift & 255);
}

static int lightness(const struct pixels *p, int x, int y)
{
    return channel(p, x, y, 16) + channel(p, x, y, 8) + channel(p, x, y, 0);
}

// The spectrogram is the tallest run of pixels below a sum of 700: its brightest colour is 252 + 253 + 191.
static void find_run(const struct pixels *p, int x, int *top, int *bottom)
{
    *top = *bottom = 0;
    for (int y = 0, from = 0; y < p->height; y++) {
        from = lightness(p, x, y) < 700 ? from : y + 1;
        if (y + 1 - from > *bottom - *top) {
            *top = from;
            *bottom = y + 1;
        }
    }
}

static int print_bright(const char *path)
{
    struct pixels p;
    int code = read_png(path, &p) ? 0 : fail(path), x = p.width / 2, top = 0, bottom = 1;
    if (!code) {
        find_run(&p, x, &top, &bottom);
        int best = top + 1; // the frame aside
        for (int y = top + 1; y < bottom - 1; y++)
            best = lightness(&p, x, y) > lightness(&p, x, best) ? y : best;
        printf("%.0f\n", 100 - 100.0 * (best + 0.5 - top) / (bottom - top));
    }
    cairo_surface_destroy(p.surface);
    return code;
}

static int print_ink(const char *path, int left, int top, int width, int height)
{
    struct pixels p;
    bool inside = read_png(path, &p) && left + width <= p.width && top + height <= p.height;
    int code = inside ? 0 : fail(path), ink = 0;
    for (int y = top; y < top + height && !code; y++)
        for (int x = left; x < left + width; x++)
            ink += lightness(&p, x, y) < 3 * 255;
    cairo_surface_destroy(p.surface);
    if (!code)
        printf("%d\n", ink);
    return code;
}
#else
static int print_bright(const char *path)
{
    return fail("built without cairo");
}

static int print_ink(const char *path, int left, int top, int width, int height)
{
    return fail("built without cairo");
}
#endif

int main(int argc, char **argv)
{
    const char *what = argc > 2 ? argv[1] : "";
    if (strcmp(what, "wav") == 0 && argc == 4)
        return make_wav(argv[2], argv[3]);
    if (strcmp(what, "comment") == 0 && argc == 5)
        return write_comment(argv[2], argv[3], argv[4]);
    if (strcmp(what, "samples") == 0)
        return print_samples(argv[2]);
    if (strcmp(what, "same") == 0 && argc == 4)
        return same(argv[2], argv[3]);
    if (strcmp(what, "data") == 0 && argc == 4)
        return same_data(argv[2], argv[3], 0);
    if (strcmp(what, "front") == 0 && argc == 5)
        return same_data(argv[2], argv[3], atol(argv[4]));
    if (strcmp(what, "number") == 0 && argc == 5)
        return print_number(argv[2], argv[3], atol(argv[4]));
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
    if (strcmp(what, "bright") == 0)
        return print_bright(argv[2]);
    if (strcmp(what, "ink") == 0 && argc == 7)
        return print_ink(argv[2], atoi(argv[3]), atoi(argv[4]), atoi(argv[5]), atoi(argv[6]));
    return fail("see helper.c for what it can do");
}
