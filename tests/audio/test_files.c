// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ebb/audio.h>

#include "waves.h"
#include "test.h"

#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[64];

static const char *in_folder(const char *name)
{
    static char path[2][400];
    static int which;
    if (!folder[0]) {
        strcpy(folder, "/tmp/ebb-test-XXXXXX");
        REQUIRE(mkdtemp(folder));
    }
    which = !which;
    snprintf(path[which], sizeof(path[which]), "%s/%s", folder, name);
    return path[which];
}

static int files_in_folder(void)
{
    int count = 0;
    DIR *dir = opendir(folder);
    REQUIRE(dir);
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

static void empty_folder(void)
{
    DIR *dir = opendir(folder);
    for (struct dirent *entry; dir && (entry = readdir(dir));)
        if (entry->d_name[0] != '.')
            unlink(in_folder(entry->d_name));
    if (dir)
        closedir(dir);
}

TEST(a_new_sound_is_silent_and_a_shape_it_cannot_have_is_refused)
{
    struct ebb_sound sound;
    REQUIRE(ebb_sound_alloc(&sound, 100, 2, 8000, NULL) == EBB_OK);
    REQUIRE(sound.frames == 100 && sound.channels == 2 && sound.rate == 8000 && !sound.comment);
    for (int i = 0; i < 200; i++)
        REQUIRE(sound.samples[i] == 0);
    ebb_sound_clear(&sound);
    REQUIRE(ebb_sound_alloc(&sound, 0, 1, 8000, NULL) == EBB_OK);
    ebb_sound_clear(&sound);
    REQUIRE(ebb_sound_alloc(&sound, 100, 0, 8000, NULL) == EBB_INVALID && !sound.samples);
    REQUIRE(ebb_sound_alloc(&sound, 100, 1, 0, NULL) == EBB_INVALID && !sound.samples);
    REQUIRE(ebb_sound_alloc(&sound, SIZE_MAX / 2, 3, 8000, NULL) == EBB_OUT_OF_MEMORY && !sound.samples);
}

TEST(what_is_written_is_read)
{
    static const double steps[] = {[EBB_WAV_16] = 2.0 / 32768,
                                   [EBB_WAV_24] = 0.6 / 8388608,
                                   [EBB_WAV_32F] = 0,
                                   [EBB_WAV_32I] = 0x1p-31,
                                   [EBB_WAV_64F] = 0};
    static const int rates[] = {8000, 44100, 48000, 192000};
    static float samples[8 * 1000];
    fill_noise(samples, 8000, 1, 0.99f);
    for (int format = EBB_WAV_16; format <= EBB_WAV_64F; format++)
        for (int channels = 1; channels <= 8; channels++)
            for (int r = 0; r < 4; r++) {
                struct ebb_sound out = {.samples = samples,
                                        .frames = 1000,
                                        .channels = channels,
                                        .rate = rates[r]},
                                 in;
                out.comment = (char *)"{\"seed\": 1, \"name\": \"\xc3\xa4\"}";
                const char *path = in_folder("a.wav");
                struct ebb_error error = {0};
                ebb_sound_write(path, &out, (enum ebb_wav_format)format, &error);
                REQUIRE_STRING(error.message, "");
                REQUIRE(ebb_sound_read(path, &in, NULL) == EBB_OK);
                REQUIRE(in.frames == 1000 && in.channels == channels && in.rate == rates[r]);
                REQUIRE_STRING(in.comment, out.comment);
                REQUIRE_NEAR(max_difference(in.samples, samples, 1000 * (size_t)channels), 0, steps[format],
                             "samples");
                ebb_sound_clear(&in);
            }
    REQUIRE(files_in_folder() == 1);
    empty_folder();
}

static void *write_all_formats(void *data)
{
    struct ebb_error *error = data;
    static float samples[2 * 20000];
    fill_noise(samples, 40000, 1, 0.5f);
    struct ebb_sound sound = {.samples = samples, .frames = 20000, .channels = 2, .rate = 48000};
    for (int format = EBB_WAV_16; format <= EBB_OGG && !*error->message; format++)
        ebb_sound_write(in_folder("a"), &sound, (enum ebb_wav_format)format, error);
    return NULL;
}

// musl gives a thread 128 KiB unless it is asked for more.
TEST(a_thread_of_little_stack_writes_every_format)
{
    pthread_t thread;
    pthread_attr_t little;
    struct ebb_error error = {0};
    REQUIRE(pthread_attr_init(&little) == 0 && pthread_attr_setstacksize(&little, 128 << 10) == 0);
    REQUIRE(pthread_create(&thread, &little, write_all_formats, &error) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
    pthread_attr_destroy(&little);
    REQUIRE_STRING(error.message, "");
    REQUIRE(files_in_folder() == 1);
    empty_folder();
}

static size_t read_bytes(const char *path, char *bytes, size_t size)
{
    FILE *file = fopen(path, "rb");
    REQUIRE(file);
    size_t got = fread(bytes, 1, size, file);
    fclose(file);
    return got;
}

TEST(the_same_sound_is_the_same_file)
{
    static float samples[1000];
    static char first[10000], second[10000];
    fill_noise(samples, 1000, 1, 1);
    struct ebb_sound out = {
        .samples = samples, .frames = 500, .channels = 2, .rate = 48000, .comment = (char *)"recipe"};
    for (int format = EBB_WAV_16; format <= EBB_WAV_64F; format++) {
        REQUIRE(ebb_sound_write(in_folder("1.wav"), &out, (enum ebb_wav_format)format, NULL) == EBB_OK);
        REQUIRE(ebb_sound_write(in_folder("2.wav"), &out, (enum ebb_wav_format)format, NULL) == EBB_OK);
        size_t size = read_bytes(in_folder("1.wav"), first, sizeof(first));
        REQUIRE(size > 2000 && read_bytes(in_folder("2.wav"), second, sizeof(second)) == size);
        REQUIRE(memcmp(first, second, size) == 0);
        REQUIRE(memcmp(first, "RIFF", 4) == 0); // what is short is a plain WAV
    }
    empty_folder();
}

static const enum ebb_wav_format encoded[] = {EBB_FLAC_16, EBB_FLAC_24, EBB_OGG};

TEST(flac_holds_the_integers_of_a_wav)
{
    static const enum ebb_wav_format wav[] = {EBB_WAV_16, EBB_WAV_24};
    static float samples[20000];
    fill_noise(samples, 20000, 7, 1.2f); // some of it is cut
    struct ebb_sound out = {.samples = samples, .frames = 10000, .channels = 2, .rate = 44100}, a, b;
    for (int i = 0; i < 2; i++) {
        REQUIRE(ebb_sound_write(in_folder("a.wav"), &out, wav[i], NULL) == EBB_OK);
        REQUIRE(ebb_sound_write(in_folder("b.flac"), &out, encoded[i], NULL) == EBB_OK);
        REQUIRE(ebb_sound_read(in_folder("a.wav"), &a, NULL) == EBB_OK);
        REQUIRE(ebb_sound_read(in_folder("b.flac"), &b, NULL) == EBB_OK);
        REQUIRE(b.frames == 10000 && b.channels == 2 && b.rate == 44100 && !b.comment);
        REQUIRE(memcmp(a.samples, b.samples, sizeof(samples)) == 0);
        ebb_sound_clear(&a);
        ebb_sound_clear(&b);
    }
    empty_folder();
}

// The recipe of a mixture may have kilobytes.
TEST(flac_and_ogg_keep_their_comment_and_are_the_same_file_again)
{
    enum { LONG = 30000 };
    static float samples[48000];
    static char first[200000], second[200000], comment[LONG];
    for (int i = 0; i < 48000; i++)
        samples[i] = 0.5f * sinf(0.05f * (float)i);
    for (int i = 0; i < LONG - 1; i++)
        comment[i] = (char)('a' + i % 26);
    struct ebb_sound out = {
        .samples = samples, .frames = 48000, .channels = 1, .rate = 48000, .comment = comment};
    for (int i = 0; i < 3; i++) {
        struct ebb_sound in;
        REQUIRE(ebb_sound_write(in_folder("1"), &out, encoded[i], NULL) == EBB_OK);
        REQUIRE(ebb_sound_write(in_folder("2"), &out, encoded[i], NULL) == EBB_OK);
        size_t size = read_bytes(in_folder("1"), first, sizeof(first));
        REQUIRE(size > 2000 && read_bytes(in_folder("2"), second, sizeof(second)) == size);
        REQUIRE(memcmp(first, second, size) == 0);
        REQUIRE(ebb_sound_read(in_folder("1"), &in, NULL) == EBB_OK);
        REQUIRE(in.frames == 48000 && !in.warning);
        REQUIRE_STRING(in.comment, comment);
        double power = 0;
        for (int k = 0; k < 48000; k++)
            power += pow((double)(in.samples[k] - samples[k]), 2) / 48000;
        REQUIRE(10 * log10(power / 0.125) < -30); // Vorbis loses the most
        ebb_sound_clear(&in);
    }
    empty_folder();
}

TEST(flac_and_ogg_refuse_what_they_cannot_hold)
{
    struct ebb_error error = {0};
    struct ebb_sound_writer *w = ebb_sound_writer_create(in_folder("9.flac"), 9, 48000, EBB_FLAC_16, NULL,
                                                         NULL);
    float samples[9] = {0};
    REQUIRE(w && ebb_sound_writer_write(w, samples, 1, &error) == EBB_UNSUPPORTED);
    REQUIRE(strstr(error.message, "9 channels"));
    ebb_sound_writer_destroy(&w);
    REQUIRE(files_in_folder() == 0);
}

// Every write fails beyond a limit on the size of files, as on a full disk.
TEST(an_encoded_file_that_does_not_fit_is_an_error_and_leaves_nothing)
{
    static float samples[480000];
    struct rlimit old, small;
    fill_noise(samples, 480000, 3, 0.9f);
    struct ebb_sound out = {.samples = samples, .frames = 480000, .channels = 1, .rate = 48000};
    signal(SIGXFSZ, SIG_IGN);
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
    small = old;
    small.rlim_cur = 20000;
    for (int i = 0; i < 3; i++) {
        struct ebb_error error = {0};
        const char *path = in_folder("full");
        REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
        enum ebb_result result = ebb_sound_write(path, &out, encoded[i], &error);
        REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
        REQUIRE(result == EBB_UNWRITABLE && strstr(error.message, "File too large"));
        REQUIRE(files_in_folder() == 0);
    }
}

// Standard input as a pipe, which cannot be gone back in, and standard output likewise.
TEST(sounds_go_through_pipes)
{
    static float samples[3000], got[3001];
    fill_noise(samples, 3000, 5, 0.9f);
    int ends[2], old_in = dup(0), old_out = dup(1);
    fflush(stdout);
    REQUIRE(pipe(ends) == 0 && dup2(ends[1], 1) == 1);
    struct ebb_sound_writer *writer = ebb_sound_writer_create("-", 1, 44100, EBB_WAV_32F, NULL, NULL);
    bool written = writer && ebb_sound_writer_write(writer, samples, 3000, NULL) == EBB_OK &&
                   ebb_sound_writer_finish(writer, NULL) == EBB_OK;
    ebb_sound_writer_destroy(&writer);
    dup2(old_out, 1);
    close(ends[1]);
    dup2(ends[0], 0);
    struct ebb_error error = {0};
    struct ebb_sound_reader *reader = ebb_sound_reader_open("-", &error);
    size_t frames = 0;
    bool read = reader && ebb_sound_reader_read(reader, got, 3001, &frames, &error) == EBB_OK;
    ebb_sound_reader_close(&reader);
    dup2(old_in, 0);
    close(ends[0]);
    close(old_in);
    close(old_out);
    REQUIRE(written);
    REQUIRE_STRING(error.message, "");
    REQUIRE(read && frames == 3000 && memcmp(got, samples, sizeof(samples)) == 0);
}

TEST(one_sample_is_a_sound)
{
    float sample = 0.25f;
    struct ebb_sound out = {.samples = &sample, .frames = 1, .channels = 1, .rate = 192000}, in;
    REQUIRE(ebb_sound_write(in_folder("one.wav"), &out, EBB_WAV_16, NULL) == EBB_OK);
    REQUIRE(ebb_sound_read(in_folder("one.wav"), &in, NULL) == EBB_OK);
    REQUIRE(in.frames == 1 && in.samples[0] == 0.25f && !in.comment);
    REQUIRE(ebb_sound_resample(&in, 48000, NULL) == EBB_OK);
    ebb_sound_clear(&in);
    empty_folder();
}

TEST(what_fits_16_bits_is_not_dithered_and_the_rest_is)
{
    enum { count = 40000 };
    static float samples[count];
    for (int i = 0; i < count; i++)
        samples[i] = i < 20000 ? (float)(i - 10000) / 32768 : 0.3f / 32768;
    struct ebb_sound out = {.samples = samples, .frames = count, .channels = 1, .rate = 48000}, in;
    REQUIRE(ebb_sound_write(in_folder("d.wav"), &out, EBB_WAV_16, NULL) == EBB_OK);
    REQUIRE(ebb_sound_read(in_folder("d.wav"), &in, NULL) == EBB_OK);
    REQUIRE(memcmp(in.samples, samples, 20000 * sizeof(float)) == 0);
    double mean = 0, square = 0;
    for (int i = 20000; i < count; i++) {
        mean += in.samples[i] * 32768 / 20000;
        square += pow(in.samples[i] * 32768 - 0.3, 2) / 20000;
    }
    REQUIRE_NEAR(mean, 0.3, 0.02, "level below one step survives");
    REQUIRE_NEAR(square, 0.25, 0.02, "noise power of TPDF and rounding");
    ebb_sound_clear(&in);
    empty_folder();
}

TEST(too_loud_is_clipped)
{
    float samples[] = {2, -3, 1, -1};
    struct ebb_sound out = {.samples = samples, .frames = 4, .channels = 1, .rate = 48000}, in;
    for (int format = EBB_WAV_16; format <= EBB_WAV_24; format++) {
        REQUIRE(ebb_sound_write(in_folder("c.wav"), &out, (enum ebb_wav_format)format, NULL) == EBB_OK);
        REQUIRE(ebb_sound_read(in_folder("c.wav"), &in, NULL) == EBB_OK);
        REQUIRE_NEAR(in.samples[0], 1, 1e-4, "clipped");
        REQUIRE(in.samples[1] == -1 && in.samples[3] == -1);
        ebb_sound_clear(&in);
    }
    empty_folder();
}

TEST(what_is_cut_is_counted_and_floats_are_not_cut)
{
    static const double samples[] = {1.5, -1.25, 1, -1, 0.999, 1.0000001};
    for (int format = EBB_WAV_16; format <= EBB_FLAC_24; format++) {
        bool cuts = format != EBB_WAV_32F && format != EBB_WAV_64F;
        struct ebb_sound_writer *w = ebb_sound_writer_create(in_folder("cut.wav"), 1, 48000,
                                                             (enum ebb_wav_format)format, NULL, NULL);
        REQUIRE(w && ebb_sound_writer_write_double(w, samples, 6, NULL) == EBB_OK);
        REQUIRE(ebb_sound_writer_clipped(w) == (cuts ? 3 : 0));
        REQUIRE(ebb_sound_writer_finish(w, NULL) == EBB_OK);
        ebb_sound_writer_destroy(&w);
        struct ebb_sound in;
        REQUIRE(ebb_sound_read(in_folder("cut.wav"), &in, NULL) == EBB_OK);
        REQUIRE_NEAR(in.samples[0], cuts ? 1 : 1.5, 1e-4, "above full scale");
        REQUIRE_NEAR(in.samples[1], cuts ? -1 : -1.25, 1e-4, "below full scale");
        ebb_sound_clear(&in);
    }
    empty_folder();
}

// More bits than a float32 has.
TEST(long_integers_and_doubles_come_back_as_they_were)
{
    static const enum ebb_wav_format formats[] = {EBB_WAV_32I, EBB_WAV_64F};
    double samples[1000], got[1000];
    uint32_t state = 1;
    for (int i = 0; i < 1000; i++)
        samples[i] = (double)(int32_t)(state = state * 1664525u + 1013904223u) / 0x1p31;
    samples[0] = -1;
    samples[1] = 1 - 0x1p-31;
    for (int i = 0; i < 2; i++) {
        struct ebb_sound_writer *w = ebb_sound_writer_create(in_folder("wide.wav"), 2, 48000, formats[i],
                                                             NULL, NULL);
        REQUIRE(w && ebb_sound_writer_write_double(w, samples, 500, NULL) == EBB_OK);
        REQUIRE(ebb_sound_writer_finish(w, NULL) == EBB_OK);
        ebb_sound_writer_destroy(&w);
        struct ebb_sound_reader *reader = ebb_sound_reader_open(in_folder("wide.wav"), NULL);
        size_t frames;
        REQUIRE(reader && ebb_sound_reader_info(reader)->format == formats[i]);
        REQUIRE(ebb_sound_reader_read_double(reader, got, 500, &frames, NULL) == EBB_OK && frames == 500);
        ebb_sound_reader_close(&reader);
        REQUIRE(memcmp(got, samples, sizeof(got)) == 0);
    }
    empty_folder();
}

// ---- bad files ----

static void write_bytes(const char *path, const void *bytes, size_t count)
{
    FILE *file = fopen(path, "wb");
    REQUIRE(file && fwrite(bytes, 1, count, file) == count && fclose(file) == 0);
}

static void refuse(const char *path, enum ebb_result code, const char *words)
{
    struct ebb_sound sound;
    struct ebb_error error = {0};
    enum ebb_result result = ebb_sound_read(path, &sound, &error);
    printf("# %s\n", error.message);
    REQUIRE(result == code && error.code == code);
    REQUIRE(strstr(error.message, path));
    REQUIRE(strstr(error.message, words));
    REQUIRE(!sound.samples);
}

TEST(bad_files_say_what_is_wrong)
{
    static float samples[1000];
    struct ebb_sound out = {.samples = samples, .frames = 1000, .channels = 1, .rate = 48000};
    refuse(in_folder("missing.wav"), EBB_NOT_FOUND, "No such file");
    refuse(folder, EBB_WRONG_TYPE, "folder");
    write_bytes(in_folder("empty.wav"), "", 0);
    refuse(in_folder("empty.wav"), EBB_CORRUPT, "an empty file");
    write_bytes(in_folder("text.wav"), "this is no sound at all, is it?", 31);
    refuse(in_folder("text.wav"), EBB_WRONG_TYPE, "not a sound file");

    REQUIRE(ebb_sound_write(in_folder("cut.wav"), &out, EBB_WAV_16, NULL) == EBB_OK);
    REQUIRE(truncate(in_folder("cut.wav"), 30) == 0);
    refuse(in_folder("cut.wav"), EBB_CORRUPT, "cut.wav");

    out.frames = 0;
    REQUIRE(ebb_sound_write(in_folder("none.wav"), &out, EBB_WAV_16, NULL) == EBB_OK);
    refuse(in_folder("none.wav"), EBB_CORRUPT, "holds no samples");
    empty_folder();
}

TEST(a_value_that_is_no_number_is_found)
{
    static float samples[2000];
    struct ebb_sound out = {.samples = samples, .frames = 1000, .channels = 2, .rate = 48000};
    const char *path = in_folder("nan.wav");
    REQUIRE(ebb_sound_write(path, &out, EBB_WAV_32F, NULL) == EBB_OK);
    struct stat what;
    REQUIRE(stat(path, &what) == 0);
    static const float bad[] = {NAN, INFINITY};
    for (int i = 0; i < 2; i++) {
        FILE *file = fopen(path, "r+b");
        REQUIRE(file && fseek(file, what.st_size - 4 * 999, SEEK_SET) == 0);
        REQUIRE(fwrite(&bad[i], 4, 1, file) == 1 && fclose(file) == 0);
        refuse(path, EBB_CORRUPT, "sample 500 of channel 1");
    }
    samples[77] = NAN;
    struct ebb_error error = {0};
    REQUIRE(ebb_sound_write(in_folder("no.wav"), &out, EBB_WAV_16, &error) == EBB_INVALID);
    REQUIRE(access(in_folder("no.wav"), F_OK) != 0);
    empty_folder();
}

TEST(a_full_disk_leaves_nothing)
{
    enum { frames = 100000 };
    static float samples[frames];
    fill_noise(samples, frames, 2, 1);
    struct ebb_sound out = {.samples = samples, .frames = frames, .channels = 1, .rate = 48000};
    struct rlimit old, little = {.rlim_cur = 50000};
    REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
    little.rlim_max = old.rlim_max;
    signal(SIGXFSZ, SIG_IGN); // the limit acts as a full disk
    in_folder("");
    for (int format = EBB_WAV_16; format <= EBB_WAV_32F; format++) {
        struct ebb_error error = {0};
        REQUIRE(setrlimit(RLIMIT_FSIZE, &little) == 0);
        enum ebb_result result = ebb_sound_write(in_folder("full.wav"), &out, (enum ebb_wav_format)format,
                                                 &error);
        REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
        printf("# %s\n", error.message);
        REQUIRE(result == EBB_UNWRITABLE && strstr(error.message, "full.wav"));
        REQUIRE(files_in_folder() == 0);
    }
    struct ebb_error error = {0};
    REQUIRE(ebb_sound_write("/no/such/folder/x.wav", &out, EBB_WAV_16, &error) == EBB_UNWRITABLE);
    REQUIRE(strstr(error.message, "/no/such/folder/x.wav"));
}

// A program that goes on with a finished writer must not write into the file that has its descriptor
// now.
TEST(a_finished_writer_takes_no_more_and_spoils_no_other_file)
{
    static const enum ebb_wav_format formats[] = {EBB_WAV_16, EBB_FLAC_16, EBB_OGG};
    for (int i = 0; i < 3; i++) {
        float samples[100] = {0};
        struct ebb_error error = {0};
        struct ebb_sound_writer *writer = ebb_sound_writer_create(in_folder("first"), 1, 48000, formats[i],
                                                                  NULL, NULL);
        REQUIRE(writer && ebb_sound_writer_write(writer, samples, 100, NULL) == EBB_OK);
        REQUIRE(ebb_sound_writer_finish(writer, NULL) == EBB_OK);
        FILE *other = fopen(in_folder("other"), "w+b"); // takes the descriptor that is free
        REQUIRE(other && ebb_sound_writer_write(writer, samples, 100, &error) == EBB_INVALID);
        REQUIRE(strstr(error.message, "was finished"));
        REQUIRE(ebb_sound_writer_begin(writer, NULL, 100, NULL) == EBB_INVALID);
        REQUIRE(ebb_sound_writer_finish(writer, NULL) == EBB_INVALID);
        ebb_sound_writer_destroy(&writer);
        struct stat what;
        REQUIRE(fclose(other) == 0 && stat(in_folder("other"), &what) == 0 && what.st_size == 0);
        empty_folder();
    }
}

TEST(samples_that_were_refused_are_not_counted)
{
    float samples[100] = {0}, bad[100] = {0};
    bad[5] = NAN;
    const char *path = in_folder("counted.wav");
    struct ebb_sound_writer *writer = ebb_sound_writer_create(path, 1, 48000, EBB_WAV_16, NULL, NULL);
    REQUIRE(writer && ebb_sound_writer_write(writer, bad, 100, NULL) == EBB_INVALID);
    REQUIRE(ebb_sound_writer_write(writer, samples, 100, NULL) == EBB_OK);
    REQUIRE(ebb_sound_writer_finish(writer, NULL) == EBB_OK);
    ebb_sound_writer_destroy(&writer);
    struct ebb_sound in;
    REQUIRE(ebb_sound_read(path, &in, NULL) == EBB_OK);
    REQUIRE(in.frames == 100 && !in.warning);
    ebb_sound_clear(&in);
    empty_folder();
}

TEST(a_sound_of_no_samples_is_a_file_of_its_kind)
{
    static const struct {
        enum ebb_wav_format format;
        const char *magic;
    } kinds[] = {{EBB_WAV_16, "RIFF"}, {EBB_FLAC_16, "fLaC"}, {EBB_FLAC_24, "fLaC"}, {EBB_OGG, "OggS"}};
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct ebb_sound none = {.channels = 2, .rate = 48000, .comment = "nothing"};
        char magic[5] = "";
        REQUIRE(ebb_sound_write(in_folder("none"), &none, kinds[i].format, NULL) == EBB_OK);
        FILE *file = fopen(in_folder("none"), "rb");
        REQUIRE(file && fread(magic, 1, 4, file) == 4 && fclose(file) == 0);
        REQUIRE_STRING(magic, kinds[i].magic);
        refuse(in_folder("none"), EBB_CORRUPT, "holds no samples");
        empty_folder();
    }
}

TEST(a_name_or_a_format_that_cannot_be_is_said)
{
    struct ebb_sound out = {.channels = 1, .rate = 48000}, in;
    struct ebb_error error = {0};
    REQUIRE(ebb_sound_write(in_folder("x.wav"), &out, (enum ebb_wav_format)99, &error) == EBB_INVALID);
    REQUIRE(strstr(error.message, "format 99"));
    REQUIRE(ebb_sound_write("", &out, EBB_WAV_16, &error) == EBB_INVALID);
    REQUIRE_STRING(error.message, "a file's name is empty");
    REQUIRE(ebb_sound_read("", &in, &error) == EBB_INVALID);
    REQUIRE_STRING(error.message, "a file's name is empty");
}

TEST(an_abandoned_file_is_gone_and_an_old_one_stays)
{
    static float samples[100];
    const char *path = in_folder("keep.wav");
    write_bytes(path, "old", 3);
    struct ebb_sound_writer *writer = ebb_sound_writer_create(path, 1, 48000, EBB_WAV_16, NULL, NULL);
    REQUIRE(writer && ebb_sound_writer_write(writer, samples, 100, NULL) == EBB_OK);
    REQUIRE(files_in_folder() == 2);
    ebb_sound_writer_destroy(&writer);
    REQUIRE(!writer && files_in_folder() == 1);
    struct stat what;
    REQUIRE(stat(path, &what) == 0 && what.st_size == 3);
    empty_folder();
    rmdir(folder);
}

TEST_MAIN
