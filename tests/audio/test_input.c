// SPDX-License-Identifier: LGPL-2.1-or-later
// What comes through pipes, with sizes that nobody knew, and cut off: each sound file as a file, redirected,
// and piped.
#include <ebb/audio.h>

#include "audio/file_metadata.h"
#include "audio/input.h"
#include "test.h"
#include "waves.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FRAMES = 30000, HEAD = 44 };
enum way { BY_NAME, REDIRECTED, PIPED, WAYS };
static const char *const way_names[] = {"by name", "redirected", "piped"};

static const char *scratch(void)
{
    static char path[64];
    if (!path[0]) {
        strcpy(path, "/tmp/ebb-input-XXXXXX");
        int fd = mkstemp(path);
        REQUIRE(fd >= 0);
        close(fd);
    }
    return path;
}

static void write_bytes(const void *bytes, size_t size)
{
    FILE *file = fopen(scratch(), "wb");
    REQUIRE(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

static size_t read_bytes(unsigned char *bytes, size_t most)
{
    FILE *file = fopen(scratch(), "rb");
    REQUIRE(file);
    size_t got = fread(bytes, 1, most, file);
    fclose(file);
    return got;
}

// A child that writes the file into a pipe, in pieces that fit nothing.
static int piped(pid_t *child)
{
    static unsigned char bytes[1 << 20];
    int ends[2];
    size_t size = read_bytes(bytes, sizeof(bytes));
    REQUIRE(pipe(ends) == 0);
    *child = fork();
    REQUIRE(*child >= 0);
    if (*child == 0) {
        close(ends[0]);
        for (size_t at = 0; at < size; at += 1009)
            if (write(ends[1], bytes + at, size - at < 1009 ? size - at : 1009) < 0)
                break;
        _exit(0);
    }
    close(ends[1]);
    return ends[0];
}

static enum ebb_result read_by(enum way way, struct ebb_sound *sound, struct ebb_error *error)
{
    if (way == BY_NAME)
        return ebb_sound_read(scratch(), sound, error);
    pid_t child = 0;
    int was = dup(0), fd = way == PIPED ? piped(&child) : open(scratch(), O_RDONLY);
    REQUIRE(fd >= 0 && dup2(fd, 0) == 0);
    close(fd);
    enum ebb_result result = ebb_sound_read("-", sound, error);
    dup2(was, 0);
    close(was);
    if (child)
        waitpid(child, NULL, 0);
    return result;
}

// All ways give this many of these frames; `cut`: with a warning that says so.
static void expect(const char *what, const float *samples, size_t frames, bool cut)
{
    for (enum way way = BY_NAME; way < WAYS; way++) {
        struct ebb_error error = {0};
        struct ebb_sound sound;
        enum ebb_result result = read_by(way, &sound, &error);
        if (result != EBB_OK || sound.frames != frames || !!sound.warning != cut)
            TEST_FAIL("%s, %s: %zu frames, warning \"%s\", error \"%s\"; expected %zu frames", what,
                      way_names[way], sound.frames, sound.warning ? sound.warning : "", error.message,
                      frames);
        if (cut)
            REQUIRE(strstr(sound.warning, "cut off"));
        if (samples)
            REQUIRE(memcmp(samples, sound.samples, frames * sizeof(float)) == 0);
        ebb_sound_clear(&sound);
    }
}

static void refuse(const char *what, const char *words)
{
    for (enum way way = BY_NAME; way < WAYS; way++) {
        struct ebb_error error = {0};
        struct ebb_sound sound;
        enum ebb_result result = read_by(way, &sound, &error);
        if (result != EBB_CORRUPT || !strstr(error.message, words))
            TEST_FAIL("%s, %s: \"%s\"", what, way_names[way], error.message);
    }
}

static void put(unsigned char *at, uint32_t value, int count, bool big)
{
    for (int i = 0; i < count; i++)
        at[big ? count - 1 - i : i] = (unsigned char)(value >> (8 * i));
}

// ---- whole and cut off, in every container ----

static const struct container {
    const char *name;
    int format;
    bool exact; // how many frames a cut leaves is known
    int head, bytes;
} containers[] = {
    {"WAV", SF_FORMAT_WAV | SF_FORMAT_PCM_16, true, 44, 2},
    {"WAV float", SF_FORMAT_WAV | SF_FORMAT_FLOAT, false, 0, 4},
    {"WAVEX", SF_FORMAT_WAVEX | SF_FORMAT_PCM_24, false, 0, 3},
    {"RIFX", SF_FORMAT_WAV | SF_ENDIAN_BIG | SF_FORMAT_PCM_16, true, 44, 2},
    {"RF64", SF_FORMAT_RF64 | SF_FORMAT_PCM_16, false, 0, 2},
    {"AIFF", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, false, 0, 2},
    {"8SVX", SF_FORMAT_SVX | SF_FORMAT_PCM_16, false, 0, 2},
    {"AU", SF_FORMAT_AU | SF_FORMAT_PCM_16, true, 24, 2},
    {"Wave64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, false, 0, 2},
    {"CAF", SF_FORMAT_CAF | SF_FORMAT_PCM_16, false, 0, 2},
    {"ADPCM", SF_FORMAT_WAV | SF_FORMAT_IMA_ADPCM, false, 0, 0},
    {"Microsoft's ADPCM", SF_FORMAT_WAV | SF_FORMAT_MS_ADPCM, false, 0, 0},
    {"MP3", SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III, false, 0, 0},
    {"mu-law", SF_FORMAT_WAV | SF_FORMAT_ULAW, false, 0, 1},
    {"GSM", SF_FORMAT_WAV | SF_FORMAT_GSM610, false, 0, 0},
    {"FLAC", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, false, 0, 0},
    {"Ogg Vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, false, 0, 0},
    {"AVR", SF_FORMAT_AVR | SF_FORMAT_PCM_16, true, 128, 2},
    {"NIST", SF_FORMAT_NIST | SF_FORMAT_PCM_16, true, 1024, 2},
    {"VOC", SF_FORMAT_VOC | SF_FORMAT_PCM_16, false, 0, 2},
    {"WVE", SF_FORMAT_WVE | SF_FORMAT_ALAW, true, 32, 1},
    {"MPC 2000", SF_FORMAT_MPC2K | SF_FORMAT_PCM_16, true, 42, 2},
    {"Matlab 4", SF_FORMAT_MAT4 | SF_FORMAT_FLOAT, false, 0, 4},
    {"Matlab 4, big-endian", SF_FORMAT_MAT4 | SF_ENDIAN_BIG | SF_FORMAT_PCM_32, false, 0, 4},
    {"Matlab 5", SF_FORMAT_MAT5 | SF_FORMAT_PCM_16, false, 0, 2},
    {"Matlab 5, big-endian", SF_FORMAT_MAT5 | SF_ENDIAN_BIG | SF_FORMAT_FLOAT, false, 0, 4},
};

// False: this libsndfile cannot write it.
static bool write_container(const struct container *c, int frames)
{
    static float samples[10 * FRAMES];
    fill_noise(samples, 10 * FRAMES, 3, 0.5f);
    SF_INFO sf = {.samplerate = 8000, .channels = 1, .format = c->format};
    SNDFILE *file = sf_open(scratch(), SFM_WRITE, &sf);
    if (!file)
        return false;
    REQUIRE(sf_writef_float(file, samples, frames) == frames);
    REQUIRE(sf_close(file) == 0);
    return true;
}

TEST(what_is_read_from_a_file_is_read_from_a_pipe)
{
    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
        struct ebb_sound whole;
        if (!write_container(&containers[i], FRAMES))
            continue;
        REQUIRE(ebb_sound_read(scratch(), &whole, NULL) == EBB_OK && whole.frames >= FRAMES);
        expect(containers[i].name, whole.samples, whole.frames, false);
        ebb_sound_clear(&whole);
    }
}

TEST(what_was_cut_off_is_read_as_far_as_it_goes_with_a_warning)
{
    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
        const struct container *c = &containers[i];
        struct ebb_sound whole, cut;
        struct stat info;
        if (!write_container(c, 10 * FRAMES))
            continue;
        REQUIRE(ebb_sound_read(scratch(), &whole, NULL) == EBB_OK && stat(scratch(), &info) == 0);
        off_t size = info.st_size * 5 / 8;
        REQUIRE(truncate(scratch(), size) == 0);
        printf("# %s\n", c->name);
        REQUIRE(ebb_sound_read(scratch(), &cut, NULL) == EBB_OK);
        REQUIRE(cut.frames > whole.frames / 3 && cut.frames < whole.frames * 3 / 4);
        if (c->exact)
            REQUIRE(cut.frames == (size_t)(size - c->head) / (size_t)c->bytes);
        if (c->bytes)
            REQUIRE(memcmp(cut.samples, whole.samples, cut.frames * sizeof(float)) == 0);
        printf("# %s\n", cut.warning ? cut.warning : "no warning");
        REQUIRE(size < 1 << 20); // the pipe of this test holds a MiB
        expect(c->name, c->bytes ? whole.samples : NULL, cut.frames, true);
        REQUIRE(cut.warning && strstr(cut.warning, "cut off"));
        ebb_sound_clear(&whole);
        ebb_sound_clear(&cut);
    }
}

// libsndfile gives its missing packets as silence, and does not end.
TEST(a_sample_dump_that_was_cut_off_says_so)
{
    static const struct container dump = {"SDS", SF_FORMAT_SDS | SF_FORMAT_PCM_16, false, 0, 0};
    for (int cut = 0; cut < 2; cut++) {
        struct ebb_sound sound;
        REQUIRE(write_container(&dump, FRAMES) && (!cut || truncate(scratch(), FRAMES) == 0));
        REQUIRE(ebb_sound_read(scratch(), &sound, NULL) == EBB_OK && !!sound.warning == cut);
        ebb_sound_clear(&sound);
    }
}

// An instrument of FastTracker 2, whose heads say how many bytes its samples have. libsndfile writes one
// sample, and 0 as its size.
static size_t make_instrument(unsigned char *file, int samples, size_t each)
{
    enum { COUNT = 296, FIRST = 298, HEAD_SIZE = 40, FLAGS = 14, WIDE = 16 };
    static const struct container one = {"XI", SF_FORMAT_XI | SF_FORMAT_DPCM_16, false, 0, 0};
    REQUIRE(write_container(&one, 100));
    read_bytes(file, FIRST);
    file[COUNT] = (unsigned char)samples;
    for (int i = 0; i < samples; i++) {
        put(file + FIRST + i * HEAD_SIZE, (uint32_t)each, 4, false);
        file[FIRST + i * HEAD_SIZE + FLAGS] = WIDE;
    }
    return (size_t)(FIRST + samples * HEAD_SIZE) + (size_t)samples * each;
}

TEST(an_instrument_that_was_cut_off_says_so)
{
    static unsigned char file[1000 + 2 * FRAMES];
    for (int samples = 1; samples <= 2; samples++) {
        size_t size = make_instrument(file, samples, 2 * FRAMES / (size_t)samples);
        write_bytes(file, size);
        expect("an instrument", NULL, FRAMES, false);
        write_bytes(file, size - 2);
        expect("a cut instrument", NULL, FRAMES - 1, true);
    }
    size_t head = make_instrument(file, 1, 0);
    write_bytes(file, head + 2 * FRAMES);
    expect("an instrument of libsndfile's", NULL, FRAMES, false);
}

// ---- sizes that nobody knew ----

static unsigned char bytes[HEAD + 2 * FRAMES + 100];
static float values[FRAMES];

// A mono WAV of 16 bits with this in its size field.
static void make_wav(uint32_t data_size)
{
    memcpy(bytes, "RIFF\xff\xff\xff\xffWAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data", 40);
    put(bytes + 40, data_size, 4, false);
    for (int i = 0; i < FRAMES; i++) {
        int value = (i * 7919 + 13) % 40000 - 20000;
        put(bytes + HEAD + 2 * i, (uint32_t)value, 2, false);
        values[i] = (float)value / 32768;
    }
}

static const uint32_t unknown_sizes[] = {0,          0x7fff0000, 0x7ffff000, 0x7fffffff,
                                         0x80000000, 0xfffffffe, 0xffffffff};

TEST(sizes_of_nothing_and_of_2_gib_mean_until_the_end)
{
    for (size_t i = 0; i < sizeof(unknown_sizes) / sizeof(unknown_sizes[0]); i++) {
        char what[40];
        snprintf(what, sizeof(what), "size %#x", unknown_sizes[i]);
        make_wav(unknown_sizes[i]);
        write_bytes(bytes, HEAD + 2 * FRAMES);
        expect(what, values, FRAMES, false);
    }
    make_wav(0);
    for (size_t frames = 1; frames < 50; frames += 7) { // fewer than what is held back
        write_bytes(bytes, HEAD + 2 * frames);
        expect("short", values, frames, false);
    }
}

TEST(chunks_that_a_writer_put_behind_are_no_samples)
{
    static const char list[] = "LIST\4\0\0\0INFO", tagged[] = "LIST\x12\0\0\0INFOISFT\6\0\0\0maker\0";
    for (size_t i = 0; i < sizeof(unknown_sizes) / sizeof(unknown_sizes[0]); i++) {
        make_wav(unknown_sizes[i]);
        memcpy(bytes + HEAD + 2 * FRAMES, list, sizeof(list) - 1);
        write_bytes(bytes, HEAD + 2 * FRAMES + sizeof(list) - 1);
        expect("an empty list", values, FRAMES, false);
        memcpy(bytes + HEAD + 2 * FRAMES, tagged, sizeof(tagged) - 1);
        write_bytes(bytes, HEAD + 2 * FRAMES + sizeof(tagged) - 1);
        expect("a list", values, FRAMES, false);
        memcpy(bytes + HEAD + 2 * FRAMES, bytes, HEAD);
        write_bytes(bytes, HEAD + 2 * FRAMES + HEAD);
        expect("a second header", values, FRAMES, false);
    }
    make_wav(0);
    memcpy(bytes + HEAD, list, sizeof(list) - 1);
    write_bytes(bytes, HEAD + sizeof(list) - 1);
    refuse("a list alone", "no samples");
    write_bytes(bytes, HEAD);
    refuse("nothing", "no samples");
}

TEST(other_containers_of_unknown_size)
{
    static const struct {
        const char *name, *chunk;
        int format, behind, size; // the size field: bytes behind the chunk's name, its length
    } rows[] = {
        {"AU", ".snd", SF_FORMAT_AU, 8, 4},       {"RIFX", "data", SF_FORMAT_WAV | SF_ENDIAN_BIG, 4, 4},
        {"AIFF", "SSND", SF_FORMAT_AIFF, 4, 4},   {"CAF", "data", SF_FORMAT_CAF, 4, 8},
        {"Wave64", "data", SF_FORMAT_W64, 16, 8}, {"RF64", "ds64", SF_FORMAT_RF64, 16, 8},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        for (int fill = 0; fill < 256; fill += 255) {
            struct container c = {.format = rows[i].format | SF_FORMAT_PCM_16};
            static unsigned char all[1 << 18];
            struct ebb_sound whole;
            REQUIRE(write_container(&c, FRAMES));
            REQUIRE(ebb_sound_read(scratch(), &whole, NULL) == EBB_OK);
            size_t size = read_bytes(all, sizeof(all));
            unsigned char *at = memmem(all, size, rows[i].chunk, 4);
            REQUIRE(at);
            memset(at + rows[i].behind, fill, (size_t)rows[i].size);
            write_bytes(all, size);
            expect(rows[i].name, whole.samples, FRAMES, false);
            ebb_sound_clear(&whole);
        }
}

// ---- what is hostile ----

// Recorders write RF64 and BW64 with broadcast and iXML chunks in front, of any size.
TEST(rf64_and_bw64_with_odd_chunks)
{
    enum { ODD = 55, BEFORE = 12 + 36 + 8 + ODD + 1 };
    static const char *const names[] = {"RF64", "BW64"};
    for (int i = 0; i < 2; i++) {
        static unsigned char long_form[BEFORE + HEAD + 2 * FRAMES];
        make_wav(0xffffffff);
        memcpy(long_form, names[i], 4);
        memcpy(long_form + 4, "\xff\xff\xff\xffWAVEds64\x1c\0\0\0", 16);
        memset(long_form + 20, 0, BEFORE - 20);
        put(long_form + 20, BEFORE + HEAD - 12 + 2 * FRAMES - 8, 4, false);
        put(long_form + 28, 2 * FRAMES, 4, false);
        put(long_form + 36, FRAMES, 4, false);
        memcpy(long_form + 48, "iXML", 4);
        put(long_form + 52, ODD, 4, false);
        memset(long_form + 56, 'x', ODD);
        memcpy(long_form + BEFORE, bytes + 12, HEAD - 12 + 2 * FRAMES);
        write_bytes(long_form, BEFORE + HEAD - 12 + 2 * FRAMES);
        expect(names[i], values, FRAMES, false);
    }
}

// ffmpeg writes floats and laws so, and every file of more than two channels. libsndfile alone takes their
// bits for integers.
TEST(an_extensible_w64_has_its_own_coding_and_places)
{
    static const struct container rows[] = {
        {"float", SF_FORMAT_W64 | SF_FORMAT_FLOAT, false, 3, 4},
        {"double", SF_FORMAT_W64 | SF_FORMAT_DOUBLE, false, 3, 8},
        {"A-law", SF_FORMAT_W64 | SF_FORMAT_ALAW, false, 6, 1},
        {"mu-law", SF_FORMAT_W64 | SF_FORMAT_ULAW, false, 7, 1},
        {"integers", SF_FORMAT_W64 | SF_FORMAT_PCM_24, false, 1, 3},
    };
    enum { FORM = 40, LONG = 24 + 40, SIDES = 0x600 };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        static unsigned char plain[1 << 18], longer[1 << 18];
        struct ebb_sound whole;
        REQUIRE(write_container(&rows[i], FRAMES));
        REQUIRE(ebb_sound_read(scratch(), &whole, NULL) == EBB_OK);
        size_t size = read_bytes(plain, sizeof(plain)), shorter = plain[FORM + 16],
               padded = (shorter + 7) & ~7u;
        REQUIRE(memcmp(plain + FORM, "fmt ", 4) == 0 && plain[FORM + 24] == rows[i].head);
        memcpy(longer, plain, FORM + 24 + 16);
        memset(longer + FORM + 24 + 16, 0, LONG - 24 - 16);
        longer[FORM + 16] = LONG;
        put(longer + FORM + 24, 0xfffe, 2, false);
        longer[FORM + 24 + 16] = 22; // bytes behind this
        longer[FORM + 24 + 18] = (unsigned char)(8 * rows[i].bytes);
        put(longer + FORM + 24 + 20, SIDES, 4, false);
        memcpy(longer + FORM + 24 + 24, "\0\0\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71", 16);
        longer[FORM + 24 + 24] = (unsigned char)rows[i].head;
        memcpy(longer + FORM + LONG, plain + FORM + padded, size - FORM - padded);
        write_bytes(longer, size + LONG - padded);
        expect(rows[i].name, whole.samples, FRAMES, false);
        struct ebb_sound_reader *reader = ebb_sound_reader_open(scratch(), NULL);
        REQUIRE(ebb_sound_reader_metadata(reader)->mask == SIDES);
        ebb_sound_reader_close(&reader);
        ebb_sound_clear(&whole);
    }
}

// What a program writes into a pipe: no size, and chunks of any size in front.
TEST(wavs_of_unknown_size_with_odd_chunks)
{
    enum { ODD = 55, BEFORE = 8 + ODD + 1 };
    static unsigned char longer[BEFORE + HEAD + 2 * FRAMES];
    for (size_t i = 0; i < sizeof(unknown_sizes) / sizeof(unknown_sizes[0]); i++) {
        make_wav(unknown_sizes[i]);
        memcpy(longer, bytes, 12);
        memcpy(longer + 12, "iXML", 4);
        put(longer + 16, ODD, 4, false);
        memset(longer + 20, 'x', ODD);
        longer[20 + ODD] = 0;
        memcpy(longer + 12 + BEFORE, bytes + 12, HEAD - 12 + 2 * FRAMES);
        write_bytes(longer, BEFORE + HEAD + 2 * FRAMES);
        expect("odd", values, FRAMES, false);
    }
}

TEST(chunks_without_end_are_refused_at_once)
{
    static const char *const heads[] = {"RIFF\xff\xff\xff\xffWAVE", "RF64\xff\xff\xff\xffWAVE",
                                        "RIFX\xff\xff\xff\xffWAVE",
                                        ("FORM\x7f\xff\xff\xff"
                                         "AIFF")}; // A is a hexadecimal digit too
    alarm(60);
    for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
        struct ebb_error error = {0};
        struct ebb_sound sound;
        write_bytes(heads[i], 12);
        REQUIRE(truncate(scratch(), (off_t)8 << 30) == 0);
        REQUIRE(ebb_sound_read(scratch(), &sound, &error) == EBB_CORRUPT);
        REQUIRE(strstr(error.message, "4096 chunks and no samples"));
    }
    alarm(0);
}

// Sizes that wrap around 32 bits, on which libsndfile goes round for ever: in a LIST in front of the samples
// and behind them, in one that is longer than the file, and under a name that has no size elsewhere.
TEST(a_list_with_a_size_that_wraps_is_passed_over)
{
    enum { LIST = 20, BEFORE = 36 };
    static unsigned char with[LIST + HEAD + 2 * FRAMES], list[] = "LIST\x0c\0\0\0INFOabcd\xf8\xff\xff\xff";
    make_wav(2 * FRAMES);
    alarm(10);
    for (int i = 0; i < 2; i++, memcpy(list, "INFO", 4)) {
        memcpy(with, bytes, BEFORE);
        memcpy(with + BEFORE, list, LIST);
        memcpy(with + BEFORE + LIST, bytes + BEFORE, sizeof(with) - BEFORE - LIST);
        write_bytes(with, sizeof(with));
        expect("in front", values, FRAMES, false);
    }
    memcpy(list, "LIST", 4);
    memcpy(with, bytes, HEAD + 2 * FRAMES);
    for (int size = 0x0c; size <= 0xff; size += 0xff - 0x0c) {
        list[4] = (unsigned char)size;
        memcpy(with + HEAD + 2 * FRAMES, list, LIST);
        write_bytes(with, sizeof(with));
        expect("behind", values, FRAMES, false);
    }
    alarm(0);
}

// The file ends behind a LIST whose size spells the name of a list.
TEST(the_size_of_a_list_is_no_name)
{
    static const char *const lists[] = {"LISTINFO*", "LISTLIST*", "INFOINFO*", "INFOLIST*"};
    enum { LONGEST = 9 };
    static unsigned char with[HEAD + 2 * FRAMES + LONGEST];
    make_wav(2 * FRAMES);
    memcpy(with, bytes, HEAD + 2 * FRAMES);
    alarm(10);
    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
        memcpy(with + HEAD + 2 * FRAMES, lists[i], LONGEST);
        write_bytes(with, sizeof(with));
        expect(lists[i], values, FRAMES, false);
    }
    alarm(0);
}

TEST(a_pipe_is_kept_up_to_a_bound)
{
    static const char text[5000];
    write_bytes(text, sizeof(text));
    for (uint64_t limit = 5002; limit >= 5001; limit--) {
        struct ebb_error error = {0};
        struct stat info;
        int in = open(scratch(), O_RDONLY), kept = ebb_sound_input_spool(in, "ab", 2, limit, "it", &error);
        close(in);
        if (limit == 5002)
            REQUIRE(kept >= 0 && fstat(kept, &info) == 0 && info.st_size == 5002 && info.st_nlink == 0);
        else
            REQUIRE(kept < 0 && error.code == EBB_UNSUPPORTED &&
                    strstr(error.message, "give the file itself"));
        if (kept >= 0)
            close(kept);
    }
}

TEST(memory_that_the_file_does_not_explain_is_asked_for)
{
    struct container flac = {.format = SF_FORMAT_FLAC | SF_FORMAT_PCM_16};
    SF_INFO sf = {.samplerate = 8000, .channels = 8, .format = flac.format};
    SNDFILE *file = sf_open(scratch(), SFM_WRITE, &sf);
    if (!file)
        SKIP("this libsndfile writes no FLAC");
    static float silence[8 * 100000];
    REQUIRE(sf_writef_float(file, silence, 100000) == 100000 && sf_close(file) == 0);
    for (enum way way = BY_NAME; way < WAYS; way++) {
        struct ebb_error error = {0};
        struct ebb_sound sound;
        setenv("EBB_MEMORY", "3M", 1);
        REQUIRE(read_by(way, &sound, &error) == EBB_UNSUPPORTED && strstr(error.message, "EBB_MEMORY=4M"));
        setenv("EBB_MEMORY", "4M", 1);
        REQUIRE(read_by(way, &sound, &error) == EBB_OK && sound.frames == 100000);
        ebb_sound_clear(&sound);
    }
    unsetenv("EBB_MEMORY");
    make_wav(2 * FRAMES);
    write_bytes(bytes, HEAD + 2 * FRAMES);
    setenv("EBB_MEMORY", "1K", 1); // a file of samples explains them
    for (enum way way = BY_NAME; way < WAYS; way++) {
        struct ebb_error error = {0};
        struct ebb_sound sound;
        REQUIRE(read_by(way, &sound, &error) == (way == PIPED ? EBB_UNSUPPORTED : EBB_OK));
        ebb_sound_clear(&sound);
    }
    unsetenv("EBB_MEMORY");
}

// Programs that tag MP3s put their tags around other files too.
TEST(tags_around_a_file_change_no_sample)
{
    static const struct container kinds[] = {
        {"WAV", SF_FORMAT_WAV | SF_FORMAT_PCM_16, false, 0, 0},
        {"AIFF", SF_FORMAT_AIFF | SF_FORMAT_PCM_16, false, 0, 0},
        {"FLAC", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, false, 0, 0},
        {"Ogg Vorbis", SF_FORMAT_OGG | SF_FORMAT_VORBIS, false, 0, 0},
    };
    static unsigned char file[1 << 18] = "ID3\4\0\0\0\0\0\24";
    enum { TAG = 10 + 20, LAST_TAG = 128 };
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct ebb_sound whole;
        if (!write_container(&kinds[i], FRAMES))
            continue;
        REQUIRE(ebb_sound_read(scratch(), &whole, NULL) == EBB_OK);
        size_t size = read_bytes(file + TAG, sizeof(file) - TAG - LAST_TAG);
        write_bytes(file, TAG + size);
        expect("behind a tag", whole.samples, whole.frames, false);
        memset(file + TAG + size, 0, LAST_TAG);
        memcpy(file + TAG + size, "TAG", 3);
        write_bytes(file + TAG, size + LAST_TAG);
        expect("before a tag", whole.samples, whole.frames, false);
        ebb_sound_clear(&whole);
    }
}

TEST(a_second_flac_is_told)
{
    static const struct container flac = {"FLAC", SF_FORMAT_FLAC | SF_FORMAT_PCM_16, false, 0, 0};
    static unsigned char file[1 << 19];
    struct ebb_sound sound;
    if (!write_container(&flac, FRAMES))
        SKIP("this libsndfile writes no FLAC");
    size_t size = read_bytes(file, sizeof(file) / 2);
    memcpy(file + size, file, size);
    write_bytes(file, 2 * size);
    REQUIRE(ebb_sound_read(scratch(), &sound, NULL) == EBB_OK && sound.frames == FRAMES);
    REQUIRE(sound.warning && strstr(sound.warning, "more than its 30000 frames"));
    ebb_sound_clear(&sound);
}

// The file now holds more sounds than one: the first is read, which is `whole`, with this warning.
static void expect_first(const char *name, const struct ebb_sound *whole, const char *warning)
{
    struct ebb_sound sound;
    struct ebb_error error = {0};
    if (ebb_sound_read(scratch(), &sound, &error) != EBB_OK)
        TEST_FAIL("%s, %s: %s", name, warning, error.message);
    if (sound.frames != whole->frames ||
        memcmp(sound.samples, whole->samples, whole->frames * sizeof(float)) != 0)
        TEST_FAIL("%s, %s: %zu frames, expected %zu", name, warning, sound.frames, whole->frames);
    if (!sound.warning || !strstr(sound.warning, warning))
        TEST_FAIL("%s, %s: the warning is %s", name, warning, sound.warning ? sound.warning : "none");
    ebb_sound_clear(&sound);
}

TEST(what_stands_behind_a_file_is_none_of_it)
{
    static unsigned char file[1 << 19];
    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
        const struct container *c = &containers[i];
        int major = c->format & SF_FORMAT_TYPEMASK;
        bool ends = major == SF_FORMAT_WAV || major == SF_FORMAT_WAVEX || major == SF_FORMAT_RF64 ||
                    major == SF_FORMAT_AIFF || major == SF_FORMAT_SVX || major == SF_FORMAT_W64;
        if (!ends || !write_container(c, FRAMES))
            continue;
        struct ebb_sound whole;
        REQUIRE(ebb_sound_read(scratch(), &whole, NULL) == EBB_OK && !whole.warning);
        size_t size = read_bytes(file, sizeof(file) / 2);
        memcpy(file + size, file, size);
        write_bytes(file, 2 * size);
        expect_first(c->name, &whole, "several files");
        ebb_sound_clear(&whole);
    }
}

// Some editors and repair tools leave two chunks of samples in a file. Other readers read the first.
TEST(a_second_chunk_of_samples_is_told)
{
    enum { MORE = 1000, BEFORE = 8, SIZE_AT = 4 };
    static unsigned char file[1 << 19];
    for (size_t i = 0; i < sizeof(containers) / sizeof(containers[0]); i++) {
        const struct container *c = &containers[i];
        int major = c->format & SF_FORMAT_TYPEMASK;
        bool big = major == SF_FORMAT_AIFF;
        bool fits = major == SF_FORMAT_WAV || major == SF_FORMAT_WAVEX || major == SF_FORMAT_AIFF;
        if (!fits || !write_container(c, FRAMES))
            continue;
        struct ebb_sound whole;
        REQUIRE(ebb_sound_read(scratch(), &whole, NULL) == EBB_OK && !whole.warning);
        size_t size = read_bytes(file, sizeof(file) / 2);
        size += size & 1;
        memset(file + size, 0x11, BEFORE + MORE);
        memcpy(file + size, big ? "SSND" : "data", 4);
        put(file + size + 4, MORE, 4, big);
        size += BEFORE + MORE;
        put(file + SIZE_AT, (uint32_t)(size - BEFORE), 4, big);
        write_bytes(file, size);
        expect_first(c->name, &whole, "several chunks of samples");
        ebb_sound_clear(&whole);
    }
}

// Sony's chunks behind the samples of a Wave64.
// Numbers in a header that libsndfile calls an internal error.
TEST(an_empty_first_chunk_of_samples_and_a_rate_of_0_are_told)
{
    enum { RATE_AT = 24, SIZE_AT = 40, NAME = 8 };
    struct ebb_error error = {0};
    struct ebb_sound sound;
    make_wav(2 * FRAMES);
    put(bytes + RATE_AT, 0, 4, false);
    write_bytes(bytes, HEAD + 2 * FRAMES);
    refuse("a rate of 0", "a rate or a length that no sound has");
    make_wav(2 * FRAMES - NAME);
    memcpy(bytes + HEAD, bytes + HEAD - NAME, NAME);
    put(bytes + SIZE_AT, 0, 4, false);
    write_bytes(bytes, HEAD + 2 * FRAMES);
    REQUIRE(ebb_sound_read(scratch(), &sound, &error) == EBB_CORRUPT && strstr(error.message, "first of"));
}

TEST(chunks_behind_the_samples_of_a_w64_are_no_samples)
{
    enum { TAIL = 1024, SIZE_AT = 16, NAME = 16 };
    static const struct container w64 = {"Wave64", SF_FORMAT_W64 | SF_FORMAT_PCM_16, false, 0, 2};
    static unsigned char file[1 << 19];
    struct ebb_sound sound;
    if (!write_container(&w64, FRAMES))
        SKIP("this libsndfile writes no Wave64");
    size_t size = read_bytes(file, sizeof(file) / 2);
    memset(file + size, 0x11, TAIL);
    memcpy(file + size, "levl\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", NAME);
    put(file + size + NAME, TAIL, 4, false);
    put(file + size + NAME + 4, 0, 4, false);
    put(file + SIZE_AT, (uint32_t)size + TAIL, 4, false);
    write_bytes(file, size + TAIL);
    REQUIRE(ebb_sound_read(scratch(), &sound, NULL) == EBB_OK && sound.frames == FRAMES && !sound.warning);
    ebb_sound_clear(&sound);
}

TEST(a_chain_of_oggs_says_so)
{
    static const struct container ogg = {"Ogg", SF_FORMAT_OGG | SF_FORMAT_VORBIS, false, 0, 0};
    static unsigned char file[1 << 19];
    if (!write_container(&ogg, FRAMES))
        SKIP("this libsndfile writes no Ogg");
    size_t size = read_bytes(file, sizeof(file) / 2);
    memcpy(file + size, file, size);
    write_bytes(file, 2 * size);
    for (enum way way = BY_NAME; way < WAYS; way++) {
        struct ebb_sound sound;
        REQUIRE(read_by(way, &sound, NULL) == EBB_OK && sound.frames >= FRAMES);
        REQUIRE(sound.warning && strstr(sound.warning, "several Ogg streams"));
        ebb_sound_clear(&sound);
    }
}

TEST(a_file_that_grows_says_so)
{
    static float samples[2 * FRAMES];
    size_t got;
    make_wav(0);
    write_bytes(bytes, HEAD + FRAMES);
    for (int grows = 0; grows < 2; grows++) {
        struct ebb_sound_reader *reader = ebb_sound_reader_open(scratch(), NULL);
        REQUIRE(reader && !ebb_sound_reader_warning(reader));
        if (grows)
            write_bytes(bytes, HEAD + 2 * FRAMES);
        REQUIRE(ebb_sound_reader_read(reader, samples, 2 * FRAMES, &got, NULL) == EBB_OK &&
                got == FRAMES / 2);
        const char *warning = ebb_sound_reader_warning(reader);
        REQUIRE(grows ? warning && strstr(warning, "has grown") : !warning);
        ebb_sound_reader_close(&reader);
    }
}

// ---- an MP3 that does not tell its length ----

// Silence first, so that the first frames are short: what a reader guesses from them is wrong.
static bool write_mp3(void)
{
    static float samples[FRAMES];
    int mode = SF_BITRATE_MODE_VARIABLE;
    memset(samples, 0, sizeof(samples));
    fill_noise(samples + FRAMES / 2, FRAMES / 2, 3, 0.5f);
    SF_INFO sf = {.samplerate = 48000, .channels = 1, .format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III};
    SNDFILE *file = sf_open(scratch(), SFM_WRITE, &sf);
    if (!file)
        return false;
    sf_command(file, SFC_SET_BITRATE_MODE, &mode, sizeof(mode)); // 1.2.0 does it, and says that it failed
    return sf_writef_float(file, samples, FRAMES) == FRAMES && sf_close(file) == 0;
}

static void expect_about(const char *what, size_t frames)
{
    enum { PADDING = 4 * 1152 }; // of a decoder that does not know where the sound begins and ends
    for (enum way way = BY_NAME; way < WAYS; way++) {
        struct ebb_sound sound;
        REQUIRE(read_by(way, &sound, NULL) == EBB_OK);
        if (sound.frames < frames || sound.frames > frames + PADDING || sound.warning)
            TEST_FAIL("%s, %s: %zu frames, expected %zu; warning \"%s\"", what, way_names[way], sound.frames,
                      frames, sound.warning ? sound.warning : "");
        ebb_sound_clear(&sound);
    }
}

// The length is known before all of it is decoded. Each file has a frame without sound, and padding.
static void expect_told(size_t files)
{
    enum { ROOM = 5 * 1152 };
    size_t frames = files * FRAMES;
    struct ebb_sound_reader *reader = ebb_sound_reader_open(scratch(), NULL);
    size_t told = reader ? ebb_sound_reader_info(reader)->frames : 0;
    if (told < frames || told > frames + files * ROOM)
        TEST_FAIL("%zu frames are told, expected %zu", told, frames);
    ebb_sound_reader_close(&reader);
}

TEST(an_mp3_is_read_to_its_end)
{
    static unsigned char file[1 << 18], tagged[(1 << 18) + 100] = "ID3\4\0\0\0\0\0\24";
    enum { TAG = 10 + 20 };
    if (!write_mp3())
        SKIP("this libsndfile writes no MP3");
    expect("with its count", NULL, FRAMES, false);
    size_t size = read_bytes(file, sizeof(file) / 2);
    memcpy(file + size, file, size);
    write_bytes(file, 2 * size);
    expect_about("two of them in one file", 2 * FRAMES);
    expect_told(2);
    unsigned char *count = memmem(file, 200, "Xing", 4);
    REQUIRE(count);
    memset(count, 0, 4);
    write_bytes(file, size);
    expect_about("without a count", FRAMES);
    memcpy(tagged + TAG, file, size);
    memset(tagged + TAG + size, 0, 128);
    memcpy(tagged + TAG + size, "TAG", 3);
    write_bytes(tagged, TAG + size + 128);
    expect_about("between two tags", FRAMES);
    expect_told(1);
    enum { WAV_HEAD = 20 + 30 + 8 }; // a format of 30 bytes
    unsigned char wav[WAV_HEAD] =
        "RIFF\0\0\0\0WAVEfmt \x1e\0\0\0\x55\0\1\0\x80\xbb\0\0\0\x10\0\0\1\0\0\0\x0c\0"
        "\1\0\2\0\0\0\x80\4\1\0\x71\5data";
    put(wav + 4, (uint32_t)(WAV_HEAD + size), 4, false);
    put(wav + WAV_HEAD - 4, (uint32_t)size, 4, false);
    memcpy(tagged, wav, WAV_HEAD);
    memcpy(tagged + WAV_HEAD, file, size);
    write_bytes(tagged, WAV_HEAD + size);
    expect_about("in a WAV", FRAMES);
}

// The decoder prints what it thinks of a count of bytes that is not the one it expects.
TEST(nothing_is_printed_of_an_mp3_with_a_picture)
{
    enum { TAG = 10 + 20000 }; // more than a hundredth of the file
    static unsigned char tagged[1 << 18] = "ID3\4\0\0\0\1\x1c\x20";
    if (!write_mp3())
        SKIP("this libsndfile writes no MP3");
    size_t size = read_bytes(tagged + TAG, sizeof(tagged) - TAG);
    write_bytes(tagged, TAG + size);
    char said[] = "/tmp/ebb-said-XXXXXX";
    int was = dup(2), to = mkstemp(said);
    struct stat info;
    REQUIRE(was >= 0 && to >= 0 && dup2(to, 2) == 2);
    struct ebb_sound sound;
    enum ebb_result result = ebb_sound_read(scratch(), &sound, NULL);
    dup2(was, 2);
    REQUIRE(result == EBB_OK && sound.frames == FRAMES && fstat(to, &info) == 0);
    REQUIRE(info.st_size == 0);
    close(was);
    close(to);
    unlink(said);
    ebb_sound_clear(&sound);
}

TEST(a_wav_of_a_foreign_coding_is_refused_by_its_number)
{
    enum { CODING = 20, AAC = 0xff };
    make_wav(2 * FRAMES);
    put(bytes + CODING, AAC, 2, false);
    write_bytes(bytes, HEAD + 2 * FRAMES);
    struct ebb_error error = {0};
    struct ebb_sound sound;
    REQUIRE(ebb_sound_read(scratch(), &sound, &error) == EBB_UNSUPPORTED);
    REQUIRE(strstr(error.message, "0x00ff") && strstr(error.message, "expected PCM"));
}

TEST(what_is_no_sound_is_called_what_it_is)
{
    static const struct {
        const char *text, *words;
    } files[] = {
        {"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 4800044\n", "Git LFS"},
        {"<!DOCTYPE html><html><body>404</body></html>\n", "a web page"},
        {"Hello\n", "not a sound file"},
    };
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        struct ebb_error error = {0};
        struct ebb_sound sound;
        write_bytes((const unsigned char *)files[i].text, strlen(files[i].text));
        REQUIRE(ebb_sound_read(scratch(), &sound, &error) == EBB_WRONG_TYPE);
        if (!strstr(error.message, files[i].words))
            TEST_FAIL("\"%s\" does not say \"%s\"", error.message, files[i].words);
    }
}

TEST(a_voc_in_parts_is_refused)
{
    static const struct container voc = {"VOC", SF_FORMAT_VOC | SF_FORMAT_PCM_16, false, 0, 2};
    static unsigned char file[1 << 18];
    enum { KIND = 26, SIZE = KIND + 1, HEAD_SIZE = 12, FIRST = 2 * 1000, SAMPLES = KIND + 4 + HEAD_SIZE };
    REQUIRE(write_container(&voc, FRAMES));
    size_t size = read_bytes(file, sizeof(file));
    REQUIRE(file[KIND] == 9);
    put(file + SIZE, HEAD_SIZE + FIRST, 3, false); // the rest is another block, which goes on
    memmove(file + SAMPLES + FIRST + 4, file + SAMPLES + FIRST, size - SAMPLES - FIRST);
    file[SAMPLES + FIRST] = 2;
    put(file + SAMPLES + FIRST + 1, 2 * FRAMES - FIRST, 3, false);
    write_bytes(file, size + 4);
    for (enum way way = BY_NAME; way < WAYS; way++) {
        struct ebb_error error = {0};
        struct ebb_sound sound;
        REQUIRE(read_by(way, &sound, &error) == EBB_UNSUPPORTED && strstr(error.message, "several blocks"));
    }
    unlink(scratch());
}

TEST_MAIN
