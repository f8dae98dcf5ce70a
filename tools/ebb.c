// ebb: diffusion audio from the command line. Each subcommand is a row below and a file of its own.
#include <string.h>

#include "tool.h"

extern const char *tool_name;

static const struct tool_command *const commands[] = {
    &tool_render, &tool_denoise, &tool_edit, &tool_info, &tool_labels, &tool_samplers,
    &tool_schedules, &tool_plot, &tool_bench, &tool_mel, &tool_eval,
};
enum { COMMANDS = sizeof(commands) / sizeof(commands[0]) };

static void overview(FILE *out)
{
    fprintf(out, "ebb %s: sound made and cleaned by diffusion\n\nusage: ebb COMMAND [OPTION...]\n\n", ebb_version());
    for (int i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\ntry:\n"
                 "  ebb labels                               what there is to hear\n"
                 "  ebb render --label rain -o rain.wav      make a sound\n"
                 "  ebb denoise noisy.wav clean.wav          clean a recording\n"
                 "  ebb edit rain.wav --after 5 -o more.wav   more of a recording\n"
                 "  ebb plot spectrogram rain.wav -o rain.png\n"
                 "\nebb COMMAND --help says more and has examples; man ebb says all.\n");
}

static int unknown(const char *name)
{
    const char *names[COMMANDS];
    for (int i = 0; i < COMMANDS; i++)
        names[i] = commands[i]->name;
    char all[256];
    tool_join(all, sizeof(all), names, COMMANDS);
    const char *near = tool_near(name, names, COMMANDS);
    return tool_fail(TOOL_USAGE, "there is no command \"%s\"%s%s%s; there are: %s", name, near ? " (did you mean " : "",
                     near ? near : "", near ? "?)" : "", all);
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
    return code;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "--help";
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0) {
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
