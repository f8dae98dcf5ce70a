// SPDX-License-Identifier: LGPL-2.1-or-later
// Convolutions in bfloat16 by the tiles of AMX, where the machine has them; what happens where the system
// keeps them back.
#include "backend/backend.h"
#include "case.h"

#ifdef __linux__
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

// What a tile has 16 of, and a block 32, in all remainders: pixels, channels, output channels.
static const struct op_case cases[] = {
    {"one pixel", 1, 1, 1, 48, .cout = 16, .kernel = 1, .bias = true},
    {"17 pixels", 1, 1, 17, 40, .cout = 33, .kernel = 1},
    {"48 pixels", 1, 1, 48, 64, .cout = 64, .kernel = 1},
    {"two items with vectors", 2, 10, 30, 32, .cout = 64, .kernel = 1, .vector = true, .residual = true,
     .scale = 0.5f},
    {"joined lines", 2, 23, 19, 18, .cout = 40, .kernel = 3, .bias = true, .vector = true, .residual = true,
     .scale = 2},
    {"joined lines in bands", 2, 190, 60, 96, .cout = 16, .kernel = 3, .bias = true},
    {"short lines of many channels", 1, 8, 8, 512, .cout = 96, .kernel = 3, .residual = true},
    {"long lines", 1, 5, 70, 34, .cout = 48, .kernel = 3, .vector = true},
    {"long lines in bands", 1, 70, 130, 160, .cout = 33, .kernel = 3, .bias = true},
    {"stride 2", 1, 33, 37, 32, .cout = 32, .kernel = 3, .stride = 2, .bias = true},
    {"stride 2, right and bottom", 2, 8, 9, 66, .cout = 48, .kernel = 3, .stride = 2,
     .pad = EBB_PAD_RIGHT_BOTTOM},
    {"one output channel", 1, 9, 33, 34, .cout = 1, .kernel = 3, .bias = true},
    {"5x5", 1, 6, 11, 20, .cout = 40, .kernel = 5, .bias = true},
    {"two sources, upsampled", 1, 6, 7, 16, .concat = 22, .upsample = true, .cout = 30, .kernel = 3},
    {"weights in groups", 1, 48, 44, 300, .cout = 210, .kernel = 3, .bias = true},
};
enum { CASES = sizeof(cases) / sizeof(cases[0]) };

static bool here(const char *name)
{
    struct ebb_device *there = ebb_device_create(name, 1, NULL, NULL);
    bool is = there != NULL;
    ebb_device_destroy(&there);
    return is;
}

// Sources and weights have 8 significant bits, so that nothing is rounded: what remains is the order of sums
// in float32. It is the reference's difference as well: 1e-6 is that of test_ops.c for other instructions.
TEST(tiles_of_rounded_numbers_are_the_definition)
{
    if (!here("cpu:amx"))
        SKIP("this machine has no AMX");
    for (int i = 0; i < CASES; i++) {
        struct op_case c = cases[i];
        c.bits = c.in_bits = 8;
        size_t count;
        float *want = run_case("ref", 1, &c, EBB_PLAN_NO_FUSE, -1, &count);
        c.bf16 = true;
        float *got = run_case("cpu:amx", 2, &c, 0, -1, &count);
        REQUIRE(want && got);
        REQUIRE_NEAR(relative_error(got, want, count), 0, 1e-6, c.name);
        free(want);
        free(got);
    }
}

// By tiles, not by another set of instructions that the name happens to open: those round elsewhere in sums
// and use Winograd's method.
TEST(tiles_are_used)
{
    struct op_case c = cases[4];
    size_t count;
    if (!here("cpu:amx"))
        SKIP("this machine has no AMX");
    c.bf16 = true;
    float *best = run_case("cpu", 2, &c, 0, -1, &count), *tiles = run_case("cpu:amx", 2, &c, 0, -1, &count),
          *vectors = run_case("cpu:avx512", 2, &c, 0, -1, &count);
    REQUIRE(best && tiles && vectors);
    REQUIRE(memcmp(best, tiles, count * sizeof(*best)) == 0);
    REQUIRE(memcmp(vectors, tiles, count * sizeof(*best)) != 0);
    free(best);
    free(tiles);
    free(vectors);
}

// Whether weights are held in the file's numbers or as float32, rounded ahead or at each evaluation; on any
// number of threads; alone or in a batch.
TEST(tiles_give_the_same_bits_every_way)
{
    static const int bits[] = {[EBB_FLOAT32] = 0, [EBB_FLOAT16] = 11, [EBB_BFLOAT16] = 8};
    if (!here("cpu:amx"))
        SKIP("this machine has no AMX");
    for (int i = 0; i < CASES * 3; i++) {
        struct op_case c = cases[i / 3], panels;
        size_t count, one_count;
        c.bf16 = true;
        c.bits = bits[i % 3];
        panels = c;
        panels.panels = true;
        panels.number = (enum ebb_number)(i % 3);
        float *want = run_case("cpu:amx", 1, &c, 0, -1, &count),
              *got = run_case("cpu:amx", 2, &panels, 0, -1, &count),
              *first = run_case("cpu:amx", 2, &panels, 0, 0, &one_count);
        REQUIRE(want && got && first);
        if (memcmp(want, got, count * sizeof(*want)) || memcmp(want, first, one_count * sizeof(*want)))
            TEST_FAIL("%s, number %d: %g apart", c.name, i % 3, relative_error(got, want, count));
        free(want);
        free(got);
        free(first);
    }
}

#if defined(__linux__) && defined(__x86_64__)
// From now on this process is told EPERM when it asks for the registers of AMX.
static bool refuse_amx(void)
{
    enum { REQUEST_STATE = 0x1023 };
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_arch_prctl, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, REQUEST_STATE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// The exit status of the process that is refused: 0 is right.
static int without_amx(void)
{
    struct op_case c = cases[4];
    size_t count;
    struct ebb_error error = {0};
    if (!refuse_amx())
        return 10;
    if (ebb_device_create("cpu:amx", 1, NULL, &error) || error.code != EBB_NO_DEVICE ||
        !strstr(error.message, "cpu:amx"))
        return 11;
    c.bf16 = true;
    float *got = run_case("cpu", 2, &c, 0, -1, &count), *want = run_case("cpu:avx512", 2, &c, 0, -1, &count);
    return !got || !want ? 12 : memcmp(got, want, count * sizeof(*got)) == 0 ? 0 : 13;
}

// A seccomp filter stands for a system that says no.
TEST(a_system_that_refuses_amx_gets_vectors)
{
    if (!here("cpu:amx"))
        SKIP("this machine has no AMX");
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0)
        _exit(without_amx());
    REQUIRE(waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) == 10)
        SKIP("this system has no seccomp filters");
    if (WEXITSTATUS(status) != 0)
        TEST_FAIL("the process without AMX ended with status %d", WEXITSTATUS(status));
}
#endif

TEST_MAIN
