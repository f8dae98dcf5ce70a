// SPDX-License-Identifier: LGPL-2.1-or-later
// One run of `ebb render`: what the files render*.c share. render.c has the options, where sounds go, and the
// sounds one after the other; render_sounds.c says which sounds they are; render_make.c makes one;
// render_together.c finds the gain of --together.
#ifndef EBB_TOOLS_RENDER_H
#define EBB_TOOLS_RENDER_H

#include <ebb/ebb.h>

#include "claim.h"
#include "sound.h"

struct render {
    const char *label, *list, *like, *out, *page, *shard, *model, *device, *latents, *steps_folder;
    struct sound_naming naming;
    uint64_t to_seed; // UINT64_MAX: not given
    int count, threads, seed_count;
    double guidance_w;
    double stale; // seconds
    bool force, quiet, json, check;
    bool together; // one gain for all sounds
    bool piped;    // the one sound also goes down the pipe that standard output is

    struct ebb_recipe *given, *base; // what was given; what every sound begins with
    struct sound_origin origin;      // of --like
    struct sound_rows *rows;         // of --list
    struct sound_source sounds;
    struct sound_survey survey;
    struct tool_model m;
    struct tool_progress progress;
    char *last;              // owned: the file, where there is one sound
    bool reported;           // a sound at least, with --json
    size_t part, parts;      // of --shard, from 0
    struct claimer *claimer; // NULL: no other run can make the same file
    bool lost;               // the claim on the sound under way
    bool waits;              // for other runs: everything else is made
    size_t *passed;          // owned: the `claimed` sounds that others are making
    size_t passed_room;
    size_t made, kept, differ, claimed, failed;
    struct ebb_counts counts; // of the last sound
    int step_code;            // of --save-steps
};

// ---- render.c ----

// Whether the output is a file for one sound; otherwise it is a folder.
bool render_is_file(const struct render *r);
// Where a sound goes; for free(). NULL: out of memory.
char *render_output_path(const struct render *r, const struct sound_job *job);
// Makes the folders that a sound's name has in it. Exit code.
int render_make_folders(const char *path, const struct sound_job *job);

// ---- render_sounds.c ----

bool render_is_path(const struct render *r);   // of seeds, from --seed to --to-seed
bool render_is_stream(const struct render *r); // --like names a file that was recorded from a stream
// Opens the model and collects the sounds. Exit code.
int render_collect(struct render *r);

// ---- render_make.c ----

struct ebb_hooks render_hooks(struct render *r);
// Makes a sound as its recipe says, with its level and in its rate.
enum ebb_result render_make_sound(struct render *r, const struct sound_job *job, struct ebb_sound *sound,
                                  struct ebb_error *error);
// Makes a sound's file. Loads the model where that is left to do; the recipe then says on which device. Exit
// code.
int render_make_job(struct render *r, struct sound_job *job, const char *path);
// --save-latents and --save-steps. Exit code.
int render_save_latents(struct render *r);
// With --json: what became of a sound, how long it is and how long it took, in seconds.
void render_report(const struct render *r, const char *path, const char *status, double seconds, double took);

// ---- render_together.c ----

// Makes all sounds once to measure them. The gain then stands in their recipes, in the level's place. Exit
// code.
int render_level_together(struct render *r);

#endif
