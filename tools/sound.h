// SPDX-License-Identifier: LGPL-2.1-or-later
// A sound to be made: its name, its recipe, where it was asked for; and what is done after the model.
#ifndef EBB_TOOLS_SOUND_H
#define EBB_TOOLS_SOUND_H

#include "tool.h"

enum { SOUND_NAME = 1024 };

struct sound_job {
    char name[SOUND_NAME];     // path in the output folder, without the ending
    struct ebb_recipe *recipe; // owned
    char *where;               // owned: "sounds.csv:3: ", for messages; NULL: the command line
};
const char *sound_where(const struct sound_job *job); // never NULL

// Sounds that are asked for. Each is made up when it is its turn: of a million only a few bytes each are
// held.
struct sound_source {
    size_t count;
    int (*get)(const void *user, size_t i, struct sound_job *job); // sound `i`, not settled yet. Exit code
    const void *user;
    bool told_together; // rows of a list: all that is wrong with them is told, not the first mistake alone
    int code;           // of what was wrong before the first sound, and is said
};
// Sound `i`, not settled yet; to be cleared whatever the exit code.
int sound_get(const struct sound_source *source, size_t i, struct sound_job *job);
void sound_job_clear(struct sound_job *job);

// What is known of sounds that were all looked at.
struct sound_survey {
    struct ebb_recipe *first; // owned: the first sound's, settled
    bool one_sampler;         // all have the first one's
};
// Settles every sound once, and sees to it that no two are one file. Exit code: the first mistake's.
int sound_survey(struct sound_survey *survey, const struct sound_source *source, const struct tool_model *m);
void sound_survey_clear(struct sound_survey *survey);

// Settles one sound; its recipe then says its format. Exit code.
int sound_job_settle(struct sound_job *job, const struct tool_model *m);

// How sounds are named, and how many seeds each has.
struct sound_naming {
    const char *pattern; // of every name; NULL: as the sound is named anyway
    uint64_t seeds;      // 1 or more
};

// Names a sound: `folder` and `name` are templates that a list gives, "" where it does not. Exit code.
int sound_name(struct sound_job *job, const struct sound_naming *naming, const char *folder,
               const char *name);

// Takes the ending off a name that is written with its own: .flac asks for that format, unless the sound has
// one already. `what` is "name" or "--name". Exit code: no sound is written under an ending such as .mp3.
int sound_take_ending(struct sound_job *job, char *name, const char *what);

// A list of sounds: CSV, or JSON Lines. `base` gives what a row leaves out; it and the model are to outlive
// the list. NULL after saying why, with the exit code.
struct sound_rows;
struct sound_rows *sound_rows_read(const char *path, const struct ebb_recipe *base,
                                   const struct ebb_model *model, const struct sound_naming *naming,
                                   int *code);
void sound_rows_destroy(struct sound_rows **rows);
struct sound_source sound_rows_source(const struct sound_rows *rows);

// FNV-1a of 64 bits: what tells one recording, or one name, from another.
uint64_t sound_fingerprint(const void *data, size_t size);

// "rain-s1-s9-003", the name of number `number` of a path from seed to seed.
void sound_path_name(struct sound_job *job, uint64_t from, uint64_t to, int number);
// The default name with a number that is not the index: of a path between two prompts.
void sound_number_name(struct sound_job *job, int number);

// ---- recipes ----

// --guidance-w, another way to say --guidance. `w` NAN: not given. Exit code.
int sound_take_guidance_w(struct ebb_recipe *given, double w);
// clang-format off
#define SOUND_GUIDANCE_W(w) \
    {"guidance-w", 0, "W", TOOL_REAL, (w), -1, 99, "guidance in the other convention, guidance = 1 + W"}
// clang-format on

// Labels as the model spells them: "Rain" and "dog bark" become rain and dog_bark, in mixtures too.
void sound_spell_labels(struct ebb_recipe *recipe, const struct ebb_model *model);

// That loudness, peak and gain do not contradict each other. `where` goes in front of the message. Exit code.
int sound_check_level(const struct ebb_recipe *recipe, const char *where);

// ebb_model_settle(), after which a setting that has its initial value is open: one sound, one text. `where`
// goes in front of messages. Exit code.
int sound_settle(struct ebb_recipe *recipe, const struct tool_model *m, const char *where);

// Says which of the settings that were given change nothing with the sampler of the settled recipe.
void sound_warn(const struct ebb_recipe *given, const struct ebb_recipe *settled);

// The format that the recipe names, or `otherwise`; and the other way round. Exit code.
enum ebb_wav_format sound_format(const struct ebb_recipe *recipe, enum ebb_wav_format otherwise);
int sound_given_format(const struct ebb_recipe *recipe); // -1: it names none
int sound_set_format(struct ebb_recipe *recipe, enum ebb_wav_format format);

// The recipe as text, for the WAV's comment; malloc'd. NULL after saying that there is no memory.
char *sound_comment(const struct ebb_recipe *settled);

// What a sound file says of itself.
struct sound_origin {
    struct ebb_recipe *recipe; // owned
    size_t frames;             // SIZE_MAX: unknown
    int rate;                  // Hz
    enum ebb_wav_format format;
};
int sound_origin_read(struct sound_origin *origin, const char *path); // exit code
void sound_origin_clear(struct sound_origin *origin);

// A sum over what a settled recipe says of the sound: the same for the same sound on another machine.
uint64_t sound_recipe_fingerprint(const struct ebb_recipe *settled);

// Whether the file's recipe asks for the same sound as the settled one.
bool sound_is_there(const char *path, const struct ebb_recipe *settled, const struct tool_model *m);

// ---- after the model ----

// Trims, and brings to the level asked for. The end fades within the silence that --trim keeps, so that the
// cut is not heard. Says so when a peak keeps the sound from that level.
enum ebb_result sound_finish(const struct ebb_recipe *recipe, const char *name, struct ebb_sound *sound,
                             struct ebb_error *error);

// The parts of that, for a sound that is not in memory.
bool sound_is_cut(const struct ebb_recipe *recipe);       // at its start or its end
bool sound_keeps_length(const struct ebb_recipe *recipe); // it was asked for: silence follows a cut
bool sound_has_level(const struct ebb_recipe *recipe);    // is to be brought to one

struct sound_level {
    double lufs, peak; // -INFINITY: no loudness; a factor
};
// Fails for lack of memory alone: what libebur128 does not measure has no loudness.
enum ebb_result sound_measure(const struct ebb_sound *sound, struct sound_level *level,
                              struct ebb_error *error);
// dB that bring it to the level asked for; 0 for silence.
double sound_gain(const struct ebb_recipe *recipe, const char *name, const struct sound_level *level);

#endif
