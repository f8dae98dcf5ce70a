// Changing a recording: what must not change, what must, and by how much.
#include "engine.h"

#include "audio/mel.h"
#include "engine/region.h"

static struct ebb_edit_params defaults(void)
{
    struct ebb_edit_params p;
    ebb_edit_params_default(&p);
    p.generate.phase_iterations = 2;
    p.generate.label = 0; // a texture
    return p;
}

// Tones and a little noise, every channel its own.
static struct ebb_sound recording(double seconds, int rate, int channels)
{
    size_t frames = (size_t)(seconds * rate);
    struct ebb_sound s = {.samples = calloc(frames * channels, sizeof(float)), .frames = frames, .channels = channels, .rate = rate};
    unsigned state = 7;
    for (size_t i = 0; i < frames; i++)
        for (int c = 0; c < channels; c++) {
            double t = (double)i / rate, noise = (double)(int)(state = state * 1664525u + 1013904223u) / 2147483648.0;
            s.samples[i * channels + c] = (float)(0.2 * sin(2 * M_PI * 440 * (c + 1) * t) + 0.1 * sin(2 * M_PI * 3100 * t) + 0.05 * noise);
        }
    return s;
}

static struct ebb_sound edit(struct ebb_model *model, const struct ebb_edit_params *p, const struct ebb_sound *in)
{
    struct ebb_sound out;
    struct ebb_error error = {0};
    if (ebb_edit(model, p, in, &out, &error) != EBB_OK)
        TEST_FAIL("%s", error.message);
    REQUIRE(out.frames == ebb_edit_frames(model, p, in, NULL) && out.channels == in->channels && out.rate == in->rate);
    for (size_t i = 0; i < out.frames * out.channels; i++)
        REQUIRE(isfinite(out.samples[i]) && fabsf(out.samples[i]) <= 1);
    return out;
}

static double apart(const struct ebb_sound *a, const struct ebb_sound *b)
{
    double sum = 0;
    REQUIRE(a->frames == b->frames);
    for (size_t i = 0; i < a->frames * a->channels; i++)
        sum += (a->samples[i] - b->samples[i]) * (a->samples[i] - b->samples[i]);
    return sqrt(sum / (a->frames * a->channels));
}

// ---- what stays ----

// Bits of frames from..to, in b `shift` later.
static bool same_bits(const struct ebb_sound *a, const struct ebb_sound *b, size_t from, size_t to, size_t shift)
{
    size_t c = a->channels;
    return memcmp(a->samples + from * c, b->samples + (from + shift) * c, (to - from) * c * sizeof(float)) == 0;
}

TEST(outside_the_span_every_bit_stays)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const int rates[] = {48000, 44100, 22050, 96000}, channels[] = {1, 2, 3, 1};
    for (int i = 0; i < 8; i++) {
        int rate = rates[i % 4];
        struct ebb_sound in = recording(1.5, rate, channels[i % 4]);
        struct ebb_edit_params p = defaults();
        p.from = 0.5;
        p.to = 0.9;
        p.high = i < 4 ? INFINITY : 5000;
        p.resample = 1;
        struct ebb_sound out = edit(model, &p, &in);
        size_t fade = (size_t)ceil(0.005 * rate), from = rate / 2, to = (size_t)round(0.9 * rate);
        REQUIRE(out.frames == in.frames);
        REQUIRE(same_bits(&in, &out, 0, from - fade, 0) && same_bits(&in, &out, to + fade, in.frames, 0));
        REQUIRE(!same_bits(&in, &out, from, to, 0));
        ebb_sound_clear(&in);
        ebb_sound_clear(&out);
    }
    ebb_model_close(&model);
}

TEST(new_sound_before_and_after_leaves_the_recording)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(1, 44100, 2);
    struct ebb_edit_params p = defaults();
    p.before = 0.5;
    p.after = 4; // more than a window
    struct ebb_sound out = edit(model, &p, &in);
    size_t shift = 22050, fade = (size_t)ceil(0.005 * 44100);
    REQUIRE(out.frames == shift + 44100 + 4 * 44100);
    REQUIRE(same_bits(&in, &out, fade, in.frames - fade, shift));
    double first = 0, last = 0;
    for (size_t i = 0; i < 2 * shift; i++) {
        first += fabs(out.samples[i]);
        last += fabs(out.samples[out.frames * 2 - 1 - i]);
    }
    REQUIRE(first > 1 && last > 1); // there is sound
    REQUIRE(fabsf(out.samples[0]) < 1e-3f && fabsf(out.samples[out.frames * 2 - 1]) < 1e-3f);
    ebb_sound_clear(&in);
    ebb_sound_clear(&out);
    ebb_model_close(&model);
}

TEST(a_band_leaves_what_is_beside_it)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(1.2, 48000, 1);
    struct ebb_edit_params p = defaults();
    p.low = 2000;
    p.high = 8000;
    p.resample = 1;
    struct ebb_sound out = edit(model, &p, &in);
    for (size_t i = 0; i < in.frames; i++)
        out.samples[i] -= in.samples[i]; // what changed
    struct ebb_mel_params mp;
    ebb_mel_params_default(&mp);
    struct ebb_mel *mel = ebb_mel_create(&mp, NULL);
    double inside = 0, outside = 0;
    for (size_t k = 4; k < 100; k++) {
        ebb_stft_frame_of(mel->stft, out.samples, out.frames, k, mel->bins);
        for (int i = 0; i < mel->stft->bins; i++) {
            double hz = i * 48000.0 / 2048, power = mel->bins[2 * i] * mel->bins[2 * i] + mel->bins[2 * i + 1] * mel->bins[2 * i + 1];
            *(hz > 1850 && hz < 8450 ? &inside : &outside) += power;
        }
    }
    REQUIRE(inside > 1);
    if (outside > 1e-4 * inside)
        TEST_FAIL("%.1f dB outside the band", 10 * log10(outside / inside));
    ebb_mel_destroy(&mel);
    ebb_sound_clear(&in);
    ebb_sound_clear(&out);
    ebb_model_close(&model);
}

TEST(equal_channels_stay_equal)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(1, 48000, 2);
    for (size_t i = 0; i < in.frames; i++)
        in.samples[2 * i + 1] = in.samples[2 * i];
    struct ebb_edit_params p = defaults();
    p.from = 0.3;
    p.to = 0.6;
    struct ebb_sound out = edit(model, &p, &in);
    for (size_t i = 0; i < in.frames; i++)
        REQUIRE(out.samples[2 * i] == out.samples[2 * i + 1]);
    REQUIRE(!same_bits(&in, &out, 0, in.frames, 0));
    ebb_sound_clear(&in);
    ebb_sound_clear(&out);
    ebb_model_close(&model);
}

// ---- what follows from what ----

TEST(an_edit_follows_from_its_settings_alone)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(4, 48000, 1), out[4];
    struct ebb_edit_params p = defaults();
    p.from = 0.4;
    p.to = 3.6; // longer than a window
    out[0] = edit(model, &p, &in);
    p.generate.seed = 3;
    out[1] = edit(model, &p, &in);
    p.generate.seed = 0;
    p.generate.index = 1;
    out[2] = edit(model, &p, &in);
    p.generate.index = 0;
    out[3] = edit(model, &p, &in);
    REQUIRE(apart(&out[0], &out[3]) == 0);
    REQUIRE(apart(&out[0], &out[1]) > 0 && apart(&out[0], &out[2]) > 0 && apart(&out[1], &out[2]) > 0);
    for (int i = 0; i < 4; i++)
        ebb_sound_clear(&out[i]);
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

TEST(models_without_an_autoencoder_edit_too)
{
    struct ebb_model *model = open_tiny("tiny-direct");
    struct ebb_sound in = recording(1.5, 48000, 1);
    struct ebb_edit_params p = defaults();
    p.generate.label = -1;
    p.from = 0.5;
    p.to = 1.4; // its window is 0.7 s
    struct ebb_sound out = edit(model, &p, &in);
    REQUIRE(same_bits(&in, &out, 0, 24000 - 240, 0) && !same_bits(&in, &out, 24000, 60000, 0));
    ebb_sound_clear(&in);
    ebb_sound_clear(&out);
    ebb_model_close(&model);
}

// ---- near and far ----

// How far a spectrogram goes from what the autoencoder makes of it, root mean square of network values.
static double moved(struct ebb_model *model, double t, double degrees)
{
    enum { FRAMES = 256 };
    static float mel[128 * FRAMES], made[128 * FRAMES], was[128 * FRAMES];
    struct ebb_generate_params g;
    struct ebb_recipe recipe;
    ebb_generate_params_default(&g);
    g.label = 0;
    g.guidance = 1;
    g.sampler = "ddim";
    g.steps = 100;
    REQUIRE_OK(ebb_engine_ready(model, e));
    REQUIRE_OK(ebb_recipe_make(model, &g, &recipe, e));
    recipe.run.start = t;
    for (int i = 0; i < 128 * FRAMES; i++)
        mel[i] = 0.5f * sinf(0.1f * (i / FRAMES)) * cosf(0.05f * (i % FRAMES)) - 0.3f;
    struct ebb_retake r = {.recipe = &recipe, .angle = degrees * M_PI / 180, .from_recording = true, .mel = mel,
                           .frames = FRAMES, .here_to = FRAMES, .to = FRAMES, .high = 128, .made = made, .was = was};
    REQUIRE_OK(ebb_retake_make(model, &r, e));
    REQUIRE(r.covered_from == 0 && r.covered_to == FRAMES);
    double sum = 0;
    for (int i = 0; i < 128 * FRAMES; i++)
        sum += (made[i] - was[i]) * (made[i] - was[i]);
    return sqrt(sum / (128 * FRAMES));
}

TEST(the_more_time_the_farther)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const double times[] = {0.003, 0.05, 0.2, 0.5};
    double last = 0;
    for (int i = 0; i < 4; i++) {
        double now = moved(model, times[i], 90);
        printf("# t %.3f: %.4f\n", times[i], now);
        REQUIRE(now > last);
        last = now;
    }
    ebb_model_close(&model);
}

TEST(a_variation_begins_at_the_recording_and_goes_away_from_it)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const double angles[] = {0, 5, 15, 35, 90};
    double last = 0, first = 0;
    for (int i = 0; i < 5; i++) {
        double now = moved(model, 0.3, angles[i]);
        printf("# %.0f degrees: %.4f\n", angles[i], now);
        REQUIRE(now > last);
        first = i == 0 ? now : first;
        last = now;
    }
    REQUIRE(first < 0.1 * last); // what is left is the inversion's error
    ebb_model_close(&model);
}

// ---- the way up and the way back ----

static double round_trip(struct ebb_model *model, int steps, double t, const float *latents, size_t count)
{
    struct ebb_generate_params g;
    ebb_generate_params_default(&g);
    g.steps = steps;
    g.label = 1;
    float *state = calloc(count, sizeof(float)), *back = calloc(count, sizeof(float));
    REQUIRE_OK(ebb_edit_invert(model, &g, t, latents, state, count, e));
    REQUIRE_OK(ebb_edit_return(model, &g, t, state, back, count, e));
    double sum = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (back[i] - latents[i]) * (back[i] - latents[i]);
        size += latents[i] * latents[i];
    }
    free(state);
    free(back);
    return sqrt(sum / size);
}

TEST(the_way_up_and_back_misses_less_in_more_steps)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(2, 48000, 1);
    int shape[4];
    REQUIRE_OK(ebb_edit_latents(model, in.samples, in.frames, NULL, 0, shape, e));
    REQUIRE(shape[0] == 1 && shape[1] == 4 && shape[2] == 16 && shape[3] == 32);
    size_t count = (size_t)shape[1] * shape[2] * shape[3];
    float *latents = calloc(count, sizeof(float));
    REQUIRE_OK(ebb_edit_latents(model, in.samples, in.frames, latents, count, shape, e));
    const double times[] = {0.5, 0.9};
    for (int i = 0; i < 2; i++) {
        double few = round_trip(model, 10, times[i], latents, count), many = round_trip(model, 40, times[i], latents, count);
        double most = round_trip(model, 160, times[i], latents, count);
        printf("# to %.1f and back: %.4f, %.4f, %.4f\n", times[i], few, many, most);
        REQUIRE(many < 0.5 * few && most < 0.5 * many); // first order: a quarter
        REQUIRE(most < 0.06);
    }
    struct ebb_error error;
    REQUIRE(ebb_edit_invert(model, NULL, 0, latents, latents, count, &error) == EBB_INVALID && strstr(error.message, "t is 0"));
    REQUIRE(ebb_edit_invert(model, NULL, NAN, latents, latents, 3, &error) == EBB_INVALID);
    free(latents);
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

// The tiny models diffuse mels of known sounds: decoding what was encoded is not the identity, but folding is.
TEST(latents_of_a_direct_model_are_its_mel)
{
    struct ebb_model *model = open_tiny("tiny-direct");
    struct ebb_sound in = recording(0.6, 48000, 1);
    struct ebb_mel_params mp;
    ebb_mel_params_default(&mp);
    struct ebb_mel *mel = ebb_mel_create(&mp, NULL);
    size_t frames = ebb_mel_frames(mel, in.frames);
    float *values = calloc(frames * 128, sizeof(float)), latents[4 * 32 * 64], back[128 * 64];
    int shape[4];
    REQUIRE(frames < 64);
    REQUIRE_OK(ebb_mel_analyse(mel, in.samples, in.frames, values, e));
    REQUIRE_OK(ebb_edit_latents(model, in.samples, in.frames, latents, 4 * 32 * 64, shape, e));
    REQUIRE_OK(ebb_generate_mel(model, latents, 4 * 32 * 64, back, 128 * 64, e));
    for (size_t band = 0; band < 128; band++)
        for (size_t k = 0; k < 64; k++)
            REQUIRE_NEAR(back[band * 64 + k], k < frames ? values[band * frames + k] : k > frames + 1 ? -1 : back[band * 64 + k],
                         1e-6, "cell");
    free(values);
    ebb_mel_destroy(&mel);
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

// ---- how it is sounded ----

// A splice of a spectrogram that is the recording's own.
static struct ebb_sound spliced(struct ebb_model *model, const struct ebb_sound *in, bool from_recording, size_t from, size_t to)
{
    struct ebb_error error = {0};
    REQUIRE(ebb_engine_ready(model, &error) == EBB_OK);
    struct ebb_mel *mel = ebb_engine_mel(model, &error);
    size_t frames = ebb_mel_frames(mel, in->frames);
    float *values = calloc(frames * 128, sizeof(float));
    struct ebb_sound out = *in;
    out.samples = malloc(in->frames * sizeof(float));
    memcpy(out.samples, in->samples, in->frames * sizeof(float));
    memset(out.samples + from, 0, (to - from) * sizeof(float)); // not to be seen
    REQUIRE_OK(ebb_mel_analyse(mel, in->samples, in->frames, values, e));
    struct ebb_splice s = {
        .scale = {-40, 50}, .made = values, .was = values, .frames = (int)frames, .covered_to = (int)frames,
        .here_to = (int)frames, .from = from, .to = to, .fade = 240, .from_recording = from_recording, .goes_on = true,
        .iterations = 16, .seed = 1,
    };
    REQUIRE_OK(ebb_splice_make(model, &s, in->samples, in->samples, out.samples, in->frames, e));
    free(values);
    return out;
}

TEST(no_change_is_the_recording)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(6, 48000, 1);
    struct ebb_sound out = spliced(model, &in, true, 30000, 270000); // in more than one piece
    for (size_t i = 0; i < in.frames; i++)
        REQUIRE_NEAR(out.samples[i], in.samples[i], 1e-4, "sample");
    ebb_sound_clear(&in);
    ebb_sound_clear(&out);
    ebb_model_close(&model);
}

static double correlation(const float *a, const float *b, size_t count)
{
    double ab = 0, aa = 1e-20, bb = 1e-20;
    for (size_t i = 0; i < count; i++) {
        ab += (double)a[i] * b[i];
        aa += (double)a[i] * a[i];
        bb += (double)b[i] * b[i];
    }
    return ab / sqrt(aa * bb);
}

// A tone goes through a gap: the same level within it, in phase with what it comes from and what it comes to.
TEST(a_tone_goes_on_in_phase)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(2, 48000, 1);
    for (size_t i = 0; i < in.frames; i++)
        in.samples[i] = 0.3f * sinf((float)(2 * M_PI * fmod(500.7 * i / 48000.0, 1)));
    size_t from = 40000, to = 50000;
    struct ebb_sound out = spliced(model, &in, false, from, to);
    double power = 0, step = 0, usual = 0;
    for (size_t i = from; i < to; i++)
        power += (double)out.samples[i] * out.samples[i] / (to - from);
    for (size_t i = 1; i < in.frames; i++) {
        step = fmax(step, fabs(out.samples[i] - out.samples[i - 1]));
        usual = fmax(usual, fabs(in.samples[i] - in.samples[i - 1]));
    }
    double start = correlation(in.samples + from, out.samples + from, 1000);
    double end = correlation(in.samples + to - 1000, out.samples + to - 1000, 1000);
    printf("# in phase at the start %.3f, at the end %.3f, level %.1f dB, largest step %.2f of the tone's\n", start, end,
           10 * log10(power / 0.045), step / usual);
    REQUIRE(start > 0.9 && end > 0.9);
    REQUIRE(fabs(10 * log10(power / 0.045)) < 2);
    REQUIRE(step < 1.5 * usual);
    ebb_sound_clear(&in);
    ebb_sound_clear(&out);
    ebb_model_close(&model);
}

// ---- how long, how far ----

TEST(progress_rises_to_1_and_stops_the_call)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(1, 48000, 1), out;
    struct count c = {0};
    struct ebb_edit_params p = defaults();
    p.before = p.after = 0.5;
    p.generate.progress = count_calls;
    p.generate.user = &c;
    out = edit(model, &p, &in);
    ebb_sound_clear(&out);
    REQUIRE(!c.falls && c.calls > 2 * 13); // four steps, each but the last four times
    REQUIRE_NEAR(c.last, 1, 1e-12, "the end");
    for (int stop = 1, all = c.calls; stop <= all; stop += 5) {
        c = (struct count){.stop_at = stop};
        REQUIRE(ebb_edit(model, &p, &in, &out, NULL) == EBB_CANCELLED && !out.samples);
        REQUIRE(c.calls == stop);
    }
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

// ---- what cannot be ----

static void refused(struct ebb_model *model, const struct ebb_edit_params *p, const struct ebb_sound *in, enum ebb_result code,
                    const char *words)
{
    struct ebb_error error = {0};
    struct ebb_sound out;
    REQUIRE(ebb_edit_frames(model, p, in, &error) == 0);
    if (error.code != code || !strstr(error.message, words))
        TEST_FAIL("\"%s\" (%s) does not say \"%s\"", error.message, ebb_result_name(error.code), words);
    REQUIRE(ebb_edit(model, p, in, &out, NULL) == code && !out.samples);
}

TEST(what_makes_no_sense_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(1, 44100, 2);
#define BAD(field, value, words)                                                                                         \
    do {                                                                                                                 \
        struct ebb_edit_params p_ = defaults();                                                                          \
        p_.field = (value);                                                                                              \
        refused(model, &p_, &in, EBB_INVALID, words);                                                                    \
    } while (0)
    BAD(from, -0.1, "0 to 1, the recording's length");
    BAD(from, 1, "0 to 1, the recording's length");
    BAD(from, NAN, "from is");
    BAD(to, 1.1, "0 to 1, the recording's length");
    BAD(to, NAN, "to is");
    BAD(to, -INFINITY, "to is");
    BAD(to, 0, "from must be below to");
    BAD(to, 1e-5, "shorter than");
    BAD(low, -1, "begins at -1 Hz");
    BAD(low, 22050, "allowed are 0 to 22050");
    BAD(low, NAN, "begins at");
    BAD(high, 22051, "allowed are 0 to 22050");
    BAD(high, 0, "ends at 0 Hz");
    BAD(high, 10, "narrower than");
    BAD(before, -1, "before is -1");
    BAD(before, 601, "to 600");
    BAD(after, NAN, "after is");
    BAD(after, 1e-9, "after is");
    BAD(t, 0, "t is 0, allowed are above 0");
    BAD(t, -0.5, "t is -0.5");
    BAD(t, 1.01, "t is 1.01");
    BAD(angle, -1, "0 (the recording's noise) to 90");
    BAD(angle, 91, "0 (the recording's noise) to 90");
    BAD(angle, NAN, "0 (the recording's noise) to 90");
    BAD(resample, -1, "resample is -1");
    BAD(resample, 101, "1 (each step once) to 100");
    BAD(generate.label, 7, "label 7");
    BAD(generate.steps, 100000, "steps is 100000");
    BAD(generate.guidance, INFINITY, "guidance");

    struct ebb_edit_params p = defaults();
    p.low = 3000;
    p.high = 2000;
    refused(model, &p, &in, EBB_INVALID, "the lower comes first");
    p = defaults();
    p.from = 0.8;
    p.to = 0.2;
    refused(model, &p, &in, EBB_INVALID, "from must be below to");
    p = defaults();
    p.after = 1;
    p.t = 0.5;
    refused(model, &p, &in, EBB_INVALID, "no span, band, t or angle");
    p = defaults();
    p.generate.noise = EBB_NOISE_TORCH;
    refused(model, &p, &in, EBB_UNSUPPORTED, "torch");
    p = defaults();
    p.from = 0.5;
    p.generate.sampler = "rk45"; // by itself it is done without
    REQUIRE(ebb_edit_frames(model, &p, &in, NULL) == 44100);
    p.resample = 2;
    refused(model, &p, &in, EBB_UNSUPPORTED, "done again");

    p = defaults();
    size_t frames = in.frames;
    in.frames = 0;
    refused(model, &p, &in, EBB_INVALID, "empty");
    in.frames = frames;
    in.rate = 10;
    refused(model, &p, &in, EBB_INVALID, "10 Hz");
    in.rate = 44100;
    ebb_model_close(&model);

    model = open_tiny("tiny-denoise");
    p = defaults();
    p.generate.label = -1;
    refused(model, &p, &in, EBB_WRONG_TYPE, "does not generate");
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

TEST(the_smallest_recordings_are_edited)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    for (int rate = 1000; rate <= 48000; rate += 23500) {
        struct ebb_sound in = recording(0.005, rate, 1);
        in.frames = 1;
        struct ebb_edit_params p = defaults();
        p.generate.steps = 1;
        struct ebb_sound out = edit(model, &p, &in);
        REQUIRE(out.frames == 1);
        ebb_sound_clear(&out);
        p.after = 0.1;
        out = edit(model, &p, &in);
        REQUIRE(out.frames == 1 + (size_t)(rate / 10));
        ebb_sound_clear(&out);
        ebb_sound_clear(&in);
    }
    ebb_model_close(&model);
}

TEST_MAIN
