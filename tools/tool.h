// What the subcommands of `ebb` share: commands and options as tables, messages and exit codes, progress, interrupts.
#ifndef EBB_TOOLS_TOOL_H
#define EBB_TOOLS_TOOL_H

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
    TOOL_FAILED = 1,      // anything else
    TOOL_USAGE = 2,       // options, values, columns
    TOOL_NOT_FOUND = 3,   // file, model, label, sampler
    TOOL_UNREADABLE = 4,  // found, but not usable: permissions, corrupt, wrong type, unsupported
    TOOL_UNWRITABLE = 5,  // permissions, disk full
    TOOL_NO_DEVICE = 6,   // the device cannot be used, or failed
    TOOL_INTERRUPTED = 130,
};

struct tool_command {
    const char *name;
    const char *summary;    // a line
    const char *usage;      // what follows the name
    const char *details;    // paragraphs for --help; NULL: none
    const char *examples;   // lines
    int (*run)(const struct tool_command *command, int argc, char **argv); // exit code
};

extern const struct tool_command tool_bench, tool_denoise, tool_edit, tool_eval, tool_info, tool_labels, tool_mel,
    tool_plot, tool_render, tool_samplers, tool_schedules;

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
#define TOOL_DEVICES "auto (default), cpu, ref, vulkan, vulkan:N, or vulkan:NAME, part of a GPU's name. ebb info devices lists them"

// Reads options into their values and prints help. Returns -1 to go on with argv[*first..argc-1], or an exit code.
int tool_options(const struct tool_command *command, const struct tool_option *options, int argc, char **argv,
                 int *first);

// Text -> number, all of it, finite, within low..high; otherwise says `what` was wrong and returns false.
bool tool_real(const char *what, const char *text, double low, double high, double *value);
bool tool_int(const char *what, const char *text, double low, double high, int *value);
bool tool_seed(const char *what, const char *text, uint64_t *value);
// "wav16", "wav24", "wav32f"
bool tool_format(const char *what, const char *text, enum ebb_wav_format *format);
extern const char *const tool_format_names[];

// ---- messages ----

void tool_say(const char *format, ...) __attribute__((format(printf, 1, 2))); // "ebb render: ..." to stderr
int tool_fail(enum tool_exit code, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tool_error(const struct ebb_error *error); // says it, returns the code that belongs to it
int tool_error_at(const char *where, const struct ebb_error *error); // likewise, `where` ("sounds.csv:3: ") in front

// The name in `names` (`count` of them) that looks most like `text`, NULL if none does.
const char *tool_near(const char *text, const char *const *names, size_t count);

// "a, b, c" of `count` names into `out`.
void tool_join(char *out, size_t size, const char *const *names, size_t count);

// Writes what was said to the library's log to stderr, warnings and errors alone.
extern const struct ebb_log tool_log;

// ---- where output goes ----

// What a path leads to: a file that is there, or a name in a folder for one that is to be.
struct tool_place {
    dev_t device;
    ino_t inode;      // of the file, or of its folder
    const char *name; // in that folder, part of the path; NULL: the file itself
    bool stream;      // "-", a pipe, a device: like nothing else, not even itself
};
struct tool_place tool_place(const char *path);
bool tool_same_place(const struct tool_place *a, const struct tool_place *b);

bool tool_ends_in(const char *path, const char *suffix); // and there is more to the name; whatever the case
bool tool_is_sound_name(const char *path);    // ends as sound files do, and is not a folder or device of that name
int tool_check_sound_name(const char *path);  // exit code: of those names, only .wav can be written
int tool_make_folder(const char *path);       // with its parents; fine if it is there. Exit code

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
int tool_model_load(struct tool_model *m, const char *device, int threads);            // exit code
void tool_model_close(struct tool_model *m);

// False after saying which samplers there are.
bool tool_sampler_known(const char *name);

#endif
