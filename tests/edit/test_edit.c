// SPDX-License-Identifier: LGPL-2.1-or-later
// Edits: samples that must not change, samples that must, and by how much.
#include "tiny_model.h"

#include "audio/mel.h"
#include "edit/region.h"

#define RAIN "phase-iterations=2 label=rain " // a texture

// Tones and a little noise, every channel its own.
static struct ebb_sound recording(double seconds, int rate, int channels)
{
    size_t frames = (size_t)(seconds * rate);
    struct ebb_sound s = {.samples = calloc(frames * channels, sizeof(float)),
                          .frames = frames,
                          .channels = channels,
                          .rate = rate};
    unsigned state = 7;
    for (size_t i = 0; i < frames; i++)
        for (int c = 0; c < channels; c++) {
            double t = (double)i / rate,
                   noise = (double)(int)(state = state * 1664525u + 1013904223u) / 2147483648.0;
            s.samples[i * channels + c] = (float)(0.2 * sin(2 * M_PI * 440 * (c + 1) * t) +
                                                  0.1 * sin(2 * M_PI * 3100 * t) + 0.05 * noise);
        }
    return s;
}

static struct ebb_sound edit_heard(struct ebb_model *model, const char *words, const struct ebb_sound *in,
                                   const struct ebb_hooks *hooks)
{
    struct ebb_sound out;
    struct ebb_error error = {0};
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_EDIT, words);
    if (ebb_edit(model, recipe, in, &out, hooks, &error) != EBB_OK)
        TEST_FAIL("%s: %s", words, error.message);
    REQUIRE(out.frames == ebb_edit_frames(model, recipe, in, NULL) && out.channels == in->channels &&
            out.rate == in->rate);
    ebb_recipe_destroy(&recipe);
    for (size_t i = 0; i < out.frames * out.channels; i++)
        REQUIRE(isfinite(out.samples[i]) && fabsf(out.samples[i]) <= 1);
    return out;
}

static struct ebb_sound edit(struct ebb_model *model, const char *words, const struct ebb_sound *in)
{
    return edit_heard(model, words, in, NULL);
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
static bool same_bits(const struct ebb_sound *a, const struct ebb_sound *b, size_t from, size_t to,
                      size_t shift)
{
    size_t c = a->channels;
    return memcmp(a->samples + from * c, b->samples + (from + shift) * c, (to - from) * c * sizeof(float)) ==
           0;
}

TEST(outside_the_span_every_bit_stays)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    const int rates[] = {48000, 44100, 22050, 96000}, channels[] = {1, 2, 3, 1};
    for (int i = 0; i < 8; i++) {
        int rate = rates[i % 4];
        struct ebb_sound in = recording(1.5, rate, channels[i % 4]);
        const char *band = RAIN "from=0.5 to=0.9 resample=1 high=5000",
                   *all = RAIN "from=0.5 to=0.9 resample=1";
        struct ebb_sound out = edit(model, i < 4 ? all : band, &in);
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
    struct ebb_sound out = edit(model, RAIN "before=0.5 after=4", &in); // more than a window
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
    for (size_t i = 0; i < in.frames; i++)
        in.samples[i] *= 0.1f;
    struct ebb_sound out = edit(model, RAIN "low=2000 high=8000 resample=1", &in);
    float top = 0;
    for (size_t i = 0; i < in.frames; i++)
        top = fmaxf(top, fabsf(out.samples[i]));
    REQUIRE(top < 0.9f); // not bent by the limit at full scale
    for (size_t i = 0; i < in.frames; i++)
        out.samples[i] -= in.samples[i]; // what changed
    struct ebb_mel_params mp;
    ebb_mel_params_default(&mp);
    struct ebb_mel *mel = ebb_mel_create(&mp, NULL);
    double inside = 0, outside = 0;
    for (size_t k = 4; k < 100; k++) {
        ebb_stft_frame_of(mel->stft, out.samples, out.frames, k, mel->bins);
        for (int i = 0; i < mel->stft->bins; i++) {
            double hz = i * 48000.0 / 2048,
                   power = mel->bins[2 * i] * mel->bins[2 * i] + mel->bins[2 * i + 1] * mel->bins[2 * i + 1];
            *(hz > 1850 && hz < 8450 ? &inside : &outside) += power;
        }
    }
    REQUIRE(inside > 0.01);
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
    struct ebb_sound out = edit(model, RAIN "from=0.3 to=0.6", &in);
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
    const char *const words[] = {RAIN "from=0.4 to=3.6", RAIN "from=0.4 to=3.6 seed=3",
                                 RAIN "from=0.4 to=3.6 index=1", RAIN "from=0.4 to=3.6"}; // longer than a
                                                                                          // window
    for (int i = 0; i < 4; i++)
        out[i] = edit(model, words[i], &in);
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
    struct ebb_sound out = edit(model, "phase-iterations=2 from=0.5 to=1.4", &in); // its window is 0.7 s
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
    struct ebb_settled settled;
    struct ebb_recipe *recipe = generating("label=rain guidance=1 sampler=ddim steps=100");
    REQUIRE_OK(ebb_model_ready(model, e));
    REQUIRE_OK(ebb_settle_held(model, recipe, &settled, e));
    ebb_recipe_destroy(&recipe);
    settled.run.start = t;
    for (int i = 0; i < 128 * FRAMES; i++)
        mel[i] = 0.5f * sinf(0.1f * (i / FRAMES)) * cosf(0.05f * (i % FRAMES)) - 0.3f;
    struct ebb_regeneration r = {.settled = &settled,
                                 .angle = degrees * M_PI / 180,
                                 .from_recording = true,
                                 .mel = mel,
                                 .frames = FRAMES,
                                 .here_to = FRAMES,
                                 .to = FRAMES,
                                 .high = 128,
                                 .made = made,
                                 .was = was};
    REQUIRE_OK(ebb_regenerate(model, &r, e));
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
    char words[60];
    snprintf(words, sizeof(words), "label=kick steps=%d", steps);
    struct ebb_recipe *recipe = generating(words);
    float *state = calloc(count, sizeof(float)), *back = calloc(count, sizeof(float));
    REQUIRE_OK(ebb_edit_invert(model, recipe, t, latents, state, count, NULL, e));
    REQUIRE_OK(ebb_edit_return(model, recipe, t, state, back, count, NULL, e));
    double sum = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        sum += (back[i] - latents[i]) * (back[i] - latents[i]);
        size += latents[i] * latents[i];
    }
    free(state);
    free(back);
    ebb_recipe_destroy(&recipe);
    return sqrt(sum / size);
}

// Time goes down the pictures of AudioLDM's network, in diffusers as here.
TEST(latents_of_a_recording_have_the_shape_of_generated_ones)
{
    static const float silence[48000];
    struct ebb_model *model = open_tiny("tiny-audioldm");
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_GENERATE, "prompt=rain");
    int of_recording[4], generated[4];
    REQUIRE_OK(ebb_edit_latents(model, silence, 48000, NULL, 0, of_recording, e));
    REQUIRE_OK(ebb_generate_latents(model, recipe, NULL, 0, generated, NULL, e));
    printf("# %d x %d, generated %d x %d\n", of_recording[2], of_recording[3], generated[2], generated[3]);
    REQUIRE(memcmp(of_recording, generated, sizeof(generated)) == 0);
    ebb_recipe_destroy(&recipe);
    ebb_model_close(&model);
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
        double few = round_trip(model, 10, times[i], latents, count),
               many = round_trip(model, 40, times[i], latents, count);
        double most = round_trip(model, 160, times[i], latents, count);
        printf("# to %.1f and back: %.4f, %.4f, %.4f\n", times[i], few, many, most);
        REQUIRE(many < 0.5 * few && most < 0.5 * many); // first order: a quarter
        REQUIRE(most < 0.06);
    }
    struct ebb_error error;
    REQUIRE(ebb_edit_invert(model, NULL, 0, latents, latents, count, NULL, &error) == EBB_INVALID &&
            strstr(error.message, "t is 0"));
    REQUIRE(ebb_edit_invert(model, NULL, NAN, latents, latents, 3, NULL, &error) == EBB_INVALID);
    free(latents);
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

// The tiny models diffuse mels of known sounds: decoding what was encoded is not the identity, but folding
// is.
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
            REQUIRE_NEAR(back[band * 64 + k],
                         k < frames       ? values[band * frames + k]
                         : k > frames + 1 ? -1
                                          : back[band * 64 + k],
                         1e-6, "cell");
    free(values);
    ebb_mel_destroy(&mel);
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

// ---- how it is sounded ----

// A splice of a spectrogram that is the recording's own.
static struct ebb_sound spliced(struct ebb_model *model, const struct ebb_sound *in, bool from_recording,
                                size_t from, size_t to)
{
    struct ebb_error error = {0};
    REQUIRE(ebb_model_ready(model, &error) == EBB_OK);
    struct ebb_mel *mel = ebb_workspace_mel(model, &error);
    size_t frames = ebb_mel_frames(mel, in->frames);
    float *values = calloc(frames * 128, sizeof(float));
    struct ebb_sound out = *in;
    out.samples = malloc(in->frames * sizeof(float));
    memcpy(out.samples, in->samples, in->frames * sizeof(float));
    memset(out.samples + from, 0, (to - from) * sizeof(float)); // not to be seen
    REQUIRE_OK(ebb_mel_analyse(mel, in->samples, in->frames, values, e));
    struct ebb_resynthesis s = {
        .channel = in->samples,
        .recorded = in->samples,
        .count = in->frames,
        .scale = {-40, 50},
        .made = values,
        .was = values,
        .frames = (int)frames,
        .covered_to = (int)frames,
        .here_to = (int)frames,
        .from = from,
        .to = to,
        .fade = 240,
        .from_recording = from_recording,
        .goes_on = true,
        .iterations = 16,
        .seed = 1,
    };
    REQUIRE_OK(ebb_resynthesise(model, &s, out.samples, e));
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
        step = larger(step, fabs(out.samples[i] - out.samples[i - 1]));
        usual = larger(usual, fabs(in.samples[i] - in.samples[i - 1]));
    }
    double start = correlation(in.samples + from, out.samples + from, 1000);
    double end = correlation(in.samples + to - 1000, out.samples + to - 1000, 1000);
    printf("# in phase at the start %.3f, at the end %.3f, level %.1f dB, largest step %.2f of the tone's\n",
           start, end, 10 * log10(power / 0.045), step / usual);
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
    struct ebb_hooks hooks = {sizeof(hooks), .progress = count_calls, .user = &c};
    const char *words = RAIN "before=0.5 after=0.5";
    struct ebb_recipe *recipe = recipe_of(EBB_VERB_EDIT, words);
    out = edit_heard(model, words, &in, &hooks);
    ebb_sound_clear(&out);
    REQUIRE(!c.falls && c.calls > 2 * 13); // four steps, each but the last four times
    REQUIRE_NEAR(c.last, 1, 1e-12, "the end");
    for (int stop = 1, all = c.calls; stop <= all; stop += 5) {
        c = (struct count){.stop_at = stop};
        REQUIRE(ebb_edit(model, recipe, &in, &out, &hooks, NULL) == EBB_CANCELLED && !out.samples);
        REQUIRE(c.calls == stop);
    }
    ebb_recipe_destroy(&recipe);
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

// ---- what cannot be ----

static void refused(struct ebb_model *model, const char *words, const struct ebb_sound *in,
                    enum ebb_result code, const char *named)
{
    struct ebb_error error = {0};
    struct ebb_sound out = {0};
    char all[200];
    snprintf(all, sizeof(all), RAIN "%s", words);
    struct ebb_recipe *recipe = read_words(EBB_VERB_EDIT, all, &error);
    if (recipe)
        REQUIRE(ebb_edit_frames(model, recipe, in, &error) == 0);
    if (error.code != code || !strstr(error.message, named))
        TEST_FAIL("%s: \"%s\" (%s) does not say \"%s\"", words, error.message, ebb_result_name(error.code),
                  named);
    if (recipe)
        REQUIRE(ebb_edit(model, recipe, in, &out, NULL, NULL) == code && !out.samples);
    ebb_recipe_destroy(&recipe);
}

TEST(what_makes_no_sense_is_refused)
{
    static const struct {
        const char *words, *named;
    } bad[] = {
        {"from=-0.1", "0 to 86400"},
        {"from=1", "0 to 1, the recording's length"},
        {"from=nan", "from"},
        {"to=1.1", "0 to 1, the recording's length"},
        {"to=-inf", "to"},
        {"to=0", "from must be below to"},
        {"to=1e-5", "shorter than"},
        {"low=-1", "0 to 384000"},
        {"low=22050", "expected 0 to 22050"},
        {"high=22051", "expected 0 to 22050"},
        {"high=0", "ends at 0 Hz"},
        {"high=10", "narrower than"},
        {"low=3000 high=2000", "the lower comes first"},
        {"from=0.8 to=0.2", "from must be below to"},
        {"before=-1", "before"},
        {"before=601", "0 to 600"},
        {"after=1e-9", "after is"},
        {"after=1 t=0.5", "do one of the two"},
        {"t=0", "t is 0, where nothing changes"},
        {"t=-0.5", "t: \"-0.5\""},
        {"t=1.01", "0 to 1"},
        {"vary=-1", "0 to 90"},
        {"vary=91", "0 to 90"},
        {"resample=0", "1 to 100"},
        {"resample=101", "1 to 100"},
        {"steps=100000", "1 to 1000"},
        {"guidance=inf", "guidance"},
    };
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(1, 44100, 2);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        refused(model, bad[i].words, &in, EBB_INVALID, bad[i].named);
    refused(model, "label=snow", &in, EBB_NOT_FOUND, "snow");
    refused(model, "noise=torch", &in, EBB_NOT_FOUND, "edit has no setting \"noise\"");

    struct ebb_recipe *adaptive = recipe_of(EBB_VERB_EDIT, RAIN "from=0.5 sampler=rk45"); // by itself it is
                                                                                          // done without
    REQUIRE(ebb_edit_frames(model, adaptive, &in, NULL) == 44100);
    ebb_recipe_destroy(&adaptive);
    refused(model, "from=0.5 sampler=rk45 resample=2", &in, EBB_UNSUPPORTED, "done again");
    struct ebb_recipe *generate = generating("");
    struct ebb_error error;
    REQUIRE(ebb_edit_frames(model, generate, &in, &error) == 0 && error.code == EBB_WRONG_TYPE);
    ebb_recipe_destroy(&generate);

    size_t frames = in.frames;
    in.frames = 0;
    refused(model, "", &in, EBB_INVALID, "empty");
    in.frames = frames;
    in.rate = 10;
    refused(model, "", &in, EBB_INVALID, "10 Hz");
    in.rate = 44100;
    ebb_model_close(&model);

    model = open_tiny("tiny-denoise");
    refused(model, "", &in, EBB_WRONG_TYPE, "does not generate");
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

// ---- loops ----

static double step_at(const struct ebb_sound *s, size_t at, int channel)
{
    size_t before = (at + s->frames - 1) % s->frames;
    return fabs((double)s->samples[at * s->channels + channel] - s->samples[before * s->channels + channel]);
}

static double largest_step(const struct ebb_sound *s, int channel)
{
    double most = 0;
    for (size_t at = 1; at < s->frames; at++)
        most = fmax(most, step_at(s, at, channel));
    return most;
}

TEST(a_loops_join_is_made_anew_and_nothing_else)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    for (int channels = 1; channels <= 2; channels++) {
        struct ebb_sound in = recording(channels == 1 ? 3.00001 : 1, 44100, channels);
        for (size_t i = 0; i < in.frames; i++) // it ends as it does not begin
            for (int c = 0; c < channels; c++)
                in.samples[i * channels + c] += 0.6f * ((float)i / in.frames - 0.5f);
        REQUIRE(step_at(&in, 0, 0) > 2 * largest_step(&in, 0));
        struct ebb_sound out = edit(model, RAIN "loop=true", &in);
        size_t length = channels == 1 ? 22050 : 11025, half = length / 2 + 1, fade = 221; // frames of the
                                                                                          // join
        REQUIRE(out.frames == in.frames);
        REQUIRE(same_bits(&in, &out, half + fade, in.frames - half - fade, 0));
        REQUIRE(!same_bits(&in, &out, 0, 100, 0) && !same_bits(&in, &out, in.frames - 100, in.frames, 0));
        for (int c = 0; c < channels; c++)
            REQUIRE(step_at(&out, 0, c) <= largest_step(&out, c));
        ebb_sound_clear(&in);
        ebb_sound_clear(&out);
    }
    ebb_model_close(&model);
}

TEST(what_makes_no_loop_is_refused)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    struct ebb_sound in = recording(1, 44100, 1);
    static const char *const others[] = {"from=0.2", "to=0.5",  "low=100", "high=5000",
                                         "before=1", "after=1", "t=0.5",   "vary=30"};
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        char words[100];
        snprintf(words, sizeof(words), "loop=true %s", others[i]);
        refused(model, words, &in, EBB_INVALID, "do not go with it");
    }
    in.frames = 4409;
    refused(model, "loop=true", &in, EBB_INVALID, "a loop of 0.09998 seconds");
    in.frames = 4411;
    struct ebb_sound out = edit(model, RAIN "loop=true", &in);
    ebb_sound_clear(&out);
    ebb_sound_clear(&in);
    ebb_model_close(&model);
}

TEST(the_smallest_recordings_are_edited)
{
    struct ebb_model *model = open_tiny("tiny-sfx");
    for (int rate = 1000; rate <= 48000; rate += 23500) {
        struct ebb_sound in = recording(0.005, rate, 1);
        in.frames = 1;
        struct ebb_sound out = edit(model, RAIN "steps=1", &in);
        REQUIRE(out.frames == 1);
        ebb_sound_clear(&out);
        out = edit(model, RAIN "steps=1 after=0.1", &in);
        REQUIRE(out.frames == 1 + (size_t)(rate / 10));
        ebb_sound_clear(&out);
        ebb_sound_clear(&in);
    }
    ebb_model_close(&model);
}

TEST_MAIN
