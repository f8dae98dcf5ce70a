// SPDX-License-Identifier: LGPL-2.1-or-later
// Devices, buffers, blend, sum of squares, and the threads of `cpu`.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "backend/cpu/cores.h"
#include "backend/cpu/pool.h"
#include "graph/fixture.h"

static const char *const hosts[] = {"ref", "cpu", NULL};

static char logged[512];
static void log_line(void *user, enum ebb_log_level level, const char *message)
{
    snprintf(logged, sizeof(logged), "%s", message);
}

static bool mapped(const char *library)
{
    char line[512];
    bool found = false;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof(line), maps))
        found |= strstr(line, library) != NULL;
    if (maps)
        fclose(maps);
    return found;
}

// The first test: none has opened the loader before.
TEST(auto_opens_no_loader_where_there_is_no_gpu)
{
    if (access("/dev/dri", F_OK) == 0 || access("/dev/nvidiactl", F_OK) == 0 || access("/dev/dxg", F_OK) == 0)
        SKIP("this machine has a GPU");
    struct ebb_device *d = ebb_device_create("auto", 1, NULL, NULL);
    REQUIRE(d && strcmp(ebb_device_kind(d), "cpu") == 0);
    REQUIRE(strstr(ebb_device_fallback(d), "no GPU") || strstr(ebb_device_fallback(d), "no Vulkan"));
    REQUIRE(!ebb_device_has_gpu() && !mapped("libvulkan"));
    ebb_device_destroy(&d);
}

TEST(devices_have_names)
{
    struct ebb_error error = {0};
    const struct ebb_log log = {log_line, NULL};
    struct ebb_device *d = ebb_device_create("cpu", 2, &log, &error);
    REQUIRE(d);
    REQUIRE_STRING(ebb_device_kind(d), "cpu");
    REQUIRE(strstr(ebb_device_description(d), "2 threads") && !ebb_device_fallback(d));
    ebb_device_destroy(&d);
    REQUIRE(!d);
    ebb_device_destroy(&d);

    REQUIRE(!ebb_device_create("gpu", 0, NULL, &error) && error.code == EBB_NO_DEVICE &&
            strstr(error.message, "\"gpu\""));
    REQUIRE(!ebb_device_create("cpu:z80", 0, NULL, &error) && error.code == EBB_NO_DEVICE &&
            strstr(error.message, "z80"));
    REQUIRE(!ebb_device_create("cpu", -1, NULL, &error) && error.code == EBB_INVALID);
    REQUIRE(!ebb_device_create("ref:1", 0, NULL, &error) && error.code == EBB_NO_DEVICE);

    d = ebb_device_create(NULL, 0, &log, &error);
    REQUIRE(d && strstr(logged, "auto"));
    if (strcmp(ebb_device_kind(d), "cpu") == 0)
        REQUIRE(ebb_device_fallback(d) && strlen(ebb_device_fallback(d)) > 10);
    ebb_device_destroy(&d);
}

TEST(the_list_has_the_cpu)
{
    struct ebb_device_info infos[8];
    size_t count = ebb_device_list(infos, 8), found = 0;
    REQUIRE(count >= 1 && ebb_device_list(NULL, 0) == count);
    for (size_t i = 0; i < count && i < 8; i++)
        found += strcmp(infos[i].name, "cpu") == 0 && infos[i].usable &&
                 strstr(infos[i].description, "thread");
    REQUIRE(found == 1);
}

TEST(buffers_check_ranges)
{
    for (int i = 0; hosts[i]; i++) {
        struct ebb_error error = {0};
        struct ebb_device *d = device(hosts[i], 1);
        struct ebb_buffer *b = buffer(d, NULL, 5);
        float got[5] = {9, 9, 9, 9, 9}, data[2] = {1, 2};
        REQUIRE(ebb_buffer_read(b, 0, got, 5, &error) == EBB_OK && got[0] == 0 && got[4] == 0);
        REQUIRE(ebb_buffer_write(b, 3, data, 2, &error) == EBB_OK &&
                ebb_buffer_read(b, 3, got, 2, &error) == EBB_OK);
        REQUIRE(got[1] == 2 && ebb_buffer_count(b) == 5);
        REQUIRE(ebb_buffer_write(b, 4, data, 2, &error) == EBB_INVALID);
        REQUIRE_STRING(error.message, "write: 2 floats at 4 of a buffer of 5");
        REQUIRE(ebb_buffer_read(b, SIZE_MAX, got, 2, &error) == EBB_INVALID);
        REQUIRE(!ebb_buffer_create(d, 0, &error) && !ebb_buffer_create(d, SIZE_MAX / 2, &error));
        ebb_device_destroy(&d); // the buffer still holds it
        REQUIRE(ebb_buffer_read(b, 0, got, 5, &error) == EBB_OK);
        ebb_buffer_destroy(&b);
    }
}

TEST(blend_is_its_formula)
{
    for (int i = 0; hosts[i]; i++) {
        enum { N = 37 };
        struct ebb_device *d = device(hosts[i], 2);
        float *data[4], got[N];
        struct ebb_buffer *b[4];
        for (int k = 0; k < 4; k++) {
            data[k] = random_floats(N + 3, (uint64_t)k + 1);
            b[k] = buffer(d, data[k], N + 3);
        }
        struct ebb_blend blend = {.dst = b[0],
                                  .terms = 3,
                                  .src = {b[0], b[1], b[2]},
                                  .weight = {1.5f, -2, 3},
                                  .noise_scale = b[3],
                                  .clamp = 1.25f,
                                  .divide = 0.5f,
                                  .count = N,
                                  .src_offset = {0, 3, 1},
                                  .noise_scale_offset = 2};
        REQUIRE(ebb_blend(d, &blend, NULL) == EBB_OK && ebb_buffer_read(b[0], 0, got, N, NULL) == EBB_OK);
        for (int j = 0; j < N; j++) {
            double sum = 1.5 * data[0][j] - 2.0 * data[1][j + 3] + 3.0 * data[2][j + 1] * data[3][j + 2];
            REQUIRE_NEAR(got[j], fmax(-1.25, fmin(1.25, sum)) / 0.5, 1e-6, hosts[i]);
        }
        REQUIRE(ebb_buffer_read(b[0], N, got, 3, NULL) == EBB_OK && got[0] == data[0][N]);

        struct ebb_error error = {0};
        blend.src_offset[0] = 1; // overlaps the result, shifted
        REQUIRE(ebb_blend(d, &blend, &error) == EBB_INVALID && strstr(error.message, "overlaps"));
        blend.src_offset[0] = 0;
        blend.src_offset[1] = 4;
        REQUIRE(ebb_blend(d, &blend, &error) == EBB_INVALID);
        blend.terms = 9;
        REQUIRE(ebb_blend(d, &blend, &error) == EBB_INVALID && strstr(error.message, "9 terms"));
        for (int k = 0; k < 4; k++) {
            ebb_buffer_destroy(&b[k]);
            free(data[k]);
        }
        ebb_device_destroy(&d);
    }
}

TEST(the_sum_of_squares_is_its_formula)
{
    const float data[6] = {100, 3, -4, 0.5f, NAN, INFINITY};
    for (int i = 0; hosts[i]; i++) {
        struct ebb_device *d = device(hosts[i], 2);
        struct ebb_buffer *b = buffer(d, data, 6);
        double sum = 1;
        REQUIRE(ebb_sum_squares(d, b, 1, 3, &sum, NULL) == EBB_OK && sum == 25.25);
        REQUIRE(ebb_sum_squares(d, b, 1, 0, &sum, NULL) == EBB_OK && sum == 0);
        REQUIRE(ebb_sum_squares(d, b, 0, 6, &sum, NULL) == EBB_OK && !isfinite(sum));
        REQUIRE(ebb_sum_squares(d, b, 4, 3, &sum, NULL) == EBB_INVALID);
        ebb_buffer_destroy(&b);
        ebb_device_destroy(&d);
    }
}

// ---- threads ----

enum { UNITS = 97 };
struct count_job {
    _Atomic int done[UNITS];
    _Atomic int bad_thread;
};

static void count_unit(void *context, int unit, int thread)
{
    struct count_job *job = context;
    atomic_fetch_add(&job->done[unit], 1);
    if (thread < 0 || thread >= 3)
        job->bad_thread = 1;
}

static bool count_many(struct cpu_pool *pool, int rounds)
{
    for (int round = 0; round < rounds; round++) {
        struct count_job job = {0};
        int units = round % UNITS + 1;
        cpu_pool_run(pool, units, count_unit, &job);
        for (int i = 0; i < UNITS; i++)
            if (job.done[i] != (i < units) || job.bad_thread)
                return false;
        if (round % 1000 == 0) // long enough for the others to fall asleep
            nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return true;
}

static void *count_beside(void *pool)
{
    return count_many(pool, 20000) ? pool : NULL;
}

TEST(each_unit_is_done_once)
{
    for (int threads = 1; threads <= 3; threads++) {
        struct cpu_pool *pool = cpu_pool_create(threads);
        REQUIRE(pool && cpu_pool_threads(pool) == threads);
        REQUIRE(count_many(pool, 20000));
        cpu_pool_destroy(&pool);
    }
}

TEST(two_callers_share_a_pool)
{
    struct cpu_pool *pool = cpu_pool_create(3);
    pthread_t beside;
    void *good = NULL;
    REQUIRE(pthread_create(&beside, NULL, count_beside, pool) == 0);
    bool mine = count_many(pool, 20000);
    pthread_join(beside, &good);
    REQUIRE(mine && good);
    cpu_pool_destroy(&pool);
}

// taskset, Slurm and containers leave a process some of the CPUs.
TEST(threads_are_as_many_as_the_cores_that_the_process_may_use)
{
    cpu_set_t all, one;
    REQUIRE(sched_getaffinity(0, sizeof(all), &all) == 0);
    CPU_ZERO(&one); // the last CPU: its core may be known by another one's number
    for (int cpu = CPU_SETSIZE - 1; cpu >= 0 && CPU_COUNT(&one) == 0; cpu--) // the last: cpu 0 may be its
                                                                             // sibling
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
    struct ebb_device *d = ebb_device_create("cpu", 0, NULL, NULL);
    REQUIRE(sched_setaffinity(0, sizeof(all), &all) == 0);
    REQUIRE(d && strstr(ebb_device_description(d), "cpu: 1 thread,"));
    ebb_device_destroy(&d);
}

TEST(a_control_group_grants_cpus)
{
    REQUIRE(cpu_quota("150000 100000\n") == 2 && cpu_quota("50000 100000\n") == 1);
    REQUIRE(cpu_quota("800000 100000\n") == 8);
    REQUIRE(cpu_quota("max 100000\n") == 0 && cpu_quota("") == 0 && cpu_quota("-1 0\n") == 0);
}

// A file below the root, with the folders that lead to it.
static void put(const char *root, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof(path), "%s%s", root, name);
    for (char *slash = path + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = 0;
        REQUIRE(mkdir(path, 0700) == 0 || errno == EEXIST);
        *slash = '/';
    }
    FILE *file = fopen(path, "w");
    REQUIRE(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

TEST(groups_of_both_versions_and_those_around_them_count)
{
    char root[] = "/tmp/ebb-groups-XXXXXX", command[64];
    REQUIRE(mkdtemp(root) && cpu_granted(root) == 0);
    put(root, "/proc/self/cgroup", "0::/a.slice/b.scope\n");
    put(root, "/sys/fs/cgroup/a.slice/b.scope/cpu.max", "max 100000\n");
    REQUIRE(cpu_granted(root) == 0);
    put(root, "/sys/fs/cgroup/a.slice/cpu.max", "300000 100000\n");
    REQUIRE(cpu_granted(root) == 3);

    put(root, "/proc/self/cgroup", "5:cpuset:/x\n4:cpu,cpuacct:/docker/0123\n1:name=systemd:/\n0::/\n");
    put(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put(root, "/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    REQUIRE(cpu_granted(root) == 0);
    put(root, "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "250000\n"); // as a container sees its own
    REQUIRE(cpu_granted(root) == 3);
    put(root, "/sys/fs/cgroup/cpu/docker/0123/cpu.cfs_quota_us", "150000\n"); // as the machine sees it
    put(root, "/sys/fs/cgroup/cpu/docker/0123/cpu.cfs_period_us", "100000\n");
    REQUIRE(cpu_granted(root) == 2);
    put(root, "/proc/self/cgroup", "5:cpuset,cpuacct:/docker/0123\n");
    REQUIRE(cpu_granted(root) == 0);
    snprintf(command, sizeof(command), "rm -r %s", root);
    REQUIRE(system(command) == 0);
}

TEST_MAIN
