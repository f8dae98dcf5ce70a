// SPDX-License-Identifier: LGPL-2.1-or-later
// What a file holds besides its samples: kept, moved, and said where it cannot be kept.
#include <ebb/audio.h>

#include "audio/file_metadata.h"
#include "audio/metadata_tags.h"
#include "audio/vorbis_order.h"
#include "audio/wav_chunk.h"
#include "audio/wav_header.h"
#include "base/byte_order.h"
#include "waves.h"
#include "test.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FRAMES = 1001 }; // odd, so that samples of 8 and 24 bits need padding

static char folder[] = "/tmp/ebb-test-XXXXXX";

static const char *in_folder(const char *name)
{
    static char path[4][400];
    static int which;
    static bool made; // the name of one that is made may end in an X, too
    if (!made)
        REQUIRE(mkdtemp(folder));
    made = true;
    which = (which + 1) % 4;
    snprintf(path[which], sizeof(path[which]), "%s/%s", folder, name);
    return path[which];
}

// ---- files by hand ----

struct bytes {
    unsigned char *at;
    size_t count;
};

static void add(struct bytes *b, const void *more, size_t count)
{
    b->at = realloc(b->at, b->count + count);
    if (count > 0)
        memcpy(b->at + b->count, more, count);
    b->count += count;
}

static void add_number(struct bytes *b, uint64_t value, int bytes)
{
    unsigned char number[8];
    ebb_put_little(number, value, bytes);
    add(b, number, (size_t)bytes);
}

static void add_chunk(struct bytes *b, const char *id, const void *body, size_t size)
{
    add(b, id, 4);
    add_number(b, size, 4);
    add(b, body, size);
    add(b, "", size & 1);
}

static void add_format(struct bytes *b, int channels, int bits)
{
    struct bytes f = {0};
    add_number(&f, 1, 2);
    add_number(&f, (uint64_t)channels, 2);
    add_number(&f, 48000, 4);
    add_number(&f, (uint64_t)(48000 * channels * bits / 8), 4);
    add_number(&f, (uint64_t)(channels * bits / 8), 2);
    add_number(&f, (uint64_t)bits, 2);
    add_chunk(b, "fmt ", f.at, f.count);
    free(f.at);
}

static void add_extensible(struct bytes *b, int channels, uint32_t mask)
{
    struct ebb_wav_shape shape = {channels, 48000, EBB_WAV_24, mask, false};
    struct ebb_wav_sizes sizes = {0};
    unsigned char head[WAV_HEAD_MOST];
    ebb_wav_head(&shape, &sizes, head);
    REQUIRE(head[20] == 0xfe && head[21] == 0xff);
    add(b, head + 12, 48);
}

static void write_riff(const char *path, const struct bytes *chunks)
{
    unsigned char head[12 + 1] = "RIFF....WAVE";
    ebb_put_little(head + 4, 4 + chunks->count, 4);
    FILE *file = fopen(path, "wb");
    REQUIRE(file && fwrite(head, 1, 12, file) == 12 &&
            fwrite(chunks->at, 1, chunks->count, file) == chunks->count);
    REQUIRE(fclose(file) == 0);
    free(chunks->at);
}

static void add_info(struct bytes *b, const char *comment)
{
    struct bytes info = {0};
    add(&info, "INFO", 4);
    add_chunk(&info, "INAM", "Door take", 10);
    if (comment)
        add_chunk(&info, "ICMT", comment, strlen(comment) + 1);
    add_chunk(b, "LIST", info.at, info.count);
    free(info.at);
}

static struct bytes read_file(const char *path)
{
    struct bytes b = {0};
    unsigned char block[4096];
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    for (size_t got; (got = fread(block, 1, sizeof(block), file)) > 0;)
        add(&b, block, got);
    fclose(file);
    return b;
}

// The chunk's body and size; `nth` counts from 0. NULL: there is none.
static const unsigned char *find(const struct bytes *file, const char *id, int nth, size_t *size)
{
    *size = 0;
    for (size_t at = 12; at + 8 <= file->count;) {
        *size = ebb_little(file->at + at + 4, 4);
        if (memcmp(file->at + at, id, 4) == 0 && nth-- == 0)
            return file->at + at + 8;
        at += 8 + *size + (*size & 1);
    }
    return NULL;
}

static bool holds(const struct bytes *file, const char *id, int nth, const char *bytes, size_t count)
{
    size_t size;
    const unsigned char *at = find(file, id, nth, &size);
    return at && memmem(at, size, bytes, count);
}

static void require_chunk(const struct bytes *file, const char *id, const void *body, size_t size)
{
    size_t got;
    const unsigned char *at = find(file, id, 0, &got);
    if (!at || got != size || memcmp(at, body, size) != 0)
        TEST_FAIL("%s is not as it was: %zu bytes of %zu", id, at ? got : 0, size);
}

// Reads a file and writes it again, with `before` frames of silence in front. What is lost goes to `lost`.
static void pass_on(const char *from, const char *to, uint64_t before, const char *recipe, char lost[512])
{
    struct ebb_error error = {0};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(from, &error);
    REQUIRE_STRING(error.message, "");
    const struct ebb_sound_info *info = ebb_sound_reader_info(reader);
    size_t most = info->frames + (size_t)before, got;
    float *samples = calloc(most * (size_t)info->channels, sizeof(float));
    REQUIRE(ebb_sound_reader_read(reader, samples + before * (size_t)info->channels, info->frames, &got,
                                  &error) == EBB_OK);
    struct ebb_sound_metadata *metadata = ebb_sound_metadata_copy(ebb_sound_reader_metadata(reader), before);
    REQUIRE(metadata);
    const char *words = ebb_sound_metadata_lost(metadata);
    if (lost)
        snprintf(lost, 512, "%s", words ? words : "");
    struct ebb_sound_writer *w = ebb_sound_writer_create(to, info->channels, info->rate, info->format, recipe,
                                                         &error);
    REQUIRE(w && ebb_sound_writer_begin(w, metadata, most, &error) == EBB_OK);
    REQUIRE(ebb_sound_writer_write(w, samples, most, &error) == EBB_OK &&
            ebb_sound_writer_finish(w, &error) == EBB_OK);
    ebb_sound_writer_destroy(&w);
    ebb_sound_metadata_destroy(&metadata);
    ebb_sound_reader_close(&reader);
    free(samples);
}

// ---- what stays ----

static const unsigned char tone[2 * FRAMES] = {1, 2, 3};
static const char xml[] =
    "<BWFXML><TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>0</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_HI>"
    "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>1728000000</TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO></BWFXML>";

static void make_bext(unsigned char bext[619])
{
    memset(bext, 0, 619);
    strcpy((char *)bext, "Scene 12 take 3");
    ebb_put_little(bext + 338, 1728000000, 8);
    memcpy(bext + 602, "A=PCM,F=48000,W=16", 17); // an odd size
}

static void make_cue(unsigned char cue[28])
{
    memset(cue, 0, 28);
    ebb_put_little(cue, 1, 4);
    ebb_put_little(cue + 4, 1, 4);
    ebb_put_little(cue + 8, 480, 4);
    memcpy(cue + 12, "data", 4);
    ebb_put_little(cue + 24, 480, 4);
}

static void make_smpl(unsigned char smpl[60])
{
    memset(smpl, 0, 60);
    ebb_put_little(smpl + 28, 1, 4);
    ebb_put_little(smpl + 44, 100, 4);
    ebb_put_little(smpl + 48, 900, 4);
}

static void write_full(const char *path)
{
    unsigned char bext[619], cue[28], smpl[60];
    struct bytes b = {0}, labels = {0};
    make_bext(bext);
    make_cue(cue);
    make_smpl(smpl);
    add_chunk(&b, "JUNK", bext, 28);
    add_chunk(&b, "bext", bext, sizeof(bext));
    add_format(&b, 1, 16);
    add_chunk(&b, "iXML", xml, sizeof(xml) - 1);
    add_chunk(&b, "fact", cue, 4);
    add_chunk(&b, "data", tone, sizeof(tone));
    add_chunk(&b, "cue ", cue, sizeof(cue));
    add(&labels, "adtl", 4);
    add_chunk(&labels, "labl", "\1\0\0\0Door", 9);
    add_chunk(&labels, "note", "\1\0\0\0odd", 7);
    add_chunk(&b, "LIST", labels.at, labels.count);
    add_info(&b, "a comment of mine");
    add_chunk(&b, "smpl", smpl, sizeof(smpl));
    add_chunk(&b, "inst", "\74\0\0\0\177\1\177", 7);
    add_chunk(&b, "PEAK", bext, 16);
    add_chunk(&b, "abcd", "odd", 3);
    add_chunk(&b, "id3 ", "ID3\4", 5);
    free(labels.at);
    write_riff(path, &b);
}

TEST(chunks_stay_as_they_are_on_their_side_of_the_samples)
{
    unsigned char bext[619], cue[28], smpl[60];
    size_t size;
    char lost[512];
    make_bext(bext);
    make_cue(cue);
    make_smpl(smpl);
    write_full(in_folder("full.wav"));
    pass_on(in_folder("full.wav"), in_folder("again.wav"), 0, NULL, lost);
    REQUIRE_STRING(lost, "");
    struct bytes out = read_file(in_folder("again.wav"));
    REQUIRE(memcmp(out.at, "RIFF", 4) == 0 && ebb_little(out.at + 4, 4) == out.count - 8 &&
            out.count % 2 == 0);
    require_chunk(&out, "bext", bext, sizeof(bext));
    require_chunk(&out, "iXML", xml, sizeof(xml) - 1);
    require_chunk(&out, "data", tone, sizeof(tone));
    require_chunk(&out, "cue ", cue, sizeof(cue));
    require_chunk(&out, "smpl", smpl, sizeof(smpl));
    require_chunk(&out, "inst", "\74\0\0\0\177\1\177", 7);
    require_chunk(&out, "abcd", "odd", 3);
    require_chunk(&out, "id3 ", "ID3\4", 5);
    REQUIRE(holds(&out, "LIST", 0, "Door", 5));
    REQUIRE(holds(&out, "LIST", 1, "Door take", 10));
    REQUIRE(!find(&out, "PEAK", 0, &size) && !find(&out, "fact", 0, &size) && !find(&out, "JUNK", 0, &size));
    REQUIRE(find(&out, "bext", 0, &size) < find(&out, "data", 0, &size));
    REQUIRE(find(&out, "iXML", 0, &size) < find(&out, "data", 0, &size));
    REQUIRE(find(&out, "cue ", 0, &size) > find(&out, "data", 0, &size));
    free(out.at);
}

TEST(times_move_with_the_samples)
{
    size_t size;
    char lost[512];
    write_full(in_folder("full.wav"));
    pass_on(in_folder("full.wav"), in_folder("later.wav"), 24000, NULL, lost);
    REQUIRE_STRING(lost, "");
    struct bytes out = read_file(in_folder("later.wav"));
    const unsigned char *cue = find(&out, "cue ", 0, &size), *smpl = find(&out, "smpl", 0, &size);
    REQUIRE(ebb_little(cue + 8, 4) == 24480 && ebb_little(cue + 24, 4) == 24480);
    REQUIRE(ebb_little(smpl + 44, 4) == 24100 && ebb_little(smpl + 48, 4) == 24900);
    REQUIRE(ebb_little(find(&out, "bext", 0, &size) + 338, 8) == 1728000000 - 24000);
    const unsigned char *text = find(&out, "iXML", 0, &size);
    REQUIRE(memmem(text, size, "LO>1727976000</", 15) && memmem(text, size, "HI>0</", 6));
    free(out.at);
}

TEST(a_time_of_the_day_before_is_said_to_be_lost)
{
    unsigned char bext[619];
    struct bytes b = {0};
    char lost[512];
    size_t size;
    make_bext(bext);
    ebb_put_little(bext + 338, 100, 8);
    add_chunk(&b, "bext", bext, sizeof(bext));
    add_format(&b, 1, 16);
    add_chunk(&b, "data", tone, sizeof(tone));
    write_riff(in_folder("early.wav"), &b);
    pass_on(in_folder("early.wav"), in_folder("earlier.wav"), 200, NULL, lost);
    REQUIRE(strstr(lost, "time reference"));
    struct bytes out = read_file(in_folder("earlier.wav"));
    REQUIRE(ebb_little(find(&out, "bext", 0, &size) + 338, 8) == 0);
    free(out.at);
}

TEST(the_loudness_of_the_old_sound_is_forgotten)
{
    for (unsigned version = 1; version <= 2; version++) {
        unsigned char bext[619];
        struct bytes b = {0};
        char lost[512];
        make_bext(bext);
        ebb_put_little(bext + 346, version, 2);
        for (int i = 0; i < 5; i++)
            ebb_put_little(bext + 412 + 2 * i, (uint64_t)(100 + i), 2); // in version 1 these bytes mean
                                                                        // nothing
        ebb_put_little(bext + 422, 77, 2);                              // behind them
        add_chunk(&b, "bext", bext, sizeof(bext));
        add_format(&b, 1, 16);
        add_chunk(&b, "data", tone, sizeof(tone));
        write_riff(in_folder("loud.wav"), &b);
        pass_on(in_folder("loud.wav"), in_folder("other.wav"), 0, NULL, lost);
        struct bytes out = read_file(in_folder("other.wav"));
        for (int i = 0; i < 5 && version == 2; i++)
            ebb_put_little(bext + 412 + 2 * i, 0x7fff, 2);
        require_chunk(&out, "bext", bext, sizeof(bext));
        free(out.at);
    }
}

// ---- the recipe and the comment ----

static void require_texts(const char *path, const char *comment, const char *recipe)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    REQUIRE(reader);
    REQUIRE_STRING(ebb_sound_reader_info(reader)->comment, comment);
    REQUIRE_STRING(ebb_sound_reader_info(reader)->recipe, recipe);
    ebb_sound_reader_close(&reader);
}

TEST(a_recipe_goes_beside_a_comment_and_over_a_recipe)
{
    static const char first[] = "{\"ebb\": 2, \"seed\": 1}", second[] = "{\"ebb\": 2, \"seed\": 22}";
    struct bytes b = {0};
    size_t size;
    add_format(&b, 1, 16);
    add_info(&b, "a comment of mine");
    add_chunk(&b, "data", tone, sizeof(tone));
    write_riff(in_folder("mine.wav"), &b);
    pass_on(in_folder("mine.wav"), in_folder("1.wav"), 0, first, NULL);
    require_texts(in_folder("1.wav"), "a comment of mine", first);
    pass_on(in_folder("1.wav"), in_folder("2.wav"), 0, second, NULL);
    require_texts(in_folder("2.wav"), "a comment of mine", second);
    struct bytes out = read_file(in_folder("2.wav"));
    REQUIRE(find(&out, METADATA_RECIPE_ID, 0, &size) && !find(&out, METADATA_RECIPE_ID, 1, &size));
    free(out.at);

    struct bytes bare = {0};
    add_format(&bare, 1, 16);
    add_info(&bare, NULL);
    add_chunk(&bare, "data", tone, sizeof(tone));
    write_riff(in_folder("bare.wav"), &bare);
    pass_on(in_folder("bare.wav"), in_folder("1.wav"), 0, first, NULL);
    require_texts(in_folder("1.wav"), first, first);
    pass_on(in_folder("1.wav"), in_folder("2.wav"), 0, second, NULL);
    require_texts(in_folder("2.wav"), second, second);
    out = read_file(in_folder("2.wav"));
    REQUIRE(!memmem(out.at, out.count, first, strlen(first)) && memmem(out.at, out.count, "Door take", 10));
    free(out.at);
}

// ---- speakers and headers ----

static uint32_t mask_in(const struct bytes *file)
{
    size_t size;
    const unsigned char *format = find(file, "fmt ", 0, &size);
    return size == 40 ? ebb_little(format + 20, 4) : 0xffffffff;
}

TEST(places_of_channels_stay)
{
    static const struct {
        int channels;
        uint32_t mask;
    } layouts[] = {{8, 0x63f}, {8, 0xff},  {6, 0x60f}, {6, 0x3f}, {3, 0x7},  {3, 0xb},
                   {5, 0x37},  {7, 0x13f}, {4, 0x33},  {4, 0},    {6, 0},    {8, 0},
                   {64, 0},    {2, 0},     {1, 0},     {1, 0x1},  {2, 0x600}};
    static unsigned char samples[64 * 3 * 100];
    for (size_t i = 0; i < sizeof(samples); i++)
        samples[i] = (unsigned char)(i * 37 % 251);
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
        size_t bytes = (size_t)layouts[i].channels * 3 * 100;
        struct bytes b = {0};
        add_extensible(&b, layouts[i].channels, layouts[i].mask);
        add_chunk(&b, "data", samples, bytes);
        write_riff(in_folder("places.wav"), &b);
        pass_on(in_folder("places.wav"), in_folder("kept.wav"), 0, NULL, NULL);
        struct bytes out = read_file(in_folder("kept.wav"));
        if (mask_in(&out) != layouts[i].mask)
            TEST_FAIL("mask %#x became %#x", layouts[i].mask, mask_in(&out));
        require_chunk(&out, "data", samples, bytes);
        free(out.at);
    }
}

// The places that FLAC does not take for granted stand in a comment (RFC 9639, 8.6.2).
TEST(places_of_channels_stay_in_a_flac)
{
    static const struct {
        int channels;
        uint32_t mask;
        const char *comment; // NULL: none is needed
    } layouts[] = {
        {6, 0x3f, "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x0000003F"}, // or another reader takes the sides
        {6, 0x60f, "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x0000060F"},
        {3, 0x7, NULL},
        {3, 0xb, "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x0000000B"},
        {4, 0, "WAVEFORMATEXTENSIBLE_CHANNEL_MASK=0x00000000"},
        {1, 0x4, NULL},
        {2, 0x3, NULL},
        {8, 0x63f, NULL},
    };
    static float samples[8 * 3000];
    static const char recipe[] = "{\"ebb\": 2, \"seed\": 1}";
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++)
        samples[i] = (float)(i % 100) / 128;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++) {
        const char *path = in_folder("places.flac");
        struct ebb_sound_metadata *metadata = ebb_sound_metadata_create(layouts[i].channels);
        REQUIRE(metadata);
        metadata->mask = layouts[i].mask;
        struct ebb_sound_writer *w = ebb_sound_writer_create(path, layouts[i].channels, 48000, EBB_FLAC_16,
                                                             recipe, NULL);
        if (i % 2) { // chunks are refused, the places are kept
            REQUIRE(ebb_sound_metadata_set_loop(metadata, 48000, 0, 3000, NULL) == EBB_OK);
            REQUIRE(w && ebb_sound_writer_begin(w, metadata, 3000, NULL) == EBB_UNSUPPORTED);
        }
        REQUIRE(w && ebb_sound_writer_begin(w, i % 2 ? NULL : metadata, 3000, NULL) == EBB_OK);
        struct ebb_error error = {0};
        if (ebb_sound_writer_write(w, samples, 3000, &error) != EBB_OK ||
            ebb_sound_writer_finish(w, &error) != EBB_OK)
            TEST_FAIL("mask %#x: %s", layouts[i].mask, error.message);
        ebb_sound_writer_destroy(&w);
        ebb_sound_metadata_destroy(&metadata);

        struct bytes file = read_file(path);
        const char *name = "WAVEFORMATEXTENSIBLE", *comment = layouts[i].comment ? layouts[i].comment : name;
        REQUIRE(!memmem(file.at, file.count, comment, strlen(comment)) == !layouts[i].comment);
        REQUIRE(!memmem(file.at, file.count, "license", 7) && !memmem(file.at, file.count, "####", 4));
        free(file.at);
        char lost[512];
        pass_on(path, in_folder("kept.wav"), 0, NULL, lost);
        REQUIRE_STRING(lost, "");
        struct bytes out = read_file(in_folder("kept.wav"));
        uint32_t expected = layouts[i].channels < 3 ? 0xffffffff : layouts[i].mask; // these are plain
        if (mask_in(&out) != expected)
            TEST_FAIL("mask %#x became %#x", expected, mask_in(&out));
        free(out.at);
    }
}

// Speakers by letters: left, right, centre, low frequencies, back left and right, side left and right, and
// back centre. In an Ogg they are in the order of Vorbis I, 4.3.9, in a WAV in that of the mask's bits.
static const struct {
    const char *wav, *vorbis;
    uint32_t mask;
} ogg_layouts[] = {
    {"LRC", "LCR", 0x7},        {"LRbB", "LRbB", 0x33},        {"LRCbB", "LCRbB", 0x37},
    {"LRCFbB", "LCRbBF", 0x3f}, {"LRCFcsS", "LCRsScF", 0x70f}, {"LRCFbBsS", "LCRsSbBF", 0x63f},
};
enum { OGG_LAYOUTS = sizeof(ogg_layouts) / sizeof(*ogg_layouts), OGG_FRAMES = 24000 };

// A tone on every speaker, each of a frequency of its own; that of low frequencies is low, 60 Hz at 48 kHz.
static double speaker_step(char speaker)
{
    static const char others[] = "LRCbBsSc";
    return speaker == 'F' ? 0.008 : 0.03 * (double)(strchr(others, speaker) - others + 1);
}

static void fill_speakers(float *samples, const char *speakers)
{
    size_t channels = strlen(speakers);
    for (size_t i = 0; i < OGG_FRAMES * channels; i++)
        samples[i] = (float)(0.3 * sin((double)(i / channels) * speaker_step(speakers[i % channels])));
}

// By the share of the tone in each channel.
static void require_speakers(const float *samples, const char *speakers)
{
    size_t channels = strlen(speakers);
    for (size_t c = 0; c < channels; c++) {
        double real = 0, imaginary = 0;
        for (size_t i = 0; i < OGG_FRAMES; i++) {
            real += (double)samples[i * channels + c] * cos((double)i * speaker_step(speakers[c]));
            imaginary += (double)samples[i * channels + c] * sin((double)i * speaker_step(speakers[c]));
        }
        double amplitude = 2 * hypot(real, imaginary) / OGG_FRAMES;
        if (fabs(amplitude - 0.3) > 0.1) // Vorbis raises what is low by a fifth; another tone gives below
                                         // 0.01
            TEST_FAIL("%s: channel %zu has %g of its tone", speakers, c, amplitude);
    }
}

TEST(speakers_of_an_ogg_are_written_in_the_order_of_vorbis)
{
    static float samples[8 * OGG_FRAMES];
    for (int i = 0; i < OGG_LAYOUTS; i++) {
        int channels = (int)strlen(ogg_layouts[i].wav);
        fill_speakers(samples, ogg_layouts[i].wav);
        struct ebb_sound sound = {.samples = samples,
                                  .frames = OGG_FRAMES,
                                  .channels = channels,
                                  .rate = 48000};
        REQUIRE(ebb_sound_write(in_folder("speakers.ogg"), &sound, EBB_OGG, NULL) == EBB_OK);
        SF_INFO sf = {0};
        SNDFILE *file = sf_open(in_folder("speakers.ogg"), SFM_READ, &sf);
        REQUIRE(file && sf_readf_float(file, samples, OGG_FRAMES) == OGG_FRAMES);
        sf_close(file);
        require_speakers(samples, ogg_layouts[i].vorbis);
    }
}

// False: this libsndfile cannot write it.
static bool write_speakers(int coding, const char *speakers)
{
    static float samples[8 * OGG_FRAMES];
    SF_INFO sf = {.samplerate = 48000, .channels = (int)strlen(speakers), .format = SF_FORMAT_OGG | coding};
    SNDFILE *file = sf_open(in_folder("speakers.ogg"), SFM_WRITE, &sf);
    fill_speakers(samples, speakers);
    if (!file)
        return false;
    REQUIRE(sf_writef_float(file, samples, OGG_FRAMES) == OGG_FRAMES && sf_close(file) == 0);
    return true;
}

static void require_read_speakers(const char *speakers, uint32_t mask)
{
    static float samples[8 * OGG_FRAMES];
    struct ebb_sound sound;
    double *doubles = NULL;
    REQUIRE(ebb_sound_read(in_folder("speakers.ogg"), &sound, NULL) == EBB_OK);
    require_speakers(sound.samples, speakers);
    ebb_sound_clear(&sound);

    struct ebb_sound_reader *reader = ebb_sound_reader_open(in_folder("speakers.ogg"), NULL);
    REQUIRE(reader && ebb_sound_reader_read_all_double(reader, &sound, &doubles, NULL) == EBB_OK);
    REQUIRE(sound.frames == OGG_FRAMES && ebb_sound_reader_metadata(reader)->mask == mask);
    for (size_t k = 0; k < OGG_FRAMES * strlen(speakers); k++)
        samples[k] = (float)doubles[k];
    require_speakers(samples, speakers);
    ebb_sound_reader_close(&reader);
    ebb_sound_clear(&sound);
    free(doubles);
}

TEST(speakers_of_an_ogg_are_read_in_the_order_of_a_wav)
{
    static const int codings[] = {SF_FORMAT_VORBIS, SF_FORMAT_OPUS};
    for (int i = 0; i < OGG_LAYOUTS; i++)
        for (int k = 0; k < 2; k++)
            if (write_speakers(codings[k], ogg_layouts[i].vorbis))
                require_read_speakers(ogg_layouts[i].wav, ogg_layouts[i].mask);
}

// By RFC 7845 the channels of family 1 are those of Vorbis, and those of family 255 have no places.
TEST(channels_of_an_opus_without_places_have_no_order)
{
    enum { FAMILY = 46 };
    char head[FAMILY + 1] = "OggS";
    const SF_INFO six = {.channels = 6, .format = SF_FORMAT_OGG | SF_FORMAT_OPUS};
    for (int family = 0; family < 256; family++) {
        head[FAMILY] = (char)family;
        FILE *file = fopen(in_folder("head"), "wb");
        REQUIRE(file && fwrite(head, sizeof(head), 1, file) == 1 && fclose(file) == 0);
        struct ebb_sound_input *input = ebb_sound_input_open(in_folder("head"), NULL);
        REQUIRE(input && ebb_has_vorbis_order(input, &six) == (family == 1));
        ebb_sound_input_close(&input);
    }
}

TEST(places_that_an_ogg_has_not_are_refused)
{
    static const struct {
        int channels;
        uint32_t mask;
        bool fits;
    } rows[] = {{6, 0x3f, true}, {6, 0x60f, false}, {4, 0, false}, {1, 0, true}, {2, 0x600, true}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        struct ebb_sound_metadata *metadata = ebb_sound_metadata_create(rows[i].channels);
        REQUIRE(metadata);
        metadata->mask = rows[i].mask;
        struct ebb_sound_writer *w = ebb_sound_writer_create(in_folder("places.ogg"), rows[i].channels, 48000,
                                                             EBB_OGG, NULL, NULL);
        REQUIRE(w &&
                ebb_sound_writer_begin(w, metadata, 10, NULL) == (rows[i].fits ? EBB_OK : EBB_UNSUPPORTED));
        ebb_sound_writer_destroy(&w);
        ebb_sound_metadata_destroy(&metadata);
    }
}

// ---- texts in a FLAC and an Ogg ----

// The texts of a recording, a loop (a FLAC and an Ogg have none) and a comment of somebody's.
static struct ebb_sound_metadata *told(const char *comment, bool loop)
{
    struct ebb_sound_metadata *metadata = ebb_sound_metadata_create(1);
    struct ebb_wav_chunk *info = metadata ? ebb_wav_chunks_add(&metadata->chunks, "LIST", "INFO", 4) : NULL;
    REQUIRE(info && ebb_wav_chunk_append_field(info, "INAM", "Caf\xe9 \xfc", 7)); // Latin-1
    REQUIRE(ebb_wav_chunk_append_field(info, "IART", "J\xc3\xb6rg", 6));          // UTF-8
    REQUIRE(!comment || ebb_wav_chunk_append_field(info, "ICMT", comment, (uint32_t)strlen(comment) + 1));
    REQUIRE(!loop || ebb_sound_metadata_set_loop(metadata, 48000, 0, 10, NULL) == EBB_OK);
    return metadata;
}

static void require_text(const char *path, int text, const char *want)
{
    SF_INFO info = {0};
    SNDFILE *file = sf_open(path, SFM_READ, &info);
    REQUIRE(file);
    const char *got = sf_get_string(file, text);
    REQUIRE_STRING(got ? got : "(none)", want ? want : "(none)");
    sf_close(file);
}

static void require_recipe(const char *path, const char *want)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    REQUIRE(reader);
    const char *got = ebb_sound_reader_info(reader)->recipe;
    REQUIRE_STRING(got ? got : "(none)", want ? want : "(none)");
    REQUIRE(!ebb_sound_metadata_lost(ebb_sound_reader_metadata(reader)));
    ebb_sound_reader_close(&reader);
}

// The texts stay, in UTF-8. A recipe of ours is replaced by the new one; somebody's comment stays beside it.
// What is no text has no place, which is said.
TEST(texts_of_a_recording_stay_in_flac_and_ogg)
{
    static const char recipe[] = "{\"ebb\": 2}";
    static const struct {
        const char *old, *comment, *want;
        bool loop, fits;
    } rows[] = {
        {NULL, NULL, NULL, false, true},           {"mine", NULL, "mine", false, true},
        {"mine", recipe, "mine", false, true},     {"{\"ebb\": 1}", recipe, recipe, false, true},
        {"{\"ebb\": 1}", NULL, NULL, false, true}, {NULL, NULL, NULL, true, false},
    };
    static const float samples[4800];
    for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(*rows); i++) {
        size_t k = i / 2;
        const char *path = in_folder(i % 2 ? "told.ogg" : "told.flac");
        struct ebb_sound_metadata *metadata = told(rows[k].old, rows[k].loop);
        struct ebb_sound_writer *w = ebb_sound_writer_create(path, 1, 48000, i % 2 ? EBB_OGG : EBB_FLAC_16,
                                                             rows[k].comment, NULL);
        enum ebb_result fits = w ? ebb_sound_writer_begin(w, metadata, 4800, NULL) : EBB_OUT_OF_MEMORY;
        REQUIRE(fits == (rows[k].fits ? EBB_OK : EBB_UNSUPPORTED));
        REQUIRE(rows[k].fits || ebb_sound_writer_begin(w, NULL, 4800, NULL) == EBB_OK);
        REQUIRE(ebb_sound_writer_write(w, samples, 4800, NULL) == EBB_OK);
        REQUIRE(ebb_sound_writer_finish(w, NULL) == EBB_OK);
        ebb_sound_writer_destroy(&w);
        ebb_sound_metadata_destroy(&metadata);
        require_text(path, SF_STR_TITLE, "Caf\xc3\xa9 \xc3\xbc");
        require_text(path, SF_STR_ARTIST, "J\xc3\xb6rg");
        require_text(path, SF_STR_COMMENT, rows[k].want);
        if (rows[k].comment)
            require_recipe(path, rows[k].comment);
    }
}

// Both are comments that libsndfile does not write, in the room of others. Where all others are in use, the
// recipe takes the comment's place.
TEST(a_recipe_stands_beside_a_comment_and_the_places_in_a_flac)
{
    static const char recipe[] = "{\"ebb\": 2, \"verb\": \"denoise\"}";
    static const float samples[4 * 4800];
    for (int full = 0; full < 2; full++) {
        struct ebb_sound_metadata *metadata = told("mine", false), *read = NULL;
        struct ebb_wav_chunk *info = &metadata->chunks.items[0];
        for (int i = 2; full && i < METADATA_TAGS - 1; i++)
            REQUIRE(ebb_metadata_tags[i].text == SF_STR_SOFTWARE ||
                    ebb_wav_chunk_append_field(info, ebb_metadata_tags[i].id, "1", 2));
        metadata->mask = 0x603; // two in front and two beside
        struct ebb_sound_writer *w = ebb_sound_writer_create(in_folder("both.flac"), 4, 48000, EBB_FLAC_16,
                                                             recipe, NULL);
        REQUIRE(w && ebb_sound_writer_begin(w, metadata, 4800, NULL) == (full ? EBB_UNSUPPORTED : EBB_OK));
        REQUIRE(!full || ebb_sound_writer_begin(w, NULL, 4800, NULL) == EBB_OK);
        REQUIRE(ebb_sound_writer_write(w, samples, 4800, NULL) == EBB_OK);
        REQUIRE(ebb_sound_writer_finish(w, NULL) == EBB_OK);
        ebb_sound_writer_destroy(&w);
        ebb_sound_metadata_destroy(&metadata);
        require_text(in_folder("both.flac"), SF_STR_COMMENT, full ? recipe : "mine");
        require_recipe(in_folder("both.flac"), recipe);
        struct ebb_sound_reader *reader = ebb_sound_reader_open(in_folder("both.flac"), NULL);
        read = ebb_sound_metadata_copy(ebb_sound_reader_metadata(reader), 0);
        REQUIRE(read && read->mask == 0x603);
        ebb_sound_metadata_destroy(&read);
        ebb_sound_reader_close(&reader);
    }
}

// ---- what FLAC and Ogg hold beside ----

static void add_vorbis(struct bytes *b, const char *const *comments, size_t count)
{
    add_number(b, 4, 4);
    add(b, "name", 4);
    add_number(b, count, 4);
    for (size_t i = 0; i < count; i++) {
        add_number(b, strlen(comments[i]), 4);
        add(b, comments[i], strlen(comments[i]));
    }
}

static void add_block(struct bytes *flac, int type, const struct bytes *body)
{
    unsigned char head[4] = {(unsigned char)type, (unsigned char)(body->count >> 16),
                             (unsigned char)(body->count >> 8), (unsigned char)body->count};
    add(flac, head, sizeof(head));
    add(flac, body->at, body->count);
}

// The FLAC at `path` with these blocks in place of its comments.
static void put_blocks(const char *path, const struct bytes *blocks)
{
    struct bytes old = read_file(path), out = {0};
    size_t info = 4 + 4 + 34, at = info;
    bool last = old.at[4] & 0x80;
    while (!last) {
        last = old.at[at] & 0x80;
        at += 4 + (size_t)(old.at[at + 1] << 16 | old.at[at + 2] << 8 | old.at[at + 3]);
    }
    old.at[4] &= 0x7f;
    add(&out, old.at, info);
    add(&out, blocks->at, blocks->count);
    add(&out, "\x81\0\0\0", 4); // empty padding, the last block
    add(&out, old.at + at, old.count - at);
    FILE *file = fopen(path, "wb");
    REQUIRE(file && fwrite(out.at, 1, out.count, file) == out.count && fclose(file) == 0);
    free(old.at);
    free(out.at);
}

TEST(comments_and_chunks_in_a_flac_are_kept_or_named)
{
    static const char *const comments[] = {"TITLE=Door",        "DESCRIPTION=a comment of mine",
                                           "TIME_REFERENCE=12", "Encoder=Lavf",
                                           "nothing",           "IKEY=words"};
    static float samples[3000];
    unsigned char cue[28];
    struct bytes blocks = {0}, vorbis = {0}, foreign = {0}, data = {0}, own = {0};
    struct ebb_sound sound = {.samples = samples, .frames = 3000, .channels = 1, .rate = 48000};
    REQUIRE(ebb_sound_write(in_folder("full.flac"), &sound, EBB_FLAC_16, NULL) == EBB_OK);
    make_cue(cue);
    add_vorbis(&vorbis, comments, sizeof(comments) / sizeof(*comments));
    add(&data, "riffdata\0\0\0\0", 12);
    add(&foreign, "riff", 4);
    add_chunk(&foreign, "cue ", cue, sizeof(cue));
    add(&own, "ABCDsomething", 13);
    add_block(&blocks, 4, &vorbis);
    add_block(&blocks, 2, &data);
    add_block(&blocks, 2, &foreign);
    add_block(&blocks, 2, &own);
    put_blocks(in_folder("full.flac"), &blocks);

    char lost[512];
    pass_on(in_folder("full.flac"), in_folder("kept.wav"), 0, NULL, lost);
    REQUIRE_STRING(lost, "TIME_REFERENCE, IKEY, application data");
    struct bytes out = read_file(in_folder("kept.wav"));
    size_t size;
    require_chunk(&out, "cue ", cue, sizeof(cue));
    REQUIRE(find(&out, "cue ", 0, &size) > find(&out, "data", 0, &size));
    REQUIRE(holds(&out, "LIST", 0, "Door", 5) && holds(&out, "LIST", 0, "a comment of mine", 18));
    free(out.at);
    free(blocks.at), free(vorbis.at), free(foreign.at), free(data.at), free(own.at);
}

// Lengths that a file lies about lead nowhere.
TEST(comments_of_any_length_are_read)
{
    static const uint32_t lengths[] = {0, 1, 3, 4, 5, 0x7fffffff, 0xffffffff, 0xfffffffc};
    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++)
        for (size_t k = 0; k < sizeof(lengths) / sizeof(*lengths); k++) {
            struct bytes b = {0};
            struct ebb_sound_metadata *m = ebb_sound_metadata_create(1);
            add_number(&b, lengths[i], 4);
            add_number(&b, lengths[k], 4);
            add_number(&b, lengths[i], 4);
            for (size_t size = 0; size <= b.count; size++) {
                unsigned char *exact = malloc(size + 1); // for a checker of memory
                memcpy(exact, b.at, size);
                REQUIRE(ebb_metadata_from_vorbis(m, exact, size));
                free(exact);
            }
            free(b.at);
            ebb_sound_metadata_destroy(&m);
        }
}

TEST(one_and_two_channels_are_plain_and_nothing_stands_before_their_format)
{
    static const int tags[] = {
        [EBB_WAV_16] = 1, [EBB_WAV_24] = 1, [EBB_WAV_32F] = 3, [EBB_WAV_32I] = 1, [EBB_WAV_64F] = 3};
    static float samples[3 * 101];
    size_t size;
    for (int format = EBB_WAV_16; format <= EBB_WAV_64F; format++)
        for (int channels = 1; channels <= 3; channels++) {
            struct ebb_sound sound = {.samples = samples, .frames = 101, .channels = channels, .rate = 44100};
            REQUIRE(ebb_sound_write(in_folder("plain.wav"), &sound, (enum ebb_wav_format)format, NULL) ==
                    EBB_OK);
            struct bytes out = read_file(in_folder("plain.wav"));
            REQUIRE(memcmp(out.at + 12, "fmt ", 4) == 0 && !find(&out, "JUNK", 0, &size));
            const unsigned char *f = find(&out, "fmt ", 0, &size);
            REQUIRE(size == (channels > 2 ? 40 : tags[format] == 1 ? 16 : 18));
            REQUIRE(size == 16 || ebb_little(f + 16, 2) == size - 18);
            REQUIRE((int)ebb_little(f, 2) == (channels < 3 ? tags[format] : 0xfffe) &&
                    (int)ebb_little(f + 2, 2) == channels);
            size_t frame = ebb_wav_sample_bytes((enum ebb_wav_format)format) * (size_t)channels;
            REQUIRE(ebb_little(f + 4, 4) == 44100 && ebb_little(f + 8, 4) == 44100 * frame &&
                    ebb_little(f + 12, 2) == frame);
            REQUIRE(find(&out, "data", 0, &size) && size == 101 * frame);
            REQUIRE(ebb_little(out.at + 4, 4) == out.count - 8 && out.count % 2 == 0);
            free(out.at);
        }
}

TEST(what_may_become_long_has_room_for_it)
{
    static float samples[100];
    size_t size;
    struct ebb_sound_writer *w = ebb_sound_writer_create(in_folder("open.wav"), 1, 48000, EBB_WAV_16, NULL,
                                                         NULL);
    REQUIRE(w && ebb_sound_writer_write(w, samples, 100, NULL) == EBB_OK &&
            ebb_sound_writer_finish(w, NULL) == EBB_OK);
    ebb_sound_writer_destroy(&w);
    struct bytes out = read_file(in_folder("open.wav"));
    REQUIRE(memcmp(out.at, "RIFF", 4) == 0 && find(&out, "JUNK", 0, &size) > find(&out, "fmt ", 0, &size));
    free(out.at);

    // EBU Tech 3306: RF64, ds64 first, 32-bit sizes all ones, the true ones in ds64.
    unsigned char before[WAV_HEAD_MOST], after[WAV_HEAD_MOST];
    struct ebb_wav_shape shape = {2, 48000, EBB_WAV_32F, 3, true};
    struct ebb_wav_sizes none = {0}, large = {.data = UINT64_C(5000000000), .chunks = 100};
    size_t bytes = ebb_wav_head(&shape, &none, before);
    REQUIRE(ebb_wav_is_long(&shape, &large) && ebb_wav_head(&shape, &large, after) == bytes);
    REQUIRE(memcmp(after, "RF64\xff\xff\xff\xffWAVEds64", 16) == 0 && ebb_little(after + 16, 4) == 28);
    REQUIRE(ebb_little(after + 20, 8) == bytes - 8 + 100 + 8 + UINT64_C(5000000000) &&
            ebb_little(after + 28, 8) == UINT64_C(5000000000));
    REQUIRE(ebb_little(after + 36, 8) == UINT64_C(5000000000) / 8 && memcmp(after + 48, "fmt ", 4) == 0);
    REQUIRE(ebb_wav_data_size(&shape, &large) == UINT32_MAX);
    large.data = 4294967295 - bytes - 100 - 1; // the last size that a RIFF holds, and the first one that it
                                               // does not
    REQUIRE(!ebb_wav_is_long(&shape, &large));
    large.data++;
    REQUIRE(ebb_wav_is_long(&shape, &large));
}

// ---- files that lie ----

TEST(sizes_that_lie_are_not_believed)
{
    char lost[512];
    size_t size;
    struct bytes b = {0};
    add_format(&b, 1, 16);
    add_chunk(&b, "data", tone, sizeof(tone));
    add_chunk(&b, "LIST", "INFOINAM\xff\xff\xff\x7fx", 13);
    add_chunk(&b, "cue ", "\xff\xff\xff\xff", 5);
    add_chunk(&b, "smpl", "\1\1\1\1", 5);
    add_chunk(&b, "bext", "short", 5);
    add_chunk(&b, "iXML", "<TIMESTAMP_SAMPLES_SINCE_MIDNIGHT_LO>9", 38);
    add_chunk(&b, "LIST", "x", 1);
    add_chunk(&b, METADATA_RECIPE_ID, "", 0);
    add(&b, "note\xff\xff\xff\x7f", 8);
    add(&b, "few", 4);
    write_riff(in_folder("lies.wav"), &b);
    pass_on(in_folder("lies.wav"), in_folder("truth.wav"), 1000, "{\"ebb\": 2}", lost);
    REQUIRE_STRING(lost, "note (cut off)");
    struct bytes out = read_file(in_folder("truth.wav"));
    REQUIRE(find(&out, "data", 0, &size) && size == sizeof(tone) + 2000);
    REQUIRE(ebb_little(out.at + 4, 4) == out.count - 8);
    free(out.at);
}

TEST(what_is_too_large_or_too_many_is_said_to_be_lost)
{
    char lost[512];
    struct bytes b = {0};
    unsigned char *large = calloc(1, METADATA_MOST_BYTES + 1);
    add_format(&b, 1, 16);
    add_chunk(&b, "id3 ", large, METADATA_MOST_BYTES + 1);
    add_chunk(&b, "abcd", "kept", 4);
    add_chunk(&b, "data", tone, sizeof(tone));
    struct bytes many = {0}; // apart: a sanitizer's realloc() would copy the 16 MiB for each
    for (int i = 0; i < 5000; i++)
        add_chunk(&many, "efgh", "", 0);
    add(&b, many.at, many.count);
    free(many.at);
    write_riff(in_folder("large.wav"), &b);
    pass_on(in_folder("large.wav"), in_folder("small.wav"), 0, NULL, lost);
    printf("# %s\n", lost);
    REQUIRE(strstr(lost, "id3 (16777217 bytes; 16 MiB are kept in all)") && strstr(lost, "after the first"));
    struct bytes out = read_file(in_folder("small.wav"));
    require_chunk(&out, "abcd", "kept", 4);
    free(out.at);
    free(large);
}

// ---- other containers ----

static void fill(SNDFILE *file, int channels)
{
    static short samples[8 * FRAMES];
    REQUIRE(sf_writef_short(file, samples, FRAMES) == FRAMES);
    REQUIRE(sf_close(file) == 0 && channels <= 8);
}

TEST(texts_of_a_flac_become_those_of_a_wav)
{
    char lost[512];
    SF_INFO sf = {.samplerate = 48000, .channels = 6, .format = SF_FORMAT_FLAC | SF_FORMAT_PCM_24};
    SNDFILE *file = sf_open(in_folder("a.flac"), SFM_WRITE, &sf);
    if (!file)
        SKIP("libsndfile without FLAC");
    sf_set_string(file, SF_STR_TITLE, "Door take");
    sf_set_string(file, SF_STR_COMMENT, "a comment of mine");
    sf_set_string(file, SF_STR_LICENSE, "CC0");
    fill(file, 6);
    pass_on(in_folder("a.flac"), in_folder("flac.wav"), 0, "{\"ebb\": 2}", lost);
    REQUIRE_STRING(lost, "the licence text");
    require_texts(in_folder("flac.wav"), "a comment of mine", "{\"ebb\": 2}");
    struct bytes out = read_file(in_folder("flac.wav"));
    REQUIRE(holds(&out, "LIST", 0, "INAM\12\0\0\0Door take", 18));
    REQUIRE(mask_in(&out) == 0x3f); // by FLAC's definition
    free(out.at);
}

static void add_big(struct bytes *b, uint32_t value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        add_number(b, value >> (8 * i) & 255, 1);
}

static void add_aiff_chunk(struct bytes *b, const char *id, const struct bytes *body)
{
    add(b, id, 4);
    add_big(b, (uint32_t)body->count, 4);
    add(b, body->at, body->count);
    add(b, "", body->count & 1);
    free(body->at);
}

static void add_mark(struct bytes *b, uint32_t number, uint32_t position, const char *name)
{
    add_big(b, number, 2);
    add_big(b, position, 4);
    add_number(b, strlen(name), 1);
    add(b, name, strlen(name));
    add(b, "", !(strlen(name) & 1));
}

TEST(marks_and_loops_of_an_aiff_become_those_of_a_wav)
{
    char lost[512];
    size_t size;
    struct bytes all = {0}, comm = {0}, mark = {0}, inst = {0}, midi = {0}, ssnd = {0};
    add_big(&comm, 1, 2);
    add_big(&comm, FRAMES, 4);
    add_big(&comm, 16, 2);
    add(&comm, "\x40\x0e\xbb\x80\0\0\0\0\0\0", 10); // 48000 as 80 bits
    add_big(&mark, 3, 2);
    add_mark(&mark, 1, 480, "Door");
    add_mark(&mark, 2, 100, "beg");
    add_mark(&mark, 3, 900, "end loop");
    add(&inst, "\75\0\0\177\1\177\0\0\0\1\0\2\0\3\0\0\0\0\0\0", 20);
    add(&midi, "\x90\x40", 2);
    add_big(&ssnd, 0, 4);
    add_big(&ssnd, 0, 4);
    add(&ssnd, tone, sizeof(tone));
    add_aiff_chunk(&all, "COMM", &comm);
    add_aiff_chunk(&all, "MARK", &mark);
    add_aiff_chunk(&all, "INST", &inst);
    add_aiff_chunk(&all, "MIDI", &midi);
    add_aiff_chunk(&all, "ANNO", &(struct bytes){0}); // libsndfile would divide by its size
    add_aiff_chunk(&all, "SSND", &ssnd);
    FILE *file = fopen(in_folder("a.aiff"), "wb");
    struct bytes head = {0};
    add(&head, "FORM", 4);
    add_big(&head, (uint32_t)all.count + 4, 4);
    add(&head, "AIFF", 4);
    REQUIRE(file && fwrite(head.at, 1, head.count, file) == head.count &&
            fwrite(all.at, 1, all.count, file) == all.count);
    REQUIRE(fclose(file) == 0);
    free(head.at);
    free(all.at);

    pass_on(in_folder("a.aiff"), in_folder("aiff.wav"), 10, NULL, lost);
    REQUIRE_STRING(lost, "MIDI");
    struct bytes out = read_file(in_folder("aiff.wav"));
    const unsigned char *cue = find(&out, "cue ", 0, &size);
    REQUIRE(cue && size == 4 + 3 * 24 && ebb_little(cue, 4) == 3);
    REQUIRE(ebb_little(cue + 4, 4) == 1 && ebb_little(cue + 24, 4) == 490 &&
            ebb_little(cue + 24 + 48, 4) == 910);
    REQUIRE(holds(&out, "LIST", 0, "\1\0\0\0Door", 9));
    const unsigned char *smpl = find(&out, "smpl", 0, &size);
    REQUIRE(smpl && ebb_little(smpl + 12, 4) == 61 && ebb_little(smpl + 28, 4) == 1);
    REQUIRE(ebb_little(smpl + 44, 4) == 110 && ebb_little(smpl + 48, 4) == 909); // a WAV's last sample is
                                                                                 // inside of the loop
    free(out.at);
}

static void write_with(const char *path, const struct ebb_sound_metadata *metadata)
{
    static const float samples[2000] = {0.5f, -0.5f};
    struct ebb_sound_writer *w = ebb_sound_writer_create(path, 1, 48000, EBB_WAV_16, NULL, NULL);
    REQUIRE(w && ebb_sound_writer_begin(w, metadata, 2000, NULL) == EBB_OK);
    REQUIRE(ebb_sound_writer_write(w, samples, 2000, NULL) == EBB_OK &&
            ebb_sound_writer_finish(w, NULL) == EBB_OK);
    ebb_sound_writer_destroy(&w);
}

static bool loop_in(const char *path, uint64_t *first, uint64_t *end)
{
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    REQUIRE(reader);
    bool there = ebb_sound_metadata_loop(ebb_sound_reader_metadata(reader), first, end);
    ebb_sound_reader_close(&reader);
    return there;
}

TEST(a_loop_is_said_and_read)
{
    uint64_t first, end;
    size_t size;
    struct ebb_error error;
    struct ebb_sound_metadata *m = ebb_sound_metadata_create(1);
    REQUIRE(m && !ebb_sound_metadata_loop(m, &first, &end));
    write_with(in_folder("plain.wav"), m);
    REQUIRE(!loop_in(in_folder("plain.wav"), &first, &end));
    REQUIRE(ebb_sound_metadata_set_loop(m, 48000, 5, 6, NULL) == EBB_OK);
    REQUIRE(ebb_sound_metadata_set_loop(m, 48000, 0, 2000, NULL) == EBB_OK); // in place of the other
    REQUIRE(ebb_sound_metadata_loop(m, &first, &end) && first == 0 && end == 2000);
    write_with(in_folder("loop.wav"), m);
    REQUIRE(loop_in(in_folder("loop.wav"), &first, &end) && first == 0 && end == 2000);
    struct bytes out = read_file(in_folder("loop.wav"));
    const unsigned char *smpl = find(&out, "smpl", 0, &size);
    REQUIRE(smpl && size == 60 && ebb_little(smpl + 8, 4) == 20833 && ebb_little(smpl + 28, 4) == 1);
    REQUIRE(ebb_little(smpl + 44, 4) == 0 && ebb_little(smpl + 48, 4) == 1999 &&
            !find(&out, "smpl", 1, &size));
    free(out.at);

    REQUIRE(ebb_sound_metadata_set_loop(m, 48000, 7, 7, &error) == EBB_INVALID &&
            strstr(error.message, "7 to 7"));
    REQUIRE(ebb_sound_metadata_set_loop(m, 0, 0, 7, NULL) == EBB_INVALID);
    REQUIRE(ebb_sound_metadata_set_loop(m, 48000, 0, 1ull << 32, NULL) == EBB_INVALID);
    REQUIRE(ebb_sound_metadata_loop(m, &first, &end) && end == 2000); // what was refused changed nothing
    ebb_sound_metadata_destroy(&m);
}

TEST(a_loop_that_is_cut_off_is_none)
{
    uint64_t first, end;
    unsigned char smpl[60];
    for (int size = 0; size < 60; size += 7) {
        struct bytes b = {0};
        make_smpl(smpl);
        add_format(&b, 1, 16);
        add_chunk(&b, "data", tone, sizeof(tone));
        add_chunk(&b, "smpl", smpl, (size_t)size);
        write_riff(in_folder("cut.wav"), &b);
        REQUIRE(!loop_in(in_folder("cut.wav"), &first, &end));
    }
    write_full(in_folder("whole.wav"));
    REQUIRE(loop_in(in_folder("whole.wav"), &first, &end) && first == 100 && end == 901);
}

TEST(texts_of_a_caf_that_are_not_told_are_named)
{
    static const unsigned char head[] = "caff\0\1\0\0desc\0\0\0\0\0\0\0\x20"
                                        "\x40\xe7\x70\0\0\0\0\0lpcm\0\0\0\0" // 48000 Hz, big-endian
                                        "\0\0\0\2\0\0\0\1\0\0\0\1\0\0\0\x10";
    static const char info[] = "title\0Door\0track\0003";
    struct bytes b = {0};
    char lost[512];
    add(&b, head, sizeof(head) - 1);
    add(&b, "info\0\0\0\0\0\0\0", 11);
    add_number(&b, 4 + sizeof(info), 1);
    add_big(&b, 2, 4);
    add(&b, info, sizeof(info));
    add(&b, "data\0\0\0\0\0\0\0\x0c\0\0\0\0\1\2\3\4\5\6\7\x08", 24);
    FILE *out = fopen(in_folder("texts.caf"), "wb");
    REQUIRE(out && fwrite(b.at, 1, b.count, out) == b.count && fclose(out) == 0);
    free(b.at);
    pass_on(in_folder("texts.caf"), in_folder("kept.wav"), 0, NULL, lost);
    require_text(in_folder("kept.wav"), SF_STR_TITLE, "Door");
    REQUIRE_STRING(lost, "track");
}

// ---- the tag of an MP3 ----

static void add_id3_frame(struct bytes *tag, const char *id, const char *text)
{
    size_t size = 1 + strlen(text); // in UTF-8
    add(tag, id, 4);
    add(tag, (unsigned char[]){0, 0, (unsigned char)(size >> 7), (unsigned char)(size & 0x7f), 0, 0, 3}, 7);
    add(tag, text, size - 1);
}

// The MP3 at `path` behind a tag of these frames. The tag, which the caller frees.
static struct bytes put_tag(const char *path, const struct bytes *frames)
{
    struct bytes file = read_file(path), tag = {0};
    add(&tag, "ID3\4\0\0\0\0", 8);
    add_number(&tag, frames->count >> 7, 1);
    add_number(&tag, frames->count & 0x7f, 1);
    add(&tag, frames->at, frames->count);
    FILE *out = fopen(path, "wb");
    REQUIRE(out && fwrite(tag.at, 1, tag.count, out) == tag.count &&
            fwrite(file.at, 1, file.count, out) == file.count && fclose(out) == 0);
    free(file.at);
    return tag;
}

// Pictures and chapters are in it, of which libsndfile does not tell; texts that it tells need no tag.
TEST(a_wav_keeps_the_tag_of_an_mp3)
{
    static const float samples[48000];
    for (int more = 0; more < 2; more++) {
        SF_INFO sf = {.samplerate = 48000,
                      .channels = 1,
                      .format = SF_FORMAT_MPEG | SF_FORMAT_MPEG_LAYER_III};
        SNDFILE *mp3 = sf_open(in_folder("tagged.mp3"), SFM_WRITE, &sf);
        if (!mp3)
            SKIP("this libsndfile writes no MP3");
        REQUIRE(sf_writef_float(mp3, samples, 48000) == 48000 && sf_close(mp3) == 0);
        struct bytes frames = {0};
        add_id3_frame(&frames, "TIT2", "Door");
        if (more)
            add_id3_frame(&frames, "CHAP", "one\1");
        struct bytes tag = put_tag(in_folder("tagged.mp3"), &frames);
        char lost[512];
        pass_on(in_folder("tagged.mp3"), in_folder("kept.wav"), 0, NULL, lost);
        REQUIRE_STRING(lost, "");
        require_text(in_folder("kept.wav"), SF_STR_TITLE, "Door");
        struct bytes kept = read_file(in_folder("kept.wav"));
        if (more)
            require_chunk(&kept, "id3 ", tag.at, tag.count);
        else
            REQUIRE(!memmem(kept.at, kept.count, "id3 ", 4));
        free(kept.at);
        free(frames.at);
        free(tag.at);
    }
}

TEST(timers_move_and_chapters_are_told)
{
    enum { TIMERS = 684, BEFORE = 50 };
    unsigned char cart[2048] = "0101";
    char lost[512];
    struct bytes b = {0};
    memcpy(cart + TIMERS, "MRK1", 4);
    ebb_put_little(cart + TIMERS + 4, 100, 4);
    ebb_put_little(cart + TIMERS + 12, 100, 4); // not in use
    add_format(&b, 1, 16);
    add_chunk(&b, "cart", cart, sizeof(cart));
    add_chunk(&b, "data", tone, sizeof(tone));
    add_chunk(&b, "id3 ", "ID3\4\0\0\0\0\0\12CHAP\0\0\0\0\0\0", 20);
    write_riff(in_folder("timers.wav"), &b);
    pass_on(in_folder("timers.wav"), in_folder("kept.wav"), BEFORE, NULL, lost);
    ebb_put_little(cart + TIMERS + 4, 100 + BEFORE, 4);
    struct bytes out = read_file(in_folder("kept.wav"));
    require_chunk(&out, "cart", cart, sizeof(cart));
    REQUIRE(strstr(lost, "the times in the ID3 tag"));
    free(out.at);
    pass_on(in_folder("timers.wav"), in_folder("kept.wav"), 0, NULL, lost);
    REQUIRE_STRING(lost, "");
}

TEST(the_folder_is_left_empty)
{
    char command[100];
    snprintf(command, sizeof(command), "rm -r %s", folder);
    REQUIRE(system(command) == 0);
}

TEST_MAIN
