// Sound without end: any clip in any order, and no seam between them.
#include "engine.h"
#include "../model/scratch.h"

static struct ebb_stream *open_stream(struct ebb_model *model, int label, uint64_t seed, uint64_t clips)
{
    struct ebb_stream_params p;
    ebb_stream_params_default(&p);
    p.label = label;
    p.seed = seed;
    p.clips = clips;
    p.steps = 2;
    struct ebb_error error;
    struct ebb_stream *stream = ebb_stream_create(model, &p, &error);
    if (!stream)
        TEST_FAIL("%s", error.message);
    return stream;
}

static void any_order(int label)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *stream = open_stream(model, label, 7, 0);
    enum { CLIPS = 6 };
    size_t n = ebb_stream_clip_length(stream), got;
    float *row = calloc(n, CLIPS * sizeof(float)), *one = calloc(n, sizeof(float));
    REQUIRE(row && one);

    // In a row, in pieces that do not fit the clips.
    for (size_t at = 0; at < CLIPS * n; at += got) {
        size_t part = CLIPS * n - at < 50001 ? CLIPS * n - at : 50001;
        REQUIRE_OK(ebb_stream_read(stream, row + at, part, &got, e));
        REQUIRE(got == part);
    }
    // Out of order, twice, from a stream that has seen others, and from one that has not.
    const int order[] = {4, 1, 5, 0, 1, 2, 3};
    for (int i = 0; i < 7; i++) {
        REQUIRE_OK(ebb_stream_clip(stream, order[i], one, n, e));
        REQUIRE(memcmp(one, row + order[i] * n, n * sizeof(float)) == 0);
    }
    struct ebb_stream *fresh = open_stream(model, label, 7, 0);
    ebb_stream_seek(fresh, 3 * n + 12345);
    REQUIRE_OK(ebb_stream_read(fresh, one, n, &got, e));
    REQUIRE(got == n && memcmp(one, row + 3 * n + 12345, n * sizeof(float)) == 0);

    struct ebb_stream *other = open_stream(model, label, 8, 0);
    REQUIRE_OK(ebb_stream_clip(other, 1, one, n, e));
    REQUIRE(memcmp(one, row + n, n * sizeof(float)) != 0);

    ebb_stream_destroy(&stream);
    ebb_stream_destroy(&fresh);
    ebb_stream_destroy(&other);
    free(row);
    free(one);
    ebb_model_close(&model);
}

TEST(texture_clips_come_in_any_order)
{
    any_order(0);
}

TEST(event_clips_come_in_any_order)
{
    any_order(1);
}

TEST(events_end_in_silence)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *stream = open_stream(model, 3, 0, 2);
    size_t n = ebb_stream_clip_length(stream), got;
    REQUIRE(n == 131072 + 12000);
    float *samples = calloc(n, 3 * sizeof(float));
    REQUIRE(samples);
    REQUIRE_OK(ebb_stream_read(stream, samples, 3 * n, &got, e));
    REQUIRE(got == 2 * n); // there are two
    for (size_t i = 0; i < 12000; i++)
        REQUIRE(samples[131072 + i] == 0);
    float peak = 0;
    for (size_t i = 0; i < n; i++)
        peak = fmaxf(peak, fabsf(samples[n + i]));
    REQUIRE(peak > 1e-5f && peak <= 1);
    REQUIRE(ebb_stream_clip(stream, 2, samples, n, NULL) == EBB_INVALID);
    ebb_stream_destroy(&stream);
    free(samples);
    ebb_model_close(&model);
}

// Mean power of `count` samples.
static double power(const float *x, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++)
        sum += (double)x[i] * x[i];
    return sum / count;
}

// How much one sample cannot be told from its neighbours: the second difference.
static double kink(const float *x)
{
    return fabs((double)x[-1] - 2 * x[0] + x[1]);
}

// Distance of the spectra before and after a sample, in dB: root mean square over the bands.
static double spectral_jump(struct ebb_mel *mel, const float *at)
{
    enum { SPAN = 4096 };
    static float before[128 * 9], after[128 * 9];
    REQUIRE_OK(ebb_mel_analyse(mel, at - SPAN, SPAN, before, e));
    REQUIRE_OK(ebb_mel_analyse(mel, at, SPAN, after, e));
    double sum = 0;
    for (int band = 0; band < 128; band++) {
        double difference = 0;
        for (int i = 2; i < 7; i++) // frames that see no edge
            difference += (after[band * 9 + i] - before[band * 9 + i]) * 50 / 5;
        sum += difference * difference / 128;
    }
    return sqrt(sum);
}

// `statistic` at the turns between windows is not larger than it is elsewhere.
TEST(no_seam_where_windows_meet)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *stream = open_stream(model, 0, 5, 0);
    struct ebb_mel *mel = ebb_mel_create(NULL, NULL);
    enum { CLIPS = 8 };
    size_t n = ebb_stream_clip_length(stream), total = CLIPS * n, got, turn = 131072 / 8;
    float *x = calloc(total, sizeof(float));
    REQUIRE(x && mel);
    REQUIRE_OK(ebb_stream_read(stream, x, total, &got, e));
    REQUIRE(got == total);

    double kink_here = 0, kink_there = 0, jump_here = 0, jump_there = 0, level_here = 0, level_there = 0;
    int elsewhere = 0;
    for (size_t clip = 1; clip < CLIPS; clip++) {
        const float *at = x + clip * n + turn; // where the sound turns from one window to the next
        for (int i = -64; i < 64; i++)
            kink_here = fmax(kink_here, kink(at + i));
        jump_here += spectral_jump(mel, at) / (CLIPS - 1);
        level_here += fabs(10 * log10(power(at, 4096) / power(at - 4096, 4096))) / (CLIPS - 1);
        for (size_t step = 8192; step + 16384 < n; step += 8192, elsewhere++) {
            for (int i = -64; i < 64; i++)
                kink_there = fmax(kink_there, kink(at + step + i));
            jump_there += spectral_jump(mel, at + step);
            level_there += fabs(10 * log10(power(at + step, 4096) / power(at + step - 4096, 4096)));
        }
    }
    printf("# kink %.2g (elsewhere %.2g), spectral jump %.2f dB (%.2f), level %.2f dB (%.2f)\n", kink_here, kink_there,
           jump_here, jump_there / elsewhere, level_here, level_there / elsewhere);
    REQUIRE(kink_here < 1.2 * kink_there);
    REQUIRE(jump_here < 1.3 * jump_there / elsewhere);
    REQUIRE(level_here < 0.5 + 1.5 * level_there / elsewhere);
    ebb_stream_destroy(&stream);
    ebb_mel_destroy(&mel);
    free(x);
    ebb_model_close(&model);
}

struct stopper {
    int calls, stop_at;
};

static bool stop(void *user, double fraction)
{
    struct stopper *s = user;
    return ++s->calls != s->stop_at;
}

TEST(a_stopped_clip_can_be_asked_for_again)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream *plain = open_stream(model, 0, 5, 0);
    size_t n = ebb_stream_clip_length(plain);
    float *want = calloc(n, sizeof(float)), *got = calloc(n, sizeof(float));
    REQUIRE(want && got);
    REQUIRE_OK(ebb_stream_clip(plain, 1, want, n, e));

    struct stopper s = {0};
    struct ebb_stream_params p;
    ebb_stream_params_default(&p);
    p.label = 0;
    p.seed = 5;
    p.steps = 2;
    p.progress = stop;
    p.user = &s;
    for (int at = 1; at <= 6; at++) { // three windows of two evaluations
        struct ebb_stream *stream = ebb_stream_create(model, &p, NULL);
        REQUIRE(stream);
        s = (struct stopper){.stop_at = at};
        REQUIRE(ebb_stream_clip(stream, 1, got, n, NULL) == EBB_CANCELLED);
        REQUIRE(s.calls == at);
        REQUIRE_OK(ebb_stream_clip(stream, 1, got, n, e));
        REQUIRE(memcmp(got, want, n * sizeof(float)) == 0);
        ebb_stream_destroy(&stream);
    }
    ebb_stream_destroy(&plain);
    free(want);
    free(got);
    ebb_model_close(&model);
}

TEST(crossfades_set_the_length_of_clips)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream_params p;
    ebb_stream_params_default(&p);
    p.label = 2;
    p.crossfade = 1.3; // 15.2 columns of 85 ms: 15
    struct ebb_stream *stream = ebb_stream_create(model, &p, NULL);
    REQUIRE(stream && ebb_stream_clip_length(stream) == (32 - 15) * 8 * 512);
    ebb_stream_destroy(&stream);
    p.crossfade = 1.4;
    REQUIRE(!ebb_stream_create(model, &p, NULL));
    p.crossfade = NAN;
    p.gap = -1;
    REQUIRE(!ebb_stream_create(model, &p, NULL));
    ebb_model_close(&model);
}

TEST(gaps_are_behind_events_alone)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_stream_params p;
    ebb_stream_params_default(&p);
    REQUIRE(ebb_stream_gap(model, &p) == 0); // its default label is a texture
    p.label = 1;
    REQUIRE(ebb_stream_gap(model, &p) == 12000);
    struct ebb_stream *with = ebb_stream_create(model, &p, NULL);
    p.gap = 0;
    REQUIRE(ebb_stream_gap(model, &p) == 0);
    struct ebb_stream *without = ebb_stream_create(model, &p, NULL);
    REQUIRE(with && without && ebb_stream_clip_length(with) == ebb_stream_clip_length(without) + 12000);
    p.gap = NAN; // neither is a stream
    REQUIRE(ebb_stream_gap(model, &p) == 0 && !ebb_stream_create(model, &p, NULL));
    p.gap = 1;
    p.label = 99;
    REQUIRE(ebb_stream_gap(model, &p) == 0);
    ebb_stream_destroy(&with);
    ebb_stream_destroy(&without);
    ebb_model_close(&model);
}

// 256 samples: less than the 10 ms that an end fades. A window of them cannot be held by its neighbours.
TEST(windows_shorter_than_a_fade)
{
    scratch_make("models/tiny-sfx");
    scratch_replace("ebb.json", "\"hop\": 512", "\"hop\": 1");
    struct ebb_model *model = open_at(scratch);
    struct ebb_stream_params p;
    ebb_stream_params_default(&p);
    p.label = 1;
    p.steps = 1;
    p.gap = 0;
    struct ebb_error error;
    struct ebb_stream *stream = ebb_stream_create(model, &p, &error);
    REQUIRE(stream && ebb_stream_clip_length(stream) == 256);
    float room[1024];
    for (int i = 0; i < 1024; i++)
        room[i] = 7;
    REQUIRE_OK(ebb_stream_clip(stream, 0, room + 768, 256, e));
    for (int i = 0; i < 768; i++)
        REQUIRE(room[i] == 7);
    REQUIRE(fabsf(room[1023]) < 1e-4f);
    ebb_stream_destroy(&stream);

    p.label = 0;
    REQUIRE(!ebb_stream_create(model, &p, &error) && error.code == EBB_UNSUPPORTED);
    if (!strstr(error.message, "1024 frames") || !strstr(error.message, "at most 8"))
        TEST_FAIL("%s", error.message);
    ebb_model_close(&model);
    scratch_remove();
}

TEST_MAIN
