// SPDX-License-Identifier: LGPL-2.1-or-later
// What the subcommands of `ebb` share: commands and options as tables, messages, exit codes, progress.
#ifndef EBB_TOOLS_TOOL_H
#define EBB_TOOLS_TOOL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <ebb/ebb.h>

// ---- commands ----

// Documented in ebb(1); a script may rely on them.
enum tool_exit {
    TOOL_OK = 0,
    TOOL_FAILED = 1,     // anything else
    TOOL_USAGE = 2,      // options, values, columns
    TOOL_NOT_FOUND = 3,  // file, model, label, sampler
    TOOL_UNREADABLE = 4, // found, but not usable: permissions, corrupt, wrong type, unsupported
    TOOL_UNWRITABLE = 5, // permissions, disk full
    TOOL_NO_DEVICE = 6,  // the device cannot be used, or failed
    TOOL_INTERRUPTED = 130,
};

struct tool_command {
    const char *name;
    const char *summary;  // a line
    const char *usage;    // what follows the name
    const char *details;  // paragraphs for --help; NULL: none
    const char *examples; // lines
    int (*run)(const struct tool_command *command, int argc, char **argv); // exit code
};

extern const struct tool_command tool_bench, tool_denoise, tool_edit, tool_eval, tool_info, tool_labels,
    tool_mel, tool_plot, tool_render, tool_samplers, tool_schedules, tool_settings, tool_tokens;

// ---- options ----

enum tool_kind {
    TOOL_FLAG, // bool
    TOOL_TEXT, // const char *
    TOOL_NAME, // const char *, not empty
    TOOL_INT,  // int
    TOOL_REAL, // double
    TOOL_SEED, // uint64_t, 0..2^63-1
};

// A table of these, ended by one without a name, is both the parser and the help.
struct tool_option {
    const char *name;
    char letter;          // 0: none
    const char *argument; // "N"; NULL for a flag
    enum tool_kind kind;
    void *value; // what `kind` says, set when the option is given
    double low, high;
    const char *help;
};

// Help for --device: what ebb_device_create() takes.
#define TOOL_DEVICES                                                                                         \
    "auto (default), cpu, ref, vulkan, vulkan:N, or vulkan:NAME, part of a GPU's name. ebb info devices "    \
    "lists them"

// Reads options into their values and prints help. Returns -1 to go on with argv[*first..argc-1], or an exit
// code.
int tool_options(const struct tool_command *command, const struct tool_option *options, int argc, char **argv,
                 int *first);

// The same, and every setting of the recipe's verb is an option too, read into `recipe`. An option of the
// command hides a setting of its name, and keeps its letter.
int tool_recipe_options(const struct tool_command *command, const struct tool_option *options,
                        struct ebb_recipe *recipe, int argc, char **argv, int *first);

// Whether somebody may ask for this setting.
bool tool_is_asked(const struct ebb_setting *row, enum ebb_verb verb);

// Sets a setting from text. Otherwise says what is wrong, of `what` ("--steps", "sounds.csv:3: steps"). Exit
// code.
int tool_set(struct ebb_recipe *recipe, const char *name, const char *text, const char *what);

// "1 to 1000, default: as the model recommends"; "" where the help of the setting says it all.
char *tool_setting_note(const struct ebb_setting *row, char *text, size_t size);

// Text -> number, all of it, finite, within low..high; otherwise says `what` was wrong and returns false.
bool tool_real(const char *what, const char *text, double low, double high, double *value);
bool tool_int(const char *what, const char *text, double low, double high, int *value);
bool tool_seed(const char *what, const char *text, uint64_t *value);

// ---- messages ----

// In all that these print control characters and bytes that are no UTF-8 become visible: \x1b.

void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2))); // "ebb render: ..." to stderr
// The same for what changes neither the result nor the exit code; --quiet leaves it out.
void tool_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
void tool_be_quiet(void);

// Of what is said from now on only `count` messages are printed, the others are counted; SIZE_MAX: all of it
// again. Returns how many were not printed since the last call.
size_t tool_say_at_most(size_t count);

int tool_fail(enum tool_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));
#ifdef __clang_analyzer__ // it does not see from outside messages.c that the result is `code`
#define tool_fail(code, ...) (tool_fail(code, __VA_ARGS__), (int)(code))
#endif
// Says an error; returns the exit code that belongs to it. Of a recording, says too what can read it, or with
// which name; with `where`, "sounds.csv:3: ", in front; of a file that cannot be opened or read, for the
// reason in errno.
int tool_error(const struct ebb_error *error);
int tool_input_error(const char *path, const struct ebb_error *error);
int tool_error_of(const char *input, const struct ebb_error *error);
int tool_error_at(const char *where, const struct ebb_error *error);
int tool_file_error(const char *path);
void tool_print(const char *format, ...) __attribute__((format(printf, 1, 2))); // a line to stdout
void tool_lose_line(void); // there was no memory to make it: the command fails at its end
bool tool_has_lost_lines(void);

// The last message that was said, as it was printed; "" before the first.
const char *tool_said(void);

// A line to where words go while a sound goes to `path`: stdout, or stderr where the sound has that.
void tool_print_beside(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

// `text` made visible so, at most `size` bytes with the zero at the end. Returns `out`.
char *tool_printable(char *out, size_t size, const char *text);

// "a, b, c" of `count` names into `out`.
void tool_join(char *out, size_t size, const char *const *names, size_t count);

// Writes what was said to the library's log to stderr, warnings and errors alone.
extern const struct ebb_log tool_log;

// ---- where output goes ----

// What a path leads to: a file that is there, or a name in a folder for one that is to be.
struct tool_place {
    dev_t device;
    ino_t inode;             // of the file, or of its folder
    char name[NAME_MAX + 1]; // in that folder; "": the file itself
    const char *path;        // where there is no such folder, as it was given; otherwise NULL
    bool stream;             // "-", a pipe, a device: like nothing else, not even itself
};
struct tool_place tool_place(const char *path);
bool tool_same_place(const struct tool_place *a, const struct tool_place *b);

const char *tool_output_name(const char *path); // "-" for /dev/stdout and its other names; NULL stays NULL
// Where `path` (NULL: none) is "-": neither JSON is to go there nor is it a terminal. Exit code.
int tool_check_stdout(const char *path, bool json);
const char *tool_shown_output(const char *path);         // as people read it: "standard output" for "-"
bool tool_is_stdout(const char *path);                   // "-", /dev/stdout, or whatever else leads there
bool tool_ends_in(const char *path, const char *suffix); // and there is more to the name; whatever the case
bool tool_is_sound_name(const char *path);               // ends as sound files do, and is no folder or device
int tool_make_folder(const char *path);                  // with its parents; fine if it is there. Exit code
int tool_try_output(const char *path);                   // starts a WAV and takes it back. Exit code
const char *tool_base_name(const char *path);            // what follows the last '/'

// ---- interrupts and progress ----

void tool_catch_interrupts(void);
bool tool_interrupted(void);

// A bar on stderr, if that is a terminal and nobody asked for quiet. Zeroed is ready.
struct tool_progress {
    const char *what;
    int item, items; // 1-based, shown when items > 1
    bool quiet;
    double started, shown; // seconds
    size_t width;
};
bool tool_progress_show(struct tool_progress *progress, double fraction); // false: interrupted
bool tool_on_progress(void *progress, double fraction);                   // the same as an ebb_progress
void tool_progress_clear(struct tool_progress *progress);
double tool_now(void); // seconds, monotonic

// ---- models and samplers ----

// Opens `name` and loads it on the device; the device goes with the model. NULL after saying why.
struct tool_model {
    struct ebb_device *device;
    struct ebb_model *model;
    const struct ebb_model_info *info;
};
int tool_model_open(struct tool_model *m, const char *name, enum ebb_model_kind kind); // exit code
// `quiet`: not a word about a GPU that cannot be used. Exit code.
int tool_model_load(struct tool_model *m, const char *device, int threads, bool quiet);
void tool_model_close(struct tool_model *m);

// The sampler of that name, in whatever case; NULL after saying which samplers there are.
const char *tool_sampler_name(const char *name);

// A line on a label of `model` for its exact name; otherwise on every one with `text` in its name. Returns
// how many.
int tool_print_labels(const struct ebb_model *model, const char *text);

#endif
