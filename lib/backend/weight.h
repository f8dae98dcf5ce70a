// What networks and backends share: weights, the forms that backends pack them into, activations.
#ifndef EBB_BACKEND_WEIGHT_H
#define EBB_BACKEND_WEIGHT_H

#include <stddef.h>

enum ebb_act { EBB_ACT_NONE, EBB_ACT_SILU, EBB_ACT_GELU, EBB_ACT_RELU, EBB_ACT_MISH };

// float32, (cout, kh, kw, cin) row-major; vectors and norms: cout = length, the rest 1. Owned by the weight set;
// backends keep their packed forms in `packed`, shared by all plans and threads. Zero `packed` before first use.
struct ebb_weight {
    const char *name; // as in the file, for messages
    const float *data;
    int cout, kh, kw, cin;
    struct ebb_packed *packed; // guarded by ebb_packed_get(); freed by ebb_weight_release()
};

// One packed form of a weight; backends embed this at the head of their own struct.
struct ebb_packed {
    struct ebb_packed *next;
    const void *owner; // what the form belongs to: a static table for host backends, the device for others
    int form;          // the owner's number for it
    void (*destroy)(struct ebb_packed *packed);
};

// The form `form` of `weight`, made by `make` at most once (other threads wait). NULL when `make` returns NULL.
struct ebb_packed *ebb_packed_get(struct ebb_weight *weight, const void *owner, int form,
                                  struct ebb_packed *(*make)(const struct ebb_weight *weight, void *context), void *context);

// Frees all packed forms: whoever owns the weights calls this for each, after the last plan that used it is gone.
void ebb_weight_release(struct ebb_weight *weight);

#endif
