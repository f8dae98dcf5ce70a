// SPDX-License-Identifier: LGPL-2.1-or-later
// The table of settings: a row for every setting of every verb. A new setting is a row here, and its use.
#include "recipe/table.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <ebb/sampler.h>

#include "base/base.h"
#include "base/near.h"
#include "base/plain.h"

// ---- choices ----

static const char *sampler_name(size_t index)
{
    const struct ebb_sampler_info *info = ebb_sampler_next(NULL);
    while (info && index-- > 0)
        info = ebb_sampler_next(info);
    return info ? info->name : NULL;
}

static const char *spacing_name(size_t index)
{
    const struct ebb_spacing *spacing = ebb_spacing_next(NULL);
    while (spacing && index-- > 0)
        spacing = ebb_spacing_next(spacing);
    return spacing ? spacing->name : NULL;
}

static const char *noise_name(size_t index)
{
    static const char *const names[] = {"philox", "torch"};
    return index < 2 ? names[index] : NULL;
}

static const char *precision_name(size_t index)
{
    static const char *const names[] = {"fp32", "bf16", "auto"};
    return index < 3 ? names[index] : NULL;
}

static const char *variance_name(size_t index)
{
    static const char *const names[] = {"fixed-small", "fixed-large"};
    return index < 2 ? names[index] : NULL;
}

static const char *format_name(size_t index)
{
    static const char *const names[] = {"wav16",  "wav24", "wav32f", "wav32i",
                                        "wav64f", "flac",  "flac24", "ogg"};
    return index < sizeof(names) / sizeof(*names) ? names[index] : NULL;
}

// ---- rows ----

#define G (1u << EBB_VERB_GENERATE)
#define S (1u << EBB_VERB_STREAM)
#define E (1u << EBB_VERB_EDIT)
#define D (1u << EBB_VERB_DENOISE)

#define FLAG .type = EBB_SETTING_FLAG, .high = 1, .initial = "0"
#define WHOLE(l, h) .type = EBB_SETTING_WHOLE, .argument = "N", .low = (l), .high = (h)
#define REAL(l, h) .type = EBB_SETTING_REAL, .argument = "X", .low = (l), .high = (h)
#define TIME(l, h) .type = EBB_SETTING_REAL, .argument = "T", .low = (l), .high = (h)
#define SECONDS(l, h) .type = EBB_SETTING_REAL, .argument = "S", .unit = "s", .low = (l), .high = (h)
#define HERTZ .type = EBB_SETTING_REAL, .argument = "HZ", .unit = "Hz", .low = 0, .high = 384000
#define DECIBELS(l, h) .type = EBB_SETTING_REAL, .argument = "DB", .unit = "dB", .low = (l), .high = (h)
#define SEED .type = EBB_SETTING_SEED, .argument = "N", .high = (double)INT64_MAX, .initial = "0"
#define NAME .type = EBB_SETTING_TEXT, .argument = "NAME"
#define FILE_NAME .type = EBB_SETTING_TEXT, .argument = "FILE"
#define WORDS .type = EBB_SETTING_TEXT, .argument = "TEXT"
#define CHOICE(list) .type = EBB_SETTING_CHOICE, .argument = "NAME", .choice = (list)
#define RECORD .role = EBB_ROLE_RECORD, .verbs = G | S | E | D

static const struct ebb_setting rows[] = {
    // what is made
    {"label", NAME, .verbs = G | S | E, .letter = 'l', .open = "no label; of a stream, the model's",
     .help = "what to make: a label of the model, none, or a mixture like rain:0.7,wind:0.3"},
    {"negative", NAME, .verbs = G | S | E, .open = "no label",
     .help = "guide away from this label; none: from no label"},
    {"prompt", WORDS, .verbs = G | S | E, .open = "no words",
     .help = "what to make, in words: for a model that is asked so"},
    {"negative-prompt", WORDS, .verbs = G | S | E, .open = "no words", .help = "guide away from these words"},
    {"to-prompt", WORDS, .verbs = G | S | E, .open = "no path",
     .help = "the other end of a path of sounds that begins at the prompt"},
    {"encoding", FILE_NAME, .verbs = G | S | E,
     .help = "what to make, as a .npy of the numbers that the network sees: for a model that is asked so",
     .open = "no encoding"},
    {"seed", SEED, .verbs = G | S | E | D, .letter = 's',
     .help = "all noise follows from it: the same seed makes the same sound"},
    {"index", SEED, .verbs = G | E, .letter = 'i', .help = "number of the sound under its seed"},
    {"to-seed", SEED, .verbs = G | E, .help = "the other end of a path of sounds that begins at the seed"},
    {"share", REAL(0, 1), .verbs = G | S | E, .initial = "0",
     .help = "place on a path between two seeds or two prompts: 0 at the first, 1 at the other end"},
    {"seconds", SECONDS(0, 86400), .verbs = G, .initial = "0",
     .help = "length; 0 is one window of the model; a longer event comes again with each window"},
    {"seconds", SECONDS(0, 86400), .verbs = S, .initial = "0",
     .help = "length of a loop; 0 is one window of the model"},
    {"fade", SECONDS(0, 60), .verbs = G, .open = "0.1 s for an event that is cut short, otherwise 10 ms",
     .help = "how long the sound takes to end"},
    {"channels", WHOLE(1, 2), .verbs = G, .initial = "1", .help = "1, or 2 for stereo"},
    {"width", REAL(0, 1), .verbs = G, .initial = "0.5",
     .help = "of stereo: how far the channels are apart, 0 (the same) to 1 (nothing in common)"},
    {"width", REAL(0, 1), .verbs = S, .initial = "0",
     .help = "of stereo: how far the channels are apart, 0 (the same) to 1 (nothing in common)"},
    {"loop", FLAG, .verbs = G | S | E,
     .help = "a sound whose end runs into its start, to be played in a ring"},

    // what an edit changes
    {"from", SECONDS(0, 86400), .verbs = E, .initial = "0", .help = "where the edit begins"},
    {"to", SECONDS(0, 86400), .verbs = E, .initial = "inf",
     .help = "where the edit ends (default: the recording's end)"},
    {"low", HERTZ, .verbs = E, .initial = "0", .help = "the lowest frequency that is edited"},
    {"high", HERTZ, .verbs = E, .initial = "inf",
     .help = "the highest frequency that is edited (default: all)"},
    {"before", SECONDS(0, 600), .verbs = E, .initial = "0", .help = "new sound in front of the recording"},
    {"after", SECONDS(0, 600), .verbs = E, .initial = "0", .help = "new sound behind the recording"},
    {"t", TIME(0, 1), .verbs = E, .letter = 't', .open = "1, or 0.9 with vary",
     .help = "diffusion time at which the reverse process starts: near 0 little changes, at 1 everything"},
    {"vary", .type = EBB_SETTING_REAL, .argument = "DEG", .unit = "degrees", .high = 90, .verbs = E,
     .letter = 'v', .initial = "90",
     .help = "turn the recording's own noise: 0 stays nearest to the recording, 90 is fresh noise"},
    {"resample", WHOLE(1, 100), .verbs = E, .letter = 'r',
     .open = "4 where old sound stays beside new, otherwise 1",
     .help = "times that each step is done: more make new and old sound agree better (RePaint)"},

    // what the denoiser does
    {"t", TIME(0, 1), .verbs = D, .letter = 't',
     .help = "how much to clean: 0 leaves the sound alone, bit for bit; 1 takes out all the model can"},
    {"auto-t", FLAG, .verbs = D, .help = "measure the noise and choose t"},
    {"wet", REAL(0, 1), .verbs = D, .letter = 'w', .initial = "1",
     .help = "share of the cleaned sound in the output"},
    {"live", FLAG, .verbs = D, .help = "small windows: latency under 0.3 s, less context"},
    {"live-hop", WHOLE(1, 64), .unit = "frames", .verbs = D, .initial = "8",
     .help = "live: frames that are cleaned at a time; fewer wait less and compute more"},
    {"live-ahead", WHOLE(0, 64), .unit = "frames", .verbs = D, .initial = "4",
     .help = "live: frames that are looked at beyond them; fewer wait less and clean less"},

    // the reverse process
    {"sampler", CHOICE(sampler_name), .verbs = G | S | E | D,
     .help = "how the steps are done; ebb samplers lists them"},
    {"steps", WHOLE(1, 1000), .verbs = G | S | E | D, .help = "steps of the sampler"},
    {"student", .type = EBB_SETTING_FLAG, .high = 1, .verbs = G | S,
     .help = "let the student make the sound, with its own settings"},
    {"guidance", REAL(0, 100), .verbs = G | S | E, .letter = 'g',
     .help = "1: none; more follows the label more closely"},
    {"guidance-from", TIME(0, 1), .verbs = G | S | E, .help = "guide only at diffusion times from this one"},
    {"guidance-to", TIME(0, 1), .verbs = G | S | E, .help = "guide only at diffusion times up to this one"},
    {"rescale", REAL(0, 1), .verbs = G | S | E, .initial = "0",
     .help = "undo the growth of the deviation under guidance: 0 not at all, 1 all of it"},
    {"classifier-guidance", REAL(0, 1000), .verbs = G | S | E, .initial = "0",
     .help = "follow the model's classifier, beside or instead of guidance; 0: off"},
    {"eta", REAL(0, 1), .verbs = G | S | E, .help = "fresh noise per step, for samplers that have it"},
    {"variance", CHOICE(variance_name), .verbs = G | S | E,
     .help = "ddpm: the least or the most noise of a step"},
    {"spacing", CHOICE(spacing_name), .verbs = G | S | E, .help = "which noise levels are visited"},
    {"tolerance", REAL(1e-9, 1), .verbs = G | S | E, .initial = "0.001",
     .help = "rk45: error allowed per step"},
    {"churn", REAL(0, 1e6), .verbs = G | S | E, .initial = "0",
     .help = "euler, heun, dpm2: noise that is added before each step"},
    {"churn-from", REAL(0, 1e6), .verbs = G | S | E, .initial = "0",
     .help = "churn only from this noise ratio sigma / alpha"},
    {"churn-to", REAL(0, 1e6), .verbs = G | S | E, .initial = "inf",
     .help = "churn only up to this noise ratio (default: all)"},
    {"churn-noise", REAL(0, 10), .verbs = G | S | E, .help = "deviation of the churn's noise"},
    {"corrector-snr", REAL(0, 10), .verbs = G | S | E, .help = "pc: signal to noise of a corrector's step"},
    {"threshold", REAL(0, 1), .verbs = G | S | E, .initial = "0",
     .help = "dynamic thresholding of the clean estimate at this quantile, such as 0.995; 0: none"},
    {"noise", CHOICE(noise_name), .verbs = G, .initial = "philox",
     .help = "philox, or torch: torch.Generator().manual_seed(seed), to compare with diffusers"},
    {"precision", CHOICE(precision_name), .verbs = G | S | E | D, .initial = "fp32",
     .help = "the network's arithmetic: bf16 is faster on CPUs that have it; auto: where it is exact enough"},
    {"phase-iterations", WHOLE(0, 1000), .verbs = G | S | E, .initial = "16",
     .help = "Griffin-Lim iterations"},

    // a stream's clips
    {"num-clips", WHOLE(0, 4294967295.0), .verbs = S, .initial = "0",
     .help = "clips before the end; 0: without end"},
    {"crossfade", SECONDS(0, 60), .verbs = S, .open = "a quarter of a window",
     .help = "how long the windows of a texture overlap; 0: as little as can be"},
    {"gap", SECONDS(0, 3600), .verbs = S, .initial = "0.25", .help = "silence after each clip of an event"},

    // after the sound is made
    {"trim", FLAG, .role = EBB_ROLE_FINISH, .verbs = G,
     .help = "cut the silence around each sound (60 dB below its peak)"},
    {"lead", SECONDS(0, 60), .role = EBB_ROLE_FINISH, .verbs = G, .initial = "",
     .help = "how much stays of what lies before a sound's attack (default: 5 ms of an event, all of a "
             "texture; 60 leaves all)"},
    {"gain", DECIBELS(-120, 60), .role = EBB_ROLE_FINISH, .verbs = G, .initial = "0",
     .help = "make the sound louder or softer"},
    {"lufs", .type = EBB_SETTING_REAL, .argument = "L", .unit = "LUFS", .low = -70, .high = 0,
     .role = EBB_ROLE_FINISH, .verbs = G, .initial = "",
     .help = "bring the sound to this loudness (ITU-R BS.1770), as far as its peak allows"},
    {"peak", DECIBELS(-70, 0), .role = EBB_ROLE_FINISH, .verbs = G, .initial = "",
     .help = "bring the peak to this level, dBFS"},
    {"rate", .type = EBB_SETTING_WHOLE, .argument = "HZ", .unit = "Hz", .low = 8000, .high = 192000,
     .role = EBB_ROLE_FINISH, .verbs = G, .initial = "",
     .help = "resample the sound to this rate (default: the model's)"},
    {"format", CHOICE(format_name), .role = EBB_ROLE_FINISH, .verbs = G | E | D, .letter = 'f', .initial = "",
     .help = "how samples are stored"},

    // records
    {"model", NAME, RECORD, .help = "name of the model"},
    {"model-sha256", NAME, RECORD, .help = "SHA-256 over the model's weights and configs"},
    {"noise-version", WHOLE(1, 1000), RECORD, .help = "layout of the noise addresses"},
    {"version", NAME, RECORD, .help = "version of Ebb"},
    {"device", NAME, RECORD, .help = "device on which the network ran"},
    {"licence", NAME, RECORD, .help = "licence of the model"},
    {"credit", NAME, RECORD, .help = "author that the model's licence asks to name"},
    {"source", NAME, .role = EBB_ROLE_RECORD, .verbs = E | D, .help = "file name of the recording"},
    {"source-print", SEED, .role = EBB_ROLE_RECORD, .verbs = E, .help = "a sum over the recording's samples"},
};
enum { ROWS = sizeof(rows) / sizeof(rows[0]) };

size_t ebb_setting_count(void)
{
    return ROWS;
}

size_t ebb_setting_index(const struct ebb_setting *row)
{
    return (size_t)(row - rows);
}

const struct ebb_setting *ebb_setting_next(const struct ebb_setting *previous)
{
    if (!previous)
        return rows;
    return previous + 1 < rows + ROWS ? previous + 1 : NULL;
}

bool ebb_setting_applies(const struct ebb_setting *row, enum ebb_verb verb)
{
    return row->verbs >> verb & 1;
}

const struct ebb_setting *ebb_setting_look(enum ebb_verb verb, const char *name)
{
    // A list of a million rows looks settings up some hundred million times: the first letter saves most
    // calls.
    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].name[0] == name[0] && rows[i].verbs >> verb & 1 && strcmp(rows[i].name, name) == 0)
            return &rows[i];
    return NULL;
}

const struct ebb_setting *ebb_setting_find(enum ebb_verb verb, const char *name, struct ebb_error *error)
{
    const struct ebb_setting *row = ebb_setting_look(verb, name);
    if (row || !error) // without a message nobody hears of a near name
        return row;
    struct ebb_near near = ebb_near_begin(name);
    EBB_EACH_SETTING (other)
        if (ebb_setting_applies(other, verb) && other->role != EBB_ROLE_RECORD)
            ebb_near_try(&near, other->name);
    ebb_fail(error, EBB_NOT_FOUND, "%s has no setting \"%.60s\"%s%s%s", ebb_verb_name(verb), name,
             near.best ? " (did you mean " : "", near.best ? near.best : "", near.best ? "?)" : "");
    return NULL;
}

const char *ebb_verb_name(enum ebb_verb verb)
{
    static const char *const names[EBB_VERBS] = {"generate", "stream", "edit", "denoise"};
    return (unsigned)verb < EBB_VERBS ? names[verb] : NULL;
}

// ---- what is allowed ----

static char *list_choices(const struct ebb_setting *row, char *text, size_t size)
{
    size_t used = 0;
    const char *name;
    for (size_t i = 0; (name = row->choice(i)) && used < size; i++)
        used += (size_t)snprintf(text + used, size - used, "%s%s", i ? ", " : "", name);
    return text;
}

char *ebb_setting_range(const struct ebb_setting *row, char *text, size_t size)
{
    if (size > 0)
        *text = 0;
    switch (row->type) {
    case EBB_SETTING_FLAG: snprintf(text, size, "true, false"); break;
    case EBB_SETTING_SEED: snprintf(text, size, "0 to 9223372036854775807"); break;
    case EBB_SETTING_WHOLE:
    case EBB_SETTING_REAL: ebb_plain_print(text, size, "%.15g to %.15g", row->low, row->high); break;
    case EBB_SETTING_TEXT: break;
    case EBB_SETTING_CHOICE: return list_choices(row, text, size);
    }
    return text;
}

const char *ebb_setting_choose(const struct ebb_setting *row, const char *text, struct ebb_error *error)
{
    struct ebb_near near = ebb_near_begin(text);
    const char *name;
    for (size_t i = 0; (name = row->choice(i)); i++) {
        if (ebb_plain_same(name, text, SIZE_MAX))
            return name;
        ebb_near_try(&near, name);
    }
    char all[400];
    ebb_fail(error, EBB_NOT_FOUND, "there is no %s \"%.40s\"%s%s%s; there are: %s", row->name, text,
             near.best ? " (did you mean " : "", near.best ? near.best : "", near.best ? "?)" : "",
             list_choices(row, all, sizeof(all)));
    return NULL;
}
