// A sound to be rendered: its settings, where they come from (options, list, recipe) and what is done after the model.
#ifndef EBB_TOOLS_SOUND_H
#define EBB_TOOLS_SOUND_H

#include "tool.h"

enum { SOUND_NAME = 160, SOUND_LABEL = 160, SOUND_SAMPLER = 32 };

// Ours to say, not the library's default: a recipe has to mean the same in years.
enum { SOUND_PHASE_ITERATIONS = 16 };

// What a recipe records. Empty texts, steps 0 and NAN mean "as the model recommends" until sound_resolve().
struct sound_settings {
    char label[SOUND_LABEL]; // a label, or a mixture "rain:0.7,wind:0.3"
    char negative[SOUND_LABEL]; // label to guide away from; "": none
    uint64_t seed, index;
    uint64_t to_seed; // with share above 0: the other end of a path of sounds
    double share;     // where on it
    double seconds;
    char sampler[SOUND_SAMPLER];
    int steps;
    double guidance, eta;
    double guidance_from, guidance_to, rescale, classifier;
    char spacing[SOUND_SAMPLER]; // "": the model's
    struct ebb_tuning tuning;    // but for its spacing
    enum ebb_noise_source noise;
    int phase_iterations;
    bool student;   // by the model's distilled student
    bool trim;      // cut the silence around it
    double gain_db; // 0: none
    double lufs;    // integrated loudness to reach (ITU-R BS.1770), NAN: as it comes
    double peak_db; // peak to reach, dBFS, NAN: as it comes
    enum ebb_wav_format format;
};
void sound_settings_default(struct sound_settings *s);

struct sound_job {
    char name[SOUND_NAME]; // file name without ".wav"
    struct sound_settings settings;
    const char *where; // "sounds.csv:3: ", or ""; owned by the list
};

struct sound_list {
    struct sound_job *jobs;
    size_t count, capacity;
    char **places;
};
struct sound_job *sound_list_add(struct sound_list *list); // zeroed; NULL: out of memory
void sound_list_clear(struct sound_list *list);

// Reads a CSV (*.csv) or JSON Lines (any other name) file; `base` gives what a row leaves out. Exit code.
int sound_list_read(struct sound_list *list, const char *path, const struct sound_settings *base);

// Checks names, labels and samplers against the model and fills in what it recommends. Exit code.
int sound_list_resolve(struct sound_list *list, const struct tool_model *m);

// The same for one sound; `where` goes in front of messages. `whole`: made from nothing, which a student may do.
int sound_resolve(struct sound_settings *s, const struct tool_model *m, const char *where, bool whole);

// Resolved settings as the library takes them.
void sound_params(const struct sound_settings *s, const struct tool_model *m, struct ebb_generate_params *params);

// The labels of `s` into `params`, NULL: only looked at. Exit code.
int sound_labels(const struct sound_settings *s, const struct tool_model *m, const char *where,
                 struct ebb_generate_params *params);

// "rain-s1-003", when nobody gave a name; "rain-s1-s9-003" for number `number` of a path from seed to seed.
void sound_default_name(struct sound_job *job);
void sound_path_name(struct sound_job *job, uint64_t from, uint64_t to, int number);

// ---- recipes ----

// One line of JSON for the WAV's comment; malloc'd, NULL: out of memory.
char *sound_recipe(const struct sound_settings *s, const struct tool_model *m);

// Reads the recipe of a sound file. `model` (512) and `hash` (65) receive the model it was made with. Exit code.
int sound_recipe_read(const char *path, struct sound_settings *s, char *model, char *hash);

// Is this file the sound `recipe` describes? 1 yes, 0 another one, -1 not a sound of ours.
int sound_recipe_matches(const char *path, const char *recipe);

// ---- after the model ----

// Trims, and brings to the level asked for. Says so when a peak keeps it from that level.
void sound_finish(const struct sound_settings *s, const char *name, struct ebb_sound *sound);

#endif
