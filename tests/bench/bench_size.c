// SPDX-License-Identifier: LGPL-2.1-or-later
// What a network folder costs in memory and in time to open: bench-size FOLDER [HEIGHT WIDTH [DEVICE
// [THREADS]]]. Prints one JSON line. The files are read once before, so that both times are of files in the
// system's cache: reading_ms is reading them to new memory, opening_ms is ebb_net_open(). Megabytes are what
// this process holds beyond what it held before.
#include <ebb/ebb.h>
#include <ebb/lab.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double milliseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

struct spell { // milliseconds
    double wall, cpu;
};

static void spell_begin(struct spell *spell)
{
    *spell = (struct spell){milliseconds(CLOCK_MONOTONIC), milliseconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static void spell_end(struct spell *spell)
{
    spell->wall = milliseconds(CLOCK_MONOTONIC) - spell->wall;
    spell->cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID) - spell->cpu;
}

// A line of /proc/self/status, in MB.
static double memory(const char *key)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[256];
    double found = 0;
    while (file && fgets(line, sizeof(line), file))
        if (strncmp(line, key, strlen(key)) == 0)
            found = strtod(line + strlen(key) + 1, NULL) * 1024 / 1e6; // of "kB", which are 1024 bytes
    if (file)
        fclose(file);
    return found;
}

// Reads a file into new memory, which is given back; returns its bytes.
static double read_file(const char *path)
{
    enum { PIECE = 1 << 20 };
    struct stat info = {0};
    size_t done = 0;
    int fd = open(path, O_RDONLY);
    char *data = fd >= 0 && fstat(fd, &info) == 0 ? malloc((size_t)info.st_size + PIECE) : NULL;
    for (ssize_t got = 1; data && got > 0; done += (size_t)(got > 0 ? got : 0))
        got = read(fd, data + done, done < (size_t)info.st_size ? PIECE : 0);
    free(data);
    if (fd >= 0)
        close(fd);
    return (double)done;
}

// Reads all weights of a folder; returns their size in MB.
static double read_files(const char *folder)
{
    double bytes = 0;
    DIR *dir = opendir(folder);
    for (const struct dirent *entry; dir && (entry = readdir(dir));) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        const char *end = strrchr(entry->d_name, '.');
        if (end && (strcmp(end, ".safetensors") == 0 || strcmp(end, ".bin") == 0))
            bytes += read_file(path);
    }
    if (dir)
        closedir(dir);
    return bytes / 1e6;
}

static size_t count_of(const int shape[4])
{
    return (size_t)shape[0] * (size_t)shape[1] * (size_t)shape[2] * (size_t)shape[3];
}

static int fail(const struct ebb_error *error)
{
    fprintf(stderr, "bench-size: %s\n", error->message);
    return 1;
}

static enum ebb_result evaluate(struct ebb_net *net, int height, int width, struct ebb_error *error)
{
    int in[4] = {1, 1, height, width}, out[4];
    while (in[1] < 64 && ebb_net_shape(net, EBB_NET_FORWARD, in, out, error) != EBB_OK)
        in[1]++;
    enum ebb_result result = ebb_net_shape(net, EBB_NET_FORWARD, in, out, error);
    if (result != EBB_OK)
        return result;
    float *x = calloc(count_of(in), sizeof(*x)), *y = calloc(count_of(out), sizeof(*y));
    for (size_t i = 0; i < count_of(in); i++)
        x[i] = (float)((double)(i * 7919 % 1000) / 500 - 1);
    const struct ebb_net_inputs inputs = {.timestep = 500};
    result = ebb_net_run(net, EBB_NET_FORWARD, in, x, &inputs, y, error);
    free(x);
    free(y);
    return result;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: bench-size FOLDER [HEIGHT WIDTH [DEVICE [THREADS]]]\n");
        return 2;
    }
    struct ebb_error error = {0};
    struct ebb_device *device = ebb_device_create(argc > 4 ? argv[4] : "cpu", argc > 5 ? atoi(argv[5]) : 0,
                                                  NULL, &error);
    if (!device)
        return fail(&error);
    double before = memory("VmRSS");
    read_files(argv[1]);
    struct spell reading = {0}, opening = {0}, pass = {0};
    spell_begin(&reading);
    double size = read_files(argv[1]);
    spell_end(&reading);
    spell_begin(&opening);
    struct ebb_net *net = ebb_net_open(argv[1], device, &error);
    spell_end(&opening);
    if (!net)
        return fail(&error);
    printf("{\"files_mb\": %.1f, \"reading_ms\": %.0f, \"reading_cpu_ms\": %.0f, \"opening_ms\": %.0f, "
           "\"opening_cpu_ms\": %.0f, \"open_mb\": %.1f",
           size, reading.wall, reading.cpu, opening.wall, opening.cpu, memory("VmRSS") - before);
    spell_begin(&pass);
    if (argc > 3 && evaluate(net, atoi(argv[2]), atoi(argv[3]), &error) != EBB_OK)
        return fail(&error);
    spell_end(&pass);
    if (argc > 3)
        printf(", \"first_pass_ms\": %.0f, \"first_pass_cpu_ms\": %.0f, \"pass_mb\": %.1f", pass.wall,
               pass.cpu, memory("VmRSS") - before);
    printf("}\n");
    ebb_net_close(&net);
    ebb_device_destroy(&device);
    return 0;
}
