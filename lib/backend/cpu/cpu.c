// SPDX-License-Identifier: LGPL-2.1-or-later
#include "backend/cpu/amx.h"
#include "backend/cpu/cores.h"
#include "backend/cpu/cpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef EBB_CPU_X86
#include <cpuid.h>
#endif

#ifdef EBB_CPU_ARM_BF16
#include <sys/auxv.h>
#ifndef HWCAP2_BF16
#define HWCAP2_BF16 (1 << 14) // arch/arm64/include/uapi/asm/hwcap.h, since Linux 5.7
#endif
#endif

#include "base/base.h"

static const struct cpu_kernel *const kernels[EBB_OP_COUNT] = {
#define OP(NAME, name, words) [EBB_OP_##NAME] = &cpu_##name,
#include "backend/ops.def"
#undef OP
};

struct prepared {
    const struct ebb_program *program;
    struct cpu_op *ops;
    const struct cpu_bf16_kernels *bf16; // of the device, or AMX
    float *scratch;
    size_t scratch_floats;
};

#ifdef EBB_CPU_X86
// Vectors of eight, fused multiplications, and conversions from 16 bits. clang 14 knows no name for the last.
static bool has_avx2(void)
{
    unsigned a, b, c = 0, d;
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

static const struct cpu_kernels *choose_kernels(const char *name)
{
    const struct cpu_kernels *list[3];
    int count = 0;
#ifdef EBB_CPU_X86
    bool avx2 = has_avx2();
    if (avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
        list[count++] = &cpu_kernels_avx512;
    if (avx2)
        list[count++] = &cpu_kernels_avx2;
#endif
#ifdef EBB_CPU_ARM
    list[count++] = &cpu_kernels_neon;
#endif
    list[count++] = &cpu_kernels_plain;
    for (int i = 0; i < count; i++)
        if (!name || strcmp(name, list[i]->name) == 0)
            return list[i];
    return NULL;
}

// The best instruction set that this machine has and this build knows, and its arithmetic in bfloat16. For
// tests, `name` asks for another one: "plain", "avx2", "avx512", "amx", "neon"; NULL: the best. False: not
// here.
static bool choose(const char *name, struct cpu_device *cpu)
{
    bool amx = name && strcmp(name, "amx") == 0; // AVX-512 with AMX, or nothing
    cpu->kernels = choose_kernels(amx ? "avx512" : name);
    if (cpu->kernels == &cpu_kernels_plain && name)
        cpu->bf16 = &cpu_bf16_kernels_plain; // the definition: slower than float32, so for who asks by name
#ifdef EBB_CPU_BF16
    if (cpu->kernels == &cpu_kernels_avx512 && __builtin_cpu_supports("avx512bf16"))
        cpu->bf16 = &cpu_bf16_kernels_avx512;
#endif
#ifdef EBB_CPU_ARM_BF16
    if (cpu->kernels == &cpu_kernels_neon && getauxval(AT_HWCAP2) & HWCAP2_BF16)
        cpu->bf16 = &cpu_bf16_kernels_neon;
#endif
#ifdef EBB_CPU_AMX
    if (cpu->bf16 == &cpu_bf16_kernels_avx512 && (amx || !name) && cpu_amx_exists())
        cpu->amx = &cpu_bf16_kernels_amx;
#endif
    return cpu->kernels && (!amx || (cpu->amx && cpu_amx_ask()));
}

static void cpu_close(struct ebb_device *device)
{
    struct cpu_device *cpu = device->state;
    cpu_pool_destroy(&cpu->pool);
    free(cpu);
    device->state = NULL;
}

static enum ebb_result cpu_open(struct ebb_device *device, const char *which, int threads,
                                struct ebb_error *error)
{
    struct cpu_device chosen = {0}, *cpu;
    if (!choose(which, &chosen))
        return ebb_fail(error, EBB_NO_DEVICE, "device cpu:%s: this machine or build does not have it", which);
    threads = threads ? threads : cpu_cores();
    device->state = cpu = ebb_alloc(1, sizeof(*cpu));
    if (!cpu || !(chosen.pool = cpu_pool_create(threads))) {
        free(cpu);
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for the threads of a device");
    }
    *cpu = chosen;
    device->bf16 = cpu->bf16 != NULL;
    snprintf(device->description, sizeof(device->description), "cpu: %d thread%s, %s%s", threads,
             threads == 1 ? "" : "s", cpu->kernels->title, cpu->amx ? " and AMX" : "");
    return EBB_OK;
}

static void cpu_release(struct ebb_device *device, void *data)
{
    struct prepared *prepared = data;
    for (int i = 0; prepared->ops && i < prepared->program->op_count; i++) {
        const struct ebb_op *op = prepared->ops[i].op;
        if (op && kernels[op->kind]->release)
            kernels[op->kind]->release(&prepared->ops[i]);
    }
    free(prepared->ops);
    free(prepared->scratch);
    free(prepared);
}

static void set_op(const struct cpu_device *cpu, const struct ebb_program *program, const struct ebb_op *op,
                   struct cpu_op *out)
{
    out->op = op;
    out->bf16 = program->bf16 && cpu->bf16;
    out->dst = &program->operands[op->dst];
    for (int i = 0; i < EBB_OP_SOURCES; i++)
        out->src[i] = op->src[i] < 0 ? NULL : &program->operands[op->src[i]];
}

#ifndef EBB_HOLD_FLOATS // another number for measurements: -Dc_args=-DEBB_HOLD_FLOATS=0
#define EBB_HOLD_FLOATS (1 << 25)
#endif

// Which convolutions hold their weights in a second form: all that gain from it, or none. That pays for small
// networks alone: see the table "What do weights cost in memory?" in docs/measurements.md.
static void choose_held(const struct cpu_device *cpu, const struct prepared *prepared)
{
    size_t floats = 0;
    for (int i = 0; i < prepared->program->op_count; i++) {
        size_t worth = cpu_conv_worth(cpu, &prepared->ops[i]);
        prepared->ops[i].hold = worth > 0;
        floats += worth;
    }
    for (int i = 0; floats > EBB_HOLD_FLOATS && i < prepared->program->op_count; i++)
        prepared->ops[i].hold = false;
}

static enum ebb_result prepare_ops(const struct cpu_device *cpu, struct prepared *prepared,
                                   struct ebb_error *error)
{
    const struct ebb_program *program = prepared->program;
    enum ebb_result result = EBB_OK;
    prepared->ops = ebb_alloc((size_t)program->op_count, sizeof(*prepared->ops));
    if (!prepared->ops)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a program");
    for (int i = 0; i < program->op_count; i++)
        set_op(cpu, program, &program->ops[i], &prepared->ops[i]);
    choose_held(cpu, prepared);
    for (int i = 0; result == EBB_OK && i < program->op_count; i++) {
        struct cpu_op *op = &prepared->ops[i];
        const struct cpu_kernel *kernel = kernels[op->op->kind];
        result = kernel->prepare ? kernel->prepare(cpu, op, error) : EBB_OK;
        prepared->scratch_floats = op->scratch > prepared->scratch_floats ? op->scratch
                                                                          : prepared->scratch_floats;
    }
    if (result == EBB_OK && !(prepared->scratch = ebb_host_alloc(prepared->scratch_floats)))
        result = ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for %zu floats of scratch",
                          prepared->scratch_floats);
    return result;
}

// The device as a program sees it: with AMX, if the program can use it and the system allows it.
static struct cpu_device device_for(struct ebb_device *device, const struct ebb_program *program)
{
    struct cpu_device cpu = *(const struct cpu_device *)device->state;
    if (program->bf16 && cpu.amx && cpu_amx_ask())
        cpu.bf16 = cpu.amx;
    else if (program->bf16 && cpu.amx)
        ebb_logf(device->log, EBB_LOG_INFO, "%s: the system refuses AMX; AVX512-BF16 is used",
                 device->description);
    return cpu;
}

static enum ebb_result cpu_prepare(struct ebb_device *device, const struct ebb_program *program, void **out,
                                   struct ebb_error *error)
{
    struct prepared *prepared = ebb_alloc(1, sizeof(*prepared));
    struct cpu_device cpu = device_for(device, program);
    if (!prepared)
        return ebb_fail(error, EBB_OUT_OF_MEMORY, "no memory for a program");
    prepared->program = program;
    prepared->bf16 = cpu.bf16;
    enum ebb_result result = prepare_ops(&cpu, prepared, error);
    if (result == EBB_OK)
        *out = prepared;
    else
        cpu_release(device, prepared);
    return result;
}

static void add_to_profile(struct ebb_device *device, const struct ebb_program *program,
                           const struct ebb_op *op, double start)
{
    double seconds = ebb_profile_now() - start;
    char name[80];
    ebb_op_describe(program, op, name, sizeof(name));
    ebb_profile_add(device, name, start, seconds);
}

static enum ebb_result cpu_run(struct ebb_device *device, void *data, int step,
                               struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs,
                               struct ebb_error *error)
{
    const struct prepared *prepared = data;
    const struct cpu_device *cpu = device->state;
    struct cpu_run run = {
        .host = {prepared->program, inputs, outputs, step},
        .kernels = cpu->kernels,
        .bf16 = prepared->bf16,
        .pool = cpu->pool,
        .scratch = prepared->scratch,
    };
    for (int i = 0; i < prepared->program->op_count; i++) {
        const struct ebb_op *op = prepared->ops[i].op;
        double start = ebb_profile_on(device) ? ebb_profile_now() : 0;
        kernels[op->kind]->run(&run, &prepared->ops[i]);
        if (ebb_profile_on(device))
            add_to_profile(device, prepared->program, op, start);
    }
    return EBB_OK;
}

const struct ebb_backend ebb_backend_cpu = {
    .kind = "cpu",
    .open = cpu_open,
    .close = cpu_close,
    .buffer_create = ebb_host_buffer_create,
    .buffer_destroy = ebb_host_buffer_destroy,
    .write = ebb_host_write,
    .read = ebb_host_read,
    .blend = ebb_host_blend,
    .threshold = ebb_host_threshold,
    .sum_squares = ebb_host_sum_squares,
    .in_place = cpu_conv_in_place,
    .prepare = cpu_prepare,
    .run = cpu_run,
    .release = cpu_release,
};
