// A sound's recipe: one line of JSON in the WAV's comment, enough to make the same samples again.
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "sound.h"

enum { RECIPE_FORMAT = 1, NOISE_VERSION = 1 };

// ---- writing ----

static json_t *real_or_null(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

// The numbers of a tuning and what they are called; one that is the default is not written.
struct tuning_key {
    const char *name;
    size_t at;
    double low, high;
};
static const struct tuning_key tuning_keys[] = {
    {"rtol", offsetof(struct ebb_tuning, rtol), 0, 1},           {"atol", offsetof(struct ebb_tuning, atol), 0, 1},
    {"churn", offsetof(struct ebb_tuning, s_churn), 0, 1e6},     {"churn_from", offsetof(struct ebb_tuning, s_tmin), 0, 1e6},
    {"churn_to", offsetof(struct ebb_tuning, s_tmax), 0, 1e6},   {"churn_noise", offsetof(struct ebb_tuning, s_noise), 0, 10},
    {"corrector_snr", offsetof(struct ebb_tuning, snr), 0, 10},  {"threshold", offsetof(struct ebb_tuning, threshold), 0, 1},
};
enum { TUNING_KEYS = sizeof(tuning_keys) / sizeof(tuning_keys[0]) };

static double *tuned(struct ebb_tuning *t, const struct tuning_key *key)
{
    return (double *)((char *)t + key->at);
}

static void write_tuning(json_t *o, const struct sound_settings *s)
{
    struct ebb_tuning usual, mine = s->tuning;
    ebb_tuning_default(&usual);
    if (s->spacing[0])
        json_object_set_new(o, "spacing", json_string(s->spacing));
    for (int i = 0; i < TUNING_KEYS; i++) {
        double value = *tuned(&mine, &tuning_keys[i]);
        if (!isnan(value) && value != *tuned(&usual, &tuning_keys[i]))
            json_object_set_new(o, tuning_keys[i].name, json_real(value));
    }
}

char *sound_recipe(const struct sound_settings *s, const struct tool_model *m)
{
    json_t *o = json_object();
    json_object_set_new(o, "ebb", json_integer(RECIPE_FORMAT));
    json_object_set_new(o, "model", json_string(m->info->name));
    json_object_set_new(o, "model_sha256", json_string(m->info->hash));
    json_object_set_new(o, "label", text_or_null(s->label));
    json_object_set_new(o, "seed", json_integer((json_int_t)s->seed));
    json_object_set_new(o, "index", json_integer((json_int_t)s->index));
    if (s->share > 0) {
        json_object_set_new(o, "to_seed", json_integer((json_int_t)s->to_seed));
        json_object_set_new(o, "share", json_real(s->share));
    }
    json_object_set_new(o, "seconds", json_real(s->seconds));
    json_object_set_new(o, "sampler", json_string(s->sampler));
    json_object_set_new(o, "steps", json_integer(s->steps));
    json_object_set_new(o, "guidance", json_real(s->guidance));
    if (s->student)
        json_object_set_new(o, "student", json_true());
    if (s->guidance_from > 0)
        json_object_set_new(o, "guidance_from", json_real(s->guidance_from));
    if (s->guidance_to < 1)
        json_object_set_new(o, "guidance_to", json_real(s->guidance_to));
    if (s->classifier > 0)
        json_object_set_new(o, "classifier_guidance", json_real(s->classifier));
    if (s->rescale > 0)
        json_object_set_new(o, "rescale", json_real(s->rescale));
    if (s->negative[0])
        json_object_set_new(o, "negative", json_string(s->negative));
    json_object_set_new(o, "eta", json_real(s->eta));
    write_tuning(o, s);
    json_object_set_new(o, "noise", json_string(s->noise == EBB_NOISE_TORCH ? "torch" : "philox"));
    json_object_set_new(o, "noise_version", json_integer(NOISE_VERSION));
    json_object_set_new(o, "phase_iterations", json_integer(s->phase_iterations));
    json_object_set_new(o, "trim", json_boolean(s->trim));
    json_object_set_new(o, "gain_db", json_real(s->gain_db));
    json_object_set_new(o, "lufs", real_or_null(s->lufs));
    json_object_set_new(o, "peak_db", real_or_null(s->peak_db));
    json_object_set_new(o, "format", json_string(tool_format_names[s->format]));
    json_object_set_new(o, "version", json_string(ebb_version()));
    if (m->device)
        json_object_set_new(o, "device", json_string(ebb_device_description(m->device)));
    json_object_set_new(o, "licence", text_or_null(m->info->licence));
    json_object_set_new(o, "credit", text_or_null(m->info->credit));
    char *text = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(o);
    return text;
}

// ---- reading ----

static json_t *load(const char *path, int *code)
{
    struct ebb_error error = {0};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, &error);
    if (!reader) {
        *code = tool_error(&error);
        return NULL;
    }
    const char *comment = ebb_sound_reader_info(reader)->comment;
    json_t *o = comment ? json_loads(comment, 0, NULL) : NULL;
    ebb_sound_reader_close(&reader);
    if (json_is_integer(json_object_get(o, "ebb")) && json_is_string(json_object_get(o, "model")) &&
        json_is_string(json_object_get(o, "sampler")))
        return o;
    const char *other = json_object_get(o, "ebb_edit") ? "edit" : json_object_get(o, "ebb_denoise") ? "denoise" : NULL;
    *code = other ? tool_fail(TOOL_UNREADABLE, "%s: ebb %s made it out of a recording, which its recipe has not got: only what "
                                               "ebb render wrote can be made again", path, other)
                  : tool_fail(TOOL_UNREADABLE, "%s: there is no recipe in it; only what ebb render wrote has one", path);
    json_decref(o);
    return NULL;
}

static bool take_text(const json_t *o, const char *key, char *out, size_t size)
{
    const json_t *v = json_object_get(o, key);
    const char *text = json_is_string(v) ? json_string_value(v) : "";
    if ((v && !json_is_null(v) && !json_is_string(v)) || strlen(text) >= size)
        return false;
    memcpy(out, text, strlen(text) + 1);
    return true;
}

// Absent or null leaves the default.
static bool take_real(const json_t *o, const char *key, double low, double high, double *out)
{
    const json_t *v = json_object_get(o, key);
    if (!v || json_is_null(v))
        return true;
    *out = json_number_value(v);
    return json_is_number(v) && *out >= low && *out <= high;
}

static bool take_seed(const json_t *o, const char *key, uint64_t *out)
{
    const json_t *v = json_object_get(o, key);
    *out = (uint64_t)json_integer_value(v);
    return json_is_integer(v) && json_integer_value(v) >= 0;
}

static bool take_int(const json_t *o, const char *key, int low, int high, int *out)
{
    const json_t *v = json_object_get(o, key);
    json_int_t value = json_integer_value(v);
    *out = value >= low && value <= high ? (int)value : low;
    return json_is_integer(v) && value >= low && value <= high;
}

static bool take_tuning(const json_t *o, struct sound_settings *s)
{
    bool ok = take_text(o, "spacing", s->spacing, sizeof(s->spacing));
    for (int i = 0; i < TUNING_KEYS; i++)
        ok = ok && take_real(o, tuning_keys[i].name, tuning_keys[i].low, tuning_keys[i].high, tuned(&s->tuning, &tuning_keys[i]));
    return ok;
}

int sound_recipe_read(const char *path, struct sound_settings *s, char *model, char *hash)
{
    int code = TOOL_OK;
    json_t *o = load(path, &code);
    if (!o)
        return code;
    sound_settings_default(s);
    s->guidance_from = 0; // what is not written is the whole way
    s->guidance_to = 1;
    char noise[16], format[16];
    bool ok = take_text(o, "model", model, 512) && take_text(o, "model_sha256", hash, 65) &&
              take_text(o, "label", s->label, sizeof(s->label)) && take_seed(o, "seed", &s->seed) &&
              take_seed(o, "index", &s->index) && take_real(o, "share", 0, 1, &s->share) &&
              (s->share <= 0 || take_seed(o, "to_seed", &s->to_seed)) && take_real(o, "seconds", 0, 3600, &s->seconds) &&
              take_text(o, "sampler", s->sampler, sizeof(s->sampler)) && take_int(o, "steps", 1, 1000, &s->steps) &&
              take_real(o, "guidance", 0, 100, &s->guidance) && take_real(o, "eta", EBB_ETA_OWN, 1, &s->eta) &&
              take_real(o, "guidance_from", 0, 1, &s->guidance_from) && take_real(o, "guidance_to", 0, 1, &s->guidance_to) &&
              take_real(o, "rescale", 0, 1, &s->rescale) && take_text(o, "negative", s->negative, sizeof(s->negative)) &&
              take_real(o, "classifier_guidance", 0, 1000, &s->classifier) &&
              take_tuning(o, s) && take_text(o, "noise", noise, sizeof(noise)) &&
              take_int(o, "phase_iterations", -1, 1000, &s->phase_iterations) &&
              take_real(o, "gain_db", -120, 60, &s->gain_db) && take_real(o, "lufs", -70, 0, &s->lufs) &&
              take_real(o, "peak_db", -70, 0, &s->peak_db) && take_text(o, "format", format, sizeof(format)) &&
              tool_format("format", format, &s->format);
    json_int_t version = json_integer_value(json_object_get(o, "noise_version"));
    s->noise = ok && strcmp(noise, "torch") == 0 ? EBB_NOISE_TORCH : EBB_NOISE_PHILOX;
    s->trim = json_is_true(json_object_get(o, "trim"));
    s->student = json_is_true(json_object_get(o, "student"));
    json_decref(o);
    if (!ok)
        return tool_fail(TOOL_UNREADABLE, "%s: its recipe is damaged", path);
    if (version != NOISE_VERSION)
        return tool_fail(TOOL_UNREADABLE, "%s: made with noise version %lld, this ebb has %d", path, (long long)version,
                         NOISE_VERSION);
    return TOOL_OK;
}

int sound_recipe_matches(const char *path, const char *recipe)
{
    static const char *const beside_the_point[] = {"version", "device", "licence", "credit"};
    struct ebb_sound_reader *reader = ebb_sound_reader_open(path, NULL);
    if (!reader)
        return -1;
    const char *comment = ebb_sound_reader_info(reader)->comment;
    json_t *there = comment ? json_loads(comment, 0, NULL) : NULL;
    json_t *wanted = json_loads(recipe, 0, NULL);
    ebb_sound_reader_close(&reader);
    bool ours = json_object_get(there, "ebb") || json_object_get(there, "ebb_edit");
    int matches = ours ? 0 : -1;
    for (size_t i = 0; i < sizeof(beside_the_point) / sizeof(beside_the_point[0]); i++) {
        json_object_del(there, beside_the_point[i]);
        json_object_del(wanted, beside_the_point[i]);
    }
    if (matches == 0)
        matches = json_equal(there, wanted);
    json_decref(there);
    json_decref(wanted);
    return matches;
}
