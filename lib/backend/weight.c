#include "backend/weight.h"

#include <pthread.h>

// One lock for all weights: packing happens at plan time only.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct ebb_packed *ebb_packed_get(struct ebb_weight *weight, const void *owner, int form,
                                  struct ebb_packed *(*make)(const struct ebb_weight *weight, void *context), void *context)
{
    pthread_mutex_lock(&lock);
    struct ebb_packed *packed = weight->packed;
    while (packed && (packed->owner != owner || packed->form != form))
        packed = packed->next;
    if (!packed && (packed = make(weight, context))) {
        packed->owner = owner;
        packed->form = form;
        packed->next = weight->packed;
        weight->packed = packed;
    }
    pthread_mutex_unlock(&lock);
    return packed;
}

void ebb_weight_release(struct ebb_weight *weight)
{
    while (weight->packed) {
        struct ebb_packed *next = weight->packed->next;
        weight->packed->destroy(weight->packed);
        weight->packed = next;
    }
}
