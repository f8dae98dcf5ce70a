// What a backend is asked to do: a program, a short list of fused ops over tensors placed in memory. Tensors are
// float32, (n, h, w, c) row-major, c innermost. Everything that a backend must be able to do stands in this file.
#ifndef EBB_BACKEND_OP_H
#define EBB_BACKEND_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backend/buffer.h"
#include "backend/tape.h"
#include "backend/weight.h"

enum ebb_place {
    EBB_PLACE_ARENA,  // at `offset` of the program's arena
    EBB_PLACE_INPUT,  // buffer `index` of the inputs given to run()
    EBB_PLACE_OUTPUT, // buffer `index` of the outputs given to run()
    EBB_PLACE_STEPS,  // at `offset + step * stride` of the program's step table
};

struct ebb_tensor {
    int n, h, w, c;
    enum ebb_place place;
    int index;
    size_t offset, stride; // floats; offsets are multiples of 64
};

// Ops read one or two sources the same way ("the load"):
//     x = concat(src[0], src[1]) along channels             src[1] = -1: src[0] alone
//     x = nearest upsample of x, twice h and w              if `upsample`
//     x = x * a[n, c] + b[n, c]                             `affine` (n, 1, 1, 2c): a, then b; -1: none
//     x = act(x)
// Outside its edges x is 0, after affine and activation.
enum ebb_op_kind {
    EBB_OP_CONV, // dst = (conv(load, weight, stride, pad) + bias + vector[n, c] + residual) * scale
    EBB_OP_MAP,  // dst = (load + vector[n, c] + residual) * scale
    EBB_OP_NORM, // dst (n, 1, 1, 2c): a, b of group normalization over (h, w) of concat(src), FiLM folded in:
                 //     a = gamma / sqrt(var + eps), b = beta - mean * a; then a *= 1 + film[c], b = b * (1 + film[c]) + film[C + c]
                 // groups = 0: no statistics, a = 1, b = 0 before FiLM
    EBB_OP_POOL, // dst = mean of 2x2, stride 2, of src[0]
    EBB_OP_ATTENTION, // dst = softmax(q k^T / sqrt(c / heads)) v for each head; src q, k, v; tokens are (h, w)
    EBB_OP_MEAN,    // dst (n, 1, 1, c) = mean of src[0] over (h, w)
    EBB_OP_SOFTMAX, // dst = softmax of src[0] over c, pixel by pixel
    // Backwards: what arrives is the gradient of a result, what leaves that of a source.
    EBB_OP_SPREAD,   // dst = scale * src[0](n, y / stride, x / stride, first + c) where (y, x) is at `spot` of its block of
                     // stride x stride, and 0 elsewhere and outside src[0]
    EBB_OP_ACT_GRAD, // dst = src[0] * act'(x), x = src[1] * a[n, c] + b[n, c] with `affine`, src[1] without
    EBB_OP_NORM_GRAD, // dst = gradient of src[1], the source of the norm (groups, eps, gamma, film) whose result has src[0]
                      // groups = 0: src[0] * (1 + film[c]), no src[1]
    EBB_OP_ATTENTION_GRAD, // dst (n, h, w, 3c): of q, of k, of v; src q, k, v and the result's; as many keys as queries
    EBB_OP_COUNT
};
enum { EBB_OP_SOURCES = 4 };
enum { EBB_SPOT_ALL = -1 }; // all of the block; otherwise the row and column in it, both the same

struct ebb_op {
    enum ebb_op_kind kind;
    int dst, src[EBB_OP_SOURCES]; // tensor numbers, -1: none
    // load
    bool upsample;
    int affine;
    enum ebb_act act;
    // convolution: a linear layer is 1x1 with stride 1
    struct ebb_weight *weight, *bias; // bias may be NULL
    int stride;
    int pad; // zeros above and left of x; below and right follow from dst's size
    // epilogue
    int vector;   // tensor (n, 1, 1, c), -1: none
    int residual; // tensor of dst's shape, -1: none; never dst itself
    float scale;
    // norm
    int groups;
    float eps;
    struct ebb_weight *gamma, *beta; // may be NULL: 1 and 0
    int film;                        // tensor (n, 1, 1, 2c), -1: none
    // attention
    int heads;
    // spread
    int spot, first;
};

// Ops run in order; no op reads what a later one writes. dst never overlaps a source in memory.
struct ebb_program {
    const struct ebb_tensor *tensors;
    const struct ebb_op *ops;
    int tensor_count, op_count, input_count, output_count;
    struct ebb_buffer *arena, *steps; // NULL when the program has none
};

// ---- work recorded ahead (tape.h) ----

enum ebb_tape_kind { EBB_TAPE_BLEND, EBB_TAPE_THRESHOLD, EBB_TAPE_RUN, EBB_TAPE_MARK };
enum { EBB_TAPE_BUFFERS = 8, EBB_TAPE_IDS = 10 };

// What prepare() returned, and a number that is never given twice in a process: a freed address may come back.
struct ebb_tape_program {
    void *prepared;
    uint64_t id;
    int inputs, outputs;
};

struct ebb_tape_entry {
    enum ebb_tape_kind kind;
    int step;
    struct ebb_blend blend;
    struct ebb_threshold threshold;
    struct ebb_tape_program program;
    struct ebb_buffer *buffers[EBB_TAPE_BUFFERS]; // inputs, then outputs
    uint64_t id[EBB_TAPE_IDS];                    // of everything that is named
};

struct ebb_tape;
enum ebb_result ebb_tape_run(struct ebb_tape *tape, const struct ebb_tape_program *program, int step,
                             struct ebb_buffer *const *inputs, struct ebb_buffer *const *outputs, struct ebb_error *error);

// One backend. Functions that return a result fill `error`. run() and blend() may return before the work is done, as
// long as later calls see it done; read() and measure() wait. Different threads may call at the same time.
struct ebb_backend {
    const char *kind; // "cpu"
    // Opens device->state and fills device->description. `which`: what follows "kind:" in the name, NULL: nothing.
    enum ebb_result (*open)(struct ebb_device *device, const char *which, int threads, struct ebb_error *error);
    void (*close)(struct ebb_device *device);
    // Writes up to `capacity` infos of the devices there are, returns how many; NULL: one that is always there.
    size_t (*list)(struct ebb_device_info *infos, size_t capacity);

    // buffer->count is set; fills buffer->state, zeroed memory.
    enum ebb_result (*buffer_create)(struct ebb_buffer *buffer, struct ebb_error *error);
    void (*buffer_destroy)(struct ebb_buffer *buffer);
    enum ebb_result (*write)(struct ebb_buffer *buffer, size_t offset, const float *data, size_t count,
                             struct ebb_error *error);
    enum ebb_result (*read)(struct ebb_buffer *buffer, size_t offset, float *data, size_t count, struct ebb_error *error);

    enum ebb_result (*blend)(struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error);
    enum ebb_result (*threshold)(struct ebb_device *device, const struct ebb_threshold *threshold, struct ebb_error *error);
    enum ebb_result (*measure)(struct ebb_device *device, enum ebb_measure what, struct ebb_buffer *src, size_t offset,
                               size_t count, double *value, struct ebb_error *error);

    // Prepares a program (copied or kept: it outlives what prepare() returns). NULL on failure.
    void *(*prepare)(struct ebb_device *device, const struct ebb_program *program, struct ebb_error *error);
    enum ebb_result (*run)(struct ebb_device *device, void *prepared, int step, struct ebb_buffer *const *inputs,
                           struct ebb_buffer *const *outputs, struct ebb_error *error);
    void (*release)(struct ebb_device *device, void *prepared);
    size_t (*memory)(const void *prepared); // bytes of scratch
    void (*collect)(struct ebb_device *device); // hands measured times to ebb_profile_add(); NULL: it does so while running

    // Records the entries ahead; NULL (the function): the backend carries them out one by one. NULL (the result): failed.
    void *(*record)(struct ebb_device *device, const struct ebb_tape_entry *entries, size_t count, struct ebb_error *error);
    enum ebb_result (*play)(struct ebb_device *device, void *recorded, ebb_tape_tell tell, void *user, struct ebb_error *error);
    void (*erase)(struct ebb_device *device, void *recorded);
};

uint64_t ebb_new_id(void);
enum ebb_result ebb_blend_check(const struct ebb_device *device, const struct ebb_blend *blend, struct ebb_error *error);

extern const struct ebb_backend ebb_backend_ref, ebb_backend_cpu;

// profile.c's own.
struct ebb_profile {
    bool on;
    struct ebb_profile_entry *entries;
    size_t count, capacity;
};

struct ebb_device {
    const struct ebb_backend *backend;
    struct ebb_profile profile;
    void *state; // the backend's
    const struct ebb_log *log;
    bool automatic;  // chosen by "auto": the CPU may stand in for it
    int threads;     // as asked for
    uint64_t memory; // bytes it has of its own; 0: the host's
    bool unfused; // plans keep every node an op of its own: a debugging aid
    int references;
    char description[256], fallback[256]; // fallback: empty when it is none
};

struct ebb_buffer {
    struct ebb_device *device; // holds a reference
    size_t count;
    uint64_t id; // never given twice in a process
    void *state; // the backend's; host backends: the floats themselves
};

#endif
