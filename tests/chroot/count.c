// SPDX-License-Identifier: LGPL-2.1-or-later
// A plugin of qemu's: counts the instructions that a program of another architecture executes, of all its
// threads, and prints the functions that have most of them. Built and used by arm64.sh.
//   qemu-aarch64 -plugin count.so,to=COUNTS PROGRAM...
// COUNTS gets a line per function of the program itself, "instructions name", the most first; what is in
// shared libraries has the name "-".
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// qemu-plugin.h is packaged since Debian 13; this much of it is the same in every version.
typedef uint64_t qemu_plugin_id_t;
struct qemu_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
                                                  void (*call)(qemu_plugin_id_t, struct qemu_plugin_tb *));
extern void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *tb,
                                                 void (*call)(unsigned thread, void *user),
                                                 enum qemu_plugin_cb_flags flags, void *user);
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*call)(qemu_plugin_id_t, void *),
                                           void *user);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t index);
extern const char *qemu_plugin_insn_symbol(const struct qemu_plugin_insn *insn);
extern int qemu_plugin_version;
extern int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

int qemu_plugin_version = 1;

enum { FUNCTIONS = 1 << 14 };
static struct function {
    const char *name;
    uint64_t instructions;
} functions[FUNCTIONS];
static int function_count;
static const char *path;

// A block of instructions without a jump. Blocks are few, and never freed.
struct block {
    struct function *function;
    uint64_t instructions;
};

static struct function *function_of(const char *name)
{
    for (int i = 0; i < function_count; i++)
        if (strcmp(functions[i].name, name) == 0)
            return &functions[i];
    if (function_count == FUNCTIONS)
        abort();
    functions[function_count].name = strdup(name);
    return &functions[function_count++];
}

static void executed(unsigned thread, void *user)
{
    (void)thread;
    const struct block *block = user;
    __atomic_fetch_add(&block->function->instructions, block->instructions, __ATOMIC_RELAXED);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    struct block *block = malloc(sizeof(*block));
    const char *name = qemu_plugin_insn_symbol(qemu_plugin_tb_get_insn(tb, 0));
    if (!block)
        abort();
    *block = (struct block){function_of(name && *name ? name : "-"), qemu_plugin_tb_n_insns(tb)};
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, block);
}

static int more_first(const void *a, const void *b)
{
    uint64_t x = ((const struct function *)a)->instructions, y = ((const struct function *)b)->instructions;
    return (x < y) - (x > y);
}

static void print(qemu_plugin_id_t id, void *user)
{
    (void)id, (void)user;
    FILE *file = fopen(path, "w");
    if (!file)
        abort();
    qsort(functions, (size_t)function_count, sizeof(*functions), more_first);
    for (int i = 0; i < function_count; i++)
        fprintf(file, "%" PRIu64 " %s\n", functions[i].instructions, functions[i].name);
    fclose(file);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    if (argc != 1 || strncmp(argv[0], "to=", 3) != 0)
        return -1;
    path = strdup(argv[0] + 3);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, print, NULL);
    return 0;
}
