// SPDX-License-Identifier: LGPL-2.1-or-later
// ebb: diffusion audio from the command line. Each subcommand is a row below and a file of its own.
#include <signal.h>
#include <string.h>

#include "tool.h"

extern const char *tool_name;

static const struct tool_command *const commands[] = {
    &tool_render,   &tool_denoise, &tool_edit,  &tool_info, &tool_labels, &tool_samplers, &tool_schedules,
    &tool_settings, &tool_plot,    &tool_bench, &tool_mel,  &tool_eval,   &tool_tokens,
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void overview(FILE *out)
{
    fprintf(out, "ebb %s: sound made and cleaned by diffusion\n\nusage: ebb COMMAND [OPTION...]\n\n",
            ebb_version());
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\ntry:\n"
                 "  ebb labels                               labels that can be made\n"
                 "  ebb render --label rain -o rain.wav      make a sound\n"
                 "  ebb denoise noisy.wav clean.wav          clean a recording\n"
                 "  ebb edit rain.wav --after 5 -o more.wav  more of a recording\n"
                 "  ebb plot spectrogram rain.wav -o rain.png\n"
                 "\nebb COMMAND --help says more and has examples; man ebb says all.\n");
}

// What people ask for elsewhere.
static const struct {
    const char *name, *answer;
} hints[] = {
    {"play", "ebb writes sound and plays none: aplay FILE.wav or gst-play-1.0 FILE.wav plays it, and so does "
             "ebb render --label rain -o - | aplay"},
    {"generate", "making sounds is ebb render"},
    {"make", "making sounds is ebb render"},
    {"clean", "cleaning recordings is ebb denoise"},
    {"list", "ebb labels lists what there is to hear"},
    {"models", "ebb info MODEL shows a model; sfx and denoise come with Ebb"},
    {"devices", "ebb info devices lists them"},
};

static int unknown(const char *name)
{
    for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
        if (strcmp(name, hints[i].name) == 0)
            return tool_fail(TOOL_USAGE, "there is no command \"%s\": %s", name, hints[i].answer);

    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i]->name;
    char all[256];
    tool_join(all, sizeof(all), names, COMMANDS);
    const char *near = ebb_near_name(name, names, COMMANDS);
    return tool_fail(TOOL_USAGE, "there is no command \"%s\"%s%s%s; there are: %s", name,
                     near ? " (did you mean " : "", near ? near : "", near ? "?)" : "", all);
}

static const struct tool_command *find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

// What was printed may still be in a buffer that has nowhere to go.
static int flushed(int code)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == TOOL_OK)
        return tool_fail(TOOL_UNWRITABLE, "standard output cannot be written");
    if (tool_has_lost_lines() && code == TOOL_OK)
        return tool_fail(TOOL_FAILED, "no memory: not all lines were printed");
    return code;
}

static bool is_version(const char *name)
{
    return strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0 || strcmp(name, "-v") == 0 ||
           strcmp(name, "version") == 0;
}

int main(int argc, char **argv)
{
    signal(SIGXFSZ, SIG_IGN); // a limit on the size of files is an error like a full disk
    const char *name = argc > 1 ? argv[1] : "--help";
    if (is_version(name)) {
        printf("ebb %s\n", ebb_version());
        return flushed(TOOL_OK);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || (strcmp(name, "help") == 0 && argc < 3)) {
        overview(stdout);
        return flushed(TOOL_OK);
    }

    bool help = strcmp(name, "help") == 0;
    const struct tool_command *command = find(help ? argv[2] : name);
    if (!command)
        return unknown(help ? argv[2] : name);
    tool_name = command->name;
    char *ask[] = {argv[0], (char[]){"--help"}, NULL};
    return flushed(help ? command->run(command, 2, ask) : command->run(command, argc - 1, argv + 1));
}
